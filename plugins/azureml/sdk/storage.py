"""The storage behind a datastore: with its key, or with the account's own token where the datastore has no key."""

from __future__ import annotations

from typing import Any

_RESOURCE = "https://storage.azure.com/"
"""`STORAGE_RESOURCE_URI` in `azureml.data.constants`."""


def container(store: Any, auth: Any) -> Any:
    """Returns the client of a blob datastore's container.

    The SDK's own client of a datastore that is based on identities signs nothing, so the storage would refuse it;
    `Dataset.File.upload_directory` of the SDK sends the account's token, and so does this client.

    Args:
        store: The SDK's datastore.
        auth: The SDK's authentication object.
    """
    service = store.blob_service
    if not store.account_key and not store.sas_token:
        service = type(service)(account_url=service.url, credential=_credential(auth))
    return service.get_container_client(store.container_name)


def _credential(auth: Any) -> Any:
    """Returns what gives the storage's client a token; a service principal of the SDK has such an object itself."""
    own = getattr(auth, "_get_sp_credential_object", None)
    return own() if own else _Credential(auth)


class _Credential:
    """Asks an authentication object of the SDK for tokens, in the form in which azure-core does."""

    def __init__(self, auth: Any) -> None:
        self._auth = auth

    def get_token(self, *_: str, **__: Any) -> Any:
        """Returns a token for the storage, with the time at which it ends."""
        from azure.core.credentials import AccessToken
        from azureml.core.authentication import _get_exp_time

        token = self._auth._get_resource_token(_RESOURCE)  # the SDK offers other resources than its own only here
        return AccessToken(token, int(_get_exp_time(token)))
