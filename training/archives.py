"""Text files, plain or compressed, as a stream of lines: .zst, .gz, .bz2 or none of these."""

from __future__ import annotations

import bz2
import gzip
import io
import sys
from pathlib import Path
from typing import IO, TextIO, cast

from engine.errors import DataError

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd


def open_binary(path: Path) -> IO[bytes]:
    """The decompressed bytes of a file. Raises DataError when it cannot be opened."""
    try:
        if path.suffix == ".zst":
            return cast(IO[bytes], zstd.open(path, "rb"))
        if path.suffix == ".gz":
            return cast(IO[bytes], gzip.open(path, "rb"))
        if path.suffix == ".bz2":
            return bz2.open(path, "rb")
        return path.open("rb")
    except OSError as error:
        raise DataError(f"expected a readable file at {path}: {error.strerror or error}") from error


def open_text(path: Path) -> TextIO:
    """The decompressed text of a file; bytes that are not UTF-8 are read as Latin-1, so old PGN survives."""
    return io.TextIOWrapper(open_binary(path), encoding="utf-8", errors="surrogateescape", newline="")
