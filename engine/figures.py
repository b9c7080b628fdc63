"""Figures by matplotlib, an optional package: what is said where it is missing, or where a figure cannot be written.

Knows matplotlib's Figure, not pyplot: nothing opens a window. Does not know what is drawn.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.errors import ConfigError

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MISSING = "expected matplotlib for --figure; run pip install 'transcendence-chess[report]'"


def has_matplotlib(without: str = "") -> bool:
    """Whether figures can be drawn; if not, ``without`` is printed on standard error with the way out."""
    if find_spec("matplotlib") is not None:
        return True
    if without:
        print(f"{without}: matplotlib is missing; run pip install 'transcendence-chess[report]'", file=sys.stderr)
    return False


def expect_matplotlib() -> None:
    """Raises ConfigError where no figure can be drawn: before a measurement that takes minutes."""
    if not has_matplotlib():
        raise ConfigError(_MISSING)


def new_figure(**settings: Any) -> Figure:
    """An empty figure; ``settings`` are matplotlib's. Raises ConfigError without matplotlib."""
    expect_matplotlib()
    from matplotlib.figure import Figure

    return Figure(**settings)


def save_figure(figure: Figure, path: Path, **settings: Any) -> None:
    """Write a figure. Raises ConfigError where the path or its ending does not allow it."""
    try:
        figure.savefig(path, **settings)
    except (OSError, ValueError) as error:
        raise ConfigError(f"could not write the figure {path}: {error}") from error
