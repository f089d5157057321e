"""The zip of a bundle as it has to be, to the last byte. Standard library only, so that it works anywhere.

Entries lie one behind the other from the first byte on, in the order of the directory that ends the file. There are no
comments, extra fields, gaps, folders or links. So nothing overlaps, nothing is hidden before, between or behind the
entries, and whatever program unpacks a bundle finds what was verified. Format: PKWARE APPNOTE.TXT 6.3.
"""

from __future__ import annotations

import hashlib
import os
import struct
import threading
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO

EPOCH = (1980, 1, 1, 12, 1, 0)
DATE, TIME = 1 << 5 | 1, 12 << 11 | 1 << 5  # EPOCH as MS-DOS has it
VERSION, VERSION_64, UNIX, UTF8 = 20, 45, 3, 0x800
CHUNK = 1 << 20
BATCH, SMALL = 100, 1 << 21  # entries that a thread takes at once; bytes for which no thread is started
UNPACKED_LIMIT = 4 << 30
NAME_SHOWN = 200
HEADER = 30  # bytes of an entry's header before its name
READING = threading.Lock()
COUNT_LIMIT, PLACE_LIMIT = 0xFFFF, 0x7FFFFFFF  # beyond these zipfile adds the records of ZIP64


def shown(name: str) -> str:
    """The name of an entry for a message: quoted, and not longer than a line or two."""
    return repr(name) if len(name) <= NAME_SHOWN else f"{name[:NAME_SHOWN]!r}... ({len(name)} characters)"


def oddities(file: BinaryIO, archive: zipfile.ZipFile) -> Iterator[str]:
    """What is not as it has to be in the zip that `file` holds: the first thing, or nothing. Nothing is unpacked."""
    place, directory = 0, []
    total = sum(info.file_size for info in archive.infolist())
    if total > UNPACKED_LIMIT:
        yield f"it would unpack to {total} bytes; no more than {UNPACKED_LIMIT} are read"
        return
    for info in archive.infolist():
        head, entry = _headers(info, place)
        file.seek(place)
        if info.header_offset != place or file.read(len(head)) != head:
            yield f"its entry {shown(info.filename)} is not as Phasegate writes one, or overlaps others, or has bytes hidden before it"
            return
        directory.append(entry)
        place += len(head) + info.compress_size
    file.seek(place)
    wanted = b"".join(directory)
    wanted += _end(len(directory), len(wanted), place)
    if file.read(len(wanted) + 1) != wanted:
        yield "bytes that belong to no file are hidden in it (a comment, an extra field, or data before, between or behind its entries)"


def _headers(info: zipfile.ZipInfo, place: int) -> tuple[bytes, bytes]:
    """The header of an entry that begins at `place`, and its line in the directory."""
    name = info.filename.encode("utf-8", "surrogatepass")
    flags = 0 if info.filename.isascii() else UTF8
    method = zipfile.ZIP_STORED if info.compress_type == zipfile.ZIP_STORED else zipfile.ZIP_DEFLATED
    facts = (flags, method, TIME, DATE, info.CRC, info.compress_size, info.file_size, len(name), 0)
    mode = info.external_attr & 0xFFFF0000
    head = struct.pack("<4s5H3L2H", b"PK\3\4", VERSION, *facts)
    entry = struct.pack("<4s4B4H3L5H2L", b"PK\1\2", VERSION, UNIX, VERSION, 0, *facts, 0, 0, 0, mode, place)
    return head + name, entry + name


def _end(count: int, size: int, place: int) -> bytes:
    """What follows the directory of `count` entries and `size` bytes that begins at `place`."""
    more = b""
    if count > COUNT_LIMIT or max(size, place) > PLACE_LIMIT:
        more = struct.pack("<4sQ2H2L4Q", b"PK\6\6", 44, VERSION_64, VERSION_64, 0, 0, count, count, size, place)
        more += struct.pack("<4sLQL", b"PK\6\7", 0, place + size, 1)
    counted = min(count, COUNT_LIMIT)
    return more + struct.pack("<4s4H2LH", b"PK\5\6", 0, 0, counted, counted, min(size, 0xFFFFFFFF), min(place, 0xFFFFFFFF), 0)


def hashes(file: BinaryIO, infos: Sequence[zipfile.ZipInfo]) -> Iterator[str | Exception]:
    """SHA-256 of the content of each entry, in their order, or the zlib.error or BadZipFile that says how it is damaged.

    `oddities` has found nothing. Inflating and hashing leave the interpreter to others meanwhile, so that every processor works.
    """
    batches = [infos[begin : begin + BATCH] for begin in range(0, len(infos), BATCH)]
    if len(batches) == 1 or sum(info.compress_size for info in infos) < SMALL:
        for batch in batches:
            yield from _hashes(file, batch)
        return
    from concurrent.futures import ThreadPoolExecutor

    with ThreadPoolExecutor(os.cpu_count()) as pool:
        try:
            for found in pool.map(lambda batch: _hashes(file, batch), batches):
                yield from found
        finally:
            pool.shutdown(cancel_futures=True)


def _hashes(file: BinaryIO, infos: Sequence[zipfile.ZipInfo]) -> list[str | Exception]:
    found: list[str | Exception] = []
    for info in infos:
        try:
            found.append(sha256(file, info))
        except (zlib.error, zipfile.BadZipFile) as error:
            found.append(error)
    return found


def sha256(file: BinaryIO, info: zipfile.ZipInfo) -> str:
    """Hash of the content of an entry; `oddities` has found nothing. BadZipFile or zlib.error where it is damaged."""
    digest, crc, size = hashlib.sha256(), 0, 0
    for piece in _content(file, info):
        size += len(piece)
        if size > info.file_size:
            raise zipfile.BadZipFile("it unpacks to more than it claims")
        digest.update(piece)
        crc = zlib.crc32(piece, crc)
    if (size, crc) != (info.file_size, info.CRC):
        raise zipfile.BadZipFile("its size or its CRC is not the one that it claims")
    return digest.hexdigest()


def _content(file: BinaryIO, info: zipfile.ZipInfo) -> Iterator[bytes]:
    """The content of an entry in pieces of at most CHUNK bytes. BadZipFile where its compressed form ends early or goes on."""
    pieces = _pieces(file, info.header_offset + HEADER + len(info.filename.encode("utf-8", "surrogatepass")), info.compress_size)
    if info.compress_type == zipfile.ZIP_STORED:
        yield from pieces
        return
    unpacker = zlib.decompressobj(-15)
    for piece in pieces:
        raw = piece
        while raw and not unpacker.eof:
            yield unpacker.decompress(raw, CHUNK)
            raw = unpacker.unconsumed_tail
        if raw:
            raise zipfile.BadZipFile("bytes lie behind its end")
    yield unpacker.flush()
    if not unpacker.eof or unpacker.unused_data:
        raise zipfile.BadZipFile("its compressed form ends early, or bytes lie behind its end")


def _pieces(file: BinaryIO, place: int, size: int) -> Iterator[bytes]:
    """The bytes of a file from a place on; several threads may read it."""
    while size > 0:
        with READING:
            file.seek(place)
            raw = file.read(min(CHUNK, size))
        if not raw:
            return
        place, size = place + len(raw), size - len(raw)
        yield raw
