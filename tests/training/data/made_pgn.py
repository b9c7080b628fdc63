"""PGN that the tests make themselves: random legal games written in every dialect that files in the wild have.

``made(random)`` gives one game: its bytes, and the moves that a reader must find, or the reason why it must refuse.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import chess
import numpy as np

from engine.vocabulary import MOVE_ID

STARTS = (
    "r3k2r/pppppppp/8/8/8/8/PPPPPPPP/R3K2R w KQkq - 0 1",
    "r3k2r/p6p/8/8/8/8/P6P/R3K2R b KQkq - 3 20",
    "8/PPP4k/8/8/8/8/4Kppp/8 w - - 0 1",
    "1n2n3/P2P1k2/8/8/8/8/p2p1K2/1N2N3 b - - 0 40",
    "rnbqkbnr/ppp1pppp/8/8/3pP3/8/PPPP1PPP/RNBQKBNR b KQkq e3 0 1",
    "4k3/p1p1p1p1/8/1P1P1P1P/p1p1p1p1/8/1P1P1P1P/4K3 w - - 0 1",
    "4k3/8/8/8/8/8/8/R3K2R w KQ - 99 120",
)
"""Positions rich in castling, promotions and en passant."""

FORGIVEN_STARTS = (
    "rnbqkbnr/pppppppp/8/8/8/8/PPPPPPPP/RNBQKBNR",  # of old programs: the board alone
    "4k3/8/8/8/8/8/8/4K2R w KQkq - 0 1",  # rights without rooks
    "QQQQkQQQ/8/8/8/8/8/8/4K3 b - - 0 1",  # more pieces than a game can have
)
"""Careless, but playable."""


@dataclass
class Made:
    """One game as text, and what is in it."""

    raw: bytes
    moves: list[int] = field(default_factory=list)
    reason: str = ""
    """Empty for a good game."""
    kinds: set[str] = field(default_factory=set)


def made(random: np.random.Generator) -> Made:
    """A random game, three in four of them good."""
    spoil = _SPOILED[int(random.integers(len(_SPOILED)))] if random.random() < 0.25 else None
    fens = (None, None, *STARTS, *FORGIVEN_STARTS)
    fen = None if spoil else fens[int(random.integers(len(fens)))]
    game = Made(b"", kinds={"fen"} if fen else set())
    words = _play(random, game, fen)
    tags = _tags(random, fen)
    result = str(random.choice(["1-0", "0-1", "1/2-1/2", "*"]))
    if random.random() < 0.8:
        tags.append(f'[Result "{result}"]')
    if spoil:
        words, game.reason = spoil(words, tags)
        game.moves = []
    if random.random() < 0.9:
        words.append(result)
    return _written(random, game, tags, words)


def _play(random: np.random.Generator, game: Made, fen: str | None) -> list[str]:
    board, words = chess.Board(fen or chess.STARTING_FEN), []
    dress = random.random() < 0.6
    for _ in range(int(random.integers(4, 36))):
        legal = list(board.legal_moves)
        if not legal:
            break
        special = [m for m in legal if m.promotion or board.is_castling(m) or board.is_en_passant(m)]
        pool = special if special and random.random() < 0.5 else legal
        move = pool[int(random.integers(len(pool)))]
        game.kinds |= _kinds(board, move)
        game.moves.append(MOVE_ID[move.uci()])
        number = f"{board.fullmove_number}." + ("" if board.turn else "..")
        san = _san(random, board, move)
        words.append(number + (" " if random.random() < 0.5 else "") + san if dress or not board.turn else san)
        if dress:
            words += _dressing(random, game)
    return words


def _san(random: np.random.Generator, board: chess.Board, move: chess.Move) -> str:
    san = board.san(move)
    board.push(move)
    if random.random() < 0.05:
        san = san.replace("O", "0")
    return san.rstrip("+#") if random.random() < 0.1 else san


def _kinds(board: chess.Board, move: chess.Move) -> set[str]:
    kinds = {f"promotion {chess.piece_symbol(move.promotion)}"} if move.promotion else set()
    if board.is_castling(move):
        kinds.add("short" if board.is_kingside_castling(move) else "long")
    return kinds | ({"en passant"} if board.is_en_passant(move) else set())


def _dressing(random: np.random.Generator, game: Made) -> list[str]:
    dresses = {
        "nag": ["$1", "$146"],
        "sign": ["!?"],
        "comment": ["{ a plan: [e4, e5] (or 1. d4) 1-0 }"],
        "clock": ["{ [%eval 0.17] [%clk 0:05:03] }"],
        "mate eval": ["{[%eval #-3]}"],
        "variation": ["(1. d4 d5 (1... Nf6 $2 {a {b}) 2. c4 *)"],
        "rest of line": ["; the rest of the line is (1. a3\n"],
        "escape": ["\n% a line for another program 1. a4\n"],
    }
    if random.random() > 0.2:
        return []
    kind = str(random.choice(sorted(dresses)))
    game.kinds.add(kind)
    return dresses[kind]


def _tags(random: np.random.Generator, fen: str | None) -> list[str]:
    sites = ("https://lichess.org/Ab12", "https://www.chess.com/game/1", "London ENG", "?")
    tags = [
        '[Event "casual [rated] game"]',
        f'[Site "{random.choice(sites)}"]',
        f'[White "{random.choice(["Ann", "Zoë", "Łuk"])}"]',
    ]
    tags.append(f'[WhiteElo "{random.choice(["1500", "?", "", "-", "2100?", "99999", "840"])}"]')
    tags.append(f'[BlackElo "{int(random.integers(400, 2900))}"]')
    tags.append(f'[{random.choice(["Date", "UTCDate"])} "{random.choice(["2017.04.30", "1998.??.??", "????.??.??", "x"])}"]')
    tags.append(f'[TimeControl "{random.choice(["60+0", "300+3", "1/86400", "-", "40/7200:3600", "?"])}"]')
    tags.append(f'[Termination "{random.choice(["Time forfeit", "Normal", "won by checkmate", "Abandoned"])}"]')
    if random.random() < 0.1:
        tags.append('[WhiteTitle "BOT"]')
    if fen:
        tags += ['[SetUp "1"]', f'[FEN "{fen}"]'] + (['[Variant "From Position"]'] if random.random() < 0.3 else [])
    return tags


def _written(random: np.random.Generator, game: Made, tags: list[str], words: list[str]) -> Made:
    text, width = "", 0
    for word in words:
        text += word + ("\n" if width > 70 else " ")
        width = 0 if width > 70 else width + len(word) + 1
    whole = "\n".join(tags) + "\n\n" + text + "\n\n"
    if random.random() < 0.3:
        whole = whole.replace("\n", "\r\n")
        game.kinds.add("crlf")
    if random.random() < 0.1:
        whole = "\ufeff" + whole
        game.kinds.add("bom")
    latin = random.random() < 0.3 and "Ł" not in whole
    game.raw = whole.encode("latin-1" if latin and "\ufeff" not in whole else "utf-8")
    if game.raw.find(b"Zo\xeb") >= 0:
        game.kinds.add("latin-1")
    if not game.moves and not game.reason:
        game.reason = "no moves"
    return game


Spoiler = Callable[[list[str], list[str]], tuple[list[str], str]]


def _illegal(words: list[str], tags: list[str]) -> tuple[list[str], str]:
    return ["1. e4 e5 2. Ke3 Nc6"], "illegal move"


def _null(words: list[str], tags: list[str]) -> tuple[list[str], str]:
    return ["1. e4 -- 2. d4"], "illegal move"


def _empty(words: list[str], tags: list[str]) -> tuple[list[str], str]:
    return [], "no moves"


def _nonsense(words: list[str], tags: list[str]) -> tuple[list[str], str]:
    return ["1. e4 hello 1... e5"], "unreadable"


def _half_a_move(words: list[str], tags: list[str]) -> tuple[list[str], str]:
    return ["1. e4 e5 2. N"], "unreadable"


def _chess960(words: list[str], tags: list[str]) -> tuple[list[str], str]:
    tags += ['[Variant "Chess960"]', '[FEN "bqnbrnkr/pppppppp/8/8/8/8/PPPPPPPP/BQNBRNKR w KQkq - 0 1"]']
    return ["1. e4 e5"], "another variant"


def _chess960_untold(words: list[str], tags: list[str]) -> tuple[list[str], str]:
    tags += ['[FEN "bqnbrnkr/pppppppp/8/8/8/8/PPPPPPPP/BQNBRNKR w HEhe - 0 1"]']
    return ["1. e4 e5"], "another variant"


def _crazyhouse(words: list[str], tags: list[str]) -> tuple[list[str], str]:
    tags.append('[Variant "Crazyhouse"]')
    return ["1. e4 d5 2. exd5 Qxd5 3. P@e4"], "another variant"


def _drop_untold(words: list[str], tags: list[str]) -> tuple[list[str], str]:
    return ["1. e4 d5 2. exd5 Qxd5 3. P@e4"], "illegal move"


def _no_kings(words: list[str], tags: list[str]) -> tuple[list[str], str]:
    tags.append('[FEN "8/8/8/8/8/8/PP6/8 w - - 0 1"]')
    return ["1. a3"], "impossible start position"


def _no_fen(words: list[str], tags: list[str]) -> tuple[list[str], str]:
    tags.append('[FEN "nonsense"]')
    return ["1. a3"], "impossible start position"


_SPOILED: tuple[Spoiler, ...] = (
    _illegal,
    _null,
    _empty,
    _nonsense,
    _half_a_move,
    _chess960,
    _chess960_untold,
    _crazyhouse,
    _drop_untold,
    _no_kings,
    _no_fen,
)
