"""Fixtures that all tests share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.nets import tiny_net


@pytest.fixture(scope="session")
def random_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a small net with random weights that sees the board with attacks."""
    return tiny_net(tmp_path_factory.mktemp("nets") / "random.onnx")


@pytest.fixture(scope="session")
def blind_net(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Path of a small net with random weights that sees moves only."""
    return tiny_net(tmp_path_factory.mktemp("nets") / "blind.onnx", board_input="none")
