"""mini-swe-agent: the trajectory (`-o`; we name it ~/traj.json) says how it ended and what it cost. Nothing is known before."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from workflow.work.runners.events.base import Reader, Report, at, count, listed, money, parse, text, total
from workflow.work.runners.events.tails import read_from

TRAJECTORY = "traj.json"
SIZE_LIMIT = 32_000_000


class MiniSweAgent(Reader):
    """Reads the trajectory when the work has ended."""

    name = "mini-swe-agent"
    login = "set the provider's variable (such as OPENAI_API_KEY)"

    def end(self, exit_code: int, home: Path) -> Report:
        """What the trajectory says."""
        found = parse(b"".join(read_from(home / TRAJECTORY, limit=SIZE_LIMIT)))
        info = at(found, "info")
        if isinstance(info, dict):
            self._read(info, at(found, "messages"))
        return super().end(exit_code, home)

    def _read(self, info: dict[str, Any], messages: Any) -> None:
        stats, status = info.get("model_stats"), text(info.get("exit_status"))
        self.grow(cost_usd=money(at(stats, "instance_cost")), model_calls=count(at(stats, "api_calls")))
        self.of_model(at(info, "config", "model", "model_name"))
        usages = [at(message, "extra", "response", "usage") for message in listed(messages)]
        self.grow(input_tokens=total(*(at(usage, "prompt_tokens") for usage in usages)))
        self.grow(output_tokens=total(*(at(usage, "completion_tokens") for usage in usages)))
        self.grow(cached_tokens=total(*(at(usage, "prompt_tokens_details", "cached_tokens") for usage in usages)))
        if status == "Submitted":
            self.went_well()
        elif status:
            self.failed(": ".join(part for part in (status, text(info.get("exception_str")) or text(info.get("submission"))) if part))
