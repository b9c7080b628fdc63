"""Boards from moves: every position of many games at once, in numpy.

Knows how pieces move once a legal move is given, castling rights, en passant, the fifty-move counter and
repetitions, and turns it all to the mover's side. Produces exactly the numbers that ``engine.encoding`` computes
for one position. Does not check legality: the store holds legal games only.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from engine.attacks import ATTACKER_CLASSES
from engine.encoding import ATTACK_CODES, BOARD_CODES, FIFTY_LIMITS, PIECE_CODES
from engine.vocabulary import FLIP, PROMOTION, SOURCE, TARGET
from training.batches.attacks import Bits, least_attackers
from training.batches.kings import king_codes

_PAWN, _ROOK, _KING = 1, 4, 6
_BLACK = 6  # added to a piece type for a black piece on an absolute board
_MEN = np.arange(1, PIECE_CODES, dtype=np.uint8)[:, None, None]
_BLOCK = 4096  # positions whose bitboards stay in the processor's cache while they are worked on


@dataclass(frozen=True)
class Start:
    """The position a game starts from, seen by White."""

    board: NDArray[np.uint8]
    """(64,) 0 empty, 1..6 white pawn..king, 7..12 black."""
    castling: int
    """Bits: white short 1, white long 2, black short 4, black long 8."""
    en_passant: int
    """0 none, 1..8 the file of a pawn that may be taken in passing."""
    fifty: int
    """Half-moves since the last capture or pawn move."""
    black_to_move: bool
    """True when Black makes the first move."""


@dataclass(frozen=True)
class ReplayedPositions:
    """The position before each of P plies, from its mover's side; one row a ply, games one after another."""

    pieces: NDArray[np.uint8]
    """(P, 64) piece codes."""
    state: NDArray[np.uint8]
    """(P, 4) the columns of ``engine.encoding.STATE_SIZES``."""
    black: NDArray[np.bool_]
    """(P,) True where Black is to move."""
    keys: NDArray[np.uint64]
    """(P,) equal for positions that count as repetitions of each other, in one game and across games."""


def _initial_board() -> NDArray[np.uint8]:
    back = np.array([4, 2, 3, 5, 6, 3, 2, 4], dtype=np.uint8)
    board = np.zeros((8, 8), dtype=np.uint8)
    board[0], board[1], board[6], board[7] = back, _PAWN, _PAWN + _BLACK, back + _BLACK
    return board.reshape(64)


INITIAL = Start(_initial_board(), castling=15, en_passant=0, fifty=0, black_to_move=False)
"""The initial position of standard chess."""


def _castling_masks() -> NDArray[np.uint8]:
    masks = np.full(64, 15, dtype=np.uint8)
    for square, lost in ((4, 3), (7, 1), (0, 2), (60, 12), (63, 4), (56, 8)):
        masks[square] = 15 - lost
    return masks


KEEPS_CASTLING = _castling_masks()
SWAP_CASTLING = np.array([(c >> 2) | ((c & 3) << 2) for c in range(16)], dtype=np.uint8)
SWAP_COLOURS = np.array([0, 7, 8, 9, 10, 11, 12, 1, 2, 3, 4, 5, 6], dtype=np.uint8)
PROMOTED = np.array([0, 2, 3, 4, 5], dtype=np.uint8)
FIFTY_BUCKET = np.searchsorted(FIFTY_LIMITS, np.arange(256), side="right").astype(np.uint8)
_random = np.random.default_rng(20241)
PIECE_KEYS = _random.integers(1, 2**63, size=(13, 64), dtype=np.uint64)
PIECE_KEYS[0] = 0
STATE_KEYS = _random.integers(1, 2**63, size=(16, 9, 2), dtype=np.uint64)


class _Tables:
    """The running absolute boards of G games; row g is game g of the caller's order."""

    def __init__(self, starts: list[Start]) -> None:
        self.board = np.stack([s.board for s in starts]).astype(np.uint8)
        self.castling = np.array([s.castling for s in starts], dtype=np.uint8)
        self.en_passant = np.array([s.en_passant for s in starts], dtype=np.uint8)
        self.fifty = np.array([s.fifty for s in starts], dtype=np.int64)
        self.key = np.zeros(len(starts), dtype=np.uint64)
        for square in range(64):
            self.key ^= PIECE_KEYS[self.board[:, square], square]

    def play(self, moves: NDArray[np.uint16], black: NDArray[np.bool_]) -> None:
        """Make one move in each of the first ``len(moves)`` games; ``black`` says who moves."""
        n = len(moves)
        rows = np.arange(n)
        source, target, promotion = SOURCE[moves], TARGET[moves], PROMOTION[moves]
        board = self.board
        piece, captured = board[rows, source], board[rows, target]
        kind = piece - _BLACK * black.astype(np.uint8)
        placed = np.where(promotion > 0, PROMOTED[promotion] + _BLACK * black.astype(np.uint8), piece)
        board[rows, source] = 0
        board[rows, target] = placed
        key = self.key[:n]
        key ^= PIECE_KEYS[piece, source] ^ PIECE_KEYS[captured, target] ^ PIECE_KEYS[placed, target]
        self._castle(np.flatnonzero((kind == _KING) & (np.abs(source - target) == 2)), target)
        pawn = kind == _PAWN
        self._take_in_passing(np.flatnonzero(pawn & (captured == 0) & ((source - target) % 8 != 0)), source, target)
        self.castling[:n] &= KEEPS_CASTLING[source] & KEEPS_CASTLING[target]
        self.fifty[:n] = np.where(pawn | (captured > 0), 0, self.fifty[:n] + 1)
        self.en_passant[:n] = 0
        self._allow_passing(np.flatnonzero(pawn & (np.abs(source - target) == 16)), target, black)

    def _put(self, rows: NDArray[np.intp], squares: NDArray[np.int16], pieces: NDArray[np.uint8] | int) -> None:
        before = self.board[rows, squares]
        self.board[rows, squares] = pieces
        self.key[rows] ^= PIECE_KEYS[before, squares] ^ PIECE_KEYS[pieces, squares]

    def _castle(self, rows: NDArray[np.intp], target: NDArray[np.int16]) -> None:
        if not len(rows):
            return
        to = target[rows]
        short = to % 8 == 6
        rook = np.where(to < 8, _ROOK, _ROOK + _BLACK).astype(np.uint8)
        self._put(rows, np.where(short, to + 1, to - 2), 0)
        self._put(rows, np.where(short, to - 1, to + 1), rook)

    def _take_in_passing(self, rows: NDArray[np.intp], source: NDArray[np.int16], target: NDArray[np.int16]) -> None:
        if len(rows):
            self._put(rows, source[rows] // 8 * 8 + target[rows] % 8, 0)

    def _allow_passing(self, rows: NDArray[np.intp], target: NDArray[np.int16], black: NDArray[np.bool_]) -> None:
        """A double step counts only when an enemy pawn stands beside it: as a FEN by python-chess's pseudo-legal rule."""
        if not len(rows):
            return
        to = target[rows]
        enemy = np.where(black[rows], _PAWN, _PAWN + _BLACK)
        left = (to % 8 > 0) & (self.board[rows, np.maximum(to - 1, 0)] == enemy)
        right = (to % 8 < 7) & (self.board[rows, np.minimum(to + 1, 63)] == enemy)
        self.en_passant[rows] = np.where(left | right, to % 8 + 1, 0)


def replay(moves: NDArray[np.uint16], offsets: NDArray[np.int64], starts: dict[int, Start] | None = None) -> ReplayedPositions:
    """Positions before every ply of G games.

    ``moves`` (P,) holds the games one after another as White sees the moves, ``offsets`` (G + 1,) where each begins
    and ends; ``starts`` gives the start of those games that do not begin at the initial position.
    """
    lengths = np.diff(offsets)
    order = np.argsort(-lengths, kind="stable")
    first, lengths = offsets[:-1][order], lengths[order]
    begin = [(starts or {}).get(int(g), INITIAL) for g in order]
    tables = _Tables(begin)
    black_first = np.array([s.black_to_move for s in begin], dtype=np.bool_)
    P = len(moves)
    pieces, state = np.empty((P, 64), np.uint8), np.empty((P, 4), np.uint8)
    black, key_of_ply = np.empty(P, np.bool_), np.empty(P, np.uint64)
    keys = np.empty((int(lengths[0]) if len(lengths) else 0, len(order)), np.uint64)
    active = np.searchsorted(-lengths, -np.arange(len(keys)), side="left")  # games longer than t: lengths fall
    for t, n in enumerate(active):
        at, turn = first[:n] + t, black_first[:n] ^ bool(t % 2)
        castling, passing = tables.castling[:n], tables.en_passant[:n]
        pieces[at], black[at] = tables.board[:n], turn
        keys[t, :n] = tables.key[:n] ^ STATE_KEYS[castling, passing, turn.astype(np.int8)]
        key_of_ply[at], state[at, 0], state[at, 1] = keys[t, :n], castling, passing
        state[at, 2] = np.minimum((keys[:t, :n] == keys[t, :n]).sum(axis=0), 2)
        state[at, 3] = FIFTY_BUCKET[np.minimum(tables.fifty[:n], 255)]
        tables.play(moves[at], turn)
    pieces[black] = SWAP_COLOURS[pieces[black].reshape(-1, 8, 8)[:, ::-1].reshape(-1, 64)]
    state[black, 0] = SWAP_CASTLING[state[black, 0]]
    return ReplayedPositions(pieces, state, black, key_of_ply)


def mover_moves(moves: NDArray[np.uint16], black: NDArray[np.bool_]) -> NDArray[np.uint16]:
    """(P,) each move as its own mover sees it."""
    return np.where(black, FLIP[moves], moves)


def board_codes(pieces: NDArray[np.uint8], board_input: str, *, checks: bool = False) -> NDArray[np.uint16]:
    """(N, 64) the ``board`` input, as ``engine.encoding.board_codes``, for (N, 64) piece codes."""
    count = BOARD_CODES[board_input]
    if count == 1:
        return np.zeros(pieces.shape, np.uint16)
    codes = pieces.astype(np.uint16)
    if count == PIECE_CODES and not checks:
        return codes
    for begin in range(0, len(pieces), _BLOCK):
        sides = _bitboards(pieces[begin : begin + _BLOCK])
        block = codes[begin : begin + _BLOCK]
        if count > PIECE_CODES:
            own, enemy = least_attackers(sides)
            block *= np.uint16(ATTACK_CODES)
            block += own * np.uint8(len(ATTACKER_CLASSES)) + enemy
        if checks:
            block += king_codes(sides) * np.uint16(count)
    return codes


def _bitboards(pieces: NDArray[np.uint8]) -> Bits:
    """(2, 6, N) both sides' pawns, knights, bishops, rooks, queens and kings, the mover's first, for (N, 64) piece codes."""
    return np.packbits(pieces == _MEN, axis=2, bitorder="little").view(np.uint64).reshape(2, 6, len(pieces))
