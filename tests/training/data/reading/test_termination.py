"""How a game ended: one table for PGN and tab-separated games."""

from __future__ import annotations

import pytest

from training.data.reading.pgn import read_games
from training.data.reading.termination import termination
from training.data.reading.tsv import parse_line
from training.data.store import TERMINATIONS

WORDS = {
    "insufficient material": "draw",
    "Game drawn by timeout vs insufficient material": "draw",
    "Timeout vs Insufficient Material": "draw",
    "material": "draw",
    "stalemate": "draw",
    "Game drawn by stalemate": "draw",
    "3-fold repetition": "draw",
    "Game drawn by 50-move rule": "draw",
    "fifty moves": "draw",
    "Draw by mutual agreement": "draw",
    "won by checkmate": "checkmate",
    "White mates": "checkmate",
    "mate": "checkmate",
    "Black won by resignation": "resignation",
    "White resigns": "resignation",
    "Time forfeit": "time",
    "Black won on time": "time",
    "Timeout": "time",
    "DeadPool won by resignation": "resignation",
    "Drawbridge won on time": "time",
    "mate won on time": "time",
    "resigner won by checkmate": "checkmate",
    "Anna won - game abandoned": "abandoned",
    "Abandoned": "abandoned",
    "Rules infraction": "rules",
    "illegal move": "rules",
    "Normal": "normal",
    "unterminated": "unknown",
    "ultimate": "unknown",
    "adjudication": "unknown",
    "adjudicated: material": "unknown",
    "forfeit by agree: hung: no bestmove within 10 s": "unknown",
    "forfeit by The Drawmaster: lost on time": "time",
    "repetition": "draw",
    "length": "unknown",
    "": "unknown",
    "?": "unknown",
}


@pytest.mark.parametrize("text", WORDS)
def test_both_formats_sort_a_termination_alike(text: str) -> None:
    games, _ = read_games([f'[Event "x"]\n[Termination "{text}"]\n\n1. e4 e5 *\n'.encode()])
    line = f"case\tlichess\t1500\t1500\t600+0\t1/2-1/2\t{text}\te2e4 e7e5"
    assert termination(text) == parse_line(line).termination == TERMINATIONS[games.records["termination"][0]] == WORDS[text]


def test_the_store_s_own_words_stay() -> None:
    assert [termination(word) for word in TERMINATIONS] == list(TERMINATIONS)
