"""Each address that stoker asks is one that the SDK asks: its own templates are the judge."""

from __future__ import annotations

import importlib
import inspect
import re
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit

import pytest

from stoker.plugins.azureml.reference import Scope
from stoker.plugins.azureml.rest import paths
from stoker.plugins.azureml.rest.paths import Route
from stoker.plugins.azureml.runs.queue import BUILD_LOG
from stoker.plugins.azureml.runs.status import LOG
from stoker.plugins.azureml.sdk import sdk

SCOPE = Scope(subscription="sub", group="group", workspace="ws")
NAMES = {
    "subscriptionId": "sub",
    "resourceGroupName": "group",
    "resourceGroup": "group",
    "workspaceName": "ws",
    "workspace": "ws",
    "runId": "run 1",
    "experimentName": "mnist",
    "experimentId": "mnist",
    "origin": "ExperimentRun",
    "container": "dcid.run 1",
    "path": "outputs/a b",
    "datasetName": "digits",
    "location": "eastus",
}
ROUTES: dict[Callable[..., Route], tuple[Route, str, str]] = {
    paths.run: (paths.run("run 1"), "run", "get_workspace_run"),
    paths.run_in: (paths.run_in("mnist", "run 1"), "run", "patch"),
    paths.run_details: (paths.run_details("mnist", "run 1"), "run", "get_details"),
    paths.events: (paths.events("mnist", "run 1"), "events", "post"),
    paths.experiment: (paths.experiment("mnist"), "experiment", "get_by_id"),
    paths.artifact: (paths.artifact("run 1", "outputs/a b"), "artifact", "get_content_information"),
    paths.artifacts: (paths.artifacts("run 1", "outputs/a b"), "artifact", "list_sas_by_prefix"),
    paths.assets: (paths.assets(), "assets", "create"),
    paths.models: (paths.models(), "model", "register"),
    paths.models_named: (paths.models_named("digits"), "model", "list_query"),
    paths.data_sets: (paths.data_sets(), "dataset", "list"),
    paths.data_set: (paths.data_set("digits"), "dataset", "get_dataset_by_name"),
    paths.default_datastore: (paths.default_datastore(), "data_stores", "get_default"),
}
LISTS = [paths.artifacts, paths.models_named, paths.data_sets]
BY_CONSTANTS = {paths.clusters, paths.cluster}
IN_PIECES = {paths.environments, paths.environment, paths.data_asset}
"""Those whose address the SDK puts together in its code; the emulator's tests ask them through the SDK."""


def operation(module: str, name: str) -> Any:
    """Returns an operation of the SDK's clients."""
    found = importlib.import_module(f"azureml._restclient.operations.{module}_operations")
    (client,) = (value for key, value in vars(found).items() if key.endswith("Operations"))
    return getattr(client, name)


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.__name__)
def test_a_route_is_the_template_of_the_sdk(route: Callable[..., Route]):
    ours, module, name = ROUTES[route]
    template = operation(module, name).metadata["url"]
    assert unquote(urlsplit(f"/{ours.service}{SCOPE.path}{ours.path}").path) == template.format(**NAMES)


@pytest.mark.parametrize("route", LISTS, ids=lambda route: route.__name__)
def test_a_listing_asks_for_its_next_page_as_the_sdk_does(route: Callable[..., Route]):
    ours, module, name = ROUTES[route]
    assert f"query_parameters['{ours.next_page}']" in inspect.getsource(operation(module, name))


def test_the_query_that_finds_a_model_is_one_of_the_sdk():
    ours, module, name = ROUTES[paths.models_named]
    asked = urlsplit(ours.path).query.partition("=")[0]
    assert f"query_parameters['{asked}']" in inspect.getsource(operation(module, name))


@pytest.mark.parametrize(
    ("address", "module"),
    [(paths.vm_sizes(SCOPE, "eastus"), "virtual_machine_sizes"), (paths.usages(SCOPE, "eastus"), "usages")],
)
def test_an_address_of_the_resource_manager_is_the_template_of_the_sdk(address: str, module: str):
    assert urlsplit(address).path == operation(module, "list").metadata["url"].format(**NAMES)


@pytest.mark.parametrize(
    ("address", "method", "more"),
    [
        (paths.vm_sizes(SCOPE, "eastus"), "supported_vmsizes", []),
        (paths.usages(SCOPE, "eastus"), "list_usages", [("expandChildren", "False")]),
    ],
)
def test_sizes_and_quotas_are_asked_in_the_version_in_which_the_sdk_asks(
    address: str, method: str, more: list[tuple[str, str]]
):
    sdk.load()
    from azureml._compute._constants import MLC_WORKSPACE_API_VERSION
    from azureml.core.compute import AmlCompute

    source = inspect.getsource(getattr(AmlCompute, method))
    assert f"/locations/{{}}/{urlsplit(address).path.rpartition('/')[2]}'" in source
    assert "'api-version': MLC_WORKSPACE_API_VERSION" in source
    assert all(name in source and value in source for name, value in more)
    assert parse_qsl(urlsplit(address).query) == [("api-version", MLC_WORKSPACE_API_VERSION), *more]


def test_a_cluster_is_deleted_as_the_sdk_deletes_it():
    sdk.load()
    from azureml._compute._constants import MLC_WORKSPACE_API_VERSION
    from azureml.core.compute import AmlCompute, ComputeTarget

    assert "self._delete_or_detach('delete')" in inspect.getsource(AmlCompute.delete)
    assert "'underlyingResourceAction': underlying_resource_action" in inspect.getsource(
        ComputeTarget._delete_or_detach
    )
    asked = parse_qsl(urlsplit(paths.deletion(SCOPE, "gpu")).query)
    assert asked == [("api-version", MLC_WORKSPACE_API_VERSION), ("underlyingResourceAction", "delete")]


@pytest.mark.parametrize("name", [LOG, BUILD_LOG])
def test_the_logs_that_are_read_are_among_those_that_the_sdk_shows(name: str):
    sdk.load()
    from azureml.core import ScriptRun

    pattern = re.search(r'_output_logs_pattern = r"(.+)"', inspect.getsource(ScriptRun))
    assert pattern is not None
    assert re.match(pattern[1], name)


def test_no_route_is_left_out():
    made = {value for value in vars(paths).values() if inspect.isfunction(value) and value.__module__ == paths.__name__}
    routes = {value for value in made if inspect.signature(value).return_annotation == "Route"}
    assert routes == set(ROUTES) | BY_CONSTANTS | IN_PIECES


def test_clusters_are_where_the_constants_of_the_sdk_say():
    from azureml._compute import _constants as theirs

    for ours, template in (
        (paths.clusters(), theirs.RP_LIST_COMPUTES_FMT.format("sub", "group", "ws")),
        (paths.cluster("gpu"), theirs.RP_COMPUTE_RESOURCE_ID_FMT.format("sub", "group", "ws", "gpu")),
    ):
        path, _, query = f"/{ours.service}{SCOPE.path}{ours.path}".partition("?")
        assert path == template
        assert query == f"api-version={theirs.MLC_WORKSPACE_API_VERSION}"


def test_the_event_of_a_cancellation_is_the_one_of_the_sdk():
    from azureml._restclient.contracts.events import create_canceled_event

    from stoker.plugins.azureml.runs import cancel

    event = create_canceled_event("run 1")
    assert event.name == cancel._CANCELED
    assert set(event.data) == {"RunId", "EndTime"}
