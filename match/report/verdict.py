"""A verdict (``match.statistics.verdict``) and a curve of ratings as text, and as JSON for result files.

Pure. Does not know how they were found.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from match.report.tables import head_to_head
from match.statistics.glicko2 import Glicko
from match.statistics.ratings import Rating
from match.statistics.verdict import MEANING, Gap, Temperatures, Verdict


def as_text(verdict: Verdict) -> str:
    """The verdict with its numbers, as text."""
    lines = [head_to_head(verdict.net, verdict.expert, verdict.difference)]
    lines.append(f"verdict: {verdict.word} ({MEANING[verdict.word]})")
    if verdict.temperatures is not None:
        lines += _temperature_lines(verdict.temperatures)
    return "\n".join(lines)


def _temperature_lines(checks: Temperatures) -> list[str]:
    lines = [f"rating falls as temperature rises to 1: {'yes' if checks.falls else 'no'}, {_gap_text(checks.gain)} over all"]
    lines += [f"  but from {a:g} to {b:g} it rises by {elo:.0f}" for a, b, elo in checks.rises]
    if checks.average is None:
        return [*lines, "at temperature 1 against the best expert: not in this pool"]
    above = "above" if checks.average_is_above else "below" if checks.average.high < 0 else "not shown to be above"
    return [*lines, f"at temperature 1 the net is {above} the best expert: {_gap_text(checks.average)}"]


def _gap_text(gap: Gap | None) -> str:
    return "not known" if gap is None else f"{gap.elo:+.0f} ({gap.low:+.0f} to {gap.high:+.0f})"


def as_json(verdict: Verdict) -> dict[str, Any]:
    """All numbers behind the verdict, for a result file; infinite ones are null."""
    low, high = verdict.difference.interval
    checks = verdict.temperatures
    return {
        "verdict": verdict.word,
        "meaning": MEANING[verdict.word],
        "net": verdict.net,
        "expert": verdict.expert,
        "games": 2 * verdict.difference.pairs,
        "pentanomial": list(verdict.difference.counts),
        "score": verdict.difference.score,
        "elo": _finite(verdict.difference.elo),
        "low": _finite(low),
        "high": _finite(high),
        "superiority": verdict.difference.superiority,
        "temperatures": None
        if checks is None
        else {
            "falls": checks.falls,
            "rises": [list(rise) for rise in checks.rises],
            "gain": _gap_json(checks.gain),
            "average_minus_expert": _gap_json(checks.average),
            "average_is_above": checks.average_is_above,
        },
        "ratings": [_rating_json(r) for r in verdict.ratings],
        "notes": verdict.notes,
    }


def curve_as_json(ratings: Sequence[Rating], glicko: Mapping[str, Glicko], notes: Mapping[str, str]) -> dict[str, Any]:
    """Ratings of a pool for a result file, with Glicko-2 and its 95 % half-width where the paper's protocol gives one."""
    rated = [_rating_json(r) for r in ratings]
    for r in rated:
        if r["name"] in glicko:
            rating = glicko[r["name"]]
            r["glicko"], r["glicko_error"] = round(rating.rating, 1), round(1.96 * rating.deviation, 1)
    return {"ratings": rated, "notes": dict(notes)}


def _gap_json(gap: Gap | None) -> dict[str, float | None] | None:
    return None if gap is None else {"elo": _finite(gap.elo), "low": _finite(gap.low), "high": _finite(gap.high)}


def _rating_json(r: Rating) -> dict[str, Any]:
    return {
        "name": r.name,
        "elo": _finite(r.elo),
        "low": _finite(r.low),
        "high": _finite(r.high),
        "games": r.games,
        "points": r.points,
        "anchored": r.anchored,
    }


def _finite(number: float) -> float | None:
    return round(number, 4) if math.isfinite(number) else None
