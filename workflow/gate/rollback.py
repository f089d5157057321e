"""Rollback: put away what later phases decided and made, and write down how to get it back.

Markers, outcomes, bundles, requests and gate records of the later phases move to `history/rollbacks/<timestamp>/`, each
under the path that it had, so that a restore moves them back. Attempts stay: they are the record of paid work, and a
phase whose inputs did not change publishes them again. Git history is never touched.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from workflow import files
from workflow.errors import UsageError
from workflow.gate import approvals
from workflow.plan import tasks
from workflow.plan.commandline import Command

KEPT_NAMES = {"attempts"}


def contents(run_dir: Path, phases: list[str]) -> list[Path]:
    """What a rollback puts away: files and folders of the later phases, without their attempts; sorted."""
    return sorted(path for phase in phases for path in _of_phase(run_dir, phase))


def _of_phase(run_dir: Path, phase: str) -> Iterator[Path]:
    folder = run_dir / phase
    for path in folder.iterdir() if folder.is_dir() else ():
        if path.name != "agents":
            yield path
    for agent in (folder / "agents").iterdir() if (folder / "agents").is_dir() else ():
        yield from _of_worker(agent)
    more = [run_dir / "bundles" / f"{phase}.zip"]
    more += [run_dir / "history" / kind / name for kind in ("gates", "feedback") for name in (f"{phase}.json", phase)]  # of tasks, too
    yield from (path for path in more if path.exists())


def _of_worker(folder: Path) -> Iterator[Path]:
    """What is put away of an agent or a task, and of the tasks of an agent; their attempts stay."""
    for path in folder.iterdir():
        if path.name == tasks.FOLDER:
            for task in path.iterdir():
                yield from _of_worker(task)
        elif path.name not in KEPT_NAMES:
            yield path


def summary(run_dir: Path, phases: list[str]) -> list[tuple[str, str]]:
    """What would be put away, a row each: markers, approvals, bundles, outcomes, commits, spend."""
    found = contents(run_dir, phases)
    names = [path.relative_to(run_dir).as_posix() for path in found]
    markers = [name for name in names if Path(name).name.startswith(("APPROVED", "CHANGES_REQUESTED"))]
    outcome_files = [path for path in found if path.name == "outcome.json"]
    outcomes = [files.try_read_json(path) or {} for path in outcome_files]
    commits = [outcome["result"]["commit"][:12] for outcome in outcomes if outcome.get("result")]
    costs = [(outcome.get("usage") or {}).get("cost_usd") for outcome in outcomes if outcome.get("attempts")]
    known = [cost for cost in costs if cost is not None]
    spend = f"{sum(known):.2f} US dollars" if len(known) == len(costs) else "unknown"
    return [
        ("phases", ", ".join(phases) or "none"),
        ("markers", ", ".join(markers) or "none"),
        ("approvals", "; ".join(_approval(path) for path in found if _is_approval(path)) or "none"),
        ("bundles", ", ".join(name for name in names if name.startswith("bundles/")) or "none"),
        ("outcomes", f"{len(outcomes)} ({', '.join(path.parent.name for path in outcome_files) or 'none'})"),
        ("commits", f"{', '.join(commits) or 'none'} (they stay in project.git)"),
        ("spent", f"{spend} on what is put away (attempts stay, and are published again where nothing changed)"),
    ]


def _is_approval(path: Path) -> bool:
    return path.name == approvals.MARKER or (path.name.startswith(f"{approvals.MARKER}.") and path.suffix != ".sig")


def _approval(marker: Path) -> str:
    """Who approved what, as a marker says it."""
    given = approvals.parse(marker.read_bytes()) if marker.is_file() and not marker.is_symlink() else None
    return (
        f"{marker.parent.name} by {given.by or 'unknown'}, digest {given.digest[:12]}"
        if given
        else f"{marker.parent.name} by a bare marker"
    )


def preview(run_dir: Path, to: str, phases: list[str], apply: bool) -> None:
    """Print what going back to the gate of `to` puts away. Nothing is written."""
    print(f"{'going back' if apply else 'would go back'} to the gate of {to}; put away:")
    for label, text in summary(run_dir, phases):
        print(f"  {label + ':':10}{text}")


def apply(run_dir: Path, to: str, phases: list[str], command: Command) -> Path:
    """Put the later phases away and write ROLLBACK_<timestamp>.md; returns its path. UsageError where nothing is later."""
    found = contents(run_dir, phases)
    if not found:
        raise UsageError(f"nothing comes after {to} yet; there is nothing to roll back")
    rows = summary(run_dir, phases)
    moment = files.now()
    name = moment.replace(":", "").replace("-", "").replace(".", "")
    archive = run_dir / "history" / "rollbacks" / name
    moved = [path.relative_to(run_dir).as_posix() for path in found]
    files.write_json(archive / "moved.json", {"to": to, "phases": phases, "at": moment, "paths": moved})
    for path in moved:
        _move(run_dir / path, archive / "files" / path)
    advisory = run_dir / f"ROLLBACK_{name}.md"
    files.write_text(advisory, _advisory(run_dir, to, phases, moment, archive, rows, advisory.name, command))
    return advisory


def _move(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    source.rename(target)


def _advisory(
    run_dir: Path, to: str, phases: list[str], moment: str, archive: Path, rows: list[tuple[str, str]], name: str, command: Command
) -> str:
    table = "\n".join(f"| {label} | {text.replace('|', '/')} |" for label, text in rows)
    return f"""# Rollback to {to}

| | |
|---|---|
| Timestamp | {moment} |
| Run | {run_dir.name} |
| From phase | {phases[-1]} |
| To phase | {to} |
| Archive | {archive.as_posix()} |

## Put away

| | |
|---|---|
{table}

## Restore

```sh
{command.line("restore", config=(f"from={name}",))}
```

## By hand

- Review the artifacts made after {to}: they lie in the archive; what was made from them outside Phasegate does not.
- Consider reverting what was published from them (deployments, tags, tickets).
- Clean up environments that were set up for them.
- The next step of the run is {phases[0]}: `{command.go_on()}`.
"""


def restore(run_dir: Path, advisory: Path) -> None:
    """Move back what a rollback put away. UsageError where something new stands in its place; then nothing moves."""
    archive = run_dir / "history" / "rollbacks" / advisory.stem.removeprefix("ROLLBACK_")
    record = files.read_json(archive / "moved.json")
    pairs = [(archive / "files" / path, run_dir / path) for path in record["paths"]]
    pairs = [(source, target) for source, target in pairs if source.exists()]
    taken = [target for source, target in pairs if target.exists() and not _replaceable(source, target)]
    if taken:
        raise UsageError(f"{taken[0]} exists: work went on after {advisory.name}; roll back to {record['to']} first, then restore")
    for source, target in pairs:
        if target.exists():
            target.unlink()
        _move(source, target)
    advisory.rename(archive / advisory.name)


def _replaceable(source: Path, target: Path) -> bool:
    """Whether what stands there holds the same bytes, or only says what an agent would be told."""
    if not (source.is_file() and target.is_file()):
        return False
    return target.name in ("brief.json", "criteria.json") or source.read_bytes() == target.read_bytes()
