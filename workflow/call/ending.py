"""The end of a call: openings recorded, project shown, status written, the next step said, the exit code set."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from pathlib import Path

from workflow import files
from workflow.call.model import Call
from workflow.errors import PhasegateError
from workflow.gate.verdict import Verdict
from workflow.markup import plain
from workflow.proof.hygiene import summary as hygiene
from workflow.view import estimate, freshness, notices, records, state, summary


def finish(call: Call, workdir: Path) -> None:
    """The last act of the main process: record openings, show the project, write status.json, say what is next.

    Runs after everything else (it was registered first) and sets the exit code: 1 when the run is blocked or failed,
    128 + signal when a person has stopped it.
    """
    try:
        if not call.settled:
            return  # one clear line has been said already
        os.chdir(workdir)  # with --directory, Snakemake has gone back to where the user stands
        now = call.state()
        shown = [call.judge(name) if phase.digest else Verdict(name, phase.state) for name, phase in now.phases.items()]
        summary.status_file(call.run_dir, state.as_json(now, call.command))
        problem = _project(call)
        problem += measure(call, now)
        sys.stdout.flush()
        last = summary.stopped(now, call.command) if call.stopped else summary.lines(now, call.command)
        summary.show([*problem, *notices.send(call.run_dir, shown, call.settings["notify"]), *last])
        code = 128 + call.stopped if call.stopped else now.exit_code
    except Exception as error:  # noqa: BLE001 - the exit code must say that something is wrong, whatever it is
        said = str(error) if isinstance(error, PhasegateError) else f"{type(error).__name__}: {error}"
        with contextlib.suppress(OSError):
            print(f"phasegate: the run's files cannot be summed up: {plain(said)}", file=sys.stderr)
        code = 1
    if code:
        logging.shutdown()
        os._exit(code)


def measure(call: Call, now: state.RunState) -> list[str]:
    """Bring hygiene_summary.json, metrics.json and metrics.prom up to date. A person who has stopped the run does not wait for it.

    Where that fails, they are not left behind with what was true before, and a line says so: what the run is does not hang on it.
    """
    try:
        hygiene.write(call.run_dir, call.plan)
        moment = moment_of(call)
        if not call.stopped and freshness.stale(call.run_dir, now.state, moment):
            from workflow.view import figures, metrics  # pandas takes half a second

            metrics.write(call.run_dir, figures.compute(records.read(now, call.seen())), moment)
    except Exception as error:  # noqa: BLE001 - whatever it is
        for name in (freshness.JSON, freshness.PROMETHEUS):
            with contextlib.suppress(OSError):
                (call.run_dir / name).unlink(missing_ok=True)
        return [f"  warning: the run could not be measured: {type(error).__name__}: {plain(str(error))}"]
    return []


def moment_of(call: Call) -> int:
    """The time of the newest file that figures come from; to be asked for before they are read."""
    return freshness.moment_ns(call.run_dir, [(agent.phase, agent.name) for agent in call.seen().agents()])


def foretell(call: Call, workdir: Path) -> None:
    """The last act of a dry run: what the real one would take and cost, as far as earlier attempts tell."""
    os.chdir(workdir)
    sys.stdout.flush()
    summary.show(estimate.lines(call.run_dir, call.waiting()))


def _project(call: Call) -> list[str]:
    """`show_project`; a line where the files that it needs are not what they should be, which does not change what the run is."""
    try:
        return show_project(call)
    except PhasegateError as error:
        return [f"  warning: project/ is left as it is: {plain(str(error))}"]


def show_project(call: Call) -> list[str]:
    """Bring `project/` to the merge of all phases reached; a checkout that a person changed is left alone.

    A phase counts while it builds on what its upstream phases are now, whether their gates are open or not: a gate
    that is closed again moves nothing.
    """
    from workflow.work import checkout

    reached: list[str] = []
    for name, phase in call.plan.phases.items():
        manifest = state.shown(call.run_dir / name / "manifest.json")
        upstream = {other: _digest(call, other) for other in phase.after}
        if manifest and manifest["subject"].get("upstream") == upstream and set(phase.after) <= set(reached):
            reached.append(name)
    heads = [name for name in reached if not any(name in call.plan.phases[other].after for other in reached)]
    commits = [files.read_json(call.run_dir / name / "merge.json")["commit"] for name in heads]
    return checkout.show(call.run_dir / "project.git", commits, call.run_dir / "project") if commits else []


def _digest(call: Call, phase: str) -> str | None:
    path = call.run_dir / phase / "digest"
    return path.read_text(encoding="ascii").strip() if path.is_file() else None
