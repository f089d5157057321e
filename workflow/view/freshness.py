"""Whether the files with a run's metrics still say what its records say; asked at the end of each call, so it only looks at times.

They carry the time of the newest file that they were computed from, taken before it was read: any change, also one between reading and
writing, tells them apart from what is there now.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from workflow import files
from workflow.gate import approvals, feedback, history

JSON, PROMETHEUS = "metrics.json", "metrics.prom"
OF_PHASE = (".", "merge.json", "validation.json", "hygiene.json", "manifest.json", approvals.MARKER, feedback.MARKER)
OF_AGENT = (".", "outcome.json", "attempts")


def moment_ns(run_dir: Path, agents: Iterable[tuple[str, str]]) -> int:
    """The modification time of the newest file or folder that figures come from; `agents` are (phase, agent)."""
    known, phases = list(agents), []
    paths = [run_dir / "run.json"]
    for phase, agent in known:
        paths += [run_dir / phase / "agents" / agent / name for name in OF_AGENT]
        if phase not in phases:
            phases.append(phase)
            paths += [run_dir / phase / name for name in OF_PHASE]
            paths += [history.path(run_dir, phase), feedback.path_of(run_dir, phase)]
    return max((path.lstat().st_mtime_ns for path in paths if path.exists()), default=0)


def stale(run_dir: Path, state: str, now_ns: int) -> bool:
    """Whether metrics.json or metrics.prom is missing, or is of another moment or state than what is there now."""
    written = [run_dir / name for name in (JSON, PROMETHEUS)]
    if not all(path.is_file() and path.stat().st_mtime_ns == now_ns for path in written):
        return True
    known = files.try_read_object(written[0])
    return known.get("schema") != 1 or known.get("state") != state
