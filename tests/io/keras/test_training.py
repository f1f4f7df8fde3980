"""What trainers are made with, in Keras' configs: both ways, and what cannot be said or read by its text."""

from __future__ import annotations

import functools
import json
from typing import Any

import numpy as np
import pytest

from fnet import losses, metrics, optimizers, schedules, tree
from fnet.errors import FileError, StructureError
from fnet.io.keras.config import Config
from fnet.io.keras.optimizer_variables import read_state, write_state
from fnet.io.keras.training import Compiled, as_legacy, read_training, write_training
from fnet.io.keras.variables import params as variables_of

PARAMS = {"kernel": np.ones((3, 2), "float32"), "bias": np.ones(2, "float32")}
TRAINED = variables_of("kernel", "bias")


WRAPPER = {"class_name": "MeanMetricWrapper", "config": {"name": "accuracy", "fn": "binary_accuracy"}}


def read(config: Any, outputs: Any = None) -> Compiled:
    return read_training(Config(json.loads(json.dumps(config)), "config"), outputs)


@pytest.mark.parametrize("legacy", [False, True])
def test_one_output_comes_back(legacy):
    given = Compiled(
        losses.Huber(delta=2.0),
        optimizers.adam(schedules.cosine_decay(0.1, 10), clipnorm=1.0, use_ema=True),
        ["acc", metrics.auc(num_thresholds=5, name="area")],
        weighted_metrics=["mse"],
    )
    config = write_training(given, None)
    found = read(as_legacy(config) if legacy else config)
    assert found.loss == given.loss
    assert (found.optimizer.name, found.optimizer.config) == ("adam", given.optimizer.config)
    assert found.metrics[0] == "acc" and found.metrics[1].name == "area" and found.weighted_metrics[0].name == "mse"
    assert found.metrics[1].recipe.kwargs["num_thresholds"] == 5


def test_a_partial_of_a_loss_is_the_loss_with_its_options():
    given = functools.partial(losses.sparse_categorical_crossentropy, from_logits=True)
    found = read(write_training(Compiled(given, "sgd"), None))
    assert found.loss == losses.SparseCategoricalCrossentropy(from_logits=True)


@pytest.mark.parametrize("loss", [["mse", None], {"a": "mse"}])
def test_several_outputs_are_lists_in_their_order(loss):
    given = Compiled(loss, "sgd", {"b": ["mae", "mse"]}, {"a": 0.5, "b": 1.0})
    config = write_training(given, ("a", "b"))
    assert config["loss"][1] is None and config["loss_weights"] == [0.5, 1.0] and config["metrics"][0] == []
    found = read(config, ("x", "y"))
    assert found.loss == [losses.mean_squared_error, None] and found.loss_weights == [0.5, 1.0]
    assert [[metric.name for metric in own] for own in found.metrics] == [[], ["mae", "mse"]]


def test_names_of_keras_2_are_read():
    found = read(
        {
            "loss": {"b": "mse", "a": {"class_name": "Huber", "config": {"reduction": "auto", "name": "h", "fn": "x"}}},
            "metrics": {"a": [WRAPPER]},
            "loss_weights": None,
            "optimizer_config": {"class_name": "Custom>SGD", "config": {"lr": 0.5, "decay": 0.1, "momentum": 0.9}},
        },
        ("a", "b"),
    )  # fmt: skip
    assert found.loss == [losses.Huber(name="h"), losses.mean_squared_error]
    assert found.metrics[0][0].name == "accuracy"
    assert found.optimizer.config["learning_rate"] == schedules.inverse_time_decay(0.5, 1, 0.1)


@pytest.mark.parametrize(
    ("given", "text"),
    [
        (Compiled(losses.gaussian_nll, "adam"), "Keras has no loss gaussian_nll. Train with one of Keras, or save"),
        (Compiled(lambda y, p: y, "adam"), "Keras has no loss"),
        (Compiled(losses.CTC(blank_index=2), "adam"), "Keras' CTC has no blank_index=2"),
        (Compiled("mse", optimizers.lookahead(optimizers.sgd(0.1))), "Keras has no optimizer lookahead. Take one of"),
        (Compiled("mse", optimizers.sgd(lambda step: 0.1)), "Keras has no schedule <lambda>"),
        (Compiled("mse", optimizers.sgd(schedules.one_cycle(0.1, 10))), "Keras has no schedule one_cycle"),
        (
            Compiled("mse", optimizers.adam(weight_decay=0.1, exclude_from_weight_decay="bias")),
            "Keras' files do not say exclude_from_weight_decay, received 'bias'",
        ),
        (Compiled("mse", "adam", [metrics.confusion_matrix(3)]), "Keras has no metric confusion_matrix. Leave it out"),
        (Compiled("mse", "adam", [lambda y, p: y]), "Keras has no metric"),
        (Compiled("mse", "adam", [metrics.accuracy(name="right")]), "Keras has accuracy under the names accuracy and"),
        (Compiled({"x": "mse"}, "adam"), "the network has no output 'x'. Known: a, b"),
    ],
)
def test_what_keras_does_not_have(given, text):
    with pytest.raises(StructureError, match=text):
        write_training(given, ("a", "b") if isinstance(given.loss, dict) else None)


GOOD: dict[str, Any] = {"loss": "mse", "optimizer": {"class_name": "Adam", "config": {"learning_rate": 0.1}}}


def rate(value: Any) -> dict[str, Any]:
    return {"optimizer": {"class_name": "Adam", "config": {"learning_rate": value}}}


@pytest.mark.parametrize(
    ("change", "text"),
    [
        ({"loss": None}, "config: the network was compiled without a loss"),
        ({"loss": "mze"}, "config/loss: fnet has no loss 'mze'"),
        ({"loss": {"class_name": "Lambda", "config": {}}}, "config/loss: fnet has no loss 'Lambda'"),
        ({"loss": {"class_name": "function", "config": "os.system"}}, "fnet has no loss 'os.system'"),
        ({"loss": {"class_name": "Huber", "config": {"delta": "big"}}}, "config/loss: .*delta"),
        ({"loss": {"class_name": "Huber", "config": [1]}}, "config/loss/config: expected an object with fields"),
        ({"loss": {"class_name": "MeanSquaredError", "config": {"reduction": [1]}}}, "config/loss/config/reduction"),
        ({"loss": 3}, "config/loss: expected an object with fields, received 3"),
        ({"loss": ["mse", "mae"]}, "config/loss: expected 1 entries, one for each output"),
        ({"optimizer": {"class_name": "Sgd", "config": {}}}, "config/optimizer: fnet has no optimizer 'Sgd'. Did"),
        ({"optimizer": {"class_name": "Adam", "config": {"beta_1": 2.0}}}, "config/optimizer: .*beta_1"),
        ({"optimizer": {"class_name": "Adam", "config": {"amsgrad": 1}}}, "config/optimizer: .*amsgrad is True"),
        (
            {"optimizer": {"class_name": "Adafactor", "config": {"relative_step": False}}},
            "config/optimizer/config/relative_step: fnet's adafactor has relative steps only",
        ),
        (rate("fast"), "config/optimizer/config/learning_rate: expected a number, received 'fast'"),
        (rate(-1.0), "config/optimizer: adam: expected learning_rate >= 0"),
        (rate(float("nan")), "learning_rate"),
        (rate({"class_name": "Own", "config": {}}), "fnet has no schedule 'Own'"),
        (rate({"class_name": "CosineDecay", "config": {"initial_learning_rate": 0.1}}), "learning_rate: .*decay_steps"),
        (rate({"class_name": "PiecewiseConstantDecay", "config": {"boundaries": 1, "values": [1]}}), "learning_rate: "),
        ({"metrics": ["nothing"]}, "config/metrics/0: fnet has no metric 'nothing' of Keras"),
        ({"metrics": [{"class_name": "Accuracy", "config": {}}]}, "fnet has no metric 'Accuracy'"),
        (
            {"metrics": [{"class_name": "AUC", "config": {"num_thresholds": 10**9}}]},
            "config/metrics/0/config/num_thresholds: expected at most 1000000, received 1000000000",
        ),
        ({"metrics": [{"class_name": "AUC", "config": {"thresholds": [0.5] * 20_000}}]}, "a list of at most 10000"),
        ({"metrics": [{"class_name": "AUC", "config": {"name": 3}}]}, "config/metrics/0/config/name: expected text"),
        ({"metrics": {"class_name": "MeanMetricWrapper", "config": {}}}, "expected an object with fields, received"),
        ({"loss_weights": "a"}, "config/loss_weights: expected a number, received 'a'"),
    ],
)  # fmt: skip
def test_what_files_may_not_say(change, text):
    with pytest.raises(FileError, match=text):
        read_training(Config({**GOOD, **change}, "config"), None)


@pytest.mark.parametrize("name", ["adam", "muon", "nadam", "adafactor", "sgd"])
def test_the_state_of_an_optimizer_comes_back(name):
    optimizer = optimizers.get(name)
    _, state = optimizer.update(PARAMS, optimizer.init(PARAMS), PARAMS)
    variables = write_state(optimizer, state, TRAINED)
    found = read_state(optimizer, PARAMS, TRAINED, [n for n, _ in variables], lambda i, shape: variables[i][1])
    product = np.float32(state.get("momentum_product", 0))
    assert np.float32(found.get("momentum_product", 0)) == product
    assert tree.all_equal({**found, "momentum_product": 0}, {**state, "momentum_product": 0})


def test_a_state_of_keras_2_has_no_rate():
    optimizer = optimizers.adam(0.1)
    _, state = optimizer.update(PARAMS, optimizer.init(PARAMS), PARAMS)
    variables = write_state(optimizer, state, TRAINED)
    new = [variables[0], *variables[2:]]
    names = [f"{name}:0" for name, _ in new]
    assert tree.all_equal(read_state(optimizer, PARAMS, TRAINED, names, lambda i, shape: new[i][1]), state)
    old = ["Adam/iter:0", "Adam/d/kernel/m:0", "Adam/d/bias/m:0", "Adam/d/kernel/v:0", "Adam/d/bias/v:0"]
    by_slot = [new[0], new[1], new[3], new[2], new[4]]
    assert tree.all_equal(read_state(optimizer, PARAMS, TRAINED, old, lambda i, shape: by_slot[i][1]), state)
    old[1] = "Adam/d/kernel/momentum:0"
    with pytest.raises(FileError, match="and none for momentum"):
        read_state(optimizer, PARAMS, TRAINED, ["Adam/iter:0", *["Adam/a/x:0"] * 4], lambda i, shape: by_slot[i][1])


def test_a_learning_rate_that_was_changed_goes_on():
    optimizer = optimizers.adam(0.1)
    variables = write_state(optimizer, optimizer.init(PARAMS), TRAINED)
    variables[1] = ("learning_rate", np.float32(0.025))
    state = read_state(optimizer, PARAMS, TRAINED, [n for n, _ in variables], lambda i, shape: variables[i][1])
    assert state["learning_rate"] == np.float32(0.025)
    assert write_state(optimizer, state, TRAINED)[1][1] == np.float32(0.025)


@pytest.mark.parametrize(
    ("i", "value", "text"),
    [
        (None, None, "the optimizer has 5 variables in the file, expected 6 of adam"),
        (0, -1, "the optimizer has done -1.0 steps in the file, expected a count"),
        (0, np.nan, "the optimizer has done nan steps"),
        (1, np.nan, "the optimizer has the learning rate nan in the file"),
    ],
)
def test_states_that_do_not_fit(i, value, text):
    optimizer = optimizers.adam(0.1)
    variables = [array for _, array in write_state(optimizer, optimizer.init(PARAMS), TRAINED)]
    names = [str(n) for n in range(5 if i is None else 6)]
    if i is not None:
        variables[i] = np.array(value, "float32")
    with pytest.raises(FileError, match=text):
        read_state(optimizer, PARAMS, TRAINED, names, lambda i, shape: variables[i])
