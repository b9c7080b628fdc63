"""What a command's work ends with becomes an exit status and one line."""

from __future__ import annotations

import errno

import pytest

from engine.command_line import run_command
from engine.errors import ConfigError, DataError


@pytest.mark.parametrize(("returned", "status"), [(None, 0), (0, 0), (1, 1), (130, 130)])
def test_what_work_returns_is_the_status(returned: int | None, status: int, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_command("mend", lambda: returned) == status
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (ConfigError("expected a net, got a fish"), 2, "mend: expected a net, got a fish"),
        (DataError("expected games"), 2, "mend: expected games"),
        (OSError(errno.ENOSPC, "No space left on device", "out.json"), 2, "mend: out.json: No space left on device"),
        (PermissionError(errno.EACCES, "Permission denied"), 2, "mend: a file: Permission denied"),
        (OSError("the disk is gone"), 2, "mend: a file: the disk is gone"),
        (KeyboardInterrupt(), 130, "mend: stopped"),
    ],
)
def test_an_error_is_one_line(error: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise error

    assert run_command("mend", work) == status
    assert capsys.readouterr() == ("", f"{line}\n")


def test_a_command_has_its_own_words_for_a_stop(capsys: pytest.CaptureFixture[str]) -> None:
    def work() -> None:
        raise KeyboardInterrupt

    assert run_command("mend", work, interrupted="give it again to resume") == 130
    assert capsys.readouterr().err == "mend: give it again to resume\n"


def test_a_fault_of_ours_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        run_command("mend", lambda: 1 // 0)
