"""How games end, as servers, programs and people write it, sorted into the store's terminations.

Knows the words; one table for all formats. Does not know boards: a mate that the text does not tell is found elsewhere.
"""

from __future__ import annotations

import functools
import re

from training.data.store import TERMINATIONS

_WORDS = {
    "checkmate": r"(?:check)?mate[ds]?\b",
    "draw": r"draw|stale|(?:insufficient )?material|repetition|(?:three|five)fold|(?:50|75|fifty)[- ]?move|agree|dead",
    "resignation": r"resign",
    "abandoned": r"abandon|disconnect|stalled",
    "rules": r"rules|illegal move",
    "time": r"time|flag",
    "normal": r"normal",
}
"""How words begin; the first that fits counts: "timeout vs insufficient material" is a draw."""


@functools.lru_cache(1 << 12)
def termination(text: str) -> str:
    """One of ``TERMINATIONS`` for a Termination tag or column; "unknown" for what the table does not know."""
    lowered = text.strip().lower()
    if lowered in TERMINATIONS:
        return lowered
    if lowered.startswith("adjudicat"):  # "adjudicated: material" of our own matches is a win
        return "unknown"
    lowered = re.sub(r"^forfeit by .*?: ", "", lowered)  # of our own matches: a player may be called by any word below
    lowered = re.sub(r"^\S+ won\b", "won", lowered)  # chess.com names the winner, who may be called Drawbridge
    return next((name for name, words in _WORDS.items() if re.search(rf"\b(?:{words})", lowered)), "unknown")
