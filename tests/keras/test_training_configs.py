"""Losses, metrics, optimizers and schedules both ways through Keras' configs, and training that goes on."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import losses, metrics, optimizers, schedules, tree
from fnet.io.keras.config import Config
from fnet.io.keras.optimizer_variables import read_state, write_state
from fnet.io.keras.optimizers import CLASSES
from fnet.io.keras.training import Compiled, read_training, write_training
from fnet.io.keras.variables import params as variables_of
from fnet.layers import Dense
from fnet.train.trainer import Trainer

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(find_spec("keras") is None or find_spec("jax") is None, reason="Keras is not installed"),
]

RNG = np.random.default_rng(0)
X = RNG.normal(size=(8, 3)).astype("float32")
Y = RNG.integers(0, 2, (8, 2)).astype("float32")
PARAMS = {"kernel": RNG.normal(size=(3, 2)).astype("float32"), "bias": np.zeros(2, "float32")}
TRAINED = variables_of("kernel", "bias")
NET = Dense(2, activation="sigmoid")

RULES, SCHEDULES = "keras.optimizers", "keras.optimizers.schedules"
OPTIMIZERS: dict[str, tuple[Any, Any]] = {
    name: ([RULES, name, {"learning_rate": 0.05}], getattr(optimizers, name)(0.05)) for name in CLASSES.values()
}
for _label, _name, _options in [
    ("momentum", "SGD", {"momentum": 0.9, "nesterov": True}),
    ("centered", "RMSprop", {"momentum": 0.5, "centered": True}),
    ("amsgrad", "Adam", {"amsgrad": True, "clipnorm": 0.1}),
    ("ema", "Adam", {"use_ema": True, "ema_momentum": 0.5, "ema_overwrite_frequency": 2}),
    ("accumulated", "SGD", {"momentum": 0.9, "gradient_accumulation_steps": 3, "weight_decay": 0.1}),
    ("both", "Adam", {"use_ema": True, "ema_momentum": 0.5, "gradient_accumulation_steps": 2}),
    ("clipped", "Adagrad", {"global_clipnorm": 0.1}),
    ("values", "Nadam", {"clipvalue": 0.01}),
]:
    OPTIMIZERS[_label] = (
        [RULES, _name, {"learning_rate": 0.05, **_options}], getattr(optimizers, _name)(0.05, **_options),
    )  # fmt: skip
_FALL = {"initial_learning_rate": 0.1, "decay_steps": 2, "decay_rate": 0.5}
_WARM = {"initial_learning_rate": 0.0, "decay_steps": 9, "warmup_target": 0.1, "warmup_steps": 4}
for _name, _make, _arguments in [
    ("ExponentialDecay", schedules.exponential_decay, _FALL),
    ("InverseTimeDecay", schedules.inverse_time_decay, _FALL),
    ("PiecewiseConstantDecay", schedules.piecewise_constant, {"boundaries": [2, 5], "values": [0.1, 0.01, 0.2]}),
    ("PolynomialDecay", schedules.polynomial_decay, {"initial_learning_rate": 0.1, "decay_steps": 6, "power": 2.0}),
    ("CosineDecay", schedules.cosine_decay, _WARM),
    ("CosineDecayRestarts", schedules.cosine_decay_restarts, {"initial_learning_rate": 0.1, "first_decay_steps": 4}),
]:
    OPTIMIZERS[_name] = (
        [RULES, "Adam", {"learning_rate": [SCHEDULES, _name, _arguments]}],
        optimizers.adam(_make(**_arguments)),
    )

RATE = optimizers.sgd(0.1, global_clipnorm=0.1)  # some losses of targets that are 0 are huge
LOSSES = [
    *(loss for name, loss in losses.LOSSES.items() if name == loss.constructor and name not in
      ("Crossentropy", "GaussianNLL", "Contrastive", "Triplet", "TripletSemiHard", "CTC", "Circle",
       "SparseCategoricalCrossentropy", "CategoricalGeneralizedCrossEntropy")),
    losses.Huber(delta=0.1, reduction="sum"),
    losses.BinaryCrossentropy(label_smoothing=0.2),
    losses.Tversky(alpha=0.3, beta=0.6),
    losses.CategoricalFocalCrossentropy(alpha=0.5, gamma=1.0),
]  # fmt: skip
METRICS = [
    "accuracy", "acc", "mse", metrics.auc(num_thresholds=7, name="area"), metrics.Precision(thresholds=[0.3, 0.6]),
    metrics.Recall(class_id=1), metrics.F1Score(average="macro", threshold=0.5), metrics.BinaryIoU(), "mae", "mape",
    metrics.R2Score(), metrics.RootMeanSquaredError(), metrics.PrecisionAtRecall(recall=0.5), "logcosh", "hinge",
    metrics.TruePositives(), metrics.BinaryAccuracy(threshold=0.4), metrics.TopKCategoricalAccuracy(k=1), "Poisson",
    metrics.SensitivityAtSpecificity(specificity=0.5), metrics.OneHotMeanIoU(num_classes=2), "kl_divergence",
    metrics.PearsonCorrelation(), metrics.CosineSimilarity(), metrics.CategoricalCrossentropy(label_smoothing=0.1),
]  # fmt: skip


def job(**fields: Any) -> dict[str, Any]:
    weights = [PARAMS["kernel"].tolist(), PARAMS["bias"].tolist()]
    return {"x": X.tolist(), "y": Y.tolist(), "weights": weights, "before": 3, **fields}


def state_of(trainer: Trainer, params: Any, opt_state: Any, step: int) -> fnet.TrainState:
    ts = trainer.init(fnet.random.key(0), (3,))
    return ts._replace(params=params, opt_state=opt_state, step=np.array(step))


def steps(trainer: Trainer, ts: fnet.TrainState, number: int) -> fnet.TrainState:
    return trainer.fit(ts, X, Y, batch_size=8, epochs=number, verbose=0, shuffle=False)[0]


@pytest.fixture(scope="module")
def ours() -> dict[str, tuple[Trainer, fnet.TrainState]]:
    """fnet after three steps."""
    made = {}
    for name, (_, optimizer) in OPTIMIZERS.items():
        trainer = Trainer(NET, losses.mean_squared_error, optimizer)
        start = state_of(trainer, PARAMS, optimizer.init(PARAMS), 0)
        made[name] = (trainer, steps(trainer, start, 3))
    return made


@pytest.fixture(scope="module")
def theirs(ours) -> dict[str, Any]:
    jobs = {
        f"theirs {name}": job(theirs={"optimizer": keras, "loss": "mse"}) for name, (keras, _) in OPTIMIZERS.items()
    }
    for name, (_, ts) in ours.items():
        optimizer = OPTIMIZERS[name][1]
        variables = write_state(optimizer, ts.opt_state, TRAINED)
        config = write_training(Compiled("mse", optimizer), None)
        jobs[f"ours {name}"] = job(
            ours=config,
            names=[n for n, _ in variables],
            variables=[v.tolist() for _, v in variables],
            weights=[ts.params["kernel"].tolist(), ts.params["bias"].tolist()],
        )
    for i, loss in enumerate(LOSSES):
        jobs[f"loss {i}"] = job(ours=write_training(Compiled(loss, RATE), None))
    jobs["metrics"] = job(ours=write_training(Compiled("mse", optimizers.sgd(0.0), METRICS), None))
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("training_recorder.py"))],
        input=json.dumps(list(jobs.values())), capture_output=True, text=True, timeout=500, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2000:]
    return dict(zip(jobs, json.loads(done.stdout), strict=True))


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_fnet_goes_on_where_keras_stopped(theirs, name):
    given = theirs[f"theirs {name}"]
    assert "error" not in given, given
    compiled = read_training(Config(json.loads(json.dumps(given["config"])), "compile_config"), None)
    params = dict(zip(("kernel", "bias"), (np.array(w, "float32") for w in given["start"]), strict=True))
    found = [np.asarray(v) for v in given["variables"]]

    def fetch(i: int, shape: tuple[int, ...]) -> np.ndarray:
        assert found[i].shape == shape
        return found[i]

    opt_state = read_state(compiled.optimizer, params, TRAINED, [str(i) for i in range(len(found))], fetch)
    trainer = Trainer(NET, *compiled)
    ts = steps(trainer, state_of(trainer, params, opt_state, 3), 5)
    for own, other in zip(ts.params.values(), given["weights"], strict=True):
        np.testing.assert_allclose(own, other, atol=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_keras_goes_on_where_fnet_stopped(theirs, ours, name):
    given = theirs[f"ours {name}"]
    assert "error" not in given, given
    trainer, ts = ours[name]
    ts = steps(trainer, ts, 5)
    for own, other in zip(ts.params.values(), given["weights"], strict=True):
        np.testing.assert_allclose(own, other, atol=1e-4)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_state_comes_back_bit_for_bit(ours, name):
    _, ts = ours[name]
    optimizer = OPTIMIZERS[name][1]
    variables = write_state(optimizer, ts.opt_state, TRAINED)
    names, arrays = [n for n, _ in variables], [v for _, v in variables]
    back = read_state(optimizer, ts.params, TRAINED, names, lambda i, shape: arrays[i])
    same = tree.all_equal({**ts.opt_state, "momentum_product": 0}, {**back, "momentum_product": 0})  # float32 there
    assert same


@pytest.mark.parametrize("i", range(len(LOSSES)), ids=[loss.constructor for loss in LOSSES])
def test_losses_mean_the_same(theirs, i):
    given = theirs[f"loss {i}"]
    assert "error" not in given, given
    config = write_training(Compiled(LOSSES[i], RATE), None)
    compiled = read_training(Config(json.loads(json.dumps(config)), "compile_config"), None)
    assert compiled.loss == LOSSES[i]
    trainer = Trainer(NET, compiled.loss, RATE)
    ts = steps(trainer, state_of(trainer, PARAMS, RATE.init(PARAMS), 0), 5)
    for own, other in zip(ts.params.values(), given["weights"], strict=True):
        np.testing.assert_allclose(own, other, atol=1e-4)


def test_metrics_mean_the_same(theirs):
    given = theirs["metrics"]
    assert "error" not in given, given
    config = write_training(Compiled("mse", optimizers.sgd(0.0), METRICS), None)
    compiled = read_training(Config(json.loads(json.dumps(config)), "compile_config"), None)
    trainer = Trainer(NET, "mse", optimizers.sgd(0.0), compiled.metrics)
    ts = state_of(trainer, PARAMS, optimizers.sgd(0.0).init(PARAMS), 0)
    found = trainer.evaluate(ts, X, Y)
    logs = {name: values[0] for name, values in given["logs"].items()}
    assert set(found.keys()) == set(logs)
    for name, value in found.items():
        np.testing.assert_allclose(np.sum(value), logs[name], rtol=1e-4, err_msg=name)
