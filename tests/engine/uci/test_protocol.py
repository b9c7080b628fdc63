"""Lines to values and back; python-chess's parser is the judge of what we print."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import chess
import chess.engine
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.uci.protocol import (
    BestMove,
    Debug,
    Go,
    Id,
    Info,
    IsReady,
    NewGame,
    PonderHit,
    Position,
    Quit,
    ReadyOk,
    Say,
    SetOption,
    Stop,
    Uci,
    UciOk,
    Unknown,
    decode,
    parse,
    render,
    wdl_permille,
)

MOVES = st.lists(st.sampled_from(["e2e4", "e7e8q", "a1h8", "0000"]), max_size=4).map(tuple)
NUMBERS = st.none() | st.integers(-(10**9), 10**12)


@pytest.mark.parametrize(
    ("line", "command"),
    [
        ("uci", Uci()),
        ("  isready\t", IsReady()),
        ("ucinewgame\r\n", NewGame()),
        ("stop now", Stop()),
        ("ponderhit", PonderHit()),
        ("quit", Quit()),
        ("debug on", Debug(True)),
        ("debug off", Debug(False)),
        ("debug", Debug(False)),
        ("\ufeffuci", Uci()),
        ("setoption name Hash value 16", SetOption("Hash", "16")),
        ("setoption name Clear Hash", SetOption("Clear Hash")),
        ("setoption name Clear Hash value ", SetOption("Clear Hash")),
        ("setoption  name  Move   Overhead  value  100 ", SetOption("Move Overhead", "100")),
        ("setoption Name Temperature Value 0.5", SetOption("Temperature", "0.5")),
        ("setoption name Model value /my  nets/value of/n ö.onnx", SetOption("Model", "/my  nets/value of/n ö.onnx")),
        ("setoption name valued value x", SetOption("valued", "x")),
        ("position startpos", Position()),
        ("position startpos moves e2e4 E7E5", Position(None, ("e2e4", "e7e5"))),
        ("position fen 8/8/8/8/8/8/8/8 w - - 0 1", Position("8/8/8/8/8/8/8/8 w - - 0 1")),
        ("position fen 8/8 w - - moves e2e4", Position("8/8 w - -", ("e2e4",))),
        ("go", Go()),
        ("go wtime 1 btime -2 winc 3 binc 4 movestogo 5", Go(1, -2, 3, 4, 5)),
        ("go infinite searchmoves e2e4 d2d4", Go(infinite=True, searchmoves=("e2e4", "d2d4"))),
        ("go searchmoves e2e4 depth 3", Go(depth=3, searchmoves=("e2e4",))),
        ("go ponder movetime 12.9", Go(ponder=True, movetime_ms=12)),
        ("go depth nodes 7", Go(nodes=7)),
        ("go depth " + "9" * 5000, Go()),
        ("go perft 3 mate 2", Go(perft=3, mate=2)),
    ],
)
def test_commands(line: str, command: object) -> None:
    assert parse(line) == command


@pytest.mark.parametrize("line", ["", "   ", "\t", "\0"])
def test_blank_lines_are_nothing(line: str) -> None:
    assert parse(line) is None


@pytest.mark.parametrize(
    "line",
    [
        "xboard",
        "protover 2",
        "Unknown command: go",
        "readyok",
        "GO",
        "setoption",
        "setoption name",
        "setoption Hash 1",
        "position",
        "position fen",
        "position fen moves e2e4",
        "position moves e2e4",
        "position here",
        "register later",
    ],
)
def test_what_is_no_command_is_unknown(line: str) -> None:
    assert parse(line) == Unknown(line)


@given(st.text() | st.text(alphabet="gosetption nmvalufifdx0123456789.- \t", max_size=60))
def test_no_line_raises(line: str) -> None:
    parse(line)


@given(st.binary())
def test_no_bytes_raise(raw: bytes) -> None:
    decode(raw)


def test_latin_1_is_read() -> None:
    assert decode("Köppen".encode("latin-1")) == "Köppen" == decode("Köppen".encode())


@given(st.permutations(["wtime", "btime", "winc", "binc", "movestogo", "movetime", "nodes", "depth", "mate"]), st.data())
def test_go_round_trip(order: list[str], data: st.DataObject) -> None:
    """Whatever the order of the limits, all arrive."""
    values = {word: data.draw(NUMBERS) for word in order}
    flags: dict[str, Any] = {word: data.draw(st.booleans()) for word in ("infinite", "ponder")}
    moves = data.draw(MOVES)
    words = [f"{word} {value}" for word, value in values.items() if value is not None]
    words += [word for word, on in flags.items() if on] + ([f"searchmoves {' '.join(moves)}"] if moves else [])
    limits: dict[str, Any] = {
        word if word in ("movestogo", "nodes", "depth", "mate") else f"{word}_ms": n for word, n in values.items()
    }
    assert parse("go " + " ".join(words)) == replace(Go(searchmoves=moves), **limits, **flags)


@given(st.lists(st.sampled_from("abcÄ/\\ .=value"), min_size=1).map("".join), st.text(alphabet="abc Ä/\\.:value", max_size=40))
def test_setoption_round_trip(name: str, value: str) -> None:
    name, value = " ".join(name.split()), value.strip()
    if name and "value" not in name.split():
        assert parse(f"setoption name {name} value {value}") == SetOption(name, value)


def test_replies() -> None:
    assert render(Id("A 1", "B")) == "id name A 1\nid author B"
    assert render(UciOk()) == "uciok"
    assert render(ReadyOk()) == "readyok"
    assert render(Say("two\nlines\r\n of  it")) == "info string two lines of it"
    assert render(BestMove(None, "e2e4")) == "bestmove (none)"
    assert render(BestMove("e2e4")) == "bestmove e2e4"


@given(
    st.integers(-15000, 15000),
    st.none() | st.integers(-3, 3).filter(bool),
    st.integers(0, 10**6),
    st.integers(0, 10**6),
    st.none() | st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0.001, 1)),
)
def test_python_chess_reads_our_info(
    cp: int, mate: int | None, nodes: int, time_ms: int, wdl: tuple[float, float, float] | None
) -> None:
    board = chess.Board()
    permille = wdl_permille(wdl) if wdl else None
    line = render(
        Info(pv=("e2e4", "e7e5"), seldepth=2, multipv=3, score_cp=cp, mate=mate, wdl=permille, nodes=nodes, time_ms=time_ms)
    )
    assert "." not in line
    read = chess.engine._parse_uci_info(line.removeprefix("info "), board)
    expected = chess.engine.Cp(cp) if mate is None else chess.engine.Mate(mate)
    assert read["score"] == chess.engine.PovScore(expected, chess.WHITE)
    assert read["pv"] == [chess.Move.from_uci("e2e4"), chess.Move.from_uci("e7e5")]
    assert (read["multipv"], read["nodes"], read["time"]) == (3, nodes, time_ms / 1000)
    if permille:
        assert read["wdl"] == chess.engine.PovWdl(chess.engine.Wdl(*permille), chess.WHITE)


def test_python_chess_reads_our_bestmove() -> None:
    board = chess.Board()
    read = chess.engine._parse_uci_bestmove(board, render(BestMove("e2e4", "e7e5")).removeprefix("bestmove "))
    assert (read.move, read.ponder) == (chess.Move.from_uci("e2e4"), chess.Move.from_uci("e7e5"))
    board = chess.Board("7k/5Q2/6K1/8/8/8/8/8 b - - 0 1")
    assert chess.engine._parse_uci_bestmove(board, render(BestMove(None)).removeprefix("bestmove ")).move is None


@given(st.tuples(st.floats(0, 1), st.floats(0, 1), st.floats(0, 1)).filter(lambda w: sum(w) > 1e-6))
def test_wdl_permille_sums_to_1000_and_is_near(wdl: tuple[float, float, float]) -> None:
    permille = wdl_permille(wdl)
    assert sum(permille) == 1000
    assert min(permille) >= 0
    assert all(abs(p - 1000 * w / sum(wdl)) < 1 for p, w in zip(permille, wdl, strict=True))
