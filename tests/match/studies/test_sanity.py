"""What people notice at once: each count on positions and games whose answer is known."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import chess
import numpy as np
import pytest

from engine.errors import MatchError
from engine.inference.evaluation import Evaluation
from match.commands import sanity as sanity_command
from match.play.game import Played
from match.play.results import read_results
from match.players import client as engines
from match.studies.boards import Example, read_examples
from match.studies.sanity import (
    LEAST_MEN,
    POSITIONS,
    Lead,
    Row,
    SanityPositions,
    Share,
    ahead_positions,
    ahead_rows,
    as_json,
    as_text,
    conversion_row,
    endgames,
    has_another,
    is_winning,
    lead_of,
    mate_positions,
    mate_rows,
    mating_moves,
    repeats_row,
    sanity_table,
    schedule,
    sorted_out,
)
from tests.match.conftest import START, fake, needs_stockfish

Command = Callable[[Sequence[object]], tuple[int, str, str]]
ROOK_UP = "7k/8/8/8/8/8/8/KR6 w - - 0 1"
SHUFFLE = "b1b2 h8g8 b2b1 g8h8"
FOOLS_MATE = "f2f3 e7e5 g2g4"
QUICK = ["--mates", 4, "--endgames", 2, "--ahead", 2, "--workers", 1, "--defender", "greedy", "--opponent", "random"]


def after(moves: str, fen: str = START) -> chess.Board:
    board = chess.Board(fen)
    for move in moves.split():
        board.push_uci(move)
    return board


def played(
    moves: str,
    *,
    number: int = 0,
    result: str = "1-0",
    reason: str = "checkmate",
    fen: str = START,
    opening: str = "o",
    opening_plies: int = 0,
) -> Played:
    return Played(number, "net", "other", opening, "p", result, reason, fen, moves, opening_plies)


def believing(board: chess.Board, shares: dict[str, float]) -> Evaluation:
    """A net that finds these moves likely and no other."""
    moves = tuple(board.legal_moves)
    return Evaluation(moves, np.log([shares.get(move.uci(), 1e-6) for move in moves]), (0.3, 0.4, 0.3))


@pytest.mark.parametrize(
    ("fen", "mates"),
    [
        ("6k1/5ppp/8/8/8/8/5PPP/3R2K1 w - - 0 1", {"d1d8"}),
        ("k7/8/1K6/8/8/8/8/2Q4R w - - 0 1", {"c1c8", "h1h8"}),
        ("k7/8/1K6/8/8/8/8/2Q5 w - - 0 1", {"c1c8"}),
        ("7k/5P1p/7K/8/8/8/8/8 w - - 0 1", {"f7f8q", "f7f8r"}),
        (START, set()),
        ("6k1/4rppp/8/8/8/8/5PPP/3R2K1 w - - 0 1", set()),
    ],
)
def test_mates_in_one_are_found_and_the_board_left_alone(fen: str, mates: set[str]) -> None:
    board = chess.Board(fen)
    by_hand = {m.uci() for m in board.legal_moves if after(m.uci(), fen).is_checkmate()}
    assert {move.uci() for move in mating_moves(board)} == by_hand == mates
    assert board.fen() == chess.Board(fen).fen()


@pytest.mark.parametrize(
    ("fen", "winning"),
    [
        (START, False),
        ("4k3/8/8/8/8/8/8/4KN2 w - - 0 1", True),
        ("4k3/8/8/8/8/8/8/4KN2 b - - 0 1", False),
        ("4k3/8/8/8/8/8/PP6/4K3 w - - 0 1", False),
        ("4k3/3q4/8/8/8/8/P7/R3K3 b - - 0 1", True),
        ("4k3/3q4/8/8/8/8/PP6/R3K3 b - - 0 1", False),
    ],
)
def test_three_points_ahead_are_winning(fen: str, winning: bool) -> None:
    assert is_winning(chess.Board(fen)) == winning


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718), (20, 20, 0.8389, 1)],
)
def test_intervals_are_wilsons(count: int, of: int, low: float, high: float) -> None:
    """The first four: Newcombe (1998), table I, method 3."""
    assert Share(count, of).interval == pytest.approx((low, high), abs=5e-5)


def test_nothing_asked_is_told_as_nothing() -> None:
    row = Row("mates", Share(0, 0))
    assert row.share.interval == (0, 1)
    assert "none" in sanity_table([row], {"net": "x"}).splitlines()[1]
    assert json.loads(json.dumps(as_json([row], {}), allow_nan=False))["rows"][0]["share"] is None


@pytest.mark.parametrize(("kind", "piece"), [("K+Q v K", chess.QUEEN), ("K+R v K", chess.ROOK)])
def test_endgames_are_legal_varied_seeded_and_not_over(kind: str, piece: int) -> None:
    boards = endgames(kind, count=300, seed=1)
    assert len({board.fen() for board in boards}) == 300
    for board in boards:
        assert board.is_valid()
        assert not board.is_game_over()
        assert not any(board.is_capture(move) for move in board.legal_moves)
        assert board.occupied.bit_count() == 3
    strong = [bool(board.pieces(piece, chess.WHITE)) for board in boards]
    assert 100 < sum(strong) < 200
    assert 60 < sum(board.turn == white for board, white in zip(boards, strong, strict=True)) < 240
    assert [b.fen() for b in endgames(kind, count=20, seed=1)] == [b.fen() for b in boards[:20]]
    assert [b.fen() for b in endgames(kind, count=20, seed=2)] != [b.fen() for b in boards[:20]]


def test_a_mate_is_the_first_of_a_side_and_one_a_game() -> None:
    missed = f"{FOOLS_MATE} a7a6 a2a3 d8h4"
    games = [played(missed, number=i) for i in range(10)] + [played("e2e4 e7e5", number=10)]
    found = mate_positions(games, count=30, seed=1)
    assert [board.ply() for board in found] == [3] * 10
    assert len(mate_positions(games, count=4, seed=1)) == 4
    assert not mate_positions([played(missed, opening_plies=6)], count=1, seed=1)


def test_positions_far_ahead_are_the_judges() -> None:
    judged: list[chess.Board] = []

    def judge(board: chess.Board) -> int:
        judged.append(board)
        return 600 if board.ply() == 3 else 499

    found = ahead_positions([played(FOOLS_MATE + " d8h4")], judge, count=5, seed=1)
    assert [board.ply() for board in found] == [3]
    assert not ahead_positions([played(SHUFFLE, fen=ROOK_UP)], lambda board: 900, count=5, seed=1)
    assert all(board.occupied.bit_count() >= LEAST_MEN for board in judged)


def test_positions_survive_their_file(tmp_path: Path) -> None:
    made = SanityPositions([after(FOOLS_MATE)], [after(SHUFFLE, ROOK_UP), chess.Board()])
    (tmp_path / "p.txt").write_text(as_text(made))
    again = sorted_out(read_examples(tmp_path / "p.txt"))
    assert [b.fen() for b in [*again.mates, *again.ahead]] == [b.fen() for b in [*made.mates, *made.ahead]]
    assert again.ahead[0].root().fen() == ROOK_UP
    for wrong in (Example("mate 1", chess.Board()), Example("level 1", chess.Board())):
        with pytest.raises(MatchError, match="with a mate in one"):
            sorted_out([wrong])


def test_the_projects_own_positions_are_sound_and_small() -> None:
    found = sorted_out(read_examples(POSITIONS))
    assert len(found.mates) == 300
    assert len(found.ahead) >= 100
    assert all(board.root().fen() == chess.STARTING_FEN for board in [*found.mates, *found.ahead])
    assert all(board.occupied.bit_count() >= LEAST_MEN for board in found.ahead)
    assert POSITIONS.stat().st_size <= 250_000


def test_the_hero_gets_the_side_that_is_ahead_once_a_position() -> None:
    starts = {"K+R v K": [chess.Board(ROOK_UP), chess.Board(ROOK_UP).mirror()]}
    fixtures = schedule("net", starts, ahead=[after("e2e4")], defender="d", opponent="o")
    assert [(f.number, f.white, f.black) for f in fixtures] == [(0, "net", "d"), (1, "d", "net"), (2, "o", "net")]
    assert [f.opening.name for f in fixtures] == ["K+R v K 1", "K+R v K 2", "ahead 1"]
    assert fixtures[2].opening.moves == ("e2e4",)


def test_mates_are_counted_in_all_and_where_the_mover_is_ahead() -> None:
    back_rank, fools = chess.Board("6k1/5ppp/8/8/8/8/5PPP/3R2K1 w - - 0 1"), after(FOOLS_MATE)
    moves = [chess.Move.from_uci("d1d8"), chess.Move.from_uci("a7a6")]
    everywhere, ahead = mate_rows([back_rank, fools], moves)
    assert (everywhere.share, ahead.share) == (Share(1, 2), Share(1, 1))


def test_conversions_and_leads_are_counted_without_forfeits() -> None:
    mate = "b1b7 h8g8 a1b2 g8h8 b2b3 h8g8"  # no mate, but as long as one: the record says how it ended
    games = [
        played(mate, opening="K+R v K 1", fen=ROOK_UP),
        played(mate, opening="K+R v K 2", fen=ROOK_UP, result="1/2-1/2", reason="fifty moves"),
        played("", opening="K+R v K 3", fen=ROOK_UP, reason="forfeit by other: crashed"),
        played("e2e4", opening="ahead 1", result="0-1"),
        played("e2e4", opening="ahead 2", result="1/2-1/2", reason="repetition"),
    ]
    assert conversion_row(games, "K+R v K", "net") == Row("K+R v K won", Share(1, 2), 3.0)
    assert conversion_row(games, "K+Q v K", "net").moves_to_mate is None
    assert [row.share for row in ahead_rows(games, "net")] == [Share(0, 2), Share(1, 2), Share(1, 2), Share(1, 2)]
    assert [row.share.count for row in ahead_rows(games, "other")][:3] == [1, 1, 0]


def test_repetitions_of_a_scripted_game() -> None:
    game = played(f"{SHUFFLE} {SHUFFLE} b1b3", fen=ROOK_UP)
    lead = lead_of([game], "net")
    assert lead.moves == 5
    assert [(board.ply(), move.uci()) for board, move in lead.repeated] == [(4, "b1b2"), (6, "b2b1")]
    assert lead_of([game], "other") == lead_of([game], "nobody") == Lead(0, [])
    assert lead_of([played(f"{SHUFFLE} {SHUFFLE}", fen=ROOK_UP, opening_plies=6)], "net").moves == 1


def test_only_needless_repetitions_count() -> None:
    lead = lead_of([played(f"{SHUFFLE} {SHUFFLE}", fen=ROOK_UP)], "net")
    boards = [board for board, _ in lead.repeated]
    another = believing(boards[0], {"b1b2": 0.9, "b1b3": 0.1})
    only = believing(boards[1], {"b2b1": 1.0})
    assert has_another(boards[0], another)
    assert not has_another(boards[1], only)
    assert repeats_row("all", lead, [another, only]).share == Share(1, 4)


def test_a_stalemate_is_no_alternative() -> None:
    board = chess.Board("k7/8/1K6/8/8/8/8/2Q5 w - - 0 1")
    assert not has_another(board, believing(board, {"c1c7": 1.0}))


def test_the_command_with_built_in_players(command: Command, random_net: Path, tmp_path: Path) -> None:
    words = ["sanity", "--net", random_net, *QUICK, "--out", tmp_path / "s"]
    status, text, _ = command(words)
    assert status == 0
    assert {p.name for p in (tmp_path / "s").iterdir()} == {"sanity.txt", "sanity.json", "results.jsonl", "match.json"}
    assert (tmp_path / "s" / "sanity.txt").read_text() == text
    found = json.loads((tmp_path / "s" / "sanity.json").read_text())
    of = {row["name"]: row["of"] for row in found["rows"]}
    assert of["mate in one given"] == 4
    assert of["K+Q v K won"] == of["K+R v K won"] == of["+5 won"] == 2
    assert found["notes"]["net"] == "random (fp32), conditioned on rating 1500"
    assert found["notes"]["positions"] == "sanity.txt"
    games = (tmp_path / "s" / "results.jsonl").read_bytes()
    assert command(words) == (0, text, "")
    assert (tmp_path / "s" / "results.jsonl").read_bytes() == games
    status, _, error = command([*words, "--seed", 2])
    assert (status, "holds a match with other settings" in error) == (2, True)


def test_positions_from_matches_are_kept(command: Command, random_net: Path, tmp_path: Path) -> None:
    match = tmp_path / "m"
    words = ["play", "--net", random_net, "--levels", "--builtin", "greedy", "--games", 6, "--no-page", "--workers", 1]
    assert command([*words, "--out", match])[0] == 0
    words = ["sanity", "--net", random_net, *QUICK, "--ahead", 0, "--from", match]
    assert command([*words, "--out", tmp_path / "a"])[0] == 0
    rows = {row["name"]: row for row in json.loads((tmp_path / "a" / "sanity.json").read_text())["rows"]}
    drawn = read_examples(tmp_path / "a" / "positions.txt")
    assert rows["mate in one given"]["of"] == len(drawn) > 0
    lead = lead_of(read_results(match / "results.jsonl"), "random T=0.001")
    assert rows["moves ahead that repeat, matches"]["of"] == lead.moves
    assert command([*words, "--positions", POSITIONS, "--out", tmp_path / "b"])[0] == 0
    assert not (tmp_path / "b" / "positions.txt").exists()
    (tmp_path / "empty").mkdir()
    (tmp_path / "empty" / "results.jsonl").touch()
    status, _, error = command(["sanity", "--net", random_net, *QUICK, "--from", tmp_path / "empty", "--out", tmp_path / "c"])
    assert (status, "expected finished games" in error) == (2, True)


def test_a_blind_net_is_not_asked_about_endgames(command: Command, blind_net: Path, tmp_path: Path) -> None:
    status, text, _ = command(["sanity", "--net", blind_net, *QUICK, "--out", tmp_path / "s"])
    assert status == 0
    assert "the net is blind" in text
    rows = {row["name"]: row["of"] for row in json.loads((tmp_path / "s" / "sanity.json").read_text())["rows"]}
    assert (rows["K+Q v K won"], rows["mate in one given"]) == (0, 4)


def test_without_stockfish_one_line_says_how_to_get_it(
    command: Command, random_net: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engines, "find_stockfish", lambda: None)
    monkeypatch.setattr(sanity_command, "find_stockfish", lambda: None)
    status, _, error = command(["sanity", "--net", random_net, "--out", tmp_path / "s"])
    assert (status, "apt install stockfish" in error, error.count("\n")) == (2, True, 1)
    (tmp_path / "m").mkdir()
    (tmp_path / "m" / "results.jsonl").write_text(json.dumps(played("e2e4").__dict__) + "\n")
    status, _, error = command(["sanity", "--net", random_net, *QUICK, "--from", tmp_path / "m", "--out", tmp_path / "s"])
    assert (status, "to find who is ahead" in error, error.count("\n")) == (2, True, 1)


def test_an_engine_tells_its_name() -> None:
    engine = engines.Engine(fake("good").setup)
    engine.close()
    assert engine.name


@needs_stockfish
def test_stockfish_defends_judges_and_tells_its_version(command: Command, random_net: Path, tmp_path: Path) -> None:
    match = tmp_path / "m"
    words = ["versus", "greedy", "random", "--games", 6, "--no-page", "--workers", 1, "--openings", "random:4"]
    assert command([*words, "--out", match])[0] == 0
    words = ["sanity", "--net", random_net, "--mates", 2, "--endgames", 1, "--ahead", 1, "--workers", 1, "--from", match]
    status, text, _ = command([*words, "--out", tmp_path / "s"])
    assert status == 0
    assert "defender of endgames: stockfish depth=6 (Stockfish" in text
    assert len(sorted_out(read_examples(tmp_path / "s" / "positions.txt")).ahead) == 1
