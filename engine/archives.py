"""Files of text, plain or compressed, and standard input, as a stream of blocks.

Knows .zst, .gz, .bz2 and .xz by their first bytes, whatever the file is called, what is no text (.zip, UTF-16), and how
far a file is read. Does not know what the text says.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import io
import lzma
import re
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, cast

from engine.errors import DataError
from engine.files import replacing

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

try:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        from backports import zstd
except ImportError:  # only .zst files need it
    zstd = None  # type: ignore[assignment]

STANDARD_INPUT = Path("-")
"""Stands for standard input, or output, wherever a file may."""

_BLOCK = 1 << 20
_WIDEST_WINDOW = 31  # of `zstd --long=31`; memory only if asked
_ENDINGS = {b"\x1f\x8b": ".gz", b"BZh": ".bz2", b"\xfd7zXZ\0": ".xz", b"]\0\0": ".xz"}
_ZSTD, _SKIPPABLE = b"\x28\xb5\x2f\xfd", b"\x2a\x4d\x18"  # the last three bytes of a frame that holds no text
PACKED = (".zst", ".gz", ".bz2", ".xz")
"""Endings of what is unpacked while it is read."""
_FOREIGN = {b"PK\x03\x04": ".zip", b"PK\x05\x06": ".zip", b"7z\xbc\xaf": ".7z", b"Rar!": ".rar", b"\x04\x22\x4d\x18": ".lz4"}
NOT_UNPACKED = (".zip", ".7z", ".rar", ".lz4", ".tar", ".tgz", ".tbz2", ".txz")
"""Endings of archives that are not read."""
_EVERY_OTHER_ZERO = re.compile(rb"(?:[^\0]\0){4}|(?:\0[^\0]){4}")
_HEAD = 512
_TAR = slice(257, 262)
DAMAGE: tuple[type[Exception], ...] = (EOFError, OSError, zlib.error, lzma.LZMAError) + ((zstd.ZstdError,) if zstd else ())
"""What reading a truncated or damaged archive raises; all blocks before the damage have come by then."""


@dataclass
class Archive:
    """An opened file."""

    name: str
    size: int
    """Bytes on disk, as compressed as they are; 0 = not known."""
    _raw: IO[bytes]
    _text: IO[bytes]

    @property
    def bytes_read(self) -> int:
        """Bytes read from the disk so far; 0 where there is no telling."""
        return self._raw.tell() if self.size else 0

    def blocks(self) -> Iterator[bytes]:
        """The decompressed bytes. Raises one of DAMAGE where the file is broken, and DataError where they are no text."""
        read = getattr(self._text, "read1", self._text.read)  # read() would lose what comes just before the damage
        first = True
        while block := read(_BLOCK):
            if first:
                _expect_text(block[:_HEAD], self.name)
            first = False
            yield block

    def close(self) -> None:
        """Close the file; standard input stays open."""
        for stream in {self._text, self._raw} - {sys.stdin.buffer}:
            stream.close()


class _Rejoined(io.RawIOBase):
    """A stream whose first bytes have been read already."""

    def __init__(self, head: bytes, rest: IO[bytes]) -> None:
        self._head, self._rest = head, rest

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: WriteableBuffer) -> int:
        view = memoryview(buffer).cast("B")
        block = self._head[: len(view)] or self._rest.read1(len(view))  # type: ignore[attr-defined]
        self._head = self._head[len(block) :]
        view[: len(block)] = block
        return len(block)


def open_archive(path: Path) -> Archive:
    """Open a file, or standard input for ``-``. Raises DataError when it cannot be opened, or its first bytes say that it
    is no text."""
    try:
        raw = cast("IO[bytes]", sys.stdin.buffer if path == STANDARD_INPUT else path.open("rb"))
        size = 0 if path == STANDARD_INPUT else path.stat().st_size
        head = raw.read(_HEAD)
    except OSError as error:
        raise DataError(f"expected a readable file at {path}: {error.strerror or error}") from error
    try:
        _expect_text(head, str(path))
        return Archive(str(path), size, raw, _decompressed(raw, head))
    except DataError:
        if path != STANDARD_INPUT:
            raw.close()
        raise


def read_whole(path: Path) -> bytes:
    """All of a file, or of standard input for ``-``, unpacked. Raises DataError, also for one that is damaged."""
    archive = open_archive(path)
    try:
        return b"".join(archive.blocks())
    except DAMAGE as error:
        text = error.strerror if isinstance(error, OSError) else ""
        raise DataError(f"it is damaged ({text or error}); mend it or get it again") from None
    finally:
        archive.close()


def _expect_text(head: bytes, name: str) -> None:
    """Raises DataError for what begins like something else, with the way to make text of it."""
    kind = next((kind for magic, kind in _FOREIGN.items() if head.startswith(magic)), ".tar" if head[_TAR] == b"ustar" else "")
    if kind:
        raise DataError(f"expected games as text, {name} is a {kind} archive; unpack it first")
    if head.startswith((b"\xff\xfe", b"\xfe\xff")) or _EVERY_OTHER_ZERO.match(head):
        raise DataError(f"expected text in UTF-8 or Latin-1, {name} is UTF-16; convert it with `iconv -f UTF-16 -t UTF-8`")


def _decompressed(raw: IO[bytes], head: bytes) -> IO[bytes]:
    whole = cast("IO[bytes]", io.BufferedReader(_Rejoined(head, raw), _BLOCK))  # a pipe cannot be wound back
    if head.startswith(_ZSTD) or (head[1:4] == _SKIPPABLE and 0x50 <= head[0] < 0x60):
        widest = {_expect_zstd().DecompressionParameter.window_log_max: _WIDEST_WINDOW}
        return cast("IO[bytes]", zstd.ZstdFile(whole, options=widest))
    packing = next((ending for magic, ending in _ENDINGS.items() if head.startswith(magic)), "")
    if packing == ".gz":
        return cast("IO[bytes]", gzip.GzipFile(fileobj=whole))
    if packing == ".xz":
        return lzma.LZMAFile(whole)
    return bz2.BZ2File(whole) if packing == ".bz2" else whole


def _expect_zstd() -> Any:
    if zstd is None:
        raise DataError(".zst needs the Python package backports.zstd, found none; install it, or use .gz or plain files")
    return zstd


@contextlib.contextmanager
def open_output(path: Path) -> Iterator[IO[bytes]]:
    """A file to write, compressed as its name says, or standard output for ``-``.

    A file comes to its name only when it is whole. Raises DataError for one that exists or cannot be written.
    """
    if path == STANDARD_INPUT:
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
        return
    if path.exists():
        raise DataError(f"{path} exists already; choose another --out or remove it first")
    try:
        with replacing(path) as partial, partial.open("wb") as raw, _compressed(raw, path.suffix.lower()) as stream:
            yield stream
    except OSError as error:
        raise DataError(f"could not write {path}: {error.strerror or error}; make room or choose another --out") from error


def _compressed(raw: IO[bytes], suffix: str) -> contextlib.AbstractContextManager[IO[bytes]]:
    if suffix == ".zst":
        return cast("contextlib.AbstractContextManager[IO[bytes]]", _expect_zstd().ZstdFile(raw, "w"))
    if suffix == ".gz":
        return cast("contextlib.AbstractContextManager[IO[bytes]]", gzip.GzipFile(fileobj=raw, mode="wb"))
    if suffix == ".bz2":
        return cast("contextlib.AbstractContextManager[IO[bytes]]", bz2.BZ2File(raw, "w"))
    if suffix == ".xz":
        return cast("contextlib.AbstractContextManager[IO[bytes]]", lzma.LZMAFile(raw, "w"))
    return contextlib.nullcontext(raw)
