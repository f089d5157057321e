"""The retry policy: which failures are worth another attempt, and after how long."""

from __future__ import annotations

import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from workflow.work import logs


def retryable(found: Mapping[str, Any], ended: Mapping[str, Any], log: Path, policy: Mapping[str, Any]) -> bool:
    """Whether an attempt with this result and end is worth repeating.

    By what its events say (a rate limit, a server's fault, a cut line; never a wrong key or a bad request), else by its
    exit code or a message at the end of its log.
    """
    problem = (found.get("problem") or {}).get("kind")
    if found.get("status") == "parked" or (found.get("status") == "failed" and problem in ("server", "cut")):
        return True
    if found.get("status") != "failed" or problem in ("auth", "bad_request", "refused") or not ended.get("exit_code"):
        return False
    said = logs.log_end(log).lower()
    return ended["exit_code"] in policy.get("exit_codes", ()) or any(text.lower() in said for text in policy.get("messages", ()))


def delay(count: int, policy: Mapping[str, Any]) -> float:
    """Seconds before repetition number `count` (from 0): exponential back-off with jitter, at most `max_delay`."""
    pause = policy.get("base_delay", 0) * policy.get("factor", 1) ** count
    spread = random.uniform(-1, 1) * policy.get("jitter", 0)  # noqa: S311
    return max(0.0, min(pause * (1 + spread), policy.get("max_delay", pause)))
