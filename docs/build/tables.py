"""Tables of Markdown, and a rating with its interval in a cell of one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

NOT_RUN = "*not run yet*"


def markdown(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def rated(r: dict[str, Any]) -> str:
    """One of ``match.report.verdict``'s ratings: "912 (822 to 1001)", or the bound that is known of it."""
    if r["anchored"]:
        return f"{r['elo']:.0f} (fixed)"
    if r["elo"] is None:
        return "?"
    if r["elo"] in (r["low"], r["high"]):  # all games lost or won: a bound and no estimate
        return f"{'below' if r['low'] is None else 'above'} {r['elo']:.0f}"
    low, high = ("open" if bound is None else f"{bound:.0f}" for bound in (r["low"], r["high"]))
    return f"{r['elo']:.0f} ({low} to {high})"
