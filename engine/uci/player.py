"""The worker's side of the conversation: does, one after another, what the session has queued.

Knows the settings, the game line, the net that is open and why none is. Heavy modules are imported with this one, in
the worker's thread. Does not know pipes or threads; what it says goes through ``emit``.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import chess
import numpy as np

from engine.dial import Dial, Setting, dial_of
from engine.errors import TranscendenceError
from engine.inference.evaluator import GameCache, Players
from engine.machine import cores
from engine.uci import options
from engine.uci.endings import Tables
from engine.uci.options import Opponent, Settings
from engine.uci.perft import perft
from engine.uci.position import GameLine, write_move
from engine.uci.protocol import (
    BestMove,
    Command,
    Debug,
    Info,
    IsReady,
    NewGame,
    Position,
    ReadyOk,
    Reply,
    Say,
    SetOption,
    Unknown,
)
from engine.uci.searching import Hunt, Leaves, Searcher, visits_of
from engine.uci.session import Search
from engine.uci.thinking import GameEvaluator, Task, restricted, show_end, think


@dataclass(frozen=True)
class Opened:
    """A net, ready to play."""

    judge: GameEvaluator
    summary: str
    """One line for people: which net on which device."""
    fresh: Callable[[], GameEvaluator]
    """Makes another judge of the same net, one that remembers nothing."""
    play: dict[str, Any] = field(default_factory=dict)
    """How it wants to be used: ``rating`` (points) and ``scale`` (``engine.encoding.Scale``) of its own side, ``dial``."""
    dial: Dial | None = None
    leaves: Callable[[], Leaves] | None = None
    """Makes what a search asks; None for a net that knows no search."""


def open_net(settings: Settings) -> Opened:
    """The net that the settings name. Raises NetError."""
    from engine.inference.evaluator import Evaluator
    from engine.net import Net, find_net
    from engine.search.leaves import NetLeaves

    threads = min(settings.threads, cores())
    net = Net.open(find_net(settings.model or None), device=settings.device, threads=threads)
    info = net.info
    dial = dial_of(info.play)
    reach = f", UCI_Elo {dial.low} to {dial.high}" if dial else ""
    if not info.rating_input and not dial:
        reach = ", no rating input: UCI_Elo has no effect"
    note = f" ({info.note})" if info.note else ""
    summary = f"net {info.name} ({info.board_input}, {info.precision}{reach}) on {info.device}{note}: {info.path}"

    def fresh() -> Evaluator:
        return Evaluator(net, hash_mb=settings.hash_mb)

    def leaves() -> NetLeaves:
        return NetLeaves(net, megabytes=settings.hash_mb)

    return Opened(fresh(), summary, fresh, info.play, dial, leaves if info.contract != "1" else None)


def strength(settings: Settings, opened: Opened) -> Setting:
    """How to play: by the dial where strength is limited and the net has one, else by UCI_Elo or the net's own advice."""
    if settings.limit_strength and opened.dial:
        return opened.dial.at(settings.elo)
    rating = settings.elo if settings.limit_strength else int(opened.play.get("rating", 0))
    return Setting(rating, int(opened.play.get("scale", 0)), settings.temperature, settings.nodes)


def players(setting: Setting, opponent: Opponent | None, *, white: bool) -> Players:
    """The rating inputs: ours as set, the opponent's from UCI_Opponent or the same.

    In training both were known or both hidden, so one is never given alone.
    """
    own = setting.rating
    theirs = opponent.rating if opponent and opponent.rating else own
    if not own:
        return Players()
    return Players(own, theirs, setting.scale) if white else Players(theirs, own, setting.scale)


class UciPlayer:
    """Does what is queued. ``ended`` is called just before each search's ``bestmove``."""

    def __init__(
        self,
        emit: Callable[[Reply], None],
        ended: Callable[[Search], None],
        *,
        opener: Callable[[Settings], Opened] = open_net,
        model: str = "",
        elo_range: tuple[int, int] = options.ELO_RANGE,
        log_to: Callable[[str], None] = lambda path: None,
    ) -> None:
        """``elo_range``: as declared for ``model``."""
        self._emit, self._ended, self._opener, self._log_to = emit, ended, opener, log_to
        self._settings = replace(options.default_settings(elo_range), model=model)
        self._line = GameLine()
        self._opened: Opened | None = None
        self._cache: GameCache | None = None
        self._searcher: Searcher | None = None
        self._fault = ""
        self._net_key: object = None
        self._introduced = False
        self._tables: Tables | None = None
        self._damage = ""  # of the tables, as far as it was said
        self._random = np.random.default_rng()
        self._debug = False

    def perform(self, task: Command | Search) -> None:
        """Do one thing. Never raises: what goes wrong is said, and the engine lives on."""
        try:
            self._perform(task)
        except TranscendenceError as error:
            self._emit(Say(str(error)))
        except Exception as error:
            self._emit(Say(f"internal error, please report it: {_describe(error)}"))
        if isinstance(task, IsReady):
            self._emit(ReadyOk())

    def _perform(self, task: Command | Search) -> None:
        match task:
            case Search():
                self._search(task)
            case SetOption():
                self._set_option(task)
            case Position():
                illegal = self._line.follow(task)
                if illegal:
                    self._emit(Say(str(illegal)))
            case NewGame():
                self._new_game()
            case IsReady():
                self._net()
                if self._fault:
                    self._emit(Say(self._fault))
            case Debug(on):
                self._debug = on
            case Unknown(text):
                if self._debug:
                    self._emit(Say(f"not understood, ignored: {text}"))

    # Options and net ---------------------------------------------------------------------------------------------

    def _set_option(self, command: SetOption) -> None:
        option = options.find(command.name)
        if option is None:
            if self._debug:
                self._emit(Say(f"no such option, ignored: {command.name}"))
            return
        self._settings = options.changed(self._settings, option, command.value)
        self._apply(option.name)

    def _apply(self, name: str) -> None:
        """What an option does beside being known. A value that was set before may work this time: files come and go."""
        if name in (options.ELO, options.LIMIT):
            self._tell_dial()
        elif name == options.CLEAR_HASH:
            self._cache, self._searcher = None, None
            self._opened = replace(self._opened, judge=self._opened.fresh()) if self._opened else None
        elif name == options.LOG_FILE:
            self._log_to(self._settings.log_file)
        elif name == options.SYZYGY:
            self._tables, self._damage = None, ""
            self._tables = Tables.open(self._settings.syzygy_path) if self._settings.syzygy_path else None
        elif name == options.MODEL:
            self._forget_fault()

    def _tell_dial(self) -> None:
        """Say what a strength beyond the dial's is played as; of a net that is still to be introduced, when it is."""
        dial = self._opened.dial if self._opened and self._introduced and self._net_key == self._settings.net_key else None
        wanted = self._settings.elo
        if dial and self._settings.limit_strength and not dial.low <= wanted <= dial.high:
            played = min(max(wanted, dial.low), dial.high)
            self._emit(Say(f"this net can play as {dial.low} to {dial.high}: UCI_Elo {wanted} is played as {played}"))

    def _net(self) -> Opened | None:
        """The net for the settings as they are, opened when they have changed; None, and ``_fault``, where that fails."""
        if self._net_key != self._settings.net_key:
            self._net_key = self._settings.net_key
            self._opened, self._cache, self._searcher, self._fault, self._introduced = None, None, None, "", False
            try:
                self._opened = self._opener(self._settings)
            except TranscendenceError as error:
                self._fault = f"no net loaded; playing the first legal move: {error}"
            except Exception as error:
                self._fault = f"no net loaded; playing the first legal move: it could not be opened: {_describe(error)}"
        return self._opened

    def _introduce(self, opened: Opened) -> None:
        """Say which net plays, before its first move: between ``isready`` and ``readyok`` some clients take it for an error."""
        if not self._introduced:
            self._introduced = True
            self._emit(Say(opened.summary))
            self._tell_dial()

    def _new_game(self) -> None:
        self._cache, self._searcher = None, None
        self._forget_fault()

    def _forget_fault(self) -> None:
        """Open the net once more before it is needed, where that failed: the file may have been mended meanwhile."""
        if self._fault:
            self._net_key = None

    # Searching ---------------------------------------------------------------------------------------------------

    def _search(self, search: Search) -> None:
        """Exactly one ``bestmove``, whatever happens."""
        best = None
        try:
            best = self._best_move(search)
        except TranscendenceError as error:
            self._emit(Say(f"this net cannot play here; playing the first legal move: {error}"))
        except Exception as error:
            self._emit(Say(f"internal error, please report it: {_describe(error)}"))
        best = best or self._makeshift(search)
        self._ended(search)
        self._emit(best)

    def _best_move(self, search: Search) -> BestMove | None:
        board = self._line.board
        if search.go.perft is not None:
            perft(board, search, self._emit, chess960=self._settings.chess960)
        if not any(board.legal_moves):
            self._emit(show_end(board))
            search.wait_for_leave()
            return BestMove(None)
        opened = self._net()
        if opened is None:
            self._emit(Say(self._fault))
            return None
        self._introduce(opened)
        self._cache = self._cache or opened.judge.new_game()
        setting = strength(self._settings, opened)
        by_dial = self._settings.limit_strength and opened.dial is not None
        opponent = None if by_dial else self._settings.opponent  # a dial was measured with both told the same
        task = Task(
            board,
            search,
            replace(self._settings, temperature=setting.temperature, nodes=setting.nodes),
            opened.judge,
            self._cache,
            players(setting, opponent, white=board.turn),
            self._tables,
            self._generator(board),
            self._emit,
        )
        best = self._hunt(task, opened) if self._hunts(task, opened) else think(task)
        self._say_damage()
        return best

    def _say_damage(self) -> None:
        """Once, that a table could not be read."""
        damage = self._tables.damage if self._tables else ""
        if damage != self._damage:
            self._emit(
                Say(f"option SyzygyPath: a table is damaged ({damage}); the net plays its positions. Get that file again")
            )
            self._damage = damage

    def _hunts(self, task: Task, opened: Opened) -> bool:
        """Whether a move is searched for: more than one evaluation is asked for, the net knows how, and there is a choice."""
        wanted = visits_of(task.search.go, task.settings) > 1
        if wanted and opened.leaves is None and not (task.search.go.infinite or task.settings.analyse):
            self._emit(Say("this net knows no search (it follows an older contract): one evaluation; export it again for more"))
        return wanted and opened.leaves is not None and (task.search.endless or task.board.legal_moves.count() > 1)

    def _hunt(self, task: Task, opened: Opened) -> BestMove:
        """A move by search."""
        assert opened.leaves is not None
        self._searcher = self._searcher or Searcher(opened.leaves())
        ending = task.tables.probe(task.board) if task.tables else None
        exact = task.tables.result if task.tables else None
        hunt = Hunt(task.board, task.search, task.settings, task.players, exact, task.random, task.emit)
        return self._searcher.think(hunt, lambda evaluation: restricted(evaluation, task, ending))

    def _makeshift(self, search: Search) -> BestMove:
        """The alphabetically first legal move: no chess, but a client that waits for a move hangs on silence."""
        self._cache, self._searcher = None, None  # what went wrong may have left them half-written
        board = self._line.board
        texts = sorted(write_move(board, move, chess960=self._settings.chess960) for move in board.legal_moves)
        self._emit(Info(pv=tuple(texts[:1]), depth=0, seldepth=0, time_ms=search.elapsed_ms()))
        search.wait_for_leave()
        return BestMove(texts[0] if texts else None)

    def _generator(self, board: chess.Board) -> np.random.Generator:
        """With a seed, a generator that depends on it and the position alone, so that a restart changes nothing."""
        if not self._settings.seed:
            return self._random
        return np.random.default_rng([self._settings.seed, zlib.crc32(board.fen().encode("ascii"))])


def _describe(error: Exception) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    where = f" ({os.path.basename(trace.tb_frame.f_code.co_filename)}:{trace.tb_lineno})" if trace else ""
    return f"{type(error).__name__}: {error}{where}"
