"""The lines of a run's metrics.jsonl: one JSON object each, of kind "train" or "validation".

Knows the file and which of its lines count. Does not know torch or what the figures mean.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from engine.errors import DataError

METRICS = "metrics.jsonl"
Line = dict[str, Any]


def append(folder: Path, line: Line) -> None:
    """One more line."""
    with (folder / METRICS).open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def read(folder: Path) -> list[Line]:
    """All lines by step. Raises DataError where there is no such file or a line of it is damaged.

    A killed run goes on from its last checkpoint and writes some steps once more: the last line of a step counts. A line
    without an end is still being written.
    """
    path = folder / METRICS
    try:
        text = path.read_text(encoding="utf-8")
        lines = [json.loads(line) for line in text.splitlines(keepends=True) if line.endswith("\n")]
        newest = {(line["step"], line["kind"]): line for line in lines}
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise DataError(f"expected a run's metrics at {path}: {error}") from error
    return [newest[key] for key in sorted(newest)]
