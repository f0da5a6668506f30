"""The service areas: one module each, with its routes."""

from __future__ import annotations

from ..network.routes import Routes
from . import (
    artifacts,
    blobs,
    compute,
    datasets,
    datastores,
    directory,
    discovery,
    environments,
    execution,
    history,
    management,
    metrics,
    models,
    runs,
    snapshots,
)

AREAS: tuple[Routes, ...] = (
    directory.routes,
    management.routes,
    discovery.routes,
    compute.management_routes,
    compute.routes,
    datasets.routes,
    datastores.routes,
    environments.routes,
    snapshots.routes,
    execution.routes,
    history.routes,
    runs.routes,
    artifacts.routes,
    metrics.routes,
    models.routes,
    blobs.routes,
    blobs.open_data,
)
"""The routes of all areas; of several that fit a request, the first answers."""
