"""Cores are those that the process may use; Windows looks after a limited number of processes."""

from __future__ import annotations

import os
import sys

import pytest

from engine.machine import cores, worker_processes


def test_cores_are_those_of_the_affinity(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 5, 7}, raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 64)
    assert cores() == 3


def test_windows_has_no_affinity_and_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 128)
    monkeypatch.setattr(sys, "platform", "linux")
    assert (cores(), worker_processes(100)) == (128, 100)
    monkeypatch.setattr(sys, "platform", "win32")
    assert (cores(), worker_processes(100), worker_processes(8)) == (60, 60, 8)
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert cores() == 1
