"""Players: reproducible, independent of batching, and found by clear names."""

from __future__ import annotations

import math
import os
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import chess
import pytest

from engine.errors import MatchError, NetError
from engine.inference.evaluator import Evaluator
from engine.inference.sampling import Sampling
from engine.net import Net
from match.players.at_board import SpecPlayer
from match.players.builtin import GreedySpec, RandomSpec
from match.players.client import Engine, Engines, Setup
from match.players.engine import EngineSpec, engine_spec, go_command
from match.players.interface import Forfeit, Turn
from match.players.net import NetPlayer, moves_together
from match.players.population import PlayerFactory, command_words, distinct, read_population
from match.players.stockfish import LEVEL_BY_DEPTH_ELO, stockfish_level
from tests.match.conftest import fake, needs_stockfish
from tests.paths import ROOT


def turns(*lines: str) -> list[Turn]:
    found = []
    for number, line in enumerate(lines):
        board = chess.Board()
        for text in line.split():
            board.push_uci(text)
        found.append(Turn(number, board, f"position startpos moves {line}", f"position startpos moves {line}"))
    return found


LINES = ("e2e4", "e2e4 e7e5", "d2d4 g8f6 c2c4", "g1f3")


def test_random_moves_depend_on_seed_name_game_and_ply_alone() -> None:
    engines, (a, *_) = Engines(), turns(*LINES)
    moves = {RandomSpec(seed=seed).answer(a, engines) for seed in range(30)}
    assert len(moves) > 8
    assert RandomSpec(seed=5).answer(a, engines) == RandomSpec(seed=5).answer(turns(*LINES)[0], engines)
    others = {RandomSpec(name=f"r{i}", seed=5).answer(a, engines) for i in range(30)}
    assert len(others) > 8


def test_the_greedy_capturer_takes_most_and_mates() -> None:
    engines = Engines()
    board = chess.Board("4k3/8/8/3q1r2/4P3/8/8/4K3 w - - 0 1")
    assert GreedySpec().answer(Turn(1, board), engines).uci() == "e4d5"
    mate = chess.Board("6k1/5ppp/8/8/8/8/q7/R6K w - - 0 1")
    assert {GreedySpec(seed=s).answer(Turn(1, mate), engines).uci() for s in range(5)} == {"a1a2"}
    mate = chess.Board("6k1/5ppp/8/8/8/8/7q/R6K w - - 0 1")
    assert mate.is_check()  # only the king may take here
    assert GreedySpec().answer(Turn(1, mate), engines).uci() == "h1h2"
    mate = chess.Board("6k1/5ppp/8/3q4/8/8/4P3/R3P2K w - - 0 1")
    mate.remove_piece_at(chess.D5)
    assert GreedySpec().answer(Turn(1, mate), engines).uci() == "a1a8"


def test_a_net_plays_the_same_alone_and_in_company(random_net: Path) -> None:
    def player(temperature: float, evaluator: Evaluator) -> NetPlayer:
        return NetPlayer(f"T={temperature}", evaluator, Sampling(temperature=temperature), seed=3)

    alone = [player(1.0, Evaluator(Net.open(random_net))).moves([turn])[0] for turn in turns(*LINES)]
    evaluator = Evaluator(Net.open(random_net))
    hot, cold = player(1.0, evaluator), player(0.001, evaluator)
    asked = [(hot, turn) for turn in turns(*LINES)] + [(cold, turn) for turn in turns(*LINES)]
    together = moves_together(asked)
    assert together[:4] == alone
    assert together[4:] == [player(0.001, Evaluator(Net.open(random_net))).moves([turn])[0] for turn in turns(*LINES)]
    hot.forget(0)
    assert 0 not in hot._caches
    assert 1 in hot._caches


def test_an_engine_is_asked_in_several_games_and_its_failures_are_forfeits() -> None:
    good, bad = SpecPlayer(fake("good"), threads=2), SpecPlayer(fake("crashes"), threads=2)
    assert [str(m) for m in good.moves(turns(*LINES))] == ["a7a5", "a2a3", "a7a5", "a7a5"]
    answers = bad.moves(turns(*LINES))
    assert all(isinstance(a, Forfeit) and "crashed with exit status 3" in str(a) for a in answers)
    good.close()
    bad.close()


def test_one_game_at_a_time_needs_one_engine(monkeypatch: pytest.MonkeyPatch) -> None:
    started: list[Setup] = []

    class Counted(Engine):
        def __init__(self, setup: Setup) -> None:
            started.append(setup)
            super().__init__(setup)

    monkeypatch.setattr("match.players.client.Engine", Counted)
    player = SpecPlayer(fake("good"), threads=4)
    for turn in turns(*LINES):  # of either colour
        assert not isinstance(player.moves([turn])[0], Forfeit)
    player.close()
    assert len(started) == 1


@dataclass
class Slow:
    """Takes its time, and keeps count of all who do."""

    name: str
    thinking: set[object]
    counts: list[int]
    anchor: float | None = None

    def answer(self, turn: Turn, engines: Engines) -> chess.Move:
        """Any move."""
        self.thinking.add(me := object())
        time.sleep(0.02)
        self.counts.append(len(self.thinking))
        self.thinking.remove(me)
        return next(iter(turn.board.legal_moves))


def test_players_of_a_match_share_the_number_that_think_at_once() -> None:
    cast, thinking, counts = PlayerFactory(asking_threads=2), set[object](), list[int]()
    players = [cast.at_board(Slow(name, thinking, counts)) for name in "abc"]
    with ThreadPoolExecutor(len(players)) as runner:
        answers = list(runner.map(lambda player: player.moves(turns(*LINES)), players))
    for player in players:
        player.close()
    assert [len(found) for found in answers] == [4, 4, 4]
    assert max(counts) == 2


@pytest.mark.parametrize("limit", ["depth", "depth=0", "time=3", "", "depth=x"])
def test_a_bad_limit_is_refused(limit: str) -> None:
    with pytest.raises(MatchError, match="expected a limit depth=N"):
        go_command(limit)


def test_limits_become_go() -> None:
    assert go_command("depth=3") == "go depth 3"
    assert go_command("movetime=100, nodes=5") == "go movetime 100 nodes 5"


@pytest.mark.parametrize(
    ("limit", "seconds"), [("depth=3", 30), ("movetime=100", 30.1), ("movetime=60000", 90), ("nodes=5,movetime=45000", 75)]
)
def test_a_long_movetime_is_no_hang(limit: str, seconds: float) -> None:
    assert engine_spec("e", ["sh"], limit).setup.move_timeout_s == pytest.approx(seconds)
    assert engine_spec("e", ["sh"], limit, move_timeout_s=5).setup.move_timeout_s == 5


@needs_stockfish
def test_stockfish_levels() -> None:
    level = stockfish_level(2)
    assert (level.name, level.limit, level.anchor) == ("Stockfish level 2 depth=3", "depth=3", LEVEL_BY_DEPTH_ELO[2])
    slow = stockfish_level(2, limit="movetime=100")
    assert (slow.name, slow.anchor) == ("Stockfish level 2 movetime=100", 1608)
    with pytest.raises(MatchError, match="from 0 to 20, got 21"):
        stockfish_level(21)
    engines = Engines()
    assert level.answer(turns("e2e4")[0], engines) in turns("e2e4")[0].board.legal_moves
    engines.close()


POPULATION = """
[defaults]
engine = "stockfish"
limit = "depth=1"
options = { "Skill Level" = 3 }
[[player]]
name = "noisy"
weakness = [{ error = "random", probability = 0.1 }, { error = "softmax", phases = "endgame", pieces = ["rook"] }]
[[player]]
name = "plain"
options = { "Skill Level" = 5, Ponder = true }
anchor = 1500
[[player]]
name = "dice"
builtin = "random"
"""


@needs_stockfish
def test_a_population_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a b.toml"
    path.write_text(POPULATION.replace('builtin = "random"', 'engine = "stockfish"'))
    noisy, plain, _ = PlayerFactory(seed=4).players(str(path))
    assert isinstance(noisy, SpecPlayer)
    assert isinstance(plain, SpecPlayer)
    assert noisy.spec.setup.options == (("Skill Level", "3"), ("Hash", "1"))  # type: ignore[attr-defined]
    assert noisy.spec.weaknesses[1].phases == ("endgame",)  # type: ignore[attr-defined]
    assert noisy.spec.seed == 4  # type: ignore[attr-defined]
    assert dict(plain.spec.setup.options) == {"Skill Level": "5", "Ponder": "true", "Hash": "1"}  # type: ignore[attr-defined]
    assert plain.anchor == 1500
    assert [p.name for p in PlayerFactory().players(f"{path}:plain")] == ["plain"]
    with pytest.raises(MatchError, match="one of the players noisy, plain, dice, got 'x'"):
        PlayerFactory().players(f"{path}:x")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[[player]\n", "expected TOML"),
        ("", r"expected players as \[\[player\]\] tables"),
        ('[[player]]\nbuiltin = "random"\n', "player 1: expected name"),
        ('[[player]]\nname = "a"\n', "expected one of engine, net, builtin, got none"),
        ('[[player]]\nname = "a"\nbuiltin = "chance"\n', "expected random or greedy as builtin, got 'chance'"),
        ('[[player]]\nname = "a"\nbuiltin = "random"\nlimit = "depth=1"\n', "got 'limit'"),
        (
            '[[player]]\nname = "a"\nbuiltin = "random"\n[[player]]\nname = "a"\nbuiltin = "random"\n',
            "two players are called 'a'",
        ),
        ('[[player]]\nname = "a"\nengine = "no-such-engine"\n', "found no such program"),
        ('[[player]]\nname = "a"\nengine = "sh"\nweakness = [{ probability = 1 }]\n', "expected error = one of random"),
        ('[[player]]\nname = "a"\nengine = "sh"\nweakness = [{ error = "random", chance = 1 }]\n', "got 'chance'"),
        ('[[player]]\nname = "a"\nengine = "sh"\nlimit = "deep"\n', "player 'a': expected a limit"),
        ('[[player]]\nname = "a"\nengine = "sh"\nanchor = "strong"\n', "expected a number as anchor, got 'strong'"),
        ("player = [1, 2]\n", "found something else"),
        ('defaults = 1\n[[player]]\nname = "a"\nbuiltin = "random"\n', r"expected a table \[defaults\], got 1"),
        ('[defaults]\noptions = 1\n[[player]]\nname = "a"\nengine = "sh"\n', r"as options in \[defaults\], got 1"),
        ('[[player]]\nname = "a"\nengine = "sh"\noptions = "Hash"\n', "as options, got 'Hash'"),
        ('[[player]]\nname = "a"\nengine = "sh"\nweakness = [{ error = "random", lines = 2.5 }]\n', "as lines, got 2.5"),
        (
            '[[player]]\nname = "a"\nengine = "sh"\nweakness = [{ error = "random", probability = nan }]\n',
            "as probability, got nan",
        ),
    ],
)
def test_bad_populations_are_refused(tmp_path: Path, text: str, told: str) -> None:
    path = tmp_path / "p.toml"
    path.write_text(text)
    with pytest.raises(MatchError, match=told):
        PlayerFactory().players(str(path))


WRONG_VALUES = (
    'net = ""\nrating = "2000"',
    "net = 3",
    'net = ""\nrating = 2000.5',
    'net = ""\nrating = -1',
    'net = ""\nrating = true',
    'net = ""\ntake_mate = "no"',
    'net = ""\ntake_mate = 0',
    'net = ""\navoid_repetition = "no"',
    'net = ""\ntemperature = nan',
    'net = ""\ntemperature = -1',
    'net = ""\ntemperature = "1"',
    'net = ""\ntemperature = inf',
    'net = ""\ntop_p = 0',
    'net = ""\ntop_p = 1.5',
    'net = ""\nscale = "fide-ish"',
    'net = ""\nscale = 1',
    'net = ""\nelo = "1500"',
    'net = ""\nelo = 1500.5',
    'net = ""\nanchor = nan',
    "engine = 3",
    "engine = []",
    'engine = ["sh", 1]',
    'engine = "sh"\nlimit = 3',
    'engine = "sh"\nmove_timeout_s = 0',
    'engine = "sh"\nstart_timeout_s = "1"',
    'engine = "sh"\nweakness = "random"',
    'engine = "sh"\noptions = { Hash = nan }',
    "builtin = 1",
)


@pytest.mark.parametrize("fields", WRONG_VALUES)
def test_a_value_of_another_kind_is_refused_by_name(fields: str, tmp_path: Path) -> None:
    """Strings that look like numbers, "no" that is true, and numbers that are none."""
    (tmp_path / "p.toml").write_text(f'[[player]]\nname = "a"\n{fields}\n')
    key = fields.splitlines()[-1].split(" = ")[0]
    with pytest.raises(MatchError, match=rf"player 'a': expected .* as {key}, got "):
        PlayerFactory().players(str(tmp_path / "p.toml"))


@pytest.mark.parametrize("temperature", [math.nan, -1.0, math.inf])
def test_no_temperature_makes_no_player(temperature: float, random_net: Path) -> None:
    with pytest.raises(MatchError, match="expected a number of 0 or more as temperature"):
        PlayerFactory().net(str(random_net), temperature)


def test_a_net_may_be_let_repeat_and_says_so(random_net: Path, tmp_path: Path) -> None:
    usual = PlayerFactory().net(str(random_net), 0.5)
    assert usual.sampling.avoid_repetition
    free = PlayerFactory(avoid_repetition=False).net(str(random_net), 0.5)
    assert not free.sampling.avoid_repetition
    assert free.name == "random may repeat T=0.5"
    (tmp_path / "p.toml").write_text(f"[[player]]\nname = 'a'\nnet = '{random_net}'\navoid_repetition = false\n")
    (named,) = PlayerFactory().players(str(tmp_path / "p.toml"))
    assert isinstance(named, NetPlayer)
    assert not named.sampling.avoid_repetition


@pytest.mark.parametrize("field", ["temperature = 1", "top_p = 0.9", "avoid_repetition = false", "nodes = 4"])
def test_a_limited_net_leaves_nothing_else_to_set(field: str, tmp_path: Path) -> None:
    (tmp_path / "p.toml").write_text(f'[[player]]\nname = "a"\nnet = ""\nelo = 800\n{field}\n')
    with pytest.raises(MatchError, match=f"elo sets all of a limited player; leave out {field.split()[0]}"):
        PlayerFactory().players(str(tmp_path / "p.toml"))


def test_a_missing_population_is_named(tmp_path: Path) -> None:
    with pytest.raises(MatchError, match="expected a population at"):
        read_population(tmp_path / "none.toml")


def test_players_by_word(random_net: Path) -> None:
    cast = PlayerFactory(seed=9)
    net = cast.players(f"net:{random_net}@0,5")[0]
    assert isinstance(net, NetPlayer)
    assert (net.name, net.sampling.temperature, net.rating, net.scale) == ("random T=0.5", 0.5, 1500, 1)
    again = cast.players(f"net:{random_net}")[0]
    assert isinstance(again, NetPlayer)
    assert again.evaluator is net.evaluator
    assert cast.players("random")[0].name == "random mover"
    with pytest.raises(MatchError, match=r"expected a temperature .* got 'warm'"):
        cast.players(f"net:{random_net}@warm")
    with pytest.raises(MatchError, match=r"no such program.*A player is stockfish:LEVEL"):
        cast.players("no-such-engine --uci@depth=3")
    with pytest.raises(NetError, match=r"nowhere\.onnx"):
        cast.players("net:nowhere.onnx@1")
    with pytest.raises(MatchError, match="two players are called 'random mover'"):
        distinct([*cast.players("random"), *cast.players("random")])


def test_an_at_sign_in_a_path_is_no_temperature(random_net: Path, tmp_path: Path) -> None:
    home = tmp_path / "me@host.org"
    home.mkdir()
    for path in (home / "net.onnx", tmp_path / "net@v2.onnx"):
        path.write_bytes(random_net.read_bytes())
        for text, temperature in ((f"net:{path}", 0.001), (f"net:{path}@0.5", 0.5)):
            net = PlayerFactory().players(text)[0]
            assert isinstance(net, NetPlayer)
            assert (net.evaluator.net.info.path, net.sampling.temperature) == (path, temperature)
        with pytest.raises(MatchError, match=r"expected a temperature .* got 'warm'"):
            PlayerFactory().players(f"net:{path}@warm")


@pytest.mark.skipif(os.name != "posix", reason="a script as a program")
def test_a_program_may_have_spaces_and_at_signs_in_its_path(tmp_path: Path) -> None:
    program = tmp_path / "me@host.org" / "my engine"
    program.parent.mkdir()
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    population = tmp_path / "p.toml"
    population.write_text(f'[[player]]\nname = "a"\nengine = "{program}"\nlimit = "depth=3"\n')
    for text in (f"{program}@depth=3", str(population)):
        spec = PlayerFactory().players(text)[0].spec
        assert isinstance(spec, EngineSpec)
        assert (spec.setup.command, spec.limit) == ((str(program),), "depth=3")


@pytest.mark.parametrize(
    ("command", "posix", "words"),
    [
        (r"C:\engines\foo.exe", False, [r"C:\engines\foo.exe"]),
        (r'"C:\Program Files\foo.exe" --uci', False, [r"C:\Program Files\foo.exe", "--uci"]),
        ("'/opt/my engine' --book \"a b\"", True, ["/opt/my engine", "--book", "a b"]),
        ("gnuchess --uci", True, ["gnuchess", "--uci"]),
        ("", True, []),
    ],
)
def test_a_command_is_read_as_the_systems_shell_would(command: str, posix: bool, words: list[str]) -> None:
    assert command_words(command, posix=posix) == words


@needs_stockfish
@pytest.mark.parametrize("name", ["noisy", "specialists", "skills", "herd", "noisy-herd", "ladder-down", "levels", "teachers"])
def test_the_populations_that_ship_are_whole(name: str) -> None:
    players = PlayerFactory().players(str(ROOT / "match" / "populations" / f"{name}.toml"))
    assert len(distinct(players)) >= 3
    engines = Engines()
    for player in players:
        assert player.spec is not None
        assert player.spec.answer(turns("e2e4")[0], engines) in turns("e2e4")[0].board.legal_moves
    engines.close()


def test_twins_of_one_net_have_names_of_their_own(random_net: Path, tmp_path: Path) -> None:
    twin = tmp_path / "twin.onnx"
    twin.write_bytes(random_net.read_bytes())
    cast = PlayerFactory()
    names = [cast.players(f"net:{path}@{t}")[0].name for path, t in ((random_net, 0), (random_net, 1), (twin, 0))]
    assert names == ["random T=0", "random T=1", "random fp32 T=0"]
