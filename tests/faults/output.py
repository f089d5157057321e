"""An agent that prints without end: what its log takes on the disk, and its supervisor of memory."""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

from faults import census
from faults.desks import lay_out, start

LOG_LIMIT, RSS_LIMIT = 2_000_000 + 1000, 50_000_000
BULK = "import os; open('made.txt', 'w').write('x'); line = b'%s\\n'; left = {size}\nwhile left > 0: left -= os.write(1, line)" % (
    "x" * 65535
)
DRIP = "import os; open('made.txt', 'w').write('x')\nfor _ in range({size}): os.write(1, b'x')"


@dataclass(frozen=True)
class Printed:
    """What an agent that prints much cost."""

    log_bytes: int
    rss_bytes: int
    code: int

    @property
    def good(self) -> bool:
        """Whether it is as little as it must be."""
        return self.log_bytes <= LOG_LIMIT and 0 < self.rss_bytes <= RSS_LIMIT and self.code == 0


def flood(folder: Path, size: int, program: str = BULK) -> Printed:
    """Let an agent print `size` bytes; the supervisor's memory is the kernel's own peak (VmHWM)."""
    desk = lay_out(folder, {"phases": {"plan": {"gate": "none", "agents": {"loud": {}}}}, "runners": {}})
    loud = {"command": [sys.executable, "-I", "-S", "-c", program.format(size=size)], "env": [census.TOKEN], "prompt": "file"}
    desk.configure({"plan": {"gate": "none", "agents": {"loud": {}}}}, {"loud": loud}, runner="loud", sandbox="off")
    token = f"output-{time.time_ns()}"
    call = start(desk, folder / "call.log", f"{token}.1")
    peak = 0
    try:
        while call.poll() is None:
            peak = max([peak, *(peak_of(process.pid) for process in supervisors(token))])
            time.sleep(0.01)
    finally:
        census.kill_all(token)
    log = desk.path / "runs/demo/plan/agents/loud/attempts/001/output.log"
    return Printed(log.stat().st_size, peak, call.returncode)


def supervisors(token: str) -> list[census.Process]:
    """The living supervisors of a campaign."""
    return [process for process in census.carrying(token) if census.script_of(process.words) == "run_agent"]


def peak_of(pid: int) -> int:
    """The most memory that a process has held so far, in bytes; 0 where it has ended."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:")), 0)
