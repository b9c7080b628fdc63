"""One ``go`` that searches: a tree grown batch by batch, shown as it grows, ended by its limits, the clock or ``stop``.

Knows what the limits of ``go`` mean for a search, and how a tree becomes ``info`` lines and a move. Does not know how a tree
grows (``engine.search``), where nets come from, or pipes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import chess
import numpy as np

from engine.inference.evaluation import Evaluation
from engine.inference.game_cache import Players
from engine.inference.sampling import score_cp
from engine.search.search import Limits, learn, step
from engine.search.tree import LOST, Exact, Exploration, Node, Tree, Wdl, move_to_play, principal, wdl_of
from engine.uci.clock import budget_ms
from engine.uci.options import Settings
from engine.uci.position import write_move
from engine.uci.protocol import BestMove, Go, Info, Reply, Say, wdl_permille
from engine.uci.session import Search
from engine.uci.thinking import delay, sampling_of

_SHOW_EVERY_MS = 200
"""Between two groups of ``info`` lines; the last group comes in any case."""
_NODE_BYTES = 4096
"""What one position of a tree takes in memory, with its board and moves."""
_LINE_MS = 10
"""What the first look at a line may take, where several are to be shown."""
_MATE_VISITS = 20_000
"""Visits that ``go mate`` spends at most, unless more are asked for."""
_POLICY_SHOWN = 5
"""Moves in the ``info string`` about the policy, unless MultiPV asks for more."""
_ENDLESS = 2**31
"""Visits of a search that only ``stop`` or a full tree ends."""


class Leaves(Protocol):
    """What a search needs of a net; ``engine.search.leaves.NetLeaves`` is one."""

    @property
    def share_used(self) -> float: ...
    def begin(self, board: chess.Board, players: Players, nodes: Iterable[Node]) -> Evaluation: ...
    def __call__(self, leaves: Sequence[Node]) -> Sequence[Evaluation]: ...


@dataclass(frozen=True)
class Hunt:
    """All that one searching ``go`` depends on."""

    board: chess.Board
    search: Search
    settings: Settings
    players: Players
    exact: Exact | None
    random: np.random.Generator
    emit: Callable[[Reply], None]


def visits_of(go: Go, settings: Settings) -> int:
    """How many visits of the root a ``go`` asks for; 1 = the net's first evaluation alone, without a search."""
    if go.nodes is not None:
        return max(go.nodes, 1)
    if go.infinite or settings.analyse:
        return _ENDLESS
    return max(settings.nodes, _MATE_VISITS) if go.mate else settings.nodes


class Searcher:
    """Searches one game after another with one net, and keeps the tree from move to move."""

    def __init__(self, leaves: Leaves) -> None:
        self._leaves = leaves
        self._tree: Tree | None = None
        self._key: object = None

    def think(self, hunt: Hunt, restricted: Callable[[Evaluation], Evaluation]) -> BestMove:
        """Search, show, and give the move when one may be given. ``restricted`` leaves out moves that are not to be played."""
        tree = self._begin(hunt, restricted)
        if hunt.search.go.infinite or hunt.settings.analyse:
            hunt.emit(Say(f"policy {_policy(tree.root, hunt)}"))
        self._grow(tree, hunt)
        sampling = sampling_of(hunt.settings)
        chosen = move_to_play(tree, sampling.temperature_at(hunt.board.ply()), hunt.random, top_p=sampling.top_p)
        self._show(tree, hunt, first=chosen)
        hunt.search.wait_for_leave()
        delay(hunt.search, hunt.settings, hunt.board)
        line = [chosen, *principal(chosen)]
        texts = _texts(hunt, line[:2])
        return BestMove(texts[0], texts[1] if hunt.settings.ponder and len(texts) > 1 else None)

    def _begin(self, hunt: Hunt, restricted: Callable[[Evaluation], Evaluation]) -> Tree:
        """The tree of the last move where it leads here under the same conditions, else a new one; its root is evaluated."""
        key = (hunt.players, hunt.search.go.searchmoves, _exploration(hunt.settings), hunt.exact)
        tree = self._tree
        self._tree = None  # an interrupted tree must not be used again
        if tree is None or key != self._key or hunt.search.go.searchmoves or not tree.advance(hunt.board):
            tree = Tree(hunt.board, exploration=_exploration(hunt.settings), exact=hunt.exact)
        evaluation = restricted(self._leaves.begin(hunt.board, hunt.players, tree.walk()))
        if not tree.root.moves:
            for root in tree.gather(1):
                tree.learn(root, evaluation)
        budget, lines = _budget_ms(hunt), hunt.settings.multipv
        if lines > 1 and not hunt.search.halted and (budget is None or budget > lines * _LINE_MS):
            learn(tree, self._leaves, tree.widen(lines))  # each line that is shown is looked at
        self._tree, self._key = tree, key
        return tree

    def _grow(self, tree: Tree, hunt: Hunt) -> None:
        go, shown, spent = hunt.search.go, hunt.search.elapsed_ms(), 0
        limits = Limits(visits_of(go, hunt.settings), nodes=max(1000, hunt.settings.hash_mb * 2**20 // _NODE_BYTES))
        while not self._ended(tree, hunt, needed_ms=spent):
            began = hunt.search.elapsed_ms()
            if not step(tree, self._leaves, limits):
                return
            now = hunt.search.elapsed_ms()
            spent = max(now - began, 0)
            if now - shown >= _SHOW_EVERY_MS and tree.root.children:
                self._show(tree, hunt, first=tree.first())
                shown = now

    def _ended(self, tree: Tree, hunt: Hunt, *, needed_ms: int) -> bool:
        """Whether the clock, ``stop``, or what ``depth`` and ``mate`` ask for ends the search before the next batch."""
        go, root = hunt.search.go, tree.root
        if hunt.search.halted or root.visits < 2:
            return hunt.search.halted
        if go.mate and root.proven and (root.plies_to_end + 1) // 2 <= go.mate:
            return True
        if go.depth and not go.infinite and len(principal(root)) >= go.depth:
            return True
        budget = _budget_ms(hunt)
        return budget is not None and hunt.search.elapsed_ms() + needed_ms >= budget

    def _show(self, tree: Tree, hunt: Hunt, *, first: Node) -> None:
        root = tree.root
        lines = [first, *(node for node in root.best_first() if node is not first)][: hunt.settings.multipv]
        used = max(self._leaves.share_used, tree.nodes * _NODE_BYTES / (hunt.settings.hash_mb * 2**20))
        for number, node in enumerate(lines, start=1):
            line = [node, *principal(node)]
            win, draw, loss = wdl_of(node)
            wdl: Wdl = (loss, draw, win)
            hunt.emit(
                Info(
                    pv=tuple(_texts(hunt, line)),
                    depth=len(line),
                    seldepth=max(tree.deepest, len(line)),
                    multipv=number,
                    score_cp=score_cp(wdl),
                    mate=_mate(node),
                    wdl=wdl_permille(wdl) if hunt.settings.show_wdl else None,
                    nodes=root.visits,
                    time_ms=hunt.search.elapsed_ms(),
                    hashfull=min(1000, round(used * 1000)),
                )
            )


def _budget_ms(hunt: Hunt) -> int | None:
    """Milliseconds from the clock's start that this move may take; None while nothing limits them."""
    budget = budget_ms(hunt.search.go, white=hunt.board.turn, overhead_ms=hunt.settings.move_overhead_ms)
    return None if hunt.search.endless else budget


def _policy(root: Node, hunt: Hunt) -> str:
    """The net's first thought: the likeliest moves and their probabilities."""
    count = max(hunt.settings.multipv, _POLICY_SHOWN)
    shown = zip(root.moves[:count], root.priors, strict=False)
    return " ".join(f"{write_move(hunt.board, move, chess960=hunt.settings.chess960)} {prior:.1%}" for move, prior in shown)


def _exploration(settings: Settings) -> Exploration:
    return Exploration(
        c=settings.cpuct, first_play=settings.first_play, prior_temperature=settings.prior_temperature, draw=settings.draw_score
    )


def _mate(node: Node) -> int | None:
    """Moves to a proven mate, from the side that moved to ``node``; negative when it is mated."""
    if not node.proven:
        return None
    plies = node.plies_to_end + 1
    return (plies + 1) // 2 if node.proven == LOST else -(plies // 2)


def _texts(hunt: Hunt, line: Sequence[Node]) -> list[str]:
    board, texts = hunt.board.copy(stack=False), []
    for node in line:
        if node.move is not None:
            texts.append(write_move(board, node.move, chess960=hunt.settings.chess960))
            board.push(node.move)
    return texts
