"""The nodes of one cluster: they start when they are needed, and leave when they have been idle."""

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
    """A node.

    Attributes:
        state: What it is doing.
        since: Since when, in seconds of a monotonic clock.
    """

    state: NodeState
    since: float

    def become(self, state: NodeState, now: float) -> None:
        """Changes the state.

        Args:
            state: What the node does from now on.
            now: The time, in seconds.
        """
        self.state, self.since = state, now


@dataclass(frozen=True, kw_only=True, slots=True)
class Scale:
    """The limits of a cluster.

    Attributes:
        min_nodes: How many nodes stay when they are idle.
        max_nodes: How many nodes there may be, within the quota.
        idle_s: How long a node above `min_nodes` stays idle, in seconds.
        up_s: How long a node takes to start, in seconds.
        down_s: How long a node takes to leave, in seconds.
    """

    min_nodes: int
    max_nodes: int
    idle_s: float
    up_s: float
    down_s: float


class Nodes:
    """The nodes of one cluster; the caller says what time it is, in seconds."""

    def __init__(self) -> None:
        self._nodes: list[Node] = []
        self._preempted = 0

    def advance(self, scale: Scale, now: float) -> None:
        """Brings the nodes up to date: some are ready, some leave, some start because of `min_nodes`.

        Args:
            scale: The limits of the cluster.
            now: The time, in seconds.
        """
        for node in tuple(self._nodes):
            if node.state is NodeState.PREPARING and now >= node.since + scale.up_s:
                node.become(NodeState.IDLE, now)
            if node.state is NodeState.LEAVING and now >= node.since + scale.down_s:
                self._nodes.remove(node)
        self._shrink(scale, now)
        self._grow(scale.min_nodes, scale, now)

    def take(self, count: int, scale: Scale, now: float) -> list[Node] | None:
        """Takes idle nodes; if there are too few, starts more as far as the limits allow.

        Args:
            count: How many nodes.
            scale: The limits of the cluster.
            now: The time, in seconds.

        Returns:
            The nodes; None if there are too few.
        """
        idle = [node for node in self._nodes if node.state is NodeState.IDLE]
        if len(idle) < count:
            busy = sum(node.state is NodeState.RUNNING for node in self._nodes)
            self._grow(busy + count, scale, now)
            return None
        for node in idle[:count]:
            node.become(NodeState.RUNNING, now)
        return idle[:count]

    def release(self, nodes: list[Node], now: float, *, preempted: bool) -> None:
        """Makes nodes idle again, or removes them because Azure took them away.

        Args:
            nodes: The nodes.
            now: The time, in seconds.
            preempted: Whether they were taken away.
        """
        for node in nodes:
            if preempted and node in self._nodes:
                self._nodes.remove(node)
                self._preempted += 1
            node.become(NodeState.IDLE, now)

    def counts(self) -> dict[str, int]:
        """Returns how many nodes do what, in the words of the service."""
        counted = Counter(node.state for node in self._nodes)
        states = {f"{state.value}NodeCount": counted[state] for state in NodeState}
        return {**states, "unusableNodeCount": 0, "preemptedNodeCount": self._preempted}

    @property
    def current(self) -> int:
        """The number of nodes, without those that are starting."""
        return sum(node.state is not NodeState.PREPARING for node in self._nodes)

    @property
    def target(self) -> int:
        """The number of nodes when all starts and departures are done."""
        return sum(node.state is not NodeState.LEAVING for node in self._nodes)

    def _grow(self, wanted: int, scale: Scale, now: float) -> None:
        missing = min(wanted, scale.max_nodes) - self.target
        self._nodes.extend(Node(state=NodeState.PREPARING, since=now) for _ in range(missing))

    def _shrink(self, scale: Scale, now: float) -> None:
        spare = max(0, self.target - scale.min_nodes)
        expired = [one for one in self._nodes if one.state is NodeState.IDLE and now >= one.since + scale.idle_s]
        for node in expired[:spare]:
            node.become(NodeState.LEAVING, now)


_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?")


def seconds(duration: str) -> float:
    """Returns the seconds of a duration in ISO 8601, such as `PT2M`.

    Raises:
        ValueError: The text is no duration.
    """
    found = _DURATION.fullmatch(duration)
    if not found:
        raise ValueError(duration)
    days, hours, minutes, rest = (float(part or 0) for part in found.groups())
    return ((days * 24 + hours) * 60 + minutes) * 60 + rest
