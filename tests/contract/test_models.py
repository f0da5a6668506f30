"""The model that comes with stoker, and the example's model, keep the contract; broken ones fail it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from stoker.engine.model import ModelBuilder
from stoker.engine.plugin.discovery import import_file
from stoker.engine.testing import ModelContract
from stoker.models import dnn

from .outcomes import Outcomes, outcomes

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


class TestDnn(ModelContract):
    def make_builder(self) -> ModelBuilder:
        return dnn.build


class TestDnnOnFloats(ModelContract):
    input_shape = (5,)
    input_dtype = "float32"
    classes = 2
    options = {"first_layer_neurons": 8, "second_layer_neurons": 4}  # noqa: RUF012

    def make_builder(self) -> ModelBuilder:
        return dnn.build


class TestOwnModel(ModelContract):
    def make_builder(self) -> ModelBuilder:
        example: Any = import_file(EXAMPLES / "own_model.py")
        builder: ModelBuilder = example.build
        return builder


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcomes]:
    """Returns how the contract ends on the broken models."""
    return outcomes(tmp_path_factory.mktemp("broken"), "broken_models.py")


@pytest.mark.parametrize(
    ("case", "failed"),
    [
        ("TestReturnsNothing", "test_it_builds_a_keras_model"),
        ("TestNotCompiled", "test_the_model_is_compiled"),
        ("TestTooFewOutputs", "test_it_has_as_many_outputs_as_the_data_have_classes"),
        ("TestWantsOneHot", "test_its_loss_takes_integer_labels"),
        ("TestFixedBatch", "test_it_takes_a_batch_of_any_size"),
        ("TestNothingToTrain", "test_a_step_of_training_changes_its_weights"),
        ("TestCanNotBeSaved", "test_it_can_be_described_in_values"),
        ("TestKnowsItsOptions", "test_options_of_other_plugins_do_not_disturb_it"),
        ("TestOneModelForAll", "test_two_models_share_no_weights"),
    ],
)
def test_a_broken_model_fails_the_test_of_what_is_broken(ended: dict[str, Outcomes], case: str, failed: str) -> None:
    assert failed in {name.partition("[")[0] for name in ended[case].failed}
