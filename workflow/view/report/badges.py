"""Badges: what a status looks like. Each has a tone (its colour), a sign and words, so that colour alone says nothing."""

from __future__ import annotations

from dataclasses import dataclass

GOOD, WARN, BAD, BUSY, IDLE = "good", "warn", "bad", "busy", "idle"


@dataclass(frozen=True)
class Badge:
    """One status as it is shown."""

    tone: str
    sign: str
    words: str


SIGNS = {GOOD: "✓", WARN: "!", BAD: "✕", BUSY: "●", IDLE: "–"}
TONES = {
    GOOD: ("succeeded", "pass", "open", "clean", "delivered", "verified", "merged"),
    WARN: ("no_changes", "partial", "stale", "changes_requested", "parked", "interrupted"),
    BAD: ("failed", "fail", "timed_out", "conflict", "over_budget", "blocked", "found", "differs"),
    BUSY: ("running", "waiting", "at_work"),
    IDLE: ("skipped", "pending", "none", "no_result"),
}
WORDS = {
    "changes_requested": "changes requested",
    "waiting": "waiting for review",
    "pass": "passed",
    "fail": "failed",
    "pending": "not reached yet",
    "no_result": "no result yet",
    "none": "no gate",
}
KNOWN = {status: Badge(tone, SIGNS[tone], WORDS.get(status, status.replace("_", " "))) for tone, names in TONES.items() for status in names}
RUN_WORDS = {
    "delivered": "All phases are done.",
    "waiting": "It waits for a decision.",
    "changes_requested": "Changes were requested; the next call of snakemake has them made.",
    "blocked": "Something is wrong; the gate stays closed.",
    "failed": "A job could not do its work.",
    "running": "Work is left to do.",
}
RESULTS = {
    "READY FOR REVIEW": Badge(GOOD, SIGNS[GOOD], "all good"),
    "PARTIAL SUCCESS": Badge(WARN, SIGNS[WARN], "partial success"),
    "NEEDS ATTENTION": Badge(BAD, SIGNS[BAD], "needs attention"),
}


def of(status: str | None) -> Badge:
    """The badge of a status of a run, phase, agent, check, gate or scan; what has none is unknown."""
    return KNOWN.get(str(status), Badge(IDLE, "?", "unknown" if status in (None, "unknown") else str(status).replace("_", " ")))


def result(words: str) -> Badge:
    """The result of a phase, by the words on its request; none where there is no request yet."""
    return RESULTS.get(words, Badge(IDLE, SIGNS[IDLE], "no request yet"))


def ribbon(words: str, state: str) -> Badge:
    """The ribbon of a phase: the words on its request while a person is asked, afterwards that its gate is open."""
    found = result(words)
    if state != "open" or words not in RESULTS:
        return Badge(found.tone, found.sign, words or "NO REQUEST YET")
    if found.tone == GOOD:
        return Badge(GOOD, SIGNS[GOOD], "GATE OPEN")
    return Badge(WARN, SIGNS[WARN], f"GATE OPEN, {words}")
