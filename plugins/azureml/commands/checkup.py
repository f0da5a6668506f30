"""What the checks of the doctor share, and the form of their results."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Any

from ....engine.errors import StokerError
from ..reference import Scope
from ..rest import arm
from ..rest.client import Patience, Service
from ..sdk.sign_in import sign_in
from ..settings import AzureSettings

PATIENCE = Patience(request_s=5.0, total_s=8.0)
"""Shorter than a job's: a doctor that takes minutes is of no use."""


class State(enum.StrEnum):
    """How a check ended."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    SKIPPED = "not checked"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result of a check.

    Attributes:
        state: How it ended.
        found: What it found.
        remedy: What to do about it; "" if there is nothing to do.
    """

    state: State
    found: str
    remedy: str = ""

    @classmethod
    def of_error(cls, error: StokerError, state: State) -> CheckResult:
        """Makes a result from an error."""
        return cls(state, "; ".join(line.strip() for line in str(error).splitlines()), error.hint)


class Checkup:
    """What the checks of one run of the doctor share, so that nothing is asked for twice.

    Args:
        settings: The settings that a job would have.
        today: The day, for sizes that are retired.
        patience: How long things may take.
    """

    def __init__(self, settings: AzureSettings, today: date, patience: Patience = PATIENCE) -> None:
        self.settings = settings
        self.today = today
        self._patience = patience

    @cached_property
    def scope(self) -> Scope:
        """The workspace that `config.json` names."""
        return Scope.from_config(self.settings.config)

    @cached_property
    def auth(self) -> Any:
        """The SDK's authentication object."""
        return sign_in(self.settings.auth)

    @cached_property
    def service(self) -> Service:
        """The services of the workspace."""
        service = Service(self.scope, self.settings.auth, self._patience)
        service.auth = self.auth
        return service

    @cached_property
    def region(self) -> str:
        """The workspace's region."""
        return self.service.region

    @cached_property
    def offers(self) -> Mapping[str, Mapping[str, Any]]:
        """The VM sizes that the region offers, by their names in lower case."""
        return {str(size["name"]).lower(): size for size in arm.vm_sizes(self.service, self.region)}

    @property
    def offer(self) -> Mapping[str, Any] | None:
        """The VM size of the settings as the region offers it; None if it doesn't."""
        return self.offers.get(self.settings.vm_size.lower())
