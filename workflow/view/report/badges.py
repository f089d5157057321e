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
    BUSY: ("running", "waiting"),
    IDLE: ("skipped", "pending", "none"),
}
WORDS = {
    "changes_requested": "changes requested",
    "waiting": "waiting for review",
    "pass": "passed",
    "fail": "failed",
    "pending": "not started",
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
RIBBONS = {"READY FOR REVIEW": GOOD, "PARTIAL SUCCESS": WARN, "NEEDS ATTENTION": BAD}


def of(status: str | None) -> Badge:
    """The badge of a status of a run, phase, agent, check, gate or scan; what has none is unknown."""
    return KNOWN.get(str(status), Badge(IDLE, "?", "unknown" if status in (None, "unknown") else str(status).replace("_", " ")))


def ribbon(words: str) -> Badge:
    """The ribbon of a phase's request, by its words; none where there is no request yet."""
    if words not in RIBBONS:
        return Badge(IDLE, SIGNS[IDLE], "NO REQUEST YET")
    return Badge(RIBBONS[words], SIGNS[RIBBONS[words]], words)
