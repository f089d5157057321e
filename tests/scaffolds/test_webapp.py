"""The web app: from quickstart to a server that a stranger uses from outside, and a suite that notices bugs."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import struct
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from conftest import ROOT, SNAKEMAKE, wait_for
from deliveries import Delivery, own_suite_finds

GO_ON = f"{SNAKEMAKE} -s {ROOT / 'Snakefile'} --cores 2"
ATTACK = "<script>document.title='owned'</script>"
CHROMIUM = shutil.which("chromium")
JSON = {"Content-Type": "application/json"}


@pytest.fixture
def webapp(delivered: Callable[[str], Delivery]) -> Delivery:
    """The delivered web app."""
    return delivered("webapp")


@contextmanager
def serving(made: Delivery, log: Path, *options: str) -> Iterator[str]:
    """Paste the printed start command with a free port; the address that the server says. It must end in peace."""
    words = [*shlex.split(made.start_line()), "--port", "0", *options]
    with log.open("w") as sink:
        server = subprocess.Popen(words, cwd=made.desk.path, env=made.desk.environment(), stdout=sink, stderr=sink)
    try:
        wait_for(lambda: "Serving on" in log.read_text() or server.poll() is not None)
        found = re.search(r"Serving on (http://127\.0\.0\.1:\d+)", log.read_text())
        assert found, log.read_text()
        yield found[1]
    finally:
        server.terminate()
        code = server.wait(timeout=20)
    assert code == 0, log.read_text()


def ask(url: str, body: bytes | None = None, method: str | None = None, **headers: str) -> tuple[int, str]:
    """Status and text of an answer; redirects are followed."""
    request = urllib.request.Request(url, data=body, method=method, headers={key.replace("_", "-"): text for key, text in headers.items()})
    try:
        with urllib.request.urlopen(request, timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def send(url: str, value: object, method: str = "POST") -> tuple[int, str]:
    """Send a value as JSON."""
    return ask(url, json.dumps(value).encode(), method, Content_Type="application/json")


def test_quickstart_and_three_approvals_end_with_a_delivered_web_app(webapp: Delivery) -> None:
    run = webapp.run
    last = [stop.last[-5:] for stop in webapp.stops]
    assert [lines[0] for lines in last] == [
        f"{run}: planning waits for your review (READY FOR REVIEW)",
        f"{run}: development waits for your review (READY FOR REVIEW)",
        f"{run}: testing waits for your review (READY FOR REVIEW)",
        f"{run}: delivered: all 4 phases are done",
    ]
    for phase, lines in zip(("planning", "development", "testing"), last, strict=False):
        assert [line.split()[0] for line in lines[1:]] == ["made:", "checked:", "read:", "approve:"]
        assert lines[3].split() == ["read:", f"runs/{run}/{phase}/REQUEST.md"]
        assert lines[4] == f"  approve: touch runs/{run}/{phase}/APPROVED && {GO_ON}"
    assert "by analyst, architect: docs/architecture.md, docs/requirements.md" in last[0][1]
    assert last[0][2].endswith("4 of 4 artifact patterns found; no checks in this phase")
    assert last[1][2].endswith("2 of 2 checks passed (tests pass, coverage pass)")
    assert last[2][2].endswith("3 of 3 checks passed (tests pass, coverage pass, security pass)")
    assert last[3][1].endswith(f"the project lies in runs/{run}/project")
    assert last[3][2:] == [
        "  checked: 6 of 6 checks passed",
        f"  read:    runs/{run}/project/README.md",
        f"  start:   sh runs/{run}/project/run.sh",
    ]
    assert webapp.desk.json(f"runs/{run}/status.json")["state"] == "delivered"
    assert webapp.desk.read("runs/current") == f"{run}\n"


def test_items_posted_to_the_started_app_are_there_after_a_restart(webapp: Delivery, tmp_path: Path) -> None:
    with serving(webapp, tmp_path / "first.log") as address:
        status, text = send(f"{address}/api/items", {"title": "Water the plants"})
        assert status == 201
        item = json.loads(text)
        assert ask(f"{address}/items", urllib.parse.urlencode({"title": "Typed in the form"}).encode())[0] == 200
    with serving(webapp, tmp_path / "second.log") as address:
        assert ask(f"{address}/health") == (200, '{"status":"ok"}\n')
        assert json.loads(ask(f"{address}/api/items/{item['id']}")[1]) == item
        page = ask(f"{address}/")[1]
        assert "Water the plants" in page
        assert "Typed in the form" in page
        assert send(f"{address}/api/items/{item['id']}", {"done": True}, "PATCH")[0] == 200
        assert ask(f"{address}/api/items/{item['id']}", method="DELETE")[0] == 204
        assert ask(f"{address}/api/items/{item['id']}")[0] == 404


def test_hostile_and_invalid_input_does_no_harm(webapp: Delivery, tmp_path: Path) -> None:
    with serving(webapp, tmp_path / "log", "--database", str(tmp_path / "items.sqlite3")) as address:
        items = f"{address}/api/items"
        assert send(items, {"title": ATTACK})[0] == 201
        page = ask(f"{address}/")[1]
        assert "<script" not in page
        assert "&lt;script&gt;document.title=&#39;owned&#39;&lt;/script&gt;" in page
        answers = {
            "no JSON": ask(items, b"{", **JSON)[0],
            "another type": ask(items, b"title=x", Content_Type="text/plain")[0],
            "no title": send(items, {})[0],
            "blank": send(items, {"title": "  "})[0],
            "too long": send(items, {"title": "x" * 201})[0],
            "a number": send(items, {"title": 7})[0],
            "an unknown field": send(items, {"title": "x", "owner": "me"})[0],
            "a list": send(items, ["x"])[0],
            "a flood": send(items, {"title": "x" * 100_000})[0],
            "another site": ask(f"{address}/items", b"title=x", Origin="http://elsewhere.example")[0],
            "an empty form": ask(f"{address}/items", b"title=")[0],
            "an unknown item": send(f"{items}/99", {"done": True}, "PATCH")[0],
            "an unknown page": ask(f"{address}/nowhere")[0],
        }
        assert answers == {
            "no JSON": 400,
            "another type": 415,
            "no title": 422,
            "blank": 422,
            "too long": 422,
            "a number": 422,
            "an unknown field": 422,
            "a list": 400,
            "a flood": 413,
            "another site": 403,
            "an empty form": 422,
            "an unknown item": 404,
            "an unknown page": 404,
        }
        assert [item["title"] for item in json.loads(ask(items)[1])] == [ATTACK]


@pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
def test_a_browser_shows_the_items(webapp: Delivery, tmp_path: Path) -> None:
    picture = tmp_path / "page.png"
    with serving(webapp, tmp_path / "log", "--database", str(tmp_path / "items.sqlite3")) as address:
        for title in ("Water the plants", "Call grandmother", ATTACK):
            assert send(f"{address}/api/items", {"title": title})[0] == 201
        assert send(f"{address}/api/items/2", {"done": True}, "PATCH")[0] == 200
        page = browse(tmp_path, "--dump-dom", address)
        browse(tmp_path, f"--screenshot={picture}", "--window-size=900,760", address)
    assert "<title>2 to do – My Todo App</title>" in page
    assert '<span class="item-title"><bdi>Water the plants</bdi></span>' in page
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    content = picture.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert struct.unpack(">II", content[16:24]) == (900, 760)
    assert len(content) > 15_000, "an empty page"


def browse(folder: Path, *words: str) -> str:
    """Let headless Chromium with a new profile open a page; its standard output."""
    quiet = ["--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
    profile = [f"--user-data-dir={folder / 'profile'}", "--disable-sync", "--no-first-run", "--disable-dev-shm-usage"]
    done = subprocess.run([str(CHROMIUM), *quiet, *profile, *words], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize(
    ("path", "old", "new"),
    [
        ("templates/index.html", "<bdi>{{ item.title }}</bdi>", "<bdi>{{ item.title | safe }}</bdi>"),
        ("validation.py", "len(title) > MAX_TITLE_CHARACTERS", "len(title) >= MAX_TITLE_CHARACTERS"),
        ("items.py", "done = coalesce(?, done)", "done = coalesce(done, ?)"),
    ],
    ids=["scripts-run", "a-title-too-short", "nothing-gets-done"],
)
@pytest.mark.long
def test_a_planted_bug_turns_the_apps_own_suite_red(webapp: Delivery, tmp_path: Path, path: str, old: str, new: str) -> None:
    assert own_suite_finds(webapp, tmp_path / "project", f"src/{webapp.package}/{path}", old, new)
