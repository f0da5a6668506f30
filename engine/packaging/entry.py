"""The script that a node starts, and how it is started."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """The script that a node starts at the top of the package; it needs nothing but Python.

    It unpacks `stoker.zip`, which lies beside it, and runs the job of `job.json` with `stoker exec`. What the backend
    keeps is then below `outputs`, with the record of the run in `outputs/run`. An option that it does not take is "".

    Attributes:
        source: The script on this machine; it goes along under its own name.
        run_id: The option before the id of the run.
        data_folder: The option before the folder of the data.
        checkpoints: The option before the folder of the checkpoints, which outlive the node.
        job_options: The word after its own options. All that follows it are options of the job, as `--name value`,
            which the script hands on to `stoker exec`; they count instead of what `job.json` has. So no option of a
            plugin, and no value, is taken for one of the script's own. "" takes no options of the job.
    """

    source: Path
    run_id: str = ""
    data_folder: str = ""
    checkpoints: str = ""
    job_options: str = ""

    @property
    def name(self) -> str:
        """What the script is called in the package."""
        return self.source.name

    def arguments(
        self,
        *,
        run_id: Any,
        data_folder: Any = None,
        checkpoints: Any = None,
        job_options: Mapping[str, str] | None = None,
    ) -> list[Any]:
        """Returns what the script is started with.

        Args:
            run_id: The run.
            data_folder: Where the data are; None if the job takes none.
            checkpoints: Where checkpoints go; None keeps none.
            job_options: Options of the job by name, {"batch-size": "50"}, for a script that takes them.
        """
        given = ((self.run_id, run_id), (self.data_folder, data_folder), (self.checkpoints, checkpoints))
        own = [word for option, value in given if option and value is not None for word in (option, value)]
        if not self.job_options:
            return own
        of_job = ((f"--{name}", value) for name, value in (job_options or {}).items())
        return [*own, self.job_options, *(word for pair in of_job for word in pair)]

    def to_json(self) -> dict[str, Any]:
        """Returns what `package.json` has of it: nothing of this machine."""
        return {**asdict(self), "source": self.name}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> Entry:
        """Returns the entry of a `package.json`, whose source is its name in the package.

        Raises:
            KeyError: It is none.
        """
        options = {name: value[name] for name in ("run_id", "data_folder", "checkpoints", "job_options")}
        return cls(source=Path(value["source"]), **options)
