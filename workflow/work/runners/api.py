"""The API runner: a small coding agent on pydantic-ai, for a model behind an API and nothing else installed.

It speaks OpenAI's Chat Completions (`openai:NAME`, also Ollama, vLLM, llama.cpp and gateways), Responses
(`openai-responses:NAME`) and Anthropic's Messages (`anthropic:NAME`). What happens is printed as events, one JSON
object a line, which `events/api.py` reads; the exit code says the same: 0 done, 69 parked (quota, rate limit), 75 worth
another attempt (server, connection), 77 authentication, 65 a bad request, 1 anything else.
"""

from __future__ import annotations

import asyncio
import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from pydantic_ai import Agent, CallToolsNode, ModelRequestNode, ModelRetry, Tool, UsageLimits, exceptions
from pydantic_ai.models import Model

from workflow.errors import UsageError
from workflow.work.runners.events.problems import Kind, Problem, of_status, one_line, problem
from workflow.work.runners.toolbox import Refused, Toolbox

INSTRUCTIONS = """\
You work on a software project in a folder of your own. Look around with `list` and `search`, read before you edit, and
make every change with `write` or `edit`; nothing else counts. Use `run` to try what you made. Paths are relative to the
project. When the work is done, say in a few words what you did.
"""
EXIT_CODES: dict[str, int] = {"quota": 69, "rate_limit": 69, "server": 75, "cut": 75, "auth": 77, "bad_request": 65}
KINDS: tuple[tuple[type[Exception], Kind], ...] = (
    (exceptions.ModelAuthenticationError, "auth"),
    (exceptions.ModelQuotaExceededError, "quota"),
    (exceptions.ContentFilterError, "refused"),
    (exceptions.ModelConnectionError, "cut"),
)


@dataclass(frozen=True)
class Limits:
    """Where the agent stops by itself."""

    requests: int = 100
    tool_calls: int = 300
    tokens: int = 5_000_000


def model_of(name: str) -> Model:
    """The model that a name such as `anthropic:claude-sonnet-4-5` stands for; without a prefix: OpenAI-compatible chat."""
    kind, _, rest = name.partition(":")
    if kind not in ("openai", "openai-chat", "openai-responses", "anthropic") or not rest:
        kind, rest = ("anthropic" if name.startswith("claude") else "openai"), name
    if kind == "anthropic":  # each of them takes a second to import
        from pydantic_ai.models.anthropic import AnthropicModel

        return AnthropicModel(rest)
    from pydantic_ai.models.openai import OpenAIChatModel, OpenAIResponsesModel

    return OpenAIResponsesModel(rest) if kind == "openai-responses" else OpenAIChatModel(rest)


def tools_of(box: Toolbox) -> list[Tool[None]]:
    """The tools as the model sees them; each use is an event, each refusal something it may try again."""

    def tool(name: str, method: Callable[..., str]) -> Tool[None]:
        @functools.wraps(method)  # its signature and docstring are what the model is told
        def call(*words: Any, **values: Any) -> str:
            told = values.get("path") or values.get("folder") or values.get("command") or ""
            emit({"event": "tool", "name": name, "on": one_line(str(told))})
            try:
                return method(*words, **values)
            except Refused as refused:
                raise ModelRetry(str(refused)) from refused

        return Tool(call, name=name, takes_ctx=False, max_retries=5)

    named: dict[str, Callable[..., str]] = {"list": box.list_files, "read": box.read_file, "search": box.search}
    named |= {"write": box.write_file, "edit": box.edit_file, "run": box.run}
    return [tool(name, method) for name, method in named.items()]


def work(name: str, prompt: str, box: Toolbox, limits: Limits, stream: bool = False) -> int:
    """Do what the prompt asks in the box's tree; returns the exit code. Everything is told by events."""
    emit({"event": "start", "model": name.rpartition(":")[2]})
    try:
        asyncio.run(_converse(model_of(name), prompt, box, limits, stream))
    except Exception as error:  # noqa: BLE001 - whatever it was, it is told as an event
        found = problem_of(error)
        emit({"event": "end", "said": "error", "kind": found.kind, "message": found.message})
        return EXIT_CODES.get(found.kind, 1)
    emit({"event": "end", "said": "ok"})
    return 0


async def _converse(model: Model, prompt: str, box: Toolbox, limits: Limits, stream: bool) -> None:
    agent = Agent(model, instructions=INSTRUCTIONS, tools=tools_of(box))
    most = UsageLimits(request_limit=limits.requests, tool_calls_limit=limits.tool_calls, total_tokens_limit=limits.tokens)
    async with agent.iter(prompt, usage_limits=most) as run:
        async for node in run:
            if stream and isinstance(node, ModelRequestNode):
                async with node.stream(run.ctx) as answer:
                    async for _ in answer:
                        pass
            if isinstance(node, CallToolsNode):
                spent = node.model_response.usage
                tokens = {"input_tokens": spent.input_tokens, "output_tokens": spent.output_tokens}
                emit({"event": "call", **tokens, "cached_tokens": spent.cache_read_tokens})


def problem_of(error: BaseException) -> Problem:
    """What went wrong, from the typed errors of pydantic-ai and what lies below them."""
    if isinstance(error, BaseExceptionGroup):
        return problem_of(error.exceptions[0])
    if isinstance(error, exceptions.UsageLimitExceeded):
        return Problem("other", one_line(f"stopped by a limit: {error}"))
    if isinstance(error, exceptions.UserError | UsageError):
        return problem(str(error))
    message = _message(error)
    kind = next((kind for types, kind in KINDS if isinstance(error, types)), None)
    if isinstance(error, exceptions.ModelHTTPError):
        kind = kind if kind in ("quota", "refused") else of_status(error.status_code, message)
    if kind is None and isinstance(error, exceptions.ModelAPIError | OSError):
        kind = "cut"
    found = problem(message)
    return Problem(kind or _below(error) or found.kind, found.message)


def _message(error: BaseException) -> str:
    body = getattr(error, "body", None)
    told = body.get("error", body) if isinstance(body, dict) else None
    said = told.get("message") if isinstance(told, dict) else None
    code = getattr(error, "status_code", None)
    text = said if isinstance(said, str) else str(error) or type(error).__name__
    return f"{code} {text}" if code else text


def _below(error: BaseException) -> Kind | None:
    """`cut` where an error of the connection lies below."""
    names = {type(cause).__name__ for cause in (error, error.__cause__, error.__context__) if cause}
    return (
        "cut"
        if names & {"APIConnectionError", "RemoteProtocolError", "ReadError", "ReadTimeout", "ConnectError", "APITimeoutError"}
        else None
    )


def emit(event: dict[str, Any]) -> None:
    """Print one event at once."""
    print(json.dumps(event), flush=True)
