"""``python -m engine``: the UCI engine; ``--install`` and ``--check`` for people. Knows the command line, file descriptors."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, BinaryIO

from engine.uci.process import Process

if TYPE_CHECKING:
    import argparse


def main() -> int:
    """Speak UCI on standard input and output; ``--help`` shows the few arguments."""
    model = ""
    if len(sys.argv) > 1:
        arguments = _arguments(sys.argv[1:])
        model = arguments.model
        if arguments.check:
            from engine.check import check

            return check(model)
        if arguments.install:
            from engine.check import installed

            return installed()
    at_rest = Process(sys.stdin.buffer, _private_stdout(), model=model).run()
    if not at_rest:
        os._exit(0)  # an evaluation is under way in a thread that nothing can end; every line is already flushed
    return 0


def _arguments(argv: list[str]) -> argparse.Namespace:
    import argparse  # 11 ms that a GUI need not wait for

    from engine import __version__

    parser = argparse.ArgumentParser(
        prog="transcendence",
        description="A UCI chess engine that plays with a transformer. Without arguments it waits for a GUI's commands.",
    )
    parser.add_argument("--model", default="", metavar="PATH", help="the net to play with; the option Model wins over it")
    parser.add_argument("--check", action="store_true", help="say what is installed, how fast, and what to paste into GUIs")
    parser.add_argument("--install", action="store_true", help="install what is missing, say whether it works, and end")
    parser.add_argument("--version", action="version", version=f"Transcendence {__version__}")
    return parser.parse_args(argv)


def _private_stdout() -> BinaryIO:
    """Standard output for UCI alone: whatever a library prints, from Python or C, goes to standard error from now on."""
    sink = os.fdopen(os.dup(1), "wb")
    try:
        os.dup2(2, 1)
    except OSError:  # started without standard error, as by some GUIs on Windows
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    sys.stdout = sys.stderr
    return sink


if __name__ == "__main__":
    sys.exit(main())
