"""Streams of bytes cut into pieces, a game each, in bounded memory.

Knows where a game of PGN begins and what a line is, and that a piece may be damaged or endless. Does not know moves,
files or filters. Bytes go in with ``feed``, whole pieces come out; ``finish`` gives the last one.
"""

from __future__ import annotations

import re
from typing import Protocol

LONGEST = 1 << 20
"""Bytes of the longest piece; of a longer one come LONGEST + 1 bytes, so that it can be told and counted."""

_TAIL = 1024  # of an endless piece so much is kept, for the next game's first tag may begin in it
_TAG = rb'\n(?:\xef\xbb\xbf)?\[[\w+#=:-]+[ \t]+"[^\n]*'
_HEADER = re.compile(_TAG + rb"(?:\s*(?!\n(?:\xef\xbb\xbf)?\[Event[ \t])" + _TAG + rb")*")  # a game without moves may precede
_SPACE = re.compile(rb"\s*")
_RESULT_AT_END = re.compile(rb"(?:1-0|0-1|1/2-1/2|\*)\s*\Z")
_BLANK_LINE = re.compile(rb"\n[ \t\r]*\n\s*")


class Splitter(Protocol):
    """Bytes in, pieces out."""

    def feed(self, block: bytes) -> list[bytes]:
        """The pieces that this block completes."""

    def finish(self) -> list[bytes]:
        """The last piece, if it is whole."""

    @property
    def cut_off(self) -> bool:
        """After ``finish``: whether the text ended in the middle of a piece."""


class GameSplitter:
    """PGN into games, as python-chess cuts it: at a tag that follows moves, or at a blank line behind a result."""

    def __init__(self) -> None:
        self._rest = b"\n"  # a tag stands behind a line end, the first one too
        self._skipping = False
        self.cut_off = False

    def feed(self, block: bytes) -> list[bytes]:
        """The games that this block completes."""
        pieces = self._cut(self._rest + block)
        if len(self._rest) > LONGEST:
            if not self._skipping:
                pieces.append(self._rest[: LONGEST + 1])
            self._skipping, self._rest = True, self._rest[-_TAIL:]
        return pieces

    def finish(self) -> list[bytes]:
        """The last game. It is cut off when neither a result nor a line end closes it."""
        last = b"" if self._skipping else self._rest
        self._rest = b"\n"
        if not last.strip(b" \t\r\n\xef\xbb\xbf\x1a"):  # DOS programs end a file with 1A
            return []
        self.cut_off = not (last.endswith(b"\n") or _RESULT_AT_END.search(last))
        return [] if self.cut_off else [last]

    def _cut(self, text: bytes) -> list[bytes]:
        """The whole games of ``text``; what follows them becomes the rest."""
        headers = [(found.start(), _after_space(text, found.end())) for found in _HEADER.finditer(text)]
        if self._skipping:
            if not headers:
                self._rest = text
                return []
            self._skipping = False
        elif not headers or headers[0][0] > 0:
            headers.insert(0, (0, _after_space(text, 0)))
        ends = [begin for begin, _ in headers[1:]] + [len(text)]
        pieces: list[bytes] = []
        for (begin, body), end in zip(headers, ends, strict=True):
            if text.find(b"\n\n", body, end) < 0 and text.find(b"\n\r\n", body, end) < 0:
                pieces.append(text[begin:end])
            else:
                pieces += _paragraphs(text[begin:body], text[body:end])
        self._rest = pieces.pop()
        return [piece for piece in pieces if piece.strip()]


def _paragraphs(header: bytes, body: bytes) -> list[bytes]:
    """Games without tags, and a game with blank lines in it: a blank line ends a game behind a result outside a comment."""
    games: list[bytes] = []
    parts, open_comments = [header or b"\n"], 0
    for part in _BLANK_LINE.split(body):
        if len(parts) > 1 and open_comments <= 0 and _RESULT_AT_END.search(parts[-2]):
            games.append(b"".join(parts))
            parts, open_comments = [b"\n"], 0
        parts += [part, b"\n"]
        open_comments += part.count(b"{") - part.count(b"}")
    return [*games, b"".join(parts[:-1])]  # the last one may go on in the next block


def _after_space(text: bytes, place: int) -> int:
    found = _SPACE.match(text, place)
    return found.end() if found else place


class LineSplitter:
    """Text into lines."""

    cut_off = False

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False

    def feed(self, block: bytes) -> list[bytes]:
        """The lines that this block completes."""
        *lines, self._rest = (self._rest + block).split(b"\n")
        if self._skipping and lines:
            del lines[0]
            self._skipping = False
        if len(self._rest) > LONGEST:
            if not self._skipping:
                lines.append(self._rest[: LONGEST + 1])
            self._skipping, self._rest = True, b""
        return lines

    def finish(self) -> list[bytes]:
        """The last line, where no line end follows it."""
        return [self._rest] if self._rest and not self._skipping else []
