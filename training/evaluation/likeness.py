"""How human a net is at each setting of its strength dial, on held-out games of players with the setting's rating.

    python -m training.evaluation.likeness NET STORE --out likeness.json

NET is an exported net with a dial, or any net or run with ``--settings 800:1 1500:0.6``. Settings that search are left to
``training.evaluation.searched``. Every ply is judged three times: conditioned on the setting's rating, on none, and on the two
players' own ratings. Knows the settings, the plies (rows drawn at random from the whole split, the same ones for every net) and
the means. Does not know how strong a setting is (recipes/dial.sh).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch.nn import functional as F

from engine.command_line import run_command
from engine.dial import Setting, dial_in
from engine.encoding import Scale, rating_bucket
from engine.errors import ConfigError
from engine.files import write_text
from engine.vocabulary import MOVE_COUNT
from training.batches.rows import Rows
from training.config import DataConfig
from training.data.store import open_store
from training.net.model import Transformer
from training.run.validation import Validation, inputs_of, load_validation
from training.run.warm_start import read_weights

_ROWS_AT_ONCE = 16
_NEAR = 100
"""Points within which a player is rated like a setting."""

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class JudgedPlies:
    """What the net made of P plies, once."""

    logits: torch.Tensor
    """(P, MOVE_COUNT)"""
    targets: torch.Tensor
    """(P,) the moves that were played."""
    legal: torch.Tensor
    """(P, MOVE_COUNT) the moves that were possible."""

    def nll(self, temperature: float) -> Floats:
        """(P,) -log p(move played), in nats, illegal moves counted in."""
        return self._nll(self.logits / temperature)

    def nll_played(self, temperature: float) -> Floats:
        """The same as the engine plays: among legal moves only."""
        return self._nll((self.logits / temperature).masked_fill(~self.legal, -torch.inf))

    def _nll(self, logits: torch.Tensor) -> Floats:
        losses: Floats = F.cross_entropy(logits, self.targets, reduction="none").numpy().astype(np.float64)
        return losses

    def top1(self) -> Floats:
        """(P,) 1 where the likeliest move was played."""
        hits: Floats = (self.logits.argmax(-1) == self.targets).numpy().astype(np.float64)
        return hits


@dataclass(frozen=True)
class Likeness:
    """One setting on the plies of players of its rating; losses in nats, ``_error`` one standard error of a mean over plies,
    which holds that the plies of a row (a game or two) are not independent of each other."""

    rating: int
    temperature: float
    plies: int
    top1: float
    """Share of plies whose move is the likeliest, conditioned on the setting's rating."""
    top1_without: float
    top1_gain_error: float
    """Of ``top1 - top1_without``."""
    nll: float
    """-log p(move played) at temperature 1, conditioned on the setting's rating."""
    nll_without: float
    nll_gain_error: float
    """Of ``nll_without - nll``."""
    nll_own: float
    """Told both players' own ratings."""
    nll_own_error: float
    """Of ``nll - nll_own``."""
    nll_played: float
    """As the setting plays: conditioned on its rating, at its temperature, legal moves only."""


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(prog="likeness", description="How human a net is at each setting of its dial.")
    options.add_argument("net", type=Path, help="an exported net (.onnx), or a run's folder")
    options.add_argument("store", type=Path, help="token store; its validation split is read")
    options.add_argument("--settings", nargs="+", metavar="RATING:T", help="instead of the net's dial")
    options.add_argument("--scale", choices=[s.name.lower() for s in Scale], default="lichess", help="of those ratings")
    options.add_argument("--plies", type=int, default=20_000, help="of each rating, at most (default: %(default)s)")
    options.add_argument("--out", type=Path, help="also write the figures as JSON")
    return options


def main(argv: list[str] | None = None) -> int:
    """Judge and print; returns the exit status."""
    arguments = parser().parse_args(argv)
    return run_command("likeness", lambda: _judge(arguments))


def _judge(arguments: argparse.Namespace) -> None:
    settings = _settings(arguments)
    measured = _measured(arguments, settings)
    print(likeness_table(measured))
    if arguments.out:
        head = {"net": arguments.net.name, "scale": Scale(settings[0].scale).name.lower()}
        write_text(
            arguments.out, json.dumps(head | {"settings": [dataclasses.asdict(one) for one in measured]}, indent=1) + "\n"
        )


def _settings(arguments: argparse.Namespace) -> list[Setting]:
    if not arguments.settings:
        dial = dial_in(arguments.net) if arguments.net.suffix == ".onnx" else None
        if dial is None:
            raise ConfigError(f"expected a net with a strength dial, or --settings RATING:T …, got {arguments.net} alone")
        return [point.setting for point in dial.points if point.setting.nodes == 1]
    scale = int(Scale[arguments.scale.upper()])
    try:
        given = [text.split(":") for text in arguments.settings]
        return [Setting(int(rating), scale, float(temperature)) for rating, temperature in given]
    except ValueError:
        raise ConfigError(f"expected --settings as RATING:TEMPERATURE, got {' '.join(arguments.settings)}") from None


def _measured(arguments: argparse.Namespace, settings: Sequence[Setting]) -> list[Likeness]:
    start = read_weights(arguments.net)
    if not start.model.rating_input:
        raise ConfigError(f"expected a net that is conditioned on ratings, {arguments.net} is not")
    net = Transformer(start.model)
    net.load_state_dict(start.weights)
    store = open_store(arguments.store)
    held_out = load_validation(store, DataConfig(), model=start.model, plies=store.plies, legal=True)
    return [measure(net.eval(), held_out, setting, most=arguments.plies) for setting in settings]


def measure(net: Transformer, held_out: Validation, setting: Setting, *, most: int) -> Likeness:
    """One setting on at most about ``most`` plies of movers within a hundred points of its rating, on its scale. Raises
    ConfigError where there is none."""
    theirs = plies_of(held_out.rows, setting)
    counts = theirs.sum(axis=1)
    order = np.random.default_rng(1).permutation(np.flatnonzero(counts))  # a store has its sources one after another
    kept = np.sort(order[: int(np.searchsorted(counts[order].cumsum(), most)) + 1])
    if not len(kept):
        raise ConfigError(f"expected held-out games of players rated about {setting.rating} on that scale, found none")
    assert held_out.legal is not None
    chosen, plies = Validation(held_out.rows.take(kept), held_out.legal[kept]), theirs[kept]
    row = np.nonzero(plies)[0]
    bucket = rating_bucket(setting.rating)
    conditioned = judge(net, chosen, plies, ratings=(bucket, bucket, setting.scale))
    without = judge(net, chosen, plies, ratings=(0, 0, 0))
    own = judge(net, chosen, plies, ratings=None)
    top1, top1_without, nll, nll_without, nll_own = (
        conditioned.top1(),
        without.top1(),
        conditioned.nll(1.0),
        without.nll(1.0),
        own.nll(1.0),
    )
    return Likeness(
        rating=setting.rating,
        temperature=setting.temperature,
        plies=int(plies.sum()),
        top1=float(top1.mean()),
        top1_without=float(top1_without.mean()),
        top1_gain_error=_error(top1 - top1_without, row),
        nll=float(nll.mean()),
        nll_without=float(nll_without.mean()),
        nll_gain_error=_error(nll_without - nll, row),
        nll_own=float(nll_own.mean()),
        nll_own_error=_error(nll - nll_own, row),
        nll_played=float(conditioned.nll_played(max(setting.temperature, 1e-3)).mean()),
    )


def plies_of(rows: Rows, setting: Setting) -> NDArray[np.bool_]:
    """(R, T) where the mover is rated within a hundred points of the setting, on its scale."""
    apart = np.abs(rows.elo.astype(np.int64) - setting.rating)
    near: NDArray[np.bool_] = (rows.elo > 0) & (apart <= _NEAR) & (rows.ratings[..., 2] == setting.scale)
    return near


@torch.inference_mode()
def judge(
    net: Transformer, held_out: Validation, plies: NDArray[np.bool_], *, ratings: tuple[int, int, int] | None
) -> JudgedPlies:
    """The net on the chosen ``plies`` (R, T) of the rows, all given ``ratings`` (mover, opponent, scale); None = their own."""
    assert held_out.legal is not None
    logits, targets, legal = [], [], []
    for begin in range(0, len(held_out.rows), _ROWS_AT_ONCE):
        part = slice(begin, begin + _ROWS_AT_ONCE)
        some = held_out.rows.take(part)
        if ratings is not None:
            given = np.broadcast_to(np.array(ratings, np.uint8), some.ratings.shape)
            some = dataclasses.replace(some, ratings=given)
        wanted = torch.from_numpy(plies[part])
        logits.append(net(*inputs_of(some, net.move_head.device))[0].float().cpu()[wanted])
        targets.append(torch.from_numpy(some.targets.astype(np.int64))[wanted])
        bits = np.unpackbits(held_out.legal[part][plies[part]], axis=-1)[:, :MOVE_COUNT]
        legal.append(torch.from_numpy(bits.astype(np.bool_)))
    return JudgedPlies(torch.cat(logits), torch.cat(targets), torch.cat(legal))


def _error(values: Floats, row: NDArray[np.intp]) -> float:
    """Standard error of the mean of ``values`` (P,), which come in clusters: the same ``row`` (P,)."""
    sums = np.bincount(row, weights=values - values.mean())
    rows = len(np.unique(row))
    return float(math.sqrt((sums**2).sum() * rows / (rows - 1)) / len(values)) if rows > 1 else math.nan


def likeness_table(measured: Sequence[Likeness]) -> str:
    """The figures as text."""
    lines = [
        "conditioned on  temperature   plies  top-1: with without   gain          loss: with without    gain               "
        "own    gain               as played"
    ]
    for s in measured:
        top1 = f"{s.top1:11.1%}  {s.top1_without:6.1%}  {100 * (s.top1 - s.top1_without):+5.2f} ± {196 * s.top1_gain_error:.2f}"
        nll = f"{s.nll:10.4f}  {s.nll_without:.4f}  {s.nll_without - s.nll:+.4f} ± {1.96 * s.nll_gain_error:.4f}"
        own = f"{s.nll_own:.4f}  {s.nll - s.nll_own:+.4f} ± {1.96 * s.nll_own_error:.4f}"
        lines.append(f"{s.rating:14}  {s.temperature:11.2f}  {s.plies:6,}  {top1}  {nll}  {own}  {s.nll_played:9.4f}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
