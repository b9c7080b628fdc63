"""Example boards: the list is sound, and pictures show what the net would play."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import Path

import chess
import numpy as np
import pytest

from engine.errors import MatchError
from engine.inference.evaluation import Evaluation
from match.studies.boards import Example, picture, read_examples

Command = Callable[[Sequence[object]], tuple[int, str, str]]
SVG = "{http://www.w3.org/2000/svg}"


def test_the_examples_are_what_their_names_say() -> None:
    found = {example.name: example.board for example in read_examples()}
    assert len(found) >= 6
    assert len({example.slug for example in read_examples()}) == len(found)
    mate = found["Mate on the back rank"].copy()
    mate.push_san("Rd8#")
    stale = found["Mate or stalemate"].copy()
    stale.push_san("Qc7")
    assert mate.is_checkmate()
    assert stale.is_stalemate()
    assert chess.Move.from_uci("f3g5") in found["A queen for nothing"].legal_moves


def test_bad_lines_are_named(tmp_path: Path) -> None:
    for line, message in [
        ("x | start", "line 1: expected name"),
        ("x | start | e2e5", "legal UCI moves"),
        ("x | start | f2f3 e7e5 g2g4 d8h4", "the game is over"),
        ("", "found none"),
    ]:
        (tmp_path / "b.txt").write_text(line)
        with pytest.raises(MatchError, match=message):
            read_examples(tmp_path / "b.txt")


def test_low_temperature_leaves_one_arrow() -> None:
    board = chess.Board()
    moves = tuple(board.legal_moves)
    p = np.full(len(moves), 0.1 / (len(moves) - 2))
    p[moves.index(chess.Move.from_uci("e2e4"))] = 0.5
    p[moves.index(chess.Move.from_uci("g1f3"))] = 0.4
    root = ET.fromstring(picture(Example("A & B", board), Evaluation(moves, np.log(p), (0.3, 0.4, 0.3))))
    arrows = [len(inner.findall(f"{SVG}line")) for inner in root.findall(f"{SVG}svg")]
    assert arrows == [2, 2, 1]
    texts = [text.text for text in root.findall(f"{SVG}text")]
    assert texts[0] == "A & B"
    assert "e4 50.0%" in texts
    assert "e4 100.0%" in texts
    assert "Nf3 40.0%" in texts


def test_the_command_leaves_out_what_a_blind_net_cannot_see(
    command: Command, random_net: Path, blind_net: Path, tmp_path: Path
) -> None:
    for net, count in ((random_net, len(read_examples())), (blind_net, 5)):
        out = tmp_path / net.stem
        status, _, _ = command(["boards", "--net", net, "--out", out])
        assert status == 0
        assert len(list(out.glob("*.svg"))) == count
