"""The result files of docs/results/transcendence: what the recipes leave, read and put in order.

Knows file names and their JSON. Does not know pages or figures.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from engine.errors import MatchError
from match.play.results import PACKED, read_results
from match.players.population import read_population
from match.statistics.scores import change, points_by_pair, temperature_of
from match.statistics.verdict import the_two

EXPECTED = {
    "noisy": "transcends",
    "specialists": "transcends",
    "skills": "transcends",
    "levels": "transcends",
    "herd": "does not transcend",
    "noisy-herd": "transcends",
}
"""What theory says of the populations."""


_SEED = re.compile(r"-seed-(\d+)")


@dataclass(frozen=True)
class Experiment:
    """One net against the best of its experts."""

    name: str
    """Folder: population, and arm with the seed of its training where that is not 1."""
    values: dict[str, Any]
    """``match.report.verdict.as_json``."""

    @property
    def population(self) -> str:
        """The folder that holds the arms."""
        return self.name.partition("/")[0]

    @property
    def arm(self) -> str:
        """net, blind, or one of them by votes alone (net-votes), whatever the seed of its training."""
        return _SEED.sub("", self.name.partition("/")[2])

    @property
    def seed(self) -> int:
        """Of its training."""
        found = _SEED.search(self.name)
        return int(found[1]) if found else 1

    @property
    def difference(self) -> str:
        """Net - best expert with its interval."""
        return interval(self.values)

    @property
    def curve(self) -> list[tuple[float, dict[str, Any]]]:
        """Temperatures with ratings."""
        return curve_of(self.values["ratings"], temperature_name(self.values["net"]))

    @property
    def best(self) -> dict[str, Any] | None:
        """The best expert's rating in the pool of the sweep."""
        return next((r for r in self.values["ratings"] if r["name"] == self.values["expert"]), None)


@dataclass(frozen=True)
class Evidence:
    """The result files."""

    folder: Path

    def experiments(self) -> list[Experiment]:
        """All verdicts, those populations first, then by name, numbers in it by their size."""
        experiments = [
            Experiment(str(path.parent.relative_to(self.folder)), read_json(path)) for path in self._all("verdict.json")
        ]
        order = list(EXPECTED)
        return sorted(
            experiments, key=lambda e: (order.index(e.population) if e.population in order else len(order), _parts(e.name))
        )

    def experiment(self, name: str) -> Experiment | None:
        """One of them."""
        return next((e for e in self.experiments() if e.name == name), None)

    def slope(self) -> list[tuple[tuple[float, float], Experiment]]:
        """Least and greatest share of random moves, and what came of it, for populations that only ever err so."""
        points = [(shares, e) for e in self.experiments() if (shares := self._noise(e.population))]
        return sorted(points, key=lambda point: (sum(point[0]), games_of_experts(point[1])))

    def _noise(self, population: str) -> tuple[float, float] | None:
        players = read_population(self.folder / population / "population.toml").values()
        given = [player.get("weakness", []) for player in players]
        weaknesses = [one if isinstance(one, list) else [one] for one in given]
        if not all(len(ws) == 1 and set(ws[0]) == {"error", "probability"} and ws[0]["error"] == "random" for ws in weaknesses):
            return None
        shares = [float(ws[0]["probability"]) for ws in weaknesses]
        return min(shares), max(shares)

    def caps(self, protocol: str) -> list[dict[str, Any]]:
        """The human arm's nets by rating cap, by ``ours`` or the ``paper``'s protocol."""
        nets = [read_json(path) for path in self._all(f"{protocol}.json") if path.parent.name.startswith("cap-")]
        return sorted(nets, key=lambda values: int(values["notes"]["cap"]))

    def plies_read_below(self, cap: str) -> int | None:
        """In the training of a cap's net, where its last validation was kept."""
        return _last_validation(self.folder / "human" / f"cap-{cap}")

    def stand_in(self, cap: str, match: str) -> dict[str, Any] | None:
        """The match of a cap's net and the stand-in for the cap's players: ``match`` is stand-in or stand-in-votes."""
        path = self.folder / "human" / f"cap-{cap}" / match / "verdict.json"
        return read_json(path) if path.is_file() else None

    def searches(self) -> dict[int, dict[float, str]]:
        """Evaluations a move -> temperature -> rating with its interval, all of one net: `bin/match`'s own tables."""
        docs = self.folder.resolve().parents[1]
        paths = {n: docs / "results" / "search" / f"temperatures-{n}.txt" for n in (1, 16, 64)}
        return {n: rated_by_temperature(path.read_text(encoding="utf-8")) for n, path in paths.items() if path.is_file()}

    def rule(self, population: str) -> tuple[float, float, float] | None:
        """Elo that the engine's rule against repetitions is worth to the board-fed net, with its interval, by opening pairs.

        The deciding match and the one by votes alone are the same games but for the rule. None where one of them is not kept.
        """
        paths = [self.folder / population / arm / PACKED for arm in ("net-votes", "net")]
        if not all(path.is_file() for path in paths):
            return None
        votes, ruled = (_by_opening(path) for path in paths)
        return change(votes, ruled)

    def plies_read(self, experiment: Experiment) -> int | None:
        """In training, where its last validation was kept."""
        return _last_validation(self.folder / experiment.name.removesuffix("-votes"))

    def _all(self, name: str) -> list[Path]:
        return sorted(self.folder.glob(f"*/*/{name}"))


def _last_validation(folder: Path) -> int | None:
    path = folder / "validation.jsonl"
    return int(json.loads(path.read_text(encoding="utf-8").splitlines()[-1])["plies"]) if path.is_file() else None


def _by_opening(path: Path) -> dict[str, float]:
    """The net's points a game in each opening of its match with the best expert."""
    scores = [replace(game.score(), pair=game.opening) for game in read_results(path)]
    return {opening: points for (_, opening), points in points_by_pair(scores, the_two(scores)[0]).items()}


def games_of_experts(experiment: Experiment) -> int:
    """Games that were asked of them; how much of these the net has read is ``Evidence.plies_read``."""
    return int(experiment.values["notes"].get("games", 0))


def _parts(name: str) -> list[str | int]:
    """Words and numbers of a name, in turns."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]


def read_json(path: Path) -> dict[str, Any]:
    """A result file. Raises MatchError when it is none."""
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise MatchError(f"expected a result file at {path}: {error}") from None
    if not isinstance(values, dict):
        raise MatchError(f"expected a result file at {path}, got other JSON")
    return values


_RATED = re.compile(r"^\S+ T=(\S+)(?: nodes=\d+)? +\d+ +\S+ +\S+% +(-?\d+) +(-?\d+ to -?\d+)\b", re.MULTILINE)


def rated_by_temperature(table: str) -> dict[float, str]:
    """Temperature -> "1461 (1404 to 1524)", from the table of ratings that ends `bin/match sweep`."""
    return {float(t): f"{elo} ({bounds})" for t, elo, bounds in _RATED.findall(table)}


def curve_of(ratings: Sequence[dict[str, Any]], net: str) -> list[tuple[float, dict[str, Any]]]:
    """Temperatures of a net with their ratings, lowest first; those without a rating are left out."""
    points = [(at[1], r) for r in ratings if (at := temperature_of(r["name"])) and at[0] == net and r["elo"] is not None]
    return sorted(points, key=lambda point: point[0])


def temperature_name(player: str) -> str:
    """A net's name without its temperature."""
    return (temperature_of(player) or (player, 0.0))[0]


def interval(values: dict[str, Any]) -> str:
    """A difference with its 95 % interval, as +79 (+58 to +100)."""
    return f"{signed(values['elo'])} ({signed(values['low'])} to {signed(values['high'])})"


def signed(number: float | None) -> str:
    return "beyond measure" if number is None else f"{number:+.0f}"
