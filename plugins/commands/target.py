"""Where a job runs: the name of its backend with its options, as they are given now or were given at a submission."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from typing import Any

from ...engine.command import Context
from ...engine.rundir import RunDirectory

Place = tuple[str, Mapping[str, Any]]
"""The name of a backend, and the values of its options, without its name in front."""


def prefix(backend: str) -> str:
    """What the options of a backend begin with, as attributes."""
    return backend.replace("-", "_") + "_"


def backend_options(options: argparse.Namespace, backend: str) -> Mapping[str, Any]:
    """The options of a backend, without its name in front."""
    begin = prefix(backend)
    names = [name for name in options.plugin_options if name.startswith(begin)]
    return {name.removeprefix(begin): getattr(options, name) for name in names}


def place_of(options: argparse.Namespace, backend: str = "") -> Place:
    """The place that options name, or that of another backend with its options among them."""
    name = backend or options.backend
    return name, backend_options(options, name)


def resumed_place(run: RunDirectory, options: argparse.Namespace) -> Place:
    """The place that a run was submitted to; options that are given now count instead of those of then."""
    name, before = run.place() or (run.handle().backend if run.has_handle() else options.backend, {})
    now = backend_options(options, name)
    given = {each for each in now if options.sources[f"{prefix(name)}{each}"].source == "command line"}
    return name, {each: now[each] if each in given else before.get(each, now[each]) for each in now}


def set_options(context: Context) -> argparse.Namespace:
    """The options of `train` as the environment and the settings file have them."""
    options, _ = context.settings.parse(context.parsers("train"), ["train"])
    return options


def known_place(run: RunDirectory, options: argparse.Namespace) -> Place:
    """The place where a run is, with the options of its submission as far as they are known, else with those given.

    Raises:
        RunError: It is not known whether it was submitted.
    """
    name, now = place_of(options, run.handle().backend)
    _, before = run.place() or (name, {})
    return name, {each: before.get(each, now[each]) for each in now}
