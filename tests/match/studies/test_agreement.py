"""Whose moves a player makes is counted where two others would play the same, and where they would not."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import chess
import pytest

from engine.errors import MatchError
from match.play.game import Played
from match.players.client import Engines
from match.players.interface import Turn
from match.studies.agreement import agreement, agreement_table, draw_moves
from tests.match.conftest import START, needs_stockfish
from tests.paths import ROOT

Command = Callable[[Sequence[object]], tuple[int, str, str]]
MOVES = "e2e4 e7e5 g1f3 b8c6 f1c4 g8f6 d2d3 f8c5"


@dataclass(frozen=True)
class Fixed:
    """Plays the same answer wherever it is legal, else the first legal move by name."""

    name: str
    move: str
    anchor: float | None = None

    def answer(self, turn: Turn, engines: Engines) -> chess.Move:
        move = chess.Move.from_uci(self.move)
        return move if move in turn.board.legal_moves else min(turn.board.legal_moves, key=chess.Move.uci)


def games(count: int = 3, *, opening_plies: int = 2) -> list[Played]:
    return [Played(i, "a", "b", f"o{i}", f"p{i}", "1/2-1/2", "length", START, MOVES, opening_plies) for i in range(count)]


def test_moves_are_the_players_own_and_come_with_their_turns() -> None:
    moves = draw_moves(games(), "b", count=100, seed=1)
    assert len(moves) == 9  # three a game behind the opening
    assert all(turn.board.turn is chess.BLACK and move in turn.board.legal_moves for turn, move in moves)
    assert {move.uci() for _, move in moves} == {"b8c6", "g8f6", "f8c5"}
    turn = next(turn for turn, move in moves if move.uci() == "g8f6")
    assert turn.whole == f"position fen {START} moves e2e4 e7e5 g1f3 b8c6 f1c4"
    assert turn.short == f"position fen {turn.board.fen()}"
    assert draw_moves(games(), "b", count=4, seed=1) == moves[:4]
    assert {move.uci() for _, move in draw_moves(games(), "a", count=100, seed=1)} == {"g1f3", "f1c4", "d2d3"}


def test_each_move_is_counted_once() -> None:
    moves = draw_moves(games(1), "a", count=100, seed=1)  # g1f3 f1c4 d2d3
    found = agreement(moves, Fixed("one", "g1f3"), Fixed("other", "d2d3"), Engines())
    # they differ at each move: the first is as one would play, the second (f1c4) as neither, the third as the other would
    assert (found.same.count, found.same.of) == (0, 3)
    assert (found.as_both.count, found.as_both.of) == (0, 0)
    assert (found.as_first.count, found.as_second.count, found.as_first.of) == (1, 1, 3)
    found = agreement(moves, Fixed("one", "g1f3"), Fixed("other", "g1f3"), Engines())
    assert (found.same.count, found.as_both.count, found.as_both.of, found.as_first.of) == (3, 1, 3, 0)
    assert "none" not in agreement_table(found, player="a", first="one", second="other").splitlines()[1]


@needs_stockfish
def test_two_players_of_one_engine_do_not_know_what_the_other_has_found(command: Command) -> None:
    results = ROOT / "docs" / "results" / "transcendence" / "noisy-herd" / "net"
    words = [results, "stockfish@depth=1", "stockfish@depth=1", "--of", "net T=0.001", "--positions", 200]
    status, text, _ = command(["agreement", *words])
    assert status == 0
    assert "play the same  100.0%" in text


def test_a_player_who_did_not_play_is_named_with_those_who_did() -> None:
    with pytest.raises(MatchError, match="expected moves of 'c' in these games, found none; they are of a, b"):
        draw_moves(games(), "c", count=1, seed=1)


@needs_stockfish
def test_the_noisy_herds_net_has_kept_the_blind_spot(command: Command, tmp_path: Path) -> None:
    """Of the committed games, so that anyone can see that a shared error wins the vote."""
    results = ROOT / "docs" / "results" / "transcendence" / "noisy-herd" / "net"
    words = [results, ROOT / "match" / "populations" / "herd-0.toml", "stockfish@depth=1", "--of", "net T=0.001"]
    status, text, _ = command(["agreement", *words, "--positions", 60, "--out", tmp_path / "table.txt"])
    assert status == 0
    assert (tmp_path / "table.txt").read_text(encoding="utf-8") == text
    shares = {name: float(share) for name, share in re.findall(r"^where they differ: as (.*?)  +([\d.]+)%", text, re.MULTILINE)}
    assert shares["herd 0%"] > 50 > 20 > shares["stockfish depth=1"]


def test_a_net_is_no_player_to_compare_with(command: Command, random_net: Path, tmp_path: Path) -> None:
    quick = ["--games", 2, "--no-page", "--workers", 1, "--most-moves", 9]
    assert command(["versus", "greedy", "random", *quick, "--out", tmp_path / "m"])[0] == 0
    status, _, error = command(["agreement", tmp_path / "m", f"net:{random_net}", "greedy", "--of", "random mover"])
    assert status == 2
    assert "give it a search" in error
    status, _, error = command(
        ["agreement", tmp_path / "m", ROOT / "match/populations/herd.toml", "greedy", "--of", "random mover"]
    )
    assert status == 2
    assert "expected one player, got the 8" in error
