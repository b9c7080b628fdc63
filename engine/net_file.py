"""Which net is played, and what its file says of itself before it is opened.

Knows where nets are looked for, and just enough of the ONNX file format to tell the metadata from the rest: opening a net takes
a quarter of a second, which ``uciok`` must not wait for. Imports nothing heavy.
"""

from __future__ import annotations

import hashlib
import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from engine.errors import NetError

DEFAULT_NET = "transcendence.onnx"
ENVIRONMENT = "TRANSCENDENCE_MODEL"
CONTRACT = "2"
"""Version of docs/onnx-contract.md that this program writes."""
CONTRACTS = ("1", CONTRACT)
"""Versions that it reads: nets of version 1 have no king codes in their board input."""
PREFIX = "transcendence."
"""Of the metadata's keys that are ours."""

_METADATA = 14  # ModelProto.metadata_props: messages of a key and a value
_KEY, _VALUE = 1, 2
_NUMBER, _BYTES = 0, 2  # protobuf's wire types of a number and of bytes with their length in front
_FIXED_SIZES = {1: 8, 5: 4}  # and of those with a fixed size
_DAMAGE = (OSError, ValueError, OverflowError, MemoryError)  # the last two: of sizes that are none


def find_net(configured: str | None = None) -> Path:
    """The net to play: the one named, else by environment, beside the program, in the checkout, in the wheel.

    A name that was given is never replaced by another net. Raises NetError with every path that was tried.
    """
    named = configured or os.environ.get(ENVIRONMENT)
    if named:
        return _named(Path(named), source="the option Model" if configured else f"the environment variable {ENVIRONMENT}")
    tried = list(dict.fromkeys(_places()))
    for path in tried:
        if path.is_file():
            return path
    raise NetError(
        f"found no net; looked at {', '.join(map(str, tried))}. Set the option Model or the environment variable "
        f"{ENVIRONMENT} to an .onnx file that bin/export wrote"
    )


def _named(path: Path, *, source: str) -> Path:
    """A name as given, else beside the program and among the nets that ship: GUIs change the working directory."""
    tried = [path] if path.is_absolute() else [path, *(folder / path for folder in _folders())]
    for candidate in tried:
        if candidate.is_file():
            return candidate.resolve()
    raise NetError(f"{source} names a net that is not there; looked at {', '.join(map(str, tried))}")


def _folders() -> Iterator[Path]:
    yield Path(sys.argv[0]).resolve().parent
    yield Path(__file__).resolve().parents[1] / "models"
    yield Path(__file__).resolve().parent / "models"


def _places() -> Iterator[Path]:
    return (folder / DEFAULT_NET for folder in _folders())


def read_metadata(path: Path) -> dict[str, str]:
    """Our metadata of an ONNX file, without the prefix; the graph is skipped. Raises NetError when it cannot be read."""
    try:
        with path.open("rb") as file:
            fields = _fields(file)
            entries = [_entry(file.read(end - content)) for number, _, content, end in fields if number == _METADATA]
    except _DAMAGE as error:
        raise _unreadable(path, error) from None
    return {key.removeprefix(PREFIX): value for key, value in entries if key.startswith(PREFIX)}


def digest(path: Path) -> str:
    """Sixteen hex digits of a net's file without the metadata: a dial that is written changes nothing. Raises NetError."""
    sha = hashlib.sha256()
    try:
        with path.open("rb") as file:
            for number, begin, content, end in _fields(file):
                if number != _METADATA:
                    file.seek(begin)
                    sha.update((end - content).to_bytes(8) + file.read(end - begin))
    except _DAMAGE as error:
        raise _unreadable(path, error) from None
    return sha.hexdigest()[:16]


def _unreadable(path: Path, error: Exception) -> NetError:
    return NetError(f"expected a net (an .onnx file) at {path}: {str(error) or type(error).__name__}; is the file whole?")


def _entry(message: bytes) -> tuple[str, str]:
    """Key and value of one piece of metadata."""
    file = io.BytesIO(message)
    parts = {number: message[content:end].decode("utf-8") for number, _, content, end in _fields(file)}
    return parts.get(_KEY, ""), parts.get(_VALUE, "")


def _fields(file: BinaryIO) -> Iterator[tuple[int, int, int, int]]:
    """A protobuf message's fields: number, where it begins, where its content begins (the file stands there) and where it ends.
    Raises ValueError for what is no message."""
    begin = 0
    while (tag := _varint(file)) is not None:
        wire = tag & 7
        size = _varint(file) if wire in (_NUMBER, _BYTES) else _FIXED_SIZES.get(wire)
        if size is None:
            raise ValueError("not in the format of ONNX")
        size = 0 if wire == _NUMBER else size  # the number itself has been read
        content = file.tell()
        yield tag >> 3, begin, content, content + size
        begin = file.seek(content + size)


def _varint(file: BinaryIO) -> int | None:
    """Protobuf's number of variable length; None at the end of the file."""
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            return None
        value |= (byte[0] & 127) << shift
        if byte[0] < 128:
            return value
    raise ValueError("not in the format of ONNX")
