"""How long a move may take. Knows clocks and limits; does not know what the time is spent on.

The net needs a few milliseconds, so this is no time management: it bounds what is optional (the thinking delay for
human opponents, the evaluation of further moves) such that no clock ever runs out.
"""

from __future__ import annotations

from engine.uci.protocol import Go

_MOVES_LEFT = 40
"""Moves a game is taken to last when the client does not say how many are left to the time control."""


def budget_ms(go: Go, *, white: bool, overhead_ms: int) -> int | None:
    """Milliseconds that may be spent on this move, never negative; None where nothing limits them.

    With a clock: an even share of what is left after the overhead, three quarters of the increment on top, and never more
    than half of it. A client that sends only the opponent's clock gives us no time to spare.
    """
    if go.infinite:
        return None
    bounds = []
    if go.movetime_ms is not None:
        bounds.append(go.movetime_ms - overhead_ms)
    if go.wtime_ms is not None or go.btime_ms is not None:
        left, increment = (go.wtime_ms, go.winc_ms) if white else (go.btime_ms, go.binc_ms)
        left = max((left or 0) - overhead_ms, 0)
        moves = min(max(go.movestogo or _MOVES_LEFT, 1), _MOVES_LEFT)
        bounds.append(min(left // moves + max(increment or 0, 0) * 3 // 4, left // 2))
    return max(min(bounds), 0) if bounds else None
