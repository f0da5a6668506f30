"""Datastores: where the workspace keeps data. There is one."""

from __future__ import annotations

from ..network.message import Request, Response, not_found, reply
from ..network.routes import Routes
from ..service import Service
from ..state.settings import CONTAINER
from ..state.store import Record

routes = Routes(r"[\w-]+\.api\.azureml\.ms", "/datastore/v1.0{ws}")
DEFAULT = "workspaceblobstore"


@routes("GET", "/default")
def default(service: Service, request: Request) -> Response:
    """Describes the default datastore."""
    return reply(_dto(service))


@routes("PUT", "/default/{name}")
@routes("GET", "/datastores/{name}")
def get(service: Service, request: Request) -> Response:
    """Describes a datastore by its name.

    Raises:
        Refusal: The name is not that of the one datastore.
    """
    if request.parts["name"] != DEFAULT:
        raise not_found(f"the datastore '{request.parts['name']}'")
    return reply(_dto(service))


@routes("GET", "/datastores")
def list_all(service: Service, request: Request) -> Response:
    """Describes all datastores."""
    return reply({"value": [_dto(service)], "continuationToken": None})


def _dto(service: Service) -> Record:
    settings = service.settings
    key = None if settings.identities or settings.odd else service.tokens.account_key
    return {
        "name": DEFAULT,
        "dataStoreType": "AzureBlob",
        "isDefault": True,
        "hasBeenValidated": True,
        "tags": {},
        "azureStorageSection": {
            "accountName": settings.account,
            "containerName": CONTAINER,
            "endpoint": "core.windows.net",
            "protocol": "https",
            "credentialType": "AccountKey" if key else "None",
            "credential": key,
            "accountKey": key,
            "sasToken": None,
            "isSas": False,
            "subscriptionId": settings.subscription_id,
            "resourceGroup": settings.resource_group,
        },
    }
