"""The text of a PGN game as words that python-chess's reader understands, whatever the dialect.

Knows tags, comments, variations, results, how programs and books write moves (SAN, long, UCI, figurines) and what they
write beside them (e.p., ch, mate, clocks in brackets). Does not know whether a move is legal.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_TAG = re.compile(r'\[\s*([\w+#=:-]+)[^"\n\[\]]*"((?:[^"\\\n]|\\.)*)"[^\n\]]*\]?')  # as much of a careless one as there is
_HEAD = re.compile(
    rf"(?:\s*(?:{_TAG.pattern}(?:[^\n]*(?=\n\[[A-Za-z])|[^\w\n\[{{(]*)|^\[[ \t]*[A-Za-z][^\n]*|^[%;][^\n]*))*", re.MULTILINE
)
_ESCAPE = re.compile(r'\\(["\\])')
_TOKEN = re.compile(
    r"""
    (?P<aside>\{[^}]*\}|;[^\n]*|^%[^\n]*|\$\d+|\[[^][\n]{0,99}\]|^\[[^\n]*)
    |(?P<unclosed>\{)
    |(?P<bracket>[()])
    |(?P<result>(?<![\w/:-])(?:1-0|0-1|1/2-1/2|1:0|0:1|1/2:1/2|½-½|1/2|½)(?![\w/:-])|\*)
    |(?P<number>\d+(?:[ \t]*\.+|(?=[NBKRQa-h])))
    |(?P<castling>[Oo0]-[Oo0](?:-[Oo0])?)
    |(?P<null>--|Z0|@@@@)
    |(?P<move>[PNBRQK]?@[a-h][1-8]
        |[NBKRQP]?[a-h]?[1-8]?[-x:]?[a-h][1-8](?:=?\([nbrqkNBRQK]\)|[=/][nbrqkNBRQK]|[nbrqkNBRQK](?![a-h]?x?[a-h]?[1-8]))?)
    |(?P<mark>(?i:e\.\s?p|ep|dbl|double|disc?|ch|check|mate|checkmate|stalemate|mt)\b\.?)
    |(?P<word>[^\W\d_][^\s(){};]*)
    """,
    re.VERBOSE | re.MULTILINE,
)
_SYMBOLS = str.maketrans("♔♕♖♗♘♙♚♛♜♝♞♟–‑−×", "KQRBNPKQRBNP---x")
_RESULTS = {"1:0": "1-0", "0:1": "0-1"}


@dataclass(frozen=True)
class Movetext:
    """One game's text."""

    head: str
    """Its tags, a line each."""
    words: list[str]
    """The moves of the main line, up to the result or to what cannot be read."""
    result: str = ""
    """1-0, 1/2-1/2, 0-1 or * behind the moves; empty where none is."""
    unread: str = ""
    """The first word that is no chess."""
    unclosed: str = ""
    """What never ends: "comment" or "variation"."""


def read_movetext(text: str) -> Movetext:
    """Take a game's text apart."""
    found = _HEAD.match(text)
    head_end = found.end() if found else 0
    head = "\n".join(f'[{tag[1]} "{_unescaped(tag[2])}"]' for tag in _TAG.finditer(text[:head_end]))
    words: list[str] = []
    depth = 0
    for token in _TOKEN.finditer(text[head_end:].translate(_SYMBOLS)):
        kind, word = token.lastgroup, token[0]
        if kind == "bracket":
            depth = depth + 1 if word == "(" else max(depth - 1, 0)
        elif kind == "unclosed":
            return Movetext(head, words, unclosed="comment")
        elif depth or kind in ("aside", "number", "mark"):
            continue
        elif kind == "result":
            return Movetext(head, words, _RESULTS.get(word, "1/2-1/2" if "2" in word or "½" in word else word))
        elif kind == "word":
            return Movetext(head, words, unread=word[:20])
        else:
            words.append(_plain(word, str(kind)))
    return Movetext(head, words, unclosed="variation" if depth else "")


def _unescaped(value: str) -> str:
    return _ESCAPE.sub(r"\1", value) if "\\" in value else value


def _plain(word: str, kind: str) -> str:
    if kind == "castling":
        return word.upper().replace("0", "O")
    if kind == "null" or "@" in word:
        return word
    return word.removeprefix("P").translate(_PLAIN)


_PLAIN = str.maketrans({":": "x", "/": "=", "(": None, ")": None})
