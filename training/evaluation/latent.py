"""A map of what a net's last hidden layer holds: its two main directions over held-out plies (PCA), coloured by what the net
expects, by material and by the mover's rating.

    python -m training.evaluation.latent RUN STORE --points latent.tsv --figure latent.png
    python -m training.evaluation.latent --points latent.tsv --figure latent.png      the figure again, from its file

P plies, W width. Knows the hidden layer through the heads, which only multiply it. Does not know training.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from engine.command_line import run_command
from engine.encoding import men_on
from engine.errors import DataError
from engine.figures import new_figure, save_figure
from engine.files import write_text
from training.batches.rows import Rows
from training.data.store import open_store
from training.net.model import Transformer
from training.run.checkpoint import load_net
from training.run.validation import inputs_of, load_validation

_ROWS_AT_ONCE = 8
_COLUMNS = ("pc1", "pc2", "expected", "men", "elo")

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Map:
    """Plies on the plane of the two main directions."""

    points: Floats
    """(P, 2) coordinates."""
    expected: Floats
    """(P,) points that the net expects for the mover, win + draw / 2."""
    men: Floats
    """(P,) men on the board; NaN for a blind net, whose rows hold no boards."""
    elo: Floats
    """(P,) the mover's rating; NaN where it is not known."""
    explained: tuple[float, float]
    """Share of the hidden layer's variance along each direction."""

    @property
    def explained_by_plane(self) -> float:
        """R² of a linear fit of what the net expects on the two coordinates: how far the plane is a plane of winning."""
        design = np.column_stack([self.points, np.ones(len(self.points))])
        rest = self.expected - design @ np.linalg.lstsq(design, self.expected, rcond=None)[0]
        spread = float(self.expected.var())
        return 1 - float(rest.var()) / spread if spread > 0 else float("nan")


@torch.inference_mode()
def hidden_states(net: Transformer, rows: Rows) -> tuple[Floats, Floats]:
    """(P, W) the layer that both heads read, and (P, 3) win, draw, loss. With the unit matrix for a head, the net's own
    forward pass gives the layer out."""
    head = net.wdl_head
    net.wdl_head = nn.Parameter(torch.eye(net.config.width, device=head.device), requires_grad=False)
    try:
        parts = [
            net(*inputs_of(rows.take(slice(begin, begin + _ROWS_AT_ONCE)), head.device))[1].flatten(0, 1)
            for begin in range(0, len(rows), _ROWS_AT_ONCE)
        ]
    finally:
        net.wdl_head = head
    hidden = torch.cat(parts).float()
    wdl = torch.softmax(hidden @ head.float().mT, dim=-1)
    return hidden.cpu().numpy().astype(np.float64), wdl.cpu().numpy().astype(np.float64)


def principal_plane(hidden: Floats) -> tuple[Floats, tuple[float, float]]:
    """(P, 2) coordinates in the plane of largest variance, and the shares of variance. The sign of a direction is chosen so
    that its largest weight is positive: the same layer gives the same picture."""
    centred = hidden - hidden.mean(axis=0)
    _, sizes, directions = np.linalg.svd(centred, full_matrices=False)
    plane = directions[:2]
    plane = plane * np.sign(plane[np.arange(2), np.abs(plane).argmax(axis=1)])[:, None]
    shares = sizes**2 / max(float((sizes**2).sum()), 1e-12)
    return centred @ plane.T, (float(shares[0]), float(shares[1]))


def map_of(net: Transformer, rows: Rows, *, plies: int, seed: int = 1) -> Map:
    """The map of ``plies`` plies of the rows, drawn at random; the plane is that of all."""
    hidden, wdl = hidden_states(net, rows)
    points, explained = principal_plane(hidden)
    chosen = np.sort(np.random.default_rng(seed).permutation(len(points))[:plies])
    elo = np.where(rows.elo.ravel() > 0, rows.elo.ravel().astype(np.float64), np.nan)
    men = _men(rows, net.config.board_input)
    return Map(points[chosen], (wdl[:, 0] + wdl[:, 1] / 2)[chosen], men[chosen], elo[chosen], explained)


def _men(rows: Rows, board_input: str) -> Floats:
    if board_input == "none":
        return np.full(rows.moves.size, np.nan)
    return men_on(rows.board.reshape(-1, 64), board_input).astype(np.float64)


def as_text(plane: Map) -> str:
    """A file of the map: what it says in comments, then a line a ply."""
    head = f"# explained {plane.explained[0]:.4f} {plane.explained[1]:.4f}\n" + "\t".join(_COLUMNS)
    columns = np.column_stack([plane.points, plane.expected, plane.men, plane.elo])
    lines = ["\t".join(f"{value:.4g}" for value in row) for row in columns]
    return "\n".join([head, *lines]) + "\n"


def read_points(path: Path) -> Map:
    """What ``as_text`` wrote. Raises DataError for a file that is none."""
    try:
        first, names, *lines = path.read_text(encoding="utf-8").splitlines()
        explained = tuple(float(word) for word in first.removeprefix("# explained ").split())
        values = np.array([[float(word) for word in line.split("\t")] for line in lines])
        if names.split("\t") != list(_COLUMNS) or len(explained) != 2 or values.shape[1:] != (len(_COLUMNS),):
            raise ValueError("other columns")
    except (OSError, ValueError) as error:
        raise DataError(f"expected points written by training.evaluation.latent at {path}: {error}") from None
    return Map(values[:, :2], values[:, 2], values[:, 3], values[:, 4], (explained[0], explained[1]))


def described(plane: Map) -> str:
    """One sentence."""
    share = sum(plane.explained)
    return (
        f"{len(plane.points):,} plies; two directions hold {share:.1%} of the layer's variance and tell "
        f"{plane.explained_by_plane:.1%} of the variance of what the net expects"
    )


def draw(plane: Map, path: Path) -> None:
    """A panel for each colouring that the plies allow. Raises ConfigError without matplotlib, or when it cannot be written."""
    panels = [("points that the net expects", plane.expected, "RdYlGn"), ("men on the board", plane.men, "viridis")]
    panels.append(("mover's rating", plane.elo, "plasma"))
    shown = [panel for panel in panels if np.isfinite(panel[1]).any()]
    figure = new_figure(figsize=(4.6 * len(shown), 4), dpi=110, layout="constrained")
    for axes, (title, values, colours) in zip(figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True):
        known = np.isfinite(values)
        dots = axes.scatter(*plane.points[known].T, c=values[known], s=5, cmap=colours, linewidths=0)
        figure.colorbar(dots, ax=axes)
        axes.set(title=title, xlabel=f"PC 1 ({plane.explained[0]:.0%})", ylabel=f"PC 2 ({plane.explained[1]:.0%})")
    save_figure(figure, path)


def parser() -> argparse.ArgumentParser:
    """The options of ``python -m training.evaluation.latent``."""
    options = argparse.ArgumentParser(prog="latent", description="A map of a net's last hidden layer on held-out plies.")
    options.add_argument("run", type=Path, nargs="?", help="the run's folder, made by bin/train; none = read --points")
    options.add_argument("store", type=Path, nargs="?", help="token store; its validation split is read")
    options.add_argument("--plies", type=int, default=2000, help="shown in the map (default: %(default)s)")
    options.add_argument("--of", type=int, default=20_000, help="from which the directions are found (default: %(default)s)")
    options.add_argument("--points", type=Path, help="file of the map, written, or read where no run is given")
    options.add_argument("--figure", type=Path, help="a .png or .svg (needs matplotlib)")
    return options


def main(argv: list[str] | None = None) -> int:
    """Make the map; returns the exit status."""
    arguments = parser().parse_args(argv)
    return run_command("latent", lambda: _make(arguments))


def _make(arguments: argparse.Namespace) -> None:
    plane = _found(arguments)
    print(described(plane))
    if arguments.figure:
        draw(plane, arguments.figure)


def _found(arguments: argparse.Namespace) -> Map:
    if arguments.run is None:
        if arguments.points is None:
            raise DataError("expected a RUN and a STORE, or --points FILE of an earlier map")
        return read_points(arguments.points)
    if arguments.store is None:
        raise DataError(f"expected a STORE behind the run {arguments.run}")
    net, config = load_net(arguments.run)
    rows = load_validation(open_store(arguments.store), config.data, model=config.model, plies=arguments.of).rows
    plane = map_of(net.eval(), rows, plies=arguments.plies)
    if arguments.points:
        write_text(arguments.points, as_text(plane))
    return plane


if __name__ == "__main__":
    sys.exit(main())
