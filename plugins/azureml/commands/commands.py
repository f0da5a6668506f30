"""The commands of the Azure ML backend: `azureml`, with its sub-commands, and `rehearse`."""

from __future__ import annotations

import argparse
from pathlib import Path

from ....engine.command import Command, positive_int
from ....engine.plugin.context import Context
from ....engine.terminal.prompt import say


def _add_azureml_options(parser: argparse.ArgumentParser) -> None:
    from ..options import add_options, add_workspace_options
    from . import emulator

    below = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    summary = "look at all that a job needs, and say what is wrong; it takes the options of `train` for this backend"
    doctor = below.add_parser("doctor", help="look at all that a job needs", description=f"{summary}.")
    doctor.add_argument("--json", action="store_true", help="JSON instead of text")
    add_options(doctor)
    summary = "show what stoker has made in the workspace, and delete what costs money"
    cleanup = below.add_parser("cleanup", help=summary, description=f"{summary}.")
    cleanup.add_argument("--delete", action="store_true", help="delete the clusters, after a question")
    cleanup.add_argument("--yes", action="store_true", help="without the question")
    cleanup.add_argument("--running", action="store_true", help="clusters that are at work, too")
    add_workspace_options(cleanup)
    summary = "run a workspace on this machine, to try things out, until Ctrl-C"
    emulator.add_options(below.add_parser("emulator", help=summary, description=f"{summary}."))


def _azureml(options: argparse.Namespace, context: Context) -> int:
    from . import cleanup, doctor, emulator

    actions = {"doctor": doctor.run, "cleanup": cleanup.run, "emulator": emulator.run}
    return actions[options.action](options, context)


def _add_rehearse_options(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("folder", type=Path, metavar="DIR", help="what `stoker train --backend azureml --dry-run DIR` wrote")
    data = "the data that would be mounted (default: MNIST's, if the job takes those)"
    add("--data-folder", type=Path, metavar="DIR", help=data)
    add("--epochs", type=positive_int, default=None, metavar="N", help="(default: the job's)")


def _rehearse(options: argparse.Namespace, context: Context) -> int:
    from ..rehearse import rehearse

    done = rehearse(options.folder, options.data_folder, epochs=options.epochs or 0, say=say)
    if not done.missing:
        print(f"the package runs by itself; the service would keep: {', '.join(done.outputs)}")
        return 0
    print("the package does not run by itself; it lacks:")
    for what, remedy in done.missing:
        print(f"  - {what}: {remedy}")
    return 1


COMMANDS = (
    Command(
        name="azureml",
        summary="look at a workspace of Azure ML, clean it up, or run one here",
        add_options=_add_azureml_options,
        run=_azureml,
    ),
    Command(
        name="rehearse",
        summary="run what a dry run wrote, with no more than a node would have",
        add_options=_add_rehearse_options,
        run=_rehearse,
    ),
)
