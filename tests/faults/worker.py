"""A fake agent. It reports what it does to a history outside of the run, works a little, and ends.

Started as a configured runner: `python -I -S worker.py [--seconds 0.1] [--child] [--daemon] [--deaf] [--wait FILE]`.
Where FAULTS_HISTORY is a path, events are appended to that file; where it is `@name`, they are sent to that abstract
socket, which a sandbox does not hide.

While any process of an attempt is alive it holds a socket name that belongs to the agent. An attempt that finds the
name taken reports `overlap`: the kernel says that two attempts of one agent are alive at once.
"""

import argparse
import json
import os
import signal
import socket
import sys
import time

DEAF = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PLACE = os.path.dirname(os.environ["PHASEGATE_BRIEF"])  # .../<phase>/agents/<agent>/attempts/<number>
PHASE, AGENT = PLACE.split("/")[-5], PLACE.split("/")[-3]


def report(kind, **more):
    """Append one event, whole or not at all."""
    event = {"kind": kind, "at": time.monotonic(), "wall": time.time(), "phase": PHASE, "agent": AGENT, "attempt": PLACE}
    event |= {"token": os.environ["FAULTS_TOKEN"]}
    with open("/proc/self/stat") as file:
        event |= {"pid": os.getpid(), "start": int(file.read().rpartition(")")[2].split()[19])} | more
    line = (json.dumps(event) + "\n").encode()
    goal = os.environ["FAULTS_HISTORY"]
    if goal.startswith("@"):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
            way.sendto(line, "\0" + goal[1:])
        return
    handle = os.open(goal, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
    os.write(handle, line)
    os.close(handle)


def claim():
    """Hold the agent's name as long as any process of this attempt lives."""
    name = os.path.dirname(os.path.dirname(PLACE))
    mine = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    try:
        mine.bind("\0" + os.environ["FAULTS_TOKEN"].rpartition(".")[0] + name[-60:])
    except OSError:
        report("overlap")
    mine.set_inheritable(True)
    return mine


def leave_behind(daemon):
    """Fork a process that stays: a plain child that keeps the output open, or a daemon without any of our variables."""
    if os.fork():
        return
    if daemon:
        os.setsid()
        if os.fork():
            os._exit(0)
        null = os.open(os.devnull, os.O_RDWR)
        for handle in range(3):
            os.dup2(null, handle)
    report("daemon" if daemon else "child")
    os.execve("/bin/sleep", ["sleep", "600"], {} if daemon else dict(os.environ))


def work(options):
    """Write a file of the agent's own, in two steps, so that a killed agent leaves half of it."""
    os.makedirs(PHASE, exist_ok=True)
    with open(f"{PHASE}/{AGENT}.txt", "w") as file:
        file.write(f"{PHASE} {AGENT}\n")
        file.flush()
        time.sleep(options.seconds)
        file.write("".join(f"line {number}\n" for number in range(100)))


def wait_for(path):
    """Wait until a file is there."""
    while not os.path.exists(path):
        time.sleep(0.02)


def main():
    """One attempt."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--seconds", type=float, default=0.1)
    parser.add_argument("--child", action="store_true")
    parser.add_argument("--daemon", action="store_true")
    parser.add_argument("--deaf", action="store_true")
    parser.add_argument("--wait")
    options = parser.parse_args()
    if options.deaf:
        for number in DEAF:
            signal.signal(number, signal.SIG_IGN)
    guard = claim()
    report("begin")
    for wanted, daemon in ((options.child, False), (options.daemon, True)):
        if wanted:
            leave_behind(daemon)
    work(options)
    if options.wait:
        wait_for(options.wait)
    sys.stdout.flush()
    report("end", code=0, guard=guard.fileno())
    os._exit(0)


if __name__ == "__main__":
    main()
