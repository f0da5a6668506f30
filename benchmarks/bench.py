"""Where the benchmarks work, and how they start a contender."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from . import peer
from .contest import ContenderError
from .corpus import Corpus
from .process import run

_HERE = Path(__file__).resolve().parent


@dataclass(frozen=True, kw_only=True, slots=True)
class Laps:
    """What one contender did in one process.

    Attributes:
        laps_s: Seconds of each epoch; the first has compiling in it.
        accuracy: On the test images, after the last.
    """

    laps_s: Sequence[float]
    accuracy: float

    @property
    def warm_s(self) -> list[float]:
        """Seconds of the epochs after the first."""
        return list(self.laps_s[1:])


@dataclass(frozen=True, kw_only=True, slots=True)
class Bench:
    """A place to work in.

    Attributes:
        work: An empty folder, for data, runs and models.
        peers: The interpreter for contenders that need more than TensorFlow and Keras.
        full: Whether to take the time for what takes long.
    """

    work: Path
    peers: str
    full: bool = False
    corpus: Corpus = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "corpus", Corpus(self.work / "data"))

    def versions(self, name: str) -> dict[str, str]:
        """The versions of the packages that a contender needs; "" for what is not installed."""
        found: dict[str, str] = self._peer(name, "--needs")
        return found

    def train(
        self, name: str, data: Path, *, epochs: int, batch_sizes: Sequence[int] = (50,), network: str = "dnn"
    ) -> list[Laps]:
        """Lets a contender train in a process of its own, once with each batch size.

        Raises:
            ContenderError: It failed.
        """
        words = ["--data", str(data), "--epochs", str(epochs), "--network", network]
        found = self._peer(name, *words, "--batch-sizes", *map(str, batch_sizes))
        return [Laps(**laps) for laps in found]

    def _peer(self, name: str, *words: str) -> Any:
        same_packages = set(peer.load(name).NEEDS) <= {"tensorflow", "keras"}
        finished = run([sys.executable if same_packages else self.peers, _HERE, "peer", name, *words], cwd=self.work)
        try:
            return json.loads(finished.output.splitlines()[-1])
        except (IndexError, ValueError) as error:
            raise ContenderError("it printed no measurements") from error
