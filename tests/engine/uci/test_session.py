"""The state machine: what is answered at once, what waits, and who gets a bestmove."""

from __future__ import annotations

import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.uci.protocol import (
    Command,
    Debug,
    Go,
    IsReady,
    NewGame,
    PonderHit,
    Position,
    Quit,
    ReadyOk,
    SetOption,
    Stop,
    Uci,
    UciOk,
    Unknown,
)
from engine.uci.session import Action, Leave, Queue, Search, Session, Write
from tests.engine.uci.fake_time import FakeTime

COMMANDS: list[Command] = [
    Uci(),
    Debug(True),
    IsReady(),
    SetOption("Hash", "1"),
    NewGame(),
    Position(),
    Go(),
    Stop(),
    PonderHit(),
    Unknown("x"),
]


def started(session: Session, go: Go) -> Search:
    (action,) = session.receive(go)
    assert isinstance(action, Queue)
    assert isinstance(action.task, Search)
    return action.task


def kinds(actions: tuple[Action, ...]) -> list[str]:
    return [type(action).__name__ for action in actions]


def halted(search: Search) -> bool:
    """As a call, so that a type checker does not take it for unchanged."""
    return search.halted


def test_uci_is_answered_before_the_worker_is_woken() -> None:
    actions = Session().receive(Uci())
    assert actions[-2:] == (Write(UciOk()), Queue(Uci()))


@pytest.mark.parametrize("command", [IsReady(), SetOption("Hash", "1"), NewGame(), Position(), Debug(True), Unknown("x")])
def test_idle_commands_wait_their_turn(command: Command) -> None:
    assert Session().receive(command) == (Queue(command),)


@pytest.mark.parametrize("command", [Stop(), PonderHit()])
def test_out_of_turn_they_do_nothing(command: Command) -> None:
    assert Session().receive(command) == ()


def test_while_searching() -> None:
    session = Session()
    search = started(session, Go(infinite=True))
    assert session.receive(IsReady()) == (Write(ReadyOk()),)
    assert kinds(session.receive(SetOption("Hash", "1"))) == ["Queue"]
    assert session.receive(PonderHit()) == ()
    assert not search.halted
    assert session.receive(Stop()) == ()
    assert halted(search)
    session.ended(search)
    assert not session.searching


@pytest.mark.parametrize("command", [Position(), NewGame(), Go(depth=1), Quit()])
def test_these_halt_the_search_under_way(command: Command) -> None:
    session = Session()
    search = started(session, Go(infinite=True))
    actions = session.receive(command)
    assert search.halted
    assert kinds(actions) == (["Leave"] if command == Quit() else ["Queue"])


def test_a_second_go_does_not_wait_for_the_first_and_is_not_halted_with_it() -> None:
    session = Session()
    first, second = started(session, Go(infinite=True)), started(session, Go(infinite=True))
    assert (first.halted, second.halted) == (True, False)
    session.ended(first)
    assert session.searching
    session.receive(Stop())
    assert second.halted


@given(st.lists(st.sampled_from(COMMANDS) | st.just(None), max_size=40))
def test_any_order_of_commands(commands: list[Command | None]) -> None:
    """None stands for the worker ending its oldest search. Every go is queued once, every isready answered or queued once."""
    session, searches = Session(), list[Search]()
    for command in commands:
        if command is None:
            if searches:
                session.ended(searches.pop(0))
            continue
        searching = session.searching
        actions = session.receive(command)
        assert Leave() not in actions
        queued = [a.task for a in actions if isinstance(a, Queue)]
        searches += [t for t in queued if isinstance(t, Search)]
        if isinstance(command, IsReady):
            assert actions == ((Write(ReadyOk()),) if searching else (Queue(command),))
        assert [isinstance(t, Search) for t in queued].count(True) == isinstance(command, Go)
    assert session.searching == bool(searches)
    assert not any(not s.halted for s in searches[:-1]), "only the newest search may be running"


def test_at_the_end_of_the_input_only_what_nobody_can_end_is_halted() -> None:
    for go, ends in ((Go(infinite=True), True), (Go(ponder=True), True), (Go(movetime_ms=100), False), (Go(perft=3), False)):
        session = Session()
        search = started(session, go)
        session.end_of_input()
        assert search.halted == ends, go


def test_what_is_owed_is_known_until_it_is_given() -> None:
    session = Session()
    assert not session.owing
    session.receive(IsReady())
    assert session.owing
    session.readied()
    assert not session.owing
    search = started(session, Go(depth=1))
    session.receive(IsReady())  # answered at once
    assert session.owing
    session.ended(search)
    assert not session.owing


def waits(search: Search) -> threading.Thread:
    thread = threading.Thread(target=search.wait_for_leave, daemon=True)
    thread.start()
    thread.join(timeout=0.05)
    return thread


def ends(thread: threading.Thread) -> bool:
    thread.join(timeout=5)
    return not thread.is_alive()


def test_an_ordinary_search_may_leave_at_once() -> None:
    assert not waits(Search(Go(depth=1))).is_alive()


def test_infinite_waits_for_stop_and_not_for_ponderhit() -> None:
    search = Search(Go(infinite=True))
    thread = waits(search)
    search.release()
    thread.join(timeout=0.05)
    assert thread.is_alive()
    search.halt()
    assert ends(thread)


@pytest.mark.parametrize("end", [Search.release, Search.halt])
def test_pondering_waits_for_ponderhit_or_stop(end: object) -> None:
    search = Search(Go(ponder=True))
    thread = waits(search)
    assert thread.is_alive()
    assert callable(end)
    end(search)
    assert ends(thread)


def test_the_clock_starts_at_ponderhit() -> None:
    time = FakeTime()
    search = Search(Go(ponder=True), time=time)
    time.seconds += 0.06
    assert search.elapsed_ms() == pytest.approx(60, abs=1)
    search.release()
    assert search.elapsed_ms() == 0
    time.seconds += 0.02
    assert search.elapsed_ms() == pytest.approx(20, abs=1)


def test_a_search_waits_for_the_time_given_or_for_stop() -> None:
    time = FakeTime()
    search = Search(Go(), time=time)
    search.wait(150)
    assert search.elapsed_ms() == pytest.approx(150, abs=1)
    search.wait(-5)
    search.halt()
    search.wait(1000)
    assert search.elapsed_ms() == pytest.approx(150, abs=1)
