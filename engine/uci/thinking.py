"""One ``go``: from the net's evaluation of the position to ``info`` lines and a ``bestmove``.

Knows how a move is chosen (``engine.inference.sampling``), shown, scored and delayed. Does not know where nets come
from, options' texts, threads' beginnings or pipes: it is handed everything, and asks ``Search`` whether to stop.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import chess
import numpy as np

from engine.inference.evaluator import Evaluation, GameCache, Players, Request
from engine.inference.sampling import Sampling, choose, mates, policy, score_cp
from engine.uci.clock import budget_ms
from engine.uci.endings import Ending, Tables
from engine.uci.options import Settings
from engine.uci.position import read_move, write_move
from engine.uci.protocol import BestMove, Info, Reply, Say, wdl_permille
from engine.uci.session import Search

Wdl = tuple[float, float, float]
"""Win, draw, loss of the side that is named, sum 1."""

_POLICY_SHOWN = 5
"""Moves in the ``info string`` about the policy, unless MultiPV asks for more."""


class GameEvaluator(Protocol):
    """What thinking needs of an evaluator; ``engine.inference.evaluator.Evaluator`` is one."""

    def new_game(self) -> GameCache: ...
    def evaluate(self, requests: Sequence[Request]) -> list[Evaluation]: ...


@dataclass(frozen=True)
class Task:
    """All that one ``go`` depends on."""

    board: chess.Board
    search: Search
    settings: Settings
    judge: GameEvaluator
    cache: GameCache
    players: Players
    tables: Tables | None
    random: np.random.Generator
    emit: Callable[[Reply], None]


@dataclass(frozen=True)
class RatedLine:
    """The position after a move."""

    move: chess.Move
    wdl: Wdl
    """For the side that made the move."""
    reply: chess.Move | None
    """The likeliest answer; None where the game is over."""
    judged: bool
    """True when it took an evaluation, False when the rules alone say the result."""


def think(task: Task) -> BestMove:
    """Choose a move, show it, and give it when a best move may be given. Needs a position with a legal move."""
    evaluation = task.judge.evaluate([Request(task.board, task.cache, task.players)])[0]
    ending = task.tables.probe(task.board) if task.tables else None
    evaluation = restricted(evaluation, task, ending)
    choice = choose(evaluation, task.board, sampling_of(task.settings), random=task.random)
    wdl = ending.wdl if ending else evaluation.wdl
    show = _analyse if _analysing(task) else _show_choice
    reply = show(task, evaluation, choice.move, wdl=wdl)
    task.search.wait_for_leave()
    delay(task.search, task.settings, task.board)
    return BestMove(_text(task, choice.move), _reply_text(task, choice.move, reply) if task.settings.ponder else None)


def sampling_of(settings: Settings) -> Sampling:
    """The options that say how a move is drawn. A player of limited strength overlooks a mate as people do: dials are
    measured so."""
    return Sampling(
        temperature=settings.temperature,
        top_p=settings.top_p,
        opening_temperature=settings.opening_temperature,
        opening_plies=settings.opening_plies,
        avoid_repetition=settings.avoid_repetition,
        take_mate=settings.take_mate and not settings.limit_strength,
    )


def show_end(board: chess.Board) -> Info:
    """The line that goes before ``bestmove (none)``: mate or stalemate on the board."""
    return Info(depth=0, seldepth=0, mate=0 if board.is_check() else None)


def restricted(evaluation: Evaluation, task: Task, ending: Ending | None) -> Evaluation:
    """Only the moves that ``searchmoves`` allows and, with tables, that keep the best result."""
    wanted = {read_move(task.board, text) for text in task.search.go.searchmoves} - {None}
    if task.search.go.searchmoves and not wanted:
        task.emit(Say("searchmoves names no legal move; all moves are considered"))
    kept = [i for i, m in enumerate(evaluation.moves) if not wanted or m in wanted]
    if ending:
        kept = [i for i in kept if evaluation.moves[i] in ending.moves] or kept
    if len(kept) == len(evaluation.moves):
        return evaluation
    return replace(evaluation, moves=tuple(evaluation.moves[i] for i in kept), logits=evaluation.logits[kept])


def _analysing(task: Task) -> bool:
    return task.settings.analyse or task.settings.multipv > 1 or task.search.go.infinite


def _show_choice(task: Task, evaluation: Evaluation, move: chess.Move, *, wdl: Wdl) -> chess.Move | None:
    """One line about the move that will be played; returns the expected reply when pondering is on."""
    after = _result_after(task.board, move)
    child = None
    if after is None and task.settings.ponder and _time_left(task, needed_ms=0):
        child = _judged_after(task, move)
    known = RatedLine(move, after or wdl, child.reply if child else None, judged=False)
    task.emit(_info(task, known, multipv=1, nodes=1 + (child is not None)))
    return known.reply


def _analyse(task: Task, evaluation: Evaluation, chosen: chess.Move, *, wdl: Wdl) -> chess.Move | None:
    """The likeliest moves, the chosen one first, each with its probability and the score after it."""
    probabilities = policy(evaluation, temperature=1.0)
    order = sorted(range(len(evaluation.moves)), key=lambda i: (evaluation.moves[i] != chosen, -probabilities[i]))
    shown = order[: max(task.settings.multipv, _POLICY_SHOWN)]
    text = " ".join(f"{_text(task, evaluation.moves[i])} {probabilities[i]:.1%}" for i in shown)
    task.emit(Say(f"policy {text}"))
    nodes, replies = 1, {}
    moves = [evaluation.moves[i] for i in order[: task.settings.multipv]]
    for multipv, child in enumerate(_judge_children(task, moves), start=1):
        nodes += child.judged
        replies[child.move] = child.reply
        task.emit(_info(task, child, multipv=multipv, nodes=nodes))
    if not replies:
        task.emit(_info(task, RatedLine(chosen, wdl, None, judged=False), multipv=1, nodes=nodes))
    return replies.get(chosen)


def _judge_children(task: Task, moves: Sequence[chess.Move]) -> Iterator[RatedLine]:
    """Judge the positions after ``moves``, in their order, until ``stop`` or the clock ends it.

    One by one: they share the game's cache, so each costs one step of the net, and ``stop`` is honoured between two.
    """
    spent_ms = 0
    for move in moves:
        if not _time_left(task, needed_ms=spent_ms):
            return
        started = task.search.elapsed_ms()
        yield _judged_after(task, move)
        spent_ms = task.search.elapsed_ms() - started


def _judged_after(task: Task, move: chess.Move) -> RatedLine:
    result = _result_after(task.board, move)
    if result:
        return RatedLine(move, result, None, judged=False)
    board = _after(task.board, move)
    evaluation = task.judge.evaluate([Request(board, task.cache, task.players)])[0]
    ending = task.tables.probe(board) if task.tables else None
    win, draw, loss = ending.wdl if ending else evaluation.wdl
    return RatedLine(move, (loss, draw, win), evaluation.moves[int(np.argmax(evaluation.logits))], judged=True)


def _after(board: chess.Board, move: chess.Move) -> chess.Board:
    after = board.copy()
    after.push(move)
    return after


def _result_after(board: chess.Board, move: chess.Move) -> Wdl | None:
    """The result, for the mover, where ``move`` ends the game by rule; None where the game continues."""
    board.push(move)
    try:
        if board.is_checkmate():
            return 1.0, 0.0, 0.0
        drawn = board.is_stalemate() or board.is_insufficient_material() or board.is_fifty_moves() or board.is_repetition(3)
        return (0.0, 1.0, 0.0) if drawn else None
    finally:
        board.pop()


def _time_left(task: Task, *, needed_ms: int) -> bool:
    budget = budget_ms(task.search.go, white=task.board.turn, overhead_ms=task.settings.move_overhead_ms)
    return not task.search.halted and (budget is None or task.search.elapsed_ms() + needed_ms < budget)


def delay(search: Search, settings: Settings, board: chess.Board) -> None:
    """Wait for what is left of ``MoveDelay``, as far as the clock allows."""
    if settings.move_delay_ms and not search.go.infinite:
        budget = budget_ms(search.go, white=board.turn, overhead_ms=settings.move_overhead_ms)
        until = settings.move_delay_ms if budget is None else min(settings.move_delay_ms, budget)
        search.wait(until - search.elapsed_ms())


def _info(task: Task, line: RatedLine, *, multipv: int, nodes: int) -> Info:
    reply = _reply_text(task, line.move, line.reply)
    pv = (_text(task, line.move), reply) if reply else (_text(task, line.move),)
    return Info(
        pv=pv,
        seldepth=len(pv),
        multipv=multipv,
        score_cp=score_cp(line.wdl),
        mate=1 if mates(task.board, line.move) else None,
        wdl=wdl_permille(line.wdl) if task.settings.show_wdl else None,
        nodes=nodes,
        time_ms=task.search.elapsed_ms(),
    )


def _text(task: Task, move: chess.Move) -> str:
    return write_move(task.board, move, chess960=task.settings.chess960)


def _reply_text(task: Task, move: chess.Move, reply: chess.Move | None) -> str | None:
    if reply is None:
        return None
    after = task.board.copy(stack=False)
    after.push(move)
    return write_move(after, reply, chess960=task.settings.chess960)
