"""A UCI client for tests: sends lines, waits for lines, reads the dialogue files. Knows no chess.

The engine at the other end is a process, or the same code in a thread of this one, which saves the imports.
"""

from __future__ import annotations

import os
import queue
import re
import subprocess
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from engine.uci.options import Settings
from engine.uci.player import Opened
from engine.uci.process import Process
from tests.paths import ROOT

PATIENCE_S = 10.0
"""How long a line may take where nothing else is said: much, for the machine may be busy."""

CHATTER = ("info", "id", "option")


class Client:
    """One conversation over two pipes."""

    def __init__(self, to_engine: IO[bytes], from_engine: IO[bytes]) -> None:
        self._to_engine = to_engine
        self._lines: queue.SimpleQueue[str | None] = queue.SimpleQueue()
        self.heard: list[str] = []
        self._over = False
        self._reader = threading.Thread(target=self._read, args=(from_engine,), daemon=True)
        self._reader.start()

    def _read(self, from_engine: IO[bytes]) -> None:
        with from_engine:
            for raw in from_engine:
                self._lines.put(raw.decode("utf-8").removesuffix("\n"))
        self._lines.put(None)

    def send(self, *lines: str) -> None:
        """Send whole lines."""
        self.send_bytes("".join(line + "\n" for line in lines).encode())

    def send_bytes(self, raw: bytes) -> None:
        """Send exactly these bytes."""
        self._to_engine.write(raw)
        self._to_engine.flush()

    def line(self, patience_s: float = PATIENCE_S) -> str | None:
        """The next line; None at the end of the output. Raises AssertionError when none comes."""
        try:
            line = self._lines.get(timeout=patience_s)
        except queue.Empty:
            raise AssertionError(f"no line within {patience_s} s; the last were {self.heard[-5:]}") from None
        self.heard.append(repr(line))
        self._over = line is None
        return line

    def until(self, start: str, patience_s: float = PATIENCE_S) -> list[str]:
        """The lines up to one that begins with ``start``, that one included."""
        lines: list[str] = []
        while not lines or not lines[-1].startswith(start):
            line = self.line(patience_s)
            assert line is not None, f"the engine ended instead of saying {start}; before: {lines[-5:]}"
            lines.append(line)
        return lines

    def quiet(self, seconds: float, *, but: tuple[str, ...] = ()) -> None:
        """Assert that nothing comes for so long, ``but`` lines that begin with these words."""
        ends = time.monotonic() + seconds
        with suppress(queue.Empty):
            while True:
                line = self._lines.get(timeout=max(ends - time.monotonic(), 0))
                expected = line is not None and but and line.startswith(but)
                assert expected, f"nothing was expected, got {line!r} after {self.heard[-3:]}"

    def rest(self, patience_s: float = PATIENCE_S) -> list[str]:
        """Close the input; everything up to the end of the output."""
        with suppress(OSError):
            self._to_engine.close()
        lines: list[str] = []
        while not self._over and (line := self.line(patience_s)) is not None:
            lines.append(line)
        return lines


@dataclass(frozen=True)
class InThread:
    """The engine in a thread of this process."""

    client: Client
    thread: threading.Thread


def in_thread(opener: Callable[[Settings], Opened] | None = None) -> InThread:
    """Start the engine's own reader and worker over two pipes."""
    engine_in, client_out = os.pipe()
    client_in, engine_out = os.pipe()

    def converse() -> None:
        with os.fdopen(engine_in, "rb") as source, os.fdopen(engine_out, "wb") as sink:
            process = Process(source, sink, opener=opener)
            process.run()
            process.rest()

    thread = threading.Thread(target=converse, daemon=True)
    thread.start()
    return InThread(Client(os.fdopen(client_out, "wb"), os.fdopen(client_in, "rb")), thread)


def surroundings(**more: str) -> dict[str, str]:
    """The environment of an engine that is started in any folder: it must find its modules by itself."""
    paths = [str(ROOT), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths)), **more}


def in_process(
    command: list[str], *, cwd: Path, stderr: int = subprocess.PIPE, **environment: str
) -> tuple[Client, subprocess.Popen[bytes]]:
    """Start a real process, as a GUI does: in a folder of its own choosing."""
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, cwd=cwd, env=surroundings(**environment)
    )
    assert process.stdin
    assert process.stdout
    return Client(process.stdin, process.stdout), process


# Dialogues -------------------------------------------------------------------------------------------------------

_EXPECTED = re.compile(r"<(?P<ms>\d+)?(?:ms)?(?P<skip>\*?)(?P<regex>~?) (?P<text>.*)")


def hold(dialogue: Path, client: Client) -> None:
    """Hold a written conversation (see ``tests/engine/uci/dialogues/README.md``); raises AssertionError with the line's
    number."""
    for number, line in enumerate(dialogue.read_text(encoding="utf-8").split("\n"), start=1):
        try:
            _step(line, client)
        except AssertionError as error:
            raise AssertionError(f"{dialogue.name}:{number}: {line}: {error}") from None


def _step(line: str, client: Client) -> None:
    if line.startswith("> "):
        client.send(line[2:])
    elif line.startswith(("= ", "=* ")):
        mark, _, length = line.partition(" ")
        client.quiet(int(length.removesuffix("ms")) / 1000, but=CHATTER if mark == "=*" else ())
    elif found := _EXPECTED.fullmatch(line):
        _expect(found, client)
    elif line and not line.startswith("#"):
        raise AssertionError("not a line of a dialogue")


def _expect(found: re.Match[str], client: Client) -> None:
    patience_s = int(found["ms"]) / 1000 if found["ms"] else PATIENCE_S
    ends = time.monotonic() + patience_s
    while True:
        line = client.line(max(ends - time.monotonic(), 0.001))
        assert line is not None, "the engine has ended"
        if re.fullmatch(found["text"], line) if found["regex"] else line.startswith(found["text"]):
            return
        skipped = found["skip"] and line.startswith(CHATTER)
        assert skipped, f"got {line!r}"
