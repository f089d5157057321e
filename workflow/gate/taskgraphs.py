"""The tasks of an agent for REQUEST.md: how they build on each other as a Mermaid flowchart, and what came of each.

Mermaid (https://mermaid.js.org/syntax/flowchart.html) is drawn by GitHub, GitLab and editors; GitHub takes at most 500 arrows.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from workflow.plan.commandline import Command

DRAWN, ARROWS, LISTED, FILES = 120, 500, 200, 5
LONGEST = 48
CLASSES = {
    "succeeded": "fill:#d7f5dd,stroke:#1a7f37,color:#12261a",
    "skipped": "fill:#eeeeee,stroke:#6e7781,color:#24292f,stroke-dasharray:4 3",
    "wrong": "fill:#ffdcd7,stroke:#cf222e,color:#2b0f0d",
}


def page_of(outcome: Mapping[str, Any], command: Command, resolutions: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    """What the page says of an agent's tasks; None where it has none."""
    rows = outcome.get("tasks")
    if rows is None:
        return None
    again = {row["agent"]: row for row in resolutions}
    drawn = _drawn(rows)
    counts = {status: sum(row["status"] == status for row in rows) for status in dict.fromkeys(row["status"] for row in rows)}
    wrong = [row for row in rows if row["status"] not in ("succeeded", "skipped")]
    others = [row for row in rows if row not in wrong]
    return {
        "agent": outcome["agent"],
        "counts": [f"{count} {status.replace('_', ' ')}" for status, count in counts.items()],
        "graph": mermaid(drawn),
        "left_out": len(rows) - len(drawn),
        "rows": [_row(row, outcome, command, again) for row in [*wrong, *others][:LISTED]],
        "more": max(0, len(rows) - LISTED),
        "open": bool(wrong),
    }


def _row(row: Mapping[str, Any], outcome: Mapping[str, Any], command: Command, again: Mapping[str, Any]) -> dict[str, Any]:
    name = f"{outcome['agent']}/tasks/{row['id']}"
    failed = row["status"] not in ("succeeded", "skipped")
    return {
        **row,
        "first": row["files"][:FILES],
        "more": max(0, len(row["files"]) - FILES),
        "passed": sum(item["status"] == "pass" for item in row["accept"]),
        "retry": command.line("retry", config=(f"phase={outcome['phase']}", f"agent={name}")) if failed else "",
        "again": again.get(name),
    }


def _drawn(rows: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """The tasks that the graph shows: all, or of many those that did not succeed and what they stand between."""
    if len(rows) <= DRAWN:
        return list(rows)
    wrong = {row["id"] for row in rows if row["status"] != "succeeded"}
    near = wrong | {name for row in rows if row["id"] in wrong for name in (*row["needs"], *row["after"])}
    return [row for row in rows if row["id"] in near][:DRAWN]


def mermaid(rows: Sequence[Mapping[str, Any]]) -> str:
    """The flowchart: an arrow to each task from those that it needs, a dotted one from those that change the same files before it."""
    names = {row["id"]: f"t{number}" for number, row in enumerate(rows)}
    lines = ["flowchart LR"]
    for row in rows:
        kind = row["status"] if row["status"] in CLASSES else "wrong"
        words = "" if row["status"] == "succeeded" else f"<br/>{row['status'].replace('_', ' ')}"
        lines.append(f'  {names[row["id"]]}["{label(row["id"])}<br/>{label(row["title"])}{words}"]:::{kind}')
    arrows = [(other, row["id"], "-->") for row in rows for other in row["needs"]]
    arrows += [(other, row["id"], "-. same files .->") for row in rows for other in row["after"]]
    lines += [f"  {names[one]} {arrow} {names[other]}" for one, other, arrow in arrows if one in names][:ARROWS]
    return "\n".join([*lines, *(f"  classDef {name} {style}" for name, style in CLASSES.items())])


def label(text: str) -> str:
    """Text for a label: whatever means something to Mermaid, Markdown or HTML is written as the number of its character."""
    short = text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}\N{HORIZONTAL ELLIPSIS}"
    return re.sub(r"[^\w .,:/()=+-]", lambda found: f"#{ord(found[0])};" if found[0].isprintable() else " ", short)
