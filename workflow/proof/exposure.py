"""Exposure: secrets in what a phase made, in what its agents were told, and in what was printed, found before packing.

A row names place, path (escaped), line and kind, and never the secret: {place: artifact | prompt | log, path, line,
kind, allowed}. Line 0 means the name of the file. The scan as a whole is clean, found, or unknown where it could not be finished.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from workflow import files, globs
from workflow.proof.checks import last_line
from workflow.work import leaks, naming, outcomes, trees
from workflow.work.redaction import Values, declared

FILE_BYTES = 8 << 20  # of each file, so much is looked at
BUDGET_S = 300.0
CAP = 100
CLEAN, FOUND, UNKNOWN = "clean", "found", "unknown"


class Scan:
    """One scan over the files of a phase, within a budget of time."""

    def __init__(self, values: Values, allow: list[str]) -> None:
        """`allow` are globs of paths whose secrets are known to be none."""
        self.values, self.allow = values, allow
        self.deadline = time.monotonic() + BUDGET_S
        self.found: dict[tuple[str, int], dict[str, Any]] = {}
        self.known: set[bytes] = set()  # what stands in allowed files; a prompt may quote it
        self.files = self.bytes = 0
        self.cut: list[str] = []

    def look(self, place: str, path: str, content: bytes) -> None:
        """Scan one file and its name."""
        self.files += 1
        self.bytes += len(content)
        if len(content) > FILE_BYTES:
            self.cut.append(path)
        name = path.encode("utf-8", "surrogateescape")
        shown = naming.escaped(leaks.redact(name, self.values).decode("utf-8", "surrogateescape"))
        allowed = bool(self.allow) and globs.matches(path, self.allow)
        content = content[:FILE_BYTES].replace(b"\0", b"")  # UTF-16 reads as ASCII then
        found = leaks.find(content, self.values, self.deadline)
        if allowed:
            self.known |= {content[hit.start : hit.end] for hit in found}
        if place == "prompt":
            found = [hit for hit in found if content[hit.start : hit.end] not in self.known]
        rows = leaks.lines(content, sorted([*found, *(leaks.marked(content) if place == "log" else ())], key=lambda hit: hit.start))
        rows += [(0, hit.kind) for hit in leaks.find(name, self.values)]
        for line, kind in rows:
            row = {"place": place, "path": shown, "line": line, "kind": kind, "allowed": allowed}
            other = self.found.setdefault((shown, line), row)
            other["kind"] = ", ".join(sorted({*other["kind"].split(", "), kind}))


def scan_phase(run_dir: Path, merge: Mapping[str, Any], names: list[str], allow: list[str], checks: list[dict[str, Any]]) -> dict[str, Any]:
    """Scan a merged phase; `{secrets: rows, scan: {status, reason, scanner, files, bytes, cut}}`.

    `names` are the declared variables. Logs and prompts are those of the attempts that were published, and of the checks.
    """
    scan, reason, scanner = Scan(Values(declared(names)), allow), "", None
    try:
        from workflow.work import shapes

        scanner = {"name": shapes.NAME, "version": shapes.VERSION}
        for place, path, content in _contents(run_dir, merge, checks, scan):
            scan.look(place, path, content)
    except (ImportError, leaks.Unscanned) as error:
        reason = str(error) if isinstance(error, leaks.Unscanned) else f"the scanner for secrets is not installed ({error.name})"
    rows = sorted(scan.found.values(), key=lambda row: (row["place"], row["path"], row["line"]))
    blocking = [row for row in rows if not row["allowed"]]
    if len(blocking) > CAP:
        more = {"place": "phase", "path": "more", "line": len(blocking) - CAP, "kind": "more than are listed", "allowed": False}
        rows = [*(row for row in rows if row["allowed"]), *blocking[:CAP], more]
    status = UNKNOWN if reason else FOUND if blocking else CLEAN
    about = {"status": status, "reason": reason, "scanner": scanner, "files": scan.files, "bytes": scan.bytes, "cut": scan.cut[:CAP]}
    return {"secrets": rows, "scan": about}


def _contents(run_dir: Path, merge: Mapping[str, Any], checks: list[dict[str, Any]], scan: Scan) -> Iterator[tuple[str, str, bytes]]:
    """(place, path, content) of everything that is looked at; allowed artifacts before the prompts that quote them."""
    repo, folder = run_dir / "project.git", run_dir / merge["phase"]
    made = [item["path"] for item in merge["changes"] if item["change"] != "deleted" and item["mode"] != trees.SUBMODULE]
    for path, content in zip(made, trees.read_objects(repo, [f"{merge['tree']}:{path}" for path in made]), strict=True):
        yield "artifact", path, content
    scan.known |= _known(run_dir, merge, scan)
    for outcome in (one for row in merge["agents"] for one in outcomes.with_tasks(run_dir, merge["phase"], row["agent"])):
        if outcome["log"]:
            log = folder / "agents" / outcome["agent"] / outcome["log"]
            for place, path in (("prompt", log.with_name("prompt.md")), ("log", log)):
                yield from _file(place, path, folder)
    for check in checks:
        yield from _file("log", run_dir / check["log"], folder)


def _file(place: str, path: Path, folder: Path) -> Iterator[tuple[str, str, bytes]]:
    """A file that may be missing, its path relative to the phase."""
    if path.is_file():
        yield place, path.relative_to(folder).as_posix(), path.read_bytes()


def _known(run_dir: Path, merge: Mapping[str, Any], scan: Scan) -> set[bytes]:
    """What a prompt may quote from before this phase: it was found, and decided on, in the phase that made it."""
    base = files.read_json(run_dir / merge["phase"] / "base.json")
    repo, found = run_dir / "project.git", set()
    paths = [path for path in trees.files(repo, base["commit"]) if base["after"] or globs.matches(path, scan.allow)]
    for content in trees.read_objects(repo, [f"{base['commit']}:{path}" for path in paths]):
        content = content[:FILE_BYTES]
        found |= {content[hit.start : hit.end] for hit in leaks.find(content, scan.values, scan.deadline)}
    return found


def clean_checks(run_dir: Path, results: dict[str, Any], names: list[str]) -> None:
    """Afterwards neither the logs of the checks nor what is said of them hold a secret."""
    values = Values(declared(names))
    for row in results["checks"]:
        if leaks.redact_file(run_dir / row["log"], values) and row["summary"]:
            row["summary"] = last_line(run_dir / row["log"])  # the former one may end in half a secret
        row["reason"] = leaks.redact_text(row["reason"], values)
    prepared = results["environment"]
    if prepared and prepared["error"]:
        prepared["error"] = leaks.redact_text(prepared["error"], values)
