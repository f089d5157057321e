"""Jobs as forks: a script through client and server is what it is without them, and ends with whatever it belongs to."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
from conftest import ROOT, wait_for

from workflow.forks import ADDRESS, starting

TELL = """
import json, os, signal, sys
told = {
    "words": sys.argv, "folder": os.getcwd(), "given": os.environ.get("GIVEN"), "input": sys.stdin.read(), "parent": os.getppid(),
    "descriptors": sorted(os.listdir("/proc/self/fd")), "title": open("/proc/self/cmdline").read().split("\\0")[0],
    "signals": {number: str(signal.getsignal(number)) for number in (1, 2, 15, 17)}, "wakeup": signal.set_wakeup_fd(-1),
    "blocked": [int(number) for number in signal.pthread_sigmask(signal.SIG_BLOCK, [])], "name": __name__, "file": __file__,
}
print(json.dumps(told))
print("error", file=sys.stderr)
"""
KEEP = """
import os, sys
from pathlib import Path
sys.path.insert(0, os.getcwd())
from workflow.work import processes
print(os.getpid(), flush=True)
processes.run(["sh", "-c", "setsid sleep 600 & sleep 600 & sleep 600"], Path(), os.environ, Path("log"), 600)
"""
SCRIPTS = {
    "tell": TELL,
    "code": "raise SystemExit(7)",
    "text": "raise SystemExit('no such thing')",
    "broken": "print('before'); 1 / 0",
    "interrupted": "raise KeyboardInterrupt",
    "killed": "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
    "late": "import atexit; atexit.register(lambda: print('at the end')); print('first', end=' ')",
    "sleep": "import os, sys, time; print(os.getpid(), flush=True); time.sleep(300)",
    "leaving": "import os, time; os.fork() or (time.sleep(1), os._exit(0))",
    "keeping": KEEP,
    "deaf": "import os, signal, sys, time; signal.signal(signal.SIGTERM, lambda *_: (time.sleep(0.5), print('heard', flush=True), "
    "os._exit(9))); print(os.getpid(), flush=True); time.sleep(300)",
}


@dataclass
class Place:
    """Phasegate's programs, with scripts of the test's own, and a server that was started there."""

    root: Path
    server: subprocess.Popen[bytes] = field(init=False)
    address: str = field(init=False)

    def __post_init__(self) -> None:
        shutil.copytree(ROOT / "workflow", self.root / "workflow", ignore=shutil.ignore_patterns("__pycache__", "scaffolds"))
        for name, text in SCRIPTS.items():
            self.script(name).parent.mkdir(exist_ok=True)
            self.script(name).write_text(text)
        self.server, self.address = starting.launch(self.root / "workflow/forks/server.py")

    def script(self, name: str) -> Path:
        return self.root / "scripts" / f"{name}.py"

    def start(self, name: str, *words: str, address: str | None = None, **more: object) -> subprocess.Popen[str]:
        """A client. Without a server it becomes the script."""
        env = {**os.environ, "GIVEN": "a=b ü", ADDRESS: self.address if address is None else address}
        command = [sys.executable, "-S", "-E", str(self.root / "workflow/forks/client.py"), str(self.script(name)), *words]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        return subprocess.Popen(command, **{**streams, "text": True, "env": env, "cwd": self.root, **more})  # type: ignore[call-overload]

    def run(self, name: str, *words: str, **more: object) -> tuple[int, str, str]:
        """Exit code, output and errors of a client."""
        client = self.start(name, *words, **more)  # type: ignore[arg-type]
        out, err = client.communicate(timeout=60)
        return client.returncode, out, err


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    made = Place(tmp_path / "phase gate")
    yield made
    made.server.kill()
    made.server.wait()


def begun(client: subprocess.Popen[str]) -> psutil.Process:
    """The job of a client whose script says its process id."""
    assert client.stdout is not None
    return psutil.Process(int(client.stdout.readline()))


def gone(job: psutil.Process, within_s: float = 5) -> bool:
    """Whether it ends within some time."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        try:
            if not job.is_running() or job.status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.02)
    return False


def test_script_has_words_folder_variables_streams_and_signals_of_a_process_of_its_own(place: Place) -> None:
    code, out, err = place.run("tell", "plan", "a b", "ü", cwd=place.root / "scripts")
    told = json.loads(out)
    assert (code, err) == (0, "error\n")
    assert told["words"] == [str(place.script("tell")), "plan", "a b", "ü"]
    assert (told["folder"], told["given"], told["input"]) == (str(place.root / "scripts"), "a=b ü", "")
    assert (told["name"], told["file"]) == ("__main__", str(place.script("tell")))
    assert told["parent"] == place.server.pid
    assert told["title"] == "phasegate: tell plan a b ü"
    assert told["signals"] == {"1": "0", "2": str(signal.default_int_handler), "15": "0", "17": "0"} | {"2": told["signals"]["2"]}
    assert "default_int_handler" in told["signals"]["2"]
    assert (told["wakeup"], told["blocked"]) == (-1, [])
    without = json.loads(place.run("tell", "plan", "a b", "ü", cwd=place.root / "scripts", address="")[1])
    assert without["parent"] == os.getpid(), "without a server the client is the script itself"
    same = ("words", "folder", "given", "input", "name", "file", "signals", "wakeup", "blocked")
    assert {key: without[key] for key in same} == {key: told[key] for key in same}


def test_jobs_do_not_hold_the_descriptors_of_the_server_or_of_each_other(place: Place) -> None:
    sleeping = [place.start("sleep") for _ in range(3)]
    for one in sleeping:
        begun(one)
    told = json.loads(place.run("tell")[1])
    assert len(told["descriptors"]) <= 5, "three streams, the connection, and the folder that is being listed"
    for one in sleeping:
        one.kill()


@pytest.mark.parametrize(
    ("name", "code", "out", "err"),
    [
        ("code", 7, "", ""),
        ("text", 1, "", "no such thing\n"),
        ("broken", 1, "before\n", "ZeroDivisionError"),
        ("interrupted", 130, "", ""),
        ("killed", 137, "", ""),
        ("late", 0, "first at the end\n", ""),
    ],
)
def test_end_of_a_script_is_the_end_of_its_client(place: Place, name: str, code: int, out: str, err: str) -> None:
    found = place.run(name)
    assert found[:2] == (code, out)
    assert err in found[2]
    assert place.run("code")[0] == 7, "the server goes on"


def other_token(place: Place) -> str:
    return f"{place.address.partition(':')[0]}:{'0' * 64}"


def no_such_server(place: Place) -> str:
    return f"{place.address}x".replace(":", "y:", 1)


def killed_server(place: Place) -> str:
    place.server.kill()
    place.server.wait()
    return place.address


@pytest.mark.parametrize("address", [other_token, no_such_server, killed_server])
def test_client_that_gets_no_job_is_the_script_itself(place: Place, address: Callable[[Place], str]) -> None:
    code, out, _ = place.run("tell", address=address(place))
    assert code == 0
    assert json.loads(out)["parent"] == os.getpid()


def test_nothing_runs_without_the_token_and_nobody_holds_the_others_up(place: Place) -> None:
    name, _, token = place.address.partition(":")

    def ask(*parts: bytes) -> bytes:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"\0{name}")
            told = b"".join(part + b"\0" for part in parts)
            socket.send_fds(client, [len(told).to_bytes(4, "big") + told], [0, 1, 2])
            client.settimeout(20)
            return client.recv(100)

    script, folder = os.fsencode(place.script("killed")), os.fsencode(place.root)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.connect(f"\0{name}")
        for wrong in (b"", b"0" * 64, token[:-1].encode(), token.encode() + b"0"):
            assert ask(wrong, folder, b"1", script) == b"1\n"
        assert ask(token.encode(), folder, b"1", os.fsencode(place.root / "elsewhere.py")) == b"1\n", "only scripts of Phasegate"
        assert ask(token.encode(), folder, b"many", script) == b"1\n"
        assert ask(token.encode(), folder, b"1", script)[:6] == b"begun\n"
        assert place.run("code")[0] == 7


def test_term_to_the_client_reaches_the_job_and_the_client_waits_for_its_end(place: Place) -> None:
    client = place.start("deaf")
    begun(client)
    client.terminate()
    out, _ = client.communicate(timeout=20)
    assert (client.returncode, out) == (9, "heard\n")


def test_client_ignores_the_signals_of_a_terminal_which_the_job_gets_itself(place: Place) -> None:
    client = place.start("sleep")
    job = begun(client)
    for number in (signal.SIGINT, signal.SIGHUP):
        client.send_signal(number)
    time.sleep(0.3)
    assert job.is_running()
    job.send_signal(signal.SIGINT)
    assert client.wait(20) == 130


def kill_client(place: Place, client: subprocess.Popen[str]) -> None:
    client.kill()


def kill_server(place: Place, client: subprocess.Popen[str]) -> None:
    place.server.kill()


def end_server(place: Place, client: subprocess.Popen[str]) -> None:
    place.server.terminate()


def end_snakemake(place: Place, client: subprocess.Popen[str]) -> None:
    assert place.server.stdin is not None
    place.server.stdin.close()


@pytest.mark.parametrize("happens", [kill_client, kill_server, end_server, end_snakemake])
def test_job_ends_with_its_client_the_server_and_snakemake(place: Place, happens: Callable[[Place, subprocess.Popen[str]], None]) -> None:
    client, other = place.start("sleep"), place.start("sleep")
    job, next_job = begun(client), begun(other)
    happens(place, client)
    assert gone(job)
    assert client.wait(20) in (-signal.SIGKILL, 137, 143)
    if happens is kill_client:
        assert next_job.is_running()
        assert place.run("code")[0] == 7
    else:
        assert gone(next_job)
        assert other.wait(20) in (137, 143)
        place.server.wait(20)
        assert place.run("code")[0] == 7, "without a server"
    other.kill()


def keeping(supervisor: psutil.Process) -> list[psutil.Process]:
    """The keeper and what it keeps, the program first, once all of it is there."""
    found: list[psutil.Process] = []

    def complete() -> bool:
        try:
            found[:] = supervisor.children(recursive=True)
            return len(found) == 5 and all(one.name() == "sleep" for one in found[2:])
        except psutil.Error:  # some are only just becoming what they are to be
            return False

    wait_for(complete)
    return found


def test_what_a_killed_supervisor_and_its_killed_keeper_kept_is_ended(place: Place) -> None:
    client = place.start("keeping")
    supervisor = begun(client)
    keeper, *kept = keeping(supervisor)
    assert keeper.name() == "phasegate-keep"
    supervisor.suspend()  # else it would end them itself
    keeper.kill()
    assert gone(kept[0]), "the kernel ends the program with its keeper"
    assert not gone(kept[1], 0.5), "else this shows nothing"
    supervisor.kill()
    assert client.wait(20) == 137
    assert all(gone(one) for one in kept)
    assert place.run("code")[0] == 7
    assert place.server.poll() is None


def test_a_keeper_whose_supervisor_was_killed_goes_on_with_its_work(place: Place) -> None:
    client = place.start("keeping")
    supervisor = begun(client)
    keeper, *kept = keeping(supervisor)
    keeper.suspend()
    supervisor.kill()
    assert client.wait(20) == 137
    assert not gone(keeper, 0.5)
    keeper.resume()
    assert all(gone(one) for one in (keeper, *kept))


def test_end_of_a_job_that_leaves_a_fork_behind_is_not_taken_for_the_end_of_another_client(place: Place) -> None:
    for _ in range(20):
        leaving = [place.start("leaving") for _ in range(3)]
        client = place.start("sleep")
        job = begun(client)
        assert [one.wait(20) for one in leaving] == [0, 0, 0]
        time.sleep(0.1)
        assert job.is_running()
        assert client.poll() is None
        assert place.server.poll() is None
        client.kill()


def test_server_that_ends_waits_for_jobs_and_tells_how_they_ended(place: Place) -> None:
    client = place.start("deaf")
    begun(client)
    place.server.terminate()
    assert client.wait(20) == 9
    assert place.server.wait(20) == 0


def test_server_outlives_the_signals_of_a_terminal(place: Place) -> None:
    client = place.start("sleep")
    begun(client)
    for number in (signal.SIGINT, signal.SIGHUP):
        place.server.send_signal(number)
    assert place.run("code")[0] == 7
    client.kill()


def test_what_snakemake_ignores_is_ignored_by_jobs(tmp_path: Path) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        place = Place(tmp_path / "nohup")
    finally:
        signal.signal(signal.SIGHUP, before)
    assert json.loads(place.run("tell")[1])["signals"]["1"] == "1"
    place.server.kill()
    place.server.wait()


def test_server_that_is_busy_getting_ready_ends_with_snakemake(tmp_path: Path) -> None:
    place = Place(tmp_path / "busy")
    place.server.kill()
    place.server.wait()
    place.script("start_run").write_text("import time; time.sleep(60)")
    code = (
        "import sys, time; from pathlib import Path; from workflow.forks import starting\n"
        "print(starting.launch(Path(sys.argv[1]))[0].pid, flush=True); time.sleep(60)"
    )
    program = str(place.root / "workflow/forks/server.py")
    with subprocess.Popen([sys.executable, "-c", code, program], cwd=place.root, stdout=subprocess.PIPE, text=True) as snakemake:
        assert snakemake.stdout is not None
        server = psutil.Process(int(snakemake.stdout.readline()))
        time.sleep(2)
        assert server.is_running()
        snakemake.kill()
    assert gone(server)
