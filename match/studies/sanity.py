"""What a human notices at once in an opponent: whether it mates in one, converts what is won, and shuffles while ahead.

Knows positions, how they are drawn from games that were played, and how often something happened in finished games. Does not
know how moves are found, engines, folders or the command line: a net's moves and evaluations, and a judge, are handed in.

One rule says who is winning throughout: three points of material ahead (pawn 1, knight and bishop 3, rook 5, queen 9).
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import chess
import numpy as np

from engine.errors import MatchError
from engine.inference.evaluation import Evaluation
from engine.inference.sampling import draws, mates, plausible
from match.material import material_lead
from match.play.game import Played
from match.play.openings import Opening, random_endgames
from match.play.schedule import Fixture
from match.statistics.scores import WHITE_POINTS
from match.studies.boards import Example

POSITIONS = Path(__file__).with_name("sanity.txt")
WINNING_POINTS = 3
AHEAD_CP = 500
"""By the judge, for the side to move."""
LEAST_MEN = 10
"""On the board where a side is ahead by so much: fewer are an endgame, which is asked for apart."""
ENDGAMES = {"K+Q v K": "KQvK", "K+R v K": "KRvK"}
MATE, AHEAD = "mate", "ahead"
"""First words of the names of positions in a file."""

_TRIES = 8  # positions of a game that the judge is asked about: most games have none, and a judge takes time
_Z = 1.959964  # of a normal distribution's 97.5 % quantile

_LEGEND = (
    f"ahead: {WINNING_POINTS} points of material or more; +5: {AHEAD_CP} centipawns or more by Stockfish, and {LEAST_MEN} men",
    "repeat: bring a position about again where the net has another plausible move, per move of its own made while ahead",
    "moves to mate: the net's own, mean over won games; intervals: Wilson, as if moves of a game were independent",
)

JudgePosition = Callable[[chess.Board], int]
"""Centipawns for the side to move."""


@dataclass(frozen=True)
class Share:
    """How often something happened."""

    count: int
    of: int

    @property
    def value(self) -> float:
        """0 to 1; NaN where nothing was asked."""
        return self.count / self.of if self.of else math.nan

    @property
    def interval(self) -> tuple[float, float]:
        """95 %, by Wilson (1927): it holds for small numbers and near 0 and 1, where the normal one does not."""
        if not self.of:
            return 0.0, 1.0
        n, p = self.of, self.value
        middle = (p + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z / (1 + _Z**2 / n) * math.sqrt(p * (1 - p) / n + _Z**2 / (4 * n**2))
        return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True)
class Row:
    """A line of the table."""

    name: str
    share: Share
    moves_to_mate: float | None = None
    """Of the winner, mean over won games; None where that was not asked or none was won."""


@dataclass(frozen=True)
class SanityPositions:
    """What the net is asked about, with the games before them on the boards' stacks."""

    mates: list[chess.Board]
    """The side to move can mate at once."""
    ahead: list[chess.Board]
    """The side to move is far ahead."""


def mating_moves(board: chess.Board) -> list[chess.Move]:
    """The moves that mate at once."""
    return [move for move in list(board.legal_moves) if mates(board, move)]


def is_winning(board: chess.Board) -> bool:
    """Whether the side to move is ahead by three points of material or more."""
    lead = material_lead(board)
    return (lead if board.turn else -lead) >= WINNING_POINTS


def mate_positions(games: Sequence[Played], *, count: int, seed: int) -> list[chess.Board]:
    """Positions with a mate in one, at random White's or Black's first of a game, of ``count`` games at random; fewer where
    there are not so many.

    Only the first, for later ones are there because it was missed, and the last because it was not: drawn from all that its
    own games gave, the first net that shipped mated in 56 % of 78, while in these games it had mated in 36 % of 214.
    """

    def pick(game: Played, draws: np.random.Generator) -> chess.Board | None:
        first: dict[bool, int] = {}
        for ply, board, _ in _own_moves(game):
            if board.turn not in first and mating_moves(board):
                first[board.turn] = ply
        return game.position(int(draws.choice(list(first.values())))) if first else None

    return _one_a_game(games, pick, count=count, seed=seed)


def ahead_positions(games: Sequence[Played], judge: JudgePosition, *, count: int, seed: int) -> list[chess.Board]:
    """The same where the judge finds the side to move ahead by ``AHEAD_CP`` or more, with enough men on the board."""

    def pick(game: Played, draws: np.random.Generator) -> chess.Board | None:
        plies = [ply for ply, board, _ in _own_moves(game) if board.occupied.bit_count() >= LEAST_MEN]
        boards = (game.position(int(ply)) for ply in draws.permutation(plies)[:_TRIES])
        return next((board for board in boards if judge(board) >= AHEAD_CP), None)

    return _one_a_game(games, pick, count=count, seed=seed)


def _one_a_game(
    games: Sequence[Played], pick: Callable[[Played, np.random.Generator], chess.Board | None], *, count: int, seed: int
) -> list[chess.Board]:
    """Positions of different games are independent."""
    draws = np.random.default_rng(seed)
    picked: list[chess.Board] = []
    for i in draws.permutation(len(games)):
        if len(picked) == count:
            break
        board = pick(games[i], draws)
        if board is not None:
            picked.append(board)
    return picked


def _own_moves(game: Played) -> Iterator[tuple[int, chess.Board, chess.Move]]:
    """Every move that was not the opening's: plies before it, the board before it (which changes afterwards), the move."""
    board = chess.Board(game.fen)
    for ply, text in enumerate(game.moves.split()):
        move = chess.Move.from_uci(text)
        if ply >= game.opening_plies:
            yield ply, board, move
        board.push(move)


def sorted_out(examples: Sequence[Example]) -> SanityPositions:
    """Positions of a file by the first word of their names. Raises MatchError for one that is not what its name says."""
    positions = SanityPositions([], [])
    for example in examples:
        kind = example.name.partition(" ")[0]
        if kind == MATE and mating_moves(example.board):
            positions.mates.append(example.board)
        elif kind == AHEAD:
            positions.ahead.append(example.board)
        else:
            raise MatchError(f"expected a position '{MATE} N' with a mate in one or '{AHEAD} N', got {example.name!r}")
    return positions


def as_text(positions: SanityPositions) -> str:
    """Positions as a file of them has them."""
    return "\n".join(
        [
            "# Positions for bin/match sanity, from games of this project's players: name | FEN, or start | moves in UCI.",
            "# The side to move can mate in one.",
            *_lines(MATE, positions.mates),
            f"# Stockfish finds the side to move ahead by {AHEAD_CP} centipawns or more; {LEAST_MEN} men or more.",
            *_lines(AHEAD, positions.ahead),
            "",
        ]
    )


def _lines(kind: str, boards: Sequence[chess.Board]) -> Iterator[str]:
    for number, board in enumerate(boards, 1):
        fen = board.root().fen()
        moves = " ".join(move.uci() for move in board.move_stack)
        yield f"{kind} {number} | {'start' if fen == chess.STARTING_FEN else fen} | {moves}".rstrip()


def endgames(kind: str, *, count: int, seed: int) -> list[chess.Board]:
    """Different positions of such an endgame (a key of ``ENDGAMES``), either colour, either side to move, in which the game is
    not over and the lone king cannot take the piece."""
    # with this seed: those of earlier nets' tables, and not those of --openings endgame:KQvK, which may have taught a net
    draws = random.Random(f"endgames {seed} {chess.PIECE_SYMBOLS.index(ENDGAMES[kind][1].lower())}")
    return random_endgames(ENDGAMES[kind], count=count, draws=draws)


def schedule(
    hero: str, starts: Mapping[str, Sequence[chess.Board]], *, ahead: Sequence[chess.Board], defender: str, opponent: str
) -> list[Fixture]:
    """The hero with the side that is ahead, once from each position: endgames by kind against the defender, ``ahead``
    against the opponent."""
    games = [
        (f"{kind} {i}", board, material_lead(board) > 0, defender)
        for kind, boards in starts.items()
        for i, board in enumerate(boards, 1)
    ]
    games += [(f"{AHEAD} {i}", board, board.turn, opponent) for i, board in enumerate(ahead, 1)]
    return [
        Fixture(n, hero if white else other, other if white else hero, _opening(name, board))
        for n, (name, board, white, other) in enumerate(games)
    ]


def _opening(name: str, board: chess.Board) -> Opening:
    return Opening(name, board.root().fen(), tuple(move.uci() for move in board.move_stack))


def mate_rows(positions: Sequence[chess.Board], moves: Sequence[chess.Move]) -> list[Row]:
    """How often the chosen moves mate: in all positions, and where the mover is winning by material anyway."""
    mated = [move in mating_moves(board) for board, move in zip(positions, moves, strict=True)]
    winning = [done for board, done in zip(positions, mated, strict=True) if is_winning(board)]
    return [
        Row("mate in one given", Share(sum(mated), len(mated))),
        Row("mate in one given, 3 points ahead", Share(sum(winning), len(winning))),
    ]


def of_kind(games: Sequence[Played], kind: str) -> list[Played]:
    """Games from the positions of a kind, without those that ended by someone's fault: they say nothing of chess."""
    return [game for game in games if game.opening.startswith(f"{kind} ") and not game.reason.startswith("forfeit")]


def endings(games: Sequence[Played], kind: str) -> str:
    """How such games ended, the commonest way first."""
    counted = Counter(game.reason for game in of_kind(games, kind))
    return ", ".join(f"{count} {reason}" for reason, count in counted.most_common()) or "none played"


def conversion_row(games: Sequence[Played], kind: str, hero: str) -> Row:
    """How often the hero mated from such endgames (fifty moves without a mate are a draw), and in how many moves of its own."""
    asked = of_kind(games, kind)
    won = [game for game in asked if _points(game, hero) == 1.0]
    moves = [sum(board.turn == (game.white == hero) for _, board, _ in _own_moves(game)) for game in won]
    return Row(f"{kind} won", Share(len(won), len(asked)), float(np.mean(moves)) if moves else None)


def ahead_rows(games: Sequence[Played], hero: str) -> list[Row]:
    """How games went in which the hero was far ahead."""
    asked = of_kind(games, AHEAD)
    points = [_points(game, hero) for game in asked]
    outcomes = {"won": 1.0, "drawn": 0.5, "lost": 0.0}
    repetitions = sum(game.reason == "repetition" for game in asked)
    return [
        *(Row(f"+5 {word}", Share(points.count(value), len(asked))) for word, value in outcomes.items()),
        Row("+5 drawn by repetition", Share(repetitions, len(asked))),
    ]


def _points(game: Played, name: str) -> float:
    white = WHITE_POINTS[game.result]
    return white if game.white == name else 1 - white


@dataclass(frozen=True)
class Lead:
    """What a player did while it was winning."""

    moves: int
    """Its own."""
    repeated: list[tuple[chess.Board, chess.Move]]
    """Those that brought a position about again, each with the board before it."""


def lead_of(games: Sequence[Played], hero: str) -> Lead:
    """The hero's moves while winning, in all of its games."""
    moves, repeated = 0, []
    for game in games:
        if hero not in (game.white, game.black):
            continue
        for _, board, move in _own_moves(game):
            if board.turn == (game.white == hero) and is_winning(board):
                moves += 1
                if _comes_again(board, move):
                    repeated.append((board.copy(), move))
    return Lead(moves, repeated)


def _comes_again(board: chess.Board, move: chess.Move) -> bool:
    board.push(move)
    again = board.is_repetition(2)
    board.pop()
    return again


def has_another(board: chess.Board, evaluation: Evaluation) -> bool:
    """Whether a move that the net finds plausible neither brings a position about again nor ends the game as a draw."""
    return any(not draws(board, evaluation.moves[i], occurrences=2) for i in plausible(evaluation))


def repeats_row(where: str, lead: Lead, evaluations: Sequence[Evaluation]) -> Row:
    """Positions brought about again without need, by moves of the hero while winning; evaluations of ``lead.repeated``."""
    needless = [has_another(board, evaluation) for (board, _), evaluation in zip(lead.repeated, evaluations, strict=True)]
    return Row(f"moves ahead that repeat, {where}", Share(sum(needless), lead.moves))


def sanity_table(rows: Sequence[Row], notes: Mapping[str, object]) -> str:
    """For people."""
    width = max(len(row.name) for row in rows)
    lines = [f"{'':{width}}  {'share':>7}  {'95 % interval':>16}  {'n':>6}  moves to mate"]
    for row in rows:
        low, high = row.share.interval
        share = f"{row.share.value:7.1%}" if row.share.of else f"{'none':>7}"
        moves = "" if row.moves_to_mate is None else f"{row.moves_to_mate:.1f}"
        lines.append(f"{row.name:{width}}  {share}  {f'{low:.1%} to {high:.1%}':>16}  {row.share.of:6}  {moves}".rstrip())
    return "\n".join([*lines, "", *_LEGEND, "", *(f"{name}: {value}" for name, value in notes.items())])


def as_json(rows: Sequence[Row], notes: Mapping[str, object]) -> dict[str, Any]:
    """Everything, for a result file."""
    return {"rows": [_row_as_json(row) for row in rows], "notes": dict(notes)}


def _row_as_json(row: Row) -> dict[str, Any]:
    low, high = row.share.interval
    return {
        "name": row.name,
        "count": row.share.count,
        "of": row.share.of,
        "low": round(low, 5),
        "high": round(high, 5),
        "share": round(row.share.value, 5) if row.share.of else None,
        "moves_to_mate": row.moves_to_mate,
    }
