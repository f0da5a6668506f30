"""The SDK, kept quiet, kept to a time, and its many exceptions turned into one."""

from __future__ import annotations

import contextlib
import importlib
import io
import logging
import os
import re
import threading
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from ....engine.errors import BackendError, PluginError, StokerError

T = TypeVar("T")

INSTALL = "pip install 'stoker[azureml]'"
CALL_S = 120.0
"""How long one call of the SDK may take, in seconds, if nothing else is said."""

_VARIABLES = {
    "AZUREML_DEFAULT_BACKOFF": "1",
    "AZUREML_DEFAULT_500_BACKOFF": "1",
    "AZUREML_DEFAULT_503_BACKOFF": "1",
    "AZUREML_DEFAULT_RETRIES": "2",
}
"""Read by the SDK when it is imported; by itself it waits up to four minutes for a service that is busy."""

_LOGGERS = ("azureml", "azure", "msrest", "msal", "urllib3", "adal", "cli")
_STATUS = re.compile(r"(?:Response Code|[Ss]tatus ?[Cc]ode|\bCode)\W{1,4}(\d{3})\b")
_MESSAGE = re.compile(r'"message": "((?:[^"\\]|\\.)+)"')
_SECRET = re.compile(r"(?i)(sig=|bearer |accountkey=|client_secret=)[^\s&\"']+")

_HINTS = {
    401: "sign in again: `az login`, or check the service principal's variables; see --azureml-auth",
    403: "the account lacks the permission: it needs the role 'AzureML Data Scientist' in the workspace",
    404: "it may have been deleted; look for it in the studio: https://ml.azure.com",
    409: "something of this name is there already, or is being changed; try again",
    429: "the service has too much to do; try again in a minute",
}
_TROUBLE = "Azure has trouble; try again later: https://status.azure.com"
_NETWORK = "is the network there? A proxy goes into HTTPS_PROXY; else try again later"


@cache
def load() -> Any:
    """The module `azureml.core`.

    Raises:
        PluginError: It is not installed.
    """
    prepare()
    try:
        with quiet():
            core = importlib.import_module("azureml.core")
    except ModuleNotFoundError as error:
        raise PluginError(f"the backend azureml needs the package {error.name!r}", hint=INSTALL) from error
    _without_telemetry()
    return core


def prepare() -> None:
    """Sets what the SDK reads when it is first imported; whoever imports a part of it calls this before."""
    for name, value in _VARIABLES.items():
        os.environ.setdefault(name, value)
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def _without_telemetry() -> None:
    """Keeps the data runtime and the SDK's training packages from reporting on this machine."""
    for name in ("azureml.dataprep.api._rslex_executor", "azureml.telemetry"):
        with contextlib.suppress(ImportError), quiet():
            vars(importlib.import_module(name))["HBI_MODE"] = True
    # What finds the repository around a submission: its address may have a token in it.
    tracking = importlib.import_module("azureml._base_sdk_common.tracking")
    tracking.global_tracking_info_registry.providers.clear()


class _Silence:
    """Nothing in the place of stdout and stderr, from the first thread that comes until the last that goes."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._within = 0
        self._undo = contextlib.ExitStack()

    def __enter__(self) -> None:
        with self._lock:
            self._within += 1
            if self._within == 1:
                nowhere = io.StringIO()
                self._undo.enter_context(contextlib.redirect_stdout(nowhere))
                self._undo.enter_context(contextlib.redirect_stderr(nowhere))
                self._undo.enter_context(warnings.catch_warnings())
                warnings.simplefilter("ignore")

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._within -= 1
            if not self._within:
                self._undo.close()


_SILENCE = _Silence()


def quiet() -> contextlib.AbstractContextManager[None]:
    """Drops what the SDK prints, and its warnings, which are about itself.

    What else is printed meanwhile is dropped as well: whoever has something to say writes to the stderr of before.
    """
    return _SILENCE


def bounded(what: str, call: Callable[[], T], timeout_s: float = CALL_S, *, hint: str = "") -> T:
    """What a call of the SDK gives.

    Args:
        what: What it does, for the message: "the data set can't be registered".
        call: The call.
        timeout_s: How long it may take, in seconds; then it is left alone, in a thread that ends with the process.
        hint: The next step, if it is not to be told from the error.

    Raises:
        BackendError: It failed, or took too long.
    """
    load()
    results: list[T] = []
    errors: list[BaseException] = []

    def work() -> None:
        try:
            results.append(call())
        except BaseException as error:  # noqa: BLE001 - the SDK raises what it likes, SystemExit too
            errors.append(error)

    thread = threading.Thread(target=work, daemon=True, name="stoker-azureml")
    with quiet():
        thread.start()
        thread.join(timeout_s)
    if errors:
        raise translated(what, errors[0], hint)
    if not results:
        raise BackendError(f"{what}: no answer within {timeout_s:.0f} s", hint=hint or _NETWORK)
    return results[0]


def translated(what: str, error: BaseException, hint: str = "") -> StokerError:
    """An exception of the SDK as one for people; one that is meant for them already stays."""
    if isinstance(error, StokerError):
        return error
    if isinstance(error, ModuleNotFoundError):
        return PluginError(f"{what}: the package {error.name!r} is missing", hint=INSTALL)
    made = BackendError(what, received=told(error), hint=hint or hint_of(status_of(error)))
    made.__cause__ = error
    return made


def told(error: BaseException) -> str:
    """What an exception says: the service's message, or its first lines; nothing secret."""
    text = str(getattr(error, "message", "") or error)
    own = _MESSAGE.search(text)
    said = [own[1]] if own else [line.strip() for line in text.splitlines() if line.strip()]
    return redacted(f"{type(error).__name__}: {' '.join(said[:3])}")


def redacted(text: str) -> str:
    """A text without signatures, tokens and keys."""
    return _SECRET.sub(r"\1…", text)


def status_of(error: BaseException) -> int:
    """The HTTP status behind an exception; 0 if none is known."""
    for holder in (error, getattr(error, "response", None), getattr(error, "inner_exception", None)):
        status = getattr(holder, "status_code", None)
        if isinstance(status, int):
            return status
    match = _STATUS.search(str(error))
    return int(match[1]) if match else 0


def hint_of(status: int) -> str:
    """The next step after an HTTP status; 0 means that there was no answer."""
    return _HINTS.get(status) or (_TROUBLE if status >= 500 else "" if status else _NETWORK)
