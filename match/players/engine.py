"""Any UCI engine as a spec, with stated weaknesses or none.

Knows limits and what an engine's failure means for a game. Does not know pipes (``match.players.client``) or how weaknesses
choose (``match.players.weakness``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

import chess

from engine.errors import MatchError
from match.players.builtin import draws_of
from match.players.client import EngineFailure, EngineLine, Engines, Setup, find_stockfish, resolve
from match.players.interface import Forfeit, Turn
from match.players.weakness import Weakness, move_of, weak_move

_MOVE_TIMEOUT_S = 30.0
_LIMITS = ("depth", "nodes", "movetime")


@dataclass(frozen=True)
class EngineSpec:
    """Any UCI engine, with stated weaknesses or none."""

    name: str
    setup: Setup
    limit: str
    """depth=N, nodes=N or movetime=MS, or several with commas."""
    weaknesses: tuple[Weakness, ...] = ()
    whole_games: bool = True
    """Whether the engine is sent the game from its first move (our own reads games), or from the last irreversible one."""
    anchor: float | None = None
    seed: int = 1

    def __post_init__(self) -> None:
        go_command(self.limit)

    def answer(self, turn: Turn, engines: Engines) -> chess.Move:
        """Ask the engine, or err. Raises Forfeit, naming what the engine did wrong."""
        colour = turn.board.turn
        position = turn.whole if self.whole_games else turn.short
        go = go_command(self.limit)

        def ask(count: int) -> list[EngineLine]:
            engine = engines.take(self.setup, colour, who=self.name)
            return [EngineLine(engine.best(position, go), 0)] if count == 1 else engine.best_lines(position, go, count)

        try:
            if not self.weaknesses:
                return move_of(ask(1)[0].move)
            return weak_move(self.weaknesses, turn.board, draws_of(self.seed, self.name, turn), ask)
        except EngineFailure as failure:
            engines.drop(self.setup, colour)
            raise Forfeit(str(failure)) from None


def go_command(limit: str) -> str:
    """The UCI command for a limit. Raises MatchError for one that is none."""
    words = ["go"]
    for part in limit.split(","):
        kind, _, amount = part.strip().partition("=")
        if kind not in _LIMITS or not amount.isdigit() or int(amount) < 1:
            raise MatchError(f"expected a limit depth=N, nodes=N or movetime=MS, or several with commas, got {limit!r}")
        words += [kind, amount]
    return " ".join(words)


def engine_spec(
    name: str,
    command: Sequence[str],
    limit: str,
    *,
    options: Sequence[tuple[str, str]] = (),
    weaknesses: Sequence[Weakness] = (),
    anchor: float | None = None,
    seed: int = 1,
    start_timeout_s: float = 10.0,
    move_timeout_s: float | None = None,
) -> EngineSpec:
    """A spec with its program found. ``stockfish`` means the installed one; it gets a small hash table and short
    positions. Unless ``move_timeout_s`` says otherwise, a move may take 30 s more than the ``movetime`` of ``limit``. Raises
    MatchError when the program is missing."""
    words = resolve(command)
    given = tuple((key, str(value)) for key, value in options)
    is_stockfish = command[0] == "stockfish" or words[0] == find_stockfish()
    if is_stockfish and not any(key.lower() == "hash" for key, _ in given):
        given = (*given, ("Hash", "1"))  # clearing it between games costs time, and these searches fill no more
    if move_timeout_s is None:
        movetime = re.search(r"\bmovetime=(\d+)", limit)
        move_timeout_s = _MOVE_TIMEOUT_S + (int(movetime[1]) / 1000 if movetime else 0)
    setup = Setup(words, given, start_timeout_s, move_timeout_s)
    return EngineSpec(name, setup, limit, tuple(weaknesses), whole_games=not is_stockfish, anchor=anchor, seed=seed)
