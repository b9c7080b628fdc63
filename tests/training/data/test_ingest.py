"""From files to a store: everything counted, nothing lost, and whatever interrupts it, the store is whole."""

from __future__ import annotations

import bz2
import errno
import gzip
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.archives import open_output
from engine.encoding import Scale
from engine.errors import DataError
from engine.vocabulary import MOVE_ID
from tests.paths import ROOT
from tests.training.data.conftest import Corpus
from training.data import ingest as ingest_module
from training.data import store as store_module
from training.data.filters import Filters
from training.data.ingest import Job, Report, files_of, ingest
from training.data.store import Store, iterate, open_store

ALL = Job(Filters(min_plies=0))


def moves_of(store: Store) -> list[list[int]]:
    return [game.moves.tolist() for game in iterate(store)]


def same(a: Store, b: Store) -> bool:
    return a.fingerprint() == b.fingerprint() and moves_of(a) == moves_of(b) and a.sources == b.sources and a.starts == b.starts


def packed(corpus: Corpus, path: Path) -> Path:
    with open_output(path) as out:
        out.write(corpus.path.read_bytes())
    return path


def test_every_game_is_kept_or_counted(corpus: Corpus, tmp_path: Path) -> None:
    report = ingest([corpus.path], tmp_path / "s", job=ALL)
    store = open_store(tmp_path / "s")
    assert moves_of(store) == corpus.good
    assert report.rejects == Counter(game.reason for game in corpus.games if game.reason)
    assert (report.kept, report.read, report.plies) == (len(corpus.good), len(corpus.games), sum(map(len, corpus.good)))
    assert store.meta["complete"] is True
    assert store.meta["rejects"] == dict(report.rejects)
    for reason, count in report.rejects.items():
        assert f"left out: {count:,} {reason}" in report.text()


@pytest.mark.parametrize("name", ["g.pgn", "g.pgn.zst", "g.pgn.gz", "g.pgn.bz2", "zst inside.pgn"])
def test_packed_files_give_the_same_store(name: str, corpus: Corpus, tmp_path: Path) -> None:
    path = packed(corpus, tmp_path / name.replace("zst inside.pgn", "x.zst"))
    path = path.rename(tmp_path / name)
    ingest([path], tmp_path / "s", job=ALL)
    assert moves_of(open_store(tmp_path / "s")) == corpus.good


def test_two_processes_make_the_same_store(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_module, "_BATCH_GAMES", 37)
    one = ingest([corpus.path], tmp_path / "1", job=ALL)
    two = ingest([corpus.path], tmp_path / "2", job=ALL, processes=2)
    assert one == two
    assert same(open_store(tmp_path / "1"), open_store(tmp_path / "2"))


def test_the_fast_and_the_slow_way_make_the_same_store(corpus: Corpus, tmp_path: Path) -> None:
    assert ingest([corpus.path], tmp_path / "1", job=ALL) == ingest(
        [corpus.path], tmp_path / "2", job=Job(ALL.filters, fast=False)
    )
    assert same(open_store(tmp_path / "1"), open_store(tmp_path / "2"))


def test_a_game_comes_once(corpus: Corpus, tmp_path: Path) -> None:
    report = ingest([corpus.path, corpus.path], tmp_path / "s", job=ALL)
    assert report.rejects["duplicate"] == len(corpus.good)
    assert open_store(tmp_path / "s").games == len(corpus.good)


def test_a_folder_stands_for_the_games_in_it(corpus: Corpus, tmp_path: Path) -> None:
    (tmp_path / "deep" / "er").mkdir(parents=True)
    packed(corpus, tmp_path / "deep" / "er" / "a.pgn.zst")
    (tmp_path / "deep" / "notes.txt").write_text("1. e4 *")
    assert [path.name for path in files_of([tmp_path / "deep"])] == ["a.pgn.zst"]
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match=r"expected \.pgn files .* in the folder .*none, found none"):
        ingest([tmp_path / "none"], tmp_path / "s")
    with pytest.raises(DataError, match=r"expected a file of games at .*nosuch\.pgn, found none"):
        ingest([tmp_path / "nosuch.pgn"], tmp_path / "s")


@pytest.mark.parametrize("name", ["g.pgn.zst", "g.pgn.gz", "g.pgn.bz2"])
def test_a_truncated_archive_gives_what_came_before(name: str, corpus: Corpus, tmp_path: Path) -> None:
    path = packed(corpus, tmp_path / name)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3])
    other = tmp_path / "other.pgn"
    other.write_text('[Event "x"]\n\n1. a4 h5 2. a5 h4 *\n')
    report = ingest([path, other], tmp_path / "s", job=ALL)
    kept = moves_of(open_store(tmp_path / "s"))
    assert kept[:-1] == corpus.good[: len(kept) - 1]
    assert len(kept) > (len(corpus.good) / 3 if name != "g.pgn.bz2" else 0)  # bz2 gives nothing of a broken block
    assert kept[-1] == [MOVE_ID[m] for m in ("a2a4", "h7h5", "a4a5", "h5h4")]
    assert len(report.damaged) == 1
    assert name in report.damaged[0]
    assert name in report.text()


def test_damage_in_the_middle_is_named(corpus: Corpus, tmp_path: Path) -> None:
    path = packed(corpus, tmp_path / "g.pgn.gz")
    raw = bytearray(path.read_bytes())
    raw[len(raw) // 2 : len(raw) // 2 + 40] = bytes(40)
    path.write_bytes(raw)
    report = ingest([path], tmp_path / "s", job=ALL)
    assert len(report.damaged) == 1
    assert 0 < report.kept < len(corpus.good)


def test_half_a_game_at_the_end_is_counted(corpus: Corpus, tmp_path: Path) -> None:
    path = tmp_path / "cut.pgn"
    path.write_bytes(corpus.path.read_bytes() + b'[Event "x"]\n\n1. e4 e5 2. N')
    report = ingest([path], tmp_path / "s", job=ALL)
    assert report.rejects["cut off at the end of the file"] == 1
    assert report.kept == len(corpus.good)


def test_text_of_two_bytes_a_letter_is_named(tmp_path: Path) -> None:
    path = tmp_path / "wide.pgn"
    path.write_bytes('[Event "x"]\n\n1. e4 *\n'.encode("utf-16"))
    report = ingest([path], tmp_path / "s")
    assert "UTF-16" in report.damaged[0]


def test_standard_input(corpus: Corpus, tmp_path: Path) -> None:
    for number, data in enumerate((corpus.path.read_bytes(), gzip.compress(corpus.path.read_bytes()), bz2.compress(b""))):
        command = [
            sys.executable,
            "-m",
            "training.data.__main__",
            "ingest",
            "-",
            "--min-plies",
            "0",
            "--out",
            str(tmp_path / str(number)),
        ]
        done = subprocess.run(command, input=data, capture_output=True, cwd=ROOT, timeout=60)
        assert done.returncode == (0 if number < 2 else 1)
        assert moves_of(open_store(tmp_path / str(number))) == (corpus.good if number < 2 else []), done.stderr


@pytest.mark.skipif(sys.platform != "linux", reason="a process's peak memory is read from /proc")
def test_memory_does_not_grow_with_the_file(tmp_path: Path) -> None:
    """A second process reads a file of 40 MB whose games are too long, and one of 20 bytes: about the same memory."""
    script = "import sys; from training.data.__main__ import main; main(sys.argv[1:]); "
    script += "print([line for line in open('/proc/self/status') if 'VmHWM' in line][0])"  # ru_maxrss counts its parent's
    small, big = tmp_path / "small.pgn", tmp_path / "big.pgn"
    small.write_text('[Event "x"]\n\n1. e4 *\n')
    with big.open("wb") as out:
        out.write(small.read_bytes())
        for _ in range(40):
            out.write(b"x" * (1 << 20))
        out.write(b'\n[Event "y"]\n\n1. d4 d5 *\n')
    peaks = []
    for path in (small, big):
        command = [sys.executable, "-c", script, "ingest", str(path), "--min-plies", "1", "--out", str(path) + ".store"]
        done = subprocess.run(command, capture_output=True, cwd=ROOT, timeout=60, check=True, text=True)
        peaks.append(int(done.stdout.split()[-2]))
    assert open_store(Path(str(big) + ".store")).meta["rejects"] == {"longer than 1 MiB": 1}
    assert open_store(Path(str(big) + ".store")).games == 1
    assert peaks[1] - peaks[0] < 25 * 1024


def interrupted(after: int, monkeypatch: pytest.MonkeyPatch, how: Callable[[], None]) -> None:
    """Let ``how`` happen while the batch after so many others is read."""
    real, count = ingest_module._file_batches, iter(range(10**6))

    def counted(*arguments: Any, **options: Any) -> Iterator[Any]:
        for batch in real(*arguments, **options):
            if next(count) == after:
                how()
            yield batch

    monkeypatch.setattr(ingest_module, "_file_batches", counted)


def ctrl_c() -> None:
    os.kill(os.getpid(), signal.SIGINT)


def terminate() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.mark.parametrize(
    ("after", "processes", "how"), [(0, 1, ctrl_c), (5, 1, ctrl_c), (16, 1, ctrl_c), (7, 1, terminate), (5, 2, ctrl_c)]
)
def test_ctrl_c_leaves_a_store_that_the_same_command_finishes(
    after: int, processes: int, how: Callable[[], None], corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_module, "_BATCH_GAMES", 50)
    files = [corpus.path, packed(corpus, tmp_path / "again.pgn.zst")]
    whole = ingest(files, tmp_path / "whole", job=ALL)
    with monkeypatch.context() as patch:
        interrupted(after, patch, how)
        first = ingest(files, tmp_path / "s", job=ALL, processes=processes)
    assert first.stopped
    assert first.read < whole.read
    half = open_store(tmp_path / "s")
    assert half.meta["complete"] is False
    assert moves_of(half) == corpus.good[: half.games]
    second = ingest(files, tmp_path / "s", job=ALL)
    assert second == whole
    assert same(open_store(tmp_path / "s"), open_store(tmp_path / "whole"))
    with pytest.raises(DataError, match="already holds a store"):
        ingest(files, tmp_path / "s", job=ALL)


def test_a_killed_process_loses_only_the_unwritten_shard(
    corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_module, "_BATCH_GAMES", 50)

    class Killed(BaseException):
        """Nothing in the program catches it."""

    def die() -> None:
        raise Killed

    job = Job(Filters(min_plies=0), max_per_band=15)
    whole = ingest([corpus.path], tmp_path / "whole", job=job, shard_games=100)
    with monkeypatch.context() as patch:
        interrupted(8, patch, die)
        with pytest.raises(Killed):
            ingest([corpus.path], tmp_path / "s", job=job, shard_games=100)
    kept = open_store(tmp_path / "s").games
    assert 0 < kept < whole.kept
    (tmp_path / "s" / "shard-00099.partial").mkdir()
    again = ingest([corpus.path], tmp_path / "s", job=job, shard_games=100)
    assert again == whole
    assert same(open_store(tmp_path / "s"), open_store(tmp_path / "whole"))


@pytest.mark.skipif(sys.platform != "linux", reason="finds children in /proc")
def test_readers_end_with_a_writer_that_is_killed(corpus: Corpus, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "training.data", "ingest", "-", "--processes", "2", "--out", str(tmp_path / "s")]
    writer = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert writer.stdin
    writer.stdin.write(corpus.path.read_bytes() * 40)  # enough for several batches; more may follow, so it waits
    writer.stdin.flush()
    readers = wait_for(lambda: [child for child in children(writer.pid) if "spawn_main" in command_line(child)][1:])
    writer.kill()
    writer.wait()
    writer.stdin.close()
    wait_for(lambda: not any(Path(f"/proc/{reader}").exists() for reader in readers))


def children(pid: int) -> list[str]:
    return [child for task in Path(f"/proc/{pid}/task").glob("*/children") for child in task.read_text().split()]


def command_line(pid: str) -> str:
    return Path(f"/proc/{pid}/cmdline").read_text() if Path(f"/proc/{pid}").exists() else ""


def wait_for(true: Callable[[], Any]) -> Any:
    end = time.monotonic() + 30
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.05)
    pytest.fail("waited 30 seconds for nothing")


def test_another_command_does_not_go_on_with_the_store(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        interrupted(0, patch, ctrl_c)
        ingest([corpus.path], tmp_path / "s", job=ALL)
    with pytest.raises(DataError, match="unfinished store of another command: filters differ"):
        ingest([corpus.path], tmp_path / "s", job=Job(Filters(max_rating=1500)))


def full_disk(allowed: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """Arrays can be written so many times, then the disk is full."""
    real, count = np.save, iter(range(10**6))

    def save(*arguments: Any) -> None:
        if next(count) >= allowed:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(*arguments)

    monkeypatch.setattr(store_module.np, "save", save)


@pytest.mark.parametrize("allowed", [0, 1, 3, 5])
def test_a_full_disk_is_one_clear_error_and_no_loss(
    allowed: int, corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ingest_module, "_BATCH_GAMES", 50)
    with monkeypatch.context() as patch:
        full_disk(allowed, patch)
        with pytest.raises(DataError, match="No space left on device; what it holds is whole"):
            ingest([corpus.path], tmp_path / "s", job=ALL, shard_games=100)
    assert not list((tmp_path / "s").glob("*.partial"))
    if allowed >= 3:
        store = open_store(tmp_path / "s")
        assert moves_of(store) == corpus.good[: store.games]
        assert store.games > 0
    report = ingest([corpus.path], tmp_path / "s", job=ALL, shard_games=100)
    assert report.kept == len(corpus.good)
    assert moves_of(open_store(tmp_path / "s")) == corpus.good


def test_a_place_that_takes_no_folder_is_named(corpus: Corpus) -> None:
    with pytest.raises(DataError, match="expected a folder that can be made at /dev/null/s"):
        ingest([corpus.path], Path("/dev/null/s"), job=ALL)


def test_a_reading_process_that_dies_is_named(corpus: Corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ingest_module, "_Work", _Deadly)
    with pytest.raises(DataError, match="a reading process ended unexpectedly"):
        ingest([corpus.path], tmp_path / "s", job=ALL, processes=2)


class _Deadly:
    """Ends the process that runs it."""

    def __init__(self, job: Job) -> None:
        pass

    def __call__(self, batch: object) -> None:
        os._exit(9)


TSV = "one/source\tLichess\t1500\t1400.0\t300+3\t1-0\tWon by resignation\te2e4 e7e5 g1f3\n"


def test_tab_separated_games(tmp_path: Path) -> None:
    path = tmp_path / "g.tsv.zst"
    with open_output(path) as out:
        out.write(TSV.encode() + b"a\tb\n\n" + TSV.replace("e7e5", "e7e9").encode() + TSV.replace("1500", "99999").encode())
        out.write(TSV.replace("one/", "two/").replace("g1f3", "d2d4").replace("Lichess", "").rstrip("\n").encode())
    report = ingest([path], tmp_path / "s", job=Job(scales={"two/source": Scale.FIDE}))
    assert (report.kept, report.rejects) == (2, Counter({"unreadable line": 3}))
    one, two = iterate(open_store(tmp_path / "s"))
    assert one.moves.tolist() == [MOVE_ID[m] for m in ("e2e4", "e7e5", "g1f3")]
    assert (one.white_elo, one.black_elo, one.result, one.termination) == (1500, 1400, "1-0", "resignation")
    assert (one.time_class, one.source, one.scale) == ("blitz", "one/source", Scale.LICHESS)
    assert (two.source, two.scale) == ("two/source", Scale.FIDE)


def test_a_scale_by_source_goes_for_pgn_too(tmp_path: Path) -> None:
    path = tmp_path / "g.pgn"
    path.write_text('[Event "x"]\n[Site "Berlin"]\n\n1. e4 e5 *\n')
    ingest([path], tmp_path / "s", job=Job(scales={"Berlin": Scale.FIDE}))
    assert next(iterate(open_store(tmp_path / "s"))).scale == Scale.FIDE


def test_progress_is_silent_without_a_terminal(corpus: Corpus, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ingest([corpus.path], tmp_path / "s", job=ALL)
    assert capsys.readouterr() == ("", "")


def test_reports_add_up() -> None:
    report = Report(kept=2, plies=9, rejects=Counter({"duplicate": 3}))
    assert report.text().startswith("5 games read, 2 kept, 9 plies")
