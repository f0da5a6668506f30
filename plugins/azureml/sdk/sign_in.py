"""Signs in to Azure: by a service principal, as whoever is signed in on this machine, or by asking."""

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
from . import sdk

_PERSON_S, _PRINCIPAL_S = 300.0, 30.0
"""How long a person and a service principal may take to sign in, in seconds."""

_IDENTITY = "azureml._vendor.azure_cli_core.auth.identity"
"""The logger that tells whoever signs in what to do."""

_PRINCIPAL = (
    ("AZUREML_SERVICE_PRINCIPAL_TENANT_ID", "AZURE_TENANT_ID"),
    ("AZUREML_SERVICE_PRINCIPAL_ID", "AZURE_CLIENT_ID"),
    ("AZUREML_SERVICE_PRINCIPAL_PASSWORD", "AZURE_CLIENT_SECRET"),
)


def sign_in(kind: str) -> Any:
    """The SDK's authentication object.

    Args:
        kind: One of `settings.AUTHS`.

    Raises:
        InputError: The service principal's variables are missing.
        BackendError: It failed.
    """
    sdk.load()
    from azureml.core.authentication import InteractiveLoginAuthentication, ServicePrincipalAuthentication

    found = [next((os.environ[name] for name in names if os.environ.get(name)), "") for names in _PRINCIPAL]
    if kind == "service-principal" and not all(found):
        missing = [names[0] for names, value in zip(_PRINCIPAL, found, strict=True) if not value]
        hint = "set it, or choose another way with --azureml-auth"
        raise InputError("no service principal to sign in with", expected=" and ".join(missing), hint=hint)
    what, force = "can't sign in to Azure", kind == "interactive"
    if not force and all(found):
        return sdk.bounded(what, lambda: ServicePrincipalAuthentication(*found), _PRINCIPAL_S)
    if not force and not (sys.stdin.isatty() and sys.stderr.isatty()):
        _refuse_questions()
    _make_folder()
    with _instructions():
        return sdk.bounded(what, lambda: InteractiveLoginAuthentication(force=force), _PERSON_S, hint=sdk.hint_of(401))


def _make_folder() -> None:
    """Makes the folder in which the SDK keeps who is signed in, which it does not do in time by itself."""
    place = os.environ.get("AZUREML_AUTH_CONFIG_DIR") or "~/.azureml/auth"
    with files.storage_errors(Path(place)):
        Path(place).expanduser().mkdir(parents=True, exist_ok=True)


def _refuse_questions() -> None:
    """Lets a sign-in that would ask fail, now and when a token has expired: nobody is there who could answer."""
    from azureml.core import authentication

    def refuse(**_: Any) -> None:
        hint = f"`az login`, or set {', '.join(names[0] for names in _PRINCIPAL)}; see --azureml-auth"
        raise BackendError("this machine is not signed in to Azure", hint=hint)

    vars(authentication)["perform_interactive_login"] = refuse


@contextlib.contextmanager
def _instructions() -> Iterator[None]:
    """Shows what the SDK tells whoever signs in: the address to open, and the code to enter there."""
    logger, handler = logging.getLogger(_IDENTITY), logging.StreamHandler(sys.__stderr__)
    handler.setFormatter(logging.Formatter("azureml: %(message)s"))
    logger.addHandler(handler)
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.removeHandler(handler)
