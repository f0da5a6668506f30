"""Runs a job in this process: data, model, training, evaluation, export. The one training path of every backend."""

from __future__ import annotations

import math
import threading
import time
import traceback
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data import Dataset, classes_in_words
from ..errors import CheckpointError, StokerError
from ..event import EventKind
from ..job import TrainJob
from ..metrics import EpochReport, epoch_names, not_finite_losses
from ..plugin.plugins import Plugins
from ..rundir import RunDirectory
from ..status import Progress, RunState
from ..summary import RunSummary
from . import plot
from .callback_state import hold_averages
from .checkpoint import TrainingState, best_epoch, restore, verify
from .environment import RunEnvironment
from .example_weights import training_weights
from .execution_mode import ExecutionMode, choose_mode
from .finalize import Finalization
from .heartbeat import Heartbeat
from .keras_model import finalize_weights
from .model_check import ignored_methods
from .model_facts import count_parameters, model_facts
from .prepare import BuiltModel, build_model, count_not_finite, load_dataset, split
from .recorder import RunRecorder
from .runtime import choose_device, import_keras
from .stop import Stopped, check_stop, stop_at_once
from .xla_cache import XlaCache

if TYPE_CHECKING:
    from .fit import Fit, Subset

_LOOKED_AT, _LOOKED_AT_BYTES = 20_000, 64 << 20
"""How many examples are looked at for NaN once a loss is NaN, and how much memory they may take."""
PICTURE = "Accuracy vs Loss.png"


def run(job: TrainJob, run_dir: RunDirectory, plugins: Plugins, stop: threading.Event) -> RunState:
    """Trains, and writes everything into the folder of the run; an error ends up in its log and status.

    Args:
        job: What to train.
        run_dir: The folder of the run.
        plugins: Where data set, model, callbacks and observers come from.
        stop: Set to end the training early; the run is then cancelled and can be resumed.

    Returns:
        How it ended.
    """
    with Heartbeat(run_dir) as heartbeat, XlaCache(job, run_dir.path / ".programs") as xla_cache:
        recorder = RunRecorder(run_dir, job, plugins, heartbeat)
        try:
            training = Training(
                job, run_dir, plugins, recorder=recorder, heartbeat=heartbeat, xla_cache=xla_cache, stop=stop
            )
            training.run()
        except Stopped:
            done = max((line["epoch"] for line in run_dir.metrics()), default=0)
            print("cancelled; " + (f"--resume continues after epoch {done}" if done else "no epoch had finished"))
            recorder.end(RunState.CANCELLED, EventKind.CANCELLED)
        except StokerError as error:
            print(f"error: {error}" + (f"\nhint: {error.hint}" if error.hint else ""))
            recorder.end(RunState.FAILED, EventKind.FAILED, error.what)
        except Exception as error:  # noqa: BLE001 - the user's model and plugins may raise anything
            traceback.print_exc()
            recorder.end(RunState.FAILED, EventKind.FAILED, _in_a_line(error))
        return heartbeat.status.state


class Training:
    """One execution of a job; see `run`."""

    def __init__(
        self,
        job: TrainJob,
        run_dir: RunDirectory,
        plugins: Plugins,
        *,
        recorder: RunRecorder,
        heartbeat: Heartbeat,
        xla_cache: XlaCache,
        stop: threading.Event,
    ) -> None:
        self._job, self._run, self._plugins, self._stop = job, run_dir, plugins, stop
        self._recorder, self._heartbeat, self._xla_cache = recorder, heartbeat, xla_cache
        self._drawing = plot.Drawing(run_dir.plots / PICTURE)
        self._started = time.perf_counter()
        self._before_s = 0.0
        self._environment = RunEnvironment(run_dir)

    def run(self) -> None:
        """Trains to the end.

        Raises:
            Stopped: It was asked to stop.
            StokerError: The user's input, a file or a checkpoint is wrong.
        """
        tf, keras = import_keras(self._stop)
        device = choose_device(tf, self._job.device, self._job.threads)
        with stop_at_once(self._stop):
            dataset = load_dataset(self._job, self._plugins)
        self._say_notes(dataset)
        keras.utils.set_random_seed(self._job.seed)
        newest = self._newest_checkpoint()
        self._environment.record(self._job, dataset, tf, resumed=newest is not None)
        with stop_at_once(self._stop):
            built = build_model(self._job, dataset, self._plugins)
            fit, test = self._fit(built, dataset, tf.distribute.get_strategy(), resumed=newest is not None)
        callbacks = self._plugins.callbacks(self._job, self._run.path)
        self._environment.record_code(self._job, resumed=newest is not None)  # all of it has been imported now
        self._record_model(built, callbacks)
        resumed = self._resume(fit, newest) if newest else None
        done = resumed.epoch if resumed else 0
        check_stop(self._stop)
        self._run.truncate_metrics(done)
        self._heartbeat.progress(Progress(epoch=done + 1, epochs=self._job.epochs, step=0, steps=fit.steps))
        self._heartbeat.set(RunState.RUNNING)
        self._recorder.event(EventKind.STARTED, attempt=self._heartbeat.status.attempt, epochs_done=done)
        print(_introduction(dataset, fit.model, device))
        fit.run(
            callbacks,
            lambda report: self._epoch(fit, dataset, report),
            resumed,
            on_progress=lambda progress: self._progress(fit, progress),
        )
        summary = self._finalize(fit, test, dataset, unchanged=not callbacks)
        self._recorder.end(RunState.COMPLETED, EventKind.FINISHED, summary.not_finite)

    def _say_notes(self, dataset: Dataset) -> None:
        """Prints what the checks at the submission and here have to say of the data; a resume repeats nothing."""
        at_submission = self._run.notes()
        said = at_submission if self._heartbeat.status.attempt > 1 else []
        for note in dict.fromkeys((*at_submission, *dataset.notes)):
            if note not in said:
                print(f"note: {note}")

    def _finalize(self, fit: Fit, test: Subset, dataset: Dataset, *, unchanged: bool) -> RunSummary:
        """Writes what a finished run has, and returns what it has come to.

        `unchanged`: no callback can have changed the model since its validation.
        """
        self._heartbeat.set(RunState.FINALIZING)
        self._recorder.durable()
        last = self._job.keep == "last" or not self._take_best(fit)
        reuse = last and unchanged and not self._job.validation_fraction and not fit.changes_at_end
        finalization = Finalization(run=self._run, job=self._job, plugins=self._plugins, drawing=self._drawing)
        return finalization.finalize(fit, test, dataset, reuse_validation=reuse, time_s=self._time_s)

    @property
    def _time_s(self) -> float:
        """Seconds of training so far, those of earlier attempts included."""
        return self._before_s + time.perf_counter() - self._started

    def _fit(self, built: BuiltModel, dataset: Dataset, strategy: Any, *, resumed: bool) -> tuple[Fit, Subset]:
        from .fit import Fit

        job = self._job
        train, validation, test = split(dataset, job.validation_fraction, job.seed, training_weights(job, dataset))
        recorded = self._environment.mode if resumed else None  # without a checkpoint no epoch has run in it
        fit = Fit(
            model=built.model,
            train=train,
            validation=validation,
            batch_size=job.batch_size,
            epochs=job.epochs,
            seed=job.seed,
            stop=self._stop,
            mode=self._mode(built, strategy, recorded),
            strategy=strategy,
            may_choose=recorded is None and built.jit_compile is not True,
        )
        fit.check_batches(test, "test")
        return fit, test

    def _mode(self, built: BuiltModel, strategy: Any, recorded: ExecutionMode | None) -> ExecutionMode:
        """Returns how epochs run: as recorded, so that a resume has the same bits, unless the code now forbids it."""
        chosen, reason = choose_mode(built.model, strategy, built.jit_compile)
        if recorded is not None and chosen in {ExecutionMode.XLA, recorded}:
            return recorded
        self._environment.record_mode(chosen, reason)
        return chosen

    def _record_model(self, built: BuiltModel, callbacks: Sequence[Any]) -> None:
        """Writes down what is trained, and says which options that the user gave the model does without."""
        unused = built.config.unread(self._job.given)
        facts = model_facts(built.model, () if callbacks else unused)  # a callback may use what the model does not
        self._run.write_model_facts(facts)
        if self._heartbeat.status.attempt > 1:
            return
        for name in ignored_methods(built.model):
            print(f"note: {built.model.name} has its own {name}, which is not called: override train_step instead")
        for name in unused:
            rate = (facts["optimizer"] or {}).get("learning_rate")
            own = f"; its optimizer has {rate}" if name == "learning_rate" and isinstance(rate, float) else ""
            print(f"note: the model {built.model.name} does not use --{name.replace('_', '-')}{own}")

    def _progress(self, fit: Fit, progress: Progress) -> None:
        """Passes on how far the training is; the first chunk has shown whether XLA can compile the model."""
        self._heartbeat.progress(progress)
        if fit.fallback and self._environment.mode is not fit.fallback.mode:
            fallback = fit.fallback
            self._environment.record_mode(fallback.mode, fallback.reason, is_usual=fallback.is_usual)

    def _newest_checkpoint(self) -> Path | None:
        newest = self._recorder.checkpoints.latest(self._run.run_id)
        before = "the checkpoint before it is used" if newest else "training starts from the beginning"
        refused = self._recorder.checkpoints.refused
        if not newest and any(" is of another run" in reason for reason in refused):
            hint = "give the folder of the run its name back, or start a new run"
            raise CheckpointError("the checkpoints of this run can't be used", received=refused[0], hint=hint)
        for reason in refused:
            print(f"note: {reason}; {before}")
        return newest

    def _resume(self, fit: Fit, newest: Path) -> TrainingState:
        """Gives the model the variables of a checkpoint."""
        state = restore(newest, fit.model, self._run.run_id, fit.more_variables)
        if self._run.summary():  # it had finished, and is given more epochs
            state = replace(state, stopped=False)
        self._before_s = state.time_s
        print(f"resumed after epoch {state.epoch}")
        return state

    def _epoch(self, fit: Fit, dataset: Dataset, report: EpochReport) -> None:
        captured, arrays = fit.callback_states.capture()
        state = TrainingState(
            run_id=self._run.run_id,
            epoch=report.epoch,
            history={name: tuple(values) for name, values in fit.history.items()},
            time_s=self._time_s,
            stopped=bool(fit.model.stop_training),
            callbacks=captured,
            arrays=arrays,
        )
        self._recorder.durable()
        self._recorder.checkpoints.save(fit.model, state, fit.more_variables)
        self._xla_cache.store()
        self._run.append_metrics(report.epoch, epoch_names(report.metrics), state.time_s)
        print(report.line(), flush=True)
        self._say_not_finite(fit, dataset, report)
        self._recorder.event(EventKind.EPOCH, epoch=report.epoch, metrics=dict(report.metrics), seconds=report.seconds)

    def _say_not_finite(self, fit: Fit, dataset: Dataset, report: EpochReport) -> None:
        """Says so in the epoch where a loss becomes NaN or infinite, and what is known of why."""
        lost = not_finite_losses(report.metrics)
        new = {name: value for name, value in lost.items() if all(map(math.isfinite, fit.history[name][:-1][-1:]))}
        if not new:
            return
        said = ", ".join(f"{name} is {value}" for name, value in new.items())
        why = "a smaller learning rate, or the optimizer's clipnorm, often helps"
        for kind, images in (("test", dataset.test.images), ("training", dataset.train.images)):
            looked_at = images[: min(_LOOKED_AT, _LOOKED_AT_BYTES // max(1, images[:1].nbytes))]
            bad = count_not_finite(looked_at)
            why = f"there is NaN or infinity in {bad:,} of the first {len(looked_at):,} {kind} examples" if bad else why
        print(f"note: from epoch {report.epoch} on, {said}: {why}", flush=True)

    def _take_best(self, fit: Fit) -> bool:
        """Gives the model the weights of its best epoch; returns whether they differ from those of the last."""
        best = best_epoch(fit.history, fit.epochs_done)
        if not best:
            print("note: no epoch has a finite loss to go by: the model has the weights of its last epoch")
            return False
        print(f"the model has the weights of its best epoch: {best}")
        if best == fit.epochs_done:
            return False
        folder = self._recorder.checkpoints.path_of(best)
        verify(folder)
        state = restore(folder, fit.model, self._run.run_id, fit.more_variables)
        if not hold_averages(state.callbacks):  # else the optimizer has the weights that the steps have made
            finalize_weights(fit.model)
        return True


def _in_a_line(error: Exception) -> str:
    """Returns an error's kind and its first line; what went wrong in a traced step is in the last line of the text."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()] or [""]
    reason = lines[-1] if lines[0].startswith("in user code") else lines[0]
    kind = type(error).__name__
    return reason if reason.startswith(f"{kind}: ") else f"{kind}: {reason}".rstrip(": ")


def _introduction(dataset: Dataset, model: Any, device: str) -> str:
    shape = "×".join(str(size) for size in dataset.shape)
    return (
        f"{dataset.name}: {len(dataset.train):,} training and {len(dataset.test):,} test examples, {shape} "
        f"{dataset.train.images.dtype.name}, {classes_in_words(dataset)}; {model.name}: "
        f"{count_parameters(model.weights):,} parameters; {device}"
    )
