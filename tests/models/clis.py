"""The real command-line agents: where they are, which versions tests are written for, and how they are pointed at a scripted model.

`tests/models/install_clis.py` installs them. A test that needs one asks `program("codex")`, which skips with the
reason where it is not there, and fails instead where the variable CI is set.
"""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("PHASEGATE_CLIS") or ROOT / "build" / "clis")
BIN = FOLDER / "node_modules" / ".bin"
PACKAGES = {
    "codex": ("@openai/codex", ">=0.150 <1"),
    "pi": ("@mariozechner/pi-coding-agent", ">=0.70 <1"),
}
KEY = "SCRIPTED_KEY"


def program(name: str) -> Path:
    """The program of a CLI; the test is skipped (in CI: fails) where it is not installed."""
    found = BIN / name
    if not found.exists():
        other = shutil.which(name)
        found = Path(other) if other else found
    if not found.exists():
        reason = f"{name} is not installed; run: python tests/models/install_clis.py {name}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found


def path(env: dict[str, str] | None = None) -> str:
    """The value of PATH with which the installed CLIs are found."""
    return f"{BIN}{os.pathsep}{(env or dict(os.environ))['PATH']}"


def codex_files(url: str, retries: int = 1) -> dict[str, str]:
    """Files of HOME with which codex talks to a scripted model; it finds its key in SCRIPTED_KEY."""
    text = f"""\
approval_policy = "never"
sandbox_mode = "workspace-write"
check_for_update_on_startup = false
model_provider = "scripted"

[model_providers.scripted]
name = "scripted"
base_url = "{url}/v1"
env_key = "{KEY}"
wire_api = "responses"
request_max_retries = {retries}
stream_max_retries = {retries}

[analytics]
enabled = false
"""
    return {".codex/config.toml": text}


def pi_files(url: str, retries: int = 0) -> dict[str, str]:
    """Files of HOME with which pi talks to a scripted model, `--model scripted/scripted-1`, at 1.25 and 10 dollars a million."""
    price = {"input": 1.25, "output": 10, "cacheRead": 0.125, "cacheWrite": 0}
    model = {"id": "scripted-1", "name": "scripted-1", "reasoning": False, "input": ["text"], "contextWindow": 128000}
    provider = {"baseUrl": f"{url}/v1", "api": "openai-completions", "apiKey": KEY, "models": [model | {"maxTokens": 16000, "cost": price}]}
    settings = {"retry": {"enabled": retries > 0, "maxRetries": retries}}
    made = {".pi/agent/models.json": {"providers": {"scripted": provider}}, ".pi/agent/settings.json": settings}
    return {name: json.dumps(value, indent=2) for name, value in made.items()}


def gemini_files() -> dict[str, str]:
    """Files of HOME with which gemini uses a key, gives up soon, and sends no statistics."""
    settings = {
        "security": {"auth": {"selectedType": "gemini-api-key"}},
        "privacy": {"usageStatisticsEnabled": False},
        "general": {"disableAutoUpdate": True, "disableUpdateNag": True, "maxAttempts": 2},
    }
    return {".gemini/settings.json": json.dumps(settings, indent=2)}


def opencode_files(url: str) -> dict[str, str]:
    """Files of HOME with which opencode talks to a scripted model, `-m scripted/scripted-1`."""
    cost = {"input": 1.25, "output": 10, "cache_read": 0.125}
    model = {"name": "scripted-1", "limit": {"context": 128000, "output": 16000}, "cost": cost}
    options = {"baseURL": f"{url}/v1", "apiKey": f"{{env:{KEY}}}"}
    provider = {"npm": "@ai-sdk/openai-compatible", "name": "scripted", "options": options, "models": {"scripted-1": model}}
    return {".config/opencode/opencode.json": json.dumps({"permission": "allow", "provider": {"scripted": provider}}, indent=2)}


OPENCODE_QUIET = {f"OPENCODE_DISABLE_{name}": "1" for name in ("AUTOUPDATE", "MODELS_FETCH", "DEFAULT_PLUGINS", "LSP_DOWNLOAD")}
