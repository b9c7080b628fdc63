"""The worker's side: options reach the net and the choice of a move, and nothing that goes wrong costs a bestmove."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import chess
import numpy as np
import pytest

from engine.dial import Dial, Point, Setting
from engine.errors import NetError
from engine.inference.evaluator import Evaluation, Players, Request
from engine.search.tree import Exploration
from engine.uci.clock import budget_ms
from engine.uci.options import Opponent, Settings, default_settings
from engine.uci.player import Opened, UciPlayer, players, strength
from engine.uci.protocol import BestMove, Go, Info, IsReady, NewGame, Position, ReadyOk, Reply, Say, SetOption
from engine.uci.searching import _exploration
from engine.uci.session import Search
from engine.uci.thinking import sampling_of
from tests.engine.uci.driver import in_thread
from tests.engine.uci.fake_time import FakeTime
from tests.engine.uniform import Uniform, UniformLeaves, open_uniform

FAST_S = 1.0
"""Nothing here ends by itself, so what is honoured at all is so within this; benchmarks.runtime measures milliseconds."""
"""Within this a command must be honoured while thinking."""


class Desk:
    """A player with its replies, and the nets that it has opened."""

    def __init__(self, judge: Uniform | None = None, *, time: FakeTime | None = None, **play: int) -> None:
        self.judge, self.time = judge or Uniform(), time
        self.replies: list[Reply] = []
        self.opened: list[Settings] = []
        self.play = play
        self.dial: Dial | None = None
        self.player = UciPlayer(self.replies.append, lambda search: None, opener=self._open)

    def _open(self, settings: Settings) -> Opened:
        self.opened.append(settings)
        return Opened(self.judge, "net uniform", self._fresh, self.play, self.dial)

    def _fresh(self) -> Uniform:
        self.judge = Uniform()
        return self.judge

    def option(self, name: str, value: str = "") -> None:
        self.player.perform(SetOption(name, value))

    def go(self, *moves: str, go: Go | None = None, fen: str | None = None) -> BestMove:
        self.player.perform(Position(fen, moves))
        self.player.perform(Search(go or Go(depth=1), time=self.time))
        best = self.replies[-1]
        assert isinstance(best, BestMove)
        assert [type(reply) for reply in self.replies].count(BestMove) == 1
        self.replies.clear()
        return best


def test_options_become_the_sampling() -> None:
    settings = replace(
        default_settings(), temperature=0.5, top_p=0.9, opening_temperature=1.0, opening_plies=8, avoid_repetition=False
    )
    sampling = sampling_of(settings)
    assert (sampling.temperature, sampling.top_p, sampling.opening_temperature) == (0.5, 0.9, 1.0)
    assert (sampling.opening_plies, sampling.avoid_repetition) == (8, False)
    assert sampling.take_mate
    assert not sampling_of(replace(settings, take_mate=False)).take_mate
    assert not sampling_of(replace(settings, limit_strength=True)).take_mate


def test_temperature_draws_and_zero_does_not() -> None:
    desk = Desk()
    assert {desk.go().move for _ in range(5)} == {"b1a3"}
    desk.option("Temperature", "1")
    assert len({desk.go().move for _ in range(40)}) > 5
    desk.option("Temperature", "0")
    assert {desk.go().move for _ in range(5)} == {"b1a3"}


def test_the_opening_has_its_own_temperature_for_so_many_plies() -> None:
    desk = Desk()
    desk.option("TemperatureOpening", "1")
    desk.option("TemperatureOpeningPlies", "2")
    assert len({desk.go().move for _ in range(40)}) > 5
    assert len({desk.go("e2e4").move for _ in range(40)}) > 5
    assert len({desk.go("e2e4", "e7e5").move for _ in range(40)}) == 1


def test_one_seed_draws_anew_in_each_position() -> None:
    """Black's first reply is one of the same twenty moves after each of these; a draw by the seed alone would repeat it."""
    desk = Desk()
    desk.option("Temperature", "1")
    desk.option("Seed", "5")
    assert len({desk.go(first).move for first in ("a2a3", "b2b3", "c2c3", "d2d3", "f2f3", "g2g3", "h2h3", "a2a4")}) > 3


def test_a_seed_decides_the_move_of_a_position() -> None:
    def games(seed: str) -> list[str | None]:
        desk = Desk()
        desk.option("Temperature", "1")
        desk.option("Seed", seed)
        return [desk.go().move, desk.go("e2e4").move, desk.go("e2e4", "e7e5").move, desk.go().move]

    assert games("5") == games("5")
    assert games("5")[0] == games("5")[3]
    assert games("5") != games("6")
    assert games("0") != games("0")


@pytest.mark.parametrize(
    ("changes", "play", "expected"),
    [
        ({}, {}, Players()),
        ({}, {"rating": 2200, "scale": 1}, Players(2200, 2200, 1)),
        ({"limit_strength": True, "elo": 1200}, {"rating": 2200, "scale": 1}, Players(1200, 1200, 1)),
        ({"limit_strength": False, "elo": 1200}, {}, Players()),
        ({"opponent": Opponent("GM", 2800, "X")}, {"rating": 2200, "scale": 1}, Players(2200, 2800, 1)),
        ({"opponent": Opponent("GM", 2800, "X")}, {}, Players()),
        ({"opponent": Opponent("", 0, "X")}, {"rating": 2200, "scale": 1}, Players(2200, 2200, 1)),
    ],
)
def test_ratings(changes: dict[str, object], play: dict[str, int], expected: Players) -> None:
    settings = replace(default_settings(), **changes)  # type: ignore[arg-type]
    setting = strength(settings, Opened(Uniform(), "", Uniform, play))
    assert players(setting, settings.opponent, white=True) == expected
    assert players(setting, settings.opponent, white=False) == Players(expected.black, expected.white, expected.scale)


def test_the_ratings_reach_the_net() -> None:
    desk = Desk(rating=2000, scale=1)
    desk.option("UCI_Opponent", "none 1500 human Somebody")
    desk.go("e2e4")
    assert desk.judge.asked[-1].players == Players(1500, 2000, 1)


def test_the_net_is_opened_once_and_again_when_its_options_change() -> None:
    desk = Desk()
    desk.player.perform(IsReady())
    assert len(desk.opened) == 1
    desk.go()
    desk.option("Temperature", "1")
    desk.go()
    assert len(desk.opened) == 1
    for name, value in (("Threads", "2"), ("Hash", "32"), ("Device", "cpu"), ("Model", "x.onnx")):
        desk.option(name, value)
        desk.go()
    assert len(desk.opened) == 5
    assert (desk.opened[-1].threads, desk.opened[-1].hash_mb, desk.opened[-1].device, desk.opened[-1].model) == (
        2,
        32,
        "cpu",
        "x.onnx",
    )


def test_the_net_is_introduced_before_its_first_move_and_not_to_those_who_wait_for_readyok() -> None:
    """python-chess logs anything else between isready and readyok as an unexpected line."""
    desk = Desk()
    desk.dial = Dial((Point(800.0, Setting(900, 1, 1.0)), Point(1200.0, Setting(2000, 1, 0.5))))
    for name, value in (("UCI_LimitStrength", "true"), ("UCI_Elo", "2000")):
        desk.option(name, value)
    desk.player.perform(IsReady())
    desk.option("UCI_Elo", "3000")
    desk.player.perform(IsReady())
    assert desk.replies == [ReadyOk(), ReadyOk()]
    for _ in range(2):
        desk.player.perform(Search(Go(depth=1)))
    said = [reply.text for reply in desk.replies if isinstance(reply, Say)]
    assert said == ["net uniform", "this net can play as 800 to 1200: UCI_Elo 3000 is played as 1200"]
    desk.option("UCI_Elo", "2500")
    assert desk.replies[-1] == Say("this net can play as 800 to 1200: UCI_Elo 2500 is played as 1200")


def test_a_file_that_was_put_right_is_found_by_setting_the_same_value_again(tmp_path: Path) -> None:
    logged: list[str] = []
    replies: list[Reply] = []
    player = UciPlayer(replies.append, lambda search: None, opener=open_uniform, log_to=logged.append)
    for _ in range(2):
        player.perform(SetOption("Log File", "there.log"))
    assert logged == ["there.log", "there.log"]
    folder = tmp_path / "tables"
    player.perform(SetOption("SyzygyPath", str(folder)))
    assert "SyzygyPath: cannot read" in str(replies.pop())
    shutil.copytree(Path(__file__).parent / "syzygy", folder)
    player.perform(SetOption("SyzygyPath", str(folder)))
    player.perform(Position("8/8/8/8/8/2k5/7R/K7 w - - 0 1"))
    player.perform(SetOption("UCI_ShowWDL", "true"))
    player.perform(Search(Go(depth=1)))
    assert [reply.wdl for reply in replies if isinstance(reply, Info)] == [(1000, 0, 0)]


def test_a_cache_belongs_to_one_game() -> None:
    desk = Desk()
    desk.go()
    desk.go("e2e4")
    first, second = desk.judge.asked[-2:]
    assert first.cache is second.cache
    desk.player.perform(NewGame())
    desk.go()
    assert desk.judge.asked[-1].cache is not second.cache
    cache = desk.judge.asked[-1].cache
    before = desk.judge
    desk.option("clear hash")
    desk.go()
    assert desk.judge is not before
    assert desk.judge.asked[-1].cache is not cache


class Broken(Uniform):
    """Fails in the way it is told."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self.error = error

    def evaluate(self, requests: Sequence[Request]) -> list[Evaluation]:
        raise self.error


@pytest.mark.parametrize(
    ("error", "said"),
    [
        (
            NetError("a blind net starts from the initial position"),
            "this net cannot play here; playing the first legal move: a blind net",
        ),
        (RuntimeError("no memory"), "internal error, please report it: RuntimeError: no memory (test_player.py:"),
        (KeyError("x"), "internal error, please report it: KeyError: 'x'"),
    ],
)
def test_what_goes_wrong_is_said_and_a_move_is_given(error: Exception, said: str) -> None:
    desk = Desk(Broken(error))
    desk.player.perform(Search(Go(depth=1)))
    *_, say, info, best = desk.replies
    assert isinstance(say, Say)
    assert say.text.startswith(said)
    assert isinstance(info, Info)
    assert best == BestMove("a2a3")


def test_a_net_that_fails_to_open_is_not_tried_again_before_something_changes() -> None:
    tries: list[str] = []

    def opener(settings: Settings) -> Opened:
        tries.append(settings.model)
        raise ValueError("protobuf parsing failed")

    replies: list[Reply] = []
    player = UciPlayer(replies.append, lambda search: None, opener=opener)
    for task in (IsReady(), Search(Go()), Search(Go()), SetOption("Model", "b"), IsReady(), NewGame(), IsReady()):
        player.perform(task)
    assert tries == ["", "b", "b"]
    said = [r.text for r in replies if isinstance(r, Say)]
    opening = "no net loaded; playing the first legal move: it could not be opened: "
    assert said[0].startswith(f"{opening}ValueError: protobuf parsing failed")
    assert len(said) == 5
    for task in (SetOption("Model", "b"), IsReady()):
        player.perform(task)
    assert tries == ["", "b", "b", "b"], "the same name again is a try: the file may have been put right"


def test_the_delay_is_kept_and_never_flags() -> None:
    desk = Desk()
    desk.option("MoveDelay", "150")

    def spent_ms(go: Go) -> float:
        time = FakeTime()
        search = Search(go, time=time)
        desk.player.perform(search)
        return search.elapsed_ms()

    assert spent_ms(Go(depth=1)) == pytest.approx(150, abs=1)
    assert spent_ms(Go(wtime_ms=100_000)) == pytest.approx(150, abs=1)
    assert 0 < spent_ms(Go(wtime_ms=100)) < 100
    assert 0 < spent_ms(Go(movetime_ms=60)) <= 60
    assert spent_ms(Go(wtime_ms=0)) == 0


def searching(leaves: Callable[[], UniformLeaves] = UniformLeaves, /, **options: str) -> tuple[UciPlayer, list[Reply]]:
    replies: list[Reply] = []
    opened = Opened(Uniform(), "net uniform", Uniform, leaves=leaves)
    player = UciPlayer(replies.append, lambda search: None, opener=lambda settings: opened)
    for name, value in options.items():
        player.perform(SetOption(name, value))
    return player, replies


def test_options_become_the_exploration() -> None:
    settings = replace(default_settings(), cpuct=1.0, first_play=0.2, prior_temperature=3.0, draw_score=0.4)
    assert _exploration(settings) == Exploration(c=1.0, first_play=0.2, prior_temperature=3.0, draw=0.4)


def searched(go: Go, **options: str) -> Info:
    """The last line of a search that is not limited by time."""
    player, replies = searching(**options)
    player.perform(Search(go, time=FakeTime()))
    return [reply for reply in replies if isinstance(reply, Info)][-1]


@pytest.mark.parametrize("depth", [2, 3, 4])
def test_a_search_ends_at_the_depth_that_is_asked_for(depth: int) -> None:
    found = searched(Go(depth=depth), Nodes="1000")
    assert found.depth == depth
    assert found.nodes < 1000


@pytest.mark.parametrize(("hash_mb", "room"), [("1", 1000), ("6", 1536)])
def test_a_search_ends_when_its_memory_is_full(hash_mb: str, room: int) -> None:
    """A position takes 4 kB; a thousand of them are always kept."""
    found = searched(Go(nodes=2000), Hash=hash_mb)
    assert room - 50 < found.nodes < room + 50
    assert found.hashfull == 1000


@pytest.mark.parametrize(
    ("go", "pause_ms"),
    [(Go(movetime_ms=100), 16), (Go(movetime_ms=300), 16), (Go(wtime_ms=6000), 16), (Go(wtime_ms=200), 0.75)],
)
def test_a_search_spends_its_time_and_no_more(go: Go, pause_ms: float) -> None:
    time = FakeTime()
    player, _ = searching(lambda: UniformLeaves(pause_ms / 1000, time=time), Nodes="100000")
    player.perform(Search(go, time=time))
    budget = budget_ms(go, white=True, overhead_ms=default_settings().move_overhead_ms)
    assert budget is not None
    assert budget - 2 * pause_ms < time.seconds * 1000 <= budget
    assert time.seconds * 1000 > 3 * pause_ms


def test_the_delay_is_kept_by_a_search() -> None:
    search = Search(Go(nodes=8), time=FakeTime())
    searching(MoveDelay="150")[0].perform(search)
    assert search.elapsed_ms() == pytest.approx(150, abs=20)


@pytest.mark.parametrize(
    ("options", "varied"),
    [
        ({}, False),
        ({"TemperatureOpening": "3"}, True),
        ({"TemperatureOpening": "3", "TopP": "0.01"}, False),
        ({"TemperatureOpening": "3", "TemperatureOpeningPlies": "0"}, False),
    ],
)
def test_a_search_is_varied_in_the_opening_as_asked(options: dict[str, str], *, varied: bool) -> None:
    moves = set()
    for seed in range(1, 9):
        player, replies = searching(Nodes="40", Seed=str(seed), **options)
        player.perform(Search(Go()))
        assert isinstance(replies[-1], BestMove)
        moves.add(replies[-1].move)
    assert (len(moves) > 1) is varied


def test_moves_for_analysis_are_judged_in_batches_until_time_is_up() -> None:
    time = FakeTime()
    desk = Desk(Uniform(pause_s=0.03, time=time), time=time)
    desk.option("MultiPV", "20")
    desk.go()
    assert len(desk.judge.asked) == 21
    desk.judge.asked.clear()
    assert desk.go(go=Go(movetime_ms=100)).move == "b1a3"
    assert 1 < len(desk.judge.asked) < 21


class Castling(Uniform):
    """Castles wherever it can."""

    def _evaluation(self, request: Request) -> Evaluation:
        found = super()._evaluation(request)
        return replace(found, logits=np.array([10.0 * request.board.is_castling(move) for move in found.moves]))


@pytest.mark.parametrize(("chess960", "move", "ponder"), [("true", "e1h1", "e8a8"), ("false", "e1g1", "e8c8")])
def test_the_reply_is_legal_after_castling_and_may_be_castling(chess960: str, move: str, ponder: str) -> None:
    fen = "r3k2r/8/8/8/8/8/8/R3K2R w KQkq - 0 1"
    board = chess.Board(fen, chess960=chess960 == "true")
    board.push_uci(move)
    for judge in (Uniform(), Castling()):
        desk = Desk(judge)
        desk.option("Ponder", "true")
        desk.option("UCI_Chess960", chess960)
        best = desk.go(fen=fen, go=Go(searchmoves=("e1g1",)))
        assert best.move == move
        assert best.ponder
        assert board.parse_uci(best.ponder)
    assert best.ponder == ponder


@pytest.mark.parametrize(
    ("lines", "awaited"),
    [
        (["stop"], "bestmove"),
        (["isready"], "readyok"),
        (["position startpos moves e2e4"], "bestmove"),
        (["ucinewgame"], "bestmove"),
    ],
    ids=["stop", "isready", "position", "ucinewgame"],
)
def test_commands_are_honoured_in_time_while_thinking(lines: list[str], awaited: str) -> None:
    """The median of nine tries: one may fall into another process's time slice."""
    engine = in_thread(open_uniform)
    times = []
    for _ in range(9):
        engine.client.send("position startpos", "go infinite")
        engine.client.until("info depth")
        began = time.monotonic()
        engine.client.send(*lines)
        engine.client.until(awaited)
        times.append(time.monotonic() - began)
        if awaited == "readyok":
            engine.client.send("stop")
            engine.client.until("bestmove")
    engine.client.rest()
    assert float(np.median(times)) < FAST_S


def test_ponderhit_is_honoured_in_time() -> None:
    engine = in_thread(open_uniform)
    times = []
    for _ in range(9):
        engine.client.send("position startpos", "go ponder wtime 1000 btime 1000")
        engine.client.until("info depth 1")
        began = time.monotonic()
        engine.client.send("ponderhit")
        engine.client.until("bestmove")
        times.append(time.monotonic() - began)
    engine.client.rest()
    assert float(np.median(times)) < FAST_S
