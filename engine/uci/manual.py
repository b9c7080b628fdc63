"""``docs/options.md``, written from the table of options: ``python -m engine.uci.manual > docs/options.md``.

Knows Markdown, and nothing of what the options do.
"""

from __future__ import annotations

import sys

from engine.uci.options import OPTIONS, Option

_HEAD = """\
# UCI options

Written from the table in `engine/uci/options.py` by `python -m engine.uci.manual > docs/options.md`; change it there.

Names may be typed in any case. A value that an option does not take changes nothing, and the engine says so in an
`info string`. An option set while the engine thinks takes effect after that move. Numbers with a point are declared as
`string`, because UCI has no real numbers: `0.001`, `.5`, `1e-3` and `0,7` are all understood.

| option | type | default | range | what it does |
| --- | --- | --- | --- | --- |
"""


def manual() -> str:
    """The whole page."""
    return _HEAD + "".join(_row(option) for option in OPTIONS)


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
