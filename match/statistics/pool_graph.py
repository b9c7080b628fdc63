"""A pool of players as a graph: who is tied to whom, and the equations of its ratings solved along its edges.

Knows graphs and sums over edges, for pools in which almost no two players met. Does not know results or ratings.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def tied(takers: Ints, givers: Ints, *, known: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """(N,) who can be reached from the ``known`` (N,) players along edges from taker to giver, and reaches them too.

    Where none is known: the largest group of players who all reach each other, of several the one with the first player.
    """
    forward, backward = _neighbours(takers, givers, len(known)), _neighbours(givers, takers, len(known))
    if known.any():
        begin = np.flatnonzero(known).tolist()
        group = _reached(forward, begin, [False] * len(known))
        group = list(set(group) & set(_reached(backward, begin, [False] * len(known))))
    else:
        seen = [False] * len(known)
        groups = [_reached(backward, [root], seen) for root in reversed(_by_leaving(forward)) if not seen[root]]
        group = max(groups, key=lambda group: (len(group), -min(group)))
    connected = np.zeros(len(known), np.bool_)
    connected[group] = True
    return connected


def _neighbours(sources: Ints, targets: Ints, size: int) -> list[list[int]]:
    neighbours: list[list[int]] = [[] for _ in range(size)]
    for source, target in zip(sources.tolist(), targets.tolist(), strict=True):
        neighbours[source].append(target)
    return neighbours


def _reached(edges: Sequence[Sequence[int]], begin: Iterable[int], seen: list[bool]) -> list[int]:
    """All that is reached from ``begin`` and not ``seen`` yet; marks it."""
    group = list(begin)
    for node in group:
        seen[node] = True
    for node in group:  # grows as it is read
        for target in edges[node]:
            if not seen[target]:
                seen[target] = True
                group.append(target)
    return group


def _by_leaving(edges: Sequence[Sequence[int]]) -> list[int]:
    """All nodes in the order in which a walk in depth leaves them (Kosaraju): groups come out one by one, from the end."""
    seen, order = [False] * len(edges), []
    for root in range(len(edges)):
        path = [] if seen[root] else [(root, iter(edges[root]))]
        seen[root] = True
        while path:
            node, rest = path[-1]
            target = next((t for t in rest if not seen[t]), None)
            if target is None:
                order.append(node)
                path.pop()
            else:
                seen[target] = True
                path.append((target, iter(edges[target])))
    return order


@dataclass(frozen=True)
class Edges:
    """The matrix D' W D + prior over N players and one number that all edges share, never written out.

    An edge's row of D is +1 at its ``white``, -1 at its ``black`` and +1 at the shared number.
    """

    white: Ints
    """(K,)"""
    black: Ints
    """(K,)"""
    weight: Floats
    """(K,) the diagonal of W."""
    free: Ints
    """Players that are unknowns; the others are 0."""
    prior: Floats
    """(N + 1,) diagonal, above 0."""

    def gathered(self, pull: Floats) -> Floats:
        """(N + 1,) D' ``pull``, where (K,) numbers pull at the edges."""
        size = len(self.prior) - 1
        sums = np.bincount(self.white, pull, size) - np.bincount(self.black, pull, size)
        return np.append(sums, pull.sum())

    def noise(self, random: np.random.Generator) -> Floats:
        """(N + 1,) a normal draw whose covariance is the matrix, but for the players' priors."""
        draw = self.gathered(np.sqrt(self.weight) * random.standard_normal(len(self.weight)))
        draw[-1] += np.sqrt(self.prior[-1]) * random.standard_normal()
        return draw

    def solve(self, right: Floats, *, tolerance: float = 1e-4) -> Floats:
        """(N + 1,) the solution for a right side, by conjugate gradients with the matrix's diagonal as the measure."""
        active = np.zeros(len(self.prior))
        active[self.free] = active[-1] = 1
        scale = active / self._diagonal()
        x, rest = np.zeros_like(right), right * active
        along = scale * rest
        size = begin = float(rest @ along)
        for _ in range(2 * len(right)):
            if size <= tolerance**2 * begin:
                break
            product = active * self._times(along)
            share = size / float(along @ product)
            x += share * along
            rest -= share * product
            before, size = size, float(rest @ (scale * rest))
            along = scale * rest + size / before * along
        return x

    def _times(self, x: Floats) -> Floats:
        return self.gathered(self.weight * (x[self.white] - x[self.black] + x[-1])) + self.prior * x

    def _diagonal(self) -> Floats:
        size = len(self.prior) - 1
        players = np.bincount(self.white, self.weight, size) + np.bincount(self.black, self.weight, size)
        return np.append(players, self.weight.sum()) + self.prior
