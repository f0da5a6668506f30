"""Calls the SDK: quietly, within a time limit, and with one kind of exception instead of its many."""

from __future__ import annotations

import ast
import contextlib
import importlib
import io
import json
import logging
import os
import re
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from types import ModuleType
from typing import Any, TypeVar

from ....engine.errors import BackendError, StokerError
from ....engine.plugin.extras import missing_package
from .. import NAME
from . import hints

T = TypeVar("T")

CALL_S = 120.0
"""How long one call of the SDK may take by default, in seconds."""

COMMIT = "azureml.git.commit"
"""The property of a run in which the studio finds the commit."""

_VARIABLES = {
    "AZUREML_DEFAULT_BACKOFF": "1",
    "AZUREML_DEFAULT_500_BACKOFF": "1",
    "AZUREML_DEFAULT_503_BACKOFF": "1",
    "AZUREML_DEFAULT_RETRIES": "2",
}
"""Read by the SDK when it is imported (`azureml._restclient.clientbase`); its own values make it wait for minutes."""

_LOGGERS = ("azureml", "azure", "msrest", "msal", "urllib3", "adal", "cli")
_STATUS = re.compile(r"(?:Response Code|[Ss]tatus ?[Cc]ode|\bCode)\W{1,4}(\d{3})\b")
_BYTES = re.compile(r"\bb(?:'(?:[^'\\]|\\.)*'|\"(?:[^\"\\]|\\.)*\")", re.DOTALL)
_MESSAGE = re.compile(r'"message": "((?:[^"\\]|\\.)+)"')
_POOL = re.compile(r"HTTPS?ConnectionPool\(host='([^']+)'.*?\(Caused by (.+)\)", re.DOTALL)
_SECRET = re.compile(r"(?i)(sig=|bearer |accountkey=|client_secret=)[^\s&\"']+")


@cache
def load() -> Any:
    """Imports `azureml.core`.

    Raises:
        PluginError: It is not installed.
    """
    prepare()
    try:
        with quiet():
            core = importlib.import_module("azureml.core")
    except ModuleNotFoundError as error:
        raise missing_package(f"the backend {NAME}", str(error.name), NAME) from error
    _disable_telemetry()
    return core


def prepare() -> None:
    """Sets what the SDK reads when it is first imported; call it before importing any part of the SDK."""
    for name, value in _VARIABLES.items():
        os.environ.setdefault(name, value)
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL)


def patch(module: ModuleType, name: str, value: object) -> None:
    """Replaces an attribute of one of the SDK's modules.

    The SDK offers no setting for what is patched here. The modules have no types, or types that forbid the assignment,
    so it goes through the module's dictionary.

    Args:
        module: The module.
        name: The name of the attribute in it.
        value: The new value.
    """
    vars(module)[name] = value


def _disable_telemetry() -> None:
    """Stops the data runtime and the SDK's training packages from reporting on this machine."""
    for name in ("azureml.dataprep.api._rslex_executor", "azureml.telemetry"):
        with contextlib.suppress(ImportError), quiet():
            patch(importlib.import_module(name), "HBI_MODE", value=True)
    _track(None)


@dataclass(frozen=True, slots=True)
class _Commit:
    """Gives the runs that the SDK submits the id of a commit, as `GitTrackingInfoProvider` of azureml-core does.

    That provider also sends the address of the repository, which may hold a token, and the name of the branch.
    """

    commit: str
    changed: bool

    def gather(self) -> dict[str, str]:
        """Returns properties of a run, by the names that the studio knows."""
        known = dict.fromkeys((COMMIT, "mlflow.source.git.commit"), self.commit)
        return {**known, "azureml.git.dirty": str(self.changed)}


def show_commit(commit: str, *, changed: bool) -> None:
    """Gives what is submitted from now on the commit that it was made from.

    Args:
        commit: Its id; "" if there is none.
        changed: Whether files differ from it.
    """
    load()
    _track(_Commit(commit, changed) if commit else None)


def _track(provider: _Commit | None) -> None:
    """Replaces what gives the SDK properties of a submission."""
    tracking = importlib.import_module("azureml._base_sdk_common.tracking")
    tracking.global_tracking_info_registry.providers[:] = [provider] if provider else []


class _Silence:
    """Silences stdout and stderr from when the first thread enters until the last one leaves."""

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
    """Silences what the SDK prints, and its warnings, which are about itself.

    Anything else printed meanwhile is lost too, so a reporter writes to the stderr that it kept from before.
    """
    return _SILENCE


def bounded(
    what: str, call: Callable[[], T], timeout_s: float = CALL_S, *, hint: str = "", role: str = hints.WORKSPACE
) -> T:
    """Calls the SDK within a time limit and returns the result.

    Args:
        what: What has failed if it fails: "the data set can't be registered".
        call: The call.
        timeout_s: How long it may take, in seconds. After that it is abandoned, in a thread that ends with the process.
        hint: The next step; "" derives it from the error.
        role: The role that the call takes, as `hints` has it.

    Raises:
        PluginError: A package is missing.
        BackendError: The call failed, or took too long.
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
        raise translated(what, errors[0], hint, role)
    if not results:
        raise BackendError(f"{what}: no answer within {timeout_s:.0f} s", hint=hint or hints.SLOW)
    return results[0]


def translated(what: str, error: BaseException, hint: str = "", role: str = hints.WORKSPACE) -> StokerError:
    """Turns an exception of the SDK into an error for people; one of stoker's own stays as it is.

    Args:
        what: What has failed.
        error: The exception.
        hint: The next step; "" derives it from the exception.
        role: The role that the call takes, as `hints` has it.
    """
    if isinstance(error, StokerError):
        return error
    if isinstance(error, ModuleNotFoundError):
        return missing_package(f"the backend {NAME}", str(error.name), NAME)
    derived = hint or hints.of_error(error, status_of(error), role)
    made = BackendError(what, received=message_of(error), hint=derived)
    made.__cause__ = error
    return made


def message_of(error: BaseException) -> str:
    """Extracts the message of an exception: the service's own, or its first lines; without secrets."""
    text = str(getattr(error, "message", "") or error)
    title = hints.page_title(text)
    if title is not None:
        return f"{type(error).__name__}: a web page, {title!r}"
    text = _POOL.sub(r"\1: \2", text)  # between the host and the cause stands a long address
    own = _MESSAGE.search(_BYTES.sub(lambda found: _decoded(found[0]), text))
    said = [line.strip() for line in (_unescaped(own[1]) if own else text).splitlines() if line.strip()]
    return redacted(f"{type(error).__name__}: {' '.join(said[:3])}")


def _decoded(literal: str) -> str:
    """Returns the text of `b'…'`, as the SDK prints the body of a response; the same text if it is no such literal."""
    try:
        return str(ast.literal_eval(literal).decode())
    except (ValueError, SyntaxError):
        return literal


def _unescaped(text: str) -> str:
    """Returns what a JSON string says, without its quotes; the same text if it is none."""
    try:
        return str(json.loads(f'"{text}"', strict=False))
    except ValueError:
        return text


def redacted(text: str) -> str:
    """Removes signatures, tokens and keys from a text."""
    return _SECRET.sub(r"\1…", text)


def status_of(error: BaseException) -> int:
    """Finds the HTTP status behind an exception; 0 if there is none."""
    for holder in (error, getattr(error, "response", None), getattr(error, "inner_exception", None)):
        status = getattr(holder, "status_code", None)
        if isinstance(status, int):
            return status
    match = _STATUS.search(str(error))
    return int(match[1]) if match else 0
