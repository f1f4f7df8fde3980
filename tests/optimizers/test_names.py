"""The object, names, and errors by their text."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from fnet import optimizers as optim
from fnet.errors import DtypeError, StructureError, ValueRangeError
from tests.optimizers.table import RULES


def test_an_optimizer_is_the_pair_and_says_how_it_was_made():
    opt = optim.adam(0.01, beta_1=np.float64(0.8))
    init, update = opt
    assert (init, update) == (opt.init, opt.update)
    assert opt.name == "adam"
    expected = {"learning_rate": 0.01, "beta_1": 0.8, "beta_2": 0.999, "epsilon": 1e-7, "amsgrad": False}
    assert dict(opt.config) == expected
    assert repr(opt) == "adam(learning_rate=0.01, beta_1=0.8, beta_2=0.999, epsilon=1e-07, amsgrad=False)"
    assert copy.deepcopy(opt) == opt
    with pytest.raises(AttributeError, match="immutable"):
        opt.name = "other"
    with pytest.raises(TypeError):
        opt.config["learning_rate"] = 1.0


KERAS = [
    "Adadelta",
    "Adafactor",
    "Adagrad",
    "Adam",
    "Adamax",
    "AdamW",
    "Ftrl",
    "Lamb",
    "Lion",
    "Muon",
    "Nadam",
    "RMSprop",
    "SGD",
]


@pytest.mark.parametrize("name", KERAS)
def test_names_of_keras_are_those_of_the_rules(name):
    rule = getattr(optim, name)
    assert rule is getattr(optim, name.lower())
    for given in (name, name.lower(), name.upper(), rule, rule(learning_rate=0.001 if name != "SGD" else 0.01)):
        opt = optim.get(given)
        assert (opt.name, dict(opt.config)) == (name.lower(), dict(rule().config))


def test_the_name_of_keras_for_the_rule_without_a_schedule():
    assert optim.ScheduleFreeAdamW is optim.schedule_free_adamw
    for given in ("ScheduleFreeAdamW", "schedulefreeadamw", "schedule_free_adamw"):
        assert optim.get(given).name == "schedule_free_adamw"


def test_every_rule_has_a_row():
    assert {make.__name__ for make in optim.OPTIMIZERS.values()} == {row.make().name for row in RULES}


def test_get():
    opt = optim.sgd(0.3)
    assert optim.get(opt) is opt
    assert optim.get(lambda: optim.rmsprop()).name == "rmsprop"


W = {"w": np.ones(2)}
STATE = optim.sgd().init(W)


def not_finite(step):
    return np.nan if step == 3 else 0.1


ERRORS = [
    (lambda: optim.adam(beta1=0.1), TypeError, "unexpected argument 'beta1'. Did you mean 'beta_1'?"),
    (lambda: optim.adam(amsgrd=True), TypeError, "adam() got an unexpected argument 'amsgrd'. Did you mean 'amsgrad'?"),
    (lambda: optim.sgd(clip_norm=1.0), TypeError, "unexpected argument 'clip_norm'. Did you mean 'clipnorm'?"),
    (lambda: optim.sgd(decay=0.1), TypeError, "Give a schedule: learning_rate=fnet.schedules.inverse_time_decay"),
    (lambda: optim.sgd(learning_rate=0.1, lr=0.1), TypeError, "unexpected argument 'lr'"),
    (lambda: optim.scale(lr=0.1), TypeError, "scale() got an unexpected argument 'lr'"),
    (lambda: optim.sgd(-0.1), ValueRangeError, "sgd: expected learning_rate >= 0, or a schedule"),
    (lambda: optim.lamb(np.inf), ValueRangeError, "lamb: expected learning_rate >= 0, or a schedule"),
    (lambda: optim.adam("fast"), ValueRangeError, "received 'fast'"),
    (lambda: optim.adam(None), ValueRangeError, "adam: expected learning_rate >= 0"),
    (lambda: optim.sgd(momentum=1.5), ValueRangeError, "sgd: expected 0 <= momentum <= 1, received 1.5"),
    (lambda: optim.adam(beta_2=1.0), ValueRangeError, "adam: expected 0 <= beta_2 < 1, received 1.0"),
    (lambda: optim.rmsprop(epsilon=0.0), ValueRangeError, "rmsprop: expected epsilon > 0, received 0.0"),
    (lambda: optim.adagrad(initial_accumulator_value=-1), ValueRangeError, "initial_accumulator_value >= 0, received"),
    (lambda: optim.ftrl(learning_rate_power=0.5), ValueRangeError, "ftrl: expected learning_rate_power <= 0"),
    (lambda: optim.ftrl(0.0), ValueRangeError, "ftrl: expected learning_rate > 0"),
    (lambda: optim.muon(ns_steps=0), ValueRangeError, "muon: expected ns_steps to be an integer >= 1, received 0"),
    (lambda: optim.adamw(weight_decay=-1.0), ValueRangeError, "expected weight_decay >= 0, received -1.0"),
    (lambda: optim.adamw(weight_decay=None), ValueRangeError, "adamw: expected a weight_decay, received None"),
    (
        lambda: optim.adam(clipnorm=1.0, clipvalue=2.0),
        ValueRangeError,
        "at most one of clipnorm, clipvalue and global_clipnorm, received {'clipnorm': 1.0, 'clipvalue': 2.0}",
    ),
    (lambda: optim.sgd(clipnorm=0.0), ValueRangeError, "clip_by_norm: expected limit > 0, received 0.0"),
    (lambda: optim.sgd(use_ema=True, ema_momentum=2.0), ValueRangeError, "ema: expected 0 <= momentum <= 1"),
    (lambda: optim.sgd(gradient_accumulation_steps=0), ValueRangeError, "steps to be an integer >= 1, received 0"),
    (lambda: optim.clip_by_norm(0.0), ValueRangeError, "clip_by_norm: expected limit > 0"),
    (lambda: optim.add_decayed_weights(-1.0), ValueRangeError, "expected weight_decay >= 0"),
    (lambda: optim.scale(float("nan")), ValueRangeError, "expected a finite factor"),
    (lambda: optim.accumulate(optim.sgd(), 1.5), ValueRangeError, "accumulate: expected steps to be an integer >= 1"),
    (lambda: optim.lookahead(optim.sgd(), slow_step=-1), ValueRangeError, "lookahead: expected 0 <= slow_step <= 1"),
    (lambda: optim.get("adm"), ValueRangeError, "unknown optimizer 'adm': expected a name"),
    (lambda: optim.get("adm"), ValueRangeError, "Did you mean 'adam'?"),
    (lambda: optim.get(dict), ValueRangeError, "a function that makes one"),
    (
        lambda: optim.sgd(not_finite).update(W, {**STATE, "step": np.array(3)}, W),
        ValueRangeError,
        "the learning-rate schedule gave nan at step 3, expected a finite rate",
    ),
    (
        lambda: optim.chain(optim.sgd(), "adam"),
        StructureError,
        "chain: argument 1 is 'adam', expected an (init, update) pair",
    ),
    (
        lambda: optim.add_decayed_weights(0.1).update(W, {}),
        StructureError,
        "needs the parameters: call update(grads, opt_state, params)",
    ),
    (lambda: optim.lamb().update(W, optim.lamb().init(W)), StructureError, "needs the parameters: call update("),
    (lambda: optim.ema(optim.sgd()).update(W, {"optimizer": STATE}), StructureError, "needs the parameters"),
    (
        lambda: optim.adam().init({"a": {"ids": np.arange(3)}}),
        DtypeError,
        "parameter 'a/ids' is int64[3], expected float32",
    ),
    (lambda: optim.sgd().init({"ids": np.arange(3)}), DtypeError, "parameter 'ids' is int64[3], expected float32"),
    (lambda: optim.sgd().update({"v": np.ones(2)}, STATE, W), StructureError, "w"),
    (lambda: optim.apply_updates(W, {"v": np.ones(2)}), StructureError, "w"),
    (lambda: optim.freeze({"v": True}, optim.sgd()).init(W), StructureError, "'w'"),
    (lambda: optim.freeze({"w": 1}).init(W), ValueRangeError, "freeze: expected True or False at 'w' of the mask"),
    (
        lambda: optim.sgd(weight_decay=0.1, exclude_from_weight_decay={"v": True}).update(W, STATE, W),
        StructureError,
        "'w'",
    ),
    (
        lambda: optim.partition({"slow": optim.sgd()}, lambda path, leaf: "slw").init(W),
        ValueRangeError,
        "partition: 'w' has the label 'slw'. Did you mean 'slow'?",
    ),
    (
        lambda: optim.averaged_params(STATE),
        StructureError,
        "keeps no mean of the parameters. Give the optimizer",
    ),
]


@pytest.mark.parametrize(("call", "error", "text"), ERRORS)
def test_errors_say_what_was_meant(call, error, text):
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)
    assert str(caught.value).count("\n") < 3
