"""A net between what a run began with and what it became: each weight a share of the way from the one to the other.

    python -m training.run.mixing RUN NET --share 0.35 --out MIXED      NET: what RUN began with, a run's folder or an .onnx

A short run on other games, at a higher rate than the run before ended with, loses some of what the net knew. A net part of the
way often keeps that and has most of what is new. MIXED is a run's folder for bin/export and bin/evaluate; it
cannot be resumed. Knows folders of runs and their record. Source: Wortsman et al., "Robust fine-tuning of zero-shot models"
(2022).
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from pathlib import Path

from safetensors.torch import save_file

from engine.command_line import run_command
from engine.errors import ConfigError
from engine.files import replacing, write_text
from training.run import checkpoint, metrics_file
from training.run.warm_start import progress, read_weights


def mix(run: Path, before: Path, share: float, out: Path) -> None:
    """Write the folder of a net at ``share`` (0..1) of the way from ``before`` to ``run``. Raises ConfigError where ``run`` did
    not begin with ``before``, for nets of different shapes, and for a folder that is there."""
    if not 0 <= share <= 1:
        raise ConfigError(f"expected a share from 0 (what the run began with) to 1 (what it became), got {share:g}")
    if out.exists():
        raise ConfigError(f"expected a new folder at {out}, found one; give another --out")
    first, last = read_weights(before), read_weights(run)
    began = checkpoint.began_with(run)
    if began and began["sha256"] != first.facts["sha256"]:
        raise ConfigError(f"expected what {run} began with, {began['name']} (sha256 {began['sha256']}), got {before}")
    if first.model != last.model:
        raise ConfigError(f"expected two nets of one shape, got {before} with {first.model} and {run} with {last.model}")
    weights = {
        name: (first.weights[name].float().lerp(values.float(), share)).contiguous() for name, values in last.weights.items()
    }
    record = checkpoint.about(run) | {"mixed": {"share": share, "with": first.facts}}
    with replacing(out) as partial:
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_file(weights, str(partial / checkpoint.WEIGHTS), metadata={"step": str(progress(run).get("step", 0))})
        for name in (checkpoint.CONFIG, metrics_file.METRICS):
            shutil.copyfile(run / name, partial / name)
        write_text(partial / checkpoint.RUN, json.dumps(record, indent=1))


def parser() -> argparse.ArgumentParser:
    """The options of this command."""
    options = argparse.ArgumentParser(prog="python -m training.run.mixing", description="A net between two.")
    options.add_argument("run", type=Path, help="the folder of a run that began with weights")
    options.add_argument("net", type=Path, help="what it began with: a run's folder or a net that bin/export wrote")
    options.add_argument("--share", type=float, required=True, help="of the way from NET to RUN, 0 to 1")
    options.add_argument("--out", type=Path, required=True, help="a new run's folder")
    return options


def main(argv: list[str] | None = None) -> int:
    """Mix; returns the exit status."""
    arguments = parser().parse_args(argv)
    return run_command("mixing", lambda: mix(arguments.run, arguments.net, arguments.share, arguments.out))


if __name__ == "__main__":
    sys.exit(main())
