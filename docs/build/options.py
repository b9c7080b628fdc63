"""``docs/options.md``, written from the table of options: ``python -m docs.build.options > docs/options.md``.

Knows Markdown, and nothing of what the options do.
"""

from __future__ import annotations

import sys

from engine.uci.options import OPTIONS, Option

_HEAD = """\
# UCI options

Written from the table in `engine/uci/options.py` by `python -m docs.build.options > docs/options.md`; change it there.

Names may be typed in any case. A value that an option does not take changes nothing, and the engine says so in an
`info string`. An option set while the engine thinks takes effect after that move. Numbers with a point are declared as
`string`, because UCI has no real numbers: `0.001`, `.5`, `1e-3` and `0,7` are all understood.

| option | type | default | range | what it does |
| --- | --- | --- | --- | --- |
"""


_TAIL = """
## How `go` is answered

With `Nodes` at 1, the default, the net evaluates the position once, which takes milliseconds, and `depth` and the clocks
change nothing about the move. With more, or with `go nodes N`, it searches. Whatever the limits, one `bestmove` comes for each
`go`, with an `info` line before it.

- `nodes N` takes N evaluations instead of `Nodes`; 1 is the net alone. A tree is kept from move to move, and what it
  holds already counts. A proven mate, the clock and `stop` end a search early.
- `infinite` and `UCI_AnalyseMode` search until `stop`, whatever `Nodes` says, or until the tree has filled `Hash`.
- `mate N` searches until a mate in N is proven, for 20,000 evaluations at most, or `Nodes` if that is more. `depth N` ends a
  search when its main line has N plies.
- A move is drawn in proportion to (visits + prior) ** (1 / `Temperature`), where the prior is the net's probability of the
  move: near 0 the most visited, of equal ones the likelier. At one evaluation it is drawn by the net's probabilities (the
  policy).
- `infinite` waits for `stop`, `ponder` for `ponderhit` or `stop`; a `go` without limits is answered at once.
- A new `position`, `ucinewgame` or `go` while the engine thinks ends that search as `stop` does; its `bestmove` comes first.
- `go infinite`, `UCI_AnalyseMode` and `MultiPV` show the policy: an `info string` with the likeliest moves and their
  probabilities. Without a search each of the first `MultiPV` moves has the score of the position after it; with one, its line.
- `searchmoves` restricts the choice; `perft N` counts moves (as `info string`) and then answers like any other `go`.
- The first `go` of a net names it in an `info string` before the move.
- Mate or stalemate on the board: `bestmove (none)`, with `infinite` or `ponder` when a move would be given. An impossible
  FEN changes nothing and the reason is said. An illegal move in a list: the position before it is kept.
- **Without a net** (none found, damaged, for another vocabulary) the engine says so: each `isready` and each `go` gives the
  reason in an `info string`, and because many clients hang on silence, `go` is answered with the alphabetically first legal
  move and `info depth 0`. A net that is put right is found at the next `ucinewgame` or when `Model` is set, to the same path
  too.

At the end of the input (a script's pipe) the engine finishes what was asked, within ten seconds, and then ends; `infinite` and
`ponder` end there as by `stop`. `quit` ends at once, but first gives a `readyok` or a `bestmove` that takes less than a second:

    printf 'uci\\nposition startpos\\ngo movetime 100\\n' | bin/transcendence
"""


def manual() -> str:
    """The whole page."""
    return _HEAD + "".join(_row(option) for option in OPTIONS) + _TAIL


def _row(option: Option) -> str:
    allowed = f"{option.low} to {option.high}" if option.kind == "spin" else ", ".join(option.choices)
    default = f"`{option.default}`" if option.default else ""
    return f"| `{option.name}` | {option.kind} | {default} | {allowed} | {option.help} |\n"


def main() -> int:
    """Print the page."""
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]
    sys.stdout.write(manual())
    return 0


if __name__ == "__main__":
    sys.exit(main())
