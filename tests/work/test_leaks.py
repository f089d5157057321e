"""Leaks: tokens and declared values are found at their place and replaced, whatever form they have, and shown nowhere."""

from __future__ import annotations

import base64
import json
import random
import sys
import time
from pathlib import Path
from urllib.parse import quote

import pytest
from conftest import ROOT
from planted import TOKENS, body

from workflow.work import leaks, redaction
from workflow.work.redaction import Redactor, Values, declared

NOTHING = Values({})
SECRET = "p@ss/wörd?&=+ \"x\"'y'"
KNOWN = Values({"MY_TOKEN": SECRET})


def found(text: str | bytes, values: Values = NOTHING) -> list[tuple[int, str]]:
    content = text if isinstance(text, bytes) else text.encode()
    return leaks.lines(content, leaks.find(content, values))


def redacted(text: str, values: Values = NOTHING) -> str:
    return leaks.redact_text(text, values)


@pytest.mark.parametrize("kind", TOKENS)
def test_each_shape_is_found_at_its_line_and_nothing_of_it_is_left(kind: str) -> None:
    token = TOKENS[kind]
    for text in (f"one\ntwo\nkey = '{token}'\nfour", f"a\nb\n+{token}", f'\n\n{{"x": "{token}"}}'):
        assert found(text) == [(3, kind)]
        shown = redacted(text)
        assert f"[redacted: {kind}]" in shown
        assert not [line for line in token.splitlines() if line[8:] and line[8:] in shown]
        assert found(shown) == []


def test_pragmas_and_comments_of_an_agent_switch_nothing_off() -> None:
    for pragma in ("# pragma: allowlist secret", "# pragma: allowlist nextline secret", "# noqa", "// gitleaks:allow"):
        assert found(f"{pragma}\nkey = {TOKENS['GitHub Token']}  {pragma}\n") == [(2, "GitHub Token")]


def test_everyday_text_is_not_taken_for_secrets() -> None:
    assert found("password = 'hunter22'\nsha256:" + "0123456789abcdef" * 4 + "\nsk-learn and task-proj-plan\nhttp://a:80/@b\n") == []
    for folder in ("workflow/scaffolds", "workflow/prompts", "config", "tests"):
        for path in (ROOT / folder).rglob("*"):
            if path.is_file():
                assert found(path.read_bytes()) == [], path


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        f"x{SECRET}x",
        json.dumps({"k": SECRET}),
        json.dumps({"k": SECRET}, ensure_ascii=False),
        "https://h/?t=" + quote(SECRET, safe=""),
        "https://h/?t=" + quote(SECRET, safe="").replace("%2F", "%2f").replace("%3F", "%3f").replace("%40", "%40").lower(),
        *(base64.b64encode(("x" * before + SECRET + "y" * after).encode()).decode() for before in range(3) for after in range(3)),
        base64.urlsafe_b64encode(f"user:{SECRET}".encode()).decode(),
    ],
)
def test_declared_value_is_found_in_every_form(form: str) -> None:
    assert [kind for _, kind in found(f"a\n{form}\n", KNOWN)] == ["value of MY_TOKEN"]
    shown = redacted(form, KNOWN)
    assert "[redacted: value of MY_TOKEN]" in shown
    assert found(shown, KNOWN) == []


def test_lines_of_a_long_value_count_by_themselves() -> None:
    key = TOKENS["Private Key"].splitlines()
    values = Values({"DEPLOY_KEY": "\n".join(key)})
    assert redacted(f"  {key[2]}\r\n", values) == "  [redacted: value of DEPLOY_KEY]\r\n"


def test_only_variables_that_are_set_long_enough_and_not_public_are_declared() -> None:
    env = {"A": "123456", "SHORT": "12345", "BLANK": "       ", "PATH": "/usr/bin", "URL": "https://example.org", "OTHER": "not named"}
    assert declared(["A", "SHORT", "BLANK", "PATH", "URL", "UNSET"], ["URL"], env) == {"A": "123456"}


def test_declared_value_gives_its_name_where_a_shape_fits_as_well() -> None:
    assert found(TOKENS["GitHub Token"], Values({"GH": TOKENS["GitHub Token"]})) == [(1, "value of GH")]


@pytest.mark.parametrize("seed", range(20))
def test_stream_is_redacted_wherever_it_is_cut(seed: int) -> None:
    dice = random.Random(seed)
    values = {"LONG": "abcabcabcd-" + body(40), "SHORT": "abcabc", "ODD": "aaaaaaab", "LINES": f"{body(30, 3)}\n{body(30, 4)}"}
    said = b"".join(
        dice.choice([b"abc", b"aaaaaaa", b"a", b"\n", b"plain text ", *(value.encode() for value in values.values())]) for _ in range(400)
    )
    whole = Redactor(Values(values))
    expected = whole.feed(said) + whole.end()
    stream, shown, place = Redactor(Values(values)), b"", 0
    while place < len(said):
        step = dice.choice([1, 2, 7, 30, 200])
        shown += stream.feed(said[place : place + step])
        place += step
    shown += stream.end()
    assert shown == expected
    assert not [value for value in values.values() if value.encode() in shown]


def test_stream_holds_back_no_more_than_may_become_a_value() -> None:
    stream = Redactor(KNOWN)
    assert stream.feed(b"as it comes\n") == b"as it comes\n"
    assert stream.feed(b"then p@ss") == b"then "
    assert stream.feed(b"port\n") == b"p@ssport\n"
    assert stream.feed(b"p@ss/w") + stream.end() == b"p@ss/w"
    nothing = Redactor(NOTHING)
    assert nothing.feed(b"x") + nothing.end() == b"x"


def test_stream_of_megabytes_takes_no_time_and_no_memory() -> None:
    stream, chunk = Redactor(Values({"T": body(400), "U": body(2000, 5)})), (body(65536, 3)).encode()
    begin = time.process_time()
    for _ in range(160):
        assert len(stream.feed(chunk)) > 60_000
        assert len(stream._held) < 20_000
    print(f"10 MB redacted in {time.process_time() - begin:.2f} s")
    assert time.process_time() - begin < 10


def test_log_is_rewritten_whole_and_only_where_it_holds_a_secret(tmp_path: Path) -> None:
    log = tmp_path / "output.log"
    assert not leaks.redact_file(log, KNOWN)
    log.write_text("harmless\n")
    before = log.stat()
    assert not leaks.redact_file(log, KNOWN)
    assert log.stat() == before
    log.write_text(f"first\n{SECRET}\n{TOKENS['Slack Token']}\nlast\n")
    assert leaks.redact_file(log, KNOWN)
    assert log.read_text() == "first\n[redacted: value of MY_TOKEN]\n[redacted: Slack Token]\nlast\n"
    assert [hit.kind for hit in leaks.marked(log.read_bytes())] == ["value of MY_TOKEN", "Slack Token"]
    assert not leaks.redact_file(log, KNOWN)
    assert [path.name for path in tmp_path.iterdir()] == ["output.log"]


def test_secret_in_the_middle_of_a_line_of_megabytes_is_found() -> None:
    token = TOKENS["Stripe Access Key"]
    for place in (0, 2040, 4090, 65_530, 200_000, 1_000_000):
        text = ". " * 500_000
        assert found(text[:place] + f" {token} " + text[place:]) == [(1, "Stripe Access Key")]


HEAVY = ["eyJ", "/", "sk-", "://a", "//x/:_authToken=", "T3BlbkFJsk-", "xoxa-1-", "aws key ", "123456789:", "BEGIN PRIVATE " + "KEY"]


@pytest.mark.parametrize("unit", HEAVY)
def test_no_text_holds_up_the_search(unit: str) -> None:
    begin = time.process_time()
    text = (unit * 100_000)[:100_000].encode()
    leaks.find(text, NOTHING)
    assert time.process_time() - begin < 30


def test_search_that_takes_too_long_ends_and_shows_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(leaks, "REDACTION_S", -1.0)
    with pytest.raises(leaks.Late):
        leaks.find(b"text", NOTHING, 0.0)
    assert redacted(f"before {SECRET}", KNOWN) == "[left out: it could not be searched for secrets in time]\n"


def test_without_the_scanner_declared_values_are_still_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "workflow.work.shapes", None)
    monkeypatch.delattr("workflow.work.shapes", raising=False)
    assert redacted(f"before {SECRET} after", KNOWN) == "before [redacted: value of MY_TOKEN] after"
    with pytest.raises(leaks.Unscanned, match="the scanner for secrets is not installed"):
        leaks.find(b"x", NOTHING)


def test_odd_text_is_redacted_too() -> None:
    for text in ("", "caf\udce9", "\ud800", "\0\x1b[31m"):
        assert redacted(text) == text
        assert redacted(f"{text}{SECRET}", KNOWN) == f"{text}[redacted: value of MY_TOKEN]"


def test_streaming_needs_the_standard_library_only() -> None:
    import subprocess

    code = (
        "import sys; from workflow.work import redaction, leaks; print(sorted({'detect_secrets', 'requests', 'jinja2'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    code = (
        "import sys; from workflow.work import shapes; print({'urllib3', 'requests'} & sys.modules.keys()); import requests; requests.get"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()", "the scan connects to nothing, and does not wait for what could"
    assert redaction.mark("x") == b"[redacted: x]"
