"""A net's card: what it is, what it learned from, how it was proven and how it plays, from files alone.

    python -m export.card models/mine.onnx --evaluation evaluation.json --match table.txt --note notes.md

Knows the net's own metadata, the proof beside it and the outputs of bin/evaluate and bin/match; writes NET.md. Every figure
in a card is copied from one of them. Does not know how any of it was measured.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from engine.command_line import run_command
from engine.dial import dial_of
from engine.encoding import Scale
from engine.errors import ConfigError, NetError
from engine.files import write_text
from engine.net_file import read_metadata
from training.evaluation.__main__ import as_text


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(prog="export.card", description="Write the card of an exported net.")
    options.add_argument("net", type=Path, help="the .onnx file; its proof (.verified.json) lies beside it")
    options.add_argument("--evaluation", type=Path, help="JSON that bin/evaluate --out wrote")
    options.add_argument("--match", type=Path, action="append", default=[], help="table.txt of a match; several are possible")
    options.add_argument("--sources", type=Path, help="table of the games' sources that bin/data sources printed")
    options.add_argument("--curves", type=Path, help="figure that bin/curves drew of the run")
    options.add_argument("--speed", type=Path, help="what bin/transcendence --check said; its time per move is taken")
    options.add_argument("--note", type=Path, help="Markdown to put behind the figures, e.g. known weaknesses")
    options.add_argument("--out", type=Path, help="the card (default: NET.md)")
    return options


def main(argv: list[str] | None = None) -> int:
    """Write a card; returns the exit status."""
    arguments = parser().parse_args(argv)
    return run_command("export.card", lambda: _write(arguments))


def _write(arguments: argparse.Namespace) -> None:
    text = card(
        arguments.net,
        evaluation=arguments.evaluation,
        matches=arguments.match,
        curves=arguments.curves,
        sources=arguments.sources,
        speed=arguments.speed,
        note=arguments.note,
    )
    out = arguments.out or arguments.net.with_suffix(".md")
    write_text(out, text)
    print(out)


def card(
    net: Path,
    *,
    evaluation: Path | None = None,
    matches: Sequence[Path] = (),
    curves: Path | None = None,
    sources: Path | None = None,
    speed: Path | None = None,
    note: Path | None = None,
) -> str:
    """The card as Markdown. Raises ConfigError for a file that is missing or is no net of ours."""
    facts = _metadata(net)
    proof_path = net.with_name(re.sub(r"(\.(int8|fp16))?\.onnx$", "", net.name) + ".verified.json")
    sections = [
        f"# {facts['model']['name']}",
        _text_of(_facts(net, facts, matches=matches, speed=speed)),
        *([_read(note).rstrip()] if note else []),
        "## Training\n\n"
        + "This table is of the last run only. *In all* counts the runs before it as well.\n\n" * ("init" in facts["training"])
        + _text_of(_training(facts["training"])),
    ]
    if sources:
        sections.append(
            f"## Where the games came from\n\n`bin/data sources`, {_beside(net, sources)}.\n\n{_read(sources).rstrip()}"
        )
    if curves:
        whole = "\n\nThe curve is that of the last run; this net lies part of the way (*weights*, above)." * (
            "mixed" in facts["training"]
        )
        sections.append(f"![losses by plies read]({_place(net, curves) or curves.name}){whole}")
    if proof_path.is_file():
        sections.append("## Proof that it is the trained net\n\n" + _text_of(_proof(_json(proof_path))))
    if evaluation:
        sections.append(
            f"## On held-out games\n\n`bin/evaluate`, {_beside(net, evaluation)}.\n\n{as_text(_figures(evaluation))}"
        )
    sections += [_match(net, path) for path in matches]
    return "\n\n".join(sections) + "\n"


def _match(net: Path, table: Path) -> str:
    title = table.stem.replace("-", " ")
    return f"## At the board: {title}\n\n{_beside(net, table)}\n\n```text\n{_read(table).rstrip()}\n```"


def _metadata(net: Path) -> dict[str, Any]:
    try:
        values = read_metadata(net)
        return {key: json.loads(values[key]) for key in ("model", "training", "play")} | {"precision": values["precision"]}
    except (NetError, ValueError, KeyError) as error:
        raise ConfigError(f"expected a net that bin/export wrote at {net}: {error!r}") from None


def _facts(net: Path, facts: dict[str, Any], *, matches: Sequence[Path], speed: Path | None) -> Iterator[tuple[str, str]]:
    for path in matches[:1]:
        yield from _strength(net, facts["model"]["name"], path)
    model, play = facts["model"], facts["play"]
    yield "network", f"{model['layers']} blocks x {model['width']}, {model['heads']} heads, context {model['context']} plies"
    yield "board input", model["board_input"] + (" and king codes" if model.get("checks") else "")
    if model.get("move_rank"):
        yield "move head", f"a vector a move, and a product of rank {model['move_rank']} over its two squares"
    yield "file", f"{net.name}, {facts['precision']}, {net.stat().st_size / 1e6:.1f} MB"
    if play.get("rating"):
        scale = Scale(play.get("scale", 0)).name.lower()
        yield ("conditioned on", f"a rating of {play['rating']} ({scale}), unless set otherwise; this is not its strength")
    dial = dial_of(play)
    if dial:
        yield "strength dial", f"UCI_Elo {dial.low} to {dial.high}"
    if speed:
        yield "time per move", f"{_time_in(speed)} ({_beside(net, speed)})"
    yield "licence", "GPL-3.0-or-later"


def _strength(net: Path, name: str, table: Path) -> Iterator[tuple[str, str]]:
    """The rating of the net in the table of a match, where it has one with an interval."""
    columns = r"(\S+) +(\d+) +[\d.]+ +[\d.]+% +(-?\d+)  (-?\d+ to -?\d+) "
    row = re.search(rf"^{re.escape(name)} T={columns}", _read(table), re.MULTILINE)
    if row:
        temperature, games, rating, interval = row.groups()
        conditions = (
            f"at temperature {temperature}, one evaluation a move, without TakeMate, on the scale of Stockfish's Skill Levels"
        )
        yield "strength", f"{rating} (95 %: {interval}) {conditions}; {games} games ({_beside(net, table)})"


def _training(training: dict[str, Any]) -> Iterator[tuple[str, str]]:
    data = training.get("dataset", {})
    if data:
        games = f"{data.get('games', 0):,} games, {data.get('plies', 0):,} plies"
        yield "data set", f"{data.get('name')}: {games}, fingerprint {data.get('fingerprint')}"
    names = {"step": "steps", "plies": "plies read", "minutes": "minutes", "commit": "commit", "machine": "machine"}
    for key, name in names.items():
        if key in training:
            yield name, _figure(training[key])
    yield from _beginning(training)
    for section in ("data", "optimizer"):
        settings = training.get("config", {}).get(section, {})
        if settings:
            yield f"settings, {section}", ", ".join(f"{key} {value}" for key, value in settings.items())
    for key, value in training.items():
        if key.startswith("validation_") and isinstance(value, float):
            yield key.replace("_", " "), f"{value:.4f}"


def _beginning(training: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The weights a net began with, where they were not random, and all training together, where that is known."""
    if mixed := training.get("mixed"):
        share = mixed["share"]
        yield "weights", f"{share:g} of this run's + {1 - share:g} of {mixed['with']['name']}'s (training.run.mixing)"
    init = training.get("init")
    if not init:
        return
    before = [f"{_figure(init[key])} {key}" for key in ("minutes", "plies") if key in init]
    yield "began with the weights of", f"{init['name']} ({', '.join([init['kind'], *before, 'sha256 ' + init['sha256']])})"
    for key in ("minutes", "plies"):
        if key in init and key in training:
            yield f"{key} in all", _figure(init[key] + training[key])


def _figure(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else f"{value:.1f}" if isinstance(value, float) else str(value)


def _proof(proof: dict[str, Any]) -> Iterator[tuple[str, str]]:
    same = proof.get("torch and ONNX, largest logit difference")
    if same:
        yield (
            "torch and ONNX (fp32)",
            f"largest logit difference on {same['positions']:,} positions of {same['games']} games: {_ways(same)}",
        )
    if "not a full proof" in proof:
        yield "not a full proof", proof["not a full proof"]
    for precision in ("int8", "fp16"):
        twin = proof.get(f"{precision} and fp32")
        if twin:
            yield f"{precision} and fp32", _twin(twin, precision)


def _ways(same: dict[str, Any]) -> str:
    names = {
        "prefill": "whole games",
        "step": "ply after ply",
        "batch": "in a batch",
        "rebased": "beyond the context",
        "fens": "from FENs",
    }
    asked = ", ".join(f"{name} {same[way]:.1e}" for way, name in names.items() if same.get(way) is not None)
    skipped = [name for way, name in names.items() if way in same and same[way] is None]
    return asked + (f" (blind, so not {' or '.join(skipped)})" if skipped else "")


def _twin(twin: dict[str, Any], precision: str) -> str:
    rise = twin[f"move_nll_{precision}"] - twin["move_nll_fp32"]
    text = f"move loss {rise:+.4f} nats, same best move in {twin['top1_agreement']:.1%} of {twin['positions']:,} positions"
    match = twin.get("match")
    if match:
        return (
            f"{text}; in {match['games']} games against each other {match['score']:.1%} of the points, "
            f"Elo {match['elo']:+.0f} (95 %: {match['low']:+.0f} to {match['high']:+.0f})"
        )
    return text + ("; no match in this proof" if precision == "int8" else "")


def _text_of(rows: Iterator[tuple[str, str]]) -> str:
    return "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows)])


def _figures(path: Path) -> dict[str, Any]:
    """What bin/evaluate measured, without what it says of itself."""
    return {name: value for name, value in _json(path).items() if isinstance(value, dict | list)}


def _beside(net: Path, evidence: Path) -> str:
    """The evidence as a link from where the card lies."""
    place = _place(net, evidence)
    return evidence.name if place is None else f"[{place}]({place})"


def _place(net: Path, evidence: Path) -> str | None:
    """Where it lies, from the card; None for what lies elsewhere."""
    try:
        return evidence.resolve().relative_to(net.resolve().parent).as_posix()
    except ValueError:
        return None


def _time_in(speed: Path) -> str:
    line = re.search(r"^time per move +(.+)$", _read(speed), re.MULTILINE)
    if not line:
        raise ConfigError(f"expected a line 'time per move' of bin/transcendence --check in {speed}")
    return line[1]


def _json(path: Path) -> dict[str, Any]:
    try:
        values: dict[str, Any] = json.loads(_read(path))
    except ValueError as error:
        raise ConfigError(f"expected JSON at {path}: {error}") from None
    return values


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"expected a file at {path}: {error.strerror}") from None


if __name__ == "__main__":
    sys.exit(main())
