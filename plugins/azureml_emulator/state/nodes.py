"""The nodes of one cluster: they come when they are needed, and go when they have been idle."""

from __future__ import annotations

import enum
import re
from collections import Counter
from dataclasses import dataclass


class NodeState(enum.StrEnum):
    """What a node is doing, in the words of the service."""

    PREPARING = "preparing"
    IDLE = "idle"
    RUNNING = "running"
    LEAVING = "leaving"


@dataclass(kw_only=True, slots=True, eq=False)
class Node:
    """One node.

    Attributes:
        state: What it is doing.
        since: Since when, in seconds of a clock that only goes forward.
    """

    state: NodeState
    since: float

    def become(self, state: NodeState, now: float) -> None:
        """Does something else from now on."""
        self.state, self.since = state, now


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """The limits of a cluster.

    Attributes:
        least: Nodes that stay.
        most: Nodes that there may be; the quota is counted in.
        idle_s: How long a node above `least` stays idle, in seconds.
        up_s: How long a node takes to start.
        down_s: How long a node takes to leave.
    """

    least: int
    most: int
    idle_s: float
    up_s: float
    down_s: float


class Nodes:
    """The nodes of one cluster, as they are at a moment that the caller names."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._preempted = 0

    def advance(self, scale: Scale, now: float) -> None:
        """Does what has become due: nodes are ready, go away, or start because of `least`."""
        for node in tuple(self._nodes):
            if node.state is NodeState.PREPARING and now >= node.since + scale.up_s:
                node.become(NodeState.IDLE, now)
            if node.state is NodeState.LEAVING and now >= node.since + scale.down_s:
                self._nodes.remove(node)
        self._shrink(scale, now)
        self._grow(scale.least, scale, now)

    def take(self, count: int, scale: Scale, now: float) -> list[Node] | None:
        """Takes so many idle nodes; None, and more are on their way if the limits allow, when there are too few."""
        idle = [node for node in self._nodes if node.state is NodeState.IDLE]
        if len(idle) < count:
            busy = sum(node.state is NodeState.RUNNING for node in self._nodes)
            self._grow(busy + count, scale, now)
            return None
        for node in idle[:count]:
            node.become(NodeState.RUNNING, now)
        return idle[:count]

    def give_back(self, nodes: list[Node], now: float, *, preempted: bool) -> None:
        """Nodes are free again, or gone because somebody pays more for them."""
        for node in nodes:
            if preempted and node in self._nodes:
                self._nodes.remove(node)
                self._preempted += 1
            node.become(NodeState.IDLE, now)

    def counts(self) -> dict[str, int]:
        """How many nodes do what, with the words of the service."""
        counted = Counter(node.state for node in self._nodes)
        states = {f"{state.value}NodeCount": counted[state] for state in NodeState}
        return {**states, "unusableNodeCount": 0, "preemptedNodeCount": self._preempted}

    @property
    def current(self) -> int:
        """How many nodes there are."""
        return sum(node.state is not NodeState.PREPARING for node in self._nodes)

    @property
    def target(self) -> int:
        """How many nodes there will be when all that has begun has ended."""
        return sum(node.state is not NodeState.LEAVING for node in self._nodes)

    def _grow(self, wanted: int, scale: Scale, now: float) -> None:
        missing = min(wanted, scale.most) - self.target
        self._nodes.extend(Node(state=NodeState.PREPARING, since=now) for _ in range(missing))

    def _shrink(self, scale: Scale, now: float) -> None:
        spare = max(0, self.target - scale.least)
        tired = [one for one in self._nodes if one.state is NodeState.IDLE and now >= one.since + scale.idle_s]
        for node in tired[:spare]:
            node.become(NodeState.LEAVING, now)


_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?")


def seconds(duration: str) -> float:
    """Seconds of a duration like `PT2M`, as ISO 8601 writes it.

    Raises:
        ValueError: It is none.
    """
    found = _DURATION.fullmatch(duration)
    if not found:
        raise ValueError(duration)
    days, hours, minutes, rest = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest
