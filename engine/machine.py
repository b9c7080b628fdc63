"""What this machine lets a process have. Knows affinity and one limit of Windows; does not know what is done with it."""

from __future__ import annotations

import os
import sys

_WINDOWS_PROCESSES = 60  # Windows waits for 63 handles at once, and a pool of processes needs two of them for itself


def cores() -> int:
    """Processor cores that this process may use: a batch system or a container often gives fewer than there are."""
    return worker_processes(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def worker_processes(wanted: int) -> int:
    """As many as wanted, or as one process can look after here."""
    return min(wanted, _WINDOWS_PROCESSES) if sys.platform == "win32" else wanted
