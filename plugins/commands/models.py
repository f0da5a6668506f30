"""`stoker models`: the models that can be trained, and the registered ones."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterable

from ...engine.backend import ModelVersion
from ...engine.command import Command, command_line
from ...engine.errors import RunError
from ...engine.hookspecs import hookimpl
from ...engine.plugin.context import Context
from ...engine.registry import Registry
from ...engine.terminal.text import visible
from .train import add_runs_dir


@hookimpl
def stoker_commands() -> Iterable[Command]:
    """Offers the command `models`."""
    return [
        Command(name="models", summary="list models to train and registered models", add_options=add_options, run=run)
    ]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds the folder of the registry, and the form of the output."""
    add_runs_dir(parser)
    parser.add_argument("--json", action="store_true", help="JSON instead of text")


def run(options: argparse.Namespace, context: Context) -> int:
    """Prints the models to train, and the registered ones."""
    registry = Registry.of_runs(options.runs_dir)
    versions: list[ModelVersion] = []
    for name in registry.names():
        try:
            versions += registry.versions(name)
        except RunError as error:
            print(visible(f"note: {error.what}: {error.received}"), file=sys.stderr)
    if options.json:
        registered = [
            {"name": one.name, "version": one.version, "sha256": one.digest, "location": one.location}
            for one in versions
        ]
        print(json.dumps({"models": context.plugins.models(), "registered": registered}, indent=2))
        return 0
    print("models to train (--model):")
    for name, summary in context.plugins.models().items():
        print(f"  {name}  {summary}")
    print("  FILE.py:FUNCTION  a model of your own")
    adds = command_line("train", "--register", "NAME", runs_dir=options.runs_dir)
    print("registered models:" if versions else f"registered models: none; `{adds}` adds one")
    for one in versions:
        digest = one.digest[:12] or "unknown, for its record is damaged"
        print(visible(f"  {one.name}  version {one.version}  sha256 {digest}  {one.location}"))
    return 0
