"""The hint after a failure is that of its kind: the network is suspected only where a connection failed."""

from __future__ import annotations

import errno
import json
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import adal
import azure.core.exceptions as core
import azure.identity
import azureml.exceptions as azureml
import msrest.exceptions as msrest
import pytest
import requests
from requests import exceptions as web
from urllib3.exceptions import MaxRetryError, NewConnectionError

from stoker.engine.errors import BackendError, UnreachableError
from stoker.plugins.azureml.reference import Scope
from stoker.plugins.azureml.rest import paths
from stoker.plugins.azureml.rest.client import Patience, Service
from stoker.plugins.azureml.rest.response import ConflictError, TransientError, check
from stoker.plugins.azureml.sdk import hints, sdk
from stoker.plugins.azureml_emulator import Emulator, FaultKind

CLUSTER_URL = "https://management.azure.com/subscriptions/s/resourceGroups/g/x/workspaces/w/computes/c?api-version=1"
RUN_URL = "https://eastus.api.azureml.ms/history/v1.0/x/workspaces/w/experiments/e/runs/r"
SIZES_URL = "https://management.azure.com/subscriptions/s/providers/x/locations/eastus/vmSizes"
PAGE = b"<!DOCTYPE html><html><head><title>Log in to\n the hotel</title></head></html>"
MAKES_CLUSTERS = "'AzureML Compute Operator' or 'Contributor'"
FAILED_TLS = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed: self signed")


def below(outer: BaseException, inner: BaseException) -> BaseException:
    """An exception that was raised from another one."""
    outer.__cause__ = inner
    return outer


def coded(code: str) -> str:
    return f"AADSTS{code}: What went wrong. Trace ID: 0"


def with_response(error: Any, status: int, content: bytes = b"") -> Any:
    error.response = answer(status, content)
    return error


def answer(status: int, content: bytes = b"", **headers: str) -> requests.Response:
    response = requests.Response()
    response.status_code, response._content = status, content
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


KINDS: dict[str, tuple[BaseException, str]] = {
    "a certificate, of requests": (web.SSLError(MaxRetryError(None, "/", FAILED_TLS)), hints.CERTIFICATES),  # type: ignore[arg-type]
    "a certificate, of msrest": (msrest.ClientRequestError("Error in request.", FAILED_TLS), hints.CERTIFICATES),
    "a certificate, of azure-core": (core.ServiceRequestError("failed", error=FAILED_TLS), hints.CERTIFICATES),
    "a certificate, of the data runtime": (OSError("invalid peer certificate: UnknownIssuer"), hints.CERTIFICATES),
    "certificates that are gone": (
        OSError("Could not find a suitable TLS CA certificate bundle, invalid path: /x"),
        hints.NO_CERTIFICATES,
    ),
    "a proxy that is away": (web.ProxyError("Unable to connect to proxy"), hints.PROXY),
    "a proxy with another scheme": (web.InvalidProxyURL("Please check proxy URL. It is malformed"), hints.PROXY),
    "a proxy that wants a password": (
        web.ProxyError(OSError("Tunnel connection failed: 407 Proxy Authentication Required")),
        hints.PROXY_SIGN_IN,
    ),
    "a proxy that refuses": (web.ProxyError(OSError("Tunnel connection failed: 403 no")), hints.PROXY_REFUSES),
    "no network, of requests": (web.ConnectTimeout("timed out"), hints.NETWORK),
    "no network, of Python": (socket.gaierror(-2, "Name or service not known"), hints.NETWORK),
    "no network, of msrest": (msrest.ClientRequestError("Error occurred in request."), hints.NETWORK),
    "no network, of azure-core": (core.ServiceResponseError("Connection dropped"), hints.NETWORK),
    "no network, of urllib3": (NewConnectionError(None, "refused"), hints.NETWORK),  # type: ignore[arg-type]
    "no network, below an error of azureml": (
        below(azureml.ExperimentExecutionException("submission failed"), web.ConnectionError("gone")),
        hints.NETWORK,
    ),
    "no network, in a text of azureml": (
        azureml.AuthenticationException("HTTPSConnectionPool: Max retries exceeded with url: /x"),
        hints.NETWORK,
    ),
    "a disk that is full": (OSError(errno.ENOSPC, "No space left on device"), hints.UNKNOWN),
    "a file that is not there": (FileNotFoundError(errno.ENOENT, "No such file", "/x"), hints.UNKNOWN),
    "an address that is none": (web.MissingSchema("Invalid URL 'x'"), hints.UNKNOWN),
    "a wrong argument": (azureml.UserErrorException("the name is too long"), hints.UNKNOWN),
    "a bug": (TypeError("'NoneType' object is not subscriptable"), hints.UNKNOWN),
    "signing in, of azureml": (azureml.AuthenticationException("no token"), hints.SIGN_IN),
    "signing in, of azure-identity": (azure.identity.CredentialUnavailableError("none"), hints.SIGN_IN),
    "a status, of azureml": (azureml.WebserviceException("Response Code: 412\nContent: x"), hints.of_status(412)),
    "a status, of azure-core": (core.HttpResponseError(response=answer(429)), hints.of_status(429)),
    "a status, of requests": (web.HTTPError("failed", response=answer(503)), hints.of_status(503)),
    "a web page, of azureml": (
        azureml.ComputeTargetException(f"Response Code: 200\nContent: {PAGE!r}"),
        hints.INTERCEPTED,
    ),
    "a web page with a refusal": (azureml.ComputeTargetException(f"Response Code: 403 {PAGE!r}"), hints.INTERCEPTED),
    "no JSON": (json.JSONDecodeError("Expecting value", "", 0), hints.INTERCEPTED),
}


@pytest.mark.parametrize("kind", KINDS)
def test_an_exception_has_the_hint_of_its_kind(kind: str):
    error, hint = KINDS[kind]
    made = sdk.translated("it failed", error)
    assert made.hint == hint
    assert ("is there a network" in made.hint) == kind.startswith("no network")


@pytest.mark.parametrize(
    ("error", "hint"),
    [
        (adal.AdalError(coded("7000222")), "the secret has expired"),
        (azureml.AuthenticationException(coded("700016")), "AZUREML_SERVICE_PRINCIPAL_ID"),
        (core.ClientAuthenticationError(coded("50076")), "sign in with `az login`"),
        (below(RuntimeError("no token"), adal.AdalError(coded("90002"))), "there is no such tenant"),
        (
            below(web.ConnectionError("lost"), azureml.AuthenticationException(coded("50173"))),
            "sign in with `az login`",
        ),
    ],
    ids=["expired secret", "no application", "second factor", "no tenant", "revoked, below a lost connection"],
)
def test_a_code_of_the_sign_in_leads_to_signing_in_and_to_microsofts_explanation(error: BaseException, hint: str):
    made = sdk.translated("can't sign in to Azure", error)
    assert hint in made.hint
    assert "https://login.microsoftonline.com/error?code=" in made.hint


@pytest.mark.parametrize(
    ("method", "url", "role"),
    [
        ("PUT", CLUSTER_URL, MAKES_CLUSTERS),
        ("DELETE", CLUSTER_URL, MAKES_CLUSTERS),
        ("GET", CLUSTER_URL, "'Reader' is enough"),
        ("GET", SIZES_URL, "'Reader' in the subscription"),
        ("GET", RUN_URL, "'Reader' is enough"),
        ("PATCH", RUN_URL, "'AzureML Data Scientist' in the workspace"),
        ("POST", f"{RUN_URL}/cancel", "'AzureML Data Scientist' in the workspace"),
    ],
    ids=["make a cluster", "delete a cluster", "look at a cluster", "sizes", "look at a run", "tag a run", "cancel"],
)
def test_a_refusal_names_the_role_that_can_do_this_call(method: str, url: str, role: str):
    with pytest.raises(BackendError) as caught:
        check(method, url, answer(403, b'{"error": {"message": "no permission"}}'))
    assert role in caught.value.hint
    assert (role == MAKES_CLUSTERS) == ("can't make or delete a cluster" in caught.value.hint)


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("perform action 'Microsoft.MachineLearningServices/workspaces/computes/write'", MAKES_CLUSTERS),
        ("AuthorizationPermissionMismatch: This request is not authorized", "'Storage Blob Data Contributor'"),
        ("AuthorizationFailure: This request is not authorized", "Networking in the Azure portal"),
        ("KeyBasedAuthenticationNotPermitted", "takes no keys"),
        ("Access is only allowed through a private endpoint", "virtual network"),
    ],
    ids=["action", "role of the storage", "firewall", "keys", "private"],
)
def test_what_a_refusal_says_leads_to_the_remedy(text: str, hint: str):
    assert hint in sdk.translated("it failed", with_response(RuntimeError(text), 403)).hint


def test_a_redirection_names_where_it_leads_and_whom_to_suspect():
    with pytest.raises(UnreachableError, match=r"302 .* leads to sign-in\.example") as caught:
        check("GET", RUN_URL, answer(302, Location="https://sign-in.example/?token=secret"))
    assert caught.value.hint == hints.INTERCEPTED
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("status", "raised", "hint"),
    [
        (401, BackendError, "az login"),
        (404, BackendError, "may have been deleted"),
        (407, BackendError, "HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT"),
        (409, ConflictError, "exists already, or is being changed"),
        (412, BackendError, "changed it meanwhile"),
        (429, TransientError, "too many requests"),
        (500, TransientError, "status.azure.com"),
        (400, BackendError, "report it to stoker's maintainers"),
    ],
)
def test_each_status_has_its_own_hint(status: int, raised: type[BackendError], hint: str):
    with pytest.raises(raised) as caught:
        check("POST", RUN_URL, answer(status))
    assert type(caught.value) is raised
    assert hint in caught.value.hint


def test_a_service_that_asks_for_time_is_quoted_with_it():
    with pytest.raises(TransientError) as caught:
        check("GET", RUN_URL, answer(429, Retry_After="300"))
    assert "Azure asks to wait 300 s" in caught.value.hint


def test_a_page_with_an_error_status_is_called_by_its_title():
    with pytest.raises(BackendError, match="'Log in to the hotel'") as caught:
        check("GET", RUN_URL, answer(403, PAGE))
    assert caught.value.hint == hints.INTERCEPTED


@pytest.fixture(scope="module")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    with Emulator(tmp_path_factory.mktemp("azure")) as running:
        yield running


@pytest.fixture
def service(emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Service:
    """The services of the emulator's workspace, from which the next request is to come."""
    for name, value in emulator.client_environment().items():
        monkeypatch.setenv(name, value)
    found = Service(
        Scope.from_config(str(emulator.write_config(tmp_path))), "ambient", Patience(total_s=2.0, pause_s=0.05)
    )
    assert found.get(paths.clusters()) is not None
    return found


@pytest.mark.parametrize("times", [1, 2])
def test_a_conflict_is_tried_once_more_and_no_longer(emulator: Emulator, service: Service, times: int):
    fault = emulator.fault("/computes", FaultKind.CONFLICT, times=times)
    if times == 1:
        assert service.get(paths.clusters()) is not None
    else:
        with pytest.raises(ConflictError, match="409"):
            service.get(paths.clusters())
    assert fault.hits == times


def test_a_web_page_where_json_was_due_is_called_that_with_its_title(emulator: Emulator, service: Service):
    fault = emulator.fault("/computes", FaultKind.WEB_PAGE, times=None)
    with pytest.raises(UnreachableError, match="a web page with the title 'Sign in to the network'") as caught:
        service.get(paths.clusters())
    fault.clear()
    assert fault.hits > 1
    assert caught.value.hint == hints.INTERCEPTED


def test_a_certificate_that_is_not_trusted_is_said_at_the_first_try(service: Service, monkeypatch: pytest.MonkeyPatch):
    tries, send = [], service._send
    monkeypatch.setattr(service, "_send", lambda *words, **more: tries.append(words) or send(*words, **more))
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.delenv(name)
    service._session.close()
    with pytest.raises(UnreachableError, match="CERTIFICATE_VERIFY_FAILED") as caught:
        service.get(paths.clusters())
    assert len(tries) == 1
    assert caught.value.hint == hints.CERTIFICATES


def test_a_proxy_that_does_not_run_is_suspected_and_no_sign_in(service: Service, monkeypatch: pytest.MonkeyPatch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        for name in ("HTTPS_PROXY", "https_proxy"):
            monkeypatch.setenv(name, f"http://127.0.0.1:{unused.getsockname()[1]}")
        with pytest.raises(UnreachableError) as caught:
            service.get(paths.clusters())
        assert caught.value.hint == hints.PROXY
        with pytest.raises(BackendError) as at_sign_in:
            Service(service.scope, "ambient", service.patience).get(paths.clusters())
        assert at_sign_in.value.hint == hints.PROXY


@pytest.mark.parametrize("message", ["it can't be 'x'", 'it can\'t be "x"', "it is\nso", "ü\\n"])
def test_the_message_of_a_response_is_shown_as_the_service_wrote_it(message: str):
    content = json.dumps({"error": {"code": "BadArgument", "message": message}}).encode()
    error = ValueError(f"Received bad response:\nResponse Code: 400\nHeaders: {{}}\nContent: {content!r}")
    assert sdk.message_of(error) == f"ValueError: {message.replace(chr(10), ' ')}"
