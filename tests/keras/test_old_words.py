"""What older tutorials write: functions of keras.backend in losses, metrics and layers; input_length of Embedding."""

from __future__ import annotations

import numpy as np
import pytest

from fnet.keras import Input, Model, Sequential, layers
from fnet.keras import backend as K  # noqa: N812

X = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")


def test_losses_and_metrics_of_functions_of_the_backend():
    def rmse(y_true, y_pred):
        return K.sqrt(K.mean(K.square(y_pred - y_true), axis=-1))

    def r2(y_true, y_pred):
        left, all_ = K.sum(K.square(y_true - y_pred)), K.sum(K.square(y_true - K.mean(y_true)))
        return 1 - left / (all_ + K.epsilon())

    model = Sequential([Input((4,)), layers.Dense(1)])
    model.compile("sgd", rmse, metrics=[r2])
    y = X[:, :1] * 2
    found = model.evaluate(X, y, batch_size=32, verbose=0, return_dict=True)
    p = model.predict(X, verbose=0)
    np.testing.assert_allclose(found["loss"], np.abs(p - y).mean(), rtol=1e-5)
    np.testing.assert_allclose(found["r2"], 1 - ((y - p) ** 2).sum() / ((y - y.mean()) ** 2).sum(), rtol=1e-4)


def test_operations_under_their_older_names():
    x = np.arange(6.0).reshape(2, 3)
    assert K.flatten(x).shape == (6,) and K.batch_flatten(x[:, None]).shape == (2, 3)
    np.testing.assert_array_equal(K.permute_dimensions(x, (1, 0)), x.T)
    np.testing.assert_array_equal(K.gather(x, np.array([1])), x[1:])
    np.testing.assert_array_equal(K.reverse(x, 1), x[:, ::-1])
    np.testing.assert_allclose(K.l2_normalize(x, axis=-1), x / np.linalg.norm(x, axis=-1, keepdims=True))
    node = Input((3,))
    assert K.int_shape(node) == (None, 3)
    model = Model(node, layers.Lambda(lambda t: K.l2_normalize(t, axis=-1))(node))
    np.testing.assert_allclose(np.linalg.norm(model.predict(x[1:], verbose=0)), 1, rtol=1e-6)
    with pytest.raises(AttributeError, match=r"module 'fnet\.keras\.backend' has no attribute 'sqroot'"):
        K.sqroot  # noqa: B018


def test_the_length_of_sequences_is_left_out():
    with pytest.warns(UserWarning, match="input_length has no meaning, as in Keras 3"):
        layer = layers.Embedding(10, 4, input_length=5)
    assert layer(np.ones((2, 7), int)).shape == (2, 7, 4)
