"""Stockfish's Skill Levels as players, with the ratings that anchor a pool to its scale.

Knows levels and their ratings. Does not know how an engine is asked.
"""

from __future__ import annotations

from dataclasses import replace

from engine.errors import MatchError
from match.players.engine import EngineSpec, engine_spec

SKILL_LEVEL_ELO = {
    0: 1320,
    1: 1468,
    2: 1608,
    3: 1742,
    4: 1923,
    5: 2204,
    6: 2363,
    7: 2500,
    8: 2596,
    9: 2703,
    10: 2788,
    11: 2856,
    12: 2923,
    13: 2973,
    14: 3025,
    15: 3070,
    16: 3111,
    17: 3141,
    18: 3170,
    19: 3191,
}
"""Stockfish's own table of its Skill Levels (commit a08b8d4, anchored to CCRL, 120 s + 1 s); here that of levels with 0.1 s a
move."""
LEVEL_BY_DEPTH_ELO = {0: 1182, 1: 1230, 2: 1324, 3: 1426, 4: 1703, 5: 2004}
"""Levels that search to depth level + 1 alone, on the same scale: docs/results/matches/levels-by-depth.txt."""
PAPER_MOVETIME = "movetime=100"
"""The limit of the paper's opponents, and of the levels that are anchored to Stockfish's table."""


def stockfish_level(level: int, *, limit: str | None = None) -> EngineSpec:
    """Stockfish at a Skill Level, by default to depth level + 1, where it picks its move: a fraction of a clock's time.

    It is the weaker for it (a clock's deeper search fills the hash table that the next move's shallow one reads, among
    other things), so either way has ratings of its own. Raises MatchError when Stockfish is missing.
    """
    if not 0 <= level <= 20:
        raise MatchError(f"expected a Stockfish Skill Level from 0 to 20, got {level}")
    limit = limit or f"depth={level + 1}"
    name = level_name(level, limit)
    spec = engine_spec(name, ["stockfish"], limit, options=[("Skill Level", str(level)), ("Hash", "16")])
    return replace(spec, anchor=LEVEL_ANCHORS.get(name))


def level_name(level: int, limit: str | None = None) -> str:
    """What a Stockfish level is called in tables: a level under another limit is another player."""
    return f"Stockfish level {level} {limit or f'depth={level + 1}'}"


LEVEL_ANCHORS = {
    **{level_name(level): float(elo) for level, elo in LEVEL_BY_DEPTH_ELO.items()},
    **{level_name(level, PAPER_MOVETIME): float(elo) for level, elo in SKILL_LEVEL_ELO.items()},
}
"""Stockfish levels whose rating is known, by name."""
