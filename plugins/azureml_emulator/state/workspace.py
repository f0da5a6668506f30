"""The state of the workspace: everything that services and jobs read and change."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from pathlib import Path

from .clusters import Clusters
from .runs import Runs
from .settings import Settings
from .storage import Storage
from .store import Store
from .tokens import Tokens


@dataclass(frozen=True, kw_only=True, slots=True)
class Workspace:
    """The parts of the workspace's state.

    Attributes:
        settings: What the subscription looks like.
        workspace_id: The workspace's id.
        store: The records.
        tokens: Issues and checks tokens.
        storage: The blobs.
        runs: The experiments and their runs.
        clusters: The clusters and their nodes.
    """

    settings: Settings
    workspace_id: str
    store: Store
    tokens: Tokens
    storage: Storage
    runs: Runs
    clusters: Clusters

    @classmethod
    def open(cls, folder: Path, settings: Settings) -> Workspace:
        """Opens the workspace that is kept in a folder, or makes a new one there.

        Args:
            folder: Where records and blobs are kept.
            settings: What the subscription looks like.
        """
        store = Store(folder / "records")
        key = _key(store)
        tokens = Tokens(key, settings.tenant_id)
        return cls(
            settings=settings,
            # Different for each folder, because clients cache by it what must not be mixed up.
            workspace_id=str(uuid.uuid5(uuid.NAMESPACE_URL, settings.scope + key)),
            store=store,
            tokens=tokens,
            storage=Storage(folder / "blobs", store, tokens, settings.blob),
            runs=Runs(store, settings),
            clusters=Clusters(store, settings),
        )


def _key(store: Store) -> str:
    kept = store.get("keys", "tokens") or store.put("keys", "tokens", {"key": Tokens.new_key()})
    return str(kept["key"])
