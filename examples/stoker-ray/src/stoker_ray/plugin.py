"""What stoker loads: the backend `ray` and its options."""

import argparse
from collections.abc import Mapping
from typing import Any

from stoker.engine.command import positive_int
from stoker.engine.errors import PluginError
from stoker.engine.hookspecs import hookimpl

stoker_contract = 1


@hookimpl
def stoker_backends() -> Mapping[str, str]:
    """Offers the backend."""
    return {"ray": "a Ray cluster, through its job submission API"}


@hookimpl
def stoker_add_options(parser: argparse.ArgumentParser, command: str) -> None:
    """Adds where the cluster is, and what a job takes of it."""
    if command == "train":
        add = parser.add_argument_group("backend ray").add_argument
        add("--ray-address", default="", metavar="URL", help="the cluster's dashboard, such as http://127.0.0.1:8265")
        add("--ray-storage", default="", metavar="PLACE", help="a folder or URL that this machine and the nodes share")
        add("--ray-gpus", type=positive_int, default=0, metavar="N", help="GPUs that the job takes (default: 0)")


@hookimpl
def stoker_get_backend(name: str, options: Mapping[str, Any]) -> Any:
    """Makes the backend."""
    if name == "ray":
        try:
            from .backend import RayBackend
        except ModuleNotFoundError as error:
            raise PluginError(f"{error.name} can't be imported", hint="pip install stoker-ray") from error
        return RayBackend(**options)
    return None
