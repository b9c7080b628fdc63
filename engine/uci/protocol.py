"""UCI without input or output: a line becomes an immutable value, a value becomes a line.

Knows every command a client may send and every line an engine may print, in UCI's own words and units. Nothing a
client sends raises: what is not understood becomes ``Unknown``. Does not know chess (moves are text), the options
we offer, threads or pipes, and imports nothing heavy: ``uciok`` must be out before numpy is loaded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

# What a client sends -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Uci:
    """``uci``: say who you are and which options you have."""


@dataclass(frozen=True)
class Debug:
    """``debug on|off``."""

    on: bool


@dataclass(frozen=True)
class IsReady:
    """``isready``: answer when everything before is done."""


@dataclass(frozen=True)
class SetOption:
    """``setoption name NAME [value VALUE]``."""

    name: str
    value: str = ""
    """The rest of the line, inner blanks kept: a path may hold two in a row."""


@dataclass(frozen=True)
class NewGame:
    """``ucinewgame``: what follows belongs to another game."""


@dataclass(frozen=True)
class Position:
    """``position startpos|fen FEN [moves ...]``."""

    fen: str | None = None
    """None for the initial position."""
    moves: tuple[str, ...] = ()
    """As sent, in lower case."""


@dataclass(frozen=True)
class Go:
    """``go`` with its limits; None where the client gave none. Clocks may be zero or negative."""

    wtime_ms: int | None = None
    btime_ms: int | None = None
    winc_ms: int | None = None
    binc_ms: int | None = None
    movestogo: int | None = None
    movetime_ms: int | None = None
    nodes: int | None = None
    depth: int | None = None
    mate: int | None = None
    perft: int | None = None
    infinite: bool = False
    ponder: bool = False
    searchmoves: tuple[str, ...] = ()


@dataclass(frozen=True)
class Stop:
    """``stop``: give the best move now."""


@dataclass(frozen=True)
class PonderHit:
    """``ponderhit``: the expected move was played, the clock runs."""


@dataclass(frozen=True)
class Quit:
    """``quit``, or the end of the input."""


@dataclass(frozen=True)
class Unknown:
    """A line that is not UCI, or too damaged to obey. It gets no answer."""

    text: str


Command = Uci | Debug | IsReady | SetOption | NewGame | Position | Go | Stop | PonderHit | Quit | Unknown

_BARE: dict[str, Command] = {
    "uci": Uci(),
    "isready": IsReady(),
    "ucinewgame": NewGame(),
    "stop": Stop(),
    "ponderhit": PonderHit(),
    "quit": Quit(),
}

_VALUE = re.compile(r"\svalue(?=\s|$)", re.IGNORECASE)
_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]*)?")
_MOVE = re.compile(r"[a-h][1-8][a-h][1-8][nbrqk]?|0000")

_GO_NUMBERS = {
    "wtime": "wtime_ms",
    "btime": "btime_ms",
    "winc": "winc_ms",
    "binc": "binc_ms",
    "movetime": "movetime_ms",
    "movestogo": "movestogo",
    "nodes": "nodes",
    "depth": "depth",
    "mate": "mate",
    "perft": "perft",
}
_GO_FLAGS = ("infinite", "ponder")


def decode(raw: bytes) -> str:
    """A line's text. cutechess sends opponents' names in Latin-1, so bytes that are not UTF-8 are read as that."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def parse(line: str) -> Command | None:
    """The command in a line; None for a blank one. Never raises.

    A line whose first word is no command is not searched for one: "Unknown command: go" must not start a search.
    """
    line = line.strip().lstrip("\ufeff").strip("\0")
    words = line.split()
    if not words:
        return None
    if words[0] in _BARE:
        return _BARE[words[0]]
    if words[0] == "debug":
        return Debug(words[1:2] == ["on"])
    if words[0] == "setoption":
        return _set_option(line)
    if words[0] == "position":
        return _position(words[1:]) or Unknown(line)
    return _go(words[1:]) if words[0] == "go" else Unknown(line)


def _set_option(line: str) -> Command:
    words = line.split(None, 2)
    if len(words) < 3 or words[1].lower() != "name":
        return Unknown(line)
    cut = _VALUE.search(words[2])
    name, value = (words[2][: cut.start()], words[2][cut.end() :]) if cut else (words[2], "")
    return SetOption(" ".join(name.split()), value.strip())


def _position(words: list[str]) -> Position | None:
    cut = words.index("moves") if "moves" in words else len(words)
    moves = tuple(word.lower() for word in words[cut + 1 :])
    if words[:1] == ["startpos"]:
        return Position(None, moves)
    if words[:1] == ["fen"] and cut > 1:
        return Position(" ".join(words[1:cut]), moves)
    return None


def _go(words: list[str]) -> Go:
    limits: dict[str, int | bool | tuple[str, ...]] = {}
    moves: list[str] = []
    key = ""
    for word in words:
        if word in _GO_NUMBERS or word in _GO_FLAGS or word == "searchmoves":
            key = word
            if word in _GO_FLAGS:
                limits[word] = True
        elif key == "searchmoves" and _MOVE.fullmatch(word.lower()):
            moves.append(word.lower())
        elif key in _GO_NUMBERS and _NUMBER.fullmatch(word):
            limits[_GO_NUMBERS[key]] = int(word.split(".")[0])
            key = ""
    return Go(**limits, searchmoves=tuple(moves))  # type: ignore[arg-type]


# What an engine prints -----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Id:
    """``id name`` and ``id author``."""

    name: str
    author: str


@dataclass(frozen=True)
class Declaration:
    """``option name ...``, already in UCI's form."""

    text: str


@dataclass(frozen=True)
class UciOk:
    """``uciok``."""


@dataclass(frozen=True)
class ReadyOk:
    """``readyok``."""


@dataclass(frozen=True)
class Info:
    """``info`` about one line of play. Scores are the side to move's."""

    pv: tuple[str, ...] = ()
    depth: int = 1
    seldepth: int = 1
    multipv: int = 1
    score_cp: int = 0
    mate: int | None = None
    """Moves to mate, negative when we are mated; replaces ``score_cp``."""
    wdl: tuple[int, int, int] | None = None
    """Win, draw, loss in permille, sum 1000; None when the client did not ask for it."""
    nodes: int = 0
    """Positions that the net has judged."""
    time_ms: int = 0
    hashfull: int | None = None
    """Permille of the memory in use; None where nothing is kept."""


@dataclass(frozen=True)
class Say:
    """``info string TEXT``: words for the person at the GUI, which shows no stderr."""

    text: str


@dataclass(frozen=True)
class BestMove:
    """``bestmove``; None only where no legal move exists."""

    move: str | None
    ponder: str | None = None


Reply = Id | Declaration | UciOk | ReadyOk | Info | Say | BestMove


def render(reply: Reply) -> str:
    """The line, or lines, that say it; without the last line end."""
    match reply:
        case Id():
            return f"id name {reply.name}\nid author {reply.author}"
        case Declaration():
            return reply.text
        case Info():
            return _info(reply)
        case Say():
            return "info string " + " ".join(reply.text.split())
        case BestMove(move, ponder):
            return f"bestmove {move or '(none)'}" + (f" ponder {ponder}" if move and ponder else "")
    return type(reply).__name__.lower()


def _info(info: Info) -> str:
    score = f"cp {info.score_cp}" if info.mate is None else f"mate {info.mate}"
    wdl = " wdl {} {} {}".format(*info.wdl) if info.wdl else ""
    nps = info.nodes * 1000 // max(info.time_ms, 1)
    text = f"info depth {info.depth} seldepth {info.seldepth} multipv {info.multipv} score {score}{wdl}"
    text += f" nodes {info.nodes} nps {nps}"
    text += f" hashfull {info.hashfull}" if info.hashfull is not None else ""
    text += f" time {info.time_ms}"
    return text + (" pv " + " ".join(info.pv) if info.pv else "")


def wdl_permille(wdl: tuple[float, float, float]) -> tuple[int, int, int]:
    """Three probabilities as whole permille that sum to 1000: rounded down, the rest to the largest remainders."""
    total = sum(wdl)
    exact = [p * 1000 / total for p in wdl]
    whole = [int(e) for e in exact]
    by_remainder = sorted(range(3), key=lambda i: whole[i] - exact[i])
    for i in by_remainder[: 1000 - sum(whole)]:
        whole[i] += 1
    return whole[0], whole[1], whole[2]
