"""Time controls as PGN writes them, sorted into Lichess's time classes."""

from __future__ import annotations

import re

_CLOCK = re.compile(r"(?:\d+/)?(\d+(?:\.\d+)?)(?:\+(\d+(?:\.\d+)?))?$")
_LIMITS_S = ((30, "ultrabullet"), (180, "bullet"), (480, "blitz"), (1500, "rapid"), (21600, "classical"))


def time_class(control: str) -> str:
    """The class of ``600+5`` and the like, by Lichess's estimate: base + 40 x increment, in seconds."""
    if control.startswith("1/"):  # one move a period: 1/86400
        return "correspondence"
    clock = _CLOCK.match(control)
    if not clock:
        return "correspondence" if control == "correspondence" else "unknown"
    estimate_s = float(clock[1]) + 40 * float(clock[2] or 0)
    return next((name for limit, name in _LIMITS_S if estimate_s < limit), "correspondence")
