"""A trained net on its way between machines that take little at a time: its weights in two halves, each cut into files.

    first-DIGEST-1-of-4.piece …     8 bits a weight, a whole net by themselves
    rest-DIGEST-1-of-4.piece …      8 more bits, for a second trip where both halves are too much for one

A weight is a whole number of 16 bits times a scale that its row has, which is nearer to it than float16. Put together, the
pieces of a half are one safetensors file; DIGEST is that file's. Knows a run's folder. Does not know who carries them.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import re
import shutil
import statistics
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load, load_file, save, save_file
from torch import Tensor

from engine.command_line import run_command
from engine.errors import ConfigError
from engine.files import replacing, write_text
from training.config import load_preset
from training.net.model import Transformer
from training.run import metrics_file
from training.run.checkpoint import CONFIG, RUN, WEIGHTS

PIECE = 15 << 20
"""Bytes of a piece at most."""
PIECES = 4
"""Files with pieces that a trip has room for, beside what tells of the run."""
ABOUT = (CONFIG, RUN, metrics_file.METRICS)
"""What travels with the first half as it is."""

_NAME = re.compile(r"(first|rest)-([0-9a-f]{16})-(\d+)-of-(\d+)\.piece")
_FEW = 1 << 12  # weights of a tensor that are not worth rounding
_HIGH, _LOW, _SCALE = ".high", ".low", ".scale"
Weights = dict[str, Tensor]


def halves(weights: Mapping[str, Tensor]) -> tuple[Weights, Weights]:
    """The first half, a net by itself, and the rest, which makes it exact to 1/64,000 of each row's largest weight."""
    first: Weights = {}
    rest: Weights = {}
    for name, tensor in weights.items():
        if not _rounded(tensor):
            first[name] = tensor.float().contiguous()
            continue
        scale = tensor.float().abs().amax(dim=-1, keepdim=True) / 127
        scale[scale == 0] = 1
        fixed = torch.round(tensor.float() / scale * 256).int()
        high = (fixed + 128) >> 8
        first[name + _HIGH], first[name + _SCALE] = high.to(torch.int8), scale
        rest[name + _LOW] = (fixed - 256 * high).to(torch.int8)
    return first, rest


def _rounded(tensor: Tensor) -> bool:
    return tensor.ndim > 1 and tensor.numel() >= _FEW


def joined(first: Weights, rest: Weights | None = None) -> Weights:
    """float32 weights from both halves, or nearly the same from the first."""
    weights: Weights = {}
    for name, tensor in first.items():
        if name.endswith(_HIGH):
            plain = name.removesuffix(_HIGH)
            fixed = tensor.float() * 256 + (0 if rest is None else rest[plain + _LOW].float())
            weights[plain] = fixed * (first[plain + _SCALE] / 256)
        elif not name.endswith(_SCALE):
            weights[name] = tensor
    return weights


def first_bytes(net: Transformer) -> int:
    """About the bytes of a net's first half."""
    return sum(p.numel() + 4 * (p.numel() // p.shape[-1]) if _rounded(p) else 4 * p.numel() for p in net.state_dict().values())


def check(preset: str, changes: Sequence[str] = ()) -> str:
    """One line about a preset's net. Raises ConfigError for one that is too large for a trip."""
    net = Transformer(load_preset(preset, changes).model)
    size, room = first_bytes(net), PIECE * PIECES
    line = f"{sum(p.numel() for p in net.parameters()):,} parameters, {size / 2**20:.1f} MiB on the first trip back"
    if size > room - (1 << 16):  # names and shapes
        raise ConfigError(f"{preset}: expected a net that comes back in {room / 2**20:.0f} MiB, got {line}; make it smaller")
    return f"{preset}: {line}"


def split(run: Path, out: Path, *, rest: bool = False) -> list[Path]:
    """Write a run's newest weights to ``out`` in pieces, with what tells of the run; returns the pieces.

    The first half, and the other half too if both have room on one trip; with ``rest`` the other half alone. Pieces of
    earlier weights are removed. Raises ConfigError where there are no weights or nothing can be written.
    """
    try:
        with safe_open(str(run / WEIGHTS), framework="pt") as file:
            step = (file.metadata() or {}).get("step", "0")
        first, second = halves(load_file(str(run / WEIGHTS)))
    except (OSError, SafetensorError) as error:
        raise ConfigError(f"expected the weights of a run at {run / WEIGHTS}: {error}") from error
    data = save(first, metadata={"step": step})  # of one name: several would come in any order, and change the digest
    others = save(second, metadata={"of": _digest(data)})
    pieces = [] if rest else _cut(data, "first")
    if rest or len(pieces) + len(_cut(others, "rest")) <= PIECES:
        pieces += _cut(others, "rest")
    try:
        return _laid(pieces, run, out, about=() if rest else ABOUT)
    except OSError as error:
        raise ConfigError(f"could not write pieces to {out}: {error.strerror or error}") from error


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:16]


def _cut(data: bytes, half: str) -> list[tuple[str, bytes]]:
    """Names and contents of the pieces of a half."""
    cuts = [data[begin : begin + PIECE] for begin in range(0, len(data), PIECE)]
    return list(zip(_names(half, _digest(data), len(cuts)), cuts, strict=True))


def _laid(pieces: Sequence[tuple[str, bytes]], run: Path, out: Path, *, about: Sequence[str]) -> list[Path]:
    out.mkdir(parents=True, exist_ok=True)
    made = [out / name for name, _ in pieces]
    for old in out.glob("*.piece"):
        if old not in made:
            old.unlink()
    for path, (_, data) in zip(made, pieces, strict=True):
        path.write_bytes(data)
    for name in about:
        if (run / name).is_file():
            shutil.copyfile(run / name, out / name)
    return made


def join(folder: Path, run: Path) -> str:
    """Put the pieces in ``folder`` together to a run's folder, for bin/export, bin/evaluate and bin/train --init; returns one
    line about it.

    Pieces are kept in RUN/pieces, so the second half may come later, from another folder. Raises ConfigError for pieces that
    are missing or damaged.
    """
    kept = run / "pieces"
    try:
        kept.mkdir(parents=True, exist_ok=True)
        if any(folder.glob("first-*.piece")):
            for old in kept.glob("first-*.piece"):
                old.unlink()
        for path in folder.glob("*.piece"):
            shutil.copyfile(path, kept / path.name)
        for name in ABOUT:
            if (folder / name).is_file():
                write_text(run / name, (folder / name).read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"could not bring pieces from {folder} to {run}: {error.strerror or error}") from error
    newest = _newest(kept)
    weights = joined(newest.first, newest.rest)
    with replacing(run / WEIGHTS) as partial:
        save_file(weights, str(partial), metadata=newest.about)
    bits = "16 bits" if newest.rest is not None else "8 bits; the other half, if it comes, makes them 16"
    return f"{run}: {sum(w.numel() for w in weights.values()):,} weights of step {newest.about.get('step', '?')}, in {bits}"


@dataclass(frozen=True)
class _Found:
    """Halves put together."""

    first: Weights
    rest: Weights | None
    about: dict[str, str]


def _newest(folder: Path) -> _Found:
    """The halves of the newest weights in ``folder`` whose first half is whole."""
    names = [match for path in folder.iterdir() if (match := _NAME.fullmatch(path.name))]
    sets = {half: {(m[2], int(m[4])) for m in names if m[1] == half} for half in ("first", "rest")}
    if not sets["first"]:
        raise ConfigError(f"expected pieces of a net's first half (first-*.piece) in {folder}, found none")
    whole = [one for one in sets["first"] if not _missing(folder, "first", *one)] or sorted(sets["first"])
    firsts = [(digest, _together(folder, "first", digest, count)) for digest, count in whole]
    about = {digest: _metadata(data) for digest, data in firsts}
    digest, data = max(firsts, key=lambda first: int(about[first[0]].get("step", 0)))
    # what is left of other weights, or is still on its way, is no reason to keep these
    rests = [_together(folder, "rest", *one) for one in sets["rest"] if not _missing(folder, "rest", *one)]
    rest = next((load(data) for data in rests if _metadata(data).get("of") == digest), None)
    return _Found(load(data), rest, about[digest])


def _names(half: str, digest: str, count: int) -> list[str]:
    return [f"{half}-{digest}-{number}-of-{count}.piece" for number in range(1, count + 1)]


def _missing(folder: Path, half: str, digest: str, count: int) -> list[str]:
    return [name for name in _names(half, digest, count) if not (folder / name).is_file()]


def _together(folder: Path, half: str, digest: str, count: int) -> bytes:
    if missing := _missing(folder, half, digest, count):
        raise ConfigError(f"expected {count} pieces of {half}-{digest}, {', '.join(missing)} did not come; bring them again")
    paths = [folder / name for name in _names(half, digest, count)]
    data = b"".join(path.read_bytes() for path in paths)
    if _digest(data) != digest:
        raise ConfigError(f"the pieces {half}-{digest} in {folder} are damaged: their checksum does not fit; bring them again")
    return data


def _metadata(data: bytes) -> dict[str, str]:
    """What a safetensors file says of itself."""
    size = int.from_bytes(data[:8], "little")
    metadata: dict[str, str] = json.loads(data[8 : 8 + size]).get("__metadata__", {})
    return metadata


def speed(run: Path) -> str:
    """One line: how fast a run was, by the later half of its record."""
    lines = metrics_file.read(run)
    steps = [line for line in lines if line["kind"] == "train"]
    if not steps:
        return f"{run.name}: no step was recorded"
    later = steps[len(steps) // 2 :]
    plies, gflops = (statistics.median(line[key] for line in later) for key in ("plies_per_s", "gflops"))
    share = f", MFU {statistics.median(line['mfu'] for line in later):.1%}" if all("mfu" in line for line in later) else ""
    done = f"{steps[-1]['step']:,} steps, {steps[-1]['plies'] / 1e6:,.1f} M plies in {steps[-1]['minutes']:.1f} minutes"
    validations = [line for line in lines if line["kind"] == "validation"]
    loss = f", validation move loss {validations[-1]['validation_move_nll']:.4f}" if validations else ""
    return f"{done}, {plies:,.0f} plies/s, {gflops / 1e3:,.3g} TFLOP/s{share}{loss}"


def parser() -> argparse.ArgumentParser:
    """The options of ``python -m training.run.pieces``."""
    options = argparse.ArgumentParser(prog="pieces", description="A trained net in pieces that travel, and back.")
    commands = options.add_subparsers(dest="command", required=True)
    checking = commands.add_parser("check", help="does a preset's net come back in one trip?")
    checking.add_argument("preset")
    splitting = commands.add_parser("split", help="a run's newest weights in pieces")
    splitting.add_argument("run", type=Path)
    splitting.add_argument("out", type=Path)
    splitting.add_argument("--rest", action="store_true", help="the other half, for the second trip")
    joining = commands.add_parser("join", help="pieces together to a run's folder")
    joining.add_argument("folder", type=Path)
    joining.add_argument("run", type=Path)
    telling = commands.add_parser("speed", help="how fast a run was")
    telling.add_argument("run", type=Path)
    return options


def main(argv: list[str] | None = None) -> int:
    """Run a command; returns the exit status."""
    arguments = parser().parse_args(argv)
    return run_command("pieces", lambda: _perform(arguments))


def _perform(arguments: argparse.Namespace) -> None:
    match arguments.command:
        case "check":
            print(check(arguments.preset))
        case "split":
            for path in split(arguments.run, arguments.out, rest=arguments.rest):
                print(f"{path}: {path.stat().st_size / 2**20:.1f} MiB")
        case "join":
            print(join(arguments.folder, arguments.run))
        case _:
            print(speed(arguments.run))


if __name__ == "__main__":
    sys.exit(main())
