"""Prices: an estimate says that it is one, what a tool told is left alone, and what is unknown stays unknown."""

from __future__ import annotations

import socket
import sys

import pytest

from workflow.work.runners import prices
from workflow.work.runners.events import Usage

SPENT = Usage(input_tokens=1_000_000, output_tokens=100_000, cached_tokens=0)


def priced(model: str | None, usage: Usage = SPENT) -> float | None:
    return prices.with_cost(usage, model).cost_usd


def test_tokens_of_a_known_model_are_priced_and_marked_as_estimated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket.socket, "connect", lambda *_: pytest.fail("the price list needs no network"))
    made = prices.with_cost(SPENT, "gpt-5")
    assert made.estimated
    assert made.cost_usd == pytest.approx(1.25 + 1.0)
    assert SPENT.cost_usd is None


def test_cached_tokens_cost_less() -> None:
    cached = prices.with_cost(Usage(1_000_000, 100_000, 900_000), "gpt-5").cost_usd
    assert cached is not None
    assert 1.0 < cached < 1.3


@pytest.mark.parametrize("model", ["openai/gpt-5", "openai:gpt-5", "openai-responses:gpt-5"])
def test_provider_may_stand_before_the_name(model: str) -> None:
    assert priced(model) == priced("gpt-5")


@pytest.mark.parametrize("model", [None, "", "scripted-1", "my-gateway/gpt-5", "ollama/llama3", "/", ":", "a/b/c"])
def test_unknown_model_has_no_price(model: str | None) -> None:
    made = prices.with_cost(SPENT, model)
    assert (made.cost_usd, made.estimated) == (None, False)


@pytest.mark.parametrize("usage", [Usage(), Usage(input_tokens=5), Usage(output_tokens=5), Usage(0, 0, 0)])
def test_unknown_or_no_tokens_have_no_price(usage: Usage) -> None:
    assert priced("gpt-5", usage) is None


def test_what_the_tool_told_is_left_alone() -> None:
    told = Usage(10, 10, cost_usd=3.0, model="gpt-5")
    assert prices.with_cost(told) is told


def test_model_that_the_tool_named_counts_more_than_the_one_it_was_asked_for() -> None:
    used = Usage(1_000_000, 100_000, 0, model="gpt-5")
    assert prices.with_cost(used, "claude-sonnet-4-5").cost_usd == priced("gpt-5")


def test_without_the_price_list_the_cost_is_unknown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "genai_prices", None)
    assert priced("gpt-5") is None
