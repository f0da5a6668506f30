"""Derives the next step from a failure, by its kind: signing in, a role, certificates, a proxy or the network.

The roles are Microsoft's built-in ones: https://learn.microsoft.com/azure/machine-learning/how-to-assign-roles,
https://learn.microsoft.com/azure/role-based-access-control/built-in-roles/ai-machine-learning and …/storage.
"AzureML Data Scientist" has `workspaces/*/write` without `workspaces/computes/*/write` and `…/delete`; these are what
"AzureML Compute Operator" has, and nothing else.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator

from ....engine.command import command_line
from .. import NAME

WORKSPACE = "'AzureML Data Scientist' in the workspace"
LOOK = f"{WORKSPACE}; 'Reader' is enough for this call"
CLUSTER = (
    "'AzureML Compute Operator' or 'Contributor' in the workspace: 'AzureML Data Scientist' can't make or delete a "
    "cluster. Or let somebody else make it, and name it with --azureml-compute"
)
SUBSCRIPTION = "'Reader' in the subscription"
STORAGE = "'Storage Blob Data Contributor' on the storage account"
STORAGE_LOOK = "'Storage Blob Data Reader' on the storage account"
"""The roles for a call, by what it does; each is the end of "the account needs the role …"."""

SIGN_IN = "sign in with `az login`, or check the service principal's variables; see --azureml-auth"
NETWORK = "is there a network? If there is a proxy, HTTPS_PROXY must name it; else try again later"
SLOW = f"try again; `{command_line(NAME, 'doctor')}` finds what doesn't answer"
INTERCEPTED = (
    "a proxy, or the sign-in page of a network, answers in Azure's place: open a page in a browser, sign in there, and "
    "try again; if there is a proxy, HTTPS_PROXY must name it"
)
CERTIFICATES = (
    "does a proxy read the traffic? Then name the file with its certificate in both REQUESTS_CA_BUNDLE and "
    "SSL_CERT_FILE; else look at this machine's clock"
)
NO_CERTIFICATES = "REQUESTS_CA_BUNDLE, or CURL_CA_BUNDLE, names a file that isn't there: correct it, or unset it"
PROXY = "is HTTPS_PROXY right, and the proxy running? Hosts that need no proxy belong into NO_PROXY"
PROXY_SIGN_IN = "the proxy wants a name and a password: HTTPS_PROXY=http://NAME:PASSWORD@HOST:PORT"
PROXY_REFUSES = "the proxy lets no one reach that host: ask for its permission, or name another proxy in HTTPS_PROXY"
PRIVATE = "the workspace is private: work from a machine in its virtual network, or through its VPN"
FIREWALL = "the storage account refuses this network: see its Networking in the Azure portal"
NO_KEYS = (
    "the storage account takes no keys: in the studio, let the datastore sign in with an identity; the account then "
    f"needs the role {STORAGE}"
)
UNKNOWN = "if what was received doesn't say what to do, please report it to stoker's maintainers"

_BY_STATUS = {
    401: SIGN_IN,
    404: "it may have been deleted; look for it in the studio: https://ml.azure.com",
    407: PROXY_SIGN_IN,
    408: SLOW,
    409: "something of this name exists already, or is being changed by someone else; look at it in the studio",
    412: "someone else has changed it meanwhile; run the command again, which then starts from what is there now",
    429: "Azure gets too many requests from this account or subscription; try again in a minute",
}
_TROUBLE = "Azure has problems, see https://status.azure.com; try again later"

_AADSTS = re.compile(r"AADSTS(\d+)")
_BY_CODE = {
    "90002": "there is no such tenant: check AZUREML_SERVICE_PRINCIPAL_TENANT_ID",
    "700016": "the tenant has no such application: check AZUREML_SERVICE_PRINCIPAL_ID and …_TENANT_ID",
    "7000215": "the secret is wrong: AZUREML_SERVICE_PRINCIPAL_PASSWORD takes the secret's value, not its id",
    "7000222": "the secret has expired: make another one, and set AZUREML_SERVICE_PRINCIPAL_PASSWORD",
}
"""What Microsoft's page of codes says: https://learn.microsoft.com/entra/identity-platform/reference-error-codes."""

_BY_TEXT = (
    (re.compile(r"(?i)certificate[ _]verify[ _]failed|invalid peer certificate|self.signed certificate"), CERTIFICATES),
    (re.compile(r"could not find a suitable TLS CA certificate bundle", re.IGNORECASE), NO_CERTIFICATES),
    (re.compile(r"Tunnel connection failed: 407|Proxy Authentication Required", re.IGNORECASE), PROXY_SIGN_IN),
    (re.compile(r"Tunnel connection failed: 403", re.IGNORECASE), PROXY_REFUSES),
    (re.compile(r"ProxyError|Unable to connect to proxy|InvalidProxyURL"), PROXY),
    (re.compile(r"KeyBasedAuthenticationNotPermitted"), NO_KEYS),
    (re.compile(r"private (?:end ?point|link)|public network access", re.IGNORECASE), PRIVATE),
    (re.compile(r"AuthorizationPermissionMismatch"), f"the account needs the role {STORAGE}"),
    (re.compile(r"\bAuthorizationFailure\b"), FIREWALL),
)
"""What an exception of any library, or the body of a response, says in words."""

_CONNECTION = re.compile(
    r"Max retries exceeded|Failed to establish a new connection|Connection (?:refused|reset|aborted)|timed out"
)
"""What is left of a connection error where the SDK has made a text of it."""

_OF_CONNECTIONS = frozenset({"ClientRequestError", "ServiceRequestError", "ServiceResponseError", "HTTPError"})
"""Errors without an answer that are no `OSError`: of msrest, azure-core and urllib3."""

_NOT_OF_THE_NETWORK = frozenset({"InvalidURL", "MissingSchema", "InvalidSchema", "InvalidHeader"})
"""Those of requests that are an `OSError`, and have nothing to do with one."""

_PAGE = re.compile(r"<!doctype html|<html[\s>]", re.IGNORECASE)
_TITLE = re.compile(r"<title[^>]*>(.*?)</title", re.IGNORECASE | re.DOTALL)
_ACTION_ON_CLUSTER = re.compile(r"/computes/(?:write|delete)\b", re.IGNORECASE)
_TITLE_CHARACTERS = 80


def role_for(method: str, url: str) -> str:
    """Returns the role that a request takes.

    Args:
        method: The method of the request.
        url: Its address.
    """
    if "/computes" in url and method != "GET":
        return CLUSTER
    if "/locations/" in url:
        return SUBSCRIPTION
    return LOOK if method == "GET" else WORKSPACE


def of_status(status: int, role: str = WORKSPACE, text: str = "") -> str:
    """Returns the next step after a response.

    Args:
        status: Its HTTP status.
        role: The role that the call takes.
        text: What the response says.
    """
    said = _said(text)
    if said:
        return said
    if status < 400 or (status < 500 and page_title(text) is not None):
        return INTERCEPTED
    if status == 403:
        return f"the account needs the role {CLUSTER if _ACTION_ON_CLUSTER.search(text) else role}"
    return _BY_STATUS.get(status) or (_TROUBLE if status >= 500 else UNKNOWN)


def of_error(error: BaseException, status: int = 0, role: str = WORKSPACE) -> str:
    """Returns the next step after an exception.

    Args:
        error: The exception, of the SDK or of any library below it.
        status: The HTTP status behind it; 0 if there is none.
        role: The role that the call takes.
    """
    chain = list(_chain(error))
    text = "\n".join(f"{type(one).__name__}: {one}" for one in chain)
    said = _said(text)
    if said or status >= 300:
        return said or of_status(status, role, text)
    if page_title(text) is not None or any(type(one).__name__ == "JSONDecodeError" for one in chain):
        return INTERCEPTED
    if _CONNECTION.search(text) or any(_is_of_connection(one) for one in chain):
        return NETWORK
    return SIGN_IN if any("Authentication" in name for one in chain for name in _names(one)) else UNKNOWN


def page_title(text: str) -> str | None:
    """Returns the title of a web page; "" if it has none, None if the text is no web page."""
    if not _PAGE.search(text):
        return None
    found = _TITLE.search(text)
    return " ".join(found[1].replace("\\n", " ").split())[:_TITLE_CHARACTERS] if found else ""


def _said(text: str) -> str:
    """Returns the next step that the words of a failure lead to; "" if they don't."""
    code = _AADSTS.search(text)
    if code:
        explained = f"https://login.microsoftonline.com/error?code={code[1]} explains the code"
        return f"{_BY_CODE.get(code[1], SIGN_IN)}; {explained}"
    return next((hint for pattern, hint in _BY_TEXT if pattern.search(text)), "")


def _chain(error: BaseException) -> Iterator[BaseException]:
    """Yields an exception and those below it, each once."""
    seen: set[int] = set()
    pending: list[object] = [error]
    while pending:
        one = pending.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        within = (getattr(one, name, None) for name in ("inner_exception", "_inner_exception", "reason"))
        pending += [one.__cause__, one.__context__, *within, *one.args]


def _names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}


def _is_of_connection(error: BaseException) -> bool:
    names = _names(error)
    of_file = isinstance(error, OSError) and (error.filename is not None or error.errno == errno.ENOSPC)
    return bool(isinstance(error, OSError) or names & _OF_CONNECTIONS) and not (of_file or names & _NOT_OF_THE_NETWORK)
