"""What classes of a user's own are made of: wrappers, input_spec, schedules, metrics, lists of callbacks."""

from __future__ import annotations

import numpy as np
import pytest

from fnet import keras
from fnet.errors import ShapeError, StructureError
from fnet.keras import callbacks, layers, losses, metrics, ops, optimizers

X = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")


class Twice(layers.Wrapper):
    def __init__(self, layer, factor=2.0, **options):
        super().__init__(layer, **options)
        self.factor = factor

    def call(self, x):
        return self.factor * self.layer(x)

    def get_config(self):
        return super().get_config() | {"factor": self.factor}


def test_a_wrapper_trains_the_layer_within():
    inner = layers.Dense(1)
    model = keras.Sequential([keras.Input((4,)), Twice(inner)])
    model.compile("sgd", "mse")
    before = inner.get_weights()[0]
    np.testing.assert_allclose(model.predict(X, verbose=0), 2 * X @ before, rtol=1e-5)
    model.fit(X, X[:, :1], epochs=2, verbose=0)
    assert len(model.weights) == 2 and not np.array_equal(inner.get_weights()[0], before)
    again = Twice.from_config(Twice(inner, 3.0).get_config())
    assert again.factor == 3.0 and again.layer.units == 1 and again.layer is not inner
    with pytest.raises(StructureError, match="Twice: expected a layer of fnet.keras, received int"):
        Twice(3)


def test_a_layer_with_weights_is_not_normalised_spectrally():
    inner = layers.Dense(1)
    inner(X)
    with pytest.raises(StructureError, match="SpectralNormalization: dense.* has weights already, and the wrapper"):
        layers.SpectralNormalization(inner)
    assert layers.SpectralNormalization(layers.Dense(1))(X).shape == (8, 1)


class Checked(layers.Layer):
    def __init__(self, **spec):
        super().__init__(name="checked")
        self.input_spec = layers.InputSpec(**spec)

    def call(self, x):
        return x * 1.0


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        ({"ndim": 3}, "3 axes"), ({"max_ndim": 1}, "at most 1 axes"), ({"min_ndim": 3}, "at least 3 axes"),
        ({"axes": {-1: 5}}, "the size 5 of axis -1"), ({"dtype": "int32"}, "the dtype int32"),
        ({"shape": (None, 3)}, r"the shape \(None, 3\)"), ({"shape": (None,), "allow_last_axis_squeeze": True}, "the"),
    ],
)  # fmt: skip
def test_input_spec_refuses(spec, expected):
    for x in (X, keras.Input((4,))):
        with pytest.raises(ShapeError, match=rf"checked: input 0 is to have .*{expected}.*, received the shape"):
            Checked(**spec)(x)


def test_input_spec_lets_pass():
    for spec in ({"ndim": 2}, {"shape": (None, 4)}, {"min_ndim": 1, "axes": {1: 4}}, {"dtype": "float32"}):
        assert Checked(**spec)(X).shape == X.shape
    assert Checked(shape=(None, 1), allow_last_axis_squeeze=True)(X[:, 0]).shape == (8,)
    spec = layers.InputSpec(shape=(None, 4))
    assert layers.InputSpec.from_config(spec.get_config()).shape == (None, 4) and spec.ndim == 2
    assert repr(spec) == "InputSpec(shape=(None, 4), ndim=2)" and keras.InputSpec is layers.InputSpec


def test_a_schedule_of_ones_own_says_each_rate():
    class Falling(optimizers.schedules.LearningRateSchedule):
        def __init__(self, first):
            self.first = first

        def __call__(self, step):
            return self.first / (ops.cast(step, "float32") + 1.0)

        def get_config(self):
            return {"first": self.first}

    model = keras.Sequential([layers.Dense(1, use_bias=False, kernel_initializer="zeros", input_shape=(1,))])
    model.compile(optimizers.SGD(Falling.from_config(Falling(0.5).get_config())), "mse")
    ones = np.ones((1, 1), "float32")
    expected = 0.0
    for step in range(3):
        model.train_on_batch(ones, ones)
        expected += 2 * (1 - expected) * 0.5 / (step + 1)
        assert model.get_weights()[0].item() == pytest.approx(expected, rel=1e-6)
    with pytest.raises(NotImplementedError, match="has no __call__"):
        optimizers.schedules.LearningRateSchedule()(0)


def test_the_mean_of_a_function_is_a_metric():
    def far(y_true, y_pred, limit=1.0):
        return ops.cast(ops.abs(y_true - y_pred) > limit, "float32")

    metric = metrics.MeanMetricWrapper(far, limit=0.5)
    metric.update_state([[0.0], [0.0], [0.0], [0.0]], [[0.1], [0.6], [2.0], [0.0]], sample_weight=[1, 1, 2, 1])
    assert metric.name == "far" and metric.result() == pytest.approx(0.6)
    model = keras.Sequential([layers.Dense(1, input_shape=(4,))])
    model.compile("sgd", "mse", metrics=[metrics.MeanMetricWrapper(far, name="wide")])
    assert 0 <= model.evaluate(X, X[:, :1], verbose=0, return_dict=True)["wide"] <= 1


def test_functions_of_losses_and_metrics_give_a_number_for_each_sample():
    y, p = np.eye(3, dtype="float32"), np.full((3, 3), 0.25, "float32")
    assert losses.mse(y, p) == pytest.approx([0.6875 / 3] * 3) and losses.mse is losses.mean_squared_error
    assert metrics.mean_squared_error is losses.mse and metrics.mae(y, p) == pytest.approx([1.25 / 3] * 3)
    smooth = losses.binary_crossentropy(y, p, False, 0.5)
    np.testing.assert_allclose(smooth, losses.binary_crossentropy(0.5 * y + 0.25, p), rtol=1e-6)
    images = np.full((2, 4, 4, 1), 0.5, "float32")
    assert losses.binary_crossentropy(images, images).shape == (2, 4, 4)  # as that of a VAE is summed
    assert losses.get("mse") is losses.mse and repr(losses.mse) == "<function mean_squared_error>"
    model = keras.Sequential([layers.Dense(1, input_shape=(4,))])
    model.compile("sgd", losses.mean_squared_error, metrics=[metrics.mean_squared_error, losses.mae])
    found = model.evaluate(X, X[:, :1], verbose=0, return_dict=True)
    assert found["loss"] == pytest.approx(found["mean_squared_error"], rel=1e-6) and "mean_absolute_error" in found

    def doubled(y_true, y_pred):
        return 2 * losses.mean_squared_error(y_true, y_pred)

    model.compile("sgd", doubled)
    weights = np.arange(8.0)
    plain = losses.mse(X[:, :1], model.predict(X, verbose=0))
    assert model.evaluate(X, X[:, :1], sample_weight=weights, verbose=0) == pytest.approx(
        2 * np.mean(plain * weights), rel=1e-5
    )


def test_callbacks_of_a_loop_of_ones_own():
    calls = []

    class Own(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            calls.append((epoch, logs, self.model, self.params))

        def on_batch_end(self, batch, logs=None):
            calls.append(batch)

    several = callbacks.CallbackList(Own(), add_history=True, model="it", epochs=1)
    several.on_train_begin()
    several.on_train_batch_end(0)
    several.on_epoch_end(0, {"loss": 2.0})
    assert calls == [0, (0, {"loss": 2.0}, "it", {"epochs": 1})]
    assert several.callbacks[1].history == {"loss": [2.0]} and several.callbacks[1].epoch == [0]
    with pytest.raises(AttributeError, match="no attribute 'on_epoch_ends'. Did you mean 'on_epoch_end'"):
        several.on_epoch_ends(0)
    with pytest.raises(
        StructureError, match="CallbackList: expected callbacks of your own classes, received CSVLogger"
    ):
        several.append(callbacks.CSVLogger("a.csv"))
    with pytest.raises(StructureError, match="only fit prints a bar"):
        callbacks.CallbackList(add_progbar=True)


def test_fit_returns_the_history_of_callbacks():
    model = keras.Sequential([layers.Dense(1, input_shape=(4,))])
    model.compile("sgd", "mse")
    record = callbacks.History()
    history = model.fit(X, X[:, :1], epochs=2, verbose=0, callbacks=[record])
    assert isinstance(history, callbacks.History) and record.history["loss"] == history.history["loss"]
