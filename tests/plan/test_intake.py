"""The intake: what is refused, how it is frozen, and that each of its keys reaches a prompt, a check or the repository."""

from __future__ import annotations

import copy
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import INTAKE, ROOT

from workflow.errors import GitError, IntakeError
from workflow.plan import briefs, documents, intake, phases, settings
from workflow.plan.commandline import CommandLine
from workflow.work import integration, prompts, trees

TYPES: list[str] = documents.schema("intake")["properties"]["project"]["properties"]["type"]["enum"]

FULL: dict[str, Any] = {
    "project": {
        "name": "ferry",
        "type": "webapp",
        "description": "A timetable.",
        "version": "1.2.3",
        "source": "../harbour",
        "ref": "quay",
    },
    "goals": {"primary": "Show departures.", "secondary": ["Show arrivals."], "success_criteria": ["Nobody misses a boat."]},
    "stakeholders": [{"name": "Commuters", "role": "passengers", "needs": "One glance."}],
    "constraints": ["No cookies."],
    "tech_preferences": {"languages": ["Python"], "frameworks": ["Flask"], "databases": ["SQLite"], "avoid": ["Perl"]},
    "data_sources": [
        {"name": "Tides", "location": "ftp://tides", "format": "CSV", "description": "High and low water.", "sensitivity": "public"}
    ],
    "environments": [{"name": "production", "description": "A small box.", "url": "https://ferry.example"}],
    "testing": {"coverage_target": 80, "kinds": ["unit"]},
    "documentation": ["Operating manual"],
    "risks": [{"description": "Fog.", "likelihood": "low", "impact": "high", "mitigation": "A horn."}],
    "attachments": ["letter.txt"],
}
Key = tuple[str | int, ...]


def leaves(part: dict[str, Any], key: Key = ()) -> Iterator[tuple[Key, dict[str, Any]]]:
    """Every leaf of a schema, with the first item of each list."""
    if "properties" in part:
        for name, child in part["properties"].items():
            yield from leaves(child, (*key, name))
    elif "items" in part:
        yield from leaves(part["items"], (*key, 0))
    else:
        yield key, part


LEAVES = dict(leaves(documents.schema("intake")))


def at(value: Any, key: Key) -> Any:
    for part in key:
        value = value[part]
    return value


def other(key: Key, part: dict[str, Any]) -> Any:
    """A value that is allowed in this place and stands nowhere in the full intake."""
    if "enum" in part:
        return next(word for word in part["enum"] if word != at(FULL, key))
    if part["type"] == "integer":
        return 37
    if key == ("attachments", 0):
        return "drawing.md"
    return "9.8.7" if key == ("project", "version") else "zebra"


def with_changed(key: Key) -> dict[str, Any]:
    changed = copy.deepcopy(FULL)
    at(changed, key[:-1])[key[-1]] = other(key, LEAVES[key])
    return changed


def written(folder: Path, value: Any) -> Path:
    """An intake file with its attachments."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "letter.txt").write_text("We want boats.\n")
    (folder / "drawing.md").write_text("A drawing of a zebra.\n")
    path = folder / "intake.yaml"
    path.write_text(value if isinstance(value, str) else yaml.safe_dump(value, sort_keys=False))
    return path


def refused(folder: Path, value: Any) -> list[str]:
    with pytest.raises(IntakeError) as caught:
        intake.read(written(folder, value))
    return str(caught.value).splitlines()


@dataclass(frozen=True)
class Bench:
    """What is needed to say to every role what it would be told."""

    folder: Path
    repo: Path
    base: str

    def prompts(self, value: dict[str, Any]) -> dict[str, str]:
        """The prompt of each role for an intake."""
        run_dir = self.folder / "run"
        trees.remove(run_dir)
        source = written(self.folder / "brief", value)
        intake.freeze(intake.read(source), source, run_dir)
        frozen = intake.read_frozen(run_dir / "intake.yaml")
        found = load(self.folder, {"work": {"agents": {role: {} for role in briefs.roles()}}})
        plan = phases.make_plan(found, frozen, briefs.roles())
        made = [briefs.make_brief(plan, agent, run_dir, frozen, found) for agent in plan.agents()]
        return {brief["role"]: prompts.render(brief, self.repo, self.base, run_dir, []) for brief in made}


def load(folder: Path, plan: dict[str, Any]) -> settings.Settings:
    (folder / "config").mkdir(exist_ok=True)
    (folder / "config" / "config.yaml").write_text(yaml.safe_dump({"phases": plan}, sort_keys=False))
    return settings.load(ROOT, folder, CommandLine())


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Bench:
    folder = tmp_path_factory.mktemp("bench")
    repo = folder / "project.git"
    trees.create(repo)
    tree = folder / "tree"
    (tree / "docs").mkdir(parents=True)
    (tree / "docs" / "requirements.md").write_text("# Requirements\n")
    start = trees.commit_tree(repo, trees.git("mktree", repo=repo).strip(), [], "start", "2000-01-01T00:00:00Z")
    made = trees.commit_tree(repo, trees.snapshot(repo, start.commit, tree), [start.commit], "base", "2000-01-01T00:00:00Z")
    return Bench(folder, repo, made.commit)


@pytest.fixture(scope="module")
def told(bench: Bench) -> dict[str, str]:
    """What each role is told about the full intake."""
    return bench.prompts(FULL)


def test_full_intake_has_every_key_of_the_schema() -> None:
    assert [key for key in LEAVES if at(FULL, key) is None] == []
    assert len(LEAVES) == 33


@pytest.mark.parametrize("key", LEAVES, ids=documents.dotted)
def test_changed_key_changes_what_every_role_is_told(bench: Bench, told: dict[str, str], key: Key) -> None:
    now = bench.prompts(with_changed(key))
    shown = str(other(key, LEAVES[key]))
    assert sorted(now) == briefs.roles()
    assert [role for role in now if now[role] == told[role]] == []
    assert [role for role in now if shown not in now[role]] == []
    if key[-1] not in ("type", "sensitivity", "likelihood", "impact", 0) and key != ("testing", "coverage_target"):
        assert [role for role in now if shown in told[role]] == []


def test_changed_attachment_changes_what_every_role_is_told(bench: Bench, told: dict[str, str]) -> None:
    now = bench.prompts(with_changed(("attachments", 0)))
    assert all("We want boats." in told[role] and "We want boats." not in now[role] for role in told)
    assert all("A drawing of a zebra." in now[role] for role in now)


def test_type_decides_the_phases_and_the_target_the_checks(tmp_path: Path) -> None:
    def plan(**project: Any) -> phases.Plan:
        value = documents.fill_defaults(INTAKE | {"testing": {"coverage_target": project.pop("target", 80)}}, documents.schema("intake"))
        value["project"] = value["project"] | project
        return phases.make_plan(settings.load(ROOT, tmp_path, CommandLine()), value, briefs.roles())

    def commands(made: phases.Plan, phase: str) -> list[str]:
        return [word for check in made.phases[phase].checks for word in check.command]

    assert "data" in plan(type="ml").phases
    assert "data" not in plan(type="webapp").phases
    for phase in ("development", "testing"):
        assert "--fail-under=80" in commands(plan(), phase)
        assert "--fail-under=37" in commands(plan(target=37), phase)
    assert "9.8.7" in commands(plan(version="9.8.7"), "deployment")


@pytest.fixture
def harbour(tmp_path: Path) -> Path:
    """An existing repository with two branches."""
    folder = tmp_path / "harbour"
    folder.mkdir()
    script = "git init -q -b main . && echo one > one.txt && git add . && git commit -qm one && git switch -qc quay && echo two > two.txt"
    subprocess.run(
        ["sh", "-c", f"{script} && git add . && git commit -qm two && git switch -q main"], cwd=folder, check=True, env=trees.environment()
    )
    return folder


def started(tmp_path: Path, **project: Any) -> list[str]:
    """The files that a run starts from."""
    source = written(tmp_path / "brief", INTAKE | {"project": INTAKE["project"] | project})
    run_dir = tmp_path / "runs" / ("-".join(map(str, project.values())).replace("/", "") or "none")
    intake.freeze(intake.read(source), source, run_dir)
    record = integration.start_run(run_dir, {})
    return trees.files(run_dir / "project.git", record["commit"])


def test_source_and_ref_decide_what_the_run_starts_from(tmp_path: Path, harbour: Path) -> None:
    before = subprocess.run(["git", "for-each-ref"], cwd=harbour, capture_output=True, check=True).stdout
    assert started(tmp_path) == []
    assert started(tmp_path, source="../harbour") == ["one.txt"]
    assert started(tmp_path, source="../harbour", ref="quay") == ["one.txt", "two.txt"]
    assert started(tmp_path, source=f"file://{harbour}", ref="quay") == ["one.txt", "two.txt"]
    commit = trees.git("rev-parse", "quay~1", repo=harbour / ".git").strip()
    assert started(tmp_path, source="../harbour", ref=commit[:12]) == ["one.txt"]
    assert subprocess.run(["git", "for-each-ref"], cwd=harbour, capture_output=True, check=True).stdout == before
    assert subprocess.run(["git", "status", "--porcelain"], cwd=harbour, capture_output=True, check=True).stdout == b""


def test_source_or_ref_that_is_not_there_is_one_clear_line(tmp_path: Path, harbour: Path) -> None:
    for project in ({"source": "../nowhere"}, {"source": "../harbour", "ref": "nobranch"}, {"source": "../harbour", "ref": "deadbeef1"}):
        with pytest.raises(GitError) as caught:
            started(tmp_path, **project)
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("ref", ["--upload-pack=evil", "-x", "a b", ""])
def test_ref_that_git_would_take_for_an_option_is_refused(tmp_path: Path, ref: str) -> None:
    (line,) = refused(tmp_path, INTAKE | {"project": INTAKE["project"] | {"source": "../harbour", "ref": ref}})
    assert "`project.ref`" in line


def test_relative_source_is_frozen_as_an_absolute_path(tmp_path: Path) -> None:
    def frozen(source: str) -> str:
        path = written(tmp_path / "brief", INTAKE | {"project": INTAKE["project"] | {"source": source}})
        trees.remove(tmp_path / "run")
        intake.freeze(intake.read(path), path, tmp_path / "run")
        return intake.read_frozen(tmp_path / "run" / "intake.yaml")["project"]["source"]

    assert frozen("../harbour") == str(tmp_path / "harbour")
    assert frozen("harbour") == str(tmp_path / "brief" / "harbour")
    assert frozen("~/harbour") == str(Path("~/harbour").expanduser())
    for address in ("https://example.org/a/b.git", "ssh://git@example.org/a", "git@example.org:a/b.git", "file:///srv/a"):
        assert frozen(address) == address


def test_minimal_intake_gets_all_defaults(tmp_path: Path) -> None:
    found = intake.read(written(tmp_path, "project: {name: x, type: other}\ngoals: {primary: p}\n"))
    assert found["project"] == {"name": "x", "type": "other", "description": "", "version": "0.1.0", "source": None, "ref": None}
    assert found["testing"] == {"coverage_target": 80, "kinds": ["unit"]}
    assert found["attachments"] == found["risks"] == found["stakeholders"] == []


def test_several_problems_are_told_at_once_one_line_each(tmp_path: Path) -> None:
    text = """\
project:
  name: two words
  type: website
  version: 1.0
goals:
  primry: Typing.
testing: {coverage_target: 120, kinds: [unit, unit]}
risks:
  - description: Fog.
    impact: huge
"""
    path = tmp_path / "intake.yaml"
    assert refused(tmp_path, text) == [
        f"{path}:2: `project.name` is 'two words'; allowed: text that matches ^[A-Za-z0-9][A-Za-z0-9._-]{{0,63}}$",
        f"{path}:3: `project.type` is 'website'; allowed: webapp, analytics, ml, other",
        f"{path}:4: `project.version` is 1.0; allowed: string",
        f"{path}:5: `goals` lacks the required key `primary`",
        f"{path}:6: unknown key `goals.primry`; did you mean `primary`? known: primary, secondary, success_criteria",
        f"{path}:7: `testing.coverage_target` is 120; allowed: at most 100",
        f"{path}:7: `testing.kinds`: ['unit', 'unit'] has non-unique elements",
        f"{path}:10: `risks.0.impact` is 'huge'; allowed: low, medium, high",
    ]


def test_missing_intake_is_one_line_that_names_an_example(tmp_path: Path) -> None:
    with pytest.raises(IntakeError) as caught:
        intake.read(tmp_path / "intake.yaml")
    assert str(caught.value) == f"{tmp_path}/intake.yaml: there is no such file; an example is config/intake.yaml of Phasegate"


def test_attachment_must_be_a_plain_file_inside_the_folder(tmp_path: Path) -> None:
    folder = tmp_path / "brief"
    (folder / "sub").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "link.txt").symlink_to(tmp_path / "brief" / "letter.txt")
    (folder / "leak.txt").symlink_to(tmp_path / "secret.txt")
    (folder / "out").symlink_to(tmp_path)
    with (folder / "large.bin").open("wb") as file:
        file.truncate(intake.ATTACHMENT_LIMIT + 1)
    bad = [
        "gone.txt",
        "../secret.txt",
        str(tmp_path / "secret.txt"),
        "link.txt",
        "leak.txt",
        "out/secret.txt",
        "sub",
        "large.bin",
        "x" * 300,
        "a\0b",
    ]
    lines = refused(folder, INTAKE | {"attachments": ["letter.txt", *bad]})
    facts = [
        "is missing",
        "leads out of",
        "leads out of",
        "is a link",
        "leads out of",
        "leads out of",
        "is missing",
        "is larger than 10485760 bytes",
    ]
    assert len(lines) == len(bad)
    assert [fact for fact, line in zip(facts, lines, strict=False) if fact not in line] == []
    assert all("cannot be read" in line for line in lines[-2:])
    assert len({line.split(":")[1] for line in lines}) == len(bad)


def test_attachment_of_just_the_largest_size_is_taken(tmp_path: Path) -> None:
    with (tmp_path / "large.bin").open("wb") as file:
        file.truncate(intake.ATTACHMENT_LIMIT)
    assert intake.read(written(tmp_path, INTAKE | {"attachments": ["large.bin"]}))["attachments"] == ["large.bin"]


def test_frozen_intake_does_not_change_with_the_files_that_it_came_from(tmp_path: Path) -> None:
    (tmp_path / "brief" / "sub").mkdir(parents=True)
    (tmp_path / "brief" / "sub" / "note.txt").write_text("first")
    value = INTAKE | {"attachments": ["letter.txt", "sub/note.txt"]}
    source = written(tmp_path / "brief", value)
    run_dir = tmp_path / "runs" / "demo"
    intake.freeze(intake.read(source), source, run_dir)
    before = (run_dir / "intake.yaml").read_bytes()
    source.write_text(yaml.safe_dump(value | {"goals": {"primary": "Something else."}}))
    (tmp_path / "brief" / "sub" / "note.txt").write_text("second")
    intake.freeze(intake.read(source), source, run_dir)
    assert (run_dir / "intake.yaml").read_bytes() == before
    assert intake.frozen(run_dir) == intake.read_frozen(run_dir / "intake.yaml")
    assert (intake.frozen(run_dir) or {})["goals"]["primary"] == INTAKE["goals"]["primary"]
    assert (run_dir / "attachments" / "sub" / "note.txt").read_text() == "first"
    (run_dir / "intake.yaml").unlink()
    assert intake.frozen(run_dir) is None


def test_texts_of_any_kind_survive_freezing(tmp_path: Path) -> None:
    odd = "Größe: 'a' \"b\" # no comment\n- {x: [1]}\n\ttab \u2028 \U0001f600 off"
    source = written(tmp_path / "brief", INTAKE | {"goals": {"primary": odd}, "constraints": ["off", "1.0", "null", "2024-01-01"]})
    intake.freeze(intake.read(source), source, tmp_path / "run")
    frozen = intake.read_frozen(tmp_path / "run" / "intake.yaml")
    assert frozen["goals"]["primary"] == odd
    assert frozen["constraints"] == ["off", "1.0", "null", "2024-01-01"]


@pytest.mark.parametrize("kind", TYPES[:-1])
def test_template_of_each_type_is_a_full_intake_under_the_new_name(kind: str) -> None:
    found = intake.from_template(kind, "my-project", ROOT / "config" / "intakes")
    assert (found["project"]["name"], found["project"]["type"]) == ("my-project", kind)
    assert all(found[key] for key in documents.schema("intake")["properties"] if key not in ("attachments", "data_sources"))
