"""Players by name: a word on the command line or a TOML file becomes players.

    stockfish:2  stockfish:2@movetime=100  random  greedy  net  net@0.5  net:FILE.onnx@1,nodes=64  FILE.toml  FILE.toml:NAME
    anything else is the command of a UCI engine, with an optional @LIMIT

Knows these forms and the TOML's fields (docs/matches.md). Does not play.
"""

from __future__ import annotations

import math
import os
import re
import shlex
import threading
import tomllib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from engine.dial import dial_of
from engine.encoding import Scale
from engine.errors import MatchError
from engine.inference.evaluator import Evaluator
from engine.inference.game_cache import Players
from engine.inference.sampling import Sampling
from engine.net import Net, NetInfo, find_net
from match.players.at_board import SpecPlayer
from match.players.builtin import GreedySpec, RandomSpec
from match.players.engine import engine_spec
from match.players.interface import Player, Spec
from match.players.net import NetPlayer
from match.players.searching import SearchSpec
from match.players.stockfish import stockfish_level
from match.players.weakness import ERRORS, Weakness

FORMS = (
    "stockfish:LEVEL, random, greedy, net, net@TEMPERATURE, net:FILE.onnx@TEMPERATURE (with ,nodes=N behind it a search), "
    "FILE.toml, FILE.toml:NAME, or the command of a UCI engine (with @depth=N, @nodes=N or @movetime=MS behind it)"
)
DEFAULT_TEMPERATURE = 0.001
_DEFAULT_LIMIT = "movetime=100"
HIGHEST_RATING = 4000


@dataclass(frozen=True)
class _Field:
    """What a field of a population's table may hold."""

    expected: str
    holds: Callable[[Any], bool]


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _are_texts(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_text, value))


def _is_number(value: Any) -> bool:
    return type(value) in (int, float) and math.isfinite(value)


def _are_options(value: object) -> bool:
    return isinstance(value, dict) and all(isinstance(v, str | bool) or _is_number(v) for v in value.values())


def _are_tables(value: object) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and all(isinstance(one, dict) for one in value))


_SECONDS = _Field("a number of seconds above 0", lambda v: _is_number(v) and v > 0)
_TEXTS = _Field("text or a list of texts", lambda v: _is_text(v) or _are_texts(v))
_FIELDS = {
    "name": _Field("text", lambda v: _is_text(v) and v != ""),
    "engine": _TEXTS,
    "net": _Field("text", _is_text),
    "builtin": _Field("random or greedy", lambda v: v in ("random", "greedy")),
    "limit": _Field('text, e.g. "depth=3"', _is_text),
    "options": _Field("a table of texts, numbers, true and false", _are_options),
    "weakness": _Field("a table or a list of tables", _are_tables),
    "anchor": _Field("a number", _is_number),
    "start_timeout_s": _SECONDS,
    "move_timeout_s": _SECONDS,
    "temperature": _Field("a number of 0 or more", lambda v: _is_number(v) and v >= 0),
    "top_p": _Field("a number above 0 and at most 1", lambda v: _is_number(v) and 0 < v <= 1),
    "rating": _Field(f"a whole number from 0 to {HIGHEST_RATING}", lambda v: type(v) is int and 0 <= v <= HIGHEST_RATING),
    "scale": _Field(f"one of {', '.join(s.name.lower() for s in Scale)}", lambda v: str(v).upper() in Scale.__members__),
    "elo": _Field("a whole number", lambda v: type(v) is int),
    "take_mate": _Field("true or false", lambda v: type(v) is bool),
    "avoid_repetition": _Field("true or false", lambda v: type(v) is bool),
    "nodes": _Field("a whole number of 1 or more", lambda v: type(v) is int and v >= 1),
}
_WEAKNESS_FIELDS = {
    "error": _Field(f"one of {', '.join(ERRORS)}", lambda v: v in ERRORS),
    "probability": _Field("a number from 0 to 1", lambda v: _is_number(v) and 0 <= v <= 1),
    "phases": _TEXTS,
    "pieces": _TEXTS,
    "temperature_cp": _Field("a number above 0", lambda v: _is_number(v) and v > 0),
    "lines": _Field("a whole number of 2 or more", lambda v: type(v) is int and v >= 2),
}
_ENGINE_FIELDS = {"name", "engine", "limit", "options", "weakness", "anchor", "start_timeout_s", "move_timeout_s"}
_HOW_A_NET_PLAYS = {"temperature", "top_p", "rating", "scale", "take_mate", "avoid_repetition", "nodes"}
_NET_FIELDS = {"name", "net", "elo", "anchor"} | _HOW_A_NET_PLAYS
_BUILTIN_FIELDS = {"name", "builtin", "anchor"}


@dataclass
class PlayerFactory:
    """Makes the players of a match; nets are opened once, whatever plays with them."""

    seed: int = 1
    net_threads: int = 1
    asking_threads: int = 1
    """Games in which engines are asked at a time while a net plays, all players together."""
    rating: int | None = None
    """That nets are conditioned on; None = what the net itself prefers."""
    scale: int | None = None
    device: str = "cpu"
    take_mate: bool = False
    """Whether nets play a mate in one wherever there is one, as the engine does by default."""
    avoid_repetition: bool = True
    """Whether nets that stand better avoid repetitions and stalemate, as the engine does by default."""
    _evaluators: dict[Path, Evaluator] = field(default_factory=dict, init=False)
    _net_names: dict[str, Path] = field(default_factory=dict, init=False)
    _slots: threading.Semaphore = field(init=False)

    def __post_init__(self) -> None:
        self._slots = threading.Semaphore(self.asking_threads)

    def players(self, text: str) -> list[Player]:
        """The players that ``text`` names. Raises MatchError or NetError."""
        toml = re.fullmatch(r"(.*\.toml)(?::(.*))?", text)
        if toml:
            return self._population(Path(toml[1]), toml[2])
        if text == "net" or text.startswith(("net:", "net@")):
            file, settings = _file_and_settings(text[3:])
            temperature, nodes = _temperature_and_nodes(settings, text)
            return [self.net_or_search(file.removeprefix(":") or None, temperature, nodes=nodes)]
        return [self.at_board(self._spec(text))]

    def _spec(self, text: str) -> Spec:
        if text in ("random", "greedy"):
            return RandomSpec(seed=self.seed) if text == "random" else GreedySpec(seed=self.seed)
        command, at, limit = text.rpartition("@")
        if not at or not limit.startswith(("depth=", "nodes=", "movetime=")):
            command, limit = text, ""
        level = re.fullmatch(r"stockfish:(\d+)", command)
        if level:
            return stockfish_level(int(level[1]), limit=limit or None)
        words = command_words(command)
        if not words:
            raise MatchError(f"expected a player ({FORMS}), got {text!r}")
        try:
            name = Path(words[0]).stem + (f" {limit}" if limit else "")
            return engine_spec(name, words, limit or _DEFAULT_LIMIT, seed=self.seed)
        except MatchError as error:
            raise MatchError(f"{error}. A player is {FORMS}") from None

    def at_board(self, spec: Spec) -> SpecPlayer:
        """A spec as a player."""
        return SpecPlayer(spec, threads=self.asking_threads, slots=self._slots)

    def net(
        self,
        file: str | None,
        temperature: float,
        *,
        name: str | None = None,
        top_p: float = 1.0,
        rating: int | None = None,
        scale: int | None = None,
        take_mate: bool | None = None,
        avoid_repetition: bool | None = None,
    ) -> NetPlayer:
        """A net at a temperature. Raises NetError when it is missing or broken, MatchError for no temperature or share."""
        for key, value in (("temperature", temperature), ("top_p", top_p)):
            if not _FIELDS[key].holds(value):
                raise MatchError(f"expected {_FIELDS[key].expected} as {key}, got {value!r}")
        path = find_net(file)
        evaluator = self._evaluator(path)
        info = evaluator.net.info
        rating = next(r for r in (rating, self.rating, int(info.play.get("rating", 0))) if r is not None)
        scale = next(s for s in (scale, self.scale, int(info.play.get("scale", 0))) if s is not None)
        take_mate = self.take_mate if take_mate is None else take_mate
        avoids = self.avoid_repetition if avoid_repetition is None else avoid_repetition
        sampling = Sampling(temperature=temperature, top_p=top_p, take_mate=take_mate, avoid_repetition=avoids)
        ways = (" taking mate" if take_mate else "") + ("" if avoids else " may repeat")
        name = name or f"{self._net_name(path, info)}{ways} T={temperature:g}"
        return NetPlayer(name, evaluator, sampling, seed=self.seed, rating=rating, scale=scale)

    def net_or_search(
        self, file: str | None, temperature: float, *, nodes: int, anchor: float | None = None, **settings: Any
    ) -> Player:
        """A net, with a search from two evaluations a move on."""
        player = self.net(file, temperature, **settings)
        player.anchor = anchor
        return player if nodes == 1 else self.at_board(self._searching(player, find_net(file), nodes, settings.get("name")))

    def _searching(self, player: NetPlayer, path: Path, nodes: int, name: str | None) -> SearchSpec:
        """The same net at the same temperature with a search. Raises MatchError for what a search has no use for."""
        if player.sampling.top_p < 1:
            raise MatchError(f"expected no top_p beside nodes = {nodes}: a search draws from all moves that it visited")
        if player.evaluator.net.info.contract == "1":
            raise MatchError(
                f"{path.name} follows contract 1, which knows no search: expected nodes = 1, or export the net again"
            )
        plain = f"{self._net_name(path, player.evaluator.net.info)} T={player.sampling.temperature:g}"
        players = Players(player.rating, player.rating, player.scale if player.rating else 0)
        name = name or f"{plain} nodes={nodes}"
        return SearchSpec(
            name, path, player.sampling.temperature, nodes, players, self.seed, device=self.device, anchor=player.anchor
        )

    def limited(self, file: str | None, elo: int, *, name: str | None = None, anchor: float | None = None) -> Player:
        """A net that plays as strongly as ``elo`` says, by its dial. Raises NetError when it is missing or broken, MatchError
        when it has no dial or a shorter one."""
        path = find_net(file)
        info = self._evaluator(path).net.info
        dial = dial_of(info.play)
        if dial is None:
            raise MatchError(f"expected a net with a strength dial for elo = {elo}, {path.name} has none; see export.dial")
        if not dial.low <= elo <= dial.high:
            raise MatchError(f"expected elo from {dial.low} to {dial.high}, as far as the net's dial goes, got {elo}")
        setting, name = dial.at(elo), name or f"{self._net_name(path, info)} Elo {elo}"
        return self.net_or_search(
            file,
            setting.temperature,
            nodes=setting.nodes,
            anchor=anchor,
            name=name,
            rating=setting.rating,
            scale=setting.scale,
            take_mate=False,
            avoid_repetition=True,
        )

    def _net_name(self, path: Path, info: NetInfo) -> str:
        """The net's own name, with its precision where another file has taken it: int8 and fp32 are twins."""
        taken = self._net_names.setdefault(info.name, path)
        return info.name if taken == path else f"{info.name} {info.precision}"

    def _evaluator(self, path: Path) -> Evaluator:
        if path not in self._evaluators:
            self._evaluators[path] = Evaluator(Net.open(path, threads=self.net_threads, device=self.device))
        return self._evaluators[path]

    def _population(self, path: Path, only: str | None) -> list[Player]:
        tables = read_population(path)
        if only is not None and only not in tables:
            raise MatchError(f"{path}: expected one of the players {', '.join(tables)}, got {only!r}")
        return [self._from_table(table, path) for name, table in tables.items() if only in (None, name)]

    def _from_table(self, table: Mapping[str, Any], path: Path) -> Player:
        where = f"{path}, player {table['name']!r}"
        kinds = [kind for kind in ("engine", "net", "builtin") if kind in table]
        if len(kinds) != 1:
            raise MatchError(f"{where}: expected one of engine, net, builtin, got {' and '.join(kinds) or 'none'}")
        _check_values(table, _FIELDS, where)
        try:
            if kinds == ["net"]:
                return self._net_from(table, where)
            return self.at_board(self._spec_from(table, where))
        except (TypeError, ValueError, KeyError) as error:
            raise MatchError(f"{where}: {error}") from None
        except MatchError as error:
            raise MatchError(f"{where}: {error}") from None

    def _net_from(self, table: Mapping[str, Any], where: str) -> Player:
        _known(table, _NET_FIELDS, where)
        if "elo" in table:
            both = sorted(_HOW_A_NET_PLAYS & set(table))
            if both:
                raise MatchError(f"{where}: elo sets all of a limited player; leave out {' and '.join(both)}")
            return self.limited(str(table["net"]) or None, int(table["elo"]), name=table["name"], anchor=_anchor(table))
        scale = Scale[str(table["scale"]).upper()] if "scale" in table else None
        return self.net_or_search(
            str(table["net"]) or None,
            float(table.get("temperature", DEFAULT_TEMPERATURE)),
            nodes=table.get("nodes", 1),
            name=table["name"],
            top_p=float(table.get("top_p", 1.0)),
            rating=table.get("rating"),
            scale=scale,
            take_mate=table.get("take_mate"),
            avoid_repetition=table.get("avoid_repetition"),
            anchor=_anchor(table),
        )

    def _spec_from(self, table: Mapping[str, Any], where: str) -> Spec:
        if "builtin" in table:
            _known(table, _BUILTIN_FIELDS, where)
            if table["builtin"] == "random":
                return RandomSpec(table["name"], self.seed, _anchor(table))
            if table["builtin"] == "greedy":
                return GreedySpec(table["name"], self.seed, _anchor(table))
            raise MatchError(f"expected builtin = random or greedy, got {table['builtin']!r}")
        _known(table, _ENGINE_FIELDS, where)
        command = table["engine"]
        options = [(str(key), _option(value)) for key, value in table.get("options", {}).items()]
        timeouts = {key: float(table[key]) for key in ("start_timeout_s", "move_timeout_s") if key in table}
        return engine_spec(
            table["name"],
            command_words(command) if isinstance(command, str) else command,
            table.get("limit", _DEFAULT_LIMIT),
            options=options,
            weaknesses=_weaknesses(table, where),
            anchor=_anchor(table),
            seed=self.seed,
            **timeouts,
        )


def command_words(command: str, *, posix: bool = os.name != "nt") -> list[str]:
    """The program and arguments of an engine's command as a shell reads it; a file by that name is the program, spaces and
    all. Without ``posix`` backslashes stand for themselves. Raises MatchError for a quotation without end."""
    if os.path.isfile(command):  # unlike Path's, False for what is no name at all
        return [command]
    try:
        words = shlex.split(command, posix=posix)
    except ValueError as error:
        raise MatchError(f"expected the command of a UCI engine, got {command!r}: {error}") from None
    return words if posix else [_unquoted(word) for word in words]


def _unquoted(word: str) -> str:
    return word[1:-1] if len(word) > 1 and word[0] == word[-1] and word[0] in "\"'" else word


def _file_and_settings(text: str) -> tuple[str, str]:
    """What stands before and behind the last @, unless that is part of a path: home folders may be called me@host.org."""
    file, at, settings = text.rpartition("@")
    return (file, settings) if at and not re.search(r"[/\\]|\.onnx$", settings) else (text, "")


def _temperature_and_nodes(settings: str, whole: str) -> tuple[float, int]:
    """Of TEMPERATURE,nodes=N or one of the two. Raises MatchError."""
    temperature, given, nodes = settings.rpartition("nodes=")
    if not given:
        return _number(settings or str(DEFAULT_TEMPERATURE), whole), 1
    if not nodes.isdecimal() or int(nodes) < 1:
        raise MatchError(f"expected nodes=N, a whole number of 1 or more, at the end of {whole!r}, got {nodes!r}")
    return _number(temperature.rstrip(",") or str(DEFAULT_TEMPERATURE), whole), int(nodes)


def read_population(path: Path) -> dict[str, dict[str, Any]]:
    """The players of a TOML file by name, each with the file's ``[defaults]`` filled in. Raises MatchError."""
    try:
        document = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise MatchError(f"expected a population at {path}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise MatchError(f"{path}: expected TOML, {error}") from None
    _known(document, {"defaults", "player"}, str(path))
    defaults, listed = document.get("defaults", {}), document.get("player", [])
    if not isinstance(listed, list) or not listed or not _are_tables(listed):
        raise MatchError(f"{path}: expected players as [[player]] tables, found {'something else' if listed else 'none'}")
    if not isinstance(defaults, dict):
        raise MatchError(f"{path}: expected a table [defaults], got {defaults!r}")
    if not _are_options(defaults.get("options", {})):
        raise MatchError(
            f"{path}: expected {_FIELDS['options'].expected} as options in [defaults], got {defaults['options']!r}"
        )
    tables: dict[str, dict[str, Any]] = {}
    for number, own in enumerate(listed, 1):
        name = own.get("name")
        if not isinstance(name, str) or not name:
            raise MatchError(f'{path}, player {number}: expected name = "…"')
        if not _are_options(own.get("options", {})):
            _check_values(own, _FIELDS, f"{path}, player {name!r}")
        if name in tables:
            raise MatchError(f"{path}: two players are called {name!r}")
        tables[name] = defaults | own | {"options": defaults.get("options", {}) | own.get("options", {})}
        if not tables[name]["options"]:
            del tables[name]["options"]
    return tables


def _weaknesses(table: Mapping[str, Any], where: str) -> list[Weakness]:
    given = table.get("weakness", [])
    return [_weakness(one, f"{where}, weakness") for one in (given if isinstance(given, list) else [given])]


def _weakness(given: Mapping[str, Any], where: str) -> Weakness:
    _known(given, set(_WEAKNESS_FIELDS), where)
    _check_values(given, _WEAKNESS_FIELDS, where)
    if "error" not in given:
        raise MatchError(f"expected error = one of {', '.join(ERRORS)} in a weakness")
    standard = Weakness(given["error"])
    return Weakness(
        given["error"],
        float(given.get("probability", standard.probability)),
        _words(given.get("phases", [])),
        _words(given.get("pieces", [])),
        float(given.get("temperature_cp", standard.temperature_cp)),
        int(given.get("lines", standard.lines)),
    )


def _words(value: object) -> tuple[str, ...]:
    return tuple(str(word) for word in (value if isinstance(value, list) else [value]))


def _option(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _anchor(table: Mapping[str, Any]) -> float | None:
    return float(table["anchor"]) if "anchor" in table else None


def _number(text: str, whole: str) -> float:
    try:
        number = float(text.replace(",", "."))
        if 0 <= number < float("inf"):
            return number
    except ValueError:
        pass
    raise MatchError(f"expected a temperature of 0 or more behind the @ of {whole!r}, got {text!r}")


def _check_values(table: Mapping[str, Any], known: Mapping[str, _Field], where: str) -> None:
    """Raise MatchError where a field holds what it may not: TOML's "2000" is no number, and "no" is not false."""
    for key, value in table.items():
        if key in known and not known[key].holds(value):
            raise MatchError(f"{where}: expected {known[key].expected} as {key}, got {value!r}")


def _known(table: Mapping[str, Any], known: set[str], where: str) -> None:
    strange = sorted(set(table) - known)
    if strange:
        raise MatchError(f"{where}: expected fields of {', '.join(sorted(known))}, got {', '.join(map(repr, strange))}")


def distinct(players: Sequence[Player]) -> dict[str, Player]:
    """Players by name. Raises MatchError when two have the same."""
    by_name: dict[str, Player] = {}
    for player in players:
        if player.name in by_name:
            raise MatchError(f"two players are called {player.name!r}; give one of them another name in a population file")
        by_name[player.name] = player
    return by_name
