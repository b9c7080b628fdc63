"""The figures of metrics.jsonl for TensorBoard, which is an extra: ``pip install 'transcendence-chess[tensorboard]'``.

Knows lines and TensorBoard's writer. Does not know what the figures mean; metrics.jsonl stays the record.
"""

from __future__ import annotations

from pathlib import Path

from engine.errors import ConfigError
from training.run import metrics_file


class FigureLog:
    """Scalars in the run's folder, ``train/…`` and ``validation/…`` against steps. Raises ConfigError without TensorBoard."""

    def __init__(self, folder: Path, *, step: int) -> None:
        """``step``: where the run resumes; what an earlier process wrote beyond it is hidden."""
        try:
            from torch.utils.tensorboard import SummaryWriter
        except ImportError as error:
            raise ConfigError(
                "expected TensorBoard for run.tensorboard (--tensorboard); run pip install 'transcendence-chess[tensorboard]'"
            ) from error
        self._writer = SummaryWriter(str(folder), purge_step=step + 1)

    def add(self, line: metrics_file.Record) -> None:
        """Every number of one line."""
        for name, value in line.items():
            if name not in ("kind", "step") and isinstance(value, int | float):
                tag = f"{line['kind']}/{name.removeprefix('validation_')}"
                self._writer.add_scalar(tag, value, line["step"])
        self._writer.flush()
