"""Signatures: what people sign with their SSH keys, and whose signature it is.

`ssh-keygen -Y` does both (OpenSSH 8.9 or newer), so that keys in an agent and on hardware work, and so that no cryptography is
done here. Whose key counts stands in a file in OpenSSH's format ALLOWED SIGNERS (ssh-keygen(1)); here each of its lines must
name people one by one: a pattern or a certificate authority would let the holder of one key appear under several names.
Standard library only, so that an outsider can verify without installing anything.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import re
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from workflow.errors import UsageError

APPROVAL, FEEDBACK = "phasegate-approval", "phasegate-feedback"
PROGRAM = "ssh-keygen"
LIMIT = 1 << 20
PATIENCE_S = 30
KEY_TYPE = re.compile(r"(ssh|ecdsa|sk)-[A-Za-z0-9@.-]+")
TOKENS = re.compile(r'(?:[^\s"]|"(?:\\.|[^"\\])*")+')
PRINCIPAL = re.compile(r'[^\s,"*?!#\x00-\x1f\x7f]+')
GOOD = re.compile(r'Good "[^"]*" signature for .* key (SHA256:[A-Za-z0-9+/]{43})=?')


class SignatureError(Exception):
    """A signature does not count; the text is the reason."""


@dataclass(frozen=True)
class Signer:
    """Whose signature it is: the name that was claimed, every name that the key stands under, and the key's fingerprint."""

    principal: str
    names: frozenset[str]
    key: str


@dataclass(frozen=True)
class Keys:
    """The keys that count: the bytes of the file, and the names of each key by its fingerprint."""

    content: bytes
    names: dict[str, frozenset[str]]


def read_keys(path: Path, run_dir: Path | None = None) -> Keys:
    """The allowed signers in a file. SignatureError where it cannot be trusted or a line cannot be understood.

    `run_dir` is the run whose gates it opens: the file must lie outside of all runs beside it, and only its owner may write it.
    Without one it is an outsider's own copy.
    """
    if run_dir is not None:
        refuse_inside(path, run_dir.parent)
    try:
        with path.open("rb") as file:
            found = os.fstat(file.fileno())
            content = file.read(LIMIT + 1) if stat.S_ISREG(found.st_mode) else None
    except OSError as error:
        raise SignatureError(f"allowed_signers {path} cannot be read ({error.strerror})") from error
    if content is None or len(content) > LIMIT:
        raise SignatureError(f"allowed_signers {path} is not a plain file of at most {LIMIT} bytes")
    if run_dir is not None:
        refuse_shared(path, found.st_mode)
    return Keys(content, _names(path, content))


def refuse_inside(path: Path, runs: Path) -> None:
    """SignatureError for a file that lies where runs write, also by a link."""
    if path.resolve().is_relative_to(runs.resolve()):
        raise SignatureError(f"allowed_signers {path} lies inside {runs}, where a run writes; keep it elsewhere")


def refuse_shared(path: Path, mode: int) -> None:
    """SignatureError for a file that others than its owner can write."""
    if mode & 0o022:
        raise SignatureError(f"allowed_signers {path} can be written by others than its owner; chmod go-w it")


def _names(path: Path, content: bytes) -> dict[str, frozenset[str]]:
    found: dict[str, frozenset[str]] = {}
    for number, line in enumerate(content.decode("utf-8", "replace").splitlines(), 1):
        if line.strip() and not line.lstrip().startswith("#"):
            try:
                key, names = _entry(line)
            except ValueError as error:
                raise SignatureError(f"allowed_signers {path}:{number}: {error}") from error
            found[key] = found.get(key, frozenset()) | names
    return found


def _entry(line: str) -> tuple[str, frozenset[str]]:
    """Fingerprint and names in a line: principals, options, key type, key, comment. ValueError for any other."""
    words = TOKENS.findall(line)
    place = next((index for index, word in enumerate(words[1:3], 1) if KEY_TYPE.fullmatch(word)), None)
    if place is None or len(words) < place + 2:
        raise ValueError("is not `names [options] key-type key`")
    if place == 2 and re.search(r"(?i)(^|,)cert-authority", words[1]):
        raise ValueError("names a certificate authority; name each person with their own key")
    names = words[0].strip('"').split(",")
    wrong = [name for name in names if not PRINCIPAL.fullmatch(name)]
    if wrong:
        raise ValueError(f"`{wrong[0]}` is not the name of one person; patterns do not count")
    return fingerprint(words[place + 1]), frozenset(names)


def fingerprint(key: str) -> str:
    """The fingerprint of a public key in base64, as ssh-keygen prints it. ValueError for anything else."""
    try:
        blob = base64.b64decode(key, validate=True)
    except binascii.Error as error:
        raise ValueError("holds a key that is not base64") from error
    return "SHA256:" + base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")


def verify(content: bytes, signature: bytes, principal: str, keys: Keys, namespace: str, moment: datetime | None = None) -> Signer:
    """Whose signature of `content` this is. SignatureError where ssh-keygen does not find it good.

    The key must be valid at `moment` (now, where it is None).
    """
    if not PRINCIPAL.fullmatch(principal):
        raise SignatureError("names nobody who could have signed it")
    with tempfile.TemporaryDirectory(prefix="phasegate-verify-") as name:
        allowed, given = Path(name, "allowed_signers"), Path(name, "signature")
        allowed.write_bytes(keys.content)
        given.write_bytes(signature)
        when = ["-Overify-time=" + moment.astimezone(UTC).strftime("%Y%m%d%H%M%S")] if moment else []
        words = ["verify", *when, "-f", str(allowed), "-I", principal, "-n", namespace, "-s", str(given)]
        code, said, wrong = _keygen(words, content)
    key = next((match[1] for line in said.splitlines() if (match := GOOD.fullmatch(line))), None)
    if code != 0 or key is None:
        raise SignatureError(f"is not signed by {principal}: {_reason(wrong or said, name)}")
    return _known(Signer(principal, keys.names.get(key, frozenset()), key))


def _known(signer: Signer) -> Signer:
    """The signer, whose key must be listed under the claimed name also as we read the file."""
    if signer.principal not in signer.names:
        raise SignatureError(f"is not signed by {signer.principal}: the key {signer.key} is not listed under that name")
    return signer


def _reason(said: str, folder: str) -> str:
    """What ssh-keygen says, in one line, without the folder in which it was asked."""
    lines = [line.replace(f"{folder}/", "").strip() for line in said.splitlines() if line.strip()]
    told = [line for line in lines if line not in ("Could not verify signature.", "Signature verification failed: incorrect signature")]
    return "; ".join(told) or "the signature does not fit the text, or the key is not listed"


def sign(content: bytes, key: Path, namespace: str) -> bytes:
    """The signature of `content` by a key: a private one, or the public one of a key that an agent or a device holds.

    UsageError in one line where ssh-keygen refuses. What it asks (a passphrase, a touch) it asks on the terminal.
    """
    words = ["sign", "-f", str(key), "-n", namespace]
    code, said, wrong = _keygen(words, content, None if sys.stderr.isatty() else subprocess.PIPE, None)
    if code != 0 or "BEGIN SSH SIGNATURE" not in said:
        told = "; ".join(line.strip() for line in wrong.splitlines() if line.strip() and not line.startswith("Signing data"))
        raise UsageError(f"key={key}: ssh-keygen did not sign ({told or 'see what it says above'}); give the file of an SSH key")
    return said.encode()


def _keygen(
    words: list[str], content: bytes, errors: int | None = subprocess.PIPE, patience: float | None = PATIENCE_S
) -> tuple[int, str, str]:
    """Exit code, output and errors of `ssh-keygen -Y`. 127 where it is not installed, and 124 where it does not end."""
    env = {**os.environ, "LC_ALL": "C", "TZ": "UTC"}
    try:
        done = subprocess.run(
            [PROGRAM, "-Y", *words], input=content, stdout=subprocess.PIPE, stderr=errors, env=env, timeout=patience, check=False
        )
    except FileNotFoundError:
        return 127, "", f"{PROGRAM} is not installed; install OpenSSH"
    except subprocess.TimeoutExpired:
        return 124, "", f"{PROGRAM} did not end within {PATIENCE_S} s"
    return done.returncode, done.stdout.decode("utf-8", "replace"), (done.stderr or b"").decode("utf-8", "replace")


def names_of_key(key: Path, keys: Keys) -> Iterator[str]:
    """The names under which a key is listed, from its public part: the file itself, or the one beside it that ends in .pub."""
    for path in (key, key.with_name(f"{key.name}.pub")):
        try:
            words = path.read_text(encoding="utf-8").split()
            found = keys.names.get(fingerprint(words[1]), frozenset()) if KEY_TYPE.fullmatch(words[0]) else frozenset()
        except (OSError, ValueError, IndexError):
            continue
        yield from sorted(found)
