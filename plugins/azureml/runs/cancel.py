"""Cancels a run and makes sure that it ends: the SDK doesn't notice when a cancellation fails."""

from __future__ import annotations

import time
from urllib.parse import urlsplit

from ....engine.errors import BackendError
from ..rest import paths
from ..rest.client import Service
from .status import CloudRun, status_of


def cancel(cloud_run: CloudRun) -> None:
    """Cancels a run and waits until it has ended. A run that has ended already stays as it is.

    Raises:
        BackendError: There is no such run, or it doesn't end.
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
                f"the run {run['runId']} was cancelled, and is still {run['status']}",
                received=f"it didn't end within {patience.cancel_s:g} s",
                hint="look at it in the studio, or cancel it again",
            )
        time.sleep(min(cloud_run.poll_s, 1.0))


def _address(service: Service, run: dict[str, object]) -> str:
    """Returns the address that cancels a run. Another host than the services' own must not get the token."""
    url = str(run.get("cancelUri") or "")
    known = {urlsplit(address).hostname for address in service.addresses.values()}
    if urlsplit(url).scheme == "https" and urlsplit(url).hostname in known:
        return url
    return service.address(paths.cancellation(str(run["runId"])))
