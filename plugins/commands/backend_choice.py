"""The backend that a job goes to, and the values of its options: given now, or recorded at the submission."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...engine.backend import BackendChoice
from ...engine.options.parser import Parser
from ...engine.options.settings import Options
from ...engine.plugin.context import Context
from ...engine.rundir import RunDirectory


def prefix(backend: str) -> str:
    """Returns the beginning of the attributes of a backend's options."""
    return backend.replace("-", "_") + "_"


def backend_options(options: Options, backend: str) -> Mapping[str, Any]:
    """Returns the values of a backend's options, by attribute without the backend's name in front."""
    begin = prefix(backend)
    names = [name for name in options.plugin_options if name.startswith(begin)]
    return {name.removeprefix(begin): getattr(options.values, name) for name in names}


def choice_of(options: Options, backend: str) -> BackendChoice:
    """Returns the choice of a backend, with the options that are given."""
    return BackendChoice(name=backend, options=backend_options(options, backend))


def resumed_choice(run: RunDirectory, options: Options) -> BackendChoice:
    """Returns the backend that a run was submitted to; options on the command line replace the recorded ones."""
    before = run.backend_choice()
    if before is None:
        before = BackendChoice(name=run.handle().backend if run.has_handle() else options.values.backend)
    now = backend_options(options, before.name)
    given = {each for each in now if f"{prefix(before.name)}{each}" in options.given}
    merged = {each: now[each] if each in given else before.options.get(each, now[each]) for each in now}
    return BackendChoice(name=before.name, options=merged)


def plugin_defaults(context: Context) -> Options:
    """Returns the options that plugins add to `train`, as the environment and the settings file have them."""
    parser = Parser(prog="stoker")
    context.plugins.add_options(parser, "train")
    parser.mark_plugin_options()
    return context.settings.parse(parser, [])


def known_choice(run: RunDirectory, defaults: Options) -> BackendChoice:
    """Returns the backend of a run, with the recorded options, and defaults for the others.

    Raises:
        RunError: It is not known whether the run was submitted, nor where.
    """
    before = run.backend_choice()
    now = choice_of(defaults, before.name if before else run.handle().backend)
    recorded = before.options if before else {}
    return BackendChoice(name=now.name, options={each: recorded.get(each, now.options[each]) for each in now.options})
