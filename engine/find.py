"""Which net is played, and what its file says of itself before it is opened.

Knows where nets are looked for, and just enough of the ONNX file format to read the metadata: opening a net takes a quarter
of a second, which ``uciok`` must not wait for. Imports nothing heavy.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from engine.errors import NetError

DEFAULT_NET = "transcendence.onnx"
ENVIRONMENT = "TRANSCENDENCE_MODEL"
CONTRACT = "1"
"""Version of docs/onnx-contract.md that this program writes and reads."""
PREFIX = "transcendence."
"""Of the metadata's keys that are ours."""

_METADATA = 14  # ModelProto.metadata_props: messages of key (1) and value (2)
_NUMBER, _BYTES = 0, 2  # protobuf's wire types of a number and of bytes with their length in front
_FIXED_SIZES = {1: 8, 5: 4}  # and of those with a fixed size


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
            entries = [dict(_parts(io.BytesIO(entry), (1, 2))) for _, entry in _parts(file, (_METADATA,))]
        found = {entry.get(1, b"").decode("utf-8"): entry.get(2, b"").decode("utf-8") for entry in entries}
    except (OSError, ValueError) as error:
        raise NetError(f"expected a net (an .onnx file) at {path}: {error}; is the file whole?") from None
    return {key.removeprefix(PREFIX): value for key, value in found.items() if key.startswith(PREFIX)}


def _parts(file: BinaryIO, wanted: tuple[int, ...]) -> Iterator[tuple[int, bytes]]:
    """Those fields of a protobuf message that have a length and a wanted number. Raises ValueError for what is no message."""
    while (tag := _varint(file)) is not None:
        wire = tag & 7
        size = _varint(file) if wire in (_NUMBER, _BYTES) else _FIXED_SIZES.get(wire)
        if size is None:
            raise ValueError("not in the format of ONNX")
        if wire == _BYTES and tag >> 3 in wanted:
            yield tag >> 3, file.read(size)
        elif wire != _NUMBER:
            file.seek(size, os.SEEK_CUR)


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
