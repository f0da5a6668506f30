"""`stoker azureml doctor`: checks everything that a job at Azure ML needs, in the order in which it is needed."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from datetime import date
from typing import TYPE_CHECKING

from ....engine.backend import Reporter
from ....engine.errors import StokerError
from ....engine.terminal.prompt import say, status_line
from ....engine.terminal.text import labelled
from ..options import settings_of
from ..progress import ignore
from . import checks
from .checkup import CheckResult, Checkup, State

if TYPE_CHECKING:
    from ....engine.plugin.context import Context


@dataclass(frozen=True, kw_only=True, slots=True)
class Check:
    """One check.

    Attributes:
        name: What it checks, for people.
        look: Performs it; an error that it raises becomes the result.
        needs: The checks that must not be wrong for this one to make sense.
        failed: What an error means: only a warning if a job can do without.
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


def examine(checkup: Checkup, report: Reporter = ignore) -> Iterator[tuple[str, CheckResult]]:
    """Performs all checks, one after the other.

    Args:
        checkup: What the checks share.
        report: Takes the name of each check before it begins.

    Yields:
        The name of each check, and its result.
    """
    states: dict[str, State] = {}
    for check in CHECKS:
        report(check.name)
        missing = [need for need in check.needs if states[need] in {State.WRONG, State.SKIPPED}]
        result = CheckResult(State.SKIPPED, f"it needs: {', '.join(missing)}") if missing else _look(check, checkup)
        states[check.name] = result.state
        yield check.name, result


def _look(check: Check, checkup: Checkup) -> CheckResult:
    try:
        return check.look(checkup)
    except StokerError as error:
        return CheckResult.of_error(error, check.failed)
    except (AttributeError, LookupError, TypeError, ValueError) as error:
        found = f"Azure's answer is unexpected: {type(error).__name__}: {error}"
        return CheckResult(State.WARNING, found, "a job may still run; please report this to stoker's maintainers")


def run(options: argparse.Namespace, context: Context) -> int:
    """Shows each result as soon as it is known; 1 if something is wrong."""
    stream = sys.stdout  # kept, because an abandoned sign-in leaves another stream in its place
    results = {}
    with status_line() as show:
        for name, result in examine(Checkup(settings_of(options), date.today()), show):
            results[name] = result
            if not options.json:
                show("")
                say("\n".join(lines(name, result)), stream)
    wrong = [name for name, result in results.items() if result.state is State.WRONG]
    if options.json:
        say(json.dumps([{"name": name, **asdict(result)} for name, result in results.items()], indent=2), stream)
    else:
        say(f"wrong: {', '.join(wrong)}" if wrong else "nothing is wrong: a job can be submitted", stream)
    return 1 if wrong else 0


def lines(name: str, result: CheckResult) -> Iterator[str]:
    """Formats a result for a terminal."""
    label = f"{result.state:<11}  {name:<11}  "
    yield from labelled(label, result.found)
    if result.remedy:
        yield from labelled(f"{'':{len(label)}}hint: ", result.remedy)
