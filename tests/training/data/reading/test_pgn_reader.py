"""Both readers of PGN must find the same games, and the right ones, in everything that files in the wild hold."""

from __future__ import annotations

import time
from collections import Counter

import chess
import numpy as np
import pytest

from engine.vocabulary import MOVE_ID, UCI_MOVES
from tests.training.data.made_pgn import Made, made
from training.data.reading import pgn
from training.data.reading.framing import LONGEST, GameSplitter
from training.data.reading.pgn import read_games
from training.data.store import TERMINATIONS, TIME_CLASSES, Games, unpack

GAMES = 2100
needs_fast = pytest.mark.skipif(pgn.fast_reader is None, reason="the fast reader has no wheel for this platform")


@pytest.fixture(scope="module")
def many() -> list[Made]:
    random = np.random.default_rng(11)
    return [made(random) for _ in range(GAMES)]


def cut(game: Made) -> list[bytes]:
    splitter = GameSplitter()
    return splitter.feed(game.raw) + splitter.finish()


def outcome(game: Made, *, fast: bool) -> tuple[list[int], str]:
    games, rejects = read_games(cut(game), fast=fast)
    assert len(games) + sum(rejects.values()) == 1, game.raw
    return games.moves.tolist(), next(iter(rejects), "")


def test_the_made_games_are_varied(many: list[Made]) -> None:
    kinds = Counter(kind for game in many for kind in game.kinds)
    wanted = {
        "promotion q",
        "promotion n",
        "promotion r",
        "promotion b",
        "short",
        "long",
        "en passant",
        "fen",
        "nag",
        "comment",
        "clock",
        "mate eval",
        "variation",
        "rest of line",
        "escape",
        "sign",
        "crlf",
        "bom",
        "latin-1",
    }
    assert {kind for kind, count in kinds.items() if count >= 20} >= wanted
    reasons = Counter(game.reason for game in many)
    assert len(reasons) == 6
    assert reasons[""] > GAMES / 2


@needs_fast
def test_the_fast_reader_finds_what_was_played(many: list[Made]) -> None:
    for game in many:
        assert outcome(game, fast=True) == (game.moves if not game.reason else [], game.reason), game.raw


@needs_fast
def test_both_readers_agree_on_every_game(many: list[Made]) -> None:
    for at in range(0, GAMES, 256):
        pieces = [piece for game in many[at : at + 256] for piece in cut(game)]
        fast, slow = read_games(pieces), read_games(pieces, fast=False)
        assert fast[1] == slow[1]
        assert fast[0].sources == slow[0].sources
        assert fast[0].starts == slow[0].starts
        for name in ("moves", "offsets", "records", "bots"):
            assert np.array_equal(getattr(fast[0], name), getattr(slow[0], name)), name


def one(text: str, *, fast: bool = True) -> Games:
    games, rejects = read_games([text.encode()], fast=fast)
    assert not rejects
    return games


TAGS = """[Event "Rated Blitz game"]
[Site "https://lichess.org/abc"]
[White "a"]
[Black "b"]
[Result "1-0"]
[UTCDate "2017.04.30"]
[WhiteElo "1234"]
[BlackElo "987"]
[TimeControl "300+3"]
[Termination "Time forfeit"]
"""


@pytest.mark.parametrize("fast", [True, False])
def test_headers_become_a_record(fast: bool) -> None:
    (game,) = unpack(one(TAGS + "\n1. e4 e5 1-0\n", fast=fast))
    assert [UCI_MOVES[m] for m in game.moves] == ["e2e4", "e7e5"]
    assert (game.white_elo, game.black_elo, game.result, game.scale, game.date) == (1234, 987, "1-0", 1, 20170430)
    assert (game.time_class, game.termination, game.source, game.start_fen) == ("blitz", "time", "lichess.org", None)


@pytest.mark.parametrize("fast", [True, False])
def test_mate_on_the_board_is_the_termination(fast: bool) -> None:
    (game,) = unpack(one(TAGS + "\n1. f3 e5 2. g4 Qh4# 0-1\n", fast=fast))
    assert game.termination == "checkmate"


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize(
    ("tag", "token", "wanted"),
    [
        ('[Result "0-1"]\n', "1-0", "0-1"),
        ("", "1-0", "1-0"),
        ('[Result "*"]\n', "1/2-1/2", "1/2-1/2"),
        ("", "", "*"),
        ('[Result "1:0"]\n', "1-0", "1-0"),
    ],
)
def test_the_tag_tells_the_result_and_the_moves_stand_in(tag: str, token: str, wanted: str, fast: bool) -> None:
    (game,) = unpack(one(f'[White "a"]\n{tag}\n1. e4 e5 {token}\n', fast=fast))
    assert game.result == wanted


@pytest.mark.parametrize("fast", [True, False])
def test_moves_behind_the_result_do_not_count(fast: bool) -> None:
    assert len(one('[White "a"]\n\n1. e4 e5 1-0 2. Nf3 *\n', fast=fast).moves) == 2


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("fen", ["4k3/8/8/8/8/8/8/4K2R w KQkq - 0 1", "4k3/8/8/8/8/8/8/4K2R w K - 0 1"])
def test_a_start_is_stored_as_the_position_it_is(fen: str, fast: bool) -> None:
    games = one(f'[White "a"]\n[FEN "{fen}"]\n\n1. O-O *\n', fast=fast)
    assert games.starts == ["4k3/8/8/8/8/8/8/4K2R w K - 0 1"]
    assert games.records["start"].tolist() == [0]


def test_the_initial_position_as_a_fen_is_no_other_start() -> None:
    plain, told = one('[White "a"]\n\n1. e4 *\n'), one(f'[White "a"]\n[FEN "{chess.STARTING_FEN}"]\n\n1. e4 *\n')
    assert told.records["start"].tolist() == [-1]
    assert told.records["key"] == plain.records["key"]


@pytest.mark.parametrize("fast", [True, False])
def test_long_algebraic_moves_are_understood(fast: bool) -> None:
    games = one('[White "a"]\n\n1. e2-e4 e7e5 2. Ng1-f3 Nb8xc6 *\n'.replace("xc6", "c6"), fast=fast)
    assert games.moves.tolist() == [MOVE_ID[m] for m in ("e2e4", "e7e5", "g1f3", "b8c6")]


@pytest.mark.parametrize("fast", [True, False])
def test_an_endless_game_is_refused_unread(fast: bool) -> None:
    games, rejects = read_games([b"x" * (LONGEST + 1), b'[White "a"]\n\n1. e4 *\n'], fast=fast)
    assert (len(games), rejects) == (1, Counter({"longer than 1 MiB": 1}))


@pytest.mark.parametrize("fast", [True, False])
def test_an_empty_piece_does_not_shift_its_neighbours(fast: bool) -> None:
    games, rejects = read_games([b'[White "a"]\n\n1. e4 *\n', b" \n", b'[White "b"]\n\n1. d4 *\n'], fast=fast)
    assert rejects == Counter({"no moves": 1})
    assert games.moves.tolist() == [MOVE_ID["e2e4"], MOVE_ID["d2d4"]]


@pytest.mark.parametrize("fast", [True, False])
def test_deep_variations_and_junk_neither_crash_nor_hang(fast: bool) -> None:
    random = np.random.default_rng(3)
    junk = [b'[A "x"]\n\n1. e4 ' + b"(1. d4 " * 20_000 + b")" * 20_000 + b" e5 *", b"{" * 50_000, b"(" * 50_000, b"[" * 50_000]
    alphabet = np.frombuffer(b'NBRQKabcdefgh12345678xO-=+#(){}[]";%$*. \n\0\xff', np.uint8)
    junk += [alphabet[random.integers(len(alphabet), size=400)].tobytes() for _ in range(300)]
    begin = time.process_time()
    games, rejects = read_games(junk, fast=fast)
    assert len(games) + sum(rejects.values()) == len(junk)
    assert time.process_time() - begin < 20


def test_without_the_fast_reader_python_chess_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pgn, "fast_reader", None)
    assert one('[White "a"]\n\n1. e4 e5 *\n').moves.tolist() == [MOVE_ID["e2e4"], MOVE_ID["e7e5"]]


def test_a_bot_is_told_by_its_title() -> None:
    assert one('[White "a"]\n[BlackTitle "BOT"]\n\n1. e4 *\n').bots.tolist() == [True]
    assert one('[White "BOT"]\n[BlackTitle "GM"]\n\n1. e4 *\n').bots.tolist() == [False]


@pytest.mark.parametrize(
    ("control", "wanted"),
    [
        ("15+0", "ultrabullet"),
        ("60+0", "bullet"),
        ("180+0", "blitz"),
        ("300+3", "blitz"),
        ("600+0", "rapid"),
        ("1800+0", "classical"),
        ("1/86400", "correspondence"),
        ("-", "unknown"),
        ("", "unknown"),
        ("40/7200:3600", "unknown"),
    ],
)
def test_time_classes(control: str, wanted: str) -> None:
    games = one(f'[White "a"]\n[TimeControl "{control}"]\n\n1. e4 *\n')
    assert TIME_CLASSES[games.records["time_class"][0]] == wanted


@pytest.mark.parametrize("word", ["draw", "checkmate", "resignation", "abandoned", "rules", "time", "normal", "unknown"])
def test_our_own_words_for_a_termination_are_read_back(word: str) -> None:
    games = one(f'[White "a"]\n[Termination "{word}"]\n\n1. e4 *\n')
    assert TERMINATIONS[games.records["termination"][0]] == word
