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
