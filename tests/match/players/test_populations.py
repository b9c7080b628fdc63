"""The populations of the transcendence experiments: enough experts, and errors shared or not as each claims."""

from __future__ import annotations

from itertools import combinations_with_replacement

import pytest

from match.players.client import find_stockfish
from match.players.engine import EngineSpec
from match.players.population import PlayerFactory
from match.players.weakness import PHASES, PIECES
from tests.paths import ROOT

FOLDER = ROOT / "match" / "populations"
pytestmark = pytest.mark.skipif(find_stockfish() is None, reason="Stockfish is not installed")


def experts(name: str) -> list[EngineSpec]:
    specs = [player.spec for player in PlayerFactory().players(str(FOLDER / f"{name}.toml"))]
    return [spec for spec in specs if isinstance(spec, EngineSpec)]


@pytest.mark.parametrize("name", ["noisy", "specialists", "skills", "herd", "noisy-herd"])
def test_eight_experts_or_more_with_one_base(name: str) -> None:
    found = experts(name)
    assert len(found) >= 8
    assert len({(spec.setup, spec.limit) for spec in found}) == 1
    assert len({spec.weaknesses for spec in found}) == len(found)


def test_noise_is_random_and_never_a_majority() -> None:
    assert all(w.error == "random" and w.probability < 0.5 for spec in experts("noisy") for w in spec.weaknesses)


def test_no_part_of_the_game_is_played_badly_by_a_majority_of_specialists() -> None:
    found = experts("specialists")
    for phase in PHASES:
        for touched in combinations_with_replacement(PIECES, 2):  # what moves, and what it takes
            errs = [_error(spec, phase, touched) for spec in found]
            assert sum(errs) <= len(found) / 2 + 1e-9
            assert min(errs) == 0
    assert all(any(_error(spec, p, (k, k)) > 0.4 for p in PHASES for k in PIECES) for spec in found)


def test_whoever_errs_by_skill_always_does_and_most_do_not() -> None:
    """So one expert's games alone mislead somewhere, and all together nowhere."""
    found = experts("skills")
    assert {w.probability for spec in found for w in spec.weaknesses} == {1}
    for phase in PHASES:
        for moves, takes in combinations_with_replacement(PIECES, 2):
            errs = sum(_error(spec, phase, (moves, takes)) for spec in found)
            assert errs <= (3 if moves == takes else 4)


def _error(spec: EngineSpec, phase: str, touched: tuple[str, str]) -> float:
    (weakness,) = spec.weaknesses
    here = (not weakness.phases or phase in weakness.phases) and (
        not weakness.pieces or any(piece in weakness.pieces for piece in touched)
    )
    return weakness.probability if here else 0.0


@pytest.mark.parametrize(("name", "least", "most"), [("herd", 0.01, 0.08), ("noisy-herd", 0.35, 0.49)])
def test_a_herd_shares_its_habit_and_not_its_noise(name: str, least: float, most: float) -> None:
    found = experts(name)
    (habit,) = {spec.weaknesses[-1] for spec in found}
    assert habit.probability == 1
    noise = sorted(w.probability for spec in found for w in spec.weaknesses[:-1])
    assert (noise[0], noise[-1], len(noise)) == (least, most, 8)
    (perfect,) = experts("herd-0")
    assert perfect.weaknesses == (habit,)
    assert (perfect.setup, perfect.limit) == (found[0].setup, found[0].limit)
