"""The one table of options: it declares them, reads their values, refuses rubbish and documents them.

Knows each option's name, type, range, default and meaning, and the ``Settings`` they set. UCI has no real numbers, so
those are ``type string``: as a spin, clients drop or round them. Does not know what the settings do.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass, replace

from engine.errors import OptionError

EMPTY = "<empty>"
"""How UCI writes an empty string."""

LIMIT, ELO = "UCI_LimitStrength", "UCI_Elo"
"""Names of the strength dial: its switch, and the one option whose range depends on the net."""

ELO_RANGE = (800, 2400)
"""Lowest and highest UCI_Elo of a net without a dial: the ratings that the training games cover densely."""

CLEAR_HASH = "Clear Hash"
"""Name of the one button."""

MODEL, SYZYGY, LOG_FILE = "Model", "SyzygyPath", "Log File"
"""Names of the options that name files: setting one again, to the same value too, tries it again."""


@dataclass(frozen=True)
class Opponent:
    """Whom a client says we play, from ``UCI_Opponent``."""

    title: str
    rating: int
    """In points, 0 unknown."""
    name: str


@dataclass(frozen=True)
class Settings:
    """The options' values. Defaults live in the table alone: see ``default_settings``."""

    temperature: float
    opening_temperature: float | None
    """None: the same as ``temperature``."""
    opening_plies: int
    top_p: float
    seed: int
    """0: every game is new."""
    avoid_repetition: bool
    take_mate: bool
    model: str
    """Path of a net; empty: look in the usual places."""
    device: str
    threads: int
    hash_mb: int
    nodes: int
    """Evaluations a move; 1: no search."""
    cpuct: float
    first_play: float
    prior_temperature: float
    draw_score: float
    multipv: int
    ponder: bool
    move_overhead_ms: int
    move_delay_ms: int
    show_wdl: bool
    limit_strength: bool
    elo: int
    opponent: Opponent | None
    analyse: bool
    chess960: bool
    syzygy_path: str
    log_file: str

    @property
    def net_key(self) -> tuple[str, str, int, int]:
        """What the loaded net depends on: when this changes, it is opened again."""
        return self.model, self.device, self.threads, self.hash_mb


@dataclass(frozen=True)
class Option:
    """One row of the table."""

    name: str
    kind: str
    """UCI's type: check, spin, combo, button or string."""
    default: str
    """As declared; ``<empty>`` for an empty string, nothing for a button."""
    field: str
    """The field of ``Settings`` it sets; nothing for a button."""
    help: str
    """For people, in Markdown."""
    read: Callable[[str], object] = str
    """Its value from its text; raises ValueError with what was expected."""
    low: int = 0
    high: int = 0
    choices: tuple[str, ...] = ()

    def declaration(self) -> str:
        """The ``option`` line. The order default, min, max is the one that every client reads."""
        text = f"option name {self.name} type {self.kind}"
        if self.kind != "button":
            text += f" default {self.default}"
        if self.kind == "spin":
            text += f" min {self.low} max {self.high}"
        return text + "".join(f" var {choice}" for choice in self.choices)


def _check(name: str, default: str, field: str, *, help: str) -> Option:
    return Option(name, "check", default, field, help, _truth)


def _spin(name: str, default: int, field: str, *, low: int, high: int, help: str) -> Option:
    return Option(name, "spin", str(default), field, help, _whole(low, high), low, high)


def _combo(name: str, default: str, field: str, *, choices: tuple[str, ...], help: str) -> Option:
    return Option(name, "combo", default, field, help, _one_of(choices), choices=choices)


def _string(name: str, default: str, field: str, *, help: str, read: Callable[[str], object] = str) -> Option:
    return Option(name, "string", default, field, help, read)


# Readers: text without <empty> and outer blanks -> value, or ValueError(what was expected) -----------------------


def _truth(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("true or false")
    return text.lower() == "true"


def _whole(low: int, high: int) -> Callable[[str], int]:
    def read(text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text) or not low <= int(text) <= high:
            raise ValueError(f"a whole number from {low} to {high}")
        return int(text)

    return read


def _clamped(low: int, high: int) -> Callable[[str], int]:
    """A whole number; one beyond the limits is taken for the nearer of them."""

    def read(text: str) -> int:
        if not re.fullmatch(r"[+-]?[0-9]{1,18}", text):
            raise ValueError("a whole number")
        return min(max(int(text), low), high)

    return read


def _one_of(choices: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        if text.lower() not in choices:
            raise ValueError(" or ".join(choices))
        return text.lower()

    return read


def _number(text: str) -> float:
    """A finite number in any of the forms that clients send: 0.001, .5, 1e-05, and 0,7 from a comma locale."""
    if not re.fullmatch(r"[+-]?([0-9]+[.,]?[0-9]*|[.,][0-9]+)([eE][+-]?[0-9]{1,3})?", text):
        return math.nan
    return float(text.replace(",", "."))


def _temperature(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 100:
        raise ValueError("a number from 0 to 100")
    return value


def _opening_temperature(text: str) -> float | None:
    return _temperature(text) if text else None


def _top_p(text: str) -> float:
    value = _number(text)
    if not 0 < value <= 1:
        raise ValueError("a number above 0, up to 1")
    return value


def _positive(text: str) -> float:
    value = _number(text)
    if not 0 < value <= 100:
        raise ValueError("a number above 0, up to 100")
    return value


def _share(text: str) -> float:
    value = _number(text)
    if not 0 <= value <= 1:
        raise ValueError("a number from 0 to 1")
    return value


def _opponent(text: str) -> Opponent | None:
    """``GM 2800 human Gary Kasparov`` or ``none none computer Shredder``."""
    words = text.split()
    if not words:
        return None
    if len(words) < 3 or words[2] not in ("human", "computer") or not re.fullmatch(r"none|[0-9]{1,5}", words[1]):
        raise ValueError("TITLE RATING human|computer NAME, with the word none for what is unknown")
    rating = 0 if words[1] == "none" else int(words[1])
    return Opponent("" if words[0] == "none" else words[0], rating, " ".join(words[3:]))


# The table ------------------------------------------------------------------------------------------------------

OPTIONS: tuple[Option, ...] = (
    _string(
        "Temperature",
        "0.001",
        "temperature",
        read=_temperature,
        help="How freely moves are drawn: p ∝ exp(logit / temperature) over the legal moves. 1 plays like the average of "
        "the players it read, near 0 plays the move that most of them agree on, 0 is exactly the likeliest move: the "
        "setting for games that repeat exactly.",
    ),
    _string(
        "TemperatureOpening",
        EMPTY,
        "opening_temperature",
        read=_opening_temperature,
        help="Temperature of the first ply, for variety; it falls evenly to `Temperature` over `TemperatureOpeningPlies`. "
        "Empty: the same as `Temperature`.",
    ),
    _spin(
        "TemperatureOpeningPlies",
        10,
        "opening_plies",
        low=0,
        high=1000,
        help="How many plies (half-moves) of a game are its opening. Has no effect while `TemperatureOpening` is empty.",
    ),
    _string(
        "TopP",
        "1",
        "top_p",
        read=_top_p,
        help="Draws only from the likeliest moves that together have this share of the probability (with a search: from the "
        "most visited that have this share of the visits); 1: from all.",
    ),
    _spin(
        "Seed",
        0,
        "seed",
        low=0,
        high=2**31 - 1,
        help="0: every game draws anew. Any other number: the same seed gives the same move in the same position with the "
        "same move number, so the same game against the same replies, also after a restart. Where two moves are almost "
        "equally likely it may still fall the other way: evaluations differ in their last digits with the order in "
        "which they were asked for. For games that repeat exactly set `Temperature` to 0.",
    ),
    _check(
        "AvoidRepetition",
        "true",
        "avoid_repetition",
        help="Without a search: when it stands better, does not repeat positions or give stalemate where it has another "
        "plausible move.",
    ),
    _check(
        "TakeMate",
        "true",
        "take_mate",
        help="Plays a mate in one wherever there is one: few games that people play end in mate, so the net overlooks many. "
        "Off: the net's own choice. Has no effect while `UCI_LimitStrength` is on, nor on a search (`Nodes` above 1), which "
        "always plays the mates that it proves.",
    ),
    _string(
        MODEL,
        EMPTY,
        "model",
        help="Path of the net, an `.onnx` file. Empty: the environment variable `TRANSCENDENCE_MODEL`, then beside the "
        "program, then the installed net. A path that does not work is reported; no other net is played instead.",
    ),
    _combo(
        "Device",
        "auto",
        "device",
        choices=("auto", "cpu", "cuda"),
        help="Where the net runs. `auto` takes a GPU when ONNX Runtime can use one.",
    ),
    _spin(
        "Threads", 1, "threads", low=1, high=1024, help="CPU threads for one evaluation, at most as many as the machine has."
    ),
    _spin(
        "Nodes",
        1,
        "nodes",
        low=1,
        high=10**9,
        help="Evaluations for one move when `go` names no other number. 1: the net's first evaluation alone. More: a search "
        "that plays stronger and takes longer; a clock or `stop` ends it early.",
    ),
    _string(
        "CPuct",
        "0.35",
        "cpuct",
        read=_positive,
        help="Of the search: how much a move's probability counts against the scores that were found. More: wider.",
    ),
    _string(
        "FirstPlay",
        "0.12",
        "first_play",
        read=_share,
        help="Of the search: by how much a move that was not tried yet counts as worse than its position, 0 to 1.",
    ),
    _string(
        "PriorTemperature",
        "1.5",
        "prior_temperature",
        read=_positive,
        help="Of the search: temperature of the net's probabilities. More: alternatives are looked at sooner.",
    ),
    _string(
        "DrawScore",
        "0.5",
        "draw_score",
        read=_share,
        help="Of the search: points that a draw counts for the engine, 0 to 1. Less: it plays on where it could draw.",
    ),
    _spin(
        "Hash",
        64,
        "hash_mb",
        low=1,
        high=1048576,
        help="Memory in MiB for each of three things: remembered evaluations, the tree of a search, and what the net has "
        "read of its lines. A search may use three times this number.",
    ),
    Option(CLEAR_HASH, "button", "", "", "Forgets all evaluations and the game read so far."),
    _spin(
        "MultiPV",
        1,
        "multipv",
        low=1,
        high=500,
        help="How many moves to show: the one chosen first, then the likeliest, each with its probability and the score of "
        "the position after it.",
    ),
    _check(
        "Ponder",
        "false",
        "ponder",
        help="Tells the client which reply is expected, so that it may let the engine ponder on it.",
    ),
    _spin(
        "Move Overhead",
        30,
        "move_overhead_ms",
        low=0,
        high=10000,
        help="Milliseconds kept in reserve for the way to the client, with a clock and with `movetime`.",
    ),
    _spin(
        "MoveDelay",
        0,
        "move_delay_ms",
        low=0,
        high=600000,
        help="Waits until this many milliseconds have been spent on a move, for human opponents. Shortened when the clock "
        "does not allow it; `stop` ends it.",
    ),
    _check(
        "UCI_ShowWDL", "false", "show_wdl", help="Adds `wdl` to the score: win, draw and loss of the side to move in permille."
    ),
    _check(
        LIMIT,
        "false",
        "limit_strength",
        help="Plays as strongly as `UCI_Elo` says, by the net's dial, which sets the rating that the net is conditioned on, "
        "the temperature and the evaluations a move (`Temperature` and `Nodes` then have no effect). A net without a dial is "
        "conditioned on `UCI_Elo` itself.",
    ),
    Option(
        ELO,
        "spin",
        "1500",
        "elo",
        "The strength while `UCI_LimitStrength` is on. A GUI shows another range than this table: that of the net's dial, "
        "which matches have measured ([strength.md](strength.md)); a number beyond it is played as its nearest end. Only a "
        "net without a dial has 800 to 2400: the rating that it imitates, on the scale of the games that it has read.",
        _clamped(1, 4000),
        *ELO_RANGE,
    ),
    _string(
        "UCI_Opponent",
        EMPTY,
        "opponent",
        read=_opponent,
        help="Set by clients: title, rating, human or computer, name. The rating becomes the opponent's rating input, "
        "which also moves the score: against a far stronger player it is low from the start. Has no effect on a "
        "strength by dial.",
    ),
    _check("UCI_AnalyseMode", "false", "analyse", help="Set by clients for analysis: shows the policy as with `go infinite`."),
    _check(
        "UCI_Chess960",
        "false",
        "chess960",
        help="Set by clients for Chess960: castling is written as king takes rook. Both notations are always understood.",
    ),
    _string(
        SYZYGY,
        EMPTY,
        "syzygy_path",
        help="Folders with Syzygy tables, separated as in PATH. What they hold is played perfectly instead of by the net.",
    ),
    _string(LOG_FILE, EMPTY, "log_file", help="Writes every line in and out, with the time, to the end of this file."),
)
"""In the order of declaration. No name may hold a word that UCI's own grammar uses (type, default, min, max, var)."""

_BY_NAME = {option.name.lower(): option for option in OPTIONS}


def find(name: str) -> Option | None:
    """The option of that name, whatever its case; None for an unknown one."""
    return _BY_NAME.get(name.lower())


def declared(elo_range: tuple[int, int]) -> tuple[str, ...]:
    """The ``option`` lines, for a net whose strength can be set within ``elo_range``."""
    return tuple((_within(option, elo_range) if option.name == ELO else option).declaration() for option in OPTIONS)


def _within(option: Option, limits: tuple[int, int]) -> Option:
    low, high = limits
    return replace(option, default=str(min(max(int(option.default), low), high)), low=low, high=high)


def default_settings(elo_range: tuple[int, int] = ELO_RANGE) -> Settings:
    """The settings of a fresh engine: the defaults that it declares."""
    options = (_within(option, elo_range) if option.name == ELO else option for option in OPTIONS)
    return Settings(**{o.field: o.read(_plain(o.default)) for o in options if o.field})  # type: ignore[arg-type]


def changed(settings: Settings, option: Option, value: str) -> Settings:
    """The settings with one option set. Raises OptionError for a value it does not take."""
    if not option.field:
        return settings
    try:
        read = option.read(_plain(value))
    except ValueError as error:
        raise OptionError(
            f"option {option.name} takes {error}, got '{value}'; it stays {_shown(getattr(settings, option.field))}"
        ) from None
    return replace(settings, **{option.field: read})  # type: ignore[arg-type]


def _plain(value: str) -> str:
    return "" if value.strip() == EMPTY else value.strip()


def _shown(value: object) -> str:
    return EMPTY if value in (None, "") else str(value).lower() if isinstance(value, bool) else str(value)
