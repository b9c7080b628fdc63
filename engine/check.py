"""``--check`` and ``--install``: say what is installed, which net is found, how fast it plays and what to paste into a GUI.

Knows how to ask the net and how clients want engines described. Prints for people; never runs in a UCI conversation.
"""

from __future__ import annotations

import os
import platform
import shutil
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine import __version__
from engine.errors import TranscendenceError

if TYPE_CHECKING:
    from engine.inference.evaluator import Evaluator

_MOVES_TIMED = 40


def check(model: str = "") -> int:
    """Print the report; 0 when the engine can play, 1 when it cannot."""
    print(f"Transcendence {__version__}, Python {platform.python_version()}, {platform.platform()}")
    try:
        problem = ""
        for line in _net_report(model):
            print(line)
    except (TranscendenceError, ImportError) as error:
        problem = str(error)
        print(f"\nNOT READY TO PLAY: {problem}")
    print()
    print(client_lines(*program()))
    return 1 if problem else 0


def installed() -> int:
    """``--install``: the launcher has installed what was missing, this says whether it can be used; 0 when it can, else 1."""
    try:
        import engine.inference.evaluator
        import engine.uci.player  # noqa: F401
    except ImportError as error:
        print(f"NOT INSTALLED COMPLETELY: {error}. Remove the environment's folder and try again.")
        return 1
    command, arguments = program()
    print(f"installed; add this to a GUI: {' '.join((_quoted(command), *arguments))}")
    return 0


def _net_report(model: str) -> list[str]:
    import onnxruntime

    from engine.inference.evaluator import Evaluator
    from engine.net import Net, find_net

    print(f"ONNX Runtime {onnxruntime.__version__}, offers {', '.join(onnxruntime.get_available_providers())}")
    path = find_net(model or None)
    started = time.perf_counter()
    net = Net.open(path, device="auto")
    opened_s = time.perf_counter() - started
    info = net.info
    first_ms, move_ms = _times_ms(Evaluator(net))
    return [
        "",
        f"net             {info.name}",
        f"file            {info.path} ({info.path.stat().st_size / 1e6:.1f} MB, opened in {opened_s:.2f} s)",
        f"shape           {info.layers} layers, {info.heads} heads of {info.head_width}, width {info.width}, context "
        f"{info.context} plies, board input {info.board_input}, rating input {'yes' if info.rating_input else 'no'}",
        f"precision       {info.precision}",
        *_described("training", info.training),
        *_described("play", info.play),
        f"device          {info.device}{f' ({info.note})' if info.note else ''}",
        f"time per move   {move_ms:.1f} ms in a game of {_MOVES_TIMED} plies, {first_ms:.1f} ms for its first",
    ]


def _described(title: str, values: dict[str, Any]) -> list[str]:
    return [f"{title if i == 0 else '':15} {key}: {value}" for i, (key, value) in enumerate(values.items())]


def _times_ms(evaluator: Evaluator) -> tuple[float, float]:
    """Milliseconds of the first evaluation of a game, and of each later one: the net against itself."""
    import chess
    import numpy as np

    from engine.inference.evaluator import Request

    board, cache = chess.Board(), evaluator.new_game()
    times: list[float] = []
    while len(times) <= _MOVES_TIMED and not board.is_game_over():
        started = time.perf_counter()
        evaluation = evaluator.evaluate([Request(board, cache)])[0]
        times.append(1000 * (time.perf_counter() - started))
        board.push(evaluation.moves[int(np.argmax(evaluation.logits))])
    return times[0], sum(times[1:]) / max(len(times) - 1, 1)


def program() -> tuple[str, tuple[str, ...]]:
    """The command that starts this engine, and its arguments: a launcher beside the package, one on the PATH, or Python."""
    name = "transcendence.bat" if os.name == "nt" else "transcendence"
    launcher = Path(__file__).resolve().parents[1] / "bin" / name
    if launcher.is_file():
        return str(launcher), ()
    beside_python = Path(sys.executable).with_name("transcendence.exe" if os.name == "nt" else "transcendence")
    path = str(beside_python) if beside_python.is_file() else shutil.which("transcendence")
    return (path, ()) if path else (sys.executable, ("-P", "-m", "engine"))


def client_lines(command: str, arguments: tuple[str, ...]) -> str:
    """What to type or paste into each client, for this command."""
    given = " ".join(arguments)
    folder, name = os.path.split(command)
    cutechess_arguments = "".join(f" arg={a}" for a in arguments)
    fastchess_arguments = f' args="{given}"' if given else ""
    return f"""\
Arena           Engines > Install New Engine, choose the file below, then the type UCI
                {command}{" with the parameters " + given if given else ""}

Cute Chess      Tools > Settings > Engines > + ; Protocol: UCI, Command:
                {" ".join((_quoted(command), *arguments))}

cutechess-cli   cutechess-cli -engine name=Transcendence cmd={_quoted(command)}{cutechess_arguments} proto=uci \\
                  option.Temperature=0.001 \\
                  -engine name=Stockfish cmd=stockfish proto=uci "option.Skill Level=1" \\
                  -each tc=40/10+0.1 -rounds 10 -games 2 -repeat -concurrency 2 -pgnout games.pgn

fastchess       fastchess -engine name=Transcendence cmd={_quoted(command)}{fastchess_arguments} \\
                  option.Temperature=0.001 \\
                  -engine name=Stockfish cmd=stockfish "option.Skill Level=1" \\
                  -each tc=10+0.1 -rounds 10 -games 2 -repeat -concurrency 2 -pgnout file=games.pgn

lichess-bot     in config.yml:
                  engine:
                    dir: "{_escaped(folder)}"
                    name: "{_escaped(name)}"
                    protocol: "uci"
                    ponder: false
                    engine_options: {{}}
                    uci_options:
                      Temperature: "0.001"
                      Move Overhead: 100
                resigning and draw offers are lichess-bot's own settings; they read the engine's score"""


def _quoted(command: str) -> str:
    return f'"{command}"' if " " in command else command


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\")
