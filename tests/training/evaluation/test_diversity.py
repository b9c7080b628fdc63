"""The entropy of what players do must come out as computed by hand."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest

from engine.errors import DataError
from engine.vocabulary import MOVE_ID
from training.data.__main__ import main
from training.data.store import Game, Store, StoreWriter, open_store
from training.evaluation.diversity import measure


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Store:
    """Weak players open with e4 or d4 as a coin falls, strong ones always with e4; two ways lead to one position."""
    path = tmp_path_factory.mktemp("diversity") / "s"
    writer = StoreWriter(path, games_a_shard=25)
    for n in range(40):
        first = [("e2e4", "e7e6", "d2d4"), ("d2d4", "e7e6", "e2e4")][n % 2]
        writer.add(game(*first, "d7d5", elo=900))
        writer.add(game("e2e4", "e7e6", "d2d4", "d7d5", elo=2000))
    writer.close()
    return open_store(path)


def game(*moves: str, elo: int) -> Game:
    return Game(np.array([MOVE_ID[m] for m in moves], np.uint16), elo, elo)


def test_entropies_are_those_computed_by_hand(store: Store) -> None:
    weak, all_games = measure(store, caps=[1000, 0], more_than=25, games=0, seed=1).caps
    assert (weak.games, all_games.games) == (40, 40)
    # seen more than 25 times by the weak: the start, where a coin falls, and the French position, however reached
    assert sorted(weak.visits.tolist()) == [40, 40]
    assert sorted(weak.entropies.tolist()) == pytest.approx([0.0, math.log(2) / math.log(20)])
    assert weak.mean == pytest.approx(math.log(2) / math.log(20) / 2)


def test_positions_count_by_visits_and_caps_share_them(store: Store) -> None:
    result = measure(store, caps=[1000, 2000], more_than=15, plies=2, games=40)
    weak, everyone = result.caps
    assert sorted(weak.visits.tolist()) == [20, 20, 40]  # after e4 and after d4 too
    by_hand = math.log(2) / math.log(20) * 40 / 80
    assert weak.mean_by_visits == pytest.approx(by_hand)
    assert everyone.games == 40
    assert len(result.shared()) == 2
    assert result.shared()[0] > 0


def test_the_same_seed_draws_the_same_games(store: Store) -> None:
    first, again, other = (measure(store, caps=[0], more_than=3, games=20, seed=seed).caps[0] for seed in (1, 1, 2))
    assert first.entropies.tolist() == again.entropies.tolist()
    assert first.visits.tolist() != other.visits.tolist()


def test_nothing_seen_often_enough_is_no_number(store: Store) -> None:
    assert math.isnan(measure(store, caps=[1000], more_than=1000).caps[0].mean)


def test_a_cap_without_games_is_named(store: Store) -> None:
    with pytest.raises(DataError, match="none above 500"):
        measure(store, caps=[500])


def test_the_command_prints_a_table_and_draws(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    figure = tmp_path / "d.png"
    assert main(["diversity", str(store.path), "--caps", "1000", "0", "--more-than", "20", "--figure", str(figure)]) == 0
    assert "≤ 1000        40" in capsys.readouterr().out
    assert figure.read_bytes().startswith(b"\x89PNG")
    assert main(["diversity", str(store.path), "--caps", "0", "--figure", str(tmp_path / "nosuch" / "d.png")]) == 2
    assert "could not write the figure" in capsys.readouterr().err


def test_a_figure_that_cannot_be_drawn_is_told_before_the_measurement(
    store: Store, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert main(["diversity", str(store.path), "--caps", "0", "--figure", "d.png"]) == 2
    told = capsys.readouterr()
    assert "expected matplotlib for --figure" in told.err
    assert told.out == ""
