"""What this machine lets a process have. Knows affinity and one limit of Windows; does not know what is done with it."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

_WINDOWS_PROCESSES = 60  # Windows waits for 63 handles at once, and a pool of processes needs two of them for itself


def cores() -> int:
    """Processor cores that this process may use: a batch system or a container often gives fewer than there are."""
    return worker_processes(len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1)


def worker_processes(wanted: int) -> int:
    """As many as wanted, or as one process can look after here."""
    return min(wanted, _WINDOWS_PROCESSES) if sys.platform == "win32" else wanted


def has_nvidia_driver() -> bool:
    """Whether this system has NVIDIA's driver; bin/bootstrap.py, which stands alone, asks the same."""
    if sys.platform == "win32":
        return (Path(os.environ.get("SYSTEMROOT", "")) / "System32" / "nvcuda.dll").exists()
    return Path("/proc/driver/nvidia/version").exists() or shutil.which("nvidia-smi") is not None
