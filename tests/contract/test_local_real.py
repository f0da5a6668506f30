"""The local backend keeps its promises with jobs that train: the whole suite, each of its jobs a training."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from stoker.engine.job import TrainJob
from stoker.engine.testing.backend import payloads

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


del Local  # else pytest would collect it here too
