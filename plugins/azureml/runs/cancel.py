"""Ends a run, and makes sure of it: the SDK takes no notice when this fails."""

from __future__ import annotations

import time
from urllib.parse import quote, urlsplit

from ....engine.errors import BackendError
from ..rest.client import Service
from .status import CloudRun, status_of


def cancel(cloud_run: CloudRun) -> None:
    """Asks for the end of a run, and waits until it has ended; one that has ended stays as it is.

    Raises:
        BackendError: There is no such run, or it does not end.
    """
    patience = cloud_run.service.patience
    deadline = time.monotonic() + patience.cancel_s
    asked = ""
    while True:
        run = cloud_run.newest()
        if status_of(run, 1).state.ended:
            return
        if asked != run["runId"]:
            cloud_run.service.ask("POST", _address(cloud_run.service, run))
            asked = run["runId"]
        if time.monotonic() > deadline:
            raise BackendError(
                f"the run {run['runId']} was asked to end and is still {run['status']}",
                received=f"no end within {patience.cancel_s:g} s",
                hint="look at it in the studio, or cancel it once more",
            )
        time.sleep(min(cloud_run.poll_s, 1.0))


def _address(service: Service, run: dict[str, object]) -> str:
    """Where to ask for the end of a run; an address of another host than the service's own gets no token."""
    url = str(run.get("cancelUri") or "")
    known = {urlsplit(address).hostname for address in service.addresses.values()}
    if urlsplit(url).scheme == "https" and urlsplit(url).hostname in known:
        return url
    return service.address("execution/v1.0", f"/runs/{quote(str(run['runId']), safe='')}/cancel")
