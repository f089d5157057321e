"""Bills of materials in CycloneDX 1.6: what the project of a phase depends on, and with what the phase was made and checked.

Recorded when a phase is validated, while the environment of its checks is there, and packed as they are. Neither holds a clock or a
random number: the serial number is made from the content. What could not be resolved or read is named as such.
"""

from __future__ import annotations

import platform
import re
import sysconfig
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from workflow import __version__, files
from workflow.errors import PhasegateError
from workflow.proof.attestation import SBOMS, place
from workflow.work import environments, scratch, trees

if TYPE_CHECKING:
    from cyclonedx.model.component import Component

READ = re.compile(r"(^|/)(pyproject\.toml|[^/]*\.(txt|in))$")
UNREAD = re.compile(r"(^|/)(package\.json|Cargo\.toml|go\.mod|pom\.xml|build\.gradle(\.kts)?|Gemfile|composer\.json|environment\.ya?ml)$")
NAME = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)")
Facts = list[tuple[str, str]]


def record(run_dir: Path, phase: str, validation: Mapping[str, Any], configured: str | None) -> None:
    """Write both bills of materials of a phase; `validation` has `tree`, `environment` and `sandbox`."""
    folder = place(run_dir, phase, validation["tree"])
    repo, made = run_dir / "project.git", validation["environment"]
    environment = environments.store(configured) / made["name"] if made and not made["error"] else None
    project, around = SBOMS
    files.write_text(folder / project, document(*of_project(run_dir, repo, validation["tree"], environment)))
    files.write_text(folder / around, document(*of_environment(run_dir, phase, validation)))


def of_project(run_dir: Path, repo: Path, tree: str, environment: Path | None) -> tuple[Component, list[Component], Facts]:
    """The project, what it depends on, and what is to be known of the list.

    With the environment in which its checks ran: the packages in it, with versions. Without one: the names that it declares.
    """
    paths = trees.files(repo, tree)
    unread = [path for path in paths if UNREAD.search(path)]
    declared, problem = _declared(repo, tree, [path for path in paths if READ.search(path)])
    packages = list(_installed(environment)) if environment else None
    facts: Facts = [("tree", tree), ("resolved", "yes" if packages is not None else "no: only what is declared is listed")]
    facts += [("declared", line) for line in declared] + [("not read", path) for path in unread]
    facts += [("problem", problem)] if problem else []
    if packages is None:
        names = sorted({match[1].lower() for line in declared if (match := NAME.match(line))})
        return _made(run_dir.name, None, "application"), [_package(name, None) for name in names], facts
    return _made(run_dir.name, None, "application"), packages, facts


def _declared(repo: Path, tree: str, paths: list[str]) -> tuple[list[str], str]:
    """The requirement lines of a project in the repository, and why they cannot be read, if so."""
    with scratch.folder("sbom") as copy:
        for path, content in zip(paths, trees.read_objects(repo, [f"{tree}:{path}" for path in paths]), strict=True):
            goal = copy / path
            goal.parent.mkdir(parents=True, exist_ok=True)
            goal.write_bytes(content)
        try:
            return environments.requirements(copy), ""
        except (ValueError, OSError, AttributeError, TypeError) as error:
            return [], f"what it declares cannot be read: {type(error).__name__}"


def of_environment(run_dir: Path, phase: str, validation: Mapping[str, Any]) -> tuple[Component, list[Component], Facts]:
    """The phase, and the interpreter, packages, programs and models with which it was made and checked."""
    found = [
        _made("python", platform.python_version(), "platform"),
        _made("git", _git_version(), "application"),
        _made("phasegate", __version__, "application"),
        *_installed(Path(sysconfig.get_paths()["purelib"]).parents[2]),
        *_of_agents(run_dir / phase / "agents"),
    ]
    facts = [("system", platform.system()), ("machine", platform.machine()), ("checks sandbox", str(validation["sandbox"] or "no checks"))]
    return _made(f"{run_dir.name}/{phase}", None, "application"), found, facts


def _git_version() -> str | None:
    try:
        return trees.git("--version").removeprefix("git version ").strip()
    except PhasegateError:
        return None


def _of_agents(folder: Path) -> Iterator[Component]:
    """The runners and the models of a phase's agents, as their outcomes name them."""
    runners = [files.try_read_object(path)["runner"] for path in sorted(folder.glob("*/outcome.json")) if files.try_read_object(path)]
    for name, version in sorted({(row["name"], row["version"] or "") for row in runners}):
        yield _made(f"runner {name}", version or None, "application")
    for name in sorted({row["model"] for row in runners if row["model"]}):
        yield _made(name, None, "machine-learning-model")


def _installed(environment: Path) -> Iterator[Component]:
    """The Python packages of an environment, from the names of their `dist-info` folders (PEP 427)."""
    found = {path.name.removesuffix(".dist-info") for path in environment.glob("lib*/python3*/site-packages/*.dist-info")}
    for name, _, version in sorted(item.rpartition("-") for item in found):
        yield _package(re.sub(r"[-_.]+", "-", name).lower(), version)


def _package(name: str, version: str | None) -> Component:
    from cyclonedx.model.component import Component, ComponentType
    from packageurl import PackageURL

    purl = PackageURL("pypi", name=name, version=version)
    return Component(name=name, version=version, type=ComponentType.LIBRARY, purl=purl, bom_ref=purl.to_string())


def _made(name: str, version: str | None, kind: str) -> Component:
    from cyclonedx.model.component import Component, ComponentType

    return Component(name=name, version=version, type=ComponentType(kind), bom_ref=f"{kind}:{name}@{version or 'unknown'}")


def document(about: Component, components: Iterable[Component], facts: Facts) -> str:
    """A bill of materials as JSON; the same for the same content."""
    from cyclonedx.model import Property
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.output.json import JsonV1Dot6

    listed = sorted({str(item.bom_ref): item for item in components}.items())
    named = [Property(name=f"phasegate:{name}", value=value) for name, value in facts]
    made = Bom(components=[item for _, item in listed], metadata=BomMetaData(component=about, properties=named))
    content = repr((str(about.bom_ref), [ref for ref, _ in listed], sorted(facts)))
    made.serial_number = uuid.uuid5(
        uuid.NAMESPACE_URL, f"urn:phasegate:sbom:{files.sha256_bytes(content.encode('utf-8', 'backslashreplace'))}"
    )
    made.metadata.timestamp = None  # type: ignore[assignment]
    made.register_dependency(about, [item for _, item in listed])
    return JsonV1Dot6(made).output_as_string(indent=2) + "\n"
