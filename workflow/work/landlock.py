"""Landlock: a program forbids itself everything but what it is given, for good and for all its children, and becomes another.

`python -I -S landlock.py SPEC -- command...` with SPEC as JSON: {read: [paths], write: [paths], network: bool}.

Three things together, because none is enough: Landlock (docs.kernel.org/userspace-api/landlock.html) for files and signals;
a seccomp filter for what Landlock leaves open: sockets in the file system (docker's, D-Bus', ssh-agent's), the keyring, and
the network as a whole; and no capabilities, for root. It needs Landlock's third version (Linux 6.2): before that a program
can empty files that it cannot open. What it cannot close: times, modes and owners of files of the user, the names of
processes, System V and POSIX shared memory whose names can be guessed.
"""

from __future__ import annotations

import ctypes
import errno
import json
import os
import platform
import struct
import sys
from collections.abc import Iterable, Sequence

CREATE, ADD_RULE, RESTRICT = 444, 445, 446  # the numbers of these system calls are the same everywhere
LOWEST = 3
RULE_PATH_BENEATH = 1
EXECUTE, WRITE_FILE, READ_FILE, READ_DIR = 1, 1 << 1, 1 << 2, 1 << 3
REFER, TRUNCATE, IOCTL_DEV = 1 << 13, 1 << 14, 1 << 15
UP_TO_MAKE = (1 << 13) - 1
FILES = {3: UP_TO_MAKE | REFER | TRUNCATE, 5: UP_TO_MAKE | REFER | TRUNCATE | IOCTL_DEV}  # version to what it handles
OF_A_FILE = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV  # the rest is about folders
NODES = 1 << 6 | 1 << 11  # character and block devices
READ = EXECUTE | READ_FILE | READ_DIR
SCOPES = 3  # abstract sockets, signals
DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom")
MEMORY = "/dev/shm"  # noqa: S108

NO_NEW_PRIVS, SET_SECCOMP, DROP_BOUNDING = 38, 22, 24
AF_UNIX, AF_VSOCK, SOCK_DGRAM = 1, 40, 2
IO_URING_SETUP = 425
# architecture: its name to the kernel's audit, then socket, socketpair, add_key, request_key, keyctl
CALLS = {"x86_64": (0xC000003E, 41, 53, 248, 249, 250), "aarch64": (0xC00000B7, 198, 199, 217, 218, 219)}
X32 = 0x40000000
ALLOW, REFUSE = 0x7FFF0000, 0x00050000


class Impossible(Exception):
    """What is asked for cannot be kept here."""


libc = ctypes.CDLL(None, use_errno=True)


def _call(number: int, *words: object) -> int:
    found = libc.syscall(ctypes.c_long(number), *words)
    if found < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return int(found)


def _prctl(option: int, *words: int | ctypes.c_void_p) -> None:
    given = [word if isinstance(word, ctypes.c_void_p) else ctypes.c_ulong(word) for word in (*words, 0, 0, 0, 0)[:4]]
    if libc.prctl(option, *given) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def version() -> int:
    """The version of Landlock here; 0 where there is none."""
    try:
        return _call(CREATE, None, ctypes.c_size_t(0), ctypes.c_uint32(1))
    except OSError:
        return 0


def restrict_files(read: Iterable[str], write: Iterable[str]) -> None:
    """Only `read` can be read and executed from now on, only `write` changed; nobody outside can be signalled (version 6)."""
    here = version()
    if here < LOWEST:
        raise Impossible(f"this kernel has version {here} of Landlock, {LOWEST} is needed (Linux 6.2)")
    handled = FILES[5 if here >= 5 else 3]
    wanted = struct.pack("QQQ", handled, 0, SCOPES if here >= 6 else 0)[: 24 if here >= 6 else 8]
    ruleset = _call(CREATE, wanted, ctypes.c_size_t(len(wanted)), ctypes.c_uint32(0))
    everything = handled & ~NODES
    rules = [(path, READ) for path in (*read, "/proc")] + [(path, everything) for path in write]
    rules += [(path, READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV) for path in DEVICES]
    rules.append((MEMORY, everything & ~(READ_DIR | EXECUTE)))  # names in it cannot be listed
    for path, access in rules:
        _allow(ruleset, path, access & handled)
    _call(RESTRICT, ctypes.c_int(ruleset), ctypes.c_uint32(0))
    os.close(ruleset)


def _allow(ruleset: int, path: str, access: int) -> None:
    try:
        place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except OSError:
        return  # it is not there
    try:
        if not os.path.isdir(path):
            access &= OF_A_FILE
        _call(ADD_RULE, ctypes.c_int(ruleset), ctypes.c_int(RULE_PATH_BENEATH), struct.pack("=Qi", access, place), ctypes.c_uint32(0))
    finally:
        os.close(place)


def filter_calls(network: bool) -> None:
    """No sockets in the file system, no keyring; without `network` no sockets at all but pairs."""
    if platform.machine() not in CALLS:
        raise Impossible(f"the system calls of {platform.machine()} are not known")
    rules = _program(*CALLS[platform.machine()], network)
    code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *rule) for rule in rules))
    header = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(rules), ctypes.addressof(code)))
    _prctl(SET_SECCOMP, 2, ctypes.cast(header, ctypes.c_void_p))


Rule = tuple[int, int, int, int]


def _program(audit: int, socket: int, pair: int, add_key: int, request_key: int, keyctl: int, network: bool) -> list[Rule]:
    """The filter, in the kernel's packet filter language (linux/filter.h): operation, jump if true, jump if false, value."""
    load, equal, greater, mask, end = 0x20, 0x15, 0x35, 0x54, 0x06
    denied, unknown = REFUSE | errno.EACCES, REFUSE | errno.ENOSYS
    rules: list[Rule] = [(load, 0, 0, 4), (equal, 1, 0, audit), (end, 0, 0, unknown)]  # 32-bit programs have other numbers
    rules += [(load, 0, 0, 0), (greater, 0, 1, X32), (end, 0, 0, unknown)]
    for number in (IO_URING_SETUP, add_key, request_key, keyctl):  # io_uring makes sockets past this filter
        rules += [(equal, 0, 1, number), (end, 0, 0, unknown)]
    if network:
        families = [(load, 0, 0, 16), (equal, 1, 0, AF_UNIX), (equal, 0, 1, AF_VSOCK), (end, 0, 0, denied), (end, 0, 0, ALLOW)]
    else:
        families = [(end, 0, 0, denied)]
    rules += [(equal, 0, len(families), socket), *families]
    kinds = [(load, 0, 0, 24), (mask, 0, 0, 15), (equal, 0, 1, SOCK_DGRAM), (end, 0, 0, denied)]  # a pair of these can send anywhere
    return [*rules, (equal, 0, len(kinds), pair), *kinds, (end, 0, 0, ALLOW)]


def drop_capabilities() -> None:
    """What root may do beyond what its files allow is given up, also for what is executed later."""
    for number in range(64):
        try:
            _prctl(DROP_BOUNDING, number)
        except OSError as error:
            if error.errno == errno.EINVAL:
                break
            if error.errno != errno.EPERM:
                raise
    header, none = ctypes.create_string_buffer(struct.pack("Ii", 0x20080522, 0)), ctypes.create_string_buffer(24)
    if libc.capset(header, none) < 0:
        raise OSError(ctypes.get_errno(), "capabilities cannot be dropped")


def restrict(read: Iterable[str], write: Iterable[str], network: bool) -> None:
    """Everything that this program can do to itself. Impossible or OSError where a part of it does not work."""
    drop_capabilities()
    _prctl(NO_NEW_PRIVS, 1)
    restrict_files(read, write)
    filter_calls(network)


def main(words: Sequence[str]) -> int:
    """Restrict this process and become the command; the exit code where that does not work."""
    spec, command = json.loads(words[0]), list(words[2:])
    folders = [""] if "/" in command[0] else os.get_exec_path()  # now, since it imports a module
    try:
        restrict(spec["read"], spec["write"], spec["network"])
    except (Impossible, OSError) as error:
        print(f"phasegate: Landlock does not work here: {error}", file=sys.stderr)
        return 126
    why = os.strerror(errno.ENOENT)
    for folder in folders:
        try:
            os.execv(os.path.join(folder, command[0]), command)  # noqa: S606
        except OSError as error:
            why = why if error.errno == errno.ENOENT else os.strerror(error.errno or 0)
    print(f"phasegate: cannot start {command[0]}: {why}", file=sys.stderr)
    return 127


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
