"""A file of made games that the tests of ingest share."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from tests.training.data.made_pgn import Made, made


@dataclass(frozen=True)
class Corpus:
    """A PGN file and what is in it."""

    path: Path
    games: list[Made]

    @property
    def good(self) -> list[list[int]]:
        """The moves of the good games, in order, each once; the starts differ where the moves do in so few games."""
        return [game.moves for game in self.games if not game.reason]


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    random = np.random.default_rng(21)
    games = [made(random) for _ in range(700)]
    path = tmp_path_factory.mktemp("corpus") / "games.pgn"
    path.write_bytes(b"".join(game.raw for game in games))
    return Corpus(path, games)
