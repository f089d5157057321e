"""`snakemake doctor`: it says what is there, from what programs themselves answer, whatever they answer."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from conftest import Desk

from workflow import __version__
from workflow.plan import presets
from workflow.view import doctor


@pytest.fixture
def shim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`shim(name, script)`: put a program on a PATH that holds nothing else of the user's."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")

    def put(name: str, script: str) -> Path:
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return path

    return put


def row(name: str, **changes: Any) -> dict[str, Any]:
    runners = presets.laid_under({name: changes} if changes else {})
    return next(row for row in doctor.rows(runners) if row["runner"] == name)


def test_each_preset_has_its_row_and_a_missing_one_says_what_to_install(shim: Any) -> None:
    found = doctor.rows(presets.laid_under({}))
    assert {item["runner"] for item in found} == set(presets.names())
    assert all(set(doctor.NAMES) == set(item) for item in found)
    gone = row("codex")
    assert (gone["found"], gone["version"], gone["to_do"]) == (None, None, "npm install -g @openai/codex")
    assert row("scaffold")["version"] == __version__
    assert row("command")["to_do"] == "your own program: runners.command.command"


def test_row_follows_the_program_that_is_on_the_path(shim: Any) -> None:
    path = shim("codex", "echo codex-cli 0.169.0")
    assert (row("codex")["found"], row("codex")["version"], row("codex")["to_do"]) == (str(path), "codex-cli 0.169.0", "")
    shim("codex", "echo; echo codex-cli 9.9.9; echo more")
    assert row("codex")["version"] == "codex-cli 9.9.9"
    shim("codex", "echo 0.73.1 >&2")
    assert row("codex")["version"] == "0.73.1"


@pytest.mark.parametrize(
    ("script", "version"),
    [
        (r"printf '\033[2J\033]0;title\007\377\376\n'", "\ufffd[2J\ufffd]0;title\ufffd\ufffd\ufffd"),
        ("yes garbage | head -c 300000", "garbage"),
        ("head -c 300000 /dev/zero | tr '\\0' x", "x" * doctor.VERSION_CHARACTERS),
        ("exit 3", None),
        ("echo broken; exit 1", None),
        (":", None),
    ],
)
def test_garbage_cannot_act_and_a_program_that_does_not_answer_is_told(shim: Any, script: str, version: str | None) -> None:
    shim("codex", script)
    found = row("codex")
    assert found["version"] == version
    assert found["to_do"] == ("" if version else "npm install -g @openai/codex")


def test_program_that_never_answers_is_given_up(shim: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "VERSION_TIMEOUT_S", 0.3)
    shim("codex", "exec sleep 20")
    assert row("codex")["version"] is None


def test_runner_of_the_users_own_is_told_as_configured(shim: Any) -> None:
    path = shim("mine", "touch ran")
    found = row("tool", command=["mine", "--go"], usage="aider", network="off")
    assert (found["found"], found["version"], found["reports"], found["network"]) == (str(path), None, "as aider", "off")
    assert row("tool", command=["nowhere"])["to_do"] == "put nowhere on PATH"
    assert not Path("ran").exists()


def test_preset_with_another_program_is_not_asked_for_the_presets_version(shim: Any) -> None:
    shim("codex", "echo codex-cli 0.169.0")
    shim("wrapper", "echo wrong")
    assert row("codex", command=["wrapper", "codex"])["version"] is None


@pytest.mark.parametrize(
    ("works", "mode", "code"),
    [("bubblewrap", "require", 0), ("landlock", "require", 0), ("", "require", 1), ("", "auto", 0), ("bubblewrap", "off", 0)],
)
def test_sandbox_is_told_and_a_requirement_that_cannot_be_met_is_an_error(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], works: str, mode: str, code: int
) -> None:
    monkeypatch.setattr(doctor.sandbox, "works", lambda kind: kind == works)
    monkeypatch.setattr(doctor, "rows", lambda runners: [])
    assert doctor.show({}, mode) == code
    said = capsys.readouterr().out
    assert ("install bubblewrap" in said) == (not works and mode != "off")
    assert (f"  {works or 'none'} works here" in said) == (mode != "off")


def test_user_asks_the_doctor_before_there_is_a_run(desk: Desk) -> None:
    desk.write("bin/codex", "#!/bin/sh\necho codex-cli 1.2.3\n").chmod(0o755)
    desk.env["PATH"] = f"{desk.path / 'bin'}:/usr/bin:/bin"
    said = desk.run("doctor").out
    line = next(line for line in said.splitlines() if line.startswith("codex"))
    assert "codex-cli 1.2.3" in line
    assert "sandbox:" in said
    told = json.loads(desk.run("doctor", "--config", "format=json").out)
    assert {item["runner"] for item in told[0]["runners"]} == set(presets.names())
    assert not (desk.path / "runs").exists()
