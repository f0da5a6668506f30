"""Work beside the training: one piece at a time, in a thread, with a limit on how long anybody waits for it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class BackgroundWorker:
    """Does pieces of work in a thread that ends with the process, even if it still waits for something.

    Attributes:
        failure: What the last piece of work that has ended raised; None if it succeeded.
    """

    def __init__(self) -> None:
        self.failure: BaseException | None = None
        self._thread: threading.Thread | None = None

    def start(self, work: Callable[[], object]) -> None:
        """Starts a piece of work and returns at once; drops it if the one before is not done."""
        if self._thread and self._thread.is_alive():
            return
        self._thread = threading.Thread(target=self._do, args=(work,), name="stoker-worker", daemon=True)
        self._thread.start()

    def finish(self, work: Callable[[], object], timeout_s: float) -> None:
        """Does a piece of work after the one before it, and waits for both.

        Raises:
            TimeoutError: They have not ended in time; the thread continues by itself.
            BaseException: What the work raised.
        """
        deadline = time.monotonic() + timeout_s
        self._wait(deadline, timeout_s)
        self.start(work)
        self._wait(deadline, timeout_s)
        if self.failure:
            raise self.failure

    def _wait(self, deadline: float, timeout_s: float) -> None:
        if not self._thread:
            return
        self._thread.join(max(0.0, deadline - time.monotonic()))
        if self._thread.is_alive():
            raise TimeoutError(f"not done after {timeout_s:g} s")

    def _do(self, work: Callable[[], object]) -> None:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - kept in `failure` for the caller; the training continues
            self.failure = error
        else:
            self.failure = None
