"""What a contender has to do, and the clock that it is measured with."""

from __future__ import annotations

import struct
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

LEARNING_RATE, SEED = 0.001, 0


@dataclass(kw_only=True, slots=True)
class Task:
    """Training one network for some epochs, with the accuracy on all test images after each.

    Attributes:
        data: A folder with the four raw IDX files under MNIST's names.
        epochs: How many epochs to train.
        batch_size: Examples of one step.
        network: `dnn`, `wide` or `conv`; see `peers/networks.py`.
        laps_s: Wall seconds of each finished epoch, validation and all that lies between two epochs included.
        accuracy: On the test images, after the last epoch.
    """

    data: Path
    epochs: int
    batch_size: int = 50
    network: str = "dnn"
    laps_s: list[float] = field(default_factory=list)
    accuracy: float = 0.0
    _since: float = field(default_factory=time.perf_counter)

    def lap(self, accuracy: float) -> None:
        """Notes that an epoch is finished."""
        now = time.perf_counter()
        self.laps_s.append(now - self._since)
        self._since, self.accuracy = now, float(accuracy)

    def images(self, part: str) -> NDArray[np.uint8]:
        """Images uint8 [N, 28, 28] of the part `train` or `t10k`, memory-mapped."""
        import numpy as np

        path = self.data / f"{part}-images-idx3-ubyte"
        with path.open("rb") as stream:
            _, *shape = struct.unpack(">4I", stream.read(16))
        return np.memmap(path, np.uint8, "r", offset=16, shape=tuple(shape))

    def labels(self, part: str) -> NDArray[np.uint8]:
        """Labels uint8 [N] of the part `train` or `t10k`."""
        import numpy as np

        return np.fromfile(self.data / f"{part}-labels-idx1-ubyte", np.uint8, offset=8)

    def scaled(self, part: str) -> NDArray[np.float32]:
        """Images float32 [N, 784], 0 to 1."""
        import numpy as np

        images = self.images(part)
        return images.reshape(len(images), -1).astype(np.float32) / np.float32(255)

    def one_hot(self, part: str) -> NDArray[np.float32]:
        """Labels float32 [N, 10]."""
        import numpy as np

        return np.eye(10, dtype=np.float32)[self.labels(part)]

    def orders(self, seed: int = SEED) -> Any:
        """A generator of random numbers for the order of the examples."""
        import numpy as np

        return np.random.default_rng(seed)
