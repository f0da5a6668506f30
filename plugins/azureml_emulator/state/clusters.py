"""The clusters of the workspace: what was asked for, what the quota allows, and the nodes."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from ..network.message import Refusal, not_found, now
from .catalogue import LOW_PRIORITY, SIZES, Size
from .nodes import Node, Nodes, Scale, seconds
from .settings import Settings
from .store import Record, Store

_KIND = "computes"
_POLL_S = 0.02


class Clusters:
    """Creates clusters, and gives nodes to runs.

    Args:
        store: Keeps the clusters, without their nodes.
        settings: The quotas and durations.
        clock: Returns monotonic time, in seconds.
    """

    def __init__(self, store: Store, settings: Settings, clock: Callable[[], float] = time.monotonic) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._lock = threading.RLock()
        self._nodes: dict[str, Nodes] = {}
        self._ready_at: dict[str, float] = {}

    def names(self) -> list[str]:
        """Returns the names of all clusters, sorted."""
        return self._store.keys(_KIND)

    def create(self, name: str, asked: Record) -> Record:
        """Makes a cluster, or changes the scale and the tags of an existing one.

        Args:
            name: Its name.
            asked: The body of the request.

        Raises:
            Refusal: The size is unknown or retired, or differs from that of the cluster.
        """
        size = _size(asked)
        with self._lock:
            known = self._store.get(_KIND, name)
            if known and _size(known) != size:
                raise Refusal(400, "PropertyChangeNotAllowed", "the vmSize of a compute can't be changed")
            record = {**asked, "createdOn": known["createdOn"] if known else now(), "modifiedOn": now()}
            record["failure"] = self._creation_error(record)
            self._ready_at.setdefault(name, self._clock() + self._settings.create_s)
            return self._store.put(_KIND, name, record)

    def rescale(self, name: str, scale: Record) -> None:
        """Changes only the scale.

        Args:
            name: The cluster.
            scale: The scale settings of the request.

        Raises:
            Refusal: There is no such cluster.
        """
        self.record(name)
        with self._store.change(_KIND, name) as record:
            record["properties"]["properties"]["scaleSettings"] = scale
            record["modifiedOn"] = now()

    def delete(self, name: str) -> None:
        """Removes a cluster.

        Raises:
            Refusal: There is no such cluster, or runs are active on it.
        """
        with self._lock:
            if self.nodes(name).counts()["runningNodeCount"]:
                raise Refusal(409, "ComputeInUse", f"runs are active on the compute '{name}'")
            self._store.delete(_KIND, name)
            self._nodes.pop(name, None)
            self._ready_at.pop(name, None)

    def record(self, name: str) -> Record:
        """Returns what was asked for.

        Raises:
            Refusal: There is no such cluster.
        """
        record = self._store.get(_KIND, name)
        if record is None:
            raise not_found(f"the compute '{name}'")
        return record

    def state(self, name: str) -> str:
        """Returns how the creation of a cluster is going: "Creating", "Succeeded" or "Failed".

        Raises:
            Refusal: There is no such cluster.
        """
        record = self.record(name)
        if self._clock() < self._ready_at.get(name, 0.0):
            return "Creating"
        return "Failed" if record["failure"] else "Succeeded"

    def nodes(self, name: str) -> Nodes:
        """Returns the nodes as they are now.

        Raises:
            Refusal: There is no such cluster.
        """
        record = self.record(name)
        with self._lock:
            nodes = self._nodes.setdefault(name, Nodes())
            if self.state(name) == "Succeeded":
                nodes.advance(self._scale(record), self._clock())
            return nodes

    def acquire(self, name: str, count: int, wanted: Callable[[], bool]) -> list[Node]:
        """Waits for nodes and takes them; a run whose cluster is gone waits on.

        Args:
            name: The cluster.
            count: How many nodes.
            wanted: Whether to keep waiting.

        Returns:
            The nodes; none if they are no longer wanted.
        """
        while wanted():
            with self._lock:
                ready = name in self.names() and self.state(name) == "Succeeded"
                scale = self._scale(self.record(name)) if ready else None
                taken = self.nodes(name).take(count, scale, self._clock()) if scale else None
            if taken is not None:
                return taken
            time.sleep(_POLL_S)
        return []

    def release(self, name: str, nodes: list[Node], *, preempted: bool = False) -> None:
        """Gives nodes back.

        Args:
            name: The cluster.
            nodes: The nodes.
            preempted: Whether they are gone.
        """
        with self._lock:
            if name in self._nodes:
                self._nodes[name].release(nodes, self._clock(), preempted=preempted)

    def cores_in_use(self, family: str) -> int:
        """Returns how many cores of the quota of a family are in use."""
        records = {name: self.record(name) for name in self.names()}
        return sum(
            self.nodes(name).target * _size(record).cores
            for name, record in records.items()
            if _family(record) == family
        )

    def quota_error(self, name: str) -> Record | None:
        """Returns why the quota keeps a cluster from its largest size; None if it does not.

        Raises:
            Refusal: There is no such cluster.
        """
        record = self.record(name)
        max_nodes = int(record["properties"]["properties"]["scaleSettings"]["maxNodeCount"])
        return None if self._allowed(record) >= max_nodes else self._quota_error(record)

    def _scale(self, record: Record) -> Scale:
        asked = record["properties"]["properties"]["scaleSettings"]
        return Scale(
            min_nodes=int(asked["minNodeCount"]),
            max_nodes=min(int(asked["maxNodeCount"]), self._allowed(record)),
            idle_s=seconds(asked["nodeIdleTimeBeforeScaleDown"]),
            up_s=self._settings.scale_up_s,
            down_s=self._settings.scale_down_s,
        )

    def _allowed(self, record: Record) -> int:
        return self._settings.quotas.get(_family(record), 0) // _size(record).cores

    def _creation_error(self, record: Record) -> Record | None:
        min_nodes = int(record["properties"]["properties"]["scaleSettings"]["minNodeCount"])
        return None if self._allowed(record) >= max(1, min_nodes) else self._quota_error(record)

    def _quota_error(self, record: Record) -> Record:
        family, cores = _family(record), self._settings.quotas.get(_family(record), 0)
        message = f"the quota of {family} is {cores} cores; a node of {_size(record).name} takes {_size(record).cores}"
        return {"error": {"code": "ClusterCoreQuotaReached", "message": message}}


def _size(record: Record) -> Size:
    name = str(record["properties"]["properties"]["vmSize"])
    if name.lower() not in SIZES:
        message = f"the specified vmSize '{name}' is retired or not offered in this region"
        raise Refusal(400, "InvalidPropertyValue", message)
    return SIZES[name.lower()]


def _family(record: Record) -> str:
    priority = str(record["properties"]["properties"].get("vmPriority") or "dedicated").lower()
    return LOW_PRIORITY if priority == "lowpriority" else _size(record).family
