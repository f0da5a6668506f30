"""What is made of a trained model: its final figures, its files, the picture, the report, a registered version."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from ..backend import ModelVersion
from ..data import Dataset
from ..job import TrainJob
from ..metrics import final_names, format_value, validation
from ..plugin.plugins import Plugins
from ..registry import MODEL_FILE, Registry
from ..rundir import RunDirectory
from ..summary import RunSummary
from . import report
from .export import export
from .model_facts import count_not_finite_weights
from .plot import Drawing

if TYPE_CHECKING:
    from .fit import Fit, Subset


@dataclass(frozen=True, kw_only=True, slots=True)
class Finalization:
    """The last steps of a run, after its last epoch.

    Attributes:
        run: The run.
        job: Its job.
        plugins: Those that export or register models are offered this one.
        drawing: The picture, not drawn yet.
    """

    run: RunDirectory
    job: TrainJob
    plugins: Plugins
    drawing: Drawing

    def finalize(
        self, fit: Fit, test: Subset, dataset: Dataset, *, reuse_validation: bool, time_s: float
    ) -> RunSummary:
        """Writes everything that a finished run has, and says in the log what there is.

        Args:
            fit: The training that has ended, with the model.
            test: The examples for the final figures.
            dataset: The data, for what the model takes.
            reuse_validation: Take the figures of the last validation, which has evaluated this model on `test`.
            time_s: Seconds of training so far.

        Returns:
            What the run has come to.

        Raises:
            RunError: The model must not be registered; all else is written.
            StorageError: Something can't be written.
        """
        self.drawing.draw(fit.history)
        last = validation({name: values[-1] for name, values in fit.history.items()})
        figures = final_names(last if reuse_validation and last else fit.evaluate(test))
        export(fit.model, self.run.model, _example(dataset), self.plugins)
        complaint = self.drawing.finish()
        if complaint:
            print(f"note: the picture could not be drawn: {complaint}")
        try:
            report.write(self.run, fit.history, figures, self.drawing.output)
        except Exception as error:  # noqa: BLE001 - the model is written, and a page about it must not fail the run
            print(f"note: the report could not be written: {error}")
        self.run.append_metrics(fit.epochs_done, figures, time_s)
        self._say(figures)
        broken = count_not_finite_weights(fit.model)
        if broken:
            print(f"note: {broken:,} weights of the model are NaN or infinite, whatever its figures say")
        summary = RunSummary(metrics=figures, epochs=fit.epochs_done, not_finite_weights=broken)
        if self.job.register:
            summary = summary.registered_as(self._register(summary))
        self.run.write_summary(summary)
        return summary

    def _say(self, figures: Mapping[str, float]) -> None:
        for name, value in figures.items():
            print(f"{name}: {format_value(value)}")
        if not self.job.validation_fraction:
            print("the test set served as validation after each epoch; --validation-fraction holds out a part instead")
        path = self.run.model / MODEL_FILE
        print(f"model: {path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path}")

    def _register(self, summary: RunSummary) -> ModelVersion:
        Registry.check_summary(self.job, summary)
        version = Registry.register_run(self.run, self.job)
        self.plugins.register_model(self.run.model, version.name, self.job.options)
        print(f"registered: {version.name} version {version.version} ({version.location})")
        return version


def _example(dataset: Dataset) -> str:
    """What the model takes, in words: "uint8 [N, 28, 28]"."""
    return f"{dataset.train.images.dtype.name} [{', '.join(('N', *(str(size) for size in dataset.shape)))}]"
