"""Calls with training=True: a Dropout in the manner of Monte Carlo drops in predictions, too."""

from __future__ import annotations

import numpy as np
import pytest

from fnet.keras import Input, Model, layers, models, utils

X = np.ones((6, 4), np.float32)


def drawing():
    x = Input((4,))
    return Model(x, layers.Dropout(0.5)(layers.Dense(3, kernel_initializer="ones")(x), training=True))


def test_every_prediction_draws_other_numbers_that_follow_from_the_seed():
    found = []
    for _ in range(2):
        utils.set_random_seed(3)
        model = drawing()
        found.append([model.predict(X, verbose=0), model.predict(X, batch_size=2, verbose=0), model(X), model(X)])
    for first, second in zip(*found, strict=True):
        np.testing.assert_array_equal(first, second)
        assert set(first.ravel()) == {0.0, 8.0}
    assert all((a != b).any() for i, a in enumerate(found[0]) for b in found[0][:i])
    assert model.count_params() == 15 and len(model.weights) == 2  # the seed is no weight
    assert list(model.state) == ["seed_generator"]


def test_the_functional_network_draws_as_its_state_says():
    model = drawing()
    net, params, state = model.functional, model.params, model.state
    first, after = net.apply(params, state, X)
    np.testing.assert_array_equal(first, model(X))
    np.testing.assert_array_equal(net.apply(params, after, X)[0], model(X))


@pytest.mark.parametrize("kept", [pytest.param("keras", marks=pytest.mark.slow), "to_json", "clone"])
def test_a_call_in_training_is_kept(kept, tmp_path):
    inner = drawing()
    x = Input((4,))
    model = Model(x, layers.add([inner(x), layers.Dense(3, use_bias=False)(x)]))
    model.compile("sgd", "mse")
    model.fit(X, X[:, :3], verbose=0)
    if kept == "clone":
        again = models.clone_model(model)
    elif kept == "to_json":
        again = models.model_from_json(model.to_json())
    else:
        model.save(tmp_path / "model.keras")
        again = models.load_model(tmp_path / "model.keras")
    assert (again.predict(X, verbose=0) != again.predict(X, verbose=0)).any()
    assert model.evaluate(X, X[:, :3], verbose=0) != model.evaluate(X, X[:, :3], verbose=0)
