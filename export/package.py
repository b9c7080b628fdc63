"""A network and its twins as one package: exported, proven, and only then given their names.

Everything is made in a folder beside the target; what fails its proof ends there, with all that came with it. Knows the
files of a package and their order. Does not know graphs, proofs or command lines.
"""

from __future__ import annotations

import dataclasses
import json
import os
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.errors import NetError
from engine.files import write_text
from export.card import card
from export.games import Transcript
from export.gate import Fidelity, TwinMatch, check, compare, play_twins, summary
from export.graph import export_graph
from export.quantize import halve, quantize
from export.verify import GAMES, POSITIONS, verify
from training.net.model import Transformer

TWINS: dict[str, Callable[[Path, Path], None]] = {"int8": quantize, "fp16": halve}
"""How each smaller twin is made from the fp32 file."""


@dataclass(frozen=True)
class PackageSpec:
    """What is to be packaged."""

    name: str
    """The net's."""
    run: str
    """Of the training run's folder, for the record."""
    twins: Sequence[str]
    """Of TWINS."""
    match_games: int
    """Games of the int8 twin against fp32; 0 = none, and the report says so."""
    threads: int = 1
    """Of the net in that match."""
    training: dict[str, Any] = field(default_factory=dict)
    play: dict[str, Any] = field(default_factory=dict)


def package(net: Transformer, out: Path, spec: PackageSpec, *, games: Sequence[Transcript]) -> list[Path]:
    """Write ``out``, its twins, the report and the card; returns their paths. Raises NetError, with nothing written, when one
    of the nets is not what it should be."""
    replaced = out.exists()
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".candidate-", dir=out.parent) as folder:
            candidate = Path(folder) / out.name
            report = _proven(net, candidate, spec, games=games)
            write_text(candidate.with_suffix(".verified.json"), json.dumps(report, indent=1) + "\n")
            write_text(candidate.with_suffix(".md"), card(candidate))
            moved = [_moved(path, out.parent) for path in sorted(Path(folder).iterdir())]
        for twin in (out.with_suffix(f".{precision}.onnx") for precision in TWINS if precision not in spec.twins):
            if replaced and twin.exists():  # of the net that was here before: it would pass for this one's
                os.replace(twin, twin.with_suffix(".onnx.old"))
                _tell(f"{twin}: renamed to {twin.name}.old, for it was made from what {out.name} was before")
        return moved
    except OSError as error:
        raise NetError(
            f"cannot write to {out.parent}: {error.strerror or error}; free some room, or give --out a place you may write to"
        ) from None


def _proven(net: Transformer, fp32: Path, spec: PackageSpec, *, games: Sequence[Transcript]) -> dict[str, Any]:
    """Export ``net`` and its twins to ``fp32`` and beside it; returns the report of what was found."""
    report: dict[str, Any] = {"net": spec.name, "run": spec.run}
    export_graph(net, fp32, name=spec.name, training=spec.training, play=spec.play)
    agreement = verify(net, fp32, games=games)
    report["torch and ONNX, largest logit difference"] = dataclasses.asdict(agreement)
    _tell(f"torch = ONNX within {agreement.worst:.1e} on {agreement.positions} positions of {agreement.games} games")
    if not agreement.enough:
        report["not a full proof"] = (
            f"a proof should rest on {POSITIONS:,} positions and {GAMES} games, this one had "
            f"{agreement.positions:,} and {agreement.games}"
        )
        _tell(f"not a full proof: {report['not a full proof']}")
    for precision in spec.twins:
        report[f"{precision} and fp32"] = _twin(net, fp32, precision, spec, games=games)
    return report


def _twin(net: Transformer, fp32: Path, precision: str, spec: PackageSpec, *, games: Sequence[Transcript]) -> dict[str, Any]:
    """Make one twin beside ``fp32``; returns what its gates found. Raises NetError when one is shut."""
    twin = fp32.with_suffix(f".{precision}.onnx")
    TWINS[precision](fp32, twin)
    fidelity = compare(fp32, twin, config=net.config, games=games)
    rise = fidelity.move_nll - fidelity.move_nll_fp32
    _tell(
        f"{precision}: move loss {rise:+.4f} nats, same best move in {fidelity.top1_agreement:.1%} of "
        f"{fidelity.positions} positions"
    )
    check(fidelity, twin)
    report = _fidelity(fidelity, precision)
    if precision == "int8" and spec.match_games:
        _tell(f"{precision}: {spec.match_games} games against fp32")
        played = play_twins(fp32, twin, games=spec.match_games, threads=spec.threads)
        _tell(f"{precision}: {summary(played)}")
        check(played, twin)
        report["match"] = _match_facts(played)
    return report


def _match_facts(match: TwinMatch) -> dict[str, float]:
    (low, high), difference = match.difference.interval, match.difference
    return {
        "games": match.games,
        "score": difference.score,
        "error": difference.error,
        "elo": difference.elo,
        "low": low,
        "high": high,
    }


def _fidelity(fidelity: Fidelity, precision: str) -> dict[str, Any]:
    facts = dataclasses.asdict(fidelity)
    return {("move_nll_" + precision if name == "move_nll" else name): value for name, value in facts.items()}


def _moved(path: Path, folder: Path) -> Path:
    """The file under its final name; in one step, so that a reader sees the old one or the new one."""
    target = folder / path.name
    try:
        os.replace(path, target)
    except OSError as error:
        raise NetError(f"cannot write {target}: {error.strerror or error}") from None
    return target


def _tell(text: str) -> None:
    print(text, file=sys.stderr)
