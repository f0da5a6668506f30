"""The checks of the doctor: each function checks one thing and returns the result."""

from __future__ import annotations

import base64
import sys
from dataclasses import replace
from typing import Any

from ....engine import strict_json
from ....engine.errors import BackendError
from ....engine.plugin.extras import install_command, installed_version
from .. import NAME, catalogue
from ..cluster import compare, provision
from ..cluster.cluster import Cluster
from ..rest import arm, paths
from ..rest.answer import part
from ..sdk import hints, sdk, storage
from ..settings import DATASTORES, MNIST_DATASET, changing_tag
from ..submit.dataset import name_and_version, not_mnist
from ..submit.pins import MOUNTS, SDK, WITHOUT_IMGHDR
from .checkup import CheckResult, Checkup, State

SIGN_IN_S = 30.0
"""How long signing in may take, in seconds."""

_STORE_S = 20.0
_QUOTA = "ask for more under Quota in the studio, https://ml.azure.com, or choose another --azureml-vm-size"


def packages(checkup: Checkup) -> CheckResult:
    """Checks that the SDK is installed, in the version that stoker was tested with."""
    versions = {name: installed_version(name) for name in (SDK, MOUNTS)}
    lacking = [name for name, version in versions.items() if not version]
    if sys.version_info >= WITHOUT_IMGHDR and not installed_version("standard-imghdr"):
        lacking.append("standard-imghdr")
    if lacking:
        return CheckResult(State.WRONG, f"not installed: {', '.join(lacking)}", install_command(NAME))
    try:
        sdk.load()
    except ImportError as error:
        return CheckResult(State.WRONG, f"{SDK} is installed, but can't be imported: {error}", install_command(NAME))
    found = ", ".join(f"{name} {version}" for name, version in versions.items())
    if versions[SDK] != catalogue.SDK_VERSION:
        remedy = f"if something fails: pip install '{SDK}=={catalogue.SDK_VERSION}'"
        return CheckResult(State.WARNING, f"{found}; stoker was tested with {SDK} {catalogue.SDK_VERSION}", remedy)
    return CheckResult(State.OK, f"{found}, the version that stoker was tested with")


def config(checkup: Checkup) -> CheckResult:
    """Checks that `config.json` names a workspace."""
    return CheckResult(State.OK, f"workspace {checkup.scope.workspace}, resource group {checkup.scope.group}")


def credentials(checkup: Checkup) -> CheckResult:
    """Checks that signing in works, and as what."""
    header = checkup.auth.get_authentication_header
    try:
        claims = _claims(sdk.bounded("can't sign in to Azure", header, SIGN_IN_S)["Authorization"])
    except BackendError as error:
        remedy = hints.SIGN_IN if error.hint == hints.UNKNOWN else error.hint
        return replace(CheckResult.of_error(error, State.WRONG), remedy=remedy)
    person = any(claims.get(name) for name in ("upn", "unique_name", "preferred_username"))
    kind = "a managed identity" if "xms_mirid" in claims else "a user" if person else "a service principal"
    by_variables = type(checkup.auth).__name__ == "ServicePrincipalAuthentication"
    how = "from environment variables" if by_variables else "the account of this machine"
    return CheckResult(State.OK, f"{kind} of the tenant {claims.get('tid', '(unknown)')}, {how}")


def workspace(checkup: Checkup) -> CheckResult:
    """Checks that the workspace exists."""
    state = str(checkup.service.workspace.get("provisioningState") or "Succeeded")
    found = f"{checkup.scope.workspace}, in the region {checkup.region}"
    if state != "Succeeded":
        return CheckResult(
            State.WARNING, f"{found}: {state}", "look at it in the Azure portal: https://portal.azure.com"
        )
    return CheckResult(State.OK, found)


def cluster(checkup: Checkup) -> CheckResult:
    """Checks the cluster, if it exists already, and compares it with what the options ask for."""
    settings = checkup.settings
    name = settings.compute
    found = provision.find(checkup.service, name)
    if found is None:
        wanted = f"{settings.min_nodes} to {settings.max_nodes} nodes of {settings.vm_size}"
        return CheckResult(State.OK, f"{name} doesn't exist yet; a job makes it, with {wanted}")
    it = Cluster.of(found)
    compare.refuse_unusable(it)
    differing = list(compare.differences(it, settings))
    if differing:
        differs = "; ".join((f"{name}: {it}", *(one.text for one in differing), compare.bound(it, settings)))
        if compare.must_be_accepted(differing, settings):
            return CheckResult(State.WRONG, differs, compare.hint(differing))
        return CheckResult(State.WARNING, differs, f"a job runs on what is there; for others, {compare.ANOTHER}")
    if it.problem:
        return CheckResult(State.WARNING, f"{name}: {it}", _QUOTA)
    return CheckResult(State.OK, f"{name}: {it}")


def vm_size(checkup: Checkup) -> CheckResult:
    """Checks that the VM size is in the table, and not retired."""
    name, age = checkup.settings.vm_size, catalogue.age(checkup.today)
    retired, known = catalogue.retirement(name), catalogue.find(name)
    if retired:
        gone = retired.on <= checkup.today
        state = State.WRONG if gone and not checkup.settings.allow_retired else State.WARNING
        remedy = f"--azureml-vm-size {retired.successor}, or --azureml-allow-retired if Azure still offers it"
        return CheckResult(state, f"{name} {'was' if gone else 'will be'} retired on {retired.on}; {age}", remedy)
    if known is None:
        return CheckResult(
            State.WARNING, f"stoker doesn't know {name}; {age}", "check its name; Azure may have it anyway"
        )
    gpus = f"{known.gpus:g} {known.gpu}" if known.gpu else "no GPU"
    return CheckResult(State.OK, f"{known.name}, {known.cores} cores, {known.memory_gib} GiB, {gpus}; {age}")


def offered(checkup: Checkup) -> CheckResult:
    """Checks that the region offers the VM size."""
    settings, entry = checkup.settings, checkup.offer
    if entry is None:
        gpu = catalogue.may_have_gpu(settings.vm_size)
        like = [
            size.name for size in catalogue.CURRENT if size.name.lower() in checkup.offers and bool(size.gpus) == gpu
        ]
        remedy = f"choose another --azureml-vm-size: {', '.join(like[:3]) or 'the studio lists them'}"
        return CheckResult(
            State.WRONG, f"{checkup.region} does not offer {settings.vm_size} to this subscription", remedy
        )
    if settings.low_priority and entry.get("lowPriorityCapable") is False:
        remedy = "leave out --azureml-low-priority, or choose another --azureml-vm-size"
        return CheckResult(State.WRONG, f"{checkup.region} has no low-priority {settings.vm_size}", remedy)
    return CheckResult(State.OK, f"{checkup.region} offers {entry['name']}")


def quota(checkup: Checkup) -> CheckResult:
    """Checks that the quota is enough for a node."""
    settings, entry = checkup.settings, checkup.offer or {}
    family, cores = str(entry.get("family") or ""), int(entry.get("vCPUs") or 1)
    look = "see Quota in the studio: https://ml.azure.com"
    if not family and not settings.low_priority:
        unknown = f"unknown: Azure doesn't say which family {settings.vm_size} belongs to"
        return CheckResult(State.WARNING, unknown, look)
    found = arm.quota(checkup.service, checkup.region, family, low_priority=settings.low_priority)
    if found is None:
        return CheckResult(State.WARNING, f"unknown: Azure lists no quota for {family}", look)
    usage = f"{found.name}: {found.used} of {found.limit} cores in use; a node takes {cores}"
    if found.limit < cores:
        return CheckResult(State.WRONG, usage, _QUOTA)
    if found.left < cores:
        return CheckResult(State.WARNING, f"{usage}, so a job may have to wait for others", _QUOTA)
    return CheckResult(State.OK, usage)


def data_set(checkup: Checkup) -> CheckResult:
    """Checks whether the data set is registered."""
    wanted = checkup.settings.dataset
    if wanted.startswith(DATASTORES):
        return CheckResult(State.OK, f"{wanted}: what is there is seen when a job mounts it")
    name, version = name_and_version(wanted or MNIST_DATASET)
    found = checkup.service.get(paths.data_set(name, version))
    if found and not wanted and (elsewhere := not_mnist(found)):
        remedy = "--azureml-new-dataset-version registers the four files of MNIST as its next version"
        return CheckResult(State.WARNING, f"{elsewhere}; a job on MNIST refuses it", remedy)
    if found:
        version = part(found, "latest").get("versionId", "(unknown)")
        return CheckResult(State.OK, f"{name} is registered, version {version}")
    if version and checkup.service.get(paths.data_asset(name, version)):
        return CheckResult(State.OK, f"{wanted} is a data asset of the SDK v2")
    if wanted:
        remedy = "register it, or name its files with --data-folder when you train"
        return CheckResult(State.WARNING, f"{wanted} is not registered", remedy)
    return CheckResult(State.OK, f"{name} is not registered; a job on MNIST registers it")


def image(checkup: Checkup) -> CheckResult:
    """Checks that the base image will be the same tomorrow."""
    name = checkup.settings.image
    if changing_tag(name):
        remedy = f"name one with a tag, such as {catalogue.IMAGE}"
        return CheckResult(State.WARNING, f"{name} may change from one day to the next", remedy)
    newest = f"the newest one on {catalogue.TABLE_DATE}" if name == catalogue.IMAGE else "not stoker's default"
    return CheckResult(State.OK, f"{name.rpartition('/')[2]}, {newest}")


def datastore(checkup: Checkup) -> CheckResult:
    """Checks that the default datastore can be read from here."""
    found = checkup.service.get(paths.default_datastore())
    if not found:
        remedy = "choose one under Data in the studio: https://ml.azure.com"
        return CheckResult(State.WRONG, "the workspace has no default datastore", remedy)
    name, section = found.get("name"), part(found, "azureStorageSection")
    if found.get("dataStoreType") != "AzureBlob":
        kind = f"{name} is a datastore of the kind {found.get('dataStoreType')}; stoker was tested with AzureBlob"
        return CheckResult(State.WARNING, kind, "make a blob store the default, under Data in the studio")
    what, role = f"the datastore {name} can't be read", hints.STORAGE_LOOK
    sdk.bounded(what, lambda: _first_blob(checkup), _STORE_S, role=role)
    return CheckResult(State.OK, f"{name}, in {section.get('accountName')}/{section.get('containerName')}, can be read")


def _first_blob(checkup: Checkup) -> object:
    """Reads the first entry of the datastore's listing, as an upload does."""
    scope = checkup.scope
    workspace = sdk.load().Workspace(scope.subscription, scope.group, scope.workspace, auth=checkup.auth)
    store = workspace.get_default_datastore()
    return next(iter(storage.container(store, checkup.auth).list_blobs(results_per_page=1)), None)


def _claims(header: str) -> dict[str, Any]:
    """Reads what a bearer token says about its owner; {} if it is no JSON web token."""
    body = header.rpartition(" ")[2].split(".")[1:2]
    try:
        value = strict_json.loads(base64.urlsafe_b64decode(f"{body[0]}==")) if body else {}
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}
