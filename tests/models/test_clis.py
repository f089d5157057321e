"""The real command-line agents, started as their presets say, in the sandbox, against the scripted model.

They are installed by install_clis.py; where one is missing its tests are skipped, and fail in CI.
"""

from __future__ import annotations

import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from faults.fit import unfit

from models import clis
from models.scripts import Edit, Read, Script, Shell, Usage, Write, fails, loops, no_op, works
from models.server import Model
from workflow.plan import documents, presets
from workflow.work import sandbox
from workflow.work.runners import Runner, events, from_brief

pytestmark = pytest.mark.long
WRITES = works(Write("made.txt", "made by the model\n"), Shell("cat made.txt > copied.txt"), usage=Usage(1200, 30, 200))


def runner(name: str, **changes: Any) -> Runner:
    """A preset, with a user's changes over it, as a brief carries it."""
    schema = documents.schema("config")["properties"]["runners"]["additionalProperties"]
    return from_brief({"name": name, **documents.fill_defaults(presets.laid_under({name: changes})[name], schema)})


def codex(model: Model) -> Runner:
    return runner("codex", model="gpt-5.2-codex", env=[f"{clis.KEY}=k"], files=clis.codex_files(model.url))


def pi(model: Model) -> Runner:
    return runner("pi", model="scripted/scripted-1", env=[f"{clis.KEY}=k", "PI_OFFLINE=1"], files=clis.pi_files(model.url))


CLIS: Mapping[str, Callable[[Model], Runner]] = {"codex": codex, "pi": pi}


@dataclass(frozen=True)
class Worked:
    """How an attempt ended."""

    code: int
    report: events.Report
    tree: Path
    seconds: float

    @property
    def seen(self) -> tuple[str, str | None]:
        """What the events say, and the kind of the problem."""
        return self.report.said, self.report.problem.kind if self.report.problem else None


def work(name: str, model: Model, folder: Path, until: Callable[[events.Usage], bool] = lambda _: False) -> Worked:
    """One attempt in the sandbox, as an agent's job makes it; it is stopped when `until` says so."""
    clis.program(name)
    made = CLIS[name](model)
    room = sandbox.Room.inside(folder)
    room.tree.mkdir(exist_ok=True)
    for path, text in made.home_files(room.tree, room.home).items():
        (room.home / path).parent.mkdir(parents=True, exist_ok=True)
        (room.home / path).write_text(text)
    prompt, brief = folder / "prompt.md", folder / "brief.json"
    prompt.write_text("Write the file made.txt")
    brief.write_text("{}")
    env = sandbox.environment(room, made.env, made.variables) | {"PATH": clis.path()}
    argv = made.argv(prompt.read_text(), prompt, brief, room.tree, room.home)
    reads = [clis.FOLDER.resolve(), prompt, brief, *made.reads]
    command = sandbox.wrap(sandbox.choose("auto"), argv, room, Path.cwd() / "runs", reads, env["PATH"])
    reader, begin = events.reader(made.usage), time.monotonic()
    with prompt.open("rb") as given, (folder / "err").open("wb") as err:
        child = subprocess.Popen(command, env=env, cwd=room.tree, stdin=given, stdout=subprocess.PIPE, stderr=err)
        limit = threading.Timer(60, child.kill)
        limit.start()
        assert child.stdout is not None
        for line in child.stdout:
            reader.feed("out", line.rstrip(b"\n"))
            reader.poll(room.home)
            if until(reader.usage):
                child.kill()
        code = child.wait()
        limit.cancel()
    for line in (folder / "err").read_bytes().splitlines():
        reader.feed("err", line)
    return Worked(code, reader.end(code, room.home), room.tree, time.monotonic() - begin)


@pytest.fixture
def place(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A folder for attempts that does not lie under /tmp, where codex's own sandbox refuses to work."""
    import shutil
    import tempfile

    folder = Path(tempfile.mkdtemp(prefix="clis-", dir=clis.ROOT / "build"))
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@pytest.mark.parametrize("name", CLIS)
def test_it_writes_the_files_and_tells_what_that_took(name: str, scripted: Callable[..., Model], place: Path) -> None:
    model = scripted(WRITES)
    done = work(name, model, place)
    assert (done.code, done.seen) == (0, ("ok", None)), done
    assert (done.tree / "copied.txt").read_text() == "made by the model\n"
    usage = done.report.usage
    assert (usage.input_tokens, usage.output_tokens, usage.cached_tokens, usage.model_calls) == (3600, 90, 600, 3)
    assert usage.cost_usd == (pytest.approx(0.004725) if name == "pi" else None)
    assert usage.model == {"codex": "gpt-5.2-codex", "pi": "scripted-1"}[name]
    assert model.statuses() == [200] * 3


@pytest.mark.parametrize("name", CLIS)
def test_it_works_under_landlock_too_where_a_sandbox_of_its_own_cannot(
    name: str, scripted: Callable[..., Model], place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not sandbox.works("landlock"):
        unfit("Landlock does not work here")
    monkeypatch.setenv(sandbox.TRIED, "landlock")
    done = work(name, scripted(WRITES), place)
    assert (done.code, done.seen) == (0, ("ok", None)), done
    assert (done.tree / "copied.txt").read_text() == "made by the model\n"


@pytest.mark.parametrize("name", CLIS)
def test_it_edits_a_file_that_is_there(name: str, scripted: Callable[..., Model], place: Path) -> None:
    (place / "tree").mkdir()
    (place / "tree/half.py").write_text("def half(x):\n    return x / 3\n")
    done = work(name, scripted(works(Read("half.py"), Edit("half.py", "x / 3", "x / 2"))), place)
    assert done.seen == ("ok", None)
    assert (done.tree / "half.py").read_text() == "def half(x):\n    return x / 2\n"


@pytest.mark.parametrize("name", CLIS)
def test_it_claims_success_and_has_done_nothing(name: str, scripted: Callable[..., Model], place: Path) -> None:
    done = work(name, scripted(no_op()), place)
    assert (done.code, done.seen, list(done.tree.iterdir())) == (0, ("ok", None), [])


@pytest.mark.parametrize(
    ("script", "expected"),
    [
        (fails(status=401), ("error", "auth")),
        (fails(status=400), ("error", "bad_request")),
        (fails(status=429), ("error", "rate_limit")),
        (fails(status=500), ("error", "server")),
        (fails("cut"), ("error", "cut")),
    ],
)
@pytest.mark.parametrize("name", CLIS)
def test_its_events_say_why_it_failed(
    name: str, script: Script, expected: tuple[str, str], scripted: Callable[..., Model], place: Path
) -> None:
    done = work(name, scripted(script), place)
    assert done.seen == expected, done.report
    assert done.report.usage.cost_usd is None


@pytest.mark.parametrize("name", CLIS)
def test_an_endless_loop_is_seen_while_it_goes_on(name: str, scripted: Callable[..., Model], place: Path) -> None:
    model = scripted(loops())
    done = work(name, model, place, until=lambda usage: (usage.model_calls or 0) >= 5)
    assert done.code != 0
    assert 5 <= model.calls <= 7


def test_two_of_them_work_side_by_side(scripted: Callable[..., Model], place: Path) -> None:
    model, found = scripted(WRITES), {}
    folders = [place / "one", place / "two"]
    for folder in folders:
        folder.mkdir()
    threads = [threading.Thread(target=lambda folder=folder: found.update({folder: work("codex", model, folder)})) for folder in folders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [found[folder].seen for folder in folders] == [("ok", None)] * 2
    assert model.calls == 6
