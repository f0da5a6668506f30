"""TensorBoard: with `--tensorboard`, Keras' callback writes the figures of a run for TensorBoard."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from ...engine.hookspecs import hookimpl
from ...engine.job import TrainJob
from ...engine.paths import expanded
from ...engine.plugin.extras import require_extra
from ...engine.rundir import RunDirectory

NAME = "tensorboard"


@hookimpl
def stoker_add_options(parser: argparse.ArgumentParser, command: str) -> None:
    """Adds the options of TensorBoard to `train`."""
    if command != "train":
        return
    group = parser.add_argument_group(NAME)
    what = "write the figures for TensorBoard, into the run's outputs"
    group.add_argument("--tensorboard", action="store_true", help=what)
    group.add_argument(
        "--tensorboard-folder",
        default="",
        metavar="DIR",
        help="write them below this folder instead, in a folder with the run's name",
    )


@hookimpl
def stoker_configure_job(job: TrainJob) -> TrainJob | None:
    """Makes the folder absolute, because the training process may run in another folder."""
    if not _asked(job.options):
        return None
    require_extra(f"--{NAME}", NAME, NAME)
    folder = str(job.options.get("tensorboard_folder") or "")
    absolute = str(expanded(folder).absolute()) if folder else ""
    return replace(job, options={**job.options, "tensorboard_folder": absolute})


@hookimpl
def stoker_callbacks(job: TrainJob, run_dir: Path) -> Iterable[Any]:
    """Offers Keras' callback, and prints how to look at what it writes."""
    if not _asked(job.options):
        return []
    require_extra(f"--{NAME}", NAME, NAME)
    import keras

    run = RunDirectory(run_dir)
    above = str(job.options.get("tensorboard_folder") or "")
    folder = Path(above) / run.run_id if above else run.outputs / NAME
    print(f"TensorBoard: look at it with: tensorboard --logdir {shlex.quote(str(folder))}")
    return [keras.callbacks.TensorBoard(folder)]


def _asked(options: Mapping[str, Any]) -> bool:
    return bool(options.get("tensorboard") or options.get("tensorboard_folder"))
