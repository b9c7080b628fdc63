"""Files of text, plain or compressed, and standard input, as a stream of blocks.

Knows .zst, .gz and .bz2 by their first bytes, whatever the file is called, and how far a file is read. Does not know
what the text says.
"""

from __future__ import annotations

import bz2
import contextlib
import gzip
import os
import sys
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, cast

from engine.errors import DataError

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
_UTF16 = (b"\xff\xfe", b"\xfe\xff")
DAMAGE = (EOFError, OSError, zlib.error, *([] if zstd is None else [zstd.ZstdError]))
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
        """The decompressed bytes. Raises one of DAMAGE where the file is broken."""
        read = getattr(self._text, "read1", self._text.read)  # read() would lose what comes just before the damage
        while block := read(_BLOCK):
            yield block

    def close(self) -> None:
        """Close the file; standard input stays open."""
        for stream in {self._text, self._raw} - {sys.stdin.buffer}:
            stream.close()


def open_archive(path: Path) -> Archive:
    """Open a file, or standard input for ``-``. Raises DataError when it cannot be opened."""
    try:
        raw = cast("IO[bytes]", sys.stdin.buffer if path == STANDARD_INPUT else path.open("rb"))
        size = 0 if path == STANDARD_INPUT else path.stat().st_size
    except OSError as error:
        raise DataError(f"expected a readable file at {path}: {error.strerror or error}") from error
    magic = raw.peek(4)[:4]  # type: ignore[attr-defined]
    if magic.startswith(_UTF16):
        raw.close()
        raise DataError(f"expected text in UTF-8 or Latin-1, {path} is UTF-16; convert it with `iconv -f UTF-16 -t UTF-8`")
    return Archive(str(path), size, raw, _decompressed(raw, magic))


def _decompressed(raw: IO[bytes], magic: bytes) -> IO[bytes]:
    if magic == b"\x28\xb5\x2f\xfd":
        widest = {_expect_zstd().DecompressionParameter.window_log_max: 31}  # of `zstd --long=31`; memory only if asked
        return cast("IO[bytes]", zstd.ZstdFile(raw, options=widest))
    if magic.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.GzipFile(fileobj=raw))
    return bz2.BZ2File(raw) if magic.startswith(b"BZh") else raw


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
    partial = path.with_name(path.name + ".partial")
    try:
        with partial.open("wb") as raw, _compressed(raw, path.suffix) as stream:
            yield stream
        os.replace(partial, path)
    except OSError as error:
        raise DataError(f"could not write {path}: {error.strerror or error}; make room or choose another --out") from error
    finally:
        partial.unlink(missing_ok=True)


def _compressed(raw: IO[bytes], suffix: str) -> contextlib.AbstractContextManager[IO[bytes]]:
    if suffix == ".zst":
        return cast("contextlib.AbstractContextManager[IO[bytes]]", _expect_zstd().ZstdFile(raw, "w"))
    if suffix == ".gz":
        return cast("contextlib.AbstractContextManager[IO[bytes]]", gzip.GzipFile(fileobj=raw, mode="wb"))
    if suffix == ".bz2":
        return cast("contextlib.AbstractContextManager[IO[bytes]]", bz2.BZ2File(raw, "w"))
    return contextlib.nullcontext(raw)
