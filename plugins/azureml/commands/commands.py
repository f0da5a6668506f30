"""The command of the Azure ML backend: `azureml`, with its sub-commands."""

from __future__ import annotations

import argparse

from ....engine.command import Command
from ....engine.plugin.context import Context


def _add_azureml_options(parser: argparse.ArgumentParser) -> None:
    from ..options import add_options, add_workspace_options

    below = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    summary = "check everything that a job needs, with the options of `train` for this backend"
    doctor = below.add_parser("doctor", help=summary, description=summary)
    doctor.add_argument("--json", action="store_true", help="JSON instead of text")
    add_options(doctor)
    summary = "show what stoker has made in the workspace, and delete what costs money"
    cleanup = below.add_parser("cleanup", help=summary, description=summary)
    cleanup.add_argument("--delete", action="store_true", help="delete the clusters, after a question")
    cleanup.add_argument("--yes", action="store_true", help="don't ask")
    cleanup.add_argument("--running", action="store_true", help="also clusters that are at work")
    add_workspace_options(cleanup)


def _azureml(options: argparse.Namespace, context: Context) -> int:
    from . import cleanup, doctor

    actions = {"doctor": doctor.run, "cleanup": cleanup.run}
    return actions[options.action](options, context)


COMMANDS = (
    Command(
        name="azureml",
        summary="check a workspace of Azure ML, clean it up, or run one here",
        add_options=_add_azureml_options,
        run=_azureml,
    ),
)
