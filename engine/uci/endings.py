"""Exact endings from Syzygy tables, through python-chess. Knows tables and which moves keep the best result; no net."""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import chess
import chess.syzygy

from engine.errors import OptionError

_DAMAGE = (OSError, ValueError, AssertionError, IndexError, struct.error)
"""What python-chess raises for a table whose file is cut short or holds something else."""


class Probe(Protocol):
    """What is needed of ``chess.syzygy.Tablebase``."""

    def probe_wdl(self, board: chess.Board) -> int: ...
    def probe_dtz(self, board: chess.Board) -> int: ...


@dataclass(frozen=True)
class Ending:
    """What the tables say about a position."""

    moves: frozenset[chess.Move]
    """The moves to choose from: the fastest to a win, all that hold a draw, or the longest resistance."""
    wdl: tuple[float, float, float]
    """Exact win, draw, loss for the side to move, the fifty-move rule included."""


class Tables:
    """The tables of some folders."""

    def __init__(self, probe: Probe, *, largest: int) -> None:
        self._probe = probe
        self.largest = largest
        self.damage = ""
        """What was wrong with the first file that could not be read; its positions are the net's. Empty while all could."""

    @classmethod
    def open(cls, folders: str) -> Tables:
        """The tables in ``folders``, separated as in PATH. Raises OptionError where none is tables."""
        tablebase = chess.syzygy.Tablebase()
        tables: list[str] = []
        for folder in folders.split(os.pathsep):
            try:
                tablebase.add_directory(folder)
                tables += [path.stem for path in Path(folder).glob("*.rtbw")]
            except OSError as error:
                raise OptionError(f"option SyzygyPath: cannot read {folder} ({error}); the net plays endings") from None
        if not tables:
            raise OptionError(f"option SyzygyPath: no tables (*.rtbw) in {folders}; the net plays endings")
        return cls(tablebase, largest=max(len(name) - 1 for name in tables))

    def probe(self, board: chess.Board) -> Ending | None:
        """What the tables say; None for a position they do not hold."""
        if board.castling_rights or chess.popcount(board.occupied) > self.largest:
            return None
        try:
            ranks = {move: self._rank(board, move) for move in board.legal_moves}
        except (KeyError, chess.syzygy.MissingTableError):
            return None
        except _DAMAGE as error:
            self.damage = self.damage or str(error) or type(error).__name__
            return None
        best = max(ranks.values())
        wdl = (1.0, 0.0, 0.0) if best > 0 else (0.0, 0.0, 1.0) if best < 0 else (0.0, 1.0, 0.0)
        return Ending(frozenset(move for move, rank in ranks.items() if rank == best), wdl)

    def result(self, board: chess.Board) -> tuple[float, float, float] | None:
        """Win, draw, loss for the side to move, the fifty-move rule included; None for a position the tables do not hold."""
        ending = self.probe(board)
        return ending.wdl if ending else None

    def _rank(self, board: chess.Board, move: chess.Move) -> int:
        """Higher is better for the mover: mate, then wins by speed, draws, then losses by length.

        A capture or pawn move that keeps the win is one ply from the next zero of the half-move clock, whatever comes behind
        it, so these come first. The clock is part of the other distances, so that a win that the fifty-move rule spoils counts
        as a draw.
        """
        board.push(move)
        try:
            if board.is_checkmate():
                return 10_000
            if board.is_stalemate() or board.is_insufficient_material():
                return 0
            distance = self._probe.probe_dtz(board)
            if abs(self._probe.probe_wdl(board)) < 2 or abs(distance) + board.halfmove_clock > 100:
                return 0
            if distance < 0 and board.halfmove_clock == 0:
                return 5_000 - 1
            return 5_000 - (abs(distance) + board.halfmove_clock) if distance < 0 else distance + board.halfmove_clock - 5_000
        finally:
            board.pop()
