"""The API runner: let a model behind an API do what the prompt asks, in the current folder."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from workflow.commands import main_guard  # noqa: E402
from workflow.errors import UsageError  # noqa: E402


def arguments() -> argparse.Namespace:
    """The words on the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--brief", type=Path, required=True, help="the brief, a JSON file; the programs of its checks may be run")
    parser.add_argument("--prompt", type=Path, required=True, help="the prompt, a text file")
    parser.add_argument("--model", help="openai:NAME, openai-responses:NAME or anthropic:NAME")
    parser.add_argument("--stream", action="store_true", help="ask the model for streamed answers")
    parser.add_argument("--max-requests", type=int, default=100, help="model calls")
    parser.add_argument("--max-tool-calls", type=int, default=300)
    parser.add_argument("--max-tokens", type=int, default=5_000_000, help="tokens in and out, all calls together")
    return parser.parse_args()


def main(options: argparse.Namespace) -> int:
    """Do the work; returns the exit code."""
    if not options.model:
        raise UsageError("no model was named; set `runners.api.model`, such as openai:gpt-5.2")
    try:
        from workflow.work.runners import api
    except ImportError as error:
        raise UsageError(f"the API runner needs Phasegate's extra `api` ({error.name} is missing): pip install '.[api]'") from error
    from workflow.work.runners.toolbox import Toolbox, programs_of

    brief = json.loads(options.brief.read_text(encoding="utf-8"))
    box = Toolbox(Path.cwd(), programs_of(brief.get("checks", [])))
    limits = api.Limits(options.max_requests, options.max_tool_calls, options.max_tokens)
    return api.work(options.model, options.prompt.read_text(encoding="utf-8"), box, limits, options.stream)


if __name__ == "__main__":
    with main_guard():
        sys.exit(main(arguments()))
