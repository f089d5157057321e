"""Ways out of a sandbox: each is tried for real under every protection, and without any, where it works.

A way out is judged by the world outside, not by what the program says. What a protection is known to leave open stands in
`OPEN`; config/README.md tells it to people.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from conftest import ROOT, wait_for
from faults.fit import unfit

from workflow.forks import ADDRESS, starting
from workflow.work import sandbox

KINDS = ("none", *sandbox.KINDS)
SUPERVISOR = f"""
import json, os, sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from workflow.work import processes, sandbox
spec = json.loads(sys.argv[1])
room = sandbox.Room.inside(Path(spec["work"]))
env = sandbox.environment(room, (), spec["variables"] | {{"SUPERVISOR": str(os.getpid())}})
walls = sandbox.Walls(spec["kind"], room, tuple(map(Path, spec["reads"])), (), spec["network"])
command = [sys.executable, "-c", spec["script"]]
processes.run(walls.around(command, Path.cwd(), env["PATH"]), room.tree, env, Path(spec["work"], "log"), 60)
print("alive")
"""
BEGIN = """
import os, socket, subprocess, sys
from pathlib import Path
place = {name.lower(): Path(value) for name, value in os.environ.items() if name.startswith("PLACE_")}
marker, other, key, config, program, path = (place["place_" + name] for name in "marker other key config program path".split())
supervisor = int(os.environ["SUPERVISOR"])
def loot(text):
    Path("loot").open("a").write(text)
def attempt(*words):
    for word in words:
        try:
            word()
        except (OSError, ValueError) as error:
            print(type(error).__name__, error)
"""


@dataclass
class World:
    """A working directory with two runs, a home folder with a key, Phasegate's programs, and a place for anything else."""

    desk: Path
    home: Path
    program: Path
    path: Path

    @property
    def marker(self) -> Path:
        """The marker of the phase whose agent works."""
        return self.desk / "runs/demo/plan/APPROVED"

    @property
    def other(self) -> Path:
        """A file of another run."""
        return self.desk / "runs/other/plan/secret"

    @property
    def work(self) -> Path:
        """The folder of the attempt."""
        return self.desk / "runs/demo/plan/agents/writer/attempts/001/work"

    @property
    def loot(self) -> str:
        """What the program has carried home."""
        found = self.work / "tree/loot"
        return found.read_text() if found.is_file() else ""

    def let(self, kind: str, script: str, network: bool = True, **variables: str) -> str:
        """Let a program try; what its supervisor says afterwards."""
        places = {f"PLACE_{name.upper()}": str(getattr(self, name)) for name in ("marker", "other", "program", "path")}
        places |= {"PLACE_KEY": str(self.home / ".ssh/id"), "PLACE_CONFIG": str(self.desk / "config/config.yaml"), **variables}
        spec = {"kind": kind, "script": BEGIN + script, "work": str(self.work), "reads": [str(self.program.parent)]}
        words = [sys.executable, "-c", SUPERVISOR, json.dumps(spec | {"network": network, "variables": places})]
        env = {**os.environ, "HOME": str(self.home), "PLANTED": "planted"}
        return subprocess.run(words, cwd=self.desk, env=env, capture_output=True, text=True, timeout=120).stdout


@pytest.fixture
def world(tmp_path: Path) -> World:
    made = World(tmp_path / "desk", tmp_path / "home", tmp_path / "phasegate/scripts/run_agent.py", tmp_path / "anything")
    for file in (made.other, made.home / ".ssh/id", made.desk / "config/config.yaml", made.program):
        file.parent.mkdir(parents=True)
        file.write_text("secret")
    made.marker.parent.mkdir(parents=True)
    (made.work / "tree").mkdir(parents=True)
    return made


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest) -> str:
    if request.param != "none" and not sandbox.works(request.param):
        unfit(f"{request.param} does not work here")
    return str(request.param)


@dataclass(frozen=True)
class Way:
    """A way out: what a program does, and how one sees outside that it got there. `before` lays something out."""

    name: str
    script: str
    there: Callable[[World], bool]
    before: Callable[[World], object] = lambda world: None
    root: bool = False


def planted(world: World) -> bool:
    return "secret" in world.loot


def opened(world: World) -> bool:
    return "opened" in world.loot


def approved(world: World) -> None:
    """A marker of an earlier round, a day old."""
    world.marker.write_text("an earlier approval")
    os.utime(world.marker, (time.time() - 86400,) * 2)


WAYS = (
    Way("write the own marker", "attempt(lambda: marker.touch())", lambda world: world.marker.exists()),
    Way("write into another run", "attempt(lambda: other.write_text('x'))", lambda world: world.other.read_text() == "x"),
    Way("remove another run", "import shutil; attempt(lambda: shutil.rmtree(other.parent))", lambda world: not world.other.exists()),
    Way("read another run", "attempt(lambda: loot(other.read_text()))", planted),
    Way("read a key in the home folder", "attempt(lambda: loot(key.read_text()))", planted),
    Way("read the configuration", "attempt(lambda: loot(config.read_text()))", planted),
    Way("list the runs", "attempt(lambda: loot('secret' * ('other' in os.listdir(other.parents[2]))))", planted),
    Way(
        "change Phasegate's programs",
        "attempt(lambda: program.write_text('x'), lambda: program.unlink())",
        lambda world: not world.program.exists(),
    ),
    Way(
        "write through a symbolic link",
        "attempt(lambda: os.symlink(marker, 'link'), lambda: Path('link').write_text('x'))",
        lambda world: world.marker.exists(),
    ),
    Way(
        "read through a linked folder",
        "attempt(lambda: os.symlink(other.parent, 'folder'), lambda: loot(Path('folder/secret').read_text()))",
        planted,
    ),
    Way(
        "write through a hard link",
        "attempt(lambda: os.link(other, 'hard'), lambda: Path('hard').write_text('x'))",
        lambda world: world.other.read_text() == "x",
    ),
    Way("move a file out", "Path('own').touch(); attempt(lambda: os.rename('own', marker))", lambda world: world.marker.exists()),
    Way(
        "write through /proc",
        "for one in ('self', '1', os.getppid(), supervisor): attempt(lambda: Path(f'/proc/{one}/root{marker}').touch())",
        lambda world: world.marker.exists(),
    ),
    Way(
        "write through another's folder in /proc",
        "for one in (os.getppid(), supervisor): attempt(lambda: Path(f'/proc/{one}/cwd/runs/demo/plan/APPROVED').touch())",
        lambda world: world.marker.exists(),
    ),
    Way(
        "read the supervisor's variables",
        "for one in (os.getppid(), supervisor): attempt(lambda: loot(Path(f'/proc/{one}/environ').read_text()))",
        lambda world: "PLANTED=planted" in world.loot,
    ),
    Way(
        "read the supervisor's memory",
        "for one in (os.getppid(), supervisor): attempt(lambda: (open(f'/proc/{one}/mem', 'rb'), loot('opened')))\n"
        "Path('loot').unlink() if not Path(f'/proc/{supervisor}').exists() else None",  # its own processes do not count
        opened,
    ),
    Way("empty a marker", "attempt(lambda: os.truncate(marker, 0))", lambda world: world.marker.stat().st_size == 0, approved),
    Way(
        "set the time of a marker",
        "attempt(lambda: os.utime(marker))",
        lambda world: time.time() - world.marker.stat().st_mtime < 3600,
        approved,
    ),
    Way(
        "open a key to everybody",
        "attempt(lambda: key.chmod(0o666))",
        lambda world: bool((world.home / ".ssh/id").stat().st_mode & 0o004),
        lambda world: (world.home / ".ssh/id").chmod(0o600),
    ),
    Way(
        "take away what covers it",
        "run = ['unshare', '-Urm', 'sh', '-c', 'umount -l \"$1\"; umount -l /tmp; cat \"$2\"', 'sh', str(config.parents[1]), str(other)]\n"
        "loot(subprocess.run(run, capture_output=True, text=True).stdout)\n"
        "attempt(lambda: loot(other.read_text()))",
        planted,
    ),
    Way(
        "write to the system's folders",
        "subprocess.run(['mount', '-o', 'remount,rw', '/'])\nsubprocess.run(['mount', '-o', 'remount,rw,bind', '/etc'])\n"
        "for name in ('/etc', '/root', '/usr'): attempt(lambda: Path(name, path.name).write_text('x'))",
        lambda world: any(Path(name, world.path.name).exists() for name in ("/etc", "/root", "/usr")),
        root=True,
    ),
    Way(
        "change the kernel's settings",
        "attempt(lambda: (open('/proc/sys/kernel/domainname', 'w'), loot('opened')))",
        opened,
        root=True,
    ),
)
OPEN = {("set the time of a marker", "landlock"), ("open a key to everybody", "landlock")}


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_no_way_leads_out_of_a_sandbox_and_each_does_without_one(way: Way, kind: str, world: World) -> None:
    if way.root and os.getuid():
        pytest.skip("only root could do this without a sandbox")
    world.path = Path(f"phasegate-escape-{os.getpid()}")
    way.before(world)
    try:
        assert world.let(kind, way.script) == "alive\n"
        assert way.there(world) is (kind == "none" or (way.name, kind) in OPEN), (world.work / "log").read_text()
    finally:
        for name in ("/etc", "/root", "/usr"):
            Path(name, world.path.name).unlink(missing_ok=True)


def test_the_supervisor_and_its_keeper_cannot_be_signalled(kind: str, world: World) -> None:
    kill = "for one in {os.getppid(), supervisor} - {0, 1}: attempt(lambda: os.kill(one, 9))\nimport time; time.sleep(0.5)"
    assert world.let(kind, kill) == ("" if kind == "none" else "alive\n")


ASK = """
name = os.environ["SERVER"]
def found():
    yield "0" * 64
    for one in filter(str.isdigit, os.listdir("/proc")):
        try:
            variables = Path("/proc", one, "environ").read_bytes().split(bytes(1))
        except OSError:
            continue
        yield from (value.decode().rpartition(":")[2] for value in variables if value.startswith(f"PHASEGATE_FORKS={name}:".encode()))
def ask(token):
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(chr(0) + name)
        told = b"".join(part.encode() + bytes(1) for part in (token, os.getcwd(), "2", os.environ["SCRIPT"], "--help"))
        socket.send_fds(client, [len(told).to_bytes(4, "big") + told], [0, 1, 2])
        loot(client.recv(100).decode())
for token in {os.environ.get("PHASEGATE_FORKS", "").rpartition(":")[2], *found()}:
    attempt(lambda: ask(token))
"""


def test_nobody_in_a_sandbox_gets_a_job_from_the_server_of_forks(kind: str, world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    server, address = starting.launch(ROOT / "workflow/forks/server.py")
    try:
        monkeypatch.setenv(ADDRESS, address)
        assert world.let(kind, ASK, SERVER=address.partition(":")[0], SCRIPT=str(ROOT / "scripts/run_agent.py")) == "alive\n"
        assert ("begun" in world.loot) is (kind == "none"), (world.work / "log").read_text()
        assert server.poll() is None
    finally:
        server.kill()
        server.wait()


@pytest.fixture
def listen() -> Iterator[Callable[..., list[str]]]:
    """`listen(family, kind, address)`: a server of this machine; the list that it returns holds who came."""
    held: list[socket.socket] = []

    def start(family: int, way: int, address: object) -> tuple[socket.socket, list[str]]:
        one = socket.socket(family, way)
        one.bind(address)
        held.append(one)
        came: list[str] = []

        def take() -> None:
            while True:
                try:
                    came.append(one.accept()[0].recv(10).decode() if way == socket.SOCK_STREAM else one.recv(10).decode())
                except OSError:
                    return

        if way == socket.SOCK_STREAM:
            one.listen()
        threading.Thread(target=take, daemon=True).start()
        return one, came

    yield start
    for one in held:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)  # wakes up who waits for it
        one.close()


CALL = """
family, way, address = int(os.environ["PLACE_FAMILY"]), int(os.environ["PLACE_WAY"]), eval(os.environ["PLACE_ADDRESS"])
def call():
    with socket.socket(family, way) as one:
        one.settimeout(5)
        one.connect(address)
        one.send(b"hello")
def by_a_pair():
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    left.sendto(b"hello", address)
attempt(call, *([by_a_pair] if family == socket.AF_UNIX and way == socket.SOCK_DGRAM else []))
"""


def calls(world: World, kind: str, listen: Callable[..., object], family: int, way: int, address: object, network: bool) -> bool:
    """Whether a program reaches a server that listens there."""
    one, came = listen(family, way, address)
    where = one.getsockname()
    said = world.let(kind, CALL, network, PLACE_FAMILY=str(int(family)), PLACE_WAY=str(int(way)), PLACE_ADDRESS=repr(where))
    assert said == "alive\n"
    time.sleep(0.1)
    return came == ["hello"] or len(came) > 1


@pytest.mark.parametrize("way", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["tcp", "udp"])
@pytest.mark.parametrize("network", [True, False], ids=["on", "off"])
def test_with_network_off_no_server_of_this_machine_is_reached(way: int, network: bool, kind: str, world: World, listen: object) -> None:
    assert kind == "none" or sandbox.closes_network(kind)
    reached = calls(world, kind, listen, socket.AF_INET, way, ("127.0.0.1", 0), network)
    assert reached is (network or kind == "none")


@pytest.mark.parametrize("way", [socket.SOCK_STREAM, socket.SOCK_DGRAM], ids=["stream", "datagram"])
def test_sockets_in_tmp_are_out_of_reach(way: int, kind: str, world: World, listen: object) -> None:
    folder = tempfile.mkdtemp(prefix="sockets-", dir="/tmp")
    try:
        assert calls(world, kind, listen, socket.AF_UNIX, way, f"{folder}/agent", True) is (kind == "none")
    finally:
        shutil.rmtree(folder)


def test_sockets_of_the_users_session_are_out_of_reach(kind: str, world: World, listen: object) -> None:
    folder = Path(f"/run/user/{os.getuid()}")
    made = not folder.exists()
    try:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / f"phasegate-{os.getpid()}"
        (path).unlink(missing_ok=True)
    except OSError:
        unfit(f"{folder} cannot be written")
    try:
        assert calls(world, kind, listen, socket.AF_UNIX, socket.SOCK_STREAM, str(path), True) is (kind == "none")
    finally:
        path.unlink(missing_ok=True)
        if made:
            folder.rmdir()


def test_abstract_sockets_are_out_of_reach_of_landlock_and_of_bubblewrap_without_network(kind: str, world: World, listen: object) -> None:
    """They have no place in the file system; with bubblewrap they belong to the network, and go with it."""
    name = f"\0phasegate-{kind}-{os.getpid()}"
    assert calls(world, kind, listen, socket.AF_UNIX, socket.SOCK_STREAM, name, True) is (kind != "landlock")
    assert calls(world, kind, listen, socket.AF_UNIX, socket.SOCK_STREAM, name + "2", False) is (kind == "none")


def test_shared_memory_of_others_is_out_of_reach_of_bubblewrap_and_is_not_listed_under_landlock(kind: str, world: World) -> None:
    with tempfile.NamedTemporaryFile("w", dir="/dev/shm") as shared:
        shared.write("secret")
        shared.flush()
        world.let(kind, f"attempt(lambda: loot(Path({shared.name!r}).read_text()))\nattempt(lambda: loot(str(os.listdir('/dev/shm'))))")
        assert planted(world) is (kind != "bubblewrap")
        assert (Path(shared.name).name in world.loot) is (kind == "none")


DAEMON = """
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        for handle in range(3):
            os.close(handle)
        os.execv("/bin/sleep", ["sleep", str(path)])
    os._exit(0)
os.wait()
"""


def sleepers(seconds: str) -> list[psutil.Process]:
    return [one for one in psutil.process_iter(["cmdline"]) if one.info["cmdline"] == ["sleep", seconds]]


def test_a_daemon_does_not_live_on(kind: str, world: World) -> None:
    """The keeper ends it in every case; without one it lives."""
    seconds = f"{600 + os.getpid() / 1e7:.7f}"
    world.path = Path(seconds)
    assert world.let(kind, DAEMON) == "alive\n"
    assert sleepers(seconds) == []
    if kind == "none":
        nowhere = dict.fromkeys((f"PLACE_{name}" for name in ("MARKER", "OTHER", "KEY", "CONFIG", "PROGRAM")), "/nowhere")
        env = {**os.environ, **nowhere, "PLACE_PATH": seconds, "SUPERVISOR": "0"}
        subprocess.run([sys.executable, "-c", BEGIN + DAEMON], env=env, check=True)
        wait_for(lambda: bool(sleepers(seconds)))
        for one in sleepers(seconds):
            one.kill()
