"""How often a search plays the move that people played: the net alone, and with more and more evaluations a move.

    python -m training.evaluation.searched NET STORE --out searched.json

One ply of each of many held-out games, of players within a hundred points of a rating; the net is conditioned on
what it prefers, as in the engine with ``Nodes``. Knows games, positions and shares. Does not know how strong a search is
(recipes/dial.sh).
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import math
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import chess
import numpy as np

from engine.command_line import run_command
from engine.encoding import Scale
from engine.errors import ConfigError
from engine.files import write_text
from engine.inference.game_cache import Players
from engine.net import Net
from engine.search.leaves import NetLeaves, searched
from engine.search.search import Limits, search
from engine.vocabulary import UCI_MOVES
from training.data.store import Game, Store, blocks, open_store, unpack

_NEAR = 100
"""Points within which a player is rated like a group."""
_OPENING_PLIES = 8
"""Of a game that are left out: everybody knows them."""
_MEGABYTES = 64


@dataclass(frozen=True)
class Group:
    """People of one rating."""

    rating: int
    scale: Scale

    def __str__(self) -> str:
        return f"{self.rating} {self.scale.name.lower()}"


@dataclass(frozen=True)
class Position:
    """One ply of a game of people."""

    board: chess.Board
    """With the game on its stack."""
    played: chess.Move


@dataclass(frozen=True)
class Agreement:
    """One group, one number of evaluations a move."""

    group: str
    nodes: int
    positions: int
    same: int
    """Positions in which the search plays what was played."""
    kept: int
    """Positions in which it plays what the net alone plays."""
    gained: int
    lost: int
    """Positions that the net alone does not foresee and the search does, and the other way round."""

    @property
    def share(self) -> float:
        return self.same / self.positions

    @property
    def change(self) -> float:
        """Of the share, beside the net alone."""
        return (self.gained - self.lost) / self.positions

    @property
    def change_error(self) -> float:
        """One standard error of ``change``: positions are of different games."""
        spread = (self.gained + self.lost) / self.positions - self.change**2
        return math.sqrt(spread / self.positions)


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(prog="searched", description="How often a search plays the move that people played.")
    options.add_argument("net", type=Path, help="an exported net (.onnx)")
    options.add_argument("store", type=Path, help="token store; its validation split is read")
    options.add_argument(
        "--nodes", type=int, nargs="+", default=[4, 16, 64, 256], help="evaluations a move (default: %(default)s)"
    )
    options.add_argument(
        "--groups", nargs="+", default=["1000:lichess", "1500:lichess", "2000:lichess", "2500:fide"], metavar="RATING:SCALE"
    )
    options.add_argument("--positions", type=int, default=1000, help="of each group, at most (default: %(default)s)")
    options.add_argument("--seed", type=int, default=1)
    options.add_argument("--out", type=Path, help="also write the figures as JSON")
    return options


def main(argv: list[str] | None = None) -> int:
    """Search and print; returns the exit status."""
    arguments = parser().parse_args(argv)
    return run_command("searched", lambda: _measure(arguments))


def _measure(arguments: argparse.Namespace) -> None:
    groups = [_group(text) for text in arguments.groups]
    if min(arguments.nodes) < 1 or arguments.positions < 1:
        raise ConfigError(f"expected --nodes and --positions of 1 or more, got {arguments.nodes} and {arguments.positions}")
    net, store = Net.open(arguments.net, threads=1), open_store(arguments.store)
    measured: list[Agreement] = []
    for group in groups:
        positions = positions_of(store, group, most=arguments.positions, seed=arguments.seed)
        measured += agreements(net, positions, arguments.nodes, group=str(group))
    print(agreement_table(measured))
    if arguments.out:
        head = {"net": arguments.net.name, "seed": arguments.seed}
        rows = [dataclasses.asdict(one) for one in measured]
        write_text(arguments.out, json.dumps(head | {"groups": rows}, indent=1) + "\n")


def _group(text: str) -> Group:
    rating, _, scale = text.partition(":")
    try:
        return Group(int(rating), Scale[scale.upper()])
    except (ValueError, KeyError):
        raise ConfigError(f"expected groups as RATING:SCALE, e.g. 1500:lichess, got {text!r}") from None


def positions_of(store: Store, group: Group, *, most: int, seed: int) -> list[Position]:
    """A ply of each of at most ``most`` held-out games, both drawn at random. Raises ConfigError where there is none."""
    random = np.random.default_rng(seed)
    games = list(_held_out(store, group))
    positions: list[Position] = []
    for i in random.permutation(len(games)):
        if len(positions) == most:
            break
        theirs = [ply for ply in range(_OPENING_PLIES, len(games[i].moves)) if _is_near(games[i], ply, group)]
        if theirs:
            positions.append(_position(games[i], int(random.choice(theirs))))
    if not positions:
        raise ConfigError(f"expected held-out games of players rated about {group}, found none")
    return positions


def _held_out(store: Store, group: Group) -> Iterator[Game]:
    """Games from the initial position with a player of the group."""
    held_out = np.concatenate(store.held_out())
    done = 0
    for block in blocks(store):
        records = block.records
        near = [np.abs(records[side].astype(np.int64) - group.rating) <= _NEAR for side in ("white_elo", "black_elo")]
        keep = held_out[done : done + len(block)] & (near[0] | near[1])
        done += len(block)
        yield from unpack(block.take(keep & (records["scale"] == int(group.scale)) & (records["start"] < 0)))


def _is_near(game: Game, ply: int, group: Group) -> bool:
    return abs((game.black_elo if ply % 2 else game.white_elo) - group.rating) <= _NEAR


def _position(game: Game, ply: int) -> Position:
    board = chess.Board()
    moves = [chess.Move.from_uci(UCI_MOVES[i]) for i in game.moves[: ply + 1]]
    for move in moves[:-1]:
        board.push(move)
    return Position(board, moves[-1])


def agreements(net: Net, positions: Sequence[Position], nodes: Sequence[int], *, group: str) -> list[Agreement]:
    """A line for the net alone and one for each number of evaluations; a smaller search is the beginning of the larger."""
    leaves, play = NetLeaves(net, megabytes=_MEGABYTES), net.info.play
    rating = int(play.get("rating", 0))
    players = Players(rating, rating, int(play.get("scale", 0)) if rating else 0)
    asked = sorted({1, *nodes})
    chosen = [list(_choices(leaves, position.board, players, asked)) for position in positions]
    same = np.array([[move == p.played for move in moves] for moves, p in zip(chosen, positions, strict=True)])
    kept = np.array([[move == moves[0] for move in moves] for moves in chosen])
    return [
        Agreement(
            group,
            n,
            len(positions),
            int(same[:, k].sum()),
            int(kept[:, k].sum()),
            int((same[:, k] & ~same[:, 0]).sum()),
            int((~same[:, k] & same[:, 0]).sum()),
        )
        for k, n in enumerate(asked)
    ]


def _choices(leaves: NetLeaves, board: chess.Board, players: Players, nodes: Sequence[int]) -> Iterator[chess.Move | None]:
    """The move that would be played after each number of evaluations."""
    tree = searched(leaves, board, players, Limits(1))
    for n in nodes:
        search(tree, leaves, Limits(n))
        yield tree.first().move


def agreement_table(measured: Sequence[Agreement]) -> str:
    """The figures as text."""
    lines = ["people          evaluations  positions  their move   change beside 1    the net's own move"]
    for a in measured:
        change = "" if a.nodes == 1 else f"{100 * a.change:+5.1f} ± {196 * a.change_error:.1f}"
        kept = a.kept / a.positions
        lines.append(f"{a.group:14}  {a.nodes:11}  {a.positions:9}  {a.share:10.1%}  {change:>16}  {kept:19.1%}")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
