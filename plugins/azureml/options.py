"""Adds the options `--azureml-…` to `train` and `stoker azureml`, and makes settings from their values."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .settings import AUTHS, AzureSettings, is_registered

_PREFIX = "azureml_"
_DEFAULTS = AzureSettings()


def add_options(parser: argparse.ArgumentParser) -> None:
    """Adds all options of the backend."""
    group = parser.add_argument_group("backend azureml")
    add_workspace_options(group)
    add = group.add_argument
    add("--azureml-experiment", metavar="NAME", default="", help="experiment (default: from data set and model)")
    add("--azureml-compute", metavar="NAME", default=_DEFAULTS.compute, help="cluster (default: %(default)s)")
    add("--azureml-vm-size", metavar="SIZE", default=_DEFAULTS.vm_size, help="size of its nodes (default: %(default)s)")
    most = "most nodes that it may have (default: %(default)s)"
    add("--azureml-max-nodes", metavar="N", type=int, default=_DEFAULTS.max_nodes, help=most)
    kept = "nodes that it keeps when idle (default: %(default)s)"
    add("--azureml-min-nodes", metavar="N", type=int, default=_DEFAULTS.min_nodes, help=kept)
    idle = "how long an idle node stays (default: %(default)s)"
    add("--azureml-idle-seconds", metavar="N", type=int, default=_DEFAULTS.idle_seconds, help=idle)
    add("--azureml-low-priority", action="store_true", help="cheaper nodes, which Azure may take away")
    identity = "managed identity of a new cluster: system, or a resource id"
    add("--azureml-identity", metavar="ID", default="", help=identity)
    add("--azureml-subnet", metavar="SUBNET", default="", help="subnet of a new cluster: VNET/SUBNET or a resource id")
    add("--azureml-no-public-ip", action="store_true", help="no public addresses for the nodes of a new cluster")
    add("--azureml-accept-cluster", action="store_true", help="use a cluster that is there even if it costs more")
    longest = "end the job after that many hours (default: %(default)s)"
    add("--azureml-max-hours", metavar="H", type=float, default=_DEFAULTS.max_hours, help=longest)
    waits = "cancel the job if it waits that long for a node; 0 is never (default: %(default)s)"
    add("--azureml-max-queue-minutes", metavar="M", type=float, default=_DEFAULTS.max_queue_minutes, help=waits)
    conda = "conda YAML, or a registered environment: NAME[:VERSION] (default: the versions that are installed here)"
    add("--azureml-environment", metavar="FILE|NAME", type=file_or_name, help=conda)
    image = f"base image (default: {_DEFAULTS.image.rpartition('/')[2]})"
    add("--azureml-image", metavar="IMAGE", default=_DEFAULTS.image, help=image)
    dataset = "registered data set, or a datastore's path (default: mnist-dataset, or by the folder's content)"
    add("--azureml-dataset", metavar="NAME[:VERSION]", default="", help=dataset)
    add("--azureml-new-dataset-version", action="store_true", help="register a new version of the data set")
    add("--azureml-allow-retired", action="store_true", help="use a VM size even if it is retired")


def file_or_name(text: str) -> Path | str:
    """Returns the name of a registered environment as it is, and a path if there is such a file, or it can be no name.

    Raises:
        ArgumentTypeError: It is empty.
    """
    if not text:
        raise argparse.ArgumentTypeError("expected a path, or the name of a registered environment")
    return text if is_registered(text) and (Path(text).is_dir() or not Path(text).exists()) else Path(text)


def add_workspace_options(group: Any) -> None:
    """Adds the options that lead to the workspace."""
    config = "config.json of the workspace (default: searched for from here upwards)"
    group.add_argument("--azureml-config", metavar="FILE", type=Path, help=config)
    auth = "how to sign in (default: %(default)s)"
    group.add_argument("--azureml-auth", choices=AUTHS, default=_DEFAULTS.auth, help=auth)


def settings_of(options: argparse.Namespace) -> AzureSettings:
    """Makes the settings from parsed options; those that a command doesn't have keep their defaults.

    Raises:
        OptionError: A value is out of its range.
    """
    given = {name.removeprefix(_PREFIX): value for name, value in vars(options).items() if name.startswith(_PREFIX)}
    return AzureSettings.from_options(given)
