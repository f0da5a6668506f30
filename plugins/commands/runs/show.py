"""`stoker runs show`: what one run was asked for, what it trained, its figures and its files."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from ....engine import strict_json
from ....engine.backend import Backend
from ....engine.rundir import RunDirectory
from ....engine.terminal.text import visible
from .figures import last_figures, rounded

_ALWAYS = ("dataset", "data_folder", "model", "batch_size", "seed")
"""The settings of a job that are shown of each run."""
_ELSEWHERE = {*_ALWAYS, "schema", "name", "learning_rate", "epochs", "given", "options"}


def show(found: RunDirectory, backend: Backend, *, as_json: bool) -> None:
    """Prints one run.

    Args:
        found: The run.
        backend: Its backend.
        as_json: Whether to print one JSON object instead of lines for people.

    Raises:
        StokerError: Its state or a record of it can't be read.
    """
    status = backend.status(found.handle())
    value = {
        "run": found.run_id,
        "state": str(status.state),
        "attempt": status.attempt,
        "message": status.message,
        "folder": str(found.path),
        "handle": str(found.handle()),
        "job": found.job().to_json(),
        "trained": found.model_facts(),
        **last_figures(found),
    }
    if as_json:
        print(strict_json.dumps(value, indent=2))
        return
    job, trained, value = value.pop("job"), value.pop("trained"), rounded(value)
    value |= {name: job[name] for name in _ALWAYS}
    value |= _trained(trained) if trained else {"learning_rate": job["learning_rate"]}
    value |= _settings(job, trained.get("unused_options", ()) if trained else ())
    if value.get("epochs", job["epochs"]) != job["epochs"]:
        value["epochs"] = f"{value['epochs']} of {job['epochs']}"
    width = max(len(name) for name in value)
    for name, entry in value.items():
        if entry != "":
            print(visible(f"{name.replace('_', ' '):<{width}}  {entry}"))
    for path in sorted(path for path in found.outputs.rglob("*") if path.is_file()):
        print(visible(f"{'file':<{width}}  {path}  ({path.stat().st_size:,} bytes)"))


def _settings(job: Mapping[str, Any], unused: Collection[str]) -> dict[str, Any]:
    """Returns the settings of a job that are not at their defaults, and the options of plugins that the model used."""
    from ....engine.job import TrainJob

    usual = {name: value for name, value in TrainJob().to_json().items() if name not in _ELSEWHERE}
    changed = {name: job[name] for name, value in usual.items() if job[name] != value}
    used = {name: value for name, value in job["options"].items() if name not in unused}
    options = {name: value for name, value in used.items() if value is not False and value != ""}
    return {name: "yes" if value is True else _in_words(value) for name, value in (changed | options).items()}


def _trained(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Returns what a model is trained with, in a line each: its optimizer, its loss, its parameters."""
    optimizer, count = facts["optimizer"] or {}, facts["parameters"]
    own = {name: _in_words(one) for name, one in facts["optimizers"].items()}
    return {
        "optimizer": _in_words(optimizer or own),
        "learning_rate": _in_words(optimizer.get("learning_rate")),
        "loss function": _in_words(facts["loss"]),
        "parameters": f"{count['trainable']:,} trainable, {count['not_trainable']:,} not trainable",
    }


def _in_words(value: Any) -> str:
    """Returns a part of the configuration of Keras for a line: the class of an object, the members of a list."""
    if isinstance(value, Mapping) and "class" in value:
        return str(value["class"])
    if isinstance(value, Mapping):
        return _in_words([f"{name}: {_in_words(one)}" for name, one in value.items()])
    if isinstance(value, list):
        return ", ".join(map(_in_words, value))
    return "" if value is None else str(value)
