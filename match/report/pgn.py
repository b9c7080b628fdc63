"""PGN out and in: our games with complete tags, anyone's games as results for ratings.

Knows tags, SAN written fast, and how foreign tournaments tell which two games share an opening. Reads moves as text only:
nothing is replayed. Does not know ratings.
"""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

import chess

from engine.archives import read_whole
from engine.encoding import Scale
from engine.errors import DataError, MatchError
from engine.files import replacing
from match.play.game import Played
from match.statistics.scores import WHITE_POINTS, Score

_MANY = 2000  # games from which on writing is shared among processes
_TAG = re.compile(r'^\[(\w+)\s+"((?:[^"\\]|\\.)*)"\s*\]\s*$')
_NOISE = re.compile(r"\{[^}]*\}|;[^\n]*|\$\d+|\d+\.+|1-0|0-1|1/2-1/2|\*|[!?+#]+")
_VARIATION = re.compile(r"\([^()]*\)")


@dataclass(frozen=True)
class PgnGame:
    """What ratings need of a game in a PGN file."""

    tags: Mapping[str, str]
    moves: str
    """The moves' text without numbers, comments and check marks: equal for equal games."""

    @property
    def points(self) -> float | None:
        """White's; None for a game without a result."""
        return WHITE_POINTS.get(self.tags.get("Result", "*"))

    @property
    def identity(self) -> bytes:
        """Equal for games with the same start and the same moves."""
        return hashlib.blake2b(f"{self.tags.get('FEN', '')}|{self.moves}".encode(), digest_size=12).digest()


def write_pgn(
    games: Sequence[Played], path: Path, *, event: str, workers: int = 1, known: Mapping[str, float] | None = None
) -> None:
    """All games, by number; ``known`` are ratings to name in them. Raises MatchError when the disk is full."""
    ordered = sorted(games, key=lambda game: game.number)
    try:
        with replacing(path) as partial, partial.open("w", encoding="utf-8", newline="\n") as file:
            file.writelines(_texts(ordered, event, workers, known or {}))
    except OSError as error:
        raise MatchError(f"cannot write {path}: {error.strerror or error}; free some room, the results are kept") from None


def _texts(games: Sequence[Played], event: str, workers: int, known: Mapping[str, float]) -> Iterator[str]:
    text = functools.partial(pgn_text, event=event, known=known)
    if len(games) < _MANY or workers < 2:
        yield from map(text, games)
        return
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        yield from pool.map(text, games, chunksize=250)


def pgn_text(game: Played, event: str, known: Mapping[str, float] | None = None) -> str:
    """One game with its tags, and a blank line after it. Where ``known`` has a player's rating, on the scale of our matches,
    it is named with the scale, as ``bin/data ingest`` reads it."""
    tags = {
        "Event": event,
        "Site": "?",
        "Date": game.date,
        "Round": str(game.number + 1),
        "White": game.white,
        "Black": game.black,
        "Result": game.result,
    }
    if game.fen != chess.STARTING_FEN:
        tags |= {"SetUp": "1", "FEN": game.fen}
    elos = {"WhiteElo": game.white, "BlackElo": game.black}
    tags |= {tag: f"{known[name]:.0f}" for tag, name in elos.items() if known and name in known}
    if "WhiteElo" in tags or "BlackElo" in tags:
        tags |= {"RatingScale": Scale.ENGINE.name.lower(), "Source": "bin/match"}
    tags |= {"Opening": game.opening, "Pair": game.pair, "PlyCount": str(game.plies), "Termination": game.reason}
    head = "".join(f'[{name} "{_escaped(value)}"]\n' for name, value in tags.items())
    return f"{head}\n{_wrapped([*_numbered(game), game.result])}\n\n"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", " ")


def _numbered(game: Played) -> Iterator[str]:
    board = chess.Board(game.fen)
    for i, text in enumerate(san_moves(game.fen, game.moves.split())):
        white_moved = (i % 2 == 0) == board.turn
        if white_moved or i == 0:
            number = board.fullmove_number + (i + (not board.turn)) // 2
            yield f"{number}{'.' if white_moved else '...'}"
        yield text


def _wrapped(words: Iterable[str]) -> str:
    lines, line = [], ""
    for word in words:
        if line and len(line) + len(word) > 78:
            lines.append(line)
            line = ""
        line += (" " if line else "") + word
    return "\n".join([*lines, line])


def san_moves(fen: str, moves: Iterable[str]) -> Iterator[str]:
    """SAN of legal UCI moves."""
    board = chess.Board(fen)
    for text in moves:
        yield board.san_and_push(chess.Move.from_uci(text))


def read_pgn(path: Path) -> list[PgnGame]:
    """All games of a file, plain or packed, or of standard input for ``-``. Raises MatchError when it cannot be read to its
    end, is no text or holds none."""
    try:
        raw = read_whole(path)
    except DataError as error:
        raise MatchError(f"expected a PGN file at {path}: {error}") from None
    games = list(_parse(_decoded(raw)))
    if not games:
        raise MatchError(f'expected games in PGN (with [White "…"] tags) in {path}, found none')
    return games


def _decoded(raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:  # names of old files
        lines = raw.removeprefix(b"\xef\xbb\xbf").splitlines()
        return "\n".join(_decoded(line) for line in lines) if len(lines) > 1 else raw.decode("latin-1")


def _parse(text: str) -> Iterator[PgnGame]:
    tags: dict[str, str] = {}
    moves: list[str] = []
    for line in text.splitlines():
        tag = _TAG.match(line)
        if tag is None:
            moves.append(line)
            continue
        if any(part.strip() for part in moves) or tag[1] in tags:
            yield from _game(tags, moves)
            tags = {}
        moves.clear()
        tags[tag[1]] = re.sub(r"\\(.)", r"\1", tag[2])
    yield from _game(tags, moves)


def _game(tags: Mapping[str, str], lines: Sequence[str]) -> Iterator[PgnGame]:
    if "White" in tags and "Black" in tags:
        text = _NOISE.sub(" ", "\n".join(lines))
        while (less := _VARIATION.sub(" ", text)) != text:
            text = less
        yield PgnGame(tags, " ".join(text.split()))


def scores(games: Sequence[PgnGame]) -> list[Score]:
    """Results with their pairs: by our own tag, else two games of the same players and start with colours reversed, by
    round first and then in the order of the file."""
    paired: list[Score] = []
    waiting: dict[tuple[str, ...], list[int]] = {}
    for game in games:
        if game.points is None:
            continue
        white, black = game.tags["White"], game.tags["Black"]
        pair = game.tags.get("Pair", "")
        if not pair:
            begin = (game.tags.get("FEN", ""), game.tags.get("Round", "").split(".")[0])
            partners = waiting.get((black, white, *begin), [])
            number = partners.pop(0) if partners else len(paired)
            if number == len(paired):
                waiting.setdefault((white, black, *begin), []).append(number)
            pair = f"file {number}"
        paired.append(Score(white, black, game.points, pair))
    return _pair_leftovers(paired, games)


def _pair_leftovers(paired: list[Score], games: Sequence[PgnGame]) -> list[Score]:
    """Games that found no partner in their round: by start alone, for programs that number every game."""
    finished = [game for game in games if game.points is not None]
    sizes: dict[str, int] = {}
    for score in paired:
        sizes[score.pair] = sizes.get(score.pair, 0) + 1
    waiting: dict[tuple[str, ...], list[int]] = {}
    for i, (score, game) in enumerate(zip(paired, finished, strict=True)):
        if "Pair" in game.tags or sizes[score.pair] > 1:
            continue
        begin = game.tags.get("FEN", "")
        partners = waiting.get((score.black, score.white, begin), [])
        if partners:
            paired[i] = Score(score.white, score.black, score.points, paired[partners.pop(0)].pair)
        else:
            waiting.setdefault((score.white, score.black, begin), []).append(i)
    return paired


def unique_games(games: Sequence[PgnGame]) -> int:
    """How many different games there are: a player without randomness repeats itself."""
    return len({game.identity for game in games})
