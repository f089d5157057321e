"""Record what the real command-line agents print against the scripted model: the fixtures of the event readers.

Usage: python tests/work/runners/record.py ROOM CLI [FAULT...]

ROOM is an empty folder that may be made for this (it appears in what is recorded, so give it a neutral name). For each
fault it writes fixtures/<cli>_<fault>.out and .err, and a sidecar .json with version, command and sha256 of the raw
output; for codex also the lines of its rollout file that carry usage.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[3]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from models import clis  # noqa: E402
from models.scripts import Script, Shell, Usage, Write, fails, no_op, works  # noqa: E402
from models.server import serve  # noqa: E402

from workflow.work import sandbox  # noqa: E402

FIXTURES = Path(__file__).resolve().parent / "fixtures"
PROMPT = "Write the file made.txt"
SCRIPTS: dict[str, Script] = {
    "ok": works(Write("made.txt", "made by the model\n"), Shell("cat made.txt > copied.txt"), usage=Usage(1200, 30, 200)),
    "noop": no_op(),
    **{str(status): fails(status=status) for status in (400, 401, 429, 500)},
    "cut": fails("cut"),
    "nokey": no_op(),
}
LIMIT_S = 25


def prepared(cli: str, url: str) -> tuple[dict[str, str], dict[str, str], list[str]]:
    """Files of HOME, variables and command of a CLI."""
    if cli == "codex":
        return clis.codex_files(url), {clis.KEY: "k"}, ["codex", "exec", "--json", "--skip-git-repo-check", "-m", "gpt-5.2-codex", PROMPT]
    if cli == "pi":
        words = ["pi", "-p", "--mode", "json", "--no-session", "--offline", "-nc", "-ne", "-ns", "--model", "scripted/scripted-1", PROMPT]
        return clis.pi_files(url, retries=1), {clis.KEY: "k", "PI_OFFLINE": "1", "PI_TELEMETRY": "0"}, words
    if cli.startswith("gemini"):
        form = "json" if cli == "gemini-json" else "stream-json"
        words = ["gemini", "-m", "gemini-2.5-pro", "--approval-mode", "yolo", "--output-format", form, "-p", PROMPT]
        return clis.gemini_files(), {"GEMINI_API_KEY": "k", "GOOGLE_GEMINI_BASE_URL": url, "GEMINI_CLI_TRUST_WORKSPACE": "true"}, words
    words = ["opencode", "run", "--format", "json", "--print-logs", "--log-level", "WARN", "-m", "scripted/scripted-1", PROMPT]
    return clis.opencode_files(url), {clis.KEY: "k", **clis.OPENCODE_QUIET}, words


def record(room_dir: Path, cli: str, fault: str) -> dict[str, Any]:
    """Run a CLI once and write its fixture; returns the sidecar."""
    shutil.rmtree(room_dir, ignore_errors=True)
    room_dir.mkdir(parents=True)
    room = sandbox.Room.inside(room_dir)
    room.tree.mkdir()
    with serve(SCRIPTS[fault]) as model:
        files, variables, words = prepared(cli, model.url)
        for name, text in files.items():
            (room.home / name).parent.mkdir(parents=True, exist_ok=True)
            (room.home / name).write_text(text)
        given = {key: value for key, value in variables.items() if fault != "nokey" or "KEY" not in key}
        env = sandbox.environment(room, (), given) | {"PATH": clis.path()}
        command = sandbox.wrap(sandbox.choose("auto"), words, room, Path.cwd(), [clis.FOLDER], env["PATH"])
        with (room_dir / "out").open("wb") as out, (room_dir / "err").open("wb") as err:
            child = subprocess.Popen(command, env=env, cwd=room.tree, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
            try:
                code = child.wait(LIMIT_S)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                code = 124
        statuses = model.statuses()
    base = f"{cli}_{fault}"
    sums = {}
    for stream in ("out", "err"):
        shutil.copyfile(room_dir / stream, FIXTURES / f"{base}.{stream}")
        sums[stream] = hashlib.sha256((room_dir / stream).read_bytes()).hexdigest()
    for rollout in sorted(room.home.glob(".codex/sessions/**/rollout-*.jsonl")):
        lines = [line for line in rollout.read_bytes().splitlines(keepends=True) if b'"token_' in line[:400]]
        (FIXTURES / f"{base}.rollout").write_bytes(b"".join(lines))
    version = subprocess.run([words[0], "--version"], env=env, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=30)
    said = {
        "cli": cli,
        "version": (version.stdout.strip() or version.stderr.strip()).splitlines()[0],
        "command": words,
        "exit_code": code,
        "stopped_after_s": LIMIT_S if code == 124 else None,
        "made": sorted(path.name for path in room.tree.iterdir()),
        "statuses": statuses,
        "sha256": sums,
    }
    (FIXTURES / f"{base}.json").write_text(json.dumps(said, indent=2) + "\n")
    return said


if __name__ == "__main__":
    for name in sys.argv[3:] or SCRIPTS:
        told = record(Path(sys.argv[1]), sys.argv[2], name)
        print(sys.argv[2], name, told["exit_code"], told["statuses"], told["made"], flush=True)
