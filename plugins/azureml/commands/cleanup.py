"""`stoker azureml cleanup`: lists what stoker has made in a workspace, and deletes what costs money."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ....engine.backend import Reporter
from ....engine.command import command_line
from ....engine.errors import BackendError, OptionError
from ....engine.terminal.prompt import confirmed, say, status_line
from ....engine.terminal.text import labelled
from .. import NAME
from ..cluster import cluster
from ..cluster.cluster import Cluster
from ..options import settings_of
from ..progress import ignore
from ..reference import Scope
from ..rest import paths
from ..rest.client import Patience, Service

if TYPE_CHECKING:
    from ....engine.plugin.context import Context

NOT_LISTED = "runs, models, data sets of other names, and files and checkpoints below stoker/ on the default datastore"
"""What else stoker makes in a workspace."""

_LISTINGS = (
    ("data set", paths.data_sets(), re.compile(r"stoker-[0-9a-f]{16}")),
    ("environment", paths.environments(), re.compile(r"stoker-[0-9a-f]{12}")),
)
"""Each kind that is known by its names: where it is listed, and the names that stoker gives."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What stoker has made in a workspace.

    Attributes:
        clusters: The clusters, known by their tag.
        named: The kind and the name of everything that is known by its name.
        unknown: Why a kind could not be listed, one sentence each.
    """

    clusters: tuple[Cluster, ...]
    named: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...]


def find(service: Service, report: Reporter = ignore) -> Made:
    """Finds what stoker has made.

    Args:
        service: The workspace.
        report: Takes the name of each kind before it is listed.

    Raises:
        BackendError: The clusters can't be listed.
    """
    report("clusters")
    clusters = tuple(one for one in cluster.listed(service) if one.ours and one.is_cluster)
    named, unknown = [], []
    for kind, route, ours in _LISTINGS:
        report(f"{kind}s")
        try:
            names = [str(entry.get("name")) for entry in service.list(route)]
        except BackendError as error:
            unknown.append(f"the {kind}s can't be listed: {error.what}")
            continue
        named += [(kind, name) for name in names if ours.fullmatch(name)]
    return Made(clusters=clusters, named=tuple(named), unknown=tuple(unknown))


def cost(one: Cluster) -> str:
    """Describes what an idle cluster costs."""
    if not one.least:
        after = "" if one.idle_seconds is None else f", after {one.idle_seconds} s without work"
        return f"costs nothing once its idle nodes are gone{after}"
    return f"costs {one.least * 24} node-hours a day while it is idle, until it is deleted"


def run(options: argparse.Namespace, context: Context) -> int:
    """Lists what stoker has made, and deletes the clusters with `--delete`; 1 if one of them is left after that.

    Raises:
        OptionError: An option that says how to delete was given without `--delete`.
        BackendError: The clusters can't be listed.
    """
    for name in ("yes", "running"):
        if not options.delete and name in context.options.given:
            raise OptionError(f"--{name} does nothing without --delete", hint="pass --delete too, or leave it out")
    settings = settings_of(options)
    service = Service(Scope.from_config(settings.config), settings.auth, Patience())
    with status_line() as show:
        made = find(service, show)
    say("\n".join(lines(service.scope.workspace, made)))
    if options.delete:
        return _delete_all(service, made, options)
    if made.clusters:
        print(f"hint: `{command_line(NAME, 'cleanup', '--delete')}` deletes the clusters, and nothing else")
    return 0


def lines(workspace: str, made: Made) -> Iterator[str]:
    """Formats what stoker has made, for a terminal."""
    nothing = "nothing that can be listed" if not made.clusters and not made.named else ""
    yield f"made by stoker in the workspace {workspace}: {nothing}".rstrip()
    for one in made.clusters:
        yield from labelled(f"  {'cluster':<11}  ", f"{one.name}: {one}; it {cost(one)}")
    yield from (f"  {kind:<11}  {name}" for kind, name in made.named)
    for problem in made.unknown:
        yield from labelled("warning: ", problem)
    yield from labelled("not listed: ", NOT_LISTED)


def _delete_all(service: Service, made: Made, options: argparse.Namespace) -> int:
    """Deletes the clusters that are not at work; 1 if a cluster is left."""
    doomed = [one for one in made.clusters if options.running or not one.busy]
    for one in made.clusters:
        if one not in doomed:
            nodes = "1 node is" if one.busy == 1 else f"{one.busy} nodes are"
            print(f"{one.name} stays, because {nodes} at work; --running deletes it too")
    question = f"delete {', '.join(one.name for one in doomed)}?"
    if doomed and not options.yes and not confirmed(question, option="--yes"):
        print("nothing was deleted")
        return 1
    gone = [one for one in doomed if _delete(service, one)]
    rest = ", ".join(["everything not listed", *(name for _, name in made.named)])
    print("\n".join(labelled("kept: ", f"{rest}; delete these in the studio: https://ml.azure.com")))
    return 0 if len(gone) == len(made.clusters) else 1


def _delete(service: Service, one: Cluster) -> bool:
    """Deletes a cluster; returns whether it is gone."""
    say(f"{one.name}: deleting, which may take minutes")
    began = time.monotonic()
    try:
        cluster.delete(service, one, say)
    except BackendError as error:
        hint = f"end its runs first: `{command_line('runs', 'cancel', 'RUN')}`" if one.busy else error.hint
        print(f"error: {one.name} was not deleted: {error}\nhint: {hint}", file=sys.stderr, flush=True)
        return False
    say(f"{one.name}: gone after {time.monotonic() - began:.0f} s")
    return True
