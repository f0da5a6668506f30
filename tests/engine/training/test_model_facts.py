"""What a run records of its model is what the model says, whatever the options were."""

from __future__ import annotations

import json
from typing import Any

import pytest

from stoker.engine.model import ModelConfig
from stoker.engine.training.model_facts import count_not_finite_weights, count_parameters
from stoker.engine.training.model_facts import model_facts as facts_of
from stoker.engine.training.prepare import WatchedConfig


@pytest.fixture
def model(keras: Any) -> Any:
    model = keras.Sequential(
        [keras.Input((3,)), keras.layers.Dense(2), keras.layers.BatchNormalization()], name="small"
    )
    model.compile(keras.optimizers.Adam(0.001, clipnorm=1.0), "mse", metrics=["mae"], weighted_metrics=["mape"])
    return model


def model_facts(model: Any) -> dict[str, Any]:
    """The facts of a model as the training finds it: its optimizer has its variables."""
    if model.optimizer is not None:
        model.optimizer.build(model.trainable_variables)
    return facts_of(model)


def test_the_optimizer_the_loss_and_the_metrics_are_those_that_were_compiled(model: Any):
    facts = model_facts(model)
    assert (facts["name"], facts["class"], facts["loss"], facts["metrics"]) == (
        "small",
        "Sequential",
        "mse",
        ["mae", "mape"],
    )
    optimizer = facts["optimizer"]
    assert (optimizer["class"], optimizer["learning_rate"], optimizer["clipnorm"]) == ("Adam", 0.001, 1.0)
    assert facts["parameters"] == {"trainable": 12, "not_trainable": 4}
    assert json.loads(json.dumps(facts)) == facts


def test_a_learning_rate_that_was_changed_after_compiling_is_the_one_recorded(model: Any):
    model.optimizer.learning_rate = 0.25
    assert model_facts(model)["optimizer"]["learning_rate"] == 0.25


@pytest.mark.parametrize("columns", [None, "40", "200"])
def test_the_table_of_layers_is_whole_whatever_the_terminal(model: Any, monkeypatch: pytest.MonkeyPatch, columns: Any):
    monkeypatch.setenv("COLUMNS", columns) if columns else monkeypatch.delenv("COLUMNS", raising=False)
    table = model_facts(model)["layers"]
    assert "Param #" in table
    assert "BatchNormalization" in table
    assert {len(line) for line in table.splitlines() if line[:1] in "┏┃┡│├└"} == {100}


def test_objects_are_their_class_and_configuration_and_functions_their_name(keras: Any, model: Any):
    def own(truth: Any, predicted: Any) -> Any:
        return keras.ops.mean(truth - predicted)

    schedule = keras.optimizers.schedules.CosineDecay(0.1, 100)
    model.compile(keras.optimizers.SGD(schedule), own, metrics=[keras.metrics.AUC(name="area")])
    facts = model_facts(model)
    rate = facts["optimizer"]["learning_rate"]
    assert (rate["class"], rate["decay_steps"]) == ("CosineDecay", 100)
    assert facts["loss"] == "own"
    assert (facts["metrics"][0]["class"], facts["metrics"][0]["name"]) == ("AUC", "area")


def test_a_model_with_optimizers_of_its_own_has_them_all(keras: Any):
    class Gan(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            self.critic = keras.layers.Dense(1)
            self.critic_optimizer = keras.optimizers.RMSprop(0.5)

        def call(self, inputs: Any) -> Any:
            return self.critic(inputs)

    gan = Gan()
    gan.compile(optimizer=None)
    facts = model_facts(gan)
    assert facts["optimizer"] is None
    assert list(facts["optimizers"]) == ["critic_optimizer"]
    assert facts["optimizers"]["critic_optimizer"]["learning_rate"] == 0.5
    assert count_parameters(gan.weights) == 0


def test_a_loss_that_can_not_be_saved_is_its_name(keras: Any, model: Any):
    class Own:
        def __call__(self, truth: Any, predicted: Any) -> Any:
            return keras.ops.mean(truth - predicted)

    model.compile("sgd", Own())
    facts = model_facts(model)
    assert (facts["optimizer"]["class"], facts["loss"]) == ("SGD", "Own")
    json.dumps(facts)


def test_an_optimizer_that_no_step_uses_is_not_the_one_that_trains(keras: Any, model: Any):
    assert facts_of(model)["optimizer"] is None
    model.pair = {"one": keras.optimizers.Adam(0.25)}
    assert facts_of(model)["optimizers"]["pair.one"]["learning_rate"] == 0.25


def test_a_lambda_is_called_that_and_not_its_bytes(keras: Any, model: Any):
    model.compile("sgd", lambda truth, predicted: keras.ops.mean(truth - predicted))
    assert facts_of(model)["loss"] == "a lambda"


def config(**options: Any) -> WatchedConfig:
    return WatchedConfig(input_shape=(3,), input_dtype="uint8", classes=2, learning_rate=0.1, options=options)


@pytest.mark.parametrize(
    "read",
    [
        lambda given: given.options["a"],
        lambda given: given.options.get("a"),
        lambda given: dict(given.options),
        lambda given: {**given.options},
        lambda given: given.options | {},
        lambda given: list(given.options.items()),
        lambda given: list(given.options.values()),
        lambda given: [given.options[name] for name in given.options],
        lambda given: "{a}".format(**given.options),
        lambda given: given.options.copy(),
        lambda given: "a" in given.options,
        lambda given: given.options.pop("a"),
        lambda given: given.options.setdefault("a", 2),
        lambda given: list(given.options.keys()),
        lambda given: list(reversed(given.options)),
    ],
)
def test_an_option_counts_as_read_however_it_is_read(read: Any):
    given = config(a=1)
    assert given.unread(["a", "learning_rate"]) == ("a", "learning_rate")
    read(given)
    assert given.unread(["a", "learning_rate"]) == ("learning_rate",)


def test_a_watched_configuration_is_used_as_any_other():
    given = config(a=1)
    assert isinstance(given, ModelConfig)
    assert isinstance(given.options, dict)
    assert (given.options, given.learning_rate, given.unread(["learning_rate"])) == ({"a": 1}, 0.1, ())


@pytest.mark.parametrize("policy", ["float32", "float64", "bfloat16", "float16"])
def test_weights_that_are_not_finite_are_counted(keras: Any, policy: str):
    dense = keras.layers.Dense(2, dtype=keras.DTypePolicy(policy))
    model = keras.Sequential([keras.Input((3,)), dense, keras.layers.BatchNormalization(), keras.layers.Dropout(0.5)])
    assert count_not_finite_weights(model) == 0
    dense.kernel.assign([[1, float("nan")], [float("-inf"), 2], [3, 4]])
    assert count_not_finite_weights(model) == 2
    model.layers[1].moving_mean.assign([float("nan"), float("inf")])  # infinite as a mask may be
    assert count_not_finite_weights(model) == 3
