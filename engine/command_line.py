"""What a command does around its work: errors become one line and an exit status.

Knows which errors are the user's. Does not know arguments.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable

from engine.errors import TranscendenceError

FAILED = 2
INTERRUPTED = 130


def run_command(name: str, work: Callable[[], int | None], *, interrupted: str = "stopped") -> int:
    """The exit status of a command: what ``work`` returns, None being 0; 2 after an error that the user can mend, which is
    printed behind ``name``.

    Ctrl-C prints ``interrupted``. A reader that closes the pipe early, as ``head`` does, is no error.
    """
    try:
        return work() or 0
    except TranscendenceError as error:
        print(f"{name}: {error}", file=sys.stderr)
        return FAILED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at its end
        return 0
    except OSError as error:
        print(f"{name}: {error.filename or 'a file'}: {error.strerror or error}", file=sys.stderr)
        return FAILED
    except KeyboardInterrupt:
        print(f"{name}: {interrupted}", file=sys.stderr)
        return INTERRUPTED
