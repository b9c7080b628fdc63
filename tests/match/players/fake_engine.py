"""A UCI engine that misbehaves as its first argument says; imported by nobody, started by tests.

good plays the first legal move by name. Others do the same until they are asked for a move, unless they fail earlier.
"""

from __future__ import annotations

import os
import sys
import time

import chess


def say(text: str) -> None:
    print(text, flush=True)


def answer(kind: str, board: chess.Board) -> None:
    """What the engine does when it should move."""
    legal = sorted(move.uci() for move in board.legal_moves)
    if kind == "hangs":
        time.sleep(600)
    if kind == "crashes" or (kind == "crashes once" and board.fullmove_number == 7):
        os._exit(3)
    if kind == "prints rubbish":
        for _ in range(50):
            sys.stdout.buffer.write(b"\xff\x00 bestmov \xfe" * 20 + b"\n")
    if kind == "floods":
        while True:
            say("info string " + "x" * 60000)
    if kind == "chats":
        say("info string the best score so far has pv e2e4")
    if kind == "analyses nonsense":
        say("info depth 1 score cp high pv a2a3")
    best = {"plays illegally": "a1a8", "gives nonsense": "castles", "gives no move": "(none)", "says nothing": ""}
    say(f"info depth 1 score cp {len(legal)} pv {legal[0]}" if legal else "info depth 0 score cp 0")
    say(f"bestmove {best.get(kind, legal[0] if legal else '(none)')}".rstrip())


def main() -> None:
    kind = sys.argv[1]
    board = chess.Board()
    if kind == "dies at once":
        sys.exit(1)
    for line in sys.stdin:
        words = line.split()
        if line == "uci\n" and kind != "never says uciok":
            say("id name Fake\nid author tests\noption name Weird Name type spin default 1 min 0 max 9\nuciok")
        elif line == "isready\n":
            say("readyok")
        elif words[:1] == ["position"]:
            moves = words[words.index("moves") + 1 :] if "moves" in words else []
            board = chess.Board(" ".join(words[2:8])) if words[1] == "fen" else chess.Board()
            for move in moves:
                board.push_uci(move)
        elif words[:1] == ["go"]:
            answer(kind, board)
        elif line == "quit\n":
            return


main()
