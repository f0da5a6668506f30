"""The contract of a backend: every test of the nine promises of `engine.backend.Backend`."""

from __future__ import annotations

from .attaching import Attaching
from .cancelling import Cancelling
from .faults import Faults
from .fetching import Fetching
from .hostile import Hostile
from .life import Life
from .planning import Planning
from .reading import Reading
from .registering import Registering
from .secrecy import Secrecy
from .submitting import Submitting
from .unknown import Unknown


class BackendContract(
    Planning,
    Submitting,
    Attaching,
    Unknown,
    Life,
    Reading,
    Cancelling,
    Fetching,
    Hostile,
    Registering,
    Faults,
    Secrecy,
):
    """Shows that a backend keeps its promises: subclass it, say how the backend is made, and run pytest.

        class TestRay(BackendContract):
            def make_backend(self):
                return RayBackend()

    The names of the tests carry the number of the promise. The jobs train nothing: each names the plugin
    `stoker.engine.testing.trial`, which does a trial in the place of the training (`job` says which there are). What
    the backend can't do, it declares in `limits`, and the tests of that test that it says so. Nothing is skipped.

    Override, where that can be done: `lose`, `preempt`, `disturb`, `job`, `patience_s`.
    """
