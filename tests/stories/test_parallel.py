"""The story of side by side: how many agents work at once, and who says so."""

from __future__ import annotations

import pytest
from conftest import Desk, most_at_once, sh

NAMES = ("one", "two", "three", "four")
PHASES = {"build": {"agents": {name: {"runner": name} for name in NAMES}}}
RUNNERS = {name: sh(f"sleep 0.6; echo x > {name}.txt") for name in NAMES}


def at_once(desk: Desk) -> int:
    """How many of the four agents worked at the same time."""
    return most_at_once(desk.outcome("build", name) for name in NAMES)


@pytest.mark.parametrize(
    ("cap", "words", "reached"),
    [
        pytest.param(1, (), 1, id="a cap of 1 runs one after the other"),
        pytest.param(2, (), 2, id="a cap of 2 is reached and kept with 4 cores"),
        pytest.param(2, ("--config", "max_parallel_agents=3"), 3, id="the command line raises the cap"),
        pytest.param(3, ("--resources", "agents=1"), 1, id="the lower of cap and resources counts"),
        pytest.param(1, ("--resources", "agents=3"), 1, id="resources do not raise the cap"),
    ],
)
def test_cap_on_agents_is_kept_and_reached(desk: Desk, cap: int, words: tuple[str, ...], reached: int) -> None:
    desk.configure(PHASES, RUNNERS, max_parallel_agents=cap)
    desk.run(*words, cores=4)
    assert at_once(desk) == reached


def test_cap_above_the_ceiling_of_the_config_file_is_refused_in_one_line(desk: Desk) -> None:
    desk.configure(PHASES, RUNNERS, limits={"max_parallel_agents": 3, "timeout": 60})
    for word, ceiling in (("max_parallel_agents=4", 3), ("timeout=61", 60)):
        done = desk.run("--config", word, check=1)
        key = word.split("=")[0]
        assert done.said == f"phasegate: --config {word}: above the ceiling {ceiling} that limits.{key} sets"
    assert not (desk.path / "runs/demo").exists()
