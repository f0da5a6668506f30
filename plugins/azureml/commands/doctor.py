"""`stoker azureml doctor`: looks at all that a job at Azure ML needs, in the order in which it is needed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING

from ....engine.errors import StokerError
from ....engine.terminal.prompt import labelled, say, status_line
from ..options import settings_of
from . import checks
from .checkup import CheckResult, Checkup, State

if TYPE_CHECKING:
    from ....engine.plugin.context import Context


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One thing to look at.

    Attributes:
        name: What people call it.
        look: Looks at it; an error that it raises is what was found.
        needs: The checks without which there is nothing to look at.
        failed: What an error means: for what a job can do without, no more than a warning.
    """

    name: str
    look: Callable[[Checkup], CheckResult]
    needs: tuple[str, ...] = ()
    failed: State = State.WRONG


_WORKSPACE = ("workspace",)
CHECKS = (
    Check(name="SDK", look=checks.packages),
    Check(name="config.json", look=checks.config),
    Check(name="credentials", look=checks.credentials, needs=("SDK",)),
    Check(name="workspace", look=checks.workspace, needs=("config.json", "credentials")),
    Check(name="cluster", look=checks.cluster, needs=_WORKSPACE),
    Check(name="VM size", look=checks.vm_size),
    Check(name="region", look=checks.offered, needs=_WORKSPACE, failed=State.WARNING),
    Check(name="quota", look=checks.quota, needs=("workspace", "region"), failed=State.WARNING),
    Check(name="data set", look=checks.data_set, needs=_WORKSPACE),
    Check(name="image", look=checks.image),
    Check(name="datastore", look=checks.datastore, needs=_WORKSPACE),
)
"""All of them, in order."""


def examine(checkup: Checkup, begin: Callable[[str], object] = len) -> Iterator[tuple[str, CheckResult]]:
    """Looks at one thing after the other.

    Args:
        checkup: What to look at.
        begin: Told the name of each thing before it is looked at.

    Yields:
        The name of each thing, and what was found.
    """
    states: dict[str, State] = {}
    for check in CHECKS:
        begin(check.name)
        missing = [need for need in check.needs if states[need] in {State.WRONG, State.SKIPPED}]
        finding = CheckResult(State.SKIPPED, f"it needs: {', '.join(missing)}") if missing else _look(check, checkup)
        states[check.name] = finding.state
        yield check.name, finding


def _look(check: Check, checkup: Checkup) -> CheckResult:
    try:
        return check.look(checkup)
    except StokerError as error:
        return CheckResult.of_error(error, check.failed)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        told = f"Azure answers something unexpected: {type(error).__name__}: {error}"
        return CheckResult(State.WARNING, told, "a job may run all the same; please tell whoever maintains stoker")


def run(options: argparse.Namespace, context: Context) -> int:
    """Shows what was found, each thing as soon as it is known; 1 if something is wrong."""
    stream = sys.stdout  # of before: a sign-in that is left alone keeps the SDK's silence in its place
    found = {}
    with status_line() as show:
        for name, finding in examine(Checkup(settings_of(options), date.today()), show):
            found[name] = finding
            if not options.json:
                show("")
                say("\n".join(lines(name, finding)), stream)
    wrong = [name for name, finding in found.items() if finding.state is State.WRONG]
    if options.json:
        say(json.dumps([{"name": name, **asdict(finding)} for name, finding in found.items()], indent=2), stream)
    else:
        say(f"wrong: {', '.join(wrong)}" if wrong else "nothing is wrong: a job can be submitted", stream)
    return 1 if wrong else 0


def lines(name: str, finding: CheckResult) -> Iterator[str]:
    """What was found, for a terminal."""
    label = f"{finding.state:<13}  {name:<11}  "
    yield from labelled(label, finding.found)
    if finding.remedy:
        yield from labelled(f"{'':{len(label)}}hint: ", finding.remedy)
