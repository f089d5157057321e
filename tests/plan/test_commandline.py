"""The command line: values as they were typed, and commands that work as pasted."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from workflow.errors import UsageError
from workflow.plan import commandline
from workflow.plan.commandline import Command


def parse(line: str) -> commandline.CommandLine:
    """A line as a shell would hand it over."""
    return commandline.parse(shlex.split(line))


@pytest.mark.parametrize(
    "text",
    [
        "fix: x", "2048", "no", "see #1", "[a]", "", "someone@example.org", "007", "a=b=c", "# x", "null", "{x: 1}", "'quoted'", '"', "off",
        "2024-01-01", "*a", "&a", "!tag", "%", "@x", "`ls`", "$(ls)", "two\nlines", "- item", "-x",
        "--cores 4", "é\u2028", "~", "1e3", " padded ", "\\",
    ],
)  # fmt: skip
def test_text_arrives_as_it_was_typed(text: str) -> None:
    line = commandline.parse(["approve", "--config", "phase=planning", f"note={text}", "by=me"])
    assert line.text("note", "nothing") == text
    assert line.targets == ["approve"]
    assert line.raw == {"phase": "planning", "note": text, "by": "me"}


def test_text_that_was_not_given_is_the_default() -> None:
    assert parse("approve").text("note", "nothing") == "nothing"
    assert parse("approve --config note=").text("note", "nothing") == ""


def test_note_may_come_from_a_file(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("\n# see #1: [a]\nüber\n\n", encoding="utf-8")
    line = commandline.parse(["approve", "--config", f"note_file={tmp_path}/note.txt"])
    assert line.text("note") == "# see #1: [a]\nüber"


def test_note_file_that_cannot_be_read_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "binary").write_bytes(b"\xff")
    for name in ("gone.txt", "binary", "."):
        with pytest.raises(UsageError, match=r"--config note_file=.*: cannot be read \(") as caught:
            commandline.parse(["approve", "--config", f"note_file={tmp_path}/{name}"]).text("note")
        assert "\n" not in str(caught.value)


def test_note_and_note_file_together_are_refused(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("x")
    with pytest.raises(UsageError, match="both note and note_file; give one of them"):
        commandline.parse(["approve", "--config", "note=y", f"note_file={tmp_path}/note.txt"]).text("note")


@pytest.mark.parametrize(
    ("word", "meant"),
    [("true", True), ("YES", True), ("on", True), ("1", True), ("false", False), ("No", False), ("off", False), ("0", False)],
)
def test_flag_is_read_from_the_word(word: str, meant: bool) -> None:
    assert parse(f"rollback --config apply={word}").flag("apply", default=not meant) is meant


def test_flag_that_was_not_given_is_the_default_and_any_other_word_is_refused() -> None:
    assert parse("rollback").flag("apply") is False
    assert parse("rollback").flag("apply", default=True) is True
    for word in ("maybe", "''", "2"):
        with pytest.raises(UsageError, match=r"--config apply=.*: say yes or no"):
            parse(f"rollback --config apply={word}").flag("apply")


def test_choice_names_what_is_allowed() -> None:
    line = parse("quickstart --config type=website")
    assert line.choice("format", ["table", "json"], "table") == "table"
    with pytest.raises(UsageError, match=r"^--config type=website: not known; allowed: analytics, ml, webapp$"):
        line.choice("type", ["analytics", "ml", "webapp"])
    with pytest.raises(UsageError, match=r"^--config name=\.\.\. is missing; allowed: a, b$"):
        line.choice("name", ["a", "b"])


def test_key_that_stands_twice_is_refused() -> None:
    with pytest.raises(UsageError, match="--config note=... stands twice; give it once"):
        parse("approve --config note=a note=b")


def test_word_without_equals_sign_is_refused_with_the_reason() -> None:
    with pytest.raises(UsageError, match="--config approve: write key=value; targets come before --config"):
        parse("--config phase=planning approve")


@pytest.mark.parametrize(
    ("line", "targets", "forced", "everything"),
    [
        ("--cores 2", [], [], False),
        ("development --cores 2", ["development"], [], False),
        ("--forcerun c_d a_b --cores 2", [], ["a_b", "c_d"], False),
        ("-R runs/x/outcome.json --cores 2", [], ["runs/x/outcome.json"], False),
        ("planning testing -f --cores 1", ["planning", "testing"], ["planning", "testing"], False),
        ("--forceall --cores 2", [], [], True),
        ("-F", [], [], True),
        ("--cores 2 --forcerun", [], [], False),
    ],
)
def test_targets_and_what_is_forced(line: str, targets: list[str], forced: list[str], everything: bool) -> None:
    found = parse(line)
    assert (found.targets, found.forced, found.force_all) == (targets, forced, everything)


@pytest.mark.parametrize(
    "option", ["--lint", "--list-target-rules", "--list-rules", "--summary", "--dag", "--rulegraph", "--unlock", "--report"]
)
def test_modes_that_only_look_are_known(option: str) -> None:
    assert parse(f"--cores 1 {option}").looks_only
    assert not parse("--cores 1").looks_only


def test_dry_run_verbose_and_config_files_are_known() -> None:
    found = parse("-n --verbose --configfile a.yaml b/c.yaml")
    assert (found.dry_run, found.verbose, found.config_files) == (True, True, [Path("a.yaml"), Path("b/c.yaml")])
    assert parse("-p").verbose
    assert (parse("").dry_run, parse("").verbose, parse("").config_files) == (False, False, [])


@pytest.mark.parametrize(
    ("word", "value"),
    [
        ("4", 4),
        ("0.5", 0.5),
        ("null", None),
        ("{compression: 0}", {"compression": 0}),
        ("off", "off"),
        ("true", True),
        ("", None),
        ("[1, 2]", [1, 2]),
    ],
)
def test_setting_is_read_as_the_config_file_would_be(word: str, value: object) -> None:
    assert commandline.setting(word) == value


@pytest.mark.parametrize("word", ["[1", "{a: b: c}", "'open", "2024-99-99"])
def test_setting_that_is_no_yaml_is_one_line(word: str) -> None:
    with pytest.raises(UsageError, match="not a YAML value") as caught:
        commandline.setting(word)
    assert "\n" not in str(caught.value)


def test_command_line_puts_all_config_words_last_and_quotes() -> None:
    command = Command(("/opt/a b/snakemake", "-s", "Snakefile"), ("run=my run",))
    line = command.line("approve", "--cores", "2", config=("note=it's #1", "phase=p"))
    assert shlex.split(line) == [
        "/opt/a b/snakemake", "-s", "Snakefile", "approve", "--cores", "2", "--config", "run=my run", "note=it's #1", "phase=p",
    ]  # fmt: skip
    assert line.count("--config") == 1
    parsed = commandline.parse(shlex.split(line)[1:])
    assert (parsed.targets, parsed.text("note"), parsed.raw["run"]) == (["approve"], "it's #1", "my run")


def test_command_without_config_words_has_no_config_option() -> None:
    assert Command(("snakemake",)).go_on() == "snakemake --cores 2"
    assert Command(("snakemake",), ("run=x",)).go_on() == "snakemake --cores 2 --config run=x"


def test_path_is_written_for_where_the_person_stands() -> None:
    assert Command(("snakemake",)).path(Path("runs/x/APPROVED")) == "runs/x/APPROVED"
    assert Command(("snakemake",), (), "work here").path(Path("runs/x")) == "'work here/runs/x'"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A clone, another working directory, and a snakemake in bin/ that says how it was called."""
    for name in ("clone", "other dir", "bin"):
        (tmp_path / name).mkdir()
    (tmp_path / "clone" / "Snakefile").write_text("")
    program = tmp_path / "bin" / "snakemake"
    program.write_text('#!/bin/sh\nprintf "%s\\n" "$0" "$@"\n')
    program.chmod(0o755)
    monkeypatch.setattr(sys, "argv", [str(program), "--cores", "2"])
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    return tmp_path


def invoked(place: Path, workdir: str, start: str) -> list[str]:
    """The words of the command that goes on, as the shell of a person in `start` runs it."""
    command = commandline.invocation(place / "clone" / "Snakefile", place / workdir, place / start)
    done = subprocess.run(command.go_on(), shell=True, cwd=place / start, capture_output=True, text=True, check=True)  # noqa: S602
    return done.stdout.splitlines()[1:]


def test_plain_command_in_the_clone_needs_no_options(place: Path) -> None:
    assert invoked(place, "clone", "clone") == ["--cores", "2"]


def test_working_directory_elsewhere_needs_the_snakefile(place: Path) -> None:
    assert invoked(place, "other dir", "other dir") == ["-s", f"{place}/clone/Snakefile", "--cores", "2"]


def test_person_who_stands_elsewhere_needs_both(place: Path) -> None:
    assert invoked(place, "other dir", ".") == ["-s", "clone/Snakefile", "-d", "other dir", "--cores", "2"]
    assert invoked(place, "other dir", "clone") == ["-d", f"{place}/other dir", "--cores", "2"]


def test_snakemake_on_the_path_is_called_by_its_name_and_another_by_its_place(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def words() -> tuple[str, ...]:
        return commandline.invocation(place / "clone" / "Snakefile", place / "clone", place / "clone").words

    assert words() == (f"{place}/bin/snakemake",)
    monkeypatch.setenv("PATH", f"{place}/bin:/usr/bin:/bin")
    assert words() == ("snakemake",)
    monkeypatch.setattr(sys, "argv", [str(place / "clone" / ".venv" / "bin" / "snakemake")])
    assert words() == (".venv/bin/snakemake",)
    monkeypatch.setattr(sys, "argv", ["/usr/lib/python3/site-packages/snakemake/__main__.py"])
    assert words() == (sys.executable, "-m", "snakemake")
