"""Presets: runners that Phasegate knows by name (`presets.yaml`), and how a user's entry is laid over them."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from workflow.plan import documents

PATH = Path(__file__).with_name("presets.yaml")
EMBEDDED = "scaffold"


@dataclass(frozen=True)
class About:
    """What `doctor` says about a preset: how to ask for its version, how to get it, what it reports, how well it is known."""

    version: tuple[str, ...]
    install: str
    reports: tuple[str, ...]
    source: str


@functools.cache
def _read() -> dict[str, Any]:
    return documents.read_own(PATH)


def names() -> list[str]:
    """The names of all presets."""
    return list(_read())


def entry(name: str) -> dict[str, Any]:
    """The runner that a preset describes, in the keys of the config; empty for an unknown name."""
    return {key: value for key, value in _read().get(name, {}).items() if key != "about"}


def about(name: str) -> About | None:
    """What is known about a preset; None for a runner of the user's own."""
    known = _read().get(name)
    if known is None:
        return None
    said = known["about"]
    return About(tuple(said["version"] or ()), said["install"], tuple(said["reports"]), said["source"])


def laid_under(runners: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """The user's runners, each over the preset of its name, and the presets that the user does not mention."""
    known = [name for name in names() if name != EMBEDDED or name in runners]
    return {name: {**entry(name), **runners.get(name, {})} for name in [*known, *(name for name in runners if name not in known)]}
