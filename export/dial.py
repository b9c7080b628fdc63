"""A net's strength dial from what was measured: matches of its settings in, a dial in the net's metadata out.

    python -m export.dial models/mine.onnx --players population.toml --ratings curve.json

Knows the players (a rating input, a temperature, so many evaluations a move), the ratings that ``bin/match curve``
found for them, and how both become points of rising strength. Does not know how a dial is read (``engine.dial``).
recipes/dial.sh plays the matches.
"""

from __future__ import annotations

import argparse
import json
import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from engine.command_line import run_command
from engine.dial import Dial, Point, Setting
from engine.encoding import Scale
from engine.errors import ConfigError
from engine.files import replacing
from engine.net_file import PREFIX

_LEAST_STEP = 1.0
"""Elo by which a point must be above the one before: levelled points are one point."""


@dataclass(frozen=True)
class Measured:
    """One setting with its rating, in the order in which strength should rise."""

    point: Point
    games: int


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(prog="export.dial", description="Write a strength dial into a net.")
    options.add_argument("net", type=Path, help="the .onnx file; it is replaced")
    options.add_argument("--players", type=Path, required=True, help="TOML with the net's settings, the weakest first")
    options.add_argument("--ratings", type=Path, required=True, help="JSON that bin/match curve wrote about them")
    return options


def main(argv: list[str] | None = None) -> int:
    """Write a dial; returns the exit status."""
    arguments = parser().parse_args(argv)
    return run_command("export.dial", lambda: _write(arguments.net, read_dial(arguments.players, arguments.ratings)))


def _write(net: Path, dial: Dial) -> None:
    write_dial(net, dial)
    for point in dial.points:
        print(f"{point.elo:6.0f}  {_described(point.setting)}")
    print(f"{net}: UCI_Elo {dial.low} to {dial.high}")


def _described(setting: Setting) -> str:
    scale = Scale(setting.scale).name.lower()
    return f"rating {setting.rating} ({scale}), temperature {setting.temperature:g}, evaluations {setting.nodes}"


def read_dial(players: Path, ratings: Path) -> Dial:
    """The dial of the settings in ``players`` by the numbers in ``ratings``. Raises ConfigError."""
    try:
        settings = tomllib.loads(players.read_text(encoding="utf-8"))["player"]
        by_name = {r["name"]: r for r in json.loads(ratings.read_text(encoding="utf-8"))["ratings"]}
        measured = [_measured(s, by_name) for s in settings]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ConfigError(f"expected settings in {players} and their ratings in {ratings}: {error!r}") from None
    return Dial(rising(measured))


def _measured(setting: Mapping[str, Any], by_name: Mapping[str, Any]) -> Measured:
    rated = by_name[setting["name"]]
    scale = int(Scale[str(setting["scale"]).upper()])
    how = Setting(int(setting["rating"]), scale, float(setting["temperature"]), int(setting.get("nodes", 1)))
    return Measured(Point(round(float(rated["elo"]), 1), how), int(rated["games"]))


def rising(measured: Sequence[Measured]) -> tuple[Point, ...]:
    """The nearest points whose strength never falls (isotonic regression by pooling neighbours, weighted by games); of settings
    that come out alike, the first, which is the more human one."""
    pools: list[list[Measured]] = []
    for one in measured:
        pools.append([one])
        while len(pools) > 1 and _mean(pools[-2]) > _mean(pools[-1]) - _LEAST_STEP:
            last = pools.pop()
            pools[-1] += last
    return tuple(Point(round(_mean(pool), 1), pool[0].point.setting) for pool in pools)


def _mean(pool: Sequence[Measured]) -> float:
    return sum(m.point.elo * m.games for m in pool) / sum(m.games for m in pool)


def write_dial(path: Path, dial: Dial) -> None:
    """Put ``dial`` into the net's metadata; the file is replaced as a whole. Raises ConfigError."""
    try:
        model = onnx.load(str(path))
        values = {prop.key: prop.value for prop in model.metadata_props}
        play = json.loads(values[PREFIX + "play"]) | {"dial": dial.as_json()}
        onnx.helper.set_model_props(model, values | {PREFIX + "play": json.dumps(play)})
        with replacing(path) as partial:
            onnx.save_model(model, str(partial))
    except (OSError, ValueError, KeyError) as error:
        raise ConfigError(f"expected a net that bin/export wrote at {path}: {error!r}") from None
    except Exception as error:  # protobuf's own, which onnx does not name
        raise ConfigError(f"expected a net that bin/export wrote at {path}: {error}") from None


if __name__ == "__main__":
    sys.exit(main())
