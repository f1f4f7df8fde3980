"""Losses, metrics, initializers, regularizers and constraints of the user's own, also in files."""

from __future__ import annotations

import numpy as np
import pytest

from fnet.errors import StructureError
from fnet.keras import (
    Sequential,
    constraints,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    regularizers,
    saving,
)  # fmt: skip

X = np.random.default_rng(0).normal(size=(8, 3)).astype("float32")
Y = X.sum(1, keepdims=True)


@saving.register_keras_serializable("parts")
class Weighed(losses.Loss):
    def __init__(self, factor=2.0, name="weighed", reduction="sum_over_batch_size"):
        super().__init__(name=name, reduction=reduction)
        self.factor = factor

    def call(self, y_true, y_pred):
        return self.factor * ops.mean(ops.square(y_true - y_pred), axis=-1)

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


@saving.register_keras_serializable("parts")
class Far(metrics.Metric):
    def __init__(self, limit=0.5, name="far", **options):
        super().__init__(name=name, **options)
        self.limit, self.number = limit, self.add_weight(name="number", initializer="zeros")

    def update_state(self, y_true, y_pred, sample_weight=None):
        self.number.assign_add(ops.sum(ops.cast(ops.absolute(y_true - y_pred) > self.limit, "float32")))

    def result(self):
        return self.number

    def get_config(self):
        return {**super().get_config(), "limit": self.limit}


@saving.register_keras_serializable("parts")
class Filled(initializers.Initializer):
    def __init__(self, value=1.0):
        self.value = value

    def __call__(self, shape, dtype=None, **options):
        return ops.ones(shape, dtype) * self.value

    def get_config(self):
        return {"value": self.value}


@saving.register_keras_serializable("parts")
class Cubed(regularizers.Regularizer):
    def __call__(self, x):
        return ops.sum(ops.absolute(x) ** 3)


@saving.register_keras_serializable("parts")
class Halved(constraints.Constraint):
    def __call__(self, w):
        return 0.5 * w


def chain():
    return Sequential([
        layers.Input((3,)),
        layers.Dense(1, kernel_initializer=Filled(3.0), kernel_regularizer=Cubed(), bias_constraint=Halved()),
    ])  # fmt: skip


@pytest.mark.slow
def test_losses_and_metrics_of_ones_own_are_in_files(tmp_path):
    model = chain()
    model.compile("sgd", Weighed(3.0), metrics=[Far(limit=0.2)])
    model.fit(X, Y, verbose=0)
    model.save(tmp_path / "model.keras")
    again = models.load_model(tmp_path / "model.keras")
    assert again.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    assert again.fit(X, Y, verbose=0, shuffle=False).history == model.fit(X, Y, verbose=0, shuffle=False).history
    assert again.layers[0].kernel_initializer.value == 3.0

    class Unnamed(Weighed):
        pass

    model.compile("sgd", Unnamed())
    with pytest.raises(StructureError, match=r"Unnamed: files know classes of your own by names. Decorate it: @keras"):
        model.save(tmp_path / "other.keras")


def test_parts_of_ones_own_do_what_they_say():
    model = chain()
    assert model.layers[0].kernel.numpy().ravel().tolist() == [3.0, 3.0, 3.0]
    assert float(model.losses[0]) == 81.0

    def twos(shape, dtype=None):
        return 2 * np.ones(shape, dtype)

    class Own(layers.Layer):
        def build(self, input_shape):
            self.first = self.add_weight(shape=(2,), initializer=twos, name="first")
            self.second = self.add_weight(shape=(2,), initializer=Filled(5.0), regularizer=Cubed(), name="second")

        def call(self, x):
            return x + self.first[0]

    own = Own()
    own.build((None, 3))
    assert own.first.numpy().tolist() == [2.0, 2.0] and own.second.numpy().tolist() == [5.0, 5.0]


def test_what_things_are_made_with():
    assert losses.Huber.from_config(losses.Huber(delta=2.0).get_config()).get_config()["delta"] == 2.0
    assert metrics.AUC(num_thresholds=50).get_config()["num_thresholds"] == 50
    assert regularizers.L2(0.1).get_config() == {"l2": 0.1} and regularizers.L2(0.1).l2 == 0.1
    assert optimizers.schedules.CosineDecay(0.1, 10).initial_learning_rate == 0.1
    normal = initializers.RandomNormal(stddev=0.5, seed=1)
    assert normal.stddev == 0.5 and normal(shape=(2, 2)).dtype == np.float32
    np.testing.assert_array_equal(normal((2, 2)), normal(shape=(2, 2)))
    with pytest.raises(AttributeError, match="l2 has no attribute 'l3'. Known: l2"):
        regularizers.L2(0.1).l3  # noqa: B018
