"""A search tree over win, draw and loss: which line to look at next (PUCT), and what its evaluation means for all above it.

Knows the rules that end a game, repetitions of the line and of the game before it, and mates that are proven upwards. Does not
know nets, clocks, or how many evaluations are asked for at a time. Sources: Silver et al., "A general reinforcement learning
algorithm" (2018), PUCT; Winands et al., "Monte-Carlo Tree Search Solver" (2008), proven results.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass

import chess
import numpy as np

from engine.encoding import position_key
from engine.inference.evaluation import Evaluation
from engine.inference.sampling import drawn, nucleus
from engine.search.mates import mate_in_one, mate_in_two

Wdl = tuple[float, float, float]
Exact = Callable[[chess.Board], Wdl | None]
"""The exact result of a position for its mover, where it is known (tables of endings)."""

WON, LOST = 1, -1
"""Proven results, for the side to move."""


@dataclass(frozen=True)
class Exploration:
    """How the tree weighs what it knows against what it has not tried."""

    c: float = 0.35
    """Weight of a move's prior against its score."""
    c_growth: float = 0.5
    """By how much that weight grows when the visits of a position grow by e times; see ``c_base``."""
    c_base: float = 2000.0
    """Visits at which the weight has grown by ``c_growth x log 2``."""
    first_play: float = 0.12
    """A move that was not tried yet counts as this much worse than its position, scaled by the root of the prior tried."""
    prior_temperature: float = 1.5
    """Of the priors: p is proportional to exp(logit / temperature)."""
    draw: float = 0.5
    """Points that a draw counts for who searches, 0..1, and for the other side one less that; in the choice of lines alone."""


class Node:
    """One position of the tree. Scores are those of its side to move; ``children`` are the first of ``moves``, in order."""

    __slots__ = (
        "board",
        "children",
        "depth",
        "drawn",
        "ends",
        "key",
        "memory",
        "move",
        "moves",
        "parent",
        "pending",
        "plies_to_end",
        "points",
        "priors",
        "proven",
        "repetitions",
        "visits",
        "wdl",
    )

    def __init__(self, board: chess.Board, *, parent: Node | None, move: chess.Move | None, repetitions: int) -> None:
        self.board, self.parent, self.move = board, parent, move
        self.depth: int = parent.depth + 1 if parent else 0
        """Plies from the tree's first root; it stays when the tree gets another."""
        self.key: Hashable = position_key(board)
        self.repetitions = repetitions
        """Earlier occurrences of this position, in the game and in the line."""
        self.moves: list[chess.Move] = []
        """Legal moves, the likeliest first; empty until the position was evaluated."""
        self.priors: list[float] = []
        self.children: list[Node] = []
        self.visits, self.pending = 0, 0
        self.points, self.drawn = 0.0, 0.0
        """Sums over visits of the expected score (0..1) and of the probability of a draw."""
        self.wdl: Wdl | None = None
        """As evaluated, or exactly where ``ends``; None before."""
        self.ends = False
        """True where the rules or tables say the result."""
        self.proven = 0
        """WON or LOST where a mate is proven, else 0."""
        self.plies_to_end = 0
        """Plies to the mate, where it is proven."""
        self.memory: int = -1
        """For the evaluate function's own use: where it keeps what it has read of this position."""

    @property
    def score(self) -> float:
        """Expected points of the side to move; before any visit one half."""
        return self.points / self.visits if self.visits else 0.5

    def line(self) -> list[Node]:
        """The nodes from below the root to this one."""
        nodes: list[Node] = []
        node: Node = self
        while node.parent is not None:
            nodes.append(node)
            node = node.parent
        return nodes[::-1]

    def best_first(self) -> list[Node]:
        """The children as one would play them: a proven mate, the shortest first; by visits, of equal ones the likelier; what
        loses by force last."""
        return sorted(self.children, key=_preference)


def _preference(child: Node) -> tuple[int, int]:
    """Of a child, for the side that moves to it: the smaller, the better. Children are in the order of their priors."""
    if child.proven == LOST:
        return (-1, child.plies_to_end)
    if child.proven == WON:
        return (1, -child.plies_to_end)
    return (0, -child.visits)


class Tree:
    """The positions that a search has seen, from a root with the game behind it."""

    def __init__(self, board: chess.Board, *, exploration: Exploration | None = None, exact: Exact | None = None) -> None:
        """``board`` has the game's moves on its stack; it is copied."""
        self.exploration = exploration or Exploration()
        self._exact = exact
        self._game, self._played = _keys_of(board), _game_of(board)
        self.root = Node(board.copy(stack=False), parent=None, move=None, repetitions=self._game.count(position_key(board)))
        self.nodes, self._deepest = 1, 0
        self._end_without_moves(self.root)  # nothing else ends a root: it is searched whatever its history says

    def gather(self, most: int) -> list[Node]:
        """Different positions to evaluate next, with the lines that end by rule at most ``most``; these are counted at once.

        Each must be given to ``learn``; until then the lines to them look worse than they are, so that others are chosen.
        """
        leaves: list[Node] = []
        for _ in range(most):
            if self.root.proven or self.root.ends:
                break
            leaf = self._descend()
            if leaf is None:
                break
            leaves += self._taken(leaf)
        return leaves

    def widen(self, moves: int) -> list[Node]:
        """The same for the likeliest ``moves`` of the root that were not looked at yet, whatever their promise."""
        leaves: list[Node] = []
        while len(self.root.children) < min(moves, len(self.root.moves)) and not self.root.proven:
            leaves += self._taken(self._grow(self.root))
        return leaves

    def _taken(self, leaf: Node) -> list[Node]:
        """``leaf``, marked, if it is to be evaluated; nothing, and its visit counted, if its result is known."""
        if leaf.ends or leaf.proven:
            self._count(leaf, leaf.wdl)
            return []
        self._mark(leaf, 1)
        return [leaf]

    def learn(self, leaf: Node, evaluation: Evaluation) -> None:
        """What an evaluation says of a position that ``gather`` gave."""
        order = np.argsort(-evaluation.logits, kind="stable")
        odds = np.exp((evaluation.logits - evaluation.logits.max()) / self.exploration.prior_temperature)
        priors = odds / odds.sum()
        leaf.moves = [evaluation.moves[i] for i in order]
        leaf.priors = priors[order].tolist()
        leaf.wdl = evaluation.wdl
        if leaf is self.root:
            self._see_mate()
        self._mark(leaf, -1)
        self._count(leaf, evaluation.wdl)

    def shorten(self) -> None:
        """Where a longer mate is proven, look whether there is one in two moves: a search ends at the first that it finds."""
        root = self.root
        if root.proven != WON or root.plies_to_end <= 3:
            return
        mate = mate_in_two(root.board)
        if mate is None or mate not in root.moves:
            return
        child = next((child for child in root.children if child.move == mate), None) or self._grow_first(root, mate)
        if not child.moves:
            child.moves = list(child.board.legal_moves)
            child.priors = [1 / len(child.moves)] * len(child.moves)
        while len(child.children) < len(child.moves):
            self._grow(child)

    def first(self) -> Node:
        """The child to play. Where none was looked at, or all of them lose by force, grows the likeliest of the other moves."""
        root = self.root
        while True:
            best = root.best_first()[0] if root.children else None
            if best and (best.proven != WON or len(root.children) == len(root.moves)):
                return best
            self._grow(root)

    def advance(self, board: chess.Board) -> bool:
        """Make ``board`` the root, with what is known below it. False, and nothing changed, where the tree does not hold it, or
        holds it after another game: what an evaluation says depends on all moves before it."""
        node = self._found(board) if self._is_continued_by(board) else None
        if node is None or node.ends or node.wdl is None:  # without an evaluation its moves are not known
            return False
        self._game, self._played = _keys_of(board), _game_of(board)
        node.parent, node.move = None, None
        node.repetitions = self._game.count(node.key)
        self.root = node
        depths = [node.depth for node in self.walk()]
        self.nodes, self._deepest = len(depths), max(depths)
        return True

    @property
    def deepest(self) -> int:
        """Plies from the root to the position farthest from it."""
        return self._deepest - self.root.depth

    def walk(self) -> Iterator[Node]:
        """All nodes, each before those below it."""
        waiting = [self.root]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += node.children

    def _is_continued_by(self, board: chess.Board) -> bool:
        """Whether ``board`` was reached by the root's game and, it may be, more moves."""
        (start, moves), (other_start, other_moves) = self._played, _game_of(board)
        return start == other_start and moves == other_moves[: len(moves)]

    def _found(self, board: chess.Board) -> Node | None:
        """The node whose line leads from the root to ``board``: the root itself, or one or two moves below it."""
        key, clock = position_key(board), board.halfmove_clock
        for depth in range(3):
            moves = board.move_stack[len(board.move_stack) - depth :]
            if len(moves) < depth:
                return None
            node: Node | None = self.root
            for move in moves:
                node = next((child for child in node.children if child.move == move), None) if node else None
            if node and node.key == key and node.board.halfmove_clock == clock and node.board.ply() == board.ply():
                return node
        return None

    def _descend(self) -> Node | None:
        """The position to look at next: a new one, or one that ends; None where all of them are being evaluated."""
        node = self.root
        while node.moves and not node.ends and not node.proven:
            chosen = self._choose(node)
            if chosen is None:
                return None
            node = chosen
        known = node.ends or node.proven
        return node if known or not node.pending else None

    def _choose(self, node: Node) -> Node | None:
        """The child to go to; a new one where none of the old is as promising."""
        settings, visits = self.exploration, node.visits + node.pending
        growth = settings.c_growth * math.log((visits + settings.c_base) / settings.c_base)
        weight = (settings.c + growth) * math.sqrt(max(visits, 1))
        liking = (settings.draw - 0.5) * (-1 if (node.depth - self.root.depth) % 2 else 1)  # of draws, by this node's mover
        here = node.score + liking * node.drawn / max(node.visits, 1)
        best, best_value, tried = None, -math.inf, 0.0
        for child, prior in zip(node.children, node.priors, strict=False):
            tried += prior
            if child.proven == WON:
                continue
            count = child.visits + child.pending
            if count:
                known = (child.visits - child.points + liking * child.drawn) / count
            else:
                known = here - settings.first_play * math.sqrt(tried)
            value = known + weight * prior / (1 + count)
            if value > best_value:
                best, best_value = child, value
        if len(node.children) < len(node.moves):
            expected = here - settings.first_play * math.sqrt(tried)
            if best is None or expected + weight * node.priors[len(node.children)] > best_value:
                return self._grow(node)
        return best

    def _grow(self, node: Node) -> Node:
        """The next of the children that are not there yet."""
        move = node.moves[len(node.children)]
        board = node.board.copy(stack=False)
        board.push(move)
        board.move_stack.clear()
        child = Node(board, parent=node, move=move, repetitions=0)
        child.repetitions = self._repetitions(child)
        node.children.append(child)
        self.nodes, self._deepest = self.nodes + 1, max(self._deepest, child.depth)
        self._settle(child)
        return child

    def _see_mate(self) -> None:
        """Grow the root's mate in one, if it has one among its moves: the other positions are looked at as they come up."""
        root, mate = self.root, mate_in_one(self.root.board)
        if mate is not None and mate in root.moves and not root.children:
            self._grow_first(root, mate)

    def _grow_first(self, node: Node, move: chess.Move) -> Node:
        """Grow the child of one move, before all others that are not there yet."""
        at, next_one = node.moves.index(move), len(node.children)
        node.moves.insert(next_one, node.moves.pop(at))
        node.priors.insert(next_one, node.priors.pop(at))
        return self._grow(node)

    def _repetitions(self, node: Node) -> int:
        """Earlier occurrences of the position; one of this very line counts for two, for it can come a third time as well."""
        left, count, above = node.board.halfmove_clock, 0, node.parent
        while above is not None and left > 0:
            if above.key == node.key:
                count += 1 if above.parent is None else 2
            left, above = left - 1, above.parent
        if left > 0:
            count += self._game[max(0, len(self._game) - left) :].count(node.key)
        return count

    def _settle(self, node: Node) -> None:
        """Say the result where the rules or the tables know it."""
        board = node.board
        if self._end_without_moves(node):
            return
        if node.repetitions >= 2 or board.halfmove_clock >= 100 or board.is_insufficient_material():
            node.ends, node.wdl = True, (0.0, 1.0, 0.0)
        elif self._exact is not None and (result := self._exact(board)) is not None:
            node.ends, node.wdl = True, result
        elif (mate := mate_in_one(board)) is not None:  # no evaluation is needed: some 60 microseconds against a thousand
            node.moves, node.priors = [mate], [1.0]
            self._grow(node)

    def _end_without_moves(self, node: Node) -> bool:
        """Whether the position is mate or stalemate, which it then says."""
        if any(node.board.generate_legal_moves()):
            return False
        mated = node.board.is_check()
        node.ends, node.wdl = True, (0.0, 0.0, 1.0) if mated else (0.0, 1.0, 0.0)
        if mated:
            self._prove(node, LOST, 0)
        return True

    def _prove(self, node: Node, result: int, plies: int) -> None:
        """Keep a proven result, and what follows from it for the positions above."""
        node.proven, node.plies_to_end = result, plies
        above = node.parent
        if above is None:
            return
        if result == LOST and not (above.proven == WON and above.plies_to_end <= plies + 1):
            self._prove(above, WON, plies + 1)
        elif result == WON and 0 < len(above.moves) == len([child for child in above.children if child.proven == WON]):
            self._prove(above, LOST, 1 + max(child.plies_to_end for child in above.children))

    def _mark(self, leaf: Node, change: int) -> None:
        node: Node | None = leaf
        while node is not None:
            node.pending += change
            node = node.parent

    def _count(self, leaf: Node, wdl: Wdl | None) -> None:
        """One more visit on the way from ``leaf`` to the root."""
        win, draw, _ = wdl or (0.0, 1.0, 0.0)
        points, node = win + draw / 2, leaf
        while True:
            if node.proven:
                points, draw = float(node.proven == WON), 0.0
            node.visits += 1
            node.points += points
            node.drawn += draw
            if node.parent is None:
                return
            points, node = 1 - points, node.parent


def _game_of(board: chess.Board) -> tuple[str, list[chess.Move]]:
    """Where a game began, and its moves."""
    return board.root().fen(), list(board.move_stack)


def _keys_of(board: chess.Board) -> list[Hashable]:
    """The positions of the game before this one, as far as it could return to them."""
    keys: list[Hashable] = []
    walked = board.copy(stack=board.halfmove_clock)
    while walked.move_stack:
        walked.pop()
        keys.append(position_key(walked))
    return keys[::-1]


def principal(node: Node) -> list[Node]:
    """The line that one would play from ``node``: the best child, its best child, and so on, as far as one was looked at."""
    line: list[Node] = []
    while node.children:
        best = node.best_first()[0]
        if not best.visits and not best.proven:
            break
        if best.proven == WON and not node.proven:  # all that were looked at lose, and the mover has others
            break
        line.append(best)
        node = best
    return line


def wdl_of(node: Node) -> Wdl:
    """Win, draw and loss of the side to move, over all visits; sums to 1."""
    if node.proven or not node.visits:
        return (
            (1.0, 0.0, 0.0) if node.proven == WON else (0.0, 0.0, 1.0) if node.proven == LOST else (node.wdl or (0.0, 1.0, 0.0))
        )
    draw = min(max(node.drawn / node.visits, 0.0), 1.0)
    win = min(max(node.score - draw / 2, 0.0), 1.0 - draw)
    return win, draw, 1.0 - win - draw


def move_to_play(tree: Tree, temperature: float, random: np.random.Generator, *, top_p: float = 1.0) -> Node:
    """The child to play: a proven mate first, else drawn by ``visit_shares`` from those that do not lose by force; where all
    of them do, the one that holds out longest. Below 1, ``top_p`` leaves the most visited that have this share together."""
    best = tree.first()
    if best.proven:
        return best
    nodes = [node for node in tree.root.best_first() if not node.proven]
    shares = np.array(visit_shares(nodes, temperature))
    return nodes[drawn(shares if top_p >= 1 else nucleus(shares, top_p), random)]


def visit_shares(nodes: Sequence[Node], temperature: float) -> list[float]:
    """The probability with which each of some children is played: (visits + prior) ** (1 / temperature), at 0 all for the
    first. The prior decides between moves that were looked at equally often, and before any look it is the net's policy."""
    if temperature <= 0:
        return [1.0] + [0.0] * (len(nodes) - 1)
    logs = np.array([math.log(node.visits + max(_prior(node), 1e-9)) for node in nodes]) / temperature
    odds = np.exp(logs - logs.max())
    shares: list[float] = (odds / odds.sum()).tolist()
    return shares


def _prior(node: Node) -> float:
    """What the net gave the move to a child of a root before it was looked at."""
    above = node.parent
    return above.priors[above.children.index(node)] if above is not None else 1.0
