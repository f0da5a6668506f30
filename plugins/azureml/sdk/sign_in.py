"""Signs in to Azure: as a service principal, a managed identity, the account of this machine, or by asking."""

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
from . import cloud, hints, sdk

_PERSON_S, _PRINCIPAL_S = 300.0, 30.0
"""How long a person and a service principal may take to sign in, in seconds."""

_IDENTITY = "azureml._vendor.azure_cli_core.auth.identity"
"""The logger on which the SDK prints how to sign in."""

_PRINCIPAL = (
    ("AZUREML_SERVICE_PRINCIPAL_TENANT_ID", "AZURE_TENANT_ID"),
    ("AZUREML_SERVICE_PRINCIPAL_ID", "AZURE_CLIENT_ID"),
    ("AZUREML_SERVICE_PRINCIPAL_PASSWORD", "AZURE_CLIENT_SECRET"),
)

_IDENTITY_ID = "AZURE_CLIENT_ID"
"""Names the identity where a machine has several, as for azure-identity."""

_NO_IDENTITY = (
    "is this a machine of Azure with a managed identity? AZURE_CLIENT_ID must name the identity if there are several, "
    "and NO_PROXY must have 169.254.169.254 if there is a proxy"
)


def sign_in(kind: str) -> Any:
    """Makes the SDK's authentication object.

    Args:
        kind: How to sign in, one of `settings.AUTHS`.

    Raises:
        PluginError: The SDK is not installed.
        InputError: The service principal's variables are missing, or the machine is set to another cloud.
        BackendError: Signing in failed.
    """
    sdk.load()
    from azureml.core.authentication import InteractiveLoginAuthentication, ServicePrincipalAuthentication

    if kind == "managed-identity":
        return _managed_identity()
    found = [next((os.environ[name] for name in names if os.environ.get(name)), "") for names in _PRINCIPAL]
    if kind == "service-principal" and not all(found):
        missing = [names[0] for names, value in zip(_PRINCIPAL, found, strict=True) if not value]
        hint = "set it, or sign in another way with --azureml-auth"
        raise InputError("there is no service principal to sign in with", expected=" and ".join(missing), hint=hint)
    what, force = "can't sign in to Azure", kind == "interactive"
    by_principal = not force and all(found)
    cloud.refuse_others(of_cli=not by_principal)
    if by_principal:
        return sdk.bounded(what, lambda: ServicePrincipalAuthentication(*found), _PRINCIPAL_S)
    if not force and not can_ask():
        _refuse_questions()
    _make_folder()
    with _instructions():
        return sdk.bounded(what, lambda: InteractiveLoginAuthentication(force=force), _PERSON_S, hint=hints.SIGN_IN)


def _managed_identity() -> Any:
    """Signs in as the managed identity of this machine, and asks for a token: the SDK itself would do so later.

    `MSIAuthentication.set_token` in `msrestazure.azure_active_directory` asks MSI_ENDPOINT if there is one, or else
    169.254.169.254. In an App Service (APPSETTING_WEBSITE_SITE_NAME is set), MSI_ENDPOINT and MSI_SECRET must be set.
    """
    cloud.refuse_others(of_cli=False)
    client = os.environ.get(_IDENTITY_ID)

    def begin() -> Any:
        from azureml.core.authentication import MsiAuthentication

        auth = MsiAuthentication(cloud=cloud.PUBLIC, identity_config={"client_id": client} if client else None)
        auth.get_authentication_header()
        return auth

    return sdk.bounded("can't sign in with a managed identity", begin, _PRINCIPAL_S, hint=_NO_IDENTITY)


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
