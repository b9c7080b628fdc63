"""Movetext as programs, books and people write it: both readers find the same moves, and refuse the same games."""

from __future__ import annotations

import re
from collections.abc import Callable

import chess
import numpy as np
import pytest

from engine.vocabulary import MOVE_ID
from tests.training.data.made_pgn import STARTS, made
from training.data.reading import pgn
from training.data.reading.framing import GameSplitter
from training.data.reading.movetext import read_movetext
from training.data.reading.pgn import first_refused, read_games
from training.data.store import Games

Writer = Callable[[chess.Board, chess.Move], str]
pytestmark = pytest.mark.skipif(pgn.fast_reader is None, reason="the fast reader has no wheel for this platform")


def san(board: chess.Board, move: chess.Move) -> str:
    return board.san(move)


def long(board: chess.Board, move: chess.Move) -> str:
    """Both squares, with the piece's letter, a pawn's too."""
    piece = board.piece_at(move.from_square)
    assert piece is not None
    if board.is_castling(move):
        return board.san(move)
    sign = "x" if board.is_capture(move) else "-"
    promoted = f"={chess.piece_symbol(move.promotion).upper()}" if move.promotion else ""
    squares = chess.SQUARE_NAMES[move.from_square] + sign + chess.SQUARE_NAMES[move.to_square]
    return piece.symbol().upper() + squares + promoted


def with_ending(capture: str, check: str, mate: str) -> Writer:
    def write(board: chess.Board, move: chess.Move) -> str:
        plain = board.san(move)
        ending = mate if plain.endswith("#") else check if plain.endswith("+") else ""
        return plain.rstrip("+#") + (capture if board.is_en_passant(move) else "") + ending

    return write


def replaced(*pairs: tuple[str, str]) -> Writer:
    def write(board: chess.Board, move: chess.Move) -> str:
        text = board.san(move)
        for old, new in pairs:
            text = text.replace(old, new)
        return text

    return write


def without_x(board: chess.Board, move: chess.Move) -> str:
    return board.san(move).replace("x", "")


DIALECTS: dict[str, Writer] = {
    "SAN": san,
    "UCI": lambda board, move: move.uci(),
    "long with a pawn's letter": long,
    "long without it": lambda board, move: long(board, move).removeprefix("P"),
    "captures without x": without_x,
    "captures with a colon": replaced(("x", ":")),
    "e.p. and ch": with_ending(" e.p.", " ch", " mate"),
    "glued e.p. and ch": with_ending("e.p.", "ch", "mate"),
    "ep and checks as words": with_ending(" ep", " dbl ch", "mate"),
    "e.p. in brackets": with_ending(" (e.p.)", " dis.ch.", "++"),
    "castling with noughts": replaced(("O", "0")),
    "castling in small letters": replaced(("O", "o")),
    "a pawn's letter": lambda board, move: ("P" if board.san(move)[0] in "abcdefgh" else "") + board.san(move),
    "figurines": replaced(("K", "♔"), ("Q", "♛"), ("R", "♖"), ("B", "♝"), ("N", "♘")),
    "promotion in brackets": lambda board, move: re.sub(r"=(\w)", r"(\1)", board.san(move)),
    "promotion without a sign": replaced(("=", "")),
    "promotion without a sign, with ch": replaced(("=", ""), ("+", "ch"), ("#", "mate")),
    "promotion with a slash": replaced(("=", "/")),
    "clocks in brackets": lambda board, move: f"{board.san(move)} [0:02]",
    "bare clocks": lambda board, move: f"{board.san(move)} 0:02",
    "evaluations": lambda board, move: f"{board.san(move)} +/- $14 (=)",
    "variations": lambda board, move: f"{board.san(move)}(1. d4(1. c4 {{)}}) d5)",
    "an empty line behind each move": lambda board, move: f"{board.san(move)}\n\n",
}


def played(random: np.random.Generator, write: Writer, result: str) -> tuple[bytes, list[int]]:
    """A random game from a position rich in special moves, or the initial one."""
    fen = (None, *STARTS)[int(random.integers(1 + len(STARTS)))]
    board = chess.Board(fen or chess.STARTING_FEN)
    words: list[str] = []
    ids: list[int] = []
    for _ in range(int(random.integers(2, 30))):
        legal = list(board.legal_moves)
        if not legal:
            break
        special = [m for m in legal if m.promotion or board.is_en_passant(m) or board.is_castling(m) or board.is_capture(m)]
        pool = special if special and random.random() < 0.6 else legal
        move = pool[int(random.integers(len(pool)))]
        words += [f"{board.fullmove_number}{'.' if board.turn else '...'}", write(board, move)]
        ids.append(MOVE_ID[move.uci()])
        board.push(move)
    tags = f'[Event "x"]\n[FEN "{fen}"]\n' if fen else '[Event "x"]\n'
    return f"{tags}\n{' '.join(words)} {result}\n\n".encode(), ids


def both(pieces: list[bytes]) -> Games:
    """What both readers make of it, which must be the same."""
    (fast, fast_rejects), (slow, slow_rejects) = read_games(pieces), read_games(pieces, fast=False)
    assert fast_rejects == slow_rejects
    assert fast.moves.tolist() == slow.moves.tolist()
    assert fast.records.tolist() == slow.records.tolist()
    ends = [[] if games.open_ended is None else games.open_ended.tolist() for games in (fast, slow)]
    assert ends[0] == ends[1]
    return fast


@pytest.mark.parametrize("dialect", DIALECTS)
def test_both_readers_find_what_was_played(dialect: str) -> None:
    random = np.random.default_rng(5)
    for _ in range(40):
        raw, ids = played(random, DIALECTS[dialect], "1-0")
        assert both([raw]).moves.tolist() == ids, raw


@pytest.mark.parametrize(
    ("written", "result"),
    [
        ("1-0", "1-0"),
        ("0-1", "0-1"),
        ("1/2-1/2", "1/2-1/2"),
        ("*", "*"),
        ("½-½", "1/2-1/2"),
        ("1/2", "1/2-1/2"),
        ("1:0", "1-0"),
        ("0–1", "0-1"),
        ("", ""),
    ],
)
def test_results_in_every_writing(written: str, result: str) -> None:
    games = both([f"1. e4 e5 {written}\n".encode()])
    assert read_movetext(f"1. e4 e5 {written}").result == result
    assert games.open_ended is not None
    assert games.open_ended.tolist() == [not result]


@pytest.mark.parametrize(
    ("moves", "why"),
    [
        ("1. e4 e5 2. Ke3 1-0", "illegal move: illegal san: 'Ke3' in rnbqkbnr/pppp1ppp/8/4p3/4P3/8/PPPP1PPP/RNBQKBNR w KQkq"),
        ("1. e4 e5 2. Z0 1-0", "illegal move: null move in rnbqkbnr/pppp1ppp"),
        ("1. e4 e5 2. Sf3 Sc6 1-0", "unreadable: 'Sf3' after 2 plies"),
        ("1. e4 e5 2. Кf3 1-0", "unreadable: 'Кf3' after 2 plies"),  # a Cyrillic letter
        ("1. e4 e5 White resigns 1-0", "unreadable: 'White' after 2 plies"),
        ("1. e4 e5 (2. d4 1-0", "not read to its result: a variation without an end after 2 plies"),
        ("1. e4 e5 {2. d4 1-0", "not read to its result: a comment without an end after 2 plies"),
        ("1. e4 d5 2. ed 1-0", "unreadable: 'ed' after 2 plies"),
    ],
)
def test_what_is_refused_says_why(moves: str, why: str) -> None:
    good, bad = b"1. e4 e5 *", moves.encode()
    assert len(both([good, bad])) == 1
    assert first_refused([good, bad]).startswith(why)
    assert first_refused([good]) == ""


MARKS = "e.p.|ch|(|)| ( |{|}|;|\n|\n\n|\n%x\n|[0:02]|--|1-0| * |1/2|$3|!?|x|+|1.|...|N|e4|P|=Q|\t|<|0-0|Nf3|0000|♘|,| mate |\r"


def test_both_readers_agree_on_spoiled_games() -> None:
    random = np.random.default_rng(3)
    for _ in range(1500):
        raw = made(random).raw
        found = re.search(rb"\n\r?\n", raw)
        assert found is not None
        for _ in range(int(random.integers(1, 4))):
            place = int(random.integers(found.end(), len(raw)))
            raw = raw[:place] + str(random.choice(MARKS.split("|"))).encode() + raw[place:]
        splitter = GameSplitter()
        both(splitter.feed(raw) + splitter.finish())


def test_careless_tags_are_read_alike() -> None:
    careless = (
        '[WhiteElo "1500]',
        '[WhiteElo "15"00"]',
        '[ WhiteElo  "1500" ]',
        '[WhiteElo\t"1500"]',
        '[WhiteElo "1500"] [Round "9"]',
        '[WhiteElo ""]',
        '[White "a \\"b\\" c"]',
        '[Site "a\\\\b"]',
        "[]",
        "[",
        '[WhiteElo "1500"]x',
    )
    for tag in careless:
        assert len(both([f'[Event "x"]\n{tag}\n[Date "2020.01.01"]\n\n1. e4 e5 *\n'.encode()])) == 1, tag
