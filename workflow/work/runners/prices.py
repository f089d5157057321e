"""What tokens cost, where a tool tells tokens only: from the price list of `genai-prices`, without a network.

Such a cost is an estimate and marked so: list prices, no discount, no subscription. What cannot be priced is None,
never 0.
"""

from __future__ import annotations

import dataclasses

from workflow.work.runners.events import Usage

PROVIDERS = {"openai-chat": "openai", "openai-responses": "openai", "gemini": "google", "google-gla": "google", "bedrock": "aws"}


def with_cost(usage: Usage, model: str | None = None) -> Usage:
    """`usage` with an estimated cost where the tool told none; unchanged where that cannot be worked out.

    `model` is what the tool was asked to use, for tools that do not say which model they used.
    """
    if usage.cost_usd is not None:
        return usage
    cost = estimate(usage, usage.model or model)
    return usage if cost is None else dataclasses.replace(usage, cost_usd=cost, estimated=True)


def estimate(usage: Usage, model: str | None) -> float | None:
    """The list price of these tokens in US dollars; None for unknown tokens, an unknown model or without the price list."""
    if not model or usage.input_tokens is None or usage.output_tokens is None:
        return None
    try:
        import genai_prices  # 0.7 s: only where something is to be priced
    except ImportError:
        return None
    cached = min(usage.cached_tokens or 0, usage.input_tokens)
    tokens = genai_prices.Usage(input_tokens=usage.input_tokens, output_tokens=usage.output_tokens, cache_read_tokens=cached)
    for name, provider in _readings(model):
        try:
            price = float(genai_prices.calc_price(tokens, name, provider_id=provider).total_price)
        except (LookupError, ValueError):
            continue
        return price if price > 0 else None
    return None


def _readings(model: str) -> list[tuple[str, str | None]]:
    """A model's name as it stands, and as `provider/name` or `provider:name`; each with the provider, None for any."""
    found: list[tuple[str, str | None]] = [(model, None)]
    for sign in "/:":
        provider, given, name = model.partition(sign)
        if given and name:
            found.append((name, PROVIDERS.get(provider, provider)))
    return found
