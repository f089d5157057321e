"""Pages of runs for tests: the report of a run that was made without snakemake, and what stands in it."""

from __future__ import annotations

from collections.abc import Mapping
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

from runs import COMMAND, Run, check

from workflow import files
from workflow.gate import decisions, feedback, verdict
from workflow.plan.phases import Agent, Phase, Plan
from workflow.view import proofs, records, state
from workflow.view.report import page
from workflow.view.report.subject import Subject
from workflow.view.report.texts import Guard
from workflow.work.redaction import Values

ATTACK = "<img src=x onerror=window.pwned=1><script>window.pwned=1</script>"
PIXEL = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
EVIL_MARKDOWN = r"""# Heading <script>window.pwned=1</script>

#### A heading three levels down

<img src=x onerror=window.pwned=1> <iframe src="http://127.0.0.1:9/frame"></iframe>
<svg onload=window.pwned=1></svg>

[click](javascript:window.pwned=1) [data](data:text/html,<script>window.pwned=1</script>) <javascript:window.pwned=1>
[tab](java&#x09;script:window.pwned=1) [title](http://127.0.0.1:9/ "x\" onmouseover=\"window.pwned=1") [web](https://example.org/a?b=c&d)
![far](http://127.0.0.1:9/far.png) ![near](picture.png) [beside](evil.csv) [ref][1]

[1]: vbscript:window.pwned=1

| a | b |
|---|---|
| <b onclick=window.pwned=1>x</b> | `</code><script>window.pwned=1</script>` |

```html
</code></pre><script>window.pwned=1</script>
```
"""
EVIL_SVG = """<svg xmlns="http://www.w3.org/2000/svg" width="20" height="20" onload="window.top.pwned=1"><script>window.top.pwned=1</script>
<image href="http://127.0.0.1:9/in-picture.png" width="9" height="9"/><rect width="20" height="20"/></svg>
"""
EVIL_NOTEBOOK = {
    "nbformat": 4,
    "metadata": {"language_info": {"name": ATTACK}},
    "cells": [
        {"cell_type": "markdown", "source": [ATTACK]},
        {"cell_type": "code", "source": f"print('{ATTACK}')", "outputs": [{"data": {"text/html": ATTACK}}]},
    ],
}
HOSTILE = {
    "evil.md": EVIL_MARKDOWN,
    "evil.svg": EVIL_SVG,
    "evil.csv": f"name,number\n{ATTACK},10\nb,9\nc,100\n",
    "evil.html": f"<!doctype html>{ATTACK}",
    "evil.py": f'"""{ATTACK}"""\nVALUE = "</script>{ATTACK}"  # {ATTACK}\n',
    f"'\"><{ATTACK.split('/')[0]}.txt": ATTACK,
    "turns\u202etxt.exe": "\u202eright to left\u202c and \x1b[2J\x07 control\r\ndiff --git a/fake b/fake\n",
    "deep/" + "long-name-" * 12 + "/" + "x" * 120 + ".txt": "word" * 3000 + "\n",
    "wide.md": "# " + "w" * 400 + "\n\n" + "`" + "c" * 400 + "` " + "https://example.org/" + "p" * 300 + "\n",
}


def plan_of(phases: Mapping[str, Mapping[str, tuple[str, ...]]], after: Mapping[str, tuple[str, ...]] | None = None) -> Plan:
    """A plan from phases with their agents and what each of those needs; phases follow each other unless `after` says otherwise."""
    made: dict[str, Phase] = {}
    for name, agents in phases.items():
        before = (after or {}).get(name, tuple(list(made)[-1:]))
        found = tuple(
            Agent(name, agent, "agent", "shell", needs, "", 30, {}, False, "none")  # the fields that tests do not look at
            for agent, needs in agents.items()
        )
        made[name] = Phase(name, before, "required", found, (), (), ())
    return Plan(made)


def subject_of(run_dir: Path, plan: Plan, secret: Mapping[str, str] | None = None, description: str = "A demonstration.") -> Subject:
    """What a report of the run would be about."""
    found = state.read(run_dir, plan, "digest")
    verdicts = {name: verdict.judge(run_dir, name, phase.gate, "digest") for name, phase in plan.phases.items()}
    rows = proofs.verify_run(run_dir, {name: list(phase.after) for name, phase in plan.phases.items()}, verdicts)
    about = {row["phase"]: row for row in rows}
    return Subject(records.read(found, plan), description, about, [], COMMAND, Guard(Values(secret or {})))


def report_of(run_dir: Path, plan: Plan, **more: Any) -> str:
    """The report of a run."""
    return page.render(subject_of(run_dir, plan, **more))


def hostile_run(run: Run, stock: Path) -> Plan:
    """Two phases: an approved one, and one that was asked for changes and waits again; all that agents wrote is hostile.

    `stock` is a folder for the files that an agent takes.
    """
    for name, content in HOSTILE.items():
        files.write_text(stock / name, content)
    files.write_json(stock / "evil.ipynb", EVIL_NOTEBOOK)
    run.start({"old.txt": "old\n", "gone.txt": "gone\n"})
    run.phase()
    run.agent("writer", f"printf '# Plan\\n' > plan.md; base64 -d > picture.png <<E\n{PIXEL}\nE")
    run.merge("writer")
    run.validate(("plan.md",))
    run.show("writer")
    decisions.approve(run.folder, "plan", [], ATTACK, ATTACK, "")
    run.phase("build", ("plan",))
    attack = f"printf '%s\\n' '{ATTACK}' '\x1b[31m red \u202e' '</pre>{ATTACK}'"
    run.agent("maker", f"cp -r {stock}/. . && rm gone.txt && echo new > old.txt; {attack}", "build")
    run.agent("breaker", f"{attack}; echo {ATTACK!r} >&2; exit 3", "build")
    run.merge("maker", "breaker", phase="build")
    checks = (check("bad-check", "sh", "-c", f"{attack}; exit 1"), check("no-such", "no-such-program"))
    run.validate(("evil.md", f"missing{ATTACK}"), ("optional/*",), checks, phase="build")
    run.show("maker", "breaker", phase="build", after=("plan",))
    feedback.write(run.folder, "build", f"please {ATTACK}", [], ATTACK)
    settled = feedback.settle(run.folder, "build", ["maker", "breaker"])
    feedback.keep(run.folder, "build", settled)
    (run.folder / "build" / feedback.MARKER).unlink()
    return plan_of({"plan": {"writer": ()}, "build": {"maker": (), "breaker": ("maker",)}})


class Figures(HTMLParser):
    """All `data-figure` of a page with their values; texts of unknown ones are None."""

    def __init__(self, html: str) -> None:
        """Read the page."""
        super().__init__()
        self.found: dict[str, set[str]] = {}
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take what an element tells."""
        told = dict(attrs)
        if "data-figure" in told:
            value = told.get("data-value", told.get("data-sort"))
            self.found.setdefault(str(told["data-figure"]), set()).add(value or "")
