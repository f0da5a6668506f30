"""`stoker azureml cleanup`: what stoker has made in a workspace, and the end of what costs money."""

from __future__ import annotations

import argparse
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ....engine.errors import BackendError
from ....engine.terminal.prompt import confirmed, labelled, say, status_line
from ..cluster import cluster
from ..cluster.cluster import Cluster
from ..options import settings_of
from ..reference import Scope
from ..rest.client import Patience, Service

if TYPE_CHECKING:
    from ....engine.plugin.context import Context

NOT_LISTED = "runs, models, data sets of other names, and files and checkpoints below stoker/ on the default datastore"
"""What stoker makes beside that."""

_DATASET, _ENVIRONMENT = re.compile(r"stoker-[0-9a-f]{16}"), re.compile(r"stoker-[0-9a-f]{12}")
_LISTINGS = (
    ("data set", "dataset/v1.0", "/datasets", "continuationToken", _DATASET),
    ("environment", "environment/v1.0", "/environments", "continuation", _ENVIRONMENT),
)
"""What can be listed, where, by which parameter there is more of it, and the names that stoker makes."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Made:
    """What stoker has made in a workspace.

    Attributes:
        clusters: The clusters, known by their tag.
        named: The kind and the name of what is known by its name.
        unknown: Why a kind could not be listed, one sentence each.
    """

    clusters: tuple[Cluster, ...]
    named: tuple[tuple[str, str], ...]
    unknown: tuple[str, ...]


def find(service: Service, begin: Callable[[str], object] = len) -> Made:
    """Looks for what stoker has made.

    Args:
        service: The workspace.
        begin: Told what is looked for next.

    Raises:
        BackendError: The clusters can't be listed.
    """
    begin("clusters")
    clusters = tuple(one for one in cluster.listed(service) if one.ours and one.is_cluster)
    named, unknown = [], []
    for kind, area, path, token, ours in _LISTINGS:
        begin(f"{kind}s")
        try:
            names = [str(entry.get("name")) for entry in service.list(area, path, token)]
        except BackendError as error:
            unknown.append(f"the {kind}s can't be listed: {error.what}")
            continue
        named += [(kind, name) for name in names if ours.fullmatch(name)]
    return Made(clusters=clusters, named=tuple(named), unknown=tuple(unknown))


def cost(one: Cluster) -> str:
    """What a cluster costs while it has nothing to do."""
    if not one.least:
        return "costs nothing once its idle nodes have gone"
    return f"costs {one.least * 24} node-hours a day while it is idle, until it is deleted"


def run(options: argparse.Namespace, context: Context) -> int:
    """Lists what stoker has made, and deletes the clusters if told so; 1 if one of them is still there then."""
    settings = settings_of(options)
    service = Service(Scope.from_config(settings.config), settings.auth, Patience())
    with status_line() as show:
        made = find(service, show)
    say("\n".join(lines(service.scope.workspace, made)))
    if options.delete:
        return _delete_all(service, made, options)
    if made.clusters:
        print("hint: `stoker azureml cleanup --delete` deletes the clusters, and nothing else")
    return 0


def lines(workspace: str, made: Made) -> Iterator[str]:
    """What was made, for a terminal."""
    nothing = "nothing that can be listed" if not made.clusters and not made.named else ""
    yield f"made by stoker in the workspace {workspace}: {nothing}".rstrip()
    for one in made.clusters:
        yield from labelled(f"  {'cluster':<11}  ", f"{one.name}: {one}; it {cost(one)}")
    yield from (f"  {kind:<11}  {name}" for kind, name in made.named)
    for problem in made.unknown:
        yield from labelled("warning: ", problem)
    yield from labelled("not listed: ", NOT_LISTED)


def _delete_all(service: Service, made: Made, options: argparse.Namespace) -> int:
    """Deletes the clusters, but for those at work; 1 if one of them is still there then."""
    doomed = [one for one in made.clusters if options.running or not one.busy]
    for one in made.clusters:
        if one not in doomed:
            print(f"{one.name} stays, for {one.busy} of its nodes are at work; --running deletes it all the same")
    question = f"delete {', '.join(one.name for one in doomed)}?"
    if doomed and not options.yes and not confirmed(question, option="--yes"):
        print("nothing was deleted")
        return 1
    gone = [one for one in doomed if _delete(service, one)]
    rest = ", ".join(["what is not listed", *(name for _, name in made.named)])
    print("\n".join(labelled("kept: ", f"{rest}; the studio deletes them: https://ml.azure.com")))
    return 0 if len(gone) == len(made.clusters) else 1


def _delete(service: Service, one: Cluster) -> bool:
    """Deletes a cluster; whether that went well."""
    say(f"{one.name}: deleting, which may take minutes")
    began = time.monotonic()
    try:
        cluster.delete(service, one, say)
    except BackendError as error:
        hint = "end its runs first: `stoker runs cancel RUN`" if one.busy else error.hint
        print(f"error: {one.name} was not deleted: {error}\nhint: {hint}", file=sys.stderr, flush=True)
        return False
    say(f"{one.name}: gone after {time.monotonic() - began:.0f} s")
    return True
