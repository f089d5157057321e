"""Whether the files with a run's metrics still say what its records say; asked at the end of each call, so it only looks at times."""

from __future__ import annotations

from pathlib import Path

from workflow import files
from workflow.gate import approvals, history
from workflow.view.records import RunRecord

JSON, PROMETHEUS = "metrics.json", "metrics.prom"


def stale(record: RunRecord) -> bool:
    """Whether metrics.json or metrics.prom is missing, or something was measured or decided since they were written."""
    written = [record.run_dir / name for name in (JSON, PROMETHEUS)]
    known = files.try_read_json(written[0])
    if not all(path.is_file() for path in written) or not isinstance(known, dict) or known.get("state") != record.state.state:
        return True
    return min(path.stat().st_mtime_ns for path in written) <= max(path.stat().st_mtime_ns for path in _sources(record))


def _sources(record: RunRecord) -> list[Path]:
    """Files and folders of which one is younger than the metrics when something has happened since."""
    found = [record.run_dir / "run.json"]
    for name, phase in record.phases.items():
        folder = record.run_dir / name
        found += [folder, folder / approvals.MARKER, history.path(record.run_dir, name)]
        found += [folder / "agents" / agent.name for agent in phase.plan.agents]
    return [path for path in found if path.exists()]
