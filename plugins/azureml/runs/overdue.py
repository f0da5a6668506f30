"""Cancels a run that has waited for a node for too long: a cluster without quota would make it wait forever."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from ....engine.errors import BackendError, UnreachableError
from ....engine.status import RunState, RunStatus
from ..rest.answer import part
from .cancel import ask
from .status import ENDED_BY, CloudRun, preemptions

WAITING = "stoker_waiting"
"""The tag of a run that says since when it waits for a node: how often it was preempted before, and the time.

The service gives no time for that, and the tag outlives the process that saw the run begin to wait.
"""

OPTION = "--azureml-max-queue-minutes"
_QUEUED = "Queued"
_LONGEST = 250


def enforce(cloud_run: CloudRun, status: RunStatus, longest_minutes: float, now: datetime) -> RunStatus:
    """Cancels a run that has waited for too long, and returns its status.

    Args:
        cloud_run: The run, whose status was just asked for.
        status: That status.
        longest_minutes: How long it may wait; 0 for as long as it takes.
        now: The time.

    Raises:
        UnreachableError: The service does not answer now.
    """
    run = cloud_run.last_seen
    if not longest_minutes or status.state is not RunState.QUEUED or run is None or run.get("status") != _QUEUED:
        return status
    try:
        return _judged(cloud_run, run, status, timedelta(minutes=longest_minutes), now)
    except UnreachableError:
        raise
    except BackendError as error:
        return replace(status, message=f"{status.message}; {OPTION} has no effect: {error.what}")


def _judged(
    cloud_run: CloudRun, run: Mapping[str, Any], status: RunStatus, longest: timedelta, now: datetime
) -> RunStatus:
    since = _since(run)
    if since is None:
        cloud_run.tag(str(run["runId"]), {WAITING: f"{preemptions(run)} {now.isoformat(timespec='seconds')}"})
    if since is None or now - since < longest:
        return status
    waited = f"it waited {(now - since) / timedelta(minutes=1):.1f} minutes for a node, longer than {OPTION} allows"
    message = f"{waited}; {status.message}"
    ask(cloud_run, run)
    # Only now: a run that was not cancelled may start, and somebody may cancel it later for another reason.
    with contextlib.suppress(BackendError):
        cloud_run.tag(str(run["runId"]), {ENDED_BY: message[:_LONGEST]})
    return replace(status, message=message)


def _since(run: Mapping[str, Any]) -> datetime | None:
    """Reads since when a run waits; None if no one has recorded it since it last had a node."""
    count, _, moment = str(part(run, "tags").get(WAITING) or "").partition(" ")
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return None
    return found if count == str(preemptions(run)) and found.tzinfo else None
