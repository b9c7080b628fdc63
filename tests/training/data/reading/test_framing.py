"""Bytes must come apart into the same games wherever a block ends, and an endless piece must not fill the memory."""

from __future__ import annotations

import time
import tracemalloc

import numpy as np
import pytest

from tests.training.data.made_pgn import made
from training.data.reading.framing import LONGEST, GameSplitter, LineSplitter, Splitter


def split(text: bytes, size: int, splitter: Splitter | None = None) -> list[bytes]:
    splitter = splitter or GameSplitter()
    pieces = [piece for at in range(0, len(text), size) for piece in splitter.feed(text[at : at + size])]
    return pieces + splitter.finish()


def words(pieces: list[bytes]) -> list[list[bytes]]:
    return [piece.split() for piece in pieces]


@pytest.mark.parametrize("size", [1, 2, 7, 100, 4096])
def test_games_are_the_same_however_the_blocks_fall(size: int) -> None:
    random = np.random.default_rng(4)
    games = [made(random).raw for _ in range(60 if size < 7 else 150)]
    assert words(split(b"".join(games), size)) == words(games)


@pytest.mark.parametrize(
    ("text", "games"),
    [
        (b"1. e4 e5 1-0\n\n1. d4 d5 0-1\n\n1. c4 *", 3),  # no tags at all
        (b'[Event "a"]\n\n1. e4\n\ne5 *\n', 1),  # an empty line among the moves
        (b'[Event "a"]\n\n1. e4 {he lost 0-1\n\nlater} e5 *\n\n', 1),  # an empty line in a comment
        (b'[Event "a"]\n[Result "1-0"]\n\n[Event "b"]\n\n1. e4 *\n', 2),  # a game without anything
        (b'[Event "a"]\n\n\n[White "b"]\n1. e4 *\n[Event "b"]\n1. d4 *\n', 2),  # empty lines elsewhere, or nowhere
        (b'\n\n\xef\xbb\xbf[Event "a"]\r\n\r\n1. e4 *\r\n\r\n\xef\xbb\xbf[Event "b"]\r\n\r\n1. d4 *\r\n', 2),  # glued files
        (b'[Event "a"]\n\n1. e4 { [%clk 0:01:00]\n[%eval 0.3] } e5 *\n', 1),  # commands at a line's beginning
        (b" \n\r\n\xef\xbb\xbf", 0),
        (b"", 0),
    ],
)
@pytest.mark.parametrize("size", [1, 3, 1000])
def test_where_a_game_begins(text: bytes, games: int, size: int) -> None:
    pieces = split(text, size)
    assert len(pieces) == games
    assert b"".join(pieces).split() == (text.split() if games else [])


@pytest.mark.parametrize(
    ("end", "cut_off"),
    [(b"1. e4 e5 2. N", True), (b"1. e4 e5", True), (b"1. e4 e5 1-0", False), (b"1. e4 e5\n", False), (b"", False)],
)
def test_half_a_game_at_the_end_is_told(end: bytes, cut_off: bool) -> None:
    splitter = GameSplitter()
    pieces = split(b'[Event "a"]\n\n1. d4 *\n\n' + (b'[Event "b"]\n\n' + end if end else b""), 10, splitter)
    assert splitter.cut_off == cut_off
    assert len(pieces) == 1 + (bool(end) and not cut_off)


@pytest.mark.parametrize("kind", [GameSplitter, LineSplitter])
def test_an_endless_line_takes_little_memory_and_the_next_game_is_found(kind: type[GameSplitter] | type[LineSplitter]) -> None:
    splitter, block = kind(), b"a long lie " * 50_000
    good = b'\n[Event "good"]\n\n1. e4 *\n' if kind is GameSplitter else b"\ngood\n"
    tracemalloc.start()
    pieces = splitter.feed(good) + [piece for _ in range(200) for piece in splitter.feed(block)]  # 110 MB
    pieces += splitter.feed(good) + splitter.finish()
    assert tracemalloc.get_traced_memory()[1] < 10 * LONGEST
    tracemalloc.stop()
    whole = [piece for piece in pieces if piece.strip()]
    assert [len(piece) > LONGEST for piece in whole] == [False, True, False] or kind is GameSplitter
    assert sum(len(piece) > LONGEST for piece in whole) == 1
    assert whole[-1].strip().startswith((b'[Event "good"]', b"good"))


@pytest.mark.parametrize("line", [b"*\n\n", b"{ *\n\n", b"\n", b"[", b'[A "', b"1-0 ", b'\n[A "b"]\n', b"} 0-1 \n \n"])
def test_nothing_takes_for_ever(line: bytes) -> None:
    begin = time.process_time()
    splitter = GameSplitter()
    split(b'[Event "x"]\n\n{ ' + line * (3_000_000 // len(line)), 1 << 20, splitter)
    assert time.process_time() - begin < 8


def test_lines() -> None:
    for size in (1, 3, 100):
        assert split(b"a\tb\r\n\nc", size, LineSplitter()) == [b"a\tb\r", b"", b"c"]
