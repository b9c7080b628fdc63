"""Files as people pack them: every legal stream is read, whatever its name, and what is no text is named."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import os
import tarfile
import threading
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.archives import DAMAGE, open_archive, open_output, zstd
from engine.errors import DataError

ONE, TWO = b'[Event "one"]\n\n1. e4 *\n\n', b'[Event "two"]\n\n1. d4 *\n\n'


def skippable(content: bytes = b"x", number: int = 0) -> bytes:
    return (0x184D2A50 + number).to_bytes(4, "little") + len(content).to_bytes(4, "little") + content


def frame(text: bytes) -> bytes:
    return zstd.compress(text)


STREAMS = {
    "a frame": frame(ONE + TWO),
    "two frames": frame(ONE) + frame(TWO),
    "skippable first": skippable() + frame(ONE + TWO),
    "every kind of skippable": b"".join(skippable(b"x" * n, n) for n in range(16)) + frame(ONE + TWO),
    "skippable between": frame(ONE) + skippable() + skippable(b"") + frame(TWO),
    "skippable last": frame(ONE + TWO) + skippable(),
    "an empty frame first": frame(b"") + frame(ONE + TWO),
    "gzip": gzip.compress(ONE + TWO),
    "gzip members": gzip.compress(ONE) + gzip.compress(b"") + gzip.compress(TWO) + bytes(30),
    "bzip2 streams": bz2.compress(ONE) + bz2.compress(TWO),
    "xz streams": lzma.compress(ONE) + lzma.compress(TWO),
    "lzma": lzma.compress(ONE + TWO, format=lzma.FORMAT_ALONE),
    "plain": ONE + TWO,
}


def text_of(path: Path) -> bytes:
    archive = open_archive(path)
    try:
        return b"".join(archive.blocks())
    finally:
        archive.close()


@pytest.mark.parametrize("name", ["x.pgn", "x.pgn.gz", "x.PGN.ZST", "x"])
@pytest.mark.parametrize("kind", STREAMS)
def test_every_legal_stream_is_read_whatever_its_name(kind: str, name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(STREAMS[kind])
    assert text_of(tmp_path / name) == ONE + TWO


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
@pytest.mark.parametrize("kind", STREAMS)
def test_a_pipe_that_brings_a_byte_at_a_time_is_read(kind: str, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)

    def write() -> None:
        with pipe.open("wb", buffering=0) as out:
            for byte in STREAMS[kind]:
                out.write(bytes([byte]))

    writer = threading.Thread(target=write)
    writer.start()
    assert text_of(pipe) == ONE + TWO
    writer.join()


@pytest.mark.parametrize("kind", [kind for kind in STREAMS if kind not in ("plain", "lzma")])
def test_a_stream_without_its_end_is_damaged(kind: str, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(STREAMS[kind].rstrip(b"\0")[:-1])
    with pytest.raises(DAMAGE):
        text_of(tmp_path / "x")


def zipped(text: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("x.pgn", text)
    return out.getvalue()


def tarred(text: bytes) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as archive:
        entry = tarfile.TarInfo("x.pgn")
        entry.size = len(text)
        archive.addfile(entry, io.BytesIO(text))
    return out.getvalue()


@pytest.mark.parametrize("packed", [bytes, gzip.compress, frame, lzma.compress])
@pytest.mark.parametrize(
    ("content", "named"),
    [
        (zipped(ONE), r"\.zip archive; unpack it"),
        (tarred(ONE), r"\.tar archive; unpack it"),
        (b"7z\xbc\xaf\x27\x1c\0\4" + bytes(50), r"\.7z archive"),
        (ONE.decode().encode("utf-16"), "UTF-16; convert it"),
        (ONE.decode().encode("utf-16-le"), "UTF-16; convert it"),
        (ONE.decode().encode("utf-16-be"), "UTF-16; convert it"),
    ],
)
def test_what_is_no_text_is_named(content: bytes, named: str, packed: Callable[[bytes], bytes], tmp_path: Path) -> None:
    (tmp_path / "x.pgn").write_bytes(packed(content))
    with pytest.raises(DataError, match=named):
        text_of(tmp_path / "x.pgn")


@pytest.mark.parametrize("name", ["x.pgn", "x.pgn.zst", "x.pgn.GZ", "x.pgn.bz2", "x.pgn.xz"])
def test_what_is_written_is_packed_as_its_name_says(name: str, tmp_path: Path) -> None:
    with open_output(tmp_path / name) as out:
        out.write(ONE)
    assert text_of(tmp_path / name) == ONE
    assert ((tmp_path / name).read_bytes() == ONE) == (name == "x.pgn")
