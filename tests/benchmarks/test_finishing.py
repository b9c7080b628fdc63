"""The search is asked for mates and endgames, and each kind has its row."""

from __future__ import annotations

from pathlib import Path

from benchmarks.finishing import endgame_rows
from match.players.searching import SearchSpec
from tests.match.conftest import needs_stockfish


@needs_stockfish
def test_each_kind_of_endgame_has_a_row(random_net: Path) -> None:
    spec = SearchSpec("random", random_net, temperature=0.0, nodes=2)
    rows, notes = endgame_rows(spec, count=1, workers=1, seed=1)
    assert [(row.name, row.share.of) for row in rows] == [("K+Q v K won", 1), ("K+R v K won", 1)]
    assert [note.partition(":")[0] for note in notes] == ["K+Q v K", "K+R v K"]
