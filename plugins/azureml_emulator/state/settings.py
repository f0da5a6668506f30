"""What the emulated subscription looks like, and how long things take in it."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from .catalogue import QUOTAS

LOGIN = "login.microsoftonline.com"
ARM = "management.azure.com"
STUDIO = "ml.azure.com"
OPEN_DATA = "azureopendatastorage.blob.core.windows.net"
CONTAINER = "azureml-blobstore"
"""The container of the default datastore."""
ARTIFACTS = "azureml"
"""The container of the files of runs."""
SNAPSHOTS = "snapshots"
"""The container of the files that clients submit."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Settings:
    """The settings of the emulator; the defaults suit tests.

    Attributes:
        subscription_id: The one subscription.
        resource_group: Its one resource group.
        workspace_name: Its one workspace.
        location: The region.
        tenant_id: The directory that clients sign in at.
        client_id: The service principal.
        client_secret: The secret of the service principal; any other is refused.
        account: The storage account.
        interpreter: The Python that jobs run with, in place of the environment that Azure would build.
        quotas: The cores of each VM family.
        create_s: How long it takes to make a cluster, in seconds. Clients ask every five seconds.
        scale_up_s: How long a node takes to start, in seconds.
        scale_down_s: How long a node takes to leave, in seconds.
        prepare_s: How long it takes to build the image of a new environment, in seconds.
        requeue_s: How long a preempted run waits before it may get a node again, in seconds.
        finalize_s: How long a run finalizes at least, in seconds.
        grace_s: How long a canceled job has between SIGTERM and SIGKILL, in seconds.
        snapshot_bytes: How large a snapshot may be, in bytes.
        snapshot_files: How many files a snapshot may hold.
        identities: Whether the datastore has no key, so that clients must send a token.
        odd: Whether the services answer as oddly as their protocols allow: busy at first, with a `Retry-After`; for
            each thing once with a token or a signature that has ended; half of the range that was asked for; two
            entries a page, and models oldest first; nothing that is null or empty; every other run without a
            `cancelUri`, and the others with one at another host; a datastore without a key.
    """

    subscription_id: str = "11111111-2222-4333-8444-555555555555"
    resource_group: str = "emulated"
    workspace_name: str = "emulator"
    location: str = "eastus"
    tenant_id: str = "99999999-8888-4777-8666-555555555555"
    client_id: str = "77777777-6666-4555-8444-333333333333"
    client_secret: str = "emulated-secret"
    account: str = "emulatedstorage"
    interpreter: Path = Path(sys.executable)
    quotas: Mapping[str, int] = field(default_factory=lambda: QUOTAS)
    create_s: float = 0.0
    scale_up_s: float = 0.3
    scale_down_s: float = 0.2
    prepare_s: float = 0.2
    requeue_s: float = 0.3
    finalize_s: float = 0.0
    grace_s: float = 10.0
    snapshot_bytes: int = 300 * 1024 * 1024
    snapshot_files: int = 2000
    identities: bool = False
    odd: bool = False

    @property
    def api(self) -> str:
        """The host of the data plane."""
        return f"{self.location}.api.azureml.ms"

    @property
    def private_api(self) -> str:
        """The host of the data plane through a private link."""
        return f"{self.workspace_name}.workspace.{self.api}"

    @property
    def blob(self) -> str:
        """The host of the storage account."""
        return f"{self.account}.blob.core.windows.net"

    @property
    def hosts(self) -> frozenset[str]:
        """The hosts that the emulator answers for; it refuses all others."""
        return frozenset({LOGIN, ARM, self.api, self.private_api, self.blob, OPEN_DATA})

    @property
    def scope(self) -> str:
        """The full name of the workspace, as in paths."""
        group = f"/subscriptions/{self.subscription_id}/resourceGroups/{self.resource_group}"
        return f"{group}/providers/Microsoft.MachineLearningServices/workspaces/{self.workspace_name}"

    @property
    def config(self) -> dict[str, str]:
        """The content of `config.json`."""
        return {
            "subscription_id": self.subscription_id,
            "resource_group": self.resource_group,
            "workspace_name": self.workspace_name,
        }
