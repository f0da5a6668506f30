"""Cancels a run and makes sure that it ends: the SDK doesn't notice when a cancellation fails."""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

from ....engine.errors import BackendError
from ..rest import paths
from ..rest.client import Service
from .status import CloudRun, status_of

_CANCELED = "Microsoft.MachineLearning.Run.Canceled"


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
            ask(cloud_run, run)
            asked = run["runId"]
        if time.monotonic() > deadline:
            raise BackendError(
                f"the run {run['runId']} was cancelled, and is still {run['status']}",
                received=f"it didn't end within {patience.cancel_s:g} s",
                hint="look at it in the studio, or cancel it again",
            )
        time.sleep(min(cloud_run.poll_s, 1.0))


def ask(cloud_run: CloudRun, run: Mapping[str, Any]) -> None:
    """Asks for a run's end as the SDK does: at the run's own address for that, or by an event.

    `cancel` in `azureml._run_impl.run_history_facade`, and `azureml._restclient.contracts.events`.

    Args:
        cloud_run: The run.
        run: The service's description of the attempt to end.

    Raises:
        BackendError: The service refuses.
    """
    service, run_id = cloud_run.service, str(run["runId"])
    url = str(run.get("cancelUri") or "")
    if _is_trusted(service, url):
        service.ask("POST", url)
        return
    now = datetime.now(UTC).replace(microsecond=0).isoformat()
    event = {"timestamp": now, "name": _CANCELED, "data": {"RunId": run_id, "EndTime": now}}
    service.ask("POST", service.address(paths.events(cloud_run.reference.experiment, run_id)), json=event)


def _is_trusted(service: Service, url: str) -> bool:
    """Returns whether an address may get the token: its host is one of the services', or below one.

    Through a private link, a workspace has services at `ID.workspace.REGION.api.azureml.ms`.
    """
    parts = urlsplit(url)
    known = {(urlsplit(address).hostname or "").rpartition(".workspace.")[2] for address in service.addresses.values()}
    host = parts.hostname or ""
    return parts.scheme == "https" and any(host == one or host.endswith(f".{one}") for one in known if one)
