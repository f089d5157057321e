"""Publishing: what leaves a run, as a branch of readable commits or as patch files.

The run's own history has a commit per agent, with merges in between. What is published is a line: one commit for each
approved phase that changed something, on top of the commit that the run started from, with exactly the tree that was
approved. The same content has the same commits, whoever approved it and however often it was made.
"""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow import files, markup
from workflow.errors import RunError, UsageError
from workflow.work import leaks, trees
from workflow.work.redaction import Values

LFS, ATTRIBUTES = b"filter=lfs", ".gitattributes"
MERGE_DATE = "2000-01-01T00:00:00Z"


@dataclass(frozen=True)
class Line:
    """What is published: the commit that it starts from (None: it starts from nothing), its commits by phase, and the last tree.

    `joined` are phases side by side whose merge is in the last tree, and no later phase that was approved builds on it.
    """

    start: str | None
    commits: Mapping[str, str]
    tree: str
    joined: tuple[str, ...] = ()

    @property
    def tip(self) -> str:
        """The last commit."""
        return list(self.commits.values())[-1]


def line(run_dir: Path, phases: Sequence[str], goal: str) -> Line:
    """One commit per phase, in this order. RunError where a phase's files disagree, UsageError where phases do not merge.

    A phase that changed nothing has no commit; UsageError where that is true of all.
    """
    repo, start = run_dir / "project.git", files.read_json(run_dir / "start.json")
    date = files.read_json(run_dir / "run.json")["started_at"]  # an attempt may be made again with the same result
    first = start["commit"] if start["source"] else None
    now, parent, commits = trees.Commit(start["commit"], start["tree"]), first, dict[str, str]()
    held, joined = [now.commit], list[str]()
    for phase in phases:
        manifest = files.read_json(run_dir / phase / "manifest.json")
        theirs = _approved(run_dir, phase, manifest)
        whole = all(_holds(repo, theirs, commit) for commit in held)
        merged = theirs if whole else _join(repo, now, theirs, phase)
        held.append(theirs.commit)
        joined = [] if merged.tree == theirs.tree else [*joined, phase]
        if merged.tree != now.tree:
            made = trees.commit_tree(repo, merged.tree, [parent] if parent else [], message(manifest, goal), date)
            commits[phase] = parent = made.commit
        now = merged
    if not commits:
        raise UsageError(f"there is nothing to publish: {', '.join(phases)} changed no file")
    return Line(first, commits, now.tree, tuple(joined))


def _approved(run_dir: Path, phase: str, manifest: Mapping[str, Any]) -> trees.Commit:
    """The commit of a phase, held against the tree that its digest covers."""
    found = trees.resolve(run_dir / "project.git", files.read_json(run_dir / phase / "merge.json")["commit"])
    if found.tree != manifest["subject"]["tree"]:
        raise RunError(f"{run_dir / phase}/merge.json is not what {phase}'s manifest shows; run snakemake again")
    return found


def _holds(repo: Path, later: trees.Commit, earlier: str) -> bool:
    """Whether a commit builds on another one."""
    return not trees.git("rev-list", "--max-count=1", earlier, f"^{later.commit}", repo=repo).strip()


def _join(repo: Path, now: trees.Commit, theirs: trees.Commit, phase: str) -> trees.Commit:
    """Phases side by side, merged."""
    merged = trees.merge(repo, now.commit, theirs.commit)
    if merged.tree is None:
        clash = ", ".join(map(markup.plain, merged.conflicts))
        raise UsageError(f"{phase} does not merge with the phases before it in {clash}; publish one side with --config phase=...")
    return trees.commit_tree(repo, merged.tree, [now.commit, theirs.commit], "phases side by side", MERGE_DATE)


def message(manifest: Mapping[str, Any], goal: str) -> str:
    """The message of a phase's commit. Nothing in it changes while brief and digest stay the same."""
    subject = manifest["subject"]
    count = len(subject["files"]) + len(subject["deleted"])
    agents = ", ".join(agent["name"] for agent in subject["agents"] if agent["status"] == "succeeded") or "no agent"
    checks = ", ".join(f"{check['name']} {check['status']}" for check in subject["validation"]["checks"]) or "none"
    people = [markup.one_line(item["by"]) for item in subject["adoptions"]]
    asked = markup.one_line(leaks.redact_text(goal, Values({})))
    lines = [
        f"{manifest['phase']}: {count} file{'' if count == 1 else 's'} changed by {agents}",
        "",
        f"Asked for: {asked}",
        f"Checks: {checks}",
        "",
    ]
    lines += [f"Phasegate-Run: {manifest['run_id']}", f"Phasegate-Digest: {manifest['digest']}"]
    lines += [f"Co-authored-by: {who}" for who in dict.fromkeys(people) if who.endswith(">")]
    return "\n".join(lines) + "\n"


def write_patches(repo: Path, made: Line, folder: Path) -> list[Path]:
    """`git format-patch` files of a line, for `git am`. UsageError where the folder holds other patches."""
    revisions = [f"{made.start}..{made.tip}"] if made.start else ["--root", made.tip]
    fixed = ("--no-signature", "--no-renames", "--full-index", "--binary", "--no-color", "--no-ext-diff", "--no-textconv")
    with tempfile.TemporaryDirectory() as name:
        own = Path(name)
        trees.git("format-patch", "--quiet", *fixed, "-o", own, *revisions, repo=repo)
        wanted = {path.name: path.read_bytes() for path in sorted(own.iterdir())}
    others = sorted(path.name for path in folder.glob("*.patch") if path.name not in wanted)
    if others:
        raise UsageError(f"{folder} holds other patches ({', '.join(map(markup.plain, others[:3]))}); remove them, or name another folder")
    for name, content in wanted.items():
        files.write_bytes(folder / name, content)
    return [folder / name for name in wanted]


def notes(repo: Path, made: Line) -> list[str]:
    """What else should be known of it, a line each: a merge that nobody has seen, objects behind LFS pointers, files of submodules."""
    tree, entries = made.tree, trees.entries(repo, made.tree)
    rules = [path for _, path in entries if path.rsplit("/", 1)[-1] == ATTRIBUTES]
    found = [f"{name} was approved side by side with another phase; nobody has reviewed their merge" for name in made.joined]
    if any(LFS in content for content in trees.read_objects(repo, [f"{tree}:{path}" for path in rules])):
        found.append("git LFS: pointers are published as they are; the objects behind them are not moved (git lfs push)")
    submodules = sum(mode == trees.SUBMODULE for mode, _ in entries)
    if submodules:
        found.append(f"submodules: {submodules}, published as the commits that they name; their own repositories are not touched")
    return found
