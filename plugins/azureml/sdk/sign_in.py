"""Signs in to Azure: as a service principal, as the account of this machine, or by asking."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ....engine import files
from ....engine.errors import BackendError, InputError
from ....engine.paths import expanded
from ....engine.terminal.prompt import can_ask
from . import hints, sdk

_PERSON_S, _PRINCIPAL_S = 300.0, 30.0
"""How long a person and a service principal may take to sign in, in seconds."""

_IDENTITY = "azureml._vendor.azure_cli_core.auth.identity"
"""The logger on which the SDK prints how to sign in."""

_PRINCIPAL = (
    ("AZUREML_SERVICE_PRINCIPAL_TENANT_ID", "AZURE_TENANT_ID"),
    ("AZUREML_SERVICE_PRINCIPAL_ID", "AZURE_CLIENT_ID"),
    ("AZUREML_SERVICE_PRINCIPAL_PASSWORD", "AZURE_CLIENT_SECRET"),
)


def sign_in(kind: str) -> Any:
    """Makes the SDK's authentication object.

    Args:
        kind: How to sign in, one of `settings.AUTHS`.

    Raises:
        PluginError: The SDK is not installed.
        InputError: The service principal's variables are missing.
        BackendError: Signing in failed.
    """
    sdk.load()
    from azureml.core.authentication import InteractiveLoginAuthentication, ServicePrincipalAuthentication

    found = [next((os.environ[name] for name in names if os.environ.get(name)), "") for names in _PRINCIPAL]
    if kind == "service-principal" and not all(found):
        missing = [names[0] for names, value in zip(_PRINCIPAL, found, strict=True) if not value]
        hint = "set it, or sign in another way with --azureml-auth"
        raise InputError("there is no service principal to sign in with", expected=" and ".join(missing), hint=hint)
    what, force = "can't sign in to Azure", kind == "interactive"
    if not force and all(found):
        return sdk.bounded(what, lambda: ServicePrincipalAuthentication(*found), _PRINCIPAL_S)
    if not force and not can_ask():
        _refuse_questions()
    _make_folder()
    with _instructions():
        return sdk.bounded(what, lambda: InteractiveLoginAuthentication(force=force), _PERSON_S, hint=hints.SIGN_IN)


def _make_folder() -> None:
    """Makes the folder for the SDK's record of who is signed in; the SDK itself makes it too late."""
    folder = Path(os.environ.get("AZUREML_AUTH_CONFIG_DIR") or "~/.azureml/auth")
    with files.storage_errors(folder):
        expanded(folder).mkdir(parents=True, exist_ok=True)


def _refuse_questions() -> None:
    """Makes a sign-in that would ask fail, now and when a token expires: no user could answer."""
    from azureml.core import authentication

    def refuse(**_: Any) -> None:
        hint = f"`az login`, or set {', '.join(names[0] for names in _PRINCIPAL)}; see --azureml-auth"
        raise BackendError("this machine is not signed in to Azure", hint=hint)

    sdk.patch(authentication, "perform_interactive_login", refuse)


@contextlib.contextmanager
def _instructions() -> Iterator[None]:
    """Shows how to sign in, as the SDK says it: the address to open, and the code to enter there."""
    logger, handler = logging.getLogger(_IDENTITY), logging.StreamHandler(sys.__stderr__)
    handler.setFormatter(logging.Formatter("azureml: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.removeHandler(handler)
