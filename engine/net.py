"""A net on disk becomes a function: the ONNX session behind docs/onnx-contract.md.

Knows how to tell a good net from a foreign or broken one, devices and threads. Does not know where nets are looked for
(``engine.net_file``), or chess: arrays in, arrays out.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import NetError
from engine.machine import has_nvidia_driver
from engine.net_file import CONTRACT, CONTRACTS, PREFIX
from engine.net_file import find_net as find_net
from engine.vocabulary import MOVE_COUNT, vocabulary_hash

_TOKENS, _CACHE = ("moves", "board", "state", "ratings"), ("past_keys", "past_values")
_INPUTS = {"1": (*_TOKENS, *_CACHE, "past_lengths"), "2": (*_TOKENS, *_CACHE, "positions", "past_mask", "new_mask")}
"""By version of the contract."""
_OUTPUTS = ("logits", "wdl", "keys", "values")
_PROVIDERS = {"cpu": "CPUExecutionProvider", "cuda": "CUDAExecutionProvider"}

Ints = NDArray[np.int64]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class NetInfo:
    """What a net says of itself, and where it runs."""

    name: str
    layers: int
    heads: int
    head_width: int
    width: int
    context: int
    """Plies it sees at once."""
    board_input: str
    """none, sum, attacks, …: see ``engine.encoding.BOARD_CODES``."""
    checks: bool
    """Whether its board input carries king codes: see ``engine.kings``."""
    rating_input: bool
    precision: str
    """fp32, int8 or fp16."""
    path: Path
    device: str
    """What it really runs on: cpu or cuda."""
    contract: str = CONTRACT
    """The version of docs/onnx-contract.md that it follows."""
    note: str = ""
    """Why ``auto`` did not take the GPU, where it tried."""
    training: dict[str, Any] = field(default_factory=dict)
    """How it was trained, for people."""
    play: dict[str, Any] = field(default_factory=dict)
    """``rating`` and ``scale`` that play is conditioned on unless set otherwise, and ``dial`` where it has one."""

    @property
    def blind(self) -> bool:
        """True for a net that sees moves only and must begin at the initial position."""
        return self.board_input == "none"


@dataclass(frozen=True)
class Tokens:
    """T new plies of B games; see docs/onnx-contract.md."""

    moves: Ints
    """(B, T)"""
    board: Ints
    """(B, T, 64)"""
    state: Ints
    """(B, T, 4)"""
    ratings: Ints
    """(B, T, 3)"""


@dataclass(frozen=True)
class Past:
    """The cache of B games, left-aligned."""

    keys: Floats
    """(L, B, H, S, D)"""
    values: Floats
    """(L, B, H, S, D)"""
    lengths: Ints
    """(B,) plies of each game that are really there."""


@dataclass(frozen=True)
class Outputs:
    """What the net answers for T new plies of B games."""

    logits: Floats
    """(B, T, MOVE_COUNT)"""
    wdl: Floats
    """(B, T, 3) logits of win, draw, loss for the mover."""
    keys: Floats
    """(L, B, H, T, D)"""
    values: Floats
    """(L, B, H, T, D)"""


@dataclass(frozen=True)
class Lines:
    """How T new plies of B games stand to each other and to the S cached ones, where they are not one sequence."""

    positions: Ints
    """(B, T)"""
    past_mask: NDArray[np.bool_]
    """(B, T, S)"""
    new_mask: NDArray[np.bool_]
    """(B, T, T)"""


class Net:
    """An opened net."""

    def __init__(self, session: Any, info: NetInfo, *, threads: int = 1) -> None:
        self._session = session
        self.info = info
        self.threads = threads
        """How many a call computes with, on a CPU."""
        self._to_share: Net | None = None

    @classmethod
    def open(cls, path: Path, *, device: str = "cpu", threads: int = 1) -> Net:
        """Load and check a net. ``device`` is cpu, cuda (an error where there is none) or auto.

        Raises NetError for a file that is missing, broken, no net of this program, or made for another vocabulary.
        """
        if not path.is_file():
            raise NetError(f"expected a net (an .onnx file) at {path}, found none; set the option Model to one")
        import onnxruntime  # here: it takes a quarter of a second, and ``uciok`` must not wait for it

        provider, note = _provider(onnxruntime, device)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = max(1, threads)
        options.inter_op_num_threads = 1
        options.log_severity_level = 4  # its complaints would land in the GUI's log; ours say what matters
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")  # idle engines must not burn a core
        try:
            session = onnxruntime.InferenceSession(str(path), options, providers=[provider])
        except Exception as error:  # onnxruntime raises a dozen kinds of its own
            reason = str(error).splitlines()[0][:200]
            raise NetError(f"{path} cannot be opened as an ONNX net: {reason}; is the file whole?") from None
        if session.get_providers()[0] != provider:
            if device == "cuda":
                raise NetError(f"device cuda was asked for, but ONNX Runtime fell back to {session.get_providers()[0]}")
            note = f"ONNX Runtime fell back to {session.get_providers()[0]}"
        used = "cuda" if session.get_providers()[0] == _PROVIDERS["cuda"] else "cpu"
        return cls(session, _checked_info(session, path, device=used, note=note), threads=max(1, threads))

    def to_share(self) -> Net:
        """This net for ``threads`` calls at a time with a thread each: nothing waits then at the end of each of a call's few
        hundred operations, which matters where there are several calls."""
        if self.threads == 1 or self.info.device != "cpu":
            return self
        self._to_share = self._to_share or Net.open(self.info.path)
        return self._to_share

    def run(self, tokens: Tokens, past: Past) -> Outputs:
        """One call: the new plies behind the cached ones, each game in its order."""
        if self.info.contract == "1":
            return self._answer(tokens, past, {"past_lengths": past.lengths})
        lines = in_sequence(past.lengths, new=tokens.moves.shape[1], past=past.keys.shape[3])
        return self._answer(tokens, past, vars(lines))

    def run_tree(self, tokens: Tokens, past: Past, lines: Lines) -> Outputs:
        """One call: new plies of many lines. Raises NetError for a net that takes no masks."""
        if self.info.contract == "1":
            raise NetError(
                f"{self.info.path} follows contract 1, which knows no search; set Nodes to 1, or export the net again"
            )
        return self._answer(tokens, past, vars(lines))

    def _answer(self, tokens: Tokens, past: Past, order: dict[str, NDArray[Any]]) -> Outputs:
        feeds = vars(tokens) | {"past_keys": past.keys, "past_values": past.values} | order
        return Outputs(*self._session.run(list(_OUTPUTS), feeds))


def in_sequence(lengths: Ints, *, new: int, past: int) -> Lines:
    """``new`` plies that follow ``lengths`` (B,) of ``past`` cached ones, each game in its order."""
    order, old = np.arange(new), np.arange(past) < lengths[:, None]
    after = np.repeat((order <= order[:, None])[None], len(lengths), axis=0)
    return Lines(lengths[:, None] + order, np.repeat(old[:, None], new, axis=1), after)


def _provider(onnxruntime: Any, device: str) -> tuple[str, str]:
    """The execution provider for a wanted device, and a note where ``auto`` could not have the GPU."""
    offered = onnxruntime.get_available_providers()
    if device == "cpu":
        return _PROVIDERS["cpu"], ""
    if device == "auto" and not has_nvidia_driver():  # to try costs seconds, and lines of complaint on standard error
        return _PROVIDERS["cpu"], ""
    if _PROVIDERS["cuda"] in offered:
        if hasattr(onnxruntime, "preload_dlls"):
            onnxruntime.preload_dlls()
        return _PROVIDERS["cuda"], ""
    if device == "cuda":
        raise NetError(
            f"device cuda was asked for, but this ONNX Runtime offers only {', '.join(offered)}; install onnxruntime-gpu "
            f"instead of onnxruntime (the launchers do where they find an NVIDIA driver), or set the option Device to auto"
        )
    return _PROVIDERS["cpu"], ""


def _checked_info(session: Any, path: Path, *, device: str, note: str) -> NetInfo:
    props = session.get_modelmeta().custom_metadata_map
    facts = {key.removeprefix(PREFIX): value for key, value in props.items() if key.startswith(PREFIX)}
    if "contract" not in facts:
        raise NetError(f"{path} is an ONNX file, but no net of this program (no transcendence.contract in its metadata)")
    if facts["contract"] not in CONTRACTS:
        raise NetError(
            f"{path} follows contract {facts['contract']}, this program reads {' and '.join(CONTRACTS)}; export the net again "
            f"with this version, or use the version of the program that wrote it"
        )
    if facts.get("vocabulary") != vocabulary_hash():
        raise NetError(
            f"{path} was made for the move vocabulary {facts.get('vocabulary')}, this program has {vocabulary_hash()}; "
            f"export the net again with this version"
        )
    _check_names(session, path, inputs=_INPUTS[facts["contract"]])
    try:
        info = _info(facts, path, device=device, note=note)
    except (KeyError, TypeError, ValueError) as error:
        raise NetError(f"{path} has damaged metadata ({error!r}); export the net again") from None
    _check_shapes(session, info)
    return info


def _info(facts: dict[str, str], path: Path, *, device: str, note: str) -> NetInfo:
    model = json.loads(facts["model"])
    return NetInfo(
        name=str(model["name"]),
        layers=int(model["layers"]),
        heads=int(model["heads"]),
        head_width=int(model["head_width"]),
        width=int(model["width"]),
        context=int(model["context"]),
        board_input=str(model["board_input"]),
        checks=bool(model.get("checks", False)),
        rating_input=bool(model["rating_input"]),
        precision=facts["precision"],
        path=path,
        device=device,
        contract=facts["contract"],
        note=note,
        training=json.loads(facts.get("training", "{}")),
        play=json.loads(facts.get("play", "{}")),
    )


def _check_names(session: Any, path: Path, *, inputs: tuple[str, ...]) -> None:
    for wanted, ends in ((inputs, session.get_inputs()), (_OUTPUTS, session.get_outputs())):
        names = tuple(sorted(value.name for value in ends))
        if names != tuple(sorted(wanted)):
            raise NetError(f"{path}: expected the graph's values {', '.join(sorted(wanted))}, found {', '.join(names)}")


def _check_shapes(session: Any, info: NetInfo) -> None:
    """The fixed sizes of the graph against the metadata: a net with another's metadata would play nonsense."""
    shapes = {value.name: value.shape for value in (*session.get_inputs(), *session.get_outputs())}
    cache = (info.layers, info.heads, info.head_width)
    for name in ("past_keys", "past_values", "keys", "values"):
        sizes = tuple(shapes[name][axis] for axis in (0, 2, 4))
        if sizes != cache:
            raise NetError(f"{info.path}: {name} should have layers, heads, head width {cache} by its metadata, has {sizes}")
    if shapes["logits"][-1] != MOVE_COUNT or shapes["wdl"][-1] != 3:
        raise NetError(
            f"{info.path}: expected {MOVE_COUNT} move logits and 3 for the result, found {shapes['logits']}, {shapes['wdl']}"
        )
