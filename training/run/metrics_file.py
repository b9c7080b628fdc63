"""The lines of a run's metrics.jsonl: one JSON object each, of kind "train" or "validation".

Knows the file and which of its lines count. Does not know torch or what the figures mean.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from engine.errors import DataError

METRICS = "metrics.jsonl"
Record = dict[str, Any]


def append(folder: Path, line: Record) -> None:
    """One more line; what a kill or a full disk left of the one before is ended first. Raises DataError."""
    try:
        with (folder / METRICS).open("a+b") as file:
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - 1))
            whole = not size or file.read(1) == b"\n"
            file.write((b"" if whole else b"\n") + json.dumps(line).encode() + b"\n")
    except OSError as error:
        raise DataError(
            f"cannot write {folder / METRICS}: {error.strerror or error}; free some room and give the same command again"
        ) from None


def read(folder: Path) -> list[Record]:
    """All lines by step. Raises DataError where there is no such file or a line of it is damaged.

    A killed run resumes from its last checkpoint and writes some steps once more: the last line of a step counts. A line
    without an end is still being written, and one that was cut short does not count.
    """
    path = folder / METRICS
    try:
        text = path.read_text(encoding="utf-8")
        lines = (_decoded(line) for line in text.splitlines(keepends=True) if line.endswith("\n"))
        newest = {(line["step"], line["kind"]): line for line in lines if line is not None}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"expected a run's metrics at {path}: {error}") from error
    return [newest[key] for key in sorted(newest)]


def _decoded(line: str) -> Record | None:
    """None for one that was cut short: it begins as ours do, and no more can be known of it."""
    try:
        record: Record = json.loads(line)
    except ValueError:
        if not line.startswith("{"):
            raise
        return None
    return record
