"""What progress shows while a match is played."""

from __future__ import annotations

import pytest

from match.play.session import _quick_rating
from match.statistics.scores import Score


@pytest.mark.parametrize(("points", "sign"), [([0.0, 0.0], "<"), ([1.0, 1.0], ">"), ([1.0, 0.0], "")])
def test_the_rating_so_far_is_marked_where_it_is_only_a_bound(points: list[float], sign: str) -> None:
    scores = [Score("net", "level", p, f"pair {i}") for i, p in enumerate(points)]
    text = _quick_rating(scores, {"level": 1500.0}, "net")
    assert text.startswith(f", rating {sign}")
    assert text.removeprefix(f", rating {sign}").isdigit()


def test_a_rating_without_a_tie_to_an_anchor_is_unknown() -> None:
    scores = [Score("net", "a", 1.0, "1"), Score("b", "level", 0.5, "2")]
    assert _quick_rating(scores, {"level": 1500.0}, "net") == ", rating ?"
