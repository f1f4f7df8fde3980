"""Options that do nothing are told, at the line that gives them; those that do something are silent."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from fnet import optimizers as optim

PARAMS = {"dense": {"kernel": np.ones((2, 3)), "bias": np.ones(3)}}


@pytest.mark.parametrize(
    ("make", "text"),
    [
        (lambda: optim.sgd(0.1, nesterov=True), "sgd: nesterov has no effect without momentum"),
        (lambda: optim.adam(ema_momentum=0.5), "optimizer: ema_momentum has no effect without use_ema=True"),
        (lambda: optim.adam(ema_overwrite_frequency=5), "ema_overwrite_frequency has no effect without use_ema=True"),
        (
            lambda: optim.rmsprop(exclude_from_weight_decay=["bias"]),
            "optimizer: exclude_from_weight_decay has no effect without weight_decay",
        ),
        (
            lambda: optim.muon(weight_decay=None, adam_weight_decay=None, exclude_from_weight_decay="bias"),
            "muon: exclude_from_weight_decay has no effect without weight_decay",
        ),
    ],
)
def test_options_that_need_another_one(make, text):
    with pytest.warns(UserWarning, match=text) as told:
        make()
    assert len(told) == 1 and told[0].filename == __file__


@pytest.mark.parametrize(
    ("opt", "text"),
    [
        (
            optim.adamw(exclude_from_weight_decay=["bias", "kernal"]),
            "exclude_from_weight_decay: 'kernal' matches no parameter. Did you mean 'kernel'",
        ),
        (
            optim.sgd(weight_decay=0.1, exclude_from_weight_decay="^bias"),
            "exclude_from_weight_decay: '^bias' matches no",
        ),
        (optim.muon(exclude_layers=["dens_1"]), "exclude_layers: 'dens_1' matches no parameter"),
        (optim.muon(exclude_from_weight_decay="gamma"), "exclude_from_weight_decay: 'gamma' matches no parameter"),
    ],
)
def test_patterns_that_match_nothing(opt, text):
    with pytest.warns(UserWarning) as told:
        opt.init(PARAMS)
    assert len(told) == 1 and text in str(told[0].message)


@pytest.mark.parametrize(
    "make",
    [
        lambda: optim.sgd(0.1, momentum=0.9, nesterov=True),
        lambda: optim.adam(use_ema=True, ema_momentum=0.5, ema_overwrite_frequency=5),
        lambda: optim.adam(ema_momentum=0.99, ema_overwrite_frequency=None, exclude_from_weight_decay=()),
        lambda: optim.adamw(exclude_from_weight_decay=["bias", "kernel"]),
        lambda: optim.sgd(weight_decay=0.1, exclude_from_weight_decay=lambda path, leaf: False),
        lambda: optim.muon(exclude_layers="dense", exclude_from_weight_decay=["bias"]),
        lambda: optim.muon(weight_decay=None, exclude_from_weight_decay=["bias"]),
    ],
)
def test_what_has_an_effect_is_silent(make):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        make().init(PARAMS)
