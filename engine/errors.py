"""The errors a person can cause, as one tree.

    TranscendenceError
    ├── NetError            a net that is missing, damaged or made for another vocabulary
    ├── PositionError       a FEN or a move list that is no chess position
    ├── OptionError         an option's value that is out of range or no number
    ├── DataError           games or a data set that cannot be read or written
    ├── ConfigError         a preset, checkpoint or command line that does not fit together
    └── MatchError          an opponent, opening book or result file that cannot be used

A message says what was expected, what came and how to mend it. Command lines print it on one line and exit with
2; the UCI engine prints it as ``info string``.
"""

from __future__ import annotations


class TranscendenceError(Exception):
    """Base of all errors whose message is meant for the person at the keyboard."""


class NetError(TranscendenceError):
    """A net that is missing, damaged or made for another vocabulary."""


class PositionError(TranscendenceError):
    """A FEN or a move list that is no chess position."""


class OptionError(TranscendenceError):
    """An option's value that is out of range or no number."""


class DataError(TranscendenceError):
    """Games or a data set that cannot be read or written."""


class ConfigError(TranscendenceError):
    """A preset, checkpoint or command line that does not fit together."""


class MatchError(TranscendenceError):
    """An opponent, opening book or result file that cannot be used."""
