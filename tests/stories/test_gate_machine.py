"""Random sequences of decisions against a simple model of what should be open.

A short version runs by default; PHASEGATE_MACHINE_STEPS=500 asks for more, PHASEGATE_MACHINE_SEED repeats one.
"""

from __future__ import annotations

import os
import random

import pytest
from gate_machine import GateMachine
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

STEPS = int(os.environ.get("PHASEGATE_MACHINE_STEPS", "24"))
LENGTH = 12
LANES = 2
HEALTH = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@pytest.mark.parametrize("lane", range(LANES))
def test_gates_are_open_exactly_where_the_model_says_so(lane: int, capsys: pytest.CaptureFixture[str]) -> None:
    chosen = int(os.environ.get("PHASEGATE_MACHINE_SEED", random.SystemRandom().randrange(2**32))) + lane
    with capsys.disabled():
        print(f"\ngate machine, lane {lane}: seed {chosen}, {STEPS // LANES} steps")
    examples = max(1, STEPS // LANES // LENGTH)
    wanted = settings(
        max_examples=examples,
        stateful_step_count=LENGTH,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=HEALTH,
        database=None,
        print_blob=True,
    )
    run_state_machine_as_test(seed(chosen)(GateMachine), settings=wanted)
