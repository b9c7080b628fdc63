"""Files that are whole or absent, and files that one process keeps for itself. Knows names, disks and locks; does not know
what is written."""

from __future__ import annotations

import contextlib
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

PARTIAL = ".partial"
"""Ends the name of what is not whole yet."""


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary name beside ``path`` for a new file or folder, which gets the name ``path`` when the block ends.

    A reader sees what was there before or the whole new one. After an error the old one stays and the temporary one is
    removed. Raises OSError as the system does, for instance when the disk is full.
    """
    partial = path.with_name(path.name + PARTIAL)
    try:
        yield partial
        _to_disk(partial)
        os.replace(partial, path)
        _to_disk(path.parent)
    finally:
        if partial.is_dir():
            shutil.rmtree(partial, ignore_errors=True)
        else:
            partial.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """``text`` in UTF-8 as the whole of ``path``. Raises OSError."""
    with replacing(path) as partial:
        partial.write_text(text, encoding="utf-8")


def write_bytes(path: Path, data: bytes) -> None:
    """``data`` as the whole of ``path``. Raises OSError."""
    with replacing(path) as partial:
        partial.write_bytes(data)


def _to_disk(path: Path) -> None:
    """A name that is given before its bytes are on the disk would be a hole after a power cut."""
    if path.is_dir():
        if os.name != "posix":  # elsewhere folders cannot be opened
            return
        folder = os.open(path, os.O_RDONLY)
        with contextlib.suppress(OSError):  # some network file systems: the name is then as safe as it can be
            os.fsync(folder)
        os.close(folder)
        return
    with path.open("r+b") as file:
        os.fsync(file.fileno())


def lock(file: IO[Any]) -> bool:
    """Keep ``file`` for this process until it is closed; False if another one has it. The lock goes with the process, however
    it ends. Where there are no locks (Windows, some network file systems) nothing is kept, and the answer is True."""
    try:
        import fcntl
    except ImportError:
        return True
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return True
    return True
