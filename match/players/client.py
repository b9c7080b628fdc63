"""UCI engines as processes, asked with as few words as the protocol allows: one write and one read a move.

    EngineFailure        an engine that hung, crashed, printed rubbish or never spoke UCI; the text says which

Knows pipes, the handshake, deadlines and MultiPV lines. Does not know games, rules or weaknesses. ``chess.engine`` costs
about a millisecond a move (threads, event loop, legality checks); at depth 1 Stockfish itself needs a fifth of that.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, TypeVar

from engine.errors import MatchError

INSTALL_STOCKFISH = (
    "Install it: apt install stockfish (Debian, Ubuntu), brew install stockfish (macOS), winget install "
    "Stockfish.Stockfish (Windows), or stockfishchess.org"
)
MATE_CP = 10000
"""A mate in n moves counts as MATE_CP - n."""

_STOCKFISH_PLACES = ("/usr/games/stockfish", "/usr/local/bin/stockfish", "/opt/homebrew/bin/stockfish")
_LONGEST_LINE = 1 << 16
_WATCH_S = 0.1
_Kept = TypeVar("_Kept")


class EngineFailure(Exception):
    """An engine that did not do its part."""


@dataclass(frozen=True)
class EngineLine:
    """One of the moves that an engine considered."""

    move: str
    """UCI."""
    score_cp: int
    """From the mover's side."""
    wdl_permille: tuple[int, int, int] | None = None
    """The mover's win, draw, loss, where the engine tells them (option UCI_ShowWDL)."""


@dataclass(frozen=True)
class Setup:
    """Everything that decides which process is needed: players with equal set-ups can share one."""

    command: tuple[str, ...]
    options: tuple[tuple[str, str], ...] = ()
    start_timeout_s: float = 10.0
    """From start to ``uciok``, and again to ``readyok``."""
    move_timeout_s: float = 30.0
    """An engine that thinks longer than this over one move is killed."""


def find_stockfish() -> str | None:
    """Where Stockfish is installed, if it is."""
    return shutil.which("stockfish") or next((place for place in _STOCKFISH_PLACES if Path(place).is_file()), None)


def resolve(words: Sequence[str]) -> tuple[str, ...]:
    """The command with its program path. Raises MatchError when there is no such program."""
    program = words[0] if words else ""
    path = find_stockfish() if program == "stockfish" else shutil.which(program)
    if path is None:
        how = INSTALL_STOCKFISH if program == "stockfish" else "give its path, or a name that the PATH knows"
        raise MatchError(f"expected a UCI engine behind {program!r}, found no such program; {how}")
    return (str(Path(path).absolute()), *words[1:])


class _Watchdog:
    """Kills engines that are past their deadline; one thread for all, so that a move costs no thread of its own."""

    def __init__(self) -> None:
        self._engines: set[Engine] = set()
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None

    def add(self, engine: Engine) -> None:
        with self._lock:
            self._engines.add(engine)
            if self._thread is None:
                self._thread = threading.Thread(target=self._watch, name="engine watchdog", daemon=True)
                self._thread.start()

    def drop(self, engine: Engine) -> None:
        with self._lock:
            self._engines.discard(engine)

    def _watch(self) -> None:
        while True:
            time.sleep(_WATCH_S)
            now = time.monotonic()
            with self._lock:
                late = [engine for engine in self._engines if now > engine.deadline_s]
            for engine in late:
                engine.kill(late=True)


_WATCHDOG = _Watchdog()


class Engine:
    """A running engine. Raises MatchError when an option is refused, EngineFailure when it does not answer."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self.deadline_s = float("inf")
        self._late = False
        self._multipv = 1
        self._started: list[str] = []
        self.name = setup.command[0]  # until it tells another
        try:
            self._process = subprocess.Popen(
                setup.command,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                start_new_session=os.name == "posix",  # Ctrl-C is ours to handle; wrapper scripts die with what they started
            )
        except OSError as error:
            raise EngineFailure(f"cannot be started ({error.strerror or error})") from None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._stdin: IO[bytes] = self._process.stdin
        self._stdout: IO[bytes] = self._process.stdout
        _WATCHDOG.add(self)
        try:
            self._handshake()
        except BaseException:
            self.kill()
            raise

    def _handshake(self) -> None:
        said = self._ask("uci", until="uciok", timeout_s=self.setup.start_timeout_s)
        self.name = next((line.removeprefix("id name ") for line in said if line.startswith("id name ")), self.name)
        names = {_option_name(line).lower(): _option_name(line) for line in said if line.startswith("option name ")}
        for name, value in self.setup.options:
            if name.lower() not in names:
                raise MatchError(
                    f"{self.setup.command[0]} has no option {name!r}; it has {', '.join(sorted(names.values())) or 'none'}"
                )
            self._send(f"setoption name {names[name.lower()]} value {value}")
        self._ready()

    def _ready(self) -> None:
        self._ask("isready", until="readyok", timeout_s=self.setup.start_timeout_s)

    def new_game(self) -> None:
        """Forget what was learnt in the last game, so that a game depends on itself alone."""
        self._send("ucinewgame")
        self._ready()

    def best(self, position: str, go: str) -> str:
        """The move it plays, as it wrote it; ``position`` and ``go`` are whole commands."""
        self._lines_wanted(1)
        return _bestmove(self._ask(f"{position}\n{go}", until="bestmove", timeout_s=self.setup.move_timeout_s)[-1])

    def best_lines(self, position: str, go: str, count: int) -> list[EngineLine]:
        """Its ``count`` best moves with scores, best first; fewer where there are fewer legal moves or it tells no scores.
        Raises EngineFailure, as ``best`` does, also for analysis that is no UCI."""
        self._lines_wanted(count)
        said = self._ask(f"{position}\n{go}", until="bestmove", timeout_s=self.setup.move_timeout_s)
        last: dict[int, EngineLine] = {}
        for text in said:
            words = text.partition(" string ")[0].split()  # a string is the last thing on a line, and may say anything
            if words[:1] == ["info"] and {"pv", "score"} <= set(words) and not {"lowerbound", "upperbound"} & set(words):
                try:
                    number, line = _line(words)
                except (ValueError, IndexError):
                    raise EngineFailure(f"wrote a line of analysis that is no UCI: {text[:80]!r}") from None
                last[number] = line
        return [last[number] for number in sorted(last)] or [EngineLine(_bestmove(said[-1]), 0)]

    def _lines_wanted(self, count: int) -> None:
        if count != self._multipv:
            self._send(f"setoption name MultiPV value {count}")
            self._multipv = count

    def _ask(self, command: str, *, until: str, timeout_s: float) -> list[str]:
        self.deadline_s = time.monotonic() + timeout_s
        self._send(command)
        said: list[str] = []
        while True:
            raw = self._stdout.readline(_LONGEST_LINE)
            if not raw:
                raise EngineFailure(self._what_happened(until, timeout_s, said))
            text = raw.decode("utf-8", "replace").rstrip()
            if len(said) < 5000:
                said.append(text)
            if text.startswith(until):
                self.deadline_s = float("inf")
                said[-1] = text
                return said

    def _what_happened(self, until: str, timeout_s: float, said: Sequence[str]) -> str:
        last = f" (it said {said[-1][:80]!r})" if said else ""
        if self._late:
            return f"hung: no {until} within {timeout_s:g} s{last}"
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        return f"crashed with exit status {self._process.returncode} before {until}{last}"

    def _send(self, command: str) -> None:
        with contextlib.suppress(OSError):  # a dead engine is noticed, and named, when its answer is read
            self._stdin.write(command.encode() + b"\n")
            self._stdin.flush()

    def kill(self, *, late: bool = False) -> None:
        """End it at once, with what it started itself."""
        self._late |= late
        _WATCHDOG.drop(self)
        with contextlib.suppress(OSError):
            if os.name == "posix":
                os.killpg(self._process.pid, signal.SIGKILL)
            else:
                self._process.kill()
        if not late:  # the reader closes the pipes of an engine that was killed under it
            self._reap()

    def _reap(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(5)
        for pipe in (self._stdin, self._stdout):
            with contextlib.suppress(OSError):
                pipe.close()

    def close(self) -> None:
        """Ask it to quit; kill it when it does not."""
        _WATCHDOG.drop(self)
        self._send("quit")
        try:
            self._process.wait(2)
        except subprocess.TimeoutExpired:
            self.kill()
        self._reap()


def _option_name(line: str) -> str:
    return line.removeprefix("option name ").partition(" type ")[0].strip()


def _bestmove(line: str) -> str:
    words = line.split()
    return words[1] if len(words) > 1 else ""


def _line(words: Sequence[str]) -> tuple[int, EngineLine]:
    """Number and contents of an ``info`` with a score and a variation. Raises ValueError or IndexError for nonsense."""
    number = int(words[words.index("multipv") + 1]) if "multipv" in words else 1
    at = words.index("score")
    score = int(words[at + 2])
    if words[at + 1] == "mate":
        score = MATE_CP - score if score > 0 else -MATE_CP - score
    return number, EngineLine(words[words.index("pv") + 1], score, _wdl(words))


def _wdl(words: Sequence[str]) -> tuple[int, int, int] | None:
    if "wdl" not in words:
        return None
    win, draw, loss = (int(word) for word in words[words.index("wdl") + 1 :][:3])
    return win, draw, loss


class Engines:
    """Running engines, started when first needed and kept alive; for one thread at a time.

    One for each set-up, and with ``both_sides`` for each colour: two players of a game may have the same set-up.
    """

    def __init__(self, *, both_sides: bool = True) -> None:
        self._both_sides = both_sides
        self._running: dict[tuple[Setup, bool], Engine] = {}
        self._fresh: set[tuple[Setup, bool]] = set()
        self._failed: dict[Setup, int] = {}
        self._ever: set[Setup] = set()
        self._others: dict[Hashable, Any] = {}

    def new_game(self) -> None:
        """Each engine hears ``ucinewgame`` before its next move."""
        self._fresh.clear()

    def take(self, setup: Setup, colour: bool, *, who: str) -> Engine:
        """A running engine. Raises EngineFailure when it does not start again after a crash, MatchError when it never
        started or failed to three times on end: there is no match without it."""
        key = self._key(setup, colour)
        engine = self._running.get(key)
        if engine is None:
            engine = self._running[key] = self._start(setup, who)
        elif key not in self._fresh:
            engine.new_game()
        self._fresh.add(key)
        return engine

    def _key(self, setup: Setup, colour: bool) -> tuple[Setup, bool]:
        return setup, colour and self._both_sides

    def _start(self, setup: Setup, who: str) -> Engine:
        try:
            engine = Engine(setup)
        except EngineFailure as failure:
            self._failed[setup] = self._failed.get(setup, 0) + 1
            if setup not in self._ever or self._failed[setup] >= 3:
                raise MatchError(
                    f"expected a UCI engine behind {' '.join(setup.command)!r} for player {who!r}: it {failure}; "
                    f"try it by hand and type uci"
                ) from None
            raise
        self._ever.add(setup)
        self._failed.pop(setup, None)
        return engine

    def drop(self, setup: Setup, colour: bool) -> None:
        """Kill an engine that failed; the next move starts another."""
        engine = self._running.pop(self._key(setup, colour), None)
        if engine is not None:
            engine.kill()

    def kept(self, key: Hashable, make: Callable[[], _Kept]) -> _Kept:
        """What a player without a process keeps from move to move: made once for each key, for one thread like the engines."""
        if key not in self._others:
            self._others[key] = make()
        kept: _Kept = self._others[key]
        return kept

    def close(self) -> None:
        """End them all."""
        self._others.clear()
        while self._running:
            self._running.popitem()[1].close()
