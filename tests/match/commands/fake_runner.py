"""Stands in for cutechess-cli in tests: plays a gauntlet's schedule with scripted results and writes its PGN."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path


def main() -> int:
    words = sys.argv[1:]
    Path(os.environ["FAKE_RUNNER_LOG"]).write_text(json.dumps({"words": words, "cwd": os.getcwd()}))
    if "FAKE_RUNNER_FAILS" in os.environ:
        print("Unknown engine", file=sys.stderr)
        return 3
    names = [words[i + 1].removeprefix("name=") for i, word in enumerate(words) if word == "-engine"]
    seeds, rounds = (int(words[words.index(option) + 1]) for option in ("-seeds", "-rounds"))
    with open(words[words.index("-pgnout") + 1], "a") as file:
        for number in range(rounds):
            for hero in names[:seeds]:
                for other in names[seeds:]:
                    for white, black in ((hero, other), (other, hero)):
                        result = ("1-0", "0-1", "1/2-1/2")[number % 3]
                        file.write(f'[Event "?"]\n[Round "{number + 1}"]\n[White "{white}"]\n[Black "{black}"]\n')
                        file.write(f'[Result "{result}"]\n\n1. e4 {{book}} e5 {result}\n\n')
    return 0


sys.exit(main())
