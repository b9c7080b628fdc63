"""Written conversations with the engine; see ``tests/engine/uci/dialogues/README.md`` for how to read them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.engine.uci.driver import hold, in_thread
from tests.engine.uniform import open_uniform

DIALOGUES = sorted((Path(__file__).with_name("dialogues")).glob("*.txt"))


@pytest.mark.parametrize("dialogue", DIALOGUES, ids=lambda path: path.stem)
def test_dialogue(dialogue: Path) -> None:
    engine = in_thread(open_uniform)
    hold(dialogue, engine.client)
    engine.client.send("quit")
    assert engine.client.rest() == []
    engine.thread.join(timeout=5)
    assert not engine.thread.is_alive()


@pytest.mark.parametrize("pause_s", [0.05, 0.1, 0.2, 0.3])
def test_a_stopped_search_plays_the_move_of_its_last_line(pause_s: float) -> None:
    engine = in_thread(open_uniform)
    engine.client.send("position startpos")
    engine.client.send("go infinite")
    engine.client.quiet(pause_s, but=("info",))
    engine.client.send("stop")
    *said, best = engine.client.until("bestmove")
    last = [line for line in said if " pv " in line][-1]
    assert best.split()[1] == last.split(" pv ")[1].split()[0]
    engine.client.send("quit")
    assert engine.client.rest() == []
