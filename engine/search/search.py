"""Evaluations spent on a tree until there are enough: batches of positions to an evaluate function, results into the tree.

Knows budgets and batches. Does not know nets or clocks: whether to stop it asks.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from engine.inference.evaluation import Evaluation
from engine.search.tree import Node, Tree

Evaluate = Callable[[Sequence[Node]], Sequence[Evaluation]]
"""Evaluations of positions of one tree, in their order."""


@dataclass(frozen=True)
class Limits:
    """How much is searched."""

    visits: int
    """Of the root, those of an earlier search among them."""
    batch: int = 16
    """Positions evaluated together at most. Small trees get smaller batches, for each is chosen without the others' results."""
    nodes: int = 100_000
    """Positions in memory at most; a full tree is searched no further."""

    def batch_at(self, visits: int) -> int:
        """How many positions to evaluate together in a tree with so many visits."""
        return max(1, min(self.batch, visits // 8, self.visits - visits))


def search(tree: Tree, evaluate: Evaluate, limits: Limits, *, halted: Callable[[], bool] = lambda: False) -> None:
    """Search until the limits are reached, a mate is proven or ``halted`` says so; between two batches it is asked.

    The first position, the root, is always evaluated.
    """
    while step(tree, evaluate, limits) and not halted():
        pass


def step(tree: Tree, evaluate: Evaluate, limits: Limits) -> bool:
    """One batch; False where there is nothing more to do within the limits."""
    root = tree.root
    tree.shorten()
    if root.ends or root.proven or root.visits >= limits.visits or tree.nodes >= limits.nodes:
        return False
    before = root.visits
    learn(tree, evaluate, tree.gather(limits.batch_at(before)))
    return root.visits > before


def learn(tree: Tree, evaluate: Evaluate, leaves: Sequence[Node]) -> None:
    """Evaluate positions that a tree gave, and tell it."""
    for leaf, evaluation in zip(leaves, evaluate(leaves) if leaves else (), strict=True):
        tree.learn(leaf, evaluation)
