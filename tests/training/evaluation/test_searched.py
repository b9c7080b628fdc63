"""What a search makes of people's moves: the right plies, and honest counts."""

from __future__ import annotations

from pathlib import Path

import chess
import numpy as np
import pytest

from engine.encoding import Scale
from engine.errors import ConfigError
from engine.net import Net
from engine.vocabulary import MOVE_ID
from tests.nets import tiny_net
from training.data.store import Game, Store, iterate
from training.evaluation.searched import Agreement, Group, Position, agreement_table, agreements, main, positions_of


def _held_out(store: Store) -> list[Game]:
    """Those of them that have ratings and begin at the initial position."""
    held_out = np.concatenate(store.held_out())
    games = [game for game, chosen in zip(iterate(store), held_out, strict=True) if chosen]
    return [game for game in games if game.white_elo and game.scale and game.start_fen is None]


def _group(store: Store) -> Group:
    """A rating that somebody of the held-out games has."""
    game = _held_out(store)[0]
    return Group(game.white_elo, Scale(game.scale))


def test_positions_are_plies_of_such_players_in_held_out_games(store: Store) -> None:
    held_out = _held_out(store)
    for group in (Group(elo, Scale(game.scale)) for game in held_out for elo in (game.white_elo, game.black_elo)):
        positions = positions_of(store, group, most=50, seed=1)
        found = [_game_of(position, held_out) for position in positions]
        assert len({game.key() for game in found}) == len(found), "one ply of each game"
        for position, game in zip(positions, found, strict=True):
            assert position.board.root().fen() == chess.STARTING_FEN
            assert position.board.ply() >= 8
            assert game.scale == group.scale
            rating = game.white_elo if position.board.turn == chess.WHITE else game.black_elo
            assert abs(rating - group.rating) <= 100


def _game_of(position: Position, games: list[Game]) -> Game:
    """The one that came to the position and went on with the move that was played."""
    moves = [MOVE_ID[move.uci()] for move in (*position.board.move_stack, position.played)]
    (game,) = (game for game in games if game.moves[: len(moves)].tolist() == moves)
    return game


def test_positions_are_the_same_for_a_seed_and_none_is_an_error(store: Store) -> None:
    group = _group(store)
    positions = positions_of(store, group, most=50, seed=1)
    again = positions_of(store, group, most=50, seed=1)
    assert [p.board.fen() for p in again] == [p.board.fen() for p in positions]
    with pytest.raises(ConfigError, match="rated about 3900 fide, found none"):
        positions_of(store, Group(3900, Scale.FIDE), most=50, seed=1)
    with pytest.raises(ConfigError, match=f"rated about {group.rating} fide, found none"):
        positions_of(store, Group(group.rating, Scale.FIDE), most=50, seed=1)


def test_a_mate_is_found_by_the_search_and_counted_as_gained(tmp_path: Path) -> None:
    net = Net.open(tiny_net(tmp_path / "n.onnx"), threads=1)
    fens = ["6k1/5ppp/8/8/8/8/8/R5K1 w - - 0 1", "6k1/5ppp/8/8/8/8/8/1R4K1 w - - 0 1", "6k1/5ppp/8/8/8/8/8/2R3K1 w - - 0 1"]
    positions = [
        Position(board := chess.Board(fen), board.parse_san(f"R{file}8#")) for fen, file in zip(fens, "abc", strict=True)
    ]
    alone, few = agreements(net, positions, [4], group="mates")
    assert few.same == 3
    assert alone.same + few.gained == 3
    assert few.lost == 0
    assert few.change == pytest.approx(1 - alone.share)


def test_the_error_is_that_of_paired_differences() -> None:
    a = Agreement("g", 4, 100, same=50, kept=60, gained=30, lost=10)
    differences = np.array([1] * 30 + [-1] * 10 + [0] * 60)
    assert a.change == pytest.approx(differences.mean())
    assert a.change_error == pytest.approx(differences.std() / 10)
    assert "+20.0" in agreement_table([a])


def test_the_command_writes_what_it_prints(store: Store, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    net, group = tiny_net(tmp_path / "n.onnx"), _group(store)
    words = [str(net), str(store.path), "--groups", f"{group.rating}:{group.scale.name.lower()}", "--positions", "3"]
    assert main([*words, "--nodes", "2", "--out", str(tmp_path / "s.json")]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 3
    assert '"nodes": 2' in (tmp_path / "s.json").read_text(encoding="utf-8")
    assert main([*words[:3], "strong"]) == 2
    assert "RATING:SCALE" in capsys.readouterr().err
    assert main([*words, "--nodes", "0"]) == 2
    assert "1 or more" in capsys.readouterr().err
