"""Random sequences of decisions against a simple model of what should be open.

A short version runs by default; PHASEGATE_MACHINE_STEPS=500 asks for more, PHASEGATE_MACHINE_SEED repeats one. The seed
is printed (`pytest -rP` shows it also where nothing is wrong).
"""

from __future__ import annotations

import os
import random

import pytest
from gate_machine import GateMachine
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

STEPS = int(os.environ.get("PHASEGATE_MACHINE_STEPS", "24"))
LANES = 2
LENGTH = min(25, STEPS // LANES)
EVENTS = {"approve", "touch", "retry", "ask", "rollback", "restore", "adopt", "delete", "mutate", "redo", "lose", "withdraw", "run"}
HEALTH = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@pytest.mark.parametrize("lane", range(LANES))
def test_gates_stand_exactly_where_the_model_says(lane: int) -> None:
    chosen = int(os.environ.get("PHASEGATE_MACHINE_SEED", random.SystemRandom().randrange(2**32))) + lane
    print(f"gate machine, lane {lane}: seed {chosen}, {STEPS // LANES} steps")
    wanted = settings(
        max_examples=STEPS // LANES // LENGTH,
        stateful_step_count=LENGTH + 1,  # the first is the start
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=HEALTH,
        database=None,
        print_blob=True,
        report_multiple_bugs=False,
    )
    GateMachine.done.clear()
    run_state_machine_as_test(seed(chosen)(GateMachine), settings=wanted)
    steps = GateMachine.done.total()
    print(f"{steps} steps: {dict(GateMachine.done.most_common())}")
    assert steps >= STEPS // LANES // LENGTH * LENGTH
    if steps >= 200:
        assert set(GateMachine.done) == EVENTS
