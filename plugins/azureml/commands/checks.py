"""What the doctor looks at: each function looks at one thing, and says how that is."""

from __future__ import annotations

import base64
import importlib.metadata
import json
import sys
from dataclasses import replace
from typing import Any
from urllib.parse import quote

from ....engine.errors import BackendError
from .. import catalogue
from ..cluster import provision
from ..cluster.cluster import Cluster
from ..rest import arm
from ..sdk import sdk
from ..settings import MNIST_DATASET
from ..submit.environment import MOUNTS, SDK, WITHOUT_IMGHDR
from .checkup import CheckResult, Checkup, State

SIGN_IN_S = 30.0
"""How long signing in may take, in seconds."""

_STORE_S = 20.0
_SIGN_IN = "sign in with `az login`, or check the service principal's variables; see --azureml-auth"
_QUOTA = "ask for more under Quota in the studio, https://ml.azure.com, or choose another --azureml-vm-size"


def packages(checkup: Checkup) -> CheckResult:
    """Whether the SDK is installed, in the version that stoker was tried with."""
    versions = {name: _version(name) for name in (SDK, MOUNTS)}
    lacking = [name for name, version in versions.items() if not version]
    if sys.version_info >= WITHOUT_IMGHDR and not _version("standard-imghdr"):
        lacking.append("standard-imghdr")
    if lacking:
        return CheckResult(State.WRONG, f"not installed: {', '.join(lacking)}", sdk.INSTALL)
    try:
        sdk.load()
    except ImportError as error:
        return CheckResult(State.WRONG, f"{SDK} is installed and can't be imported: {error}", sdk.INSTALL)
    found = ", ".join(f"{name} {version}" for name, version in versions.items())
    if versions[SDK] != catalogue.SDK_VERSION:
        remedy = f"if something fails: pip install '{SDK}=={catalogue.SDK_VERSION}'"
        return CheckResult(State.WARNING, f"{found}; stoker was tried with {SDK} {catalogue.SDK_VERSION}", remedy)
    return CheckResult(State.OK, f"{found}, which stoker was tried with")


def config(checkup: Checkup) -> CheckResult:
    """Whether `config.json` names a workspace."""
    return CheckResult(State.OK, f"workspace {checkup.scope.workspace}, resource group {checkup.scope.group}")


def credentials(checkup: Checkup) -> CheckResult:
    """Whether signing in works, and as what."""
    header = checkup.auth.get_authentication_header
    try:
        claims = _claims(sdk.bounded("can't sign in to Azure", header, SIGN_IN_S)["Authorization"])
    except BackendError as error:
        unreachable = isinstance(error.__cause__, OSError)
        return replace(CheckResult.of_error(error, State.WRONG), remedy=sdk.hint_of(0) if unreachable else _SIGN_IN)
    person = any(claims.get(name) for name in ("upn", "unique_name", "preferred_username"))
    kind = "a managed identity" if "xms_mirid" in claims else "a user" if person else "a service principal"
    by_variables = type(checkup.auth).__name__ == "ServicePrincipalAuthentication"
    how = "by environment variables" if by_variables else "as this machine is signed in"
    return CheckResult(State.OK, f"{kind} of the tenant {claims.get('tid', '(not told)')}, {how}")


def workspace(checkup: Checkup) -> CheckResult:
    """Whether the workspace is there."""
    state = str(checkup.service.workspace.get("provisioningState") or "Succeeded")
    found = f"{checkup.scope.workspace}, in the region {checkup.region}"
    if state != "Succeeded":
        return CheckResult(
            State.WARNING, f"{found}: {state}", "look at it in the Azure portal: https://portal.azure.com"
        )
    return CheckResult(State.OK, found)


def cluster(checkup: Checkup) -> CheckResult:
    """Whether the cluster is there, or is to be made."""
    settings = checkup.settings
    name = settings.compute
    found = provision.find(checkup.service, name)
    if found is None:
        wanted = f"{settings.min_nodes} to {settings.max_nodes} nodes of {settings.vm_size}"
        return CheckResult(State.OK, f"{name} is not there; a job makes it, with {wanted}")
    it = Cluster.of(found)
    another = "choose another name with --azureml-compute"
    if not it.is_cluster:
        return CheckResult(State.WARNING, f"{name} is no cluster but a {it.kind}", another)
    if it.state in {"Failed", "Canceled"}:
        why = it.problem or "no reason given"
        return CheckResult(
            State.WRONG, f"{name} could not be made: {why}", f"delete it, or {another}; `stoker azureml cleanup` helps"
        )
    if it.vm_size.lower() != settings.vm_size.lower():
        differs = f"{name}: {it}; --azureml-vm-size is {settings.vm_size}"
        return CheckResult(State.WARNING, differs, f"a job runs on what the cluster has; for others, {another}")
    if it.problem:
        return CheckResult(State.WARNING, f"{name}: {it}", _QUOTA)
    return CheckResult(State.OK, f"{name}: {it}")


def vm_size(checkup: Checkup) -> CheckResult:
    """Whether the table of sizes has the wanted one, and as a current one."""
    name, age = checkup.settings.vm_size, catalogue.age(checkup.today)
    retired, known = catalogue.retirement(name), catalogue.find(name)
    if retired:
        gone = retired.on <= checkup.today
        state = State.WRONG if gone and not checkup.settings.allow_retired else State.WARNING
        remedy = f"--azureml-vm-size {retired.successor}, or --azureml-allow-retired if that is not so any more"
        return CheckResult(state, f"{name} {'was' if gone else 'will be'} retired on {retired.on}; {age}", remedy)
    if known is None:
        return CheckResult(
            State.WARNING, f"{name} is not known here; {age}", "check its name; Azure may have it all the same"
        )
    gpus = f"{known.gpus:g} {known.gpu}" if known.gpu else "no GPU"
    return CheckResult(State.OK, f"{known.name}, {known.cores} cores, {known.memory_gib} GiB, {gpus}; {age}")


def offered(checkup: Checkup) -> CheckResult:
    """Whether the region has the wanted VM size."""
    settings, entry = checkup.settings, checkup.offer
    if entry is None:
        gpu = catalogue.has_gpu(settings.vm_size)
        like = [
            size.name for size in catalogue.CURRENT if size.name.lower() in checkup.offers and bool(size.gpus) == gpu
        ]
        remedy = f"choose another --azureml-vm-size: {', '.join(like[:3]) or 'the studio lists them'}"
        return CheckResult(
            State.WRONG, f"{checkup.region} does not offer {settings.vm_size} to this subscription", remedy
        )
    if settings.low_priority and entry.get("lowPriorityCapable") is False:
        remedy = "leave --azureml-low-priority out, or choose another --azureml-vm-size"
        return CheckResult(State.WRONG, f"{checkup.region} has no {settings.vm_size} of low priority", remedy)
    return CheckResult(State.OK, f"{checkup.region} offers {entry['name']}")


def quota(checkup: Checkup) -> CheckResult:
    """Whether the subscription may have a node of the wanted size."""
    settings, entry = checkup.settings, checkup.offer or {}
    family, cores = str(entry.get("family") or ""), int(entry.get("vCPUs") or 1)
    look = "look at it under Quota in the studio: https://ml.azure.com"
    if not family and not settings.low_priority:
        unknown = f"not known: Azure does not say which family {settings.vm_size} is of"
        return CheckResult(State.WARNING, unknown, look)
    found = arm.quota(checkup.service, checkup.region, family, low_priority=settings.low_priority)
    if found is None:
        return CheckResult(State.WARNING, f"not known: Azure lists no quota for {family}", look)
    told = f"{found.name}: {found.used} of {found.limit} cores in use; a node takes {cores}"
    if found.limit < cores:
        return CheckResult(State.WRONG, told, _QUOTA)
    if found.left < cores:
        return CheckResult(State.WARNING, f"{told}, so that a job may wait for the others", _QUOTA)
    return CheckResult(State.OK, told)


def data_set(checkup: Checkup) -> CheckResult:
    """Whether the data set is registered."""
    wanted = checkup.settings.dataset
    name = wanted or MNIST_DATASET
    found = checkup.service.get("dataset/v1.0", f"/datasets/query/name={quote(name, safe='')}")
    if found:
        version = (found.get("latest") or {}).get("versionId", "(not told)")
        return CheckResult(State.OK, f"{name} is registered, version {version}")
    if wanted:
        remedy = "register it, or name the files with --data-folder when you train"
        return CheckResult(State.WARNING, f"{name} is not registered", remedy)
    return CheckResult(State.OK, f"{name} is not registered; a job on MNIST registers it")


def image(checkup: Checkup) -> CheckResult:
    """Whether the base image will be the same tomorrow."""
    name = checkup.settings.image
    if ":" not in name.rpartition("/")[2] or name.endswith(":latest"):
        remedy = f"name one with a tag, such as {catalogue.IMAGE}"
        return CheckResult(State.WARNING, f"{name} may be another from one day to the next", remedy)
    newest = (
        f"the newest one on {catalogue.TABLE_DATE}" if name == catalogue.IMAGE else "not the one that stoker comes with"
    )
    return CheckResult(State.OK, f"{name.rpartition('/')[2]}, {newest}")


def datastore(checkup: Checkup) -> CheckResult:
    """Whether the default datastore can be read from here."""
    found = checkup.service.get("datastore/v1.0", "/default")
    if not found:
        remedy = "choose one under Data in the studio: https://ml.azure.com"
        return CheckResult(State.WRONG, "the workspace has no default datastore", remedy)
    name, section = found.get("name"), found.get("azureStorageSection") or {}
    if found.get("dataStoreType") != "AzureBlob":
        told = f"{name} is of the kind {found.get('dataStoreType')}; stoker was tried with AzureBlob"
        return CheckResult(State.WARNING, told, "make a blob store the default, under Data in the studio")
    hint = "may this account and this network read the storage account? See its networking in the Azure portal"
    sdk.bounded(f"the datastore {name} can't be read", lambda: _first_blob(checkup), _STORE_S, hint=hint)
    return CheckResult(State.OK, f"{name}, in {section.get('accountName')}/{section.get('containerName')}, can be read")


def _first_blob(checkup: Checkup) -> object:
    """Reads one line of the datastore's listing, as an upload does."""
    scope = checkup.scope
    workspace = sdk.load().Workspace(scope.subscription, scope.group, scope.workspace, auth=checkup.auth)
    store = workspace.get_default_datastore()
    client = store.blob_service.get_container_client(store.container_name)
    return next(iter(client.list_blobs(results_per_page=1)), None)


def _version(name: str) -> str:
    try:
        return importlib.metadata.version(name)
    except importlib.metadata.PackageNotFoundError:
        return ""


def _claims(header: str) -> dict[str, Any]:
    """What a bearer token says of its owner; {} if it is no JSON web token."""
    body = header.rpartition(" ")[2].split(".")[1:2]
    try:
        value = json.loads(base64.urlsafe_b64decode(f"{body[0]}==")) if body else {}
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
