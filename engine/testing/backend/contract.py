"""The contract of a backend: every test of the nine promises of `engine.backend.Backend`."""

from __future__ import annotations

from .planning import Planning
from .promise_1_submit import Submitting
from .promise_2_attach import Attaching
from .promise_3_lost import Unknown
from .promise_4_states import Life
from .promise_5_logs import Reading
from .promise_6_cancel import Cancelling
from .promise_7_fetch import Fetching
from .promise_7_hostile import Hostile
from .promise_8_register import Registering
from .promise_9_faults import Faults
from .secrecy import Secrecy


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
    """Tests that a backend keeps its promises: subclass it, make the backend, and run pytest.

        class TestRay(BackendContract):
            def make_backend(self):
                return RayBackend()

    The names of the tests carry the number of the promise. The jobs train nothing: each names the plugin
    `stoker.engine.testing.backend.payload_plugin`, which runs a payload in place of the training (`job` lists
    them). The backend declares in `limits` what it can't do, and those tests then check that it says so. Nothing is
    skipped.

    Override, where that is possible: `lose`, `preempt`, `disturb`, `job`, `patience_s`.
    """
