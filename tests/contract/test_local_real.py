"""The local backend keeps its promises with jobs that train: the whole suite, each of its jobs a training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.job import TrainJob
from stoker.engine.testing.backend import payloads
from stoker.engine.testing.backend.case import Place

from .. import tiny
from .test_local import TestLocal as Local

PLUGIN = Path(__file__).with_name("beside_training.py")
FOR_EVER = 100_000


@pytest.mark.faults
class TestLocalTraining(Local):
    """Each job trains on the tiny data set, and a plugin runs the payload beside the training."""

    data: Path

    @pytest.fixture(autouse=True)
    def _data(self, tmp_path_factory: pytest.TempPathFactory) -> None:
        if "data" not in vars(type(self)):
            type(self).data = tiny.write(tmp_path_factory.mktemp("data"))

    def job(self, payload: str, **options: Any) -> TrainJob:
        return TrainJob(
            name=payload,
            dataset="",
            data_folder=str(type(self).data),
            epochs=FOR_EVER if payload == "wait" else 1,
            seed=len(str(options.get("payload_content", ""))),
            plugins=(str(PLUGIN),),
            options={payloads.OPTION: payload, **options, "first_layer_neurons": 8, "second_layer_neurons": 4},
        )

    def wrote(self) -> Mapping[str, bytes]:
        return {}

    def test_promise_8_the_same_content_of_another_run_is_the_same_version(self, place: Place) -> None:
        """Keras writes the time into a model's file, so that another training of one job has another content."""
        one, other = self.ended(place, "succeed"), self.submit(place, "succeed")
        self.wait(other.handle)
        versions = [self.make_backend().register(each.handle, "model", "trained-twice") for each in (one, other, one)]
        assert [version.version for version in versions] == [1, 2, 1]
        assert versions[0].digest != versions[1].digest


del Local  # else pytest would collect it here too
