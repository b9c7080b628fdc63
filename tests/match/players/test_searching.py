"""Nets that search in matches: the word for it, one tree a move, the same game whoever plays it."""

from __future__ import annotations

from pathlib import Path

import chess
import pytest

from engine.errors import MatchError
from match.players.client import Engines
from match.players.interface import Turn
from match.players.net import NetPlayer
from match.players.population import PlayerFactory
from match.players.searching import SearchSpec

MATE_IN_TWO = "6k1/5ppp/8/8/8/8/R7/1R4K1 w - - 0 1"


def search_spec(text: str, *, seed: int = 1) -> SearchSpec:
    (player,) = PlayerFactory(seed=seed).players(text)
    assert isinstance(player.spec, SearchSpec)
    return player.spec


def turn(fen: str = chess.STARTING_FEN, *, game: int = 0) -> Turn:
    return Turn(game, chess.Board(fen), f"position fen {fen}", f"position fen {fen}")


def test_nodes_make_a_search_of_a_net() -> None:
    spec = search_spec("net@0.5,nodes=64")
    assert (spec.temperature, spec.nodes) == (0.5, 64)
    assert spec.name == "transcendence T=0.5 nodes=64"
    assert search_spec("net@nodes=8").temperature == 0.001
    assert isinstance(PlayerFactory().players("net@0.5,nodes=1")[0], NetPlayer)


@pytest.mark.parametrize("nodes", ["0", "-1", "many", ""])
def test_other_numbers_of_nodes_are_refused(nodes: str) -> None:
    with pytest.raises(MatchError, match="expected nodes=N, a whole number of 1 or more"):
        PlayerFactory().players(f"net@0.5,nodes={nodes}")


def test_a_table_names_its_nodes(tmp_path: Path) -> None:
    file = tmp_path / "two.toml"
    file.write_text(
        '[[player]]\nname = "deep"\nnet = ""\nrating = 1500\nnodes = 16\nanchor = 1400\n'
        '[[player]]\nname = "narrow"\nnet = ""\nnodes = 16\ntop_p = 0.9\n',
        encoding="utf-8",
    )
    (deep,) = PlayerFactory().players(f"{file}:deep")
    assert isinstance(deep.spec, SearchSpec)
    assert (deep.name, deep.anchor, deep.spec.nodes, deep.spec.players.white) == ("deep", 1400, 16, 1500)
    with pytest.raises(MatchError, match="expected no top_p beside nodes = 16"):
        PlayerFactory().players(f"{file}:narrow")


def test_it_mates() -> None:
    spec, engines, board = search_spec("net@1,nodes=64"), Engines(), chess.Board(MATE_IN_TWO)
    while not board.is_game_over() and board.ply() < 4:
        board.push(spec.answer(turn(board.fen()), engines))
    assert board.is_checkmate()


def test_a_move_depends_on_position_game_and_seed_alone() -> None:
    spec, other = search_spec("net@1,nodes=4"), search_spec("net@1,nodes=4", seed=2)
    used = Engines()
    first = [spec.answer(turn(game=game), used) for game in range(6)]
    assert [spec.answer(turn(game=game), Engines()) for game in range(6)] == first
    assert [other.answer(turn(game=game), used) for game in range(6)] != first
    assert len(set(first)) > 1
