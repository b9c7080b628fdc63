"""Whatever a cache has been through, its answer is the one that a fresh reading gives."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import chess
import numpy as np
import onnx
import pytest

from engine.errors import NetError, PositionError
from engine.inference.evaluation import Remembered
from engine.inference.evaluator import Evaluation, Evaluator, GameCache, Players, Request
from engine.inference.kv_pool import copied
from engine.net import Net, Outputs, Past, Tokens, _provider, find_net

PLAYERS = Players(1500, 1800, 1)
OTHER = "r3k2r/pppppppp/8/8/8/8/PPPPPPPP/R3K2R b KQkq - 0 1"


@pytest.fixture(scope="module")
def net(random_net: Path) -> Net:
    return Net.open(random_net)


def fresh(net: Net, board: chess.Board, players: Players = PLAYERS) -> Evaluation:
    evaluator = Evaluator(net)
    return evaluator.evaluate([Request(board, evaluator.new_game(), players)])[0]


def assert_same(a: Evaluation, b: Evaluation) -> None:
    assert a.moves == b.moves
    assert a.logits == pytest.approx(b.logits, abs=1e-4)
    assert a.wdl == pytest.approx(b.wdl, abs=1e-5)


def push_random(board: chess.Board, random: np.random.Generator) -> None:
    legal = list(board.legal_moves)
    board.push(legal[int(random.integers(len(legal)))])


def test_take_backs_new_games_and_long_games(net: Net) -> None:
    """More than twice the net's context of 48 plies, with jumps of every kind in between."""
    random, evaluator = np.random.default_rng(1), Evaluator(net, hash_mb=0)
    cache, board = evaluator.new_game(), chess.Board()
    longest = 0
    for turn in range(260):
        if board.is_game_over() or turn in (200, 230):
            board = chess.Board(OTHER) if turn == 230 else chess.Board()
        if random.random() < 0.05:
            for _ in range(min(len(board.move_stack), int(random.integers(1, 8)))):
                board.pop()
        found = evaluator.evaluate([Request(board, cache, PLAYERS)])[0]
        if turn % 4 == 0:
            assert_same(found, fresh(net, board))
        longest = max(longest, len(board.move_stack))
        push_random(board, random)
    assert longest > 100


def test_transposed_histories_are_told_apart(net: Net) -> None:
    evaluator = Evaluator(net, hash_mb=0)
    cache = evaluator.new_game()
    answers = []
    for moves in ("g1f3 g8f6 b1c3 b8c6", "b1c3 b8c6 g1f3 g8f6"):
        board = chess.Board()
        for move in moves.split():
            board.push_uci(move)
        answers.append(evaluator.evaluate([Request(board, cache, PLAYERS)])[0])
        assert_same(answers[-1], fresh(net, board))
    assert np.abs(answers[0].logits - answers[1].logits).max() > 1e-3


def test_other_ratings_are_read_anew(net: Net) -> None:
    evaluator, board = Evaluator(net, hash_mb=0), chess.Board()
    cache = evaluator.new_game()
    first = evaluator.evaluate([Request(board, cache, PLAYERS)])[0]
    second = evaluator.evaluate([Request(board, cache, Players(2500, 2500, 1))])[0]
    assert_same(second, fresh(net, board, Players(2500, 2500, 1)))
    assert np.abs(first.logits - second.logits).max() > 1e-3


def test_many_games_of_different_lengths_at_once(net: Net) -> None:
    random, evaluator = np.random.default_rng(2), Evaluator(net, hash_mb=1)
    boards = [chess.Board() for _ in range(12)]
    caches = [evaluator.new_game() for _ in boards]
    for turn in range(30):
        for i, board in enumerate(boards):
            for _ in range(1 + i % 4):
                if not board.is_game_over():
                    push_random(board, random)
        live = [i for i, b in enumerate(boards) if not b.is_game_over() and (i + turn) % 3]
        found = evaluator.evaluate([Request(boards[i], caches[i], PLAYERS) for i in live])
        if turn % 7 == 6:
            for i, evaluation in zip(live, found, strict=True):
                assert_same(evaluation, fresh(net, boards[i]))


def test_games_end_and_others_take_their_place(net: Net) -> None:
    """More games than a shelf holds; some end and are dropped, new ones come, and two sets are asked for in turn."""
    random, evaluator = np.random.default_rng(7), Evaluator(net, hash_mb=0)
    games = [(chess.Board(), evaluator.new_game()) for _ in range(40)]
    for turn in range(24):
        for number, (board, _) in enumerate(games):
            if board.is_game_over() or random.random() < 0.03:
                games[number] = (chess.Board(OTHER), evaluator.new_game())
        if turn == 16:
            del games[6:]  # the match runs out: what is left moves closer together
        asked = games if turn < 8 else games[turn % 2 :: 2]
        found = evaluator.evaluate([Request(board, cache, PLAYERS) for board, cache in asked])
        for (board, _), evaluation in list(zip(asked, found, strict=True))[:: 1 if turn > 16 else 9]:
            assert_same(evaluation, fresh(net, board))
        for board, _ in asked:
            push_random(board, random)
            if not board.is_game_over():
                push_random(board, random)


def test_several_threads_share_a_batch(random_net: Path) -> None:
    random, evaluator = np.random.default_rng(9), Evaluator(Net.open(random_net, threads=2), hash_mb=0)
    games = [(chess.Board(), evaluator.new_game()) for _ in range(70)]
    for _ in range(4):
        found = evaluator.evaluate([Request(board, cache, PLAYERS) for board, cache in games])
        for (board, _), evaluation in list(zip(games, found, strict=True))[::23]:
            assert_same(evaluation, fresh(evaluator.net, board))
        for board, _ in games:
            push_random(board, random)


def test_games_that_advance_together_lie_together_and_are_not_copied(net: Net, monkeypatch: pytest.MonkeyPatch) -> None:
    random, evaluator = np.random.default_rng(8), Evaluator(net, hash_mb=0)
    games = [(chess.Board(), evaluator.new_game()) for _ in range(20)]
    apart = {id(cache): Players(1500 + i) for i, (_, cache) in enumerate(games)}  # equal questions are asked only once
    copies: list[int] = []
    monkeypatch.setattr("engine.inference.evaluator.copied", lambda caches: copies.append(len(caches)) or copied(caches))
    for _ in range(6):
        for half in (games[::2], games[1::2]):
            evaluator.evaluate([Request(board, cache, apart[id(cache)]) for board, cache in half])
            for board, _ in half:
                push_random(board, random)
    assert copies == []
    assert len({id(cache.shelf) for _, cache in games}) == 2


class Counting:
    """A net that counts the plies it is asked to read."""

    def __init__(self, net: Net) -> None:
        self._net, self.info, self.plies = net, net.info, 0

    def run(self, tokens: Tokens, past: Past) -> Outputs:
        self.plies += tokens.moves.size
        return self._net.run(tokens, past)


def test_each_ply_of_a_game_is_read_once(net: Net) -> None:
    counting, random = Counting(net), np.random.default_rng(3)
    evaluator, board = Evaluator(counting), chess.Board()  # type: ignore[arg-type]
    cache = evaluator.new_game()
    for _ in range(20):
        evaluator.evaluate([Request(board, cache, PLAYERS)])
        push_random(board, random)
        push_random(board, random)
    assert counting.plies == 39


@pytest.mark.parametrize(("hash_mb", "plies"), [(0, 3), (16, 1)])
def test_the_same_position_again_gives_the_same_answer_from_memory_if_there_is_one(net: Net, hash_mb: int, plies: int) -> None:
    """In the same game and in another."""
    counting, board = Counting(net), chess.Board()
    evaluator = Evaluator(counting, hash_mb=hash_mb)  # type: ignore[arg-type]
    game, other = evaluator.new_game(), evaluator.new_game()
    first, *again = (evaluator.evaluate([Request(board, cache, PLAYERS)])[0] for cache in (game, game, other))
    for answer in again:
        assert_same(first, answer)
    assert counting.plies == plies


def test_only_legal_moves_and_true_probabilities(net: Net) -> None:
    board = chess.Board("rnb1kbnr/pppp1ppp/8/4p3/6Pq/5P2/PPPPP2P/RNBQKBNR w KQkq - 1 3")
    assert fresh(net, board).moves == ()
    evaluation = fresh(net, chess.Board(OTHER))
    assert set(evaluation.moves) == set(chess.Board(OTHER).legal_moves)
    assert sum(evaluation.wdl) == pytest.approx(1)
    assert min(evaluation.wdl) >= 0


def test_a_blind_net_refuses_another_start(blind_net: Path) -> None:
    net = Net.open(blind_net)
    with pytest.raises(PositionError, match="is blind"):
        fresh(net, chess.Board(OTHER))


def test_a_blind_net_plays_on_beyond_its_context(blind_net: Path) -> None:
    net, random, board = Net.open(blind_net), np.random.default_rng(4), chess.Board()
    evaluator = Evaluator(net, hash_mb=0)
    cache: GameCache = evaluator.new_game()
    while len(board.move_stack) < 2 * net.info.context and not board.is_game_over():
        evaluator.evaluate([Request(board, cache)])
        push_random(board, random)
    assert_same(evaluator.evaluate([Request(board, cache)])[0], fresh(net, board, Players()))


def changed(source: Path, out: Path, key: str, value: str) -> Path:
    model = onnx.load(str(source))
    for prop in model.metadata_props:
        if prop.key == f"transcendence.{key}":
            prop.value = value
    onnx.save_model(model, str(out))
    return out


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("vocabulary", "0123456789abcdef", "made for the move vocabulary 0123456789abcdef"),
        ("contract", "3", "follows contract 3, this program reads 1 and 2; export the net again"),
        ("model", "{}", "damaged metadata"),
        ("model", "not json", "damaged metadata"),
    ],
)
def test_foreign_nets_are_refused_by_name(random_net: Path, tmp_path: Path, key: str, value: str, message: str) -> None:
    with pytest.raises(NetError, match=message):
        Net.open(changed(random_net, tmp_path / "net.onnx", key, value))


def test_metadata_of_another_shape_is_refused(random_net: Path, tmp_path: Path) -> None:
    text = {p.key: p.value for p in onnx.load(str(random_net)).metadata_props}["transcendence.model"]
    other = changed(random_net, tmp_path / "net.onnx", "model", text.replace('"heads": 2', '"heads": 4'))
    with pytest.raises(NetError, match="should have layers, heads, head width"):
        Net.open(other)


def test_broken_and_missing_files_are_named(random_net: Path, tmp_path: Path) -> None:
    cut = tmp_path / "cut.onnx"
    cut.write_bytes(random_net.read_bytes()[:5000])
    with pytest.raises(NetError, match="cannot be opened as an ONNX net"):
        Net.open(cut)
    with pytest.raises(NetError, match="found none"):
        Net.open(tmp_path / "nothing.onnx")
    plain = tmp_path / "plain.onnx"
    ends = [onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, [1]) for name in ("in", "out")]
    graph = onnx.helper.make_graph([onnx.helper.make_node("Identity", ["in"], ["out"])], "plain", ends[:1], ends[1:])
    onnx.save_model(onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8), str(plain))
    with pytest.raises(NetError, match="no net of this program"):
        Net.open(plain)


def test_a_cuda_that_is_not_there_is_an_error_and_auto_is_not(random_net: Path) -> None:
    assert Net.open(random_net, device="auto").info.device == "cpu"
    with pytest.raises(NetError, match="cuda was asked for") as error:
        Net.open(random_net, device="cuda")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("driver", [True, False])
def test_auto_tries_the_gpu_only_where_there_is_a_driver(driver: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """The build of ONNX Runtime for GPUs offers CUDA everywhere."""
    monkeypatch.setattr("engine.net.has_nvidia_driver", lambda: driver)
    build = SimpleNamespace(get_available_providers=lambda: ["CUDAExecutionProvider", "CPUExecutionProvider"])
    assert _provider(build, "auto")[0] == ("CUDAExecutionProvider" if driver else "CPUExecutionProvider")
    assert _provider(build, "cuda")[0] == "CUDAExecutionProvider"
    assert _provider(build, "cpu")[0] == "CPUExecutionProvider"


def test_a_missing_net_lists_every_path(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("TRANSCENDENCE_MODEL", str(tmp_path / "mine.onnx"))
    with pytest.raises(NetError, match=r"environment variable TRANSCENDENCE_MODEL names a net.*mine\.onnx"):
        find_net()
    with pytest.raises(NetError, match=r"option Model names.*other\.onnx.*other\.onnx"):
        find_net("other.onnx")


def test_memory_returns_what_was_put_and_stays_within_its_room() -> None:
    memory, board = Remembered(1), chess.Board("rnbq1bnr/ppppkPpp/8/8/8/8/PPPP1PPP/RNBQKBNR w KQ - 1 5")
    moves = tuple(board.legal_moves)
    assert any(move.promotion for move in moves)
    asked = Evaluation(moves, np.linspace(-3, 3, len(moves)).astype(np.float32).astype(np.float64), (0.25, 0.5, 0.25))
    for number in range(10_000):
        memory.put(number.to_bytes(16, "big"), asked)
    assert memory.get((0).to_bytes(16, "big")) is None
    found = memory.get((9_999).to_bytes(16, "big"))
    assert found is not None
    assert (found.moves, found.logits.tolist(), found.wdl) == (asked.moves, asked.logits.tolist(), asked.wdl)
    kept = sum(memory.get(number.to_bytes(16, "big")) is not None for number in range(10_000))
    assert 1000 < kept < 2**20 / 300


def test_what_is_asked_for_stays_in_memory_longest() -> None:
    memory, asked = Remembered(1), Evaluation(tuple(chess.Board().legal_moves), np.zeros(20), (0.25, 0.5, 0.25))
    memory.put(b"first", asked)
    memory.put(b"second", asked)
    for number in range(10_000):
        memory.put(number.to_bytes(16, "big"), asked)
        if number % 1000 == 0:
            assert memory.get(b"first") is not None
    assert memory.get(b"second") is None


def test_what_is_put_again_takes_no_more_room() -> None:
    """Games that are alike ask the same again and again; the memory of a match was empty, and called itself full."""
    memory = Remembered(1)
    small = Evaluation((chess.Move.from_uci("e2e4"),), np.zeros(1), (0.25, 0.5, 0.25))
    large = Evaluation(tuple(chess.Board().legal_moves), np.zeros(20), (0.25, 0.5, 0.25))
    memory.put(b"other", small)
    for number in range(10_000):
        memory.put(b"same", small if number % 2 else large)
    assert memory.get(b"other") is not None
    again = memory.get(b"same")
    assert again is not None
    assert again.moves == small.moves


@pytest.mark.parametrize("hash_mb", [0, 4])
def test_equal_questions_of_one_call_are_asked_once(net: Net, hash_mb: int) -> None:
    """Four temperatures of a net begin with the same openings; who was not asked for reads on by itself later."""
    counting, random = Counting(net), np.random.default_rng(5)
    evaluator = Evaluator(counting, hash_mb=hash_mb)  # type: ignore[arg-type]
    boards, caches = [chess.Board() for _ in range(4)], [evaluator.new_game() for _ in range(4)]
    found = evaluator.evaluate([Request(b, c, PLAYERS) for b, c in zip(boards, caches, strict=True)])
    assert counting.plies == 1
    for evaluation in found:
        assert_same(evaluation, fresh(net, chess.Board()))
    for board in boards[2:]:
        push_random(board, random)
    found = evaluator.evaluate([Request(b, c, PLAYERS) for b, c in zip(boards, caches, strict=True)])
    for board, evaluation in zip(boards, found, strict=True):
        assert_same(evaluation, fresh(net, board))
    other = [Request(chess.Board(), evaluator.new_game(), Players(1500, rating, 1)) for rating in (2000, 2100)]
    assert np.abs(np.subtract(*[e.logits for e in evaluator.evaluate(other)])).max() > 1e-6
