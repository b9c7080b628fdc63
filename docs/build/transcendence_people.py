"""What the pages show of nets that read people: those below a rating cap, and one net for all caps.

Knows the result files of recipes/lichess-caps.sh and recipes/one-net.sh by ``Evidence``. Does not know the pages.
"""

from __future__ import annotations

import math
from typing import Any

from docs.build.tables import NOT_RUN, markdown, rated
from docs.build.transcendence_evidence import Evidence, curve_of, interval, read_json, signed
from match.statistics.scores import temperature_of

PAPER = {"1000": (1423, 851), "1300": (1530, 1171), "1500": (1445, 988)}
"""Cap: the paper's ratings at temperature 0.001 and 1 (Zhang et al. 2024, arXiv 2406.11741); each scatters by 70 to 130."""
_COLD, _WARM = 0.001, 1.0


def temperatures(evidence: Evidence, protocol: str) -> str:
    """Ratings by cap and temperature."""
    caps = evidence.caps(protocol)
    if not caps:
        return NOT_RUN
    curves = [_curve(values) for values in caps]
    head = ["temperature", *(f"cap {v['notes']['cap']}" for v in caps)]
    steps = sorted({t for curve in curves for t in curve})
    return markdown(head, [[f"{t:g}", *(_with_glicko(curve.get(t)) for curve in curves)] for t in steps])


def gains(evidence: Evidence, _: str) -> str:
    """What low temperature adds to each cap's net, by both protocols and in the paper, and what it is worth beside a stand-in
    for the cap's players."""
    ours = {v["notes"]["cap"]: v for v in evidence.caps("ours")}
    paper = {v["notes"]["cap"]: v for v in evidence.caps("paper")}
    caps = sorted(set(ours) | set(paper), key=int)
    if not caps:
        return NOT_RUN

    def row(name: str, cells: dict[str, str]) -> list[str]:
        return [name, *(cells.get(cap, NOT_RUN) for cap in caps)]

    either = paper | ours
    rows = [
        row("games", {cap: v["notes"]["games"] for cap, v in either.items()}),
        row("plies read", {cap: f"{plies / 1e6:.1f} M" for cap in caps if (plies := evidence.plies_read_below(cap))}),
        row("minutes of training", {cap: v["notes"]["minutes"] for cap, v in either.items()}),
        row("from T = 1 to 0.001, our protocol", {cap: _gain(v) for cap, v in ours.items()}),
        row("the same, the paper's protocol", {cap: _gain(v) for cap, v in paper.items()}),
        row("the same in Glicko-2", {cap: _glicko_gain(v) for cap, v in paper.items()}),
        row("the paper's own nets, Glicko-2", {cap: f"{cold - warm:+d}" for cap, (cold, warm) in PAPER.items()}),
    ]
    for folder, name in (("stand-in-votes", "by votes alone"), ("stand-in", "as the engine plays")):
        found = {cap: interval(values) for cap in caps if (values := evidence.stand_in(cap, folder))}
        rows.append(row(f"T = 0.001 − stand-in, {name}", found))
    return markdown(["Elo (95 %)", *(f"cap {cap}" for cap in caps)], rows)


def one_net(evidence: Evidence, _: str) -> str:
    """One net conditioned on several ratings, at two temperatures."""
    path = evidence.folder / "one-net" / "curve.json"
    if not path.is_file():
        return NOT_RUN
    ratings = read_json(path)["ratings"]
    names = sorted({at[0] for r in ratings if (at := temperature_of(r["name"]))}, key=lambda name: int(name.split()[-1]))
    rows = []
    for name in names:
        curve = dict(curve_of(ratings, name))
        rows.append([name.split()[-1], *(rated(curve[t]) if t in curve else "?" for t in (_WARM, _COLD))])
    return markdown(["conditioned on", "at T=1", "at T=0.001"], rows)


def _curve(values: dict[str, Any]) -> dict[float, dict[str, Any]]:
    return dict(curve_of(values["ratings"], f"cap {values['notes']['cap']}"))


def _gain(values: dict[str, Any]) -> str:
    """By one pool, whose errors are taken as independent."""
    curve = _curve(values)
    if _COLD not in curve or _WARM not in curve:
        return "?"
    (cold, below_cold, above_cold), (warm, below_warm, above_warm) = _errors(curve[_COLD]), _errors(curve[_WARM])
    bounds = (sign * math.hypot(*errors) for sign, errors in ((-1, (below_cold, above_warm)), (1, (above_cold, below_warm))))
    low, high = (signed(cold - warm + error) if math.isfinite(error) else "no bound" for error in bounds)
    return f"{signed(cold - warm)} ({low} to {high})"


def _errors(r: dict[str, Any]) -> tuple[float, float, float]:
    """A rating, how far down its interval reaches from it, and how far up."""
    low, high = r["low"], r["high"]
    return r["elo"], math.inf if low is None else r["elo"] - low, math.inf if high is None else high - r["elo"]


def _glicko_gain(values: dict[str, Any]) -> str:
    curve = _curve(values)
    if not all("glicko" in curve.get(t, {}) for t in (_COLD, _WARM)):
        return "?"
    return signed(curve[_COLD]["glicko"] - curve[_WARM]["glicko"])


def _with_glicko(r: dict[str, Any] | None) -> str:
    if r is None:
        return ""
    return rated(r) + (f"; Glicko-2 {r['glicko']:.0f} ± {r['glicko_error']:.0f}" if "glicko" in r else "")
