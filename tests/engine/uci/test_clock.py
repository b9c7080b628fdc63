"""The time that a move may take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.uci.clock import budget_ms
from engine.uci.protocol import Go


@pytest.mark.parametrize(
    ("go", "expected"),
    [
        (Go(), None),
        (Go(depth=3), None),
        (Go(nodes=1, mate=2), None),
        (Go(infinite=True, wtime_ms=10), None),
        (Go(movetime_ms=200), 170),
        (Go(movetime_ms=20), 0),
        (Go(wtime_ms=60_030, btime_ms=1), 1500),
        (Go(wtime_ms=10_030, winc_ms=100), 325),
        (Go(wtime_ms=1030, movestogo=1), 500),
        (Go(wtime_ms=1030, movestogo=0), 25),
        (Go(wtime_ms=130, winc_ms=10_000), 50),
        (Go(wtime_ms=0), 0),
        (Go(wtime_ms=-500, winc_ms=-3), 0),
        (Go(btime_ms=60_000), 0),
    ],
)
def test_budget(go: Go, expected: int | None) -> None:
    assert budget_ms(go, white=True, overhead_ms=30) == expected


def test_black_has_its_own_clock() -> None:
    assert budget_ms(Go(wtime_ms=1, btime_ms=40_000, binc_ms=1000), white=False, overhead_ms=0) == 1750


@given(st.integers(-1000, 10**7), st.integers(-10, 10**5), st.none() | st.integers(-5, 200), st.integers(0, 5000))
def test_it_never_flags(left: int, increment: int, movestogo: int | None, overhead: int) -> None:
    budget = budget_ms(Go(wtime_ms=left, winc_ms=increment, movestogo=movestogo), white=True, overhead_ms=overhead)
    assert budget is not None
    assert 0 <= budget <= max(left - overhead, 0)
