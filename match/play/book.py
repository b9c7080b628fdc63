"""A new opening book: drawn from a net's own play, kept where Stockfish finds the position level.

Knows nets and a judge. Not in ``openings``: every worker imports that, and ``chess.engine`` is slow to load.
"""

from __future__ import annotations

from collections.abc import Iterator

import chess
import chess.engine
import numpy as np

from engine.inference.evaluator import Evaluator, Request
from engine.inference.sampling import Sampling, choose
from match.play.openings import Opening

BALANCE_CP = 60
"""An opening is kept when Stockfish gives neither side more than this."""

_FUTILE = 1000


def make_book(evaluator: Evaluator, stockfish: str, *, lines: int, plies: int, seed: int) -> Iterator[Opening]:
    """Different level openings, drawn from the net at temperature 1 and checked by Stockfish at depth 12. Fewer than ``lines``
    where ``_FUTILE`` draws on end gave no new one: there are only so many of few plies."""
    draws = np.random.default_rng(seed)
    seen: set[str] = set()
    with chess.engine.SimpleEngine.popen_uci(stockfish) as judge:
        futile = 0
        while len(seen) < lines and futile < _FUTILE:
            futile += 1
            board, cache = chess.Board(), evaluator.new_game()
            while board.ply() < plies and not board.is_game_over():
                evaluation = evaluator.evaluate([Request(board, cache)])[0]
                board.push(choose(evaluation, board, Sampling(temperature=1.0), random=draws).move)
            if board.epd() in seen or not _is_level(judge, board):
                continue
            seen.add(board.epd())
            futile = 0
            yield Opening(f"book {len(seen)}", chess.STARTING_FEN, tuple(move.uci() for move in board.move_stack))


def _is_level(judge: chess.engine.SimpleEngine, board: chess.Board) -> bool:
    if board.is_check() or board.is_game_over():
        return False
    score = judge.analyse(board, chess.engine.Limit(depth=12))["score"].white().score(mate_score=10000)
    return score is not None and abs(score) <= BALANCE_CP
