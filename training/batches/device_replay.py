"""Boards from moves on the training device: ``training.batches.replay`` and the attack codes, in torch.

For a GPU, whose training step outruns numpy. Follows ``training.batches.replay`` line by line, with its tables and in
its terms, and gives the same numbers. Does not know games of a store or rows.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from engine.attacks import ATTACKER_CLASSES
from engine.encoding import ATTACK_CODES, BOARD_CODES, PIECE_CODES
from engine.vocabulary import PROMOTION, SOURCE, TARGET
from training.batches import replay
from training.batches.attacks import BISHOP_STEPS, KNIGHT_STEPS, PAWN_STEPS, ROOK_STEPS

_PAWN, _ROOK, _KING, _BLACK = 1, 4, 6, 6
Step = tuple[int, int]


class DeviceReplay:
    """The tables of ``training.batches.replay`` on a device, and what is done with them there."""

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self._source, self._target, self._promotion = map(self._long, (SOURCE, TARGET, PROMOTION))
        self._promoted, self._keeps, self._fifty = map(
            self._long, (replay.PROMOTED, replay.KEEPS_CASTLING, replay.FIFTY_BUCKET)
        )
        self._swap_castling, self._swap_colours = map(self._long, (replay.SWAP_CASTLING, replay.SWAP_COLOURS))
        self._piece_keys, self._state_keys = self._long(replay.PIECE_KEYS), self._long(replay.STATE_KEYS)

    def _long(self, array: NDArray[Any]) -> Tensor:
        return torch.from_numpy(np.ascontiguousarray(array).astype(np.int64)).to(self.device)

    def positions(
        self, moves: NDArray[np.uint16], offsets: NDArray[np.int64], starts: dict[int, replay.Start] | None = None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Pieces (P, 64) uint8, state (P, 4) uint8 and black (P,) bool before every ply; arguments as ``replay.replay``."""
        lengths = np.diff(offsets)
        order = np.argsort(-lengths, kind="stable")
        begin = [(starts or {}).get(int(g), replay.INITIAL) for g in order]
        games = _Games(self, begin)
        first, sorted_lengths = self._long(offsets[:-1][order]), lengths[order]
        P, T = len(moves), int(sorted_lengths[0]) if len(order) else 0
        played = self._long(moves)
        pieces = torch.empty((P, 64), dtype=torch.uint8, device=self.device)
        state = torch.empty((P, 4), dtype=torch.uint8, device=self.device)
        black = torch.empty(P, dtype=torch.bool, device=self.device)
        black_first = torch.tensor([s.black_to_move for s in begin], dtype=torch.bool, device=self.device)
        keys = torch.empty((T, len(order)), dtype=torch.int64, device=self.device)
        active = np.searchsorted(-sorted_lengths, -np.arange(T), side="left").tolist()
        for t, n in enumerate(active):
            at, turn = first[:n] + t, black_first[:n] ^ bool(t % 2)
            castling, passing = games.castling[:n], games.en_passant[:n]
            pieces[at], black[at] = games.board[:n].to(torch.uint8), turn
            keys[t, :n] = games.key[:n] ^ self._state_keys[castling, passing, turn.long()]
            repeated = (keys[:t, :n] == keys[t, :n]).sum(dim=0).clamp(max=2)
            fifty = self._fifty[games.fifty[:n].clamp(max=255)]
            state[at] = torch.stack([castling, passing, repeated, fifty], dim=1).to(torch.uint8)
            games.play(played[at], turn)
        swapped = self._swap_colours[pieces.view(-1, 8, 8).flip(1).reshape(-1, 64).long()].to(torch.uint8)
        pieces = torch.where(black[:, None], swapped, pieces)
        state[:, 0] = torch.where(black, self._swap_castling[state[:, 0].long()].to(torch.uint8), state[:, 0])
        return pieces, state, black


class _Games:
    """The running absolute boards of G games, as ``training.batches.replay`` keeps them."""

    def __init__(self, tables: DeviceReplay, starts: list[replay.Start]) -> None:
        self._tables = tables
        self.board = tables._long(np.stack([s.board for s in starts]))
        self.castling = tables._long(np.array([s.castling for s in starts]))
        self.en_passant = tables._long(np.array([s.en_passant for s in starts]))
        self.fifty = tables._long(np.array([s.fifty for s in starts]))
        self.key = torch.zeros(len(starts), dtype=torch.int64, device=tables.device)
        for square in range(64):
            self.key ^= tables._piece_keys[self.board[:, square], square]

    def play(self, moves: Tensor, black: Tensor) -> None:
        """Make one move in each of the first ``len(moves)`` games. Without branches: a GPU waits for nothing."""
        tables, n = self._tables, len(moves)
        rows = torch.arange(n, device=tables.device)
        source, target, promotion = tables._source[moves], tables._target[moves], tables._promotion[moves]
        colour = _BLACK * black.long()
        piece, captured = self.board[rows, source], self.board[rows, target]
        kind = piece - colour
        placed = torch.where(promotion > 0, tables._promoted[promotion] + colour, piece)
        self._put(rows, source, torch.zeros_like(piece))
        self._put(rows, target, placed)
        castles = (kind == _KING) & ((source - target).abs() == 2)
        short = target % 8 == 6
        corner, beside = torch.where(short, target + 1, target - 2), torch.where(short, target - 1, target + 1)
        self._put_where(castles, rows, corner.clamp(0, 63), torch.zeros_like(piece))
        self._put_where(castles, rows, beside.clamp(0, 63), _ROOK + colour)
        pawn = kind == _PAWN
        passing = pawn & (captured == 0) & ((source - target) % 8 != 0)
        self._put_where(passing, rows, source // 8 * 8 + target % 8, torch.zeros_like(piece))
        self.castling[:n] &= tables._keeps[source] & tables._keeps[target]
        self.fifty[:n] = torch.where(pawn | (captured > 0), 0, self.fifty[:n] + 1)
        enemy = torch.where(black, _PAWN, _PAWN + _BLACK)
        left = (target % 8 > 0) & (self.board[rows, (target - 1).clamp(min=0)] == enemy)
        right = (target % 8 < 7) & (self.board[rows, (target + 1).clamp(max=63)] == enemy)
        doubled = pawn & ((source - target).abs() == 16)
        self.en_passant[:n] = torch.where(doubled & (left | right), target % 8 + 1, 0)

    def _put(self, rows: Tensor, squares: Tensor, pieces: Tensor) -> None:
        before = self.board[rows, squares]
        self.board[rows, squares] = pieces
        self.key[: len(rows)] ^= self._tables._piece_keys[before, squares] ^ self._tables._piece_keys[pieces, squares]

    def _put_where(self, chosen: Tensor, rows: Tensor, squares: Tensor, pieces: Tensor) -> None:
        """``_put`` where ``chosen``; elsewhere the square keeps what it has."""
        self._put(rows, squares, torch.where(chosen, pieces, self.board[rows, squares]))


def board_codes(pieces: Tensor, board_input: str, *, checks: bool = False) -> Tensor:
    """(P, 64) int64 ``board`` input, as ``training.batches.replay.board_codes``."""
    count = BOARD_CODES[board_input]
    if count == 1:
        return torch.zeros(pieces.shape, dtype=torch.int64, device=pieces.device)
    codes = pieces.long()
    if count == PIECE_CODES and not checks:
        return codes
    sides = torch.stack([_bitboard(pieces == kind) for kind in range(1, PIECE_CODES)]).view(2, 6, -1)
    if count > PIECE_CODES:
        attackers = _least_attackers(sides)
        codes = codes * ATTACK_CODES + attackers[0] * len(ATTACKER_CLASSES) + attackers[1]
    return codes + count * _king_codes(sides) if checks else codes


def _bitboard(squares: Tensor) -> Tensor:
    weights = torch.tensor([1 << i if i < 63 else -(1 << 63) for i in range(64)], dtype=torch.int64, device=squares.device)
    packed: Tensor = (squares.long() * weights).sum(dim=1)
    return packed


def _signed(mask: int) -> int:
    """A 64-bit mask as torch's int64 holds it."""
    return mask - (1 << 64) if mask >> 63 else mask


def _moved(bits: Tensor, shift: int) -> Tensor:
    """Bits shifted as unsigned ones: torch's right shift copies the sign."""
    moved: Tensor = bits << shift if shift > 0 else (bits >> -shift) & ((1 << (64 + shift)) - 1)
    return moved


def _stepped(bits: Tensor, steps: tuple[Step, ...]) -> Tensor:
    reached = torch.zeros_like(bits)
    for shift, mask in steps:
        reached |= _moved(bits, shift) & _signed(mask)
    return reached


def _slid(bits: Tensor, empty: Tensor, steps: tuple[Step, ...]) -> Tensor:
    reached = torch.zeros_like(bits)
    for shift, mask in steps:
        ray, free = bits, empty & _signed(mask)
        for doubling in (1, 2, 4):
            ray = ray | (free & _moved(ray, shift * doubling))
            free = free & _moved(free, shift * doubling)
        reached |= _moved(ray, shift) & _signed(mask)
    return reached


def _least_attackers(sides: Tensor) -> Tensor:
    """(2, P, 64) class of each square's least attacker for (2, 6, P) bitboards, as
    ``training.batches.attacks.least_attackers``."""
    occupied = _joined(sides.flatten(0, 1))
    pawns, knights, bishops, rooks, queens, kings = sides.unbind(1)
    straight = _slid(torch.stack([rooks, queens]), ~occupied, ROOK_STEPS)
    diagonal = _slid(torch.stack([bishops, queens]), ~occupied, BISHOP_STEPS)
    classes = (
        torch.stack([_stepped(pawns[side], steps) for side, steps in enumerate(PAWN_STEPS)]),
        _stepped(knights, KNIGHT_STEPS) | diagonal[0],
        straight[0],
        straight[1] | diagonal[1],
        _stepped(kings, ROOK_STEPS + BISHOP_STEPS),
    )
    places = torch.arange(64, device=sides.device)
    kinds = torch.zeros((*classes[0].shape, 64), dtype=torch.int64, device=sides.device)
    for value, bits in reversed(list(enumerate(classes, start=1))):  # the less valuable overwrite the more valuable
        kinds = torch.where((bits[..., None] >> places) & 1 == 1, value, kinds)
    return kinds


def _king_codes(sides: Tensor) -> Tensor:
    """(P, 64) the king code of each square for (2, 6, P) bitboards, as ``training.batches.kings.king_codes``."""
    own, enemy = (_joined(side) for side in sides)
    empty, (king, target) = ~(own | enemy), sides[:, 5]
    nothing = torch.zeros_like(king)
    pins, lines, seen, answers, shadow, checks = [nothing] * 4, [nothing] * 4, [nothing] * 2, nothing, nothing, nothing
    for number, (shift, mask) in enumerate(ROOK_STEPS + BISHOP_STEPS):
        axis, (straight, back) = number // 2, (number < 4, (ROOK_STEPS + BISHOP_STEPS)[number ^ 1])
        sliders = (sides[:, 3] if straight else sides[:, 2]) | sides[:, 4]
        views = _slid(sides[:, 5], empty, ((shift, mask),))
        first = views & ~empty
        beyond = _slid(first, empty, ((shift, mask),)) & ~empty
        pins[axis] = pins[axis] | torch.where(beyond[0] & sliders[1] != 0, first[0] & own, nothing)
        lines[axis] = lines[axis] | torch.where(beyond[1] & sliders[0] != 0, first[1] & own, nothing)
        seen[not straight] = seen[not straight] | views[1]
        checking = first[0] & sliders[1] != 0
        answers = answers | torch.where(checking, views[0], nothing)
        shadow = shadow | torch.where(checking, _stepped(king, (back,)), nothing)
        checks = checks + checking
    for men in (_stepped(king, KNIGHT_STEPS) & sides[1, 1], _stepped(king, PAWN_STEPS[0]) & sides[1, 0]):
        answers, checks = answers | men, checks + (men != 0)
    answers = torch.where(checks == 1, answers, nothing)
    arriving = (*seen, _stepped(target, KNIGHT_STEPS), _stepped(target, PAWN_STEPS[1]), answers, shadow)
    planes = [
        (there & ~own) | (leaving & own) for leaving, there in zip(_numbered(pins) + _numbered(lines), arriving, strict=True)
    ]
    places = torch.arange(64, device=sides.device)
    bits = [((plane[:, None] >> places) & 1) << i for i, plane in enumerate(planes)]
    return _joined(torch.stack(bits))


def _numbered(by_axis: list[Tensor]) -> list[Tensor]:
    """Bit planes of 1 + the number of the axis."""
    file, rank, diagonal, antidiagonal = by_axis
    return [file | diagonal, rank | diagonal, antidiagonal]


def _joined(parts: Tensor) -> Tensor:
    """All bits of (n, ...) parts."""
    joined = torch.zeros_like(parts[0])
    for part in parts:
        joined = joined | part
    return joined
