"""Rows of plies for the trainer: games of a store, shuffled, replayed, packed without padding.

T plies a row (the net's context), R rows. Knows the order of games, packing, the split and rating dropout. A game
that passes the end of a row continues in the next one behind a START token, as a re-based game does when playing; a
blind net cannot start in the middle, so for it the game is read again whole in the next row. Does not know torch.

The order is a function of the seed alone: ``streams`` logical streams each read every ``streams``-th chunk of games,
a step takes the same number of rows from each, and a process serves some of the streams. So the same steps see the
same rows with one process or with many.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Protocol

import chess
import numpy as np
from numpy.typing import NDArray

from engine.encoding import rating_buckets
from engine.errors import DataError
from engine.vocabulary import FLIP, START
from training.batches.replay import Start, board_codes, mover_moves, replay
from training.batches.weighting import MoveWeights
from training.config import DataConfig, ModelConfig
from training.data.store import TERMINATIONS, Shard, Store

_IGNORE = -100  # a target that no loss counts


@dataclass(frozen=True)
class Rows:
    """R rows of T plies; every array's first two dimensions are (R, T)."""

    moves: NDArray[np.int64]
    """Input tokens."""
    board: Any
    """(R, T, 64) board codes: uint16, or what else ``Boards`` made."""
    state: Any
    """(R, T, 4) uint8, likewise."""
    ratings: NDArray[np.uint8]
    """(R, T, 3)"""
    segments: NDArray[np.int32]
    """Number of the game within the chunk: no ply may look into another game."""
    targets: NDArray[np.int64]
    """The move played, as its mover sees it."""
    results: NDArray[np.int64]
    """0 win, 1 draw, 2 loss for the mover, -100 unknown."""
    elo: NDArray[np.uint16]
    """The mover's rating in points, 0 = unknown, whether or not the net is conditioned on it."""
    mates: NDArray[np.bool_]
    """Whether the move played is known to be mate: the last of a game that the store says ended so."""

    def __len__(self) -> int:
        return len(self.moves)

    def take(self, rows: slice | NDArray[np.int64]) -> Rows:
        """Some of the rows."""
        return Rows(*(getattr(self, f.name)[rows] for f in fields(self)))


def join(parts: list[Rows]) -> Rows:
    """Rows of several parts, one after another."""
    return Rows(*(np.concatenate([getattr(p, f.name) for p in parts]) for f in fields(Rows)))


def start_of(fen: str) -> Start:
    """The start that a FEN describes, for ``replay``."""
    board = chess.Board(fen)
    squares = np.zeros(64, dtype=np.uint8)
    for square, piece in board.piece_map().items():
        squares[square] = piece.piece_type + (0 if piece.color else 6)
    rights = (board.has_kingside_castling_rights, board.has_queenside_castling_rights)
    castling = sum(bool(right(colour)) << (2 * (not colour) + i) for colour in (True, False) for i, right in enumerate(rights))
    passing = chess.square_file(board.ep_square) + 1 if board.ep_square and board.has_pseudo_legal_en_passant() else 0
    return Start(squares, castling, passing, board.halfmove_clock, not board.turn)


def select(store: Store, data: DataConfig, *, validation: bool) -> list[NDArray[np.int64]]:
    """Per shard, the indices of the games to read. Raises DataError when none is left."""
    chosen = []
    for shard, held_out in zip(store.shards, store.held_out(), strict=True):
        games = shard.games
        keep = held_out == validation
        keep &= np.diff(shard.offsets) > 0
        if data.max_rating:
            highest = np.maximum(games["white_elo"], games["black_elo"])
            keep &= (highest <= data.max_rating) & (np.minimum(games["white_elo"], games["black_elo"]) > 0)
        chosen.append(np.flatnonzero(keep))
    if not sum(len(c) for c in chosen):
        split = "validation" if validation else "training"
        capped = f", rated at most {data.max_rating}," if data.max_rating else ""
        needed = "; one game in a hundred is held out" if validation else ""
        raise DataError(
            f"expected a game for {split} in {store.path}, found none among its {store.games:,} games{capped}{needed}; add "
            f"games{' or raise max_rating' if capped else ''}"
        )
    return chosen


def check_games(store: Store, data: DataConfig, model: ModelConfig) -> None:
    """Raise DataError if a run has too few games, to train on or to validate with: now, not after minutes."""
    _training_games(store, data, model)
    select(store, data, validation=True)


def _training_games(store: Store, data: DataConfig, model: ModelConfig) -> list[NDArray[np.int64]]:
    """The games to read, per shard; so many that a chunk of them fills a row."""
    chosen = select(store, data, validation=False)
    count = sum(len(games) for games in chosen)
    if count < data.streams:
        raise DataError(f"expected at least {data.streams} games to train on, found {count} in {store.path}; add games")
    plies = sum(int(np.diff(shard.offsets)[games].sum()) for shard, games in zip(store.shards, chosen, strict=True))
    needed = count // _chunk_games(count, data) * model.context
    if plies < needed:
        raise DataError(
            f"expected at least {needed:,} plies to train on with model.context {model.context} and data.streams "
            f"{data.streams}, found {plies:,} in {store.path}; add games"
        )
    return chosen


def _chunk_games(count: int, data: DataConfig) -> int:
    return min(data.shuffle_games, max(1, count // data.streams))


@dataclass(frozen=True)
class Packing:
    """What rows without padding cost."""

    read_again: float
    """Share of the plies in rows that an earlier row has already: a blind net's cut games."""
    left_out: float
    """Share of the games' plies that are in no row."""


class Boards(Protocol):
    """Replays games (``moves``, ``offsets`` and ``starts`` as in ``training.batches.replay.replay``): board codes and
    state of the plies that ``order`` (R, T) names, in numpy's arrays or on a device."""

    def __call__(
        self,
        moves: NDArray[np.uint16],
        offsets: NDArray[np.int64],
        starts: dict[int, Start],
        *,
        order: NDArray[np.int64],
        board_input: str,
        checks: bool,
    ) -> tuple[Any, Any]: ...


def boards_by_numpy(
    moves: NDArray[np.uint16],
    offsets: NDArray[np.int64],
    starts: dict[int, Start],
    *,
    order: NDArray[np.int64],
    board_input: str,
    checks: bool,
) -> tuple[NDArray[np.uint16], NDArray[np.uint8]]:
    """(R, T, 64) board codes and (R, T, 4) state."""
    positions = replay(moves, offsets, starts)
    return board_codes(positions.pieces, board_input, checks=checks)[order], positions.state[order]


@dataclass(frozen=True)
class _Part:
    """Games of one shard on their way into rows."""

    moves: NDArray[np.uint16]
    """(P,) as White sees them."""
    lengths: NDArray[np.int64]
    """(G,) plies of each game."""
    records: NDArray[Any]
    """(G,) GAME_DTYPE"""
    starts: list[Start | None]
    dropout: NDArray[np.bool_]
    """(G,) whose ratings are hidden."""


def build_rows(
    shard: Shard, games: NDArray[np.int64], *, starts: list[Start | None], model: ModelConfig, dropout: NDArray[np.bool_]
) -> Rows:
    """The given games of a shard as packed rows; ``dropout`` (G,) says whose ratings are hidden."""
    part = _part(shard, games, starts=starts, dropout=dropout)
    return _rows([part], model, order=_order([part], model), boards=boards_by_numpy)


def _part(shard: Shard, games: NDArray[np.int64], *, starts: list[Start | None], dropout: NDArray[np.bool_]) -> _Part:
    begins, ends = shard.offsets[games], shard.offsets[games + 1]
    moves = np.concatenate([shard.moves[b:e] for b, e in zip(begins.tolist(), ends.tolist(), strict=True)])
    return _Part(moves, ends - begins, shard.games[games], starts, dropout)


def _rows(parts: list[_Part], model: ModelConfig, *, order: NDArray[np.int64], boards: Boards) -> Rows:
    """Parts of several shards, all replayed together: numpy's cost is by the call. ``order`` (R, T): which ply stands where."""
    moves, lengths = np.concatenate([p.moves for p in parts]), np.concatenate([p.lengths for p in parts])
    offsets = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    special = {g: s for g, s in enumerate(itertools.chain(*(p.starts for p in parts))) if s is not None}
    game = np.repeat(np.arange(len(lengths), dtype=np.int32), lengths)
    black = _black_to_move(offsets, game, special)
    inputs = np.empty(len(moves), np.int64)
    inputs[1:] = np.where(black[1:], FLIP[moves[:-1]], moves[:-1])
    inputs[offsets[:-1]] = START
    records = np.concatenate([p.records for p in parts])
    dropout = np.concatenate([p.dropout for p in parts])
    board, state = boards(moves, offsets, special, order=order, board_input=model.board_input, checks=model.checks)
    rows = Rows(
        inputs[order],
        board,
        state,
        _ratings(records, game, black, dropout)[order],
        game[order],
        mover_moves(moves, black).astype(np.int64)[order],
        _results(records, game, black)[order],
        np.where(black, records["black_elo"][game], records["white_elo"][game])[order],
        _mates(records, offsets)[order],
    )
    rows.moves[:, 0] = START
    return rows


def _black_to_move(offsets: NDArray[np.int64], game: NDArray[np.int32], starts: dict[int, Start]) -> NDArray[np.bool_]:
    """(P,) whether Black makes each of the plies."""
    first = np.zeros(len(offsets) - 1, np.bool_)
    first[[g for g, start in starts.items() if start.black_to_move]] = True
    black: NDArray[np.bool_] = first[game] ^ ((np.arange(len(game)) - offsets[game]) % 2 == 1)
    return black


def _order(parts: list[_Part], model: ModelConfig) -> NDArray[np.int64]:
    """(R, T) which ply of all parts stands where. They are packed together: with many shards, a last row that is not full would
    cost each part half a row."""
    return packed(np.concatenate([[0], np.cumsum(np.concatenate([part.lengths for part in parts]))]), model)


def packed(offsets: NDArray[np.int64], model: ModelConfig) -> NDArray[np.int64]:
    """(R, T) which ply stands where; the plies that do not fill a last row are left out."""
    T, total = model.context, int(offsets[-1])
    if model.board_input != "none":
        return np.arange(total // T * T).reshape(-1, T)
    rows: list[NDArray[np.int64]] = []
    pieces: list[NDArray[np.int64]] = []
    room = T
    for begin, end in itertools.pairwise(offsets):
        plies = np.arange(begin, min(end, begin + T))
        pieces.append(plies[:room])
        room -= len(pieces[-1])
        if room == 0:
            rows.append(np.concatenate(pieces))
            again = plies if len(pieces[-1]) < len(plies) else plies[:0]
            pieces, room = [again], T - len(again)
            if room == 0:
                rows.append(again)
                pieces, room = [], T
    return np.stack(rows) if rows else np.empty((0, T), np.int64)


def _ratings(
    records: NDArray[Any], game: NDArray[np.int32], black: NDArray[np.bool_], dropout: NDArray[np.bool_]
) -> NDArray[np.uint8]:
    elo = np.stack([records["white_elo"], records["black_elo"]], axis=1).astype(np.int64)
    bucket = rating_buckets(elo)
    bucket[dropout] = 0
    scale = np.where(dropout, 0, records["scale"])
    of_white, of_black = bucket[game, 0], bucket[game, 1]
    mover, opponent = np.where(black, of_black, of_white), np.where(black, of_white, of_black)
    return np.stack([mover, opponent, scale[game]], axis=1).astype(np.uint8)


def _results(records: NDArray[Any], game: NDArray[np.int32], black: NDArray[np.bool_]) -> NDArray[np.int64]:
    for_white = np.array([0, 1, 2, _IGNORE])[records["result"]][game]
    mirrored: NDArray[np.int64] = np.where(black & (for_white >= 0), 2 - for_white, for_white)
    return mirrored


def _mates(records: NDArray[Any], offsets: NDArray[np.int64]) -> NDArray[np.bool_]:
    """(P,) whether each of the plies is the mate that its game ended with."""
    mates = np.zeros(int(offsets[-1]), np.bool_)
    mates[offsets[1:] - 1] = records["termination"] == TERMINATIONS.index("checkmate")
    return mates


class RowReader:
    """Endless rows of one split, in an order that the seed decides and that ``state`` can resume.

    ``rank`` of ``world`` processes serves its share of the logical streams; ``boards`` replays the games. Raises DataError
    when there are too few games.
    """

    def __init__(
        self,
        store: Store,
        data: DataConfig,
        model: ModelConfig,
        *,
        seed: int,
        rank: int = 0,
        world: int = 1,
        boards: Boards = boards_by_numpy,
    ) -> None:
        self._store, self._data, self._model, self._seed, self._boards = store, data, model, seed, boards
        chosen = _training_games(store, data, model)
        self._shard_of = np.repeat(np.arange(len(chosen)), [len(c) for c in chosen])
        self._game_of = np.concatenate(chosen)
        self._starts = [start_of(fen) for fen in store.starts]
        self._chunk_games = _chunk_games(len(self._game_of), data)
        self.chunks = len(self._game_of) // self._chunk_games
        shards = zip(store.shards, chosen, strict=True)
        self.weights = MoveWeights(data, ((s.games[c], np.diff(s.offsets)[c]) for s, c in shards))
        self._streams = list(range(rank, data.streams, world))
        self._next = {s: (s, 0) for s in self._streams}  # stream -> (chunk number counted over epochs, row)
        self._rows: dict[int, Rows] = {}
        self._order: dict[int, NDArray[np.int64]] = {}

    @property
    def games(self) -> int:
        """Games of the training split."""
        return len(self._game_of)

    def packing(self) -> Packing:
        """As measured on the first games of the run."""
        parts, _ = self._parts(0)
        order, plies = _order(parts, self._model), sum(len(part.moves) for part in parts)
        distinct = len(np.unique(order))
        return Packing(read_again=1 - distinct / max(1, order.size), left_out=1 - distinct / plies)

    def state(self) -> dict[str, Any]:
        """Where each stream stands; give it to ``restore``."""
        return {str(s): list(place) for s, place in self._next.items()}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on where ``state`` was taken."""
        self._next = {s: (int(state[str(s)][0]), int(state[str(s)][1])) for s in self._streams}
        self._rows.clear()

    def rows(self, count: int) -> Rows:
        """The next ``count`` rows, as many from each of this process's streams."""
        return join(self.parts(count))

    def parts(self, count: int) -> list[Rows]:
        """The same, not joined."""
        return [part for s in self._streams for part in self._from_stream(s, count // len(self._streams))]

    def _from_stream(self, stream: int, count: int) -> Iterator[Rows]:
        while count > 0:
            chunk, row = self._next[stream]
            if stream not in self._rows:
                self._rows[stream] = self._chunk(chunk)
            rows = self._rows[stream]
            part = rows.take(slice(row, row + count))
            count -= len(part)
            self._next[stream] = (chunk, row + len(part))
            if row + len(part) >= len(rows):
                del self._rows[stream]
                self._next[stream] = (chunk + self._data.streams, 0)
            if len(part):
                yield part

    def _chunk(self, number: int) -> Rows:
        parts, random = self._parts(number)
        order = _order(parts, self._model)
        return _rows(parts, self._model, order=order[random.permutation(len(order))], boards=self._boards)

    def _parts(self, number: int) -> tuple[list[_Part], np.random.Generator]:
        """The games of a chunk, and what decides the order of its rows."""
        epoch, place = divmod(number, self.chunks)
        if epoch not in self._order:
            self._order = {epoch: np.random.default_rng([self._seed, epoch]).permutation(len(self._game_of))}
        picked = self._order[epoch][place * self._chunk_games : (place + 1) * self._chunk_games]
        random = np.random.default_rng([self._seed, epoch, place])
        parts = []
        for shard_number in np.unique(self._shard_of[picked]):
            games = self._game_of[picked[self._shard_of[picked] == shard_number]]
            parts.append(self._shard_part(int(shard_number), games, random))
        return parts, random

    def _shard_part(self, number: int, games: NDArray[np.int64], random: np.random.Generator) -> _Part:
        shard = self._store.shards[number]
        dropout = random.random(len(games)) < self._data.rating_dropout
        starts = [self._starts[i] if i >= 0 else None for i in shard.games["start"][games]]
        return _part(shard, games, starts=starts, dropout=dropout)
