"""The addresses of Azure ML's services. Each says where in the SDK it was read: azureml-core 1.61, by module."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import quote

from ..reference import Scope

ARM = "https://management.azure.com"
"""Azure Resource Manager of the public cloud, the only one that stoker supports."""

STUDIO = "https://ml.azure.com"
"""The studio, where the workspace's services name no other address; `azureml.core._portal`."""

_WORKSPACE_VERSION = "api-version=2022-05-01"
"""`get` in `azureml._base_sdk_common.workspace.operations.workspaces_operations`."""

_COMPUTE_VERSION = "api-version=2020-02-02"
"""`MLC_WORKSPACE_API_VERSION` in `azureml._compute._constants`, which the SDK sends for clusters, sizes and quotas."""

_HISTORY = "history/v1.0"
_ARTIFACTS = "artifact/v2.0"
_MODELS = "modelmanagement/v1.0"
_DATASETS = "dataset/v1.0"
_DATA = "data/v1.0"
_DATASTORES = "datastore/v1.0"
_ENVIRONMENTS = "environment/v1.0"
_COMPUTES = "rp/workspaces"


@dataclass(frozen=True, slots=True)
class Route:
    """Where a service keeps something of a workspace; `Service.address` adds the host and the workspace.

    Attributes:
        service: The service with its version: "history/v1.0".
        path: What follows the workspace, quoted.
        next_page: The query parameter that asks a listing for its next page.
    """

    service: str
    path: str
    next_page: str = "continuationToken"


def run(run_id: str) -> Route:
    """Locates a run by its id alone: `get_workspace_run` in `azureml._restclient.operations.run_operations`."""
    return Route(_HISTORY, f"/runs/{_quoted(run_id)}")


def run_in(experiment: str, run_id: str) -> Route:
    """Locates a run where it can be changed: `patch` in `azureml._restclient.operations.run_operations`."""
    return Route(_HISTORY, f"/experiments/{_quoted(experiment)}/runs/{_quoted(run_id)}")


def run_details(experiment: str, run_id: str) -> Route:
    """Locates a run's details: `get_details` in `azureml._restclient.operations.run_operations`."""
    return Route(_HISTORY, f"{run_in(experiment, run_id).path}/details")


def experiment(experiment_id: str) -> Route:
    """Locates an experiment: `get_by_id` in `azureml._restclient.operations.experiment_operations`."""
    return Route(_HISTORY, f"/experimentids/{_quoted(experiment_id)}")


def events(experiment: str, run_id: str) -> Route:
    """Locates a run's events: `post` in `azureml._restclient.operations.events_operations`."""
    return Route(_HISTORY, f"{run_in(experiment, run_id).path}/events")


def artifact(run_id: str, path: str) -> Route:
    """Locates a file of a run: `get_content_information` in `azureml._restclient.operations.artifact_operations`."""
    return Route(_ARTIFACTS, f"/artifacts/contentinfo/{_container(run_id)}/{quote(path)}")


def artifacts(run_id: str, prefix: str) -> Route:
    """Locates the files of a run: `list_sas_by_prefix` in `azureml._restclient.operations.artifact_operations`."""
    return Route(_ARTIFACTS, f"/artifacts/prefix/contentinfo/{_container(run_id)}/{quote(prefix)}")


def assets() -> Route:
    """Locates the assets that models are made of: `create` in `azureml._restclient.operations.assets_operations`."""
    return Route(_MODELS, "/assets")


def models() -> Route:
    """Locates the registered models: `register` in `azureml._restclient.operations.model_operations`."""
    return Route(_MODELS, "/models")


def models_named(name: str) -> Route:
    """Locates a model's versions: `list_query` in `azureml._restclient.operations.model_operations`."""
    return Route(_MODELS, f"/models?name={_quoted(name)}", next_page="$skipToken")


def data_sets() -> Route:
    """Locates the registered data sets: `list` in `azureml._restclient.operations.dataset_operations`."""
    return Route(_DATASETS, "/datasets")


def data_set(name: str, version: str = "") -> Route:
    """Locates a data set: `get_dataset_by_name` in `azureml._restclient.operations.dataset_operations`."""
    return Route(
        _DATASETS, f"/datasets/query/name={_quoted(name)}" + (f"?versionId={_quoted(version)}" if version else "")
    )


def data_asset(name: str, version: str) -> Route:
    """Locates a data asset of the SDK v2: `_FETCH_DATASET_URL` in `azureml.data._dataset_rest_helper`."""
    return Route(_DATA, f"/dataversion/{_quoted(name)}/versions/{_quoted(version)}")


def default_datastore() -> Route:
    """Locates the default datastore: `get_default` in `azureml._restclient.operations.data_stores_operations`."""
    return Route(_DATASTORES, "/default")


def environments() -> Route:
    """Locates the registered environments: `azureml._restclient.environment_client`."""
    return Route(_ENVIRONMENTS, "/environments", next_page="continuation")


def environment(name: str, version: str = "") -> Route:
    """Locates a registered environment, in a version or the newest: `azureml._restclient.environment_client`."""
    return Route(_ENVIRONMENTS, f"/environments/{_quoted(name)}" + (f"/versions/{_quoted(version)}" if version else ""))


def clusters() -> Route:
    """Locates the compute targets: `RP_LIST_COMPUTES_FMT` in `azureml._compute._constants`."""
    return Route(_COMPUTES, f"/computes?{_COMPUTE_VERSION}")


def cluster(name: str) -> Route:
    """Locates a compute target: `RP_COMPUTE_RESOURCE_ID_FMT` in `azureml._compute._constants`."""
    return Route(_COMPUTES, f"/computes/{_quoted(name)}?{_COMPUTE_VERSION}")


def workspace(scope: Scope) -> str:
    """Returns the address of a workspace: `azureml._base_sdk_common.workspace.operations.workspaces_operations`."""
    return f"{ARM}{quote(scope.path)}?{_WORKSPACE_VERSION}"


def deletion(scope: Scope, cluster_name: str) -> str:
    """Returns the address at which a cluster is deleted with its nodes.

    `_delete_or_detach` in `azureml.core.compute.compute`, as `AmlCompute.delete` calls it.
    """
    where = f"{ARM}{quote(scope.path)}/computes/{_quoted(cluster_name)}"
    return f"{where}?{_COMPUTE_VERSION}&underlyingResourceAction=delete"


def vm_sizes(scope: Scope, region: str) -> str:
    """Returns the address of a region's VM sizes: `AmlCompute.supported_vmsizes` in `azureml.core.compute.amlcompute`.

    `azureml._restclient.operations.virtual_machine_sizes_operations` has the same address in a newer version of the
    interface.
    """
    return f"{_location(scope, region)}/vmSizes?{_COMPUTE_VERSION}"


def usages(scope: Scope, region: str) -> str:
    """Returns the address of a region's quotas: `AmlCompute.list_usages` in `azureml.core.compute.amlcompute`.

    `azureml._restclient.operations.usages_operations` has the same address in a newer version of the interface.
    """
    return f"{_location(scope, region)}/usages?{_COMPUTE_VERSION}&expandChildren=False"


def run_page(studio: str, scope: Scope, run_id: str, tenant: str) -> str:
    """Returns the address of a run's page in the studio: `HasRunPortal` in `azureml.core._portal`.

    Args:
        studio: The studio's address; "" takes the public cloud's.
        scope: The run's workspace.
        run_id: The run.
        tenant: The id of the workspace's tenant; "" leaves it out.
    """
    group = f"/subscriptions/{scope.subscription}/resourcegroups/{scope.group}"
    where = f"wsid={group}/workspaces/{scope.workspace}" + (f"&tid={tenant}" if tenant else "")
    return f"{studio or STUDIO}/runs/{run_id}?{where}"


def _container(run_id: str) -> str:
    """Returns where a run's files are; the SDK reads the name of the container from the run (`data_container_id`)."""
    return f"ExperimentRun/{quote(f'dcid.{run_id}', safe='')}"


def _location(scope: Scope, region: str) -> str:
    provider = f"/subscriptions/{scope.subscription}/providers/Microsoft.MachineLearningServices"
    return f"{ARM}{provider}/locations/{_quoted(region)}"


def _quoted(name: str) -> str:
    return quote(name, safe="")
