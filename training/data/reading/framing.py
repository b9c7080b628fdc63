"""Streams of bytes cut into pieces, a game each, in bounded memory.

Knows where a game of PGN begins, also among games without tags, what a line is, and that a piece may be damaged or endless.
Does not know moves, files or filters. Bytes go in with ``feed``, whole pieces come out; ``finish`` gives the last one.
"""

from __future__ import annotations

import itertools
import re
from typing import Protocol

LONGEST = 1 << 20
"""Bytes of the longest piece; of a longer one come LONGEST + 1 bytes, so that it can be told and counted."""

_TAIL = 1024  # of an endless piece so much is kept, for the next game's first tag may begin in it
_TAG = rb'\n(?:\xef\xbb\xbf)?\[[\w+#=:-]+[ \t]+"[^\n]*'
_HEADER = re.compile(_TAG + rb"(?:\s*(?!\n(?:\xef\xbb\xbf)?\[Event[ \t])" + _TAG + rb")*")  # a game without moves may precede
_SPACE = re.compile(rb"\s*")
_RESULT = rb"(?:1-0|0-1|1/2-1/2|\*)"
_RESULT_AT_END = re.compile(_RESULT + rb"\s*\Z")
_PASSED_OVER = rb"\{[^}]*(?:\}|\Z)|;[^\n]*|(?:(?<=\n)|\A)%[^\n]*"
_FIRST_MOVE = re.compile(rb"(?:\xef\xbb\xbf)?1[ \t]*\.(?=[^.])")
_MOVE = re.compile(rb"[a-hNBRQKO][a-h1-8xO-]")
_MARK = re.compile(
    _PASSED_OVER + rb"|(?P<result>(?<!\S)" + _RESULT + rb"(?![^\s{;]))"
    rb"|(?P<first>(?:(?<=\n)|\A)[ \t]*" + _FIRST_MOVE.pattern + rb")|(?P<bracket>[()])|(?P<move>" + _MOVE.pattern + rb")"
)
_GAP = re.compile(rb"(?:\s|\{[^}]*\})*")
_BLANK_LINE = re.compile(rb"[ \t\r]*\n[ \t\r]*\n\s*\S")
_OTHER_LINE = re.compile(rb"\n(?:[ \t\r\n\xef]|1[ \t.])")  # empty, indented or with a first move; others begin no game
_END_OF_FILE = b"\x1a"  # as DOS programs write it
_CARRIAGE_RETURNS = re.compile(rb"\r+\n?")


class Splitter(Protocol):
    """Bytes in, pieces out."""

    def feed(self, block: bytes) -> list[bytes]:
        """The pieces that this block completes."""

    def finish(self, *, damaged: bool = False) -> list[bytes]:
        """The last piece, if it is whole; ``damaged`` = the text was not read to its end."""

    @property
    def cut_off(self) -> bool:
        """After ``finish``: whether the text ended in the middle of a piece."""


class _LineEnds:
    """The line ends of old Macintosh programs (CR alone) as others write them, whatever block they fall into."""

    def __init__(self) -> None:
        self._held = b""

    def unified(self, block: bytes) -> bytes:
        """The block with what the last one kept back: a CR at its end, which a line feed may follow."""
        if b"\r" not in block and not self._held:
            return block
        block = self._held + block
        self._held = block[-1:] if block.endswith(b"\r") else b""
        block = block.removesuffix(b"\r")
        if block.count(b"\r") == block.count(b"\r\n"):
            return block
        return _CARRIAGE_RETURNS.sub(lambda found: found[0] if found[0][-1:] == b"\n" else b"\n" * len(found[0]), block)

    def last(self) -> bytes:
        """What was kept back at the end of the text."""
        rest, self._held = self._held, b""
        return b"\n" if rest else b""


class GameSplitter:
    """PGN into games: at a tag that follows moves; without tags, behind a result or before a first move."""

    def __init__(self) -> None:
        self._rest = b"\n"  # a tag stands behind a line end, the first one too
        self._skipping = False
        self._line_ends = _LineEnds()
        self.cut_off = False

    def feed(self, block: bytes) -> list[bytes]:
        """The games that this block completes."""
        pieces = self._cut(self._rest + self._line_ends.unified(block))
        if len(self._rest) > LONGEST:
            if not self._skipping:
                pieces.append(self._rest[: LONGEST + 1])
            self._skipping, self._rest = True, self._rest[-_TAIL:]
        return pieces

    def finish(self, *, damaged: bool = False) -> list[bytes]:
        """The last game. It is cut off when neither a result nor, in an undamaged text, a line end closes it."""
        last = b"" if self._skipping else (self._rest + self._line_ends.last()).rstrip(_END_OF_FILE)
        self._rest = b"\n"
        if not last.strip(b" \t\r\n\xef\xbb\xbf"):
            return []
        self.cut_off = not (_RESULT_AT_END.search(last[-_TAIL:]) or (last.endswith(b"\n") and not damaged))
        return [] if self.cut_off else [last]

    def _cut(self, text: bytes) -> list[bytes]:
        """The whole games of ``text``; what follows them becomes the rest."""
        headers = [(header.start(), _after_space(text, header.end())) for header in _HEADER.finditer(text)]
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
            tagged = bool(text[begin:body].strip())
            if tagged and _is_one_game(text, body, end):
                pieces.append(text[begin:end])
            else:
                pieces += _untagged(text[begin:body], text[body:end], tagged=tagged)
        self._rest = pieces.pop()
        return [piece for piece in pieces if piece.strip()]


def _is_one_game(text: bytes, body: int, end: int) -> bool:
    """Whether no game without tags can begin behind ``body``; within its first line none does."""
    end = body + len(text[body:end].rstrip())
    return not _OTHER_LINE.search(text, body, end)


def _untagged(header: bytes, body: bytes, *, tagged: bool) -> list[bytes]:
    """The game behind ``header`` and those without tags that follow it: the last one may continue in the next block."""
    ends, depth, moved = [0], 0, False
    for mark in _MARK.finditer(body):
        kind, end = mark.lastgroup, 0
        if kind == "result" and _another_follows(body, mark.end(), depth, tagged=tagged):
            end = mark.end()
        elif kind == "first" and moved and depth == 0:
            end = mark.start()
        elif kind == "bracket":
            depth = depth + 1 if mark[0] == b"(" else max(0, depth - 1)
        moved = moved or kind == "move"
        if end:
            ends.append(end)
            depth, moved, tagged = 0, False, False
    parts = [body[begin:end] for begin, end in itertools.pairwise([*ends, len(body)])]
    return [(header or b"\n") + parts[0], *(b"\n" + part for part in parts[1:])]


def _another_follows(body: bytes, result_end: int, depth: int, *, tagged: bool) -> bool:
    """Whether a game begins behind a result: at a blank line, at move 1, and where no game has tags, at a line's beginning."""
    if _BLANK_LINE.match(body, result_end):
        return True
    gap = _GAP.match(body, result_end)
    follows = gap.end() if gap else result_end
    next_line = body.find(b"\n", result_end, follows) >= 0
    if _FIRST_MOVE.match(body, follows):
        return next_line or depth == 0
    return next_line and not tagged and _MOVE.match(body, follows) is not None


def _after_space(text: bytes, place: int) -> int:
    space = _SPACE.match(text, place)
    return space.end() if space else place


class LineSplitter:
    """Text into lines."""

    def __init__(self) -> None:
        self._rest = b""
        self._skipping = False
        self._line_ends = _LineEnds()
        self.cut_off = False

    def feed(self, block: bytes) -> list[bytes]:
        """The lines that this block completes."""
        *lines, self._rest = (self._rest + self._line_ends.unified(block)).split(b"\n")
        if self._skipping and lines:
            del lines[0]
            self._skipping = False
        if len(self._rest) > LONGEST:
            if not self._skipping:
                lines.append(self._rest[: LONGEST + 1])
            self._skipping, self._rest = True, b""
        return lines

    def finish(self, *, damaged: bool = False) -> list[bytes]:
        """The last line, where no line end follows it; in a damaged text it is cut off."""
        last = b"" if self._skipping else self._rest.rstrip(_END_OF_FILE)
        self._rest = b""
        self.cut_off = damaged and bool(last)
        return [last] if last and not damaged else []
