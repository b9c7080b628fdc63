"""The commands of docs/data.md must be commands."""

from __future__ import annotations

import re

from tests.paths import ROOT
from training.data.__main__ import parser
from training.data.store import GAME_DTYPE

TEXT = (ROOT / "docs" / "data.md").read_text(encoding="utf-8")


def test_every_command_of_the_page_is_understood() -> None:
    commands = re.findall(r"bin/data ([a-z]+ [^`\n]*)", TEXT)
    assert {command.split()[0] for command in commands} >= {
        "ingest",
        "merge",
        "filter",
        "sample",
        "export",
        "diversity",
        "inspect",
    }
    for command in commands:
        parser().parse_args(command.split())


def test_every_option_of_the_table_is_one() -> None:
    options = re.findall(r"^\| `(--[^|]*)` \|", TEXT, flags=re.MULTILINE)
    assert len(options) == 10
    for option in options:
        words = re.sub("[`,]", "", option).split()
        parser().parse_args(["ingest", "games.pgn", "--out", "store", *words])


def test_the_record_is_the_one_described() -> None:
    assert f"records of {GAME_DTYPE.itemsize} bytes" in TEXT
    names = re.findall(r"`(\w+)`", TEXT.split("A record:")[1].split("The\nnames")[0])
    assert tuple(names) == GAME_DTYPE.names
