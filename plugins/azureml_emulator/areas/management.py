"""Azure Resource Manager: the subscription, the workspace, the sizes and the quotas. Clusters are in `compute`."""

from __future__ import annotations

from ..network.message import Request, Response, reply
from ..network.routes import Routes
from ..service import Service
from ..state.catalogue import SIZES
from ..state.settings import ARM, STUDIO

routes = Routes(ARM)
_LOCATION = "/subscriptions/{subscription}/providers/Microsoft.MachineLearningServices/locations/{location}"


@routes("GET", "/subscriptions")
def subscriptions(service: Service, request: Request) -> Response:
    """Describes the one subscription."""
    one = {
        "id": f"/subscriptions/{service.settings.subscription_id}",
        "subscriptionId": service.settings.subscription_id,
        "tenantId": service.settings.tenant_id,
        "displayName": "Emulated",
        "state": "Enabled",
    }
    return reply({"value": [one]})


@routes("GET", "{ws}")
def workspace(service: Service, request: Request) -> Response:
    """Describes the one workspace."""
    settings = service.settings
    group = settings.scope.partition("/providers/")[0]
    return reply(
        {
            "id": settings.scope,
            "name": settings.workspace_name,
            "type": "Microsoft.MachineLearningServices/workspaces",
            "location": settings.location,
            "tags": {},
            "sku": {"name": "Basic", "tier": "Basic"},
            "identity": {"type": "SystemAssigned", "tenantId": settings.tenant_id},
            "properties": {
                "workspaceId": service.workspace_id,
                "tenantId": settings.tenant_id,
                "friendlyName": settings.workspace_name,
                "description": "",
                "provisioningState": "Succeeded",
                "discoveryUrl": f"https://{settings.api}/discovery",
                "storageAccount": f"{group}/providers/Microsoft.Storage/storageAccounts/{settings.account}",
                "studioEndpoint": f"https://{STUDIO}",
            },
        }
    )


@routes("GET", _LOCATION + "/vmSizes")
def sizes(service: Service, request: Request) -> Response:
    """Lists the VM sizes of the region, without `nextLink`: the SDK would follow it even if it were null."""
    return reply({"amlCompute": [size.dto for size in SIZES.values()]})


@routes("GET", _LOCATION + "/usages")
def usages(service: Service, request: Request) -> Response:
    """Lists how much of each quota is in use."""
    return reply(
        {
            "value": [
                {**_quota(service, family), "limit": cores, "currentValue": service.clusters.cores_in_use(family)}
                for family, cores in service.settings.quotas.items()
            ]
        }
    )


@routes("GET", _LOCATION + "/quotas")
def quotas(service: Service, request: Request) -> Response:
    """Lists the quotas."""
    return reply(
        {"value": [{**_quota(service, family), "limit": cores} for family, cores in service.settings.quotas.items()]}
    )


def _quota(service: Service, family: str) -> dict[str, object]:
    settings = service.settings
    provider = f"/subscriptions/{settings.subscription_id}/providers/Microsoft.MachineLearningServices"
    return {
        "id": f"{provider}/locations/{settings.location}/quotas/{family}",
        "type": "Microsoft.MachineLearningServices/locations/quotas",
        "unit": "Count",
        "name": {"value": family, "localizedValue": family},
    }
