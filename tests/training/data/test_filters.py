"""Each filter leaves out what it says and nothing else, and every game that goes is counted once."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import DataError
from training.data.filters import Duplicates, Filters, Quota
from training.data.store import Game, Games, pack

FEN = "4k3/8/8/8/8/8/8/R3K2R w KQ - 9 20"


def games(*fields: dict[str, Any], bots: tuple[bool, ...] = ()) -> Games:
    made = [Game(np.arange(f.pop("plies", 9), dtype=np.uint16) + 9 * i, **f) for i, f in enumerate(fields)]
    return pack(made, bots)


def elos(*pairs: tuple[int, int]) -> Games:
    return games(*({"white_elo": white, "black_elo": black} for white, black in pairs))


@pytest.mark.parametrize(
    ("filters", "given_games", "kept", "reasons"),
    [
        (
            Filters(max_rating=1500),
            elos((1500, 900), (1501, 900), (900, 1501), (0, 900), (0, 0)),
            [True] + [False] * 4,
            {"rating above the cap": 2, "unknown rating": 2},
        ),
        (
            Filters(min_rating=1000),
            elos((1000, 2000), (999, 2000), (2000, 0)),
            [True, False, False],
            {"rating below the floor": 1, "unknown rating": 1},
        ),
        (Filters(), elos((0, 0), (3000, 1)), [True, True], {}),
        (Filters(min_plies=4), games({"plies": 4}, {"plies": 3}), [True, False], {"too short": 1}),
        (
            Filters(time_classes=("blitz", "rapid")),
            games({"time_class": "blitz"}, {"time_class": "rapid"}, {}),
            [True, True, False],
            {"time class": 1},
        ),
        (
            Filters(terminations=("time",)),
            games({"termination": "time"}, {"termination": "draw"}),
            [True, False],
            {"termination": 1},
        ),
        (
            Filters(results=("1-0", "0-1")),
            games({"result": "0-1"}, {"result": "1/2-1/2"}, {}),
            [True, False, False],
            {"result": 2},
        ),
        (Filters(starts="standard"), games({}, {"start_fen": FEN}), [True, False], {"start position": 1}),
        (Filters(starts="fen"), games({}, {"start_fen": FEN}), [False, True], {"start position": 1}),
        (Filters(bots=False), games({}, {}, bots=(False, True)), [True, False], {"bot": 1}),
        (
            Filters(since=20130000, until=20131299),
            games({"date": 20121231}, {"date": 20130101}, {"date": 20130000}, {"date": 20131231}, {"date": 20140101}, {}),
            [False, True, True, True, False, False],
            {"too early": 1, "too late": 1, "unknown date": 1},
        ),
        (Filters(max_rating=1000, min_plies=20), elos((2000, 2000)), [False], {"rating above the cap": 1}),
    ],
)
def test_filters(filters: Filters, given_games: Games, kept: list[bool], reasons: dict[str, int]) -> None:
    mask, rejects = filters.passing(given_games)
    assert mask.tolist() == kept
    assert rejects == Counter(reasons)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time_classes": ("fast",)}, "expected a time class of unknown, .*got 'fast'"),
        ({"results": ("1:0",)}, "got '1:0'"),
        ({"terminations": ("x",)}, "expected a termination"),
        ({"max_rating": 1000, "min_rating": 1001}, "floor below the cap"),
        ({"since": 20140000, "until": 20130000}, "first date before the last"),
    ],
)
def test_a_filter_that_cannot_be_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(DataError, match=message):
        Filters(**options)


@settings(deadline=None)
@given(st.lists(st.lists(st.integers(0, 60), max_size=30), max_size=30))
def test_duplicates_are_what_a_set_says(batches: list[list[int]]) -> None:
    duplicates, seen = Duplicates(), set[int]()
    for batch in batches:
        wanted = []
        for key in batch:
            wanted.append(key not in seen)
            seen.add(key)
        assert duplicates.new(np.array(batch, np.uint64)).tolist() == wanted


def test_a_band_takes_the_first_games_that_come_over_batches() -> None:
    quota = Quota(max_per_band=2)
    kept, full = quota.apply(elos((1510, 900), (1000, 1599), (1550, 1), (1600, 1)))
    assert kept.records["white_elo"].tolist() == [1510, 1000, 1600]
    assert full == Counter({"rating band is full": 1})
    kept, full = quota.apply(elos((1500, 1), (1699, 1), (1699, 2), (0, 0)))
    assert kept.records["white_elo"].tolist() == [1699, 0]
    assert full == Counter({"rating band is full": 2})


def test_a_source_takes_the_first_games_that_come_by_name() -> None:
    quota = Quota(max_per_source=1)
    kept, _ = quota.apply(games({"source": "a"}, {"source": "a"}, {"source": "b"}))
    assert len(kept) == 2
    kept, full = quota.apply(games({"source": "b"}, {"source": "c"}))  # other numbers for the same names
    assert kept.lengths.sum() == 9
    assert full == Counter({"source is full": 1})
