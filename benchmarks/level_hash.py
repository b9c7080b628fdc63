"""Is a Stockfish level with a clock stronger than by depth because of the hash table that its deeper search leaves behind?

    python -m benchmarks.level_hash [--level 3] [--games 100] [--movetime 30] [--out FILE]

A level with a clock against the same level by depth, twice: as it is, and with its table emptied before every move. Knows how
to ask Stockfish; the statistics are ``match.statistics.scores``'s.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from pathlib import Path

import chess
import chess.engine

from benchmarks.measuring import heading, run
from engine.errors import MatchError
from match.play.openings import BOOK, Opening, choose_openings
from match.players.client import INSTALL_STOCKFISH, find_stockfish
from match.report.tables import head_to_head
from match.statistics.scores import Score, difference, pentanomial

CLOCK, DEPTH = "by clock", "by depth"


def play(
    opening: Opening, engines: dict[str, chess.engine.SimpleEngine], *, white: str, level: int, movetime_ms: int, emptied: bool
) -> Score:
    """One game; ``emptied``: the clock's player begins every move with an empty table."""
    board = opening.board()
    game = object()
    black = DEPTH if white == CLOCK else CLOCK
    while board.outcome(claim_draw=True) is None:
        name = white if board.turn else black
        engine = engines[name]
        if name == CLOCK and emptied:
            engine.configure({"Clear Hash": None})
        limit = chess.engine.Limit(time=movetime_ms / 1000) if name == CLOCK else chess.engine.Limit(depth=level + 1)
        move = engine.play(board, limit, game=game).move
        assert move is not None
        board.push(move)
    outcome = board.outcome(claim_draw=True)
    assert outcome is not None
    points = 0.5 if outcome.winner is None else float(outcome.winner)
    return Score(white, black, points, pair=f"{opening.fen} {' '.join(opening.moves)}")


def match(book: Sequence[Opening], stockfish: str, *, level: int, movetime_ms: int, emptied: bool) -> str:
    """One line or two about a whole match."""
    engines = {name: chess.engine.SimpleEngine.popen_uci(stockfish) for name in (CLOCK, DEPTH)}
    try:
        for engine in engines.values():
            engine.configure({"Skill Level": level, "Hash": 16})
        scores = [
            play(opening, engines, white=white, level=level, movetime_ms=movetime_ms, emptied=emptied)
            for opening in book
            for white in (CLOCK, DEPTH)
        ]
    finally:
        for engine in engines.values():
            engine.quit()
    return head_to_head(CLOCK, DEPTH, difference(pentanomial(scores, CLOCK).tolist()))


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(description="What the hash table does for a Stockfish level with a clock.")
    options.add_argument("--level", type=int, default=3)
    options.add_argument("--games", type=int, default=100)
    options.add_argument("--movetime", type=int, default=30, help="milliseconds a move")
    options.add_argument("--out", type=Path, help="also write the figures here")
    return options


def main() -> None:
    """Play, print, and write where told."""
    arguments = parser().parse_args()
    stockfish = find_stockfish()
    if not stockfish:
        raise MatchError(f"expected Stockfish, found none. {INSTALL_STOCKFISH}")
    book = choose_openings(str(BOOK), pairs=arguments.games // 2, seed=1)[: arguments.games // 2]  # it gives the whole book
    lines = [f"{heading()}; Stockfish level {arguments.level}, {arguments.movetime} ms a move, 16 MB of hash"]
    for emptied in (False, True):
        text = match(book, str(stockfish), level=arguments.level, movetime_ms=arguments.movetime, emptied=emptied)
        lines += ["", "the clock's table emptied before every move:" if emptied else "the clock's table as it is:", text]
        print("\n".join(lines[-2:]), flush=True)
    if arguments.out:
        arguments.out.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    run(main)
