"""Files of games into a token store: read by one or several processes, filtered, de-duplicated, counted.

Knows the order of work, what survives an interruption and the report. Does not know formats (``training.data.reading.pgn``,
``training.data.reading.tsv``), what filters mean or the layout of a store.

This process cuts files into games, numbers the batches, and writes what comes back in their order; the others read the
moves. store.json says how many pieces of which file its shards hold, so the same command resumes behind them.
"""

from __future__ import annotations

import collections
import contextlib
import dataclasses
import multiprocessing
import os
import re
import signal
import sys
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Literal

import numpy as np

from engine.archives import DAMAGE, NOT_UNPACKED, PACKED, STANDARD_INPUT, Archive, open_archive
from engine.encoding import Scale
from engine.errors import DataError
from engine.machine import worker_processes
from training.data.filters import Duplicates, Filters, Quota
from training.data.rate import Rate
from training.data.reading import pgn, tsv
from training.data.reading.framing import GameSplitter, LineSplitter, Splitter
from training.data.reading.pgn import read_games
from training.data.reading.tsv import read_lines
from training.data.store import GAMES_A_SHARD, Games, StoreWriter, alone, blocks, open_store

Format = Literal["auto", "pgn", "tsv"]

_BATCH_GAMES = 512  # games handed to a reader together
_BATCH_BYTES = 2 << 20
_FORMATS = (".pgn", ".tsv")
_GAMES_BEGIN = re.compile(rb'(?:\xef\xbb\xbf)?\s*(?:\[\w+\s+"|1\.\s*[a-hNBRQKO])')
_CUT_OFF = "cut off at the end of the file"
_MOST_LINES = 20  # of a report about single files


@dataclass(frozen=True)
class Job:
    """What is to be read and kept."""

    filters: Filters = field(default_factory=Filters)
    scales: Mapping[str, Scale] = field(default_factory=dict)
    """Rating scale of a source by name, over what the games say."""
    max_per_band: int = 0
    """See ``training.data.filters.Quota``."""
    max_per_source: int = 0
    """See ``training.data.filters.Quota``."""
    format: Format = "auto"
    """auto = by the file's name, PGN where it does not tell."""
    fast: bool = True
    """Off = read PGN with python-chess."""


@dataclass
class Report:
    """What came in and what was kept."""

    kept: int = 0
    plies: int = 0
    rejects: Counter[str] = field(default_factory=Counter)
    open_ended: int = 0
    """Games that are kept, though no result follows their moves."""
    refused: list[str] = field(default_factory=list)
    """Files of which most games could not be read, with the first of them."""
    damaged: list[str] = field(default_factory=list)
    """Files that could not be read to their end, and why."""
    stopped: bool = False
    """True when Ctrl-C ended the work early; the same command resumes it."""

    @property
    def read(self) -> int:
        return self.kept + sum(self.rejects.values())

    @property
    def trouble(self) -> str:
        """Why the result is not what was asked for; empty where it is."""
        lost = len(self.damaged)
        nothing = [] if self.kept or self.stopped else ["nothing was kept"]
        return "; ".join(nothing + [f"{lost:,} file{'s were' if lost > 1 else ' was'} not read to the end"] * bool(lost))

    def text(self) -> str:
        """For people."""
        lines = [f"{self.read:,} games read, {self.kept:,} kept, {self.plies:,} plies"]
        lines += [f"  left out: {count:,} {reason}" for reason, count in self.rejects.most_common()]
        if self.open_ended:
            lines.append(f"  kept without a result behind the moves: {self.open_ended:,}")
        for notes in (self.refused, [f"not read to the end: {name}" for name in self.damaged]):
            lines += [f"  {line}" for line in notes[:_MOST_LINES]]
            lines += [f"  and {len(notes) - _MOST_LINES:,} more files like these"] * (len(notes) > _MOST_LINES)
        if self.trouble:
            lines.append(f"  {self.trouble}")
        if self.stopped:
            lines.append("  stopped; the store is whole, and the same command resumes here")
        return "\n".join(lines)


@dataclass(frozen=True)
class _Batch:
    """Pieces of one file, in its order."""

    file: int
    pieces: list[bytes]
    then: tuple[int, int]
    """The file and the piece in it where reading continues behind this batch."""
    tsv: bool
    cut_off: bool = False
    """Whether the file ended in the middle of a game behind this batch."""
    damage: str = ""
    """Why the file could not be read any further."""


@dataclass
class _Refusals:
    """Whether most games of the present file are refused, and the batch with the first of them."""

    file: int = -1
    games: int = 0
    refused: int = 0
    first: Sequence[bytes] = ()

    def add(self, batch: _Batch, rejects: Counter[str]) -> str:
        """At the end of a file of which most games are refused, why; otherwise an empty text."""
        if batch.file != self.file:
            self.file, self.games, self.refused, self.first = batch.file, 0, 0, ()
        refused = sum(rejects[reason] for reason in (tsv.REFUSED if batch.tsv else pgn.REFUSED))
        self.first = self.first or (batch.pieces if refused else ())
        self.games, self.refused = self.games + len(batch.pieces), self.refused + refused
        if batch.then[0] == self.file or 2 * self.refused <= self.games:
            return ""
        why = (tsv if batch.tsv else pgn).first_refused(self.first)
        return f"{self.refused:,} of {self.games:,} games refused, the first for this: {why}"


Read = tuple[Games, Counter[str]]


@dataclass(frozen=True)
class _Work:
    """What a reading process does to a batch."""

    job: Job

    def __call__(self, batch: _Batch) -> Read:
        games, rejects = read_lines(batch.pieces) if batch.tsv else read_games(batch.pieces, fast=self.job.fast)
        for i, source in enumerate(games.sources):
            if source in self.job.scales:
                games.records["scale"][games.records["source"] == i] = self.job.scales[source]
        keep, filtered = self.job.filters.passing(games)
        return games.take(keep), rejects + filtered


def ingest(
    paths: Iterable[Path], out: Path, *, job: Job | None = None, processes: int = 1, shard_games: int = GAMES_A_SHARD
) -> Report:
    """Read every file into a store; an unfinished one of the same job is resumed.

    Raises DataError for a missing file, a store that is finished or of another job, and a full disk. A damaged file
    ends the reading of that file: what was good in it is kept, and the report names it.
    """
    files = files_of(paths)
    with alone(out):
        return _ingest(files, out, job or Job(), processes, shard_games=shard_games)


def _ingest(files: Sequence[Path], out: Path, job: Job, processes: int, *, shard_games: int) -> Report:
    report = Report()
    writer, seen, quota = _opened(out, job, files, report, shard_games=shard_games)
    begin, refusals = writer.note["progress"], _Refusals()
    with Rate(total_bytes=0 if STANDARD_INPUT in files else sum(path.stat().st_size for path in files)) as rate:
        batches = _batches(files, job.format, begin=(begin["file"], begin["piece"]), rate=rate)
        try:
            with _Interrupts() as interrupts:
                for batch, (games, rejects) in _mapped(_Work(job), batches, processes):
                    with interrupts.held_back():
                        fresh = games.take(seen.new(games.records["key"]))
                        duplicates = Counter(duplicate=len(games) - len(fresh))
                        kept, full = quota.apply(fresh)
                        _count(report, kept, rejects + duplicates + full, batch, files)
                        if most := refusals.add(batch, rejects):
                            report.refused.append(f"{files[batch.file]}: {most}")
                        writer.note |= _note(report, batch.then)
                        writer.extend(kept)
                    rate.add(len(games) + sum(rejects.values()))
        except KeyboardInterrupt:
            report.stopped = True
    writer.note["complete"] = not report.stopped
    writer.close()
    return report


def _opened(
    out: Path, job: Job, files: Sequence[Path], report: Report, *, shard_games: int
) -> tuple[StoreWriter, Duplicates, Quota]:
    """A writer for the job with what its store remembers: fresh, or behind what an interrupted run left."""
    description = _description(job, files)
    seen, quota = Duplicates(), Quota(job.max_per_band, job.max_per_source)
    unfinished = _unfinished(out, description)
    writer = StoreWriter(out, resume=unfinished, games_a_shard=shard_games)
    if unfinished:
        for games in blocks(open_store(out)):
            seen.new(games.records["key"])
            quota.apply(games)
        left = writer.note["progress"]
        report.kept, report.plies, report.damaged = left["kept"], left["plies"], list(left["damaged"])
        report.open_ended, report.refused = left.get("open_ended", 0), list(left.get("refused", ()))
        report.rejects.update(writer.note["rejects"])
        print(f"{out}: resuming after {report.read:,} games", file=sys.stderr)
    else:
        writer.note |= {"complete": False, "job": description} | _note(report, (0, 0))
    return writer, seen, quota


def _description(job: Job, files: Sequence[Path]) -> dict[str, Any]:
    """What must be the same for a run to resume where another stopped; plain values, as they come back from JSON."""
    values = dataclasses.asdict(job)
    values["filters"] = {name: list(v) if isinstance(v, tuple) else v for name, v in values["filters"].items()}
    values["scales"] = {source: int(scale) for source, scale in job.scales.items()}
    sizes = [[path.name, 0 if path == STANDARD_INPUT else path.stat().st_size] for path in files]
    return values | {"files": sizes}


def _unfinished(out: Path, description: dict[str, Any]) -> bool:
    """Whether ``out`` holds an unfinished store of this job. Raises DataError for one of another job."""
    if not (out / "store.json").exists():
        return False
    meta = open_store(out).meta
    if meta.get("complete", True):
        return False  # the writer refuses it
    if meta["job"] != description:
        changed = sorted(name for name in description if meta["job"].get(name) != description[name])
        raise DataError(
            f"{out} is the unfinished store of another command: {', '.join(changed)} differ; "
            "give the same files and options to resume, or choose another --out"
        )
    return True


def _count(report: Report, games: Games, rejects: Counter[str], batch: _Batch, files: Sequence[Path]) -> None:
    report.kept, report.plies = report.kept + len(games), report.plies + len(games.moves)
    report.rejects.update(rejects)
    report.open_ended += 0 if games.open_ended is None else int(games.open_ended.sum())
    if batch.cut_off:
        report.rejects[_CUT_OFF] += 1
    if damage := batch.damage or ("it ends in the middle of a game" if batch.cut_off else ""):
        report.damaged.append(f"{files[batch.file]} ({damage})")
        print(f"{files[batch.file]}: not read to the end ({damage})", file=sys.stderr)


def _note(report: Report, then: tuple[int, int]) -> dict[str, Any]:
    progress = {
        "file": then[0],
        "piece": then[1],
        "kept": report.kept,
        "plies": report.plies,
        "damaged": list(report.damaged),
        "open_ended": report.open_ended,
        "refused": list(report.refused),
    }
    return {"rejects": dict(report.rejects), "progress": progress}


def _mapped(work: Callable[[_Batch], Read], batches: Iterator[_Batch], processes: int) -> Iterator[tuple[_Batch, Read]]:
    """Each batch with what its reading gave, in order; more than one process work ahead, but only by a few batches."""
    processes = worker_processes(processes)
    if processes < 2:
        yield from ((batch, work(batch)) for batch in batches)
        return
    context = multiprocessing.get_context("spawn")
    waiting: collections.deque[tuple[_Batch, Future[Read]]] = collections.deque()
    with ProcessPoolExecutor(processes, mp_context=context, initializer=_end_with_the_writer) as pool:
        try:
            for batch in batches:
                with _interrupt_blocked():
                    waiting.append((batch, pool.submit(work, batch)))
                if len(waiting) > 2 * processes:
                    yield waiting[0][0], waiting.popleft()[1].result()
            while waiting:
                yield waiting[0][0], waiting.popleft()[1].result()
        except BrokenProcessPool as error:
            raise DataError(
                "a reading process ended unexpectedly (out of memory?); give the same command again to resume, "
                "with fewer --processes"
            ) from error
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


class _Interrupts:
    """Ctrl-C and SIGTERM as KeyboardInterrupt, held back while a batch is counted and written."""

    def __init__(self) -> None:
        self._busy = self._asked = False
        self._before: dict[int, Any] = {}

    def __enter__(self) -> _Interrupts:
        if threading.current_thread() is threading.main_thread():  # no other may set handlers
            self._before = {number: signal.signal(number, self._on) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _on(self, number: int, frame: FrameType | None) -> None:
        if not self._busy:
            raise KeyboardInterrupt
        self._asked = True

    @contextlib.contextmanager
    def held_back(self) -> Iterator[None]:
        """Until the block ends."""
        self._busy = True
        try:
            yield
        finally:
            self._busy = False
        if self._asked:
            raise KeyboardInterrupt


def _end_with_the_writer() -> None:
    """In a reading process: a writer that is killed cannot tell it to end, and it would wait for ever."""
    writer = multiprocessing.parent_process()

    def wait() -> None:
        if writer:
            writer.join()
            os._exit(1)

    threading.Thread(target=wait, daemon=True).start()


@contextlib.contextmanager
def _interrupt_blocked() -> Iterator[None]:
    """Processes that start meanwhile never see Ctrl-C, which reaches all of a terminal; this one sees it afterwards."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _batches(files: Sequence[Path], form: Format, *, begin: tuple[int, int], rate: Rate) -> Iterator[_Batch]:
    """Every file's pieces from ``begin`` = (file, piece) on."""
    for number in range(begin[0], len(files)):
        path = files[number]
        is_tsv = form == "tsv" or (form == "auto" and _kind(path) == ".tsv")
        try:
            archive = open_archive(path)
        except DataError as error:
            yield _Batch(number, [], (number + 1, 0), is_tsv, damage=str(error))
            continue
        try:
            skip = begin[1] if number == begin[0] else 0
            yield from _file_batches(
                archive, LineSplitter() if is_tsv else GameSplitter(), number, skip=skip, rate=rate, is_tsv=is_tsv
            )
        finally:
            archive.close()


def _file_batches(
    archive: Archive, splitter: Splitter, number: int, *, skip: int, rate: Rate, is_tsv: bool
) -> Iterator[_Batch]:
    pieces: list[bytes] = []
    done, damage = skip, ""
    before = rate.bytes_done
    for new, failure in _pieces(archive, splitter):
        damage = failure
        rate.bytes_done = before + archive.bytes_read
        pieces += new[skip:] if skip else new
        skip = max(0, skip - len(new))
        while pieces and (len(pieces) >= _BATCH_GAMES or sum(map(len, pieces)) >= _BATCH_BYTES):
            count = _fitting(pieces)
            done += count
            yield _Batch(number, pieces[:count], (number, done), is_tsv)
            del pieces[:count]
    yield _Batch(number, pieces, (number + 1, 0), is_tsv, splitter.cut_off, damage)


def _fitting(pieces: Sequence[bytes]) -> int:
    """How many pieces make a batch: at least one, within both limits."""
    sizes = np.cumsum([len(piece) for piece in pieces[:_BATCH_GAMES]])
    return max(1, int(np.searchsorted(sizes, _BATCH_BYTES, side="right")))


def _pieces(archive: Archive, splitter: Splitter) -> Iterator[tuple[list[bytes], str]]:
    """Pieces block by block; beside the last ones the damage that ended the file, if any did."""
    try:
        for block in archive.blocks():
            yield splitter.feed(block), ""
    except DataError as error:
        yield splitter.finish(damaged=True), str(error)
        return
    except DAMAGE as error:
        yield splitter.finish(damaged=True), f"{type(error).__name__}: {error}"
        return
    yield splitter.finish(), ""


def _kind(path: Path) -> str:
    name = Path(path.name.lower())
    return Path(name.stem).suffix if name.suffix in PACKED else name.suffix


def files_of(paths: Iterable[Path]) -> list[Path]:
    """The files meant: a folder stands for the games in it. Raises DataError for what is not there.

    What looks like games in a folder and is not read gets a line on stderr.
    """
    files: list[Path] = []
    for path in paths:
        if path.is_dir():
            inside = sorted(_games_in(path))
            if not inside:
                packed = ", ".join(f".pgn{ending}" for ending in PACKED)
                raise DataError(f"expected .pgn files (or {packed}) in the folder {path}, found none")
            files += inside
        elif path.is_file() or path.is_fifo() or path == STANDARD_INPUT:
            files.append(path)
        else:
            raise DataError(f"expected a file of games at {path}, found none")
    return files


def _games_in(folder: Path) -> Iterator[Path]:
    def unread(error: OSError) -> None:
        print(f"{error.filename}: not read: {error.strerror}", file=sys.stderr)

    for place, folders, names in os.walk(folder, onerror=unread):
        for path in (Path(place, name) for name in names):
            if path.is_file() and _kind(path) in _FORMATS:
                yield path
            elif _looks_like_games(path):
                print(
                    f"{path}: not read, for its name does not end in .pgn or .tsv (or in these and {', '.join(PACKED)}); "
                    "if it holds games, unpack or rename it, or name the file itself",
                    file=sys.stderr,
                )
        for path in (Path(place, name) for name in folders):
            if path.is_symlink():
                print(
                    f"{path}: not read, for it is a link to a folder; name the folder itself if it holds games", file=sys.stderr
                )


def _looks_like_games(path: Path) -> bool:
    """By a part of its name, or by its first bytes."""
    endings = [ending.lower() for ending in path.suffixes]
    if any(ending in _FORMATS for ending in endings) or (endings and endings[-1] in (*PACKED, *NOT_UNPACKED)):
        return True
    try:
        if not path.is_file():
            return False
        with path.open("rb") as file:
            return _GAMES_BEGIN.match(file.read(256)) is not None
    except OSError:
        return False
