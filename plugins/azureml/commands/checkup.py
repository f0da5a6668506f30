"""A visit of the doctor: what its checks share, and the form of what they find."""

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
"""A doctor that takes minutes is of no use."""


class State(enum.StrEnum):
    """How a thing is."""

    OK = "ok"
    WARNING = "warning"
    WRONG = "wrong"
    SKIPPED = "not looked at"


@dataclass(frozen=True, slots=True)
class CheckResult:
    """What was found.

    Attributes:
        state: How it is.
        found: What was found.
        remedy: What to do about it; "" if there is nothing to do.
    """

    state: State
    found: str
    remedy: str = ""

    @classmethod
    def of_error(cls, error: StokerError, state: State) -> CheckResult:
        """What an error says."""
        return cls(state, "; ".join(line.strip() for line in str(error).splitlines()), error.hint)


class Checkup:
    """What the checks of one visit share; what one of them has found out is not asked for again.

    Args:
        settings: The settings that a job would have.
        today: The day, for what is retired.
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
        """Where the workspace is."""
        return self.service.region

    @cached_property
    def offers(self) -> Mapping[str, Mapping[str, Any]]:
        """The VM sizes that the region offers, by their names in small letters."""
        return {str(size["name"]).lower(): size for size in arm.vm_sizes(self.service, self.region)}

    @property
    def offer(self) -> Mapping[str, Any] | None:
        """The wanted VM size as the region offers it; None if it does not."""
        return self.offers.get(self.settings.vm_size.lower())
