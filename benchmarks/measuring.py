"""What benchmarks share: when and where a figure was measured, measuring in turns, and keeping the text.

Knows no benchmark.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from engine.command_line import run_command
from engine.files import write_text

ROOT = Path(__file__).parents[1]


def heading() -> str:
    """Date, commit and machine, the first line of what a benchmark prints."""
    words = ["git", "describe", "--always", "--dirty=, changed since"]
    commit = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    machine = f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores"
    return f"{time.strftime('%Y-%m-%d')}, commit {commit or '?'}, {machine}"


def in_turns(repeats: int, *tasks: Callable[[], float]) -> list[float]:
    """Median of what each task returns, run in turns so that a busy moment hits all."""
    columns = zip(*([task() for task in tasks] for _ in range(repeats)), strict=True)
    return [statistics.median(column) for column in columns]


def keep(text: str, out: Path | None) -> None:
    """Print a report, and write it where told."""
    print(text, end="")
    if out:
        write_text(out, text)


def run(main: Callable[[], None]) -> NoReturn:
    """A benchmark's process: errors that the user can mend are one line and status 2."""
    sys.exit(run_command(Path(sys.argv[0]).stem, main))
