"""What tutorials teach about losses, optimizers, training, files and pictures, in Keras' words beside functions."""

from __future__ import annotations

import contextlib
import re
import shutil

import h5py
import numpy as np
import pytest

import fnet
from fnet import keras
from fnet.errors import FileError
from fnet.keras import Input, Model, Sequential, layers, models, optimizers

pytestmark = pytest.mark.slow
X = np.random.default_rng(0).normal(size=(20, 4)).astype("float32")
Y = X.sum(1, keepdims=True)
POSITIVE = np.float32([[0.2, 0.7, 0.1], [0.6, 0.3, 0.1]])
ONE_HOT = np.float32([[0, 1, 0], [1, 0, 0]])


@pytest.fixture(autouse=True)
def fresh_names():
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)


def small(optimizer="sgd", loss="mse", **options):
    model = Sequential([layers.Dense(1, input_shape=(4,))])
    model.compile(optimizer=optimizer, loss=loss, **options)
    return model


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def entropy(y, p):
    return -(y * np.log(p) + (1 - y) * np.log(1 - p))


LOSSES = {
    "mse": lambda y, p: ((y - p) ** 2).mean(),
    "mae": lambda y, p: np.abs(y - p).mean(),
    "msle": lambda y, p: ((np.log1p(y) - np.log1p(p)) ** 2).mean(),
    "mape": lambda y, p: 100 * (np.abs(y - p) / np.maximum(np.abs(y), 1e-7)).mean(),
    "kld": lambda y, p: (np.maximum(y, 1e-7) * np.log(np.maximum(y, 1e-7) / p)).sum(-1).mean(),
    "poisson": lambda y, p: (p - y * np.log(p + 1e-7)).mean(),
    "log_cosh": lambda y, p: np.log(np.cosh(y - p)).mean(),
    "logcosh": lambda y, p: np.log(np.cosh(y - p)).mean(),
    "cosine_similarity": lambda y, p: -(unit(y) * unit(p)).sum(-1).mean(),
    "huber": lambda y, p: (0.5 * (y - p) ** 2).mean(),
    "binary_crossentropy": lambda y, p: entropy(y, p).mean(),
    "categorical_crossentropy": lambda y, p: -(y * np.log(p)).sum(-1).mean(),
    "hinge": lambda y, p: np.maximum(1 - (2 * y - 1) * p, 0).mean(),
    "squared_hinge": lambda y, p: (np.maximum(1 - (2 * y - 1) * p, 0) ** 2).mean(),
    "categorical_hinge": lambda y, p: np.maximum(((1 - y) * p).max(-1) - (y * p).sum(-1) + 1, 0).mean(),
    "crossentropy": lambda y, p: -(y * np.log(p)).sum(-1).mean(),
}  # fmt: skip


@pytest.mark.parametrize("name", LOSSES)
def test_a_loss_by_its_name(name):
    inputs = Input((3,))
    model = Model(inputs, layers.Activation("linear")(inputs))
    model.compile(optimizer="sgd", loss=name)
    expected = LOSSES[name](ONE_HOT.astype("float64"), POSITIVE.astype("float64"))
    value = model.evaluate(POSITIVE, ONE_HOT, verbose=0)
    assert value == pytest.approx(expected, rel=1e-4)
    assert float(fnet.losses.get(name)(ONE_HOT, POSITIVE)) == pytest.approx(expected, rel=1e-4)


def test_integer_labels_mean_the_same_as_one_hot_rows():
    labels = ONE_HOT.argmax(-1)
    sparse, rows = (fnet.losses.get(name) for name in ("sparse_categorical_crossentropy", "categorical_crossentropy"))
    assert float(sparse(labels, POSITIVE)) == pytest.approx(float(rows(ONE_HOT, POSITIVE)), rel=1e-6)
    model = Sequential([layers.Dense(3, activation="softmax", input_shape=(4,))])
    x, y = X[:2], keras.utils.to_categorical(labels, 3)
    found = []
    for loss, targets in (("sparse_categorical_crossentropy", labels), ("categorical_crossentropy", y)):
        model.compile("sgd", loss, metrics=["accuracy"])
        found.append(model.evaluate(x, targets, verbose=0))
    assert found[0] == pytest.approx(found[1], rel=1e-6)


def test_ctc_in_both_words():
    logits = np.random.default_rng(0).normal(size=(2, 6, 4)).astype("float32")
    labels = np.array([[1, 2, 0], [3, 0, 0]])
    value = float(fnet.losses.ctc(labels, logits))
    assert float(keras.losses.CTC()(labels, logits)) == pytest.approx(value, rel=1e-6)
    model = Sequential([layers.Dense(4, input_shape=(None, 4))])
    model.compile("adam", keras.losses.CTC())
    record = model.fit(logits, labels, epochs=30, verbose=0)
    assert record.history["loss"][-1] < record.history["loss"][0]


def test_a_likelihood_of_ones_own_is_minimised():
    def nll(y_true, y_pred):
        return np.mean(y_pred[:, 1:] + 0.5 * ((y_true - y_pred[:, :1]) / np.exp(y_pred[:, 1:])) ** 2)

    model = Sequential([layers.Dense(2, input_shape=(4,))])
    model.compile(optimizers.Adam(0.05), nll)
    record = model.fit(X, Y, epochs=40, verbose=0)
    assert record.history["loss"][-1] < record.history["loss"][0] - 1


RULES = "adam SGD sgd RMSprop AdamW Adagrad Adadelta Adamax Nadam Ftrl Lion"


@pytest.mark.parametrize("name", RULES.split())
def test_an_optimizer_by_its_name_lowers_the_loss(name):
    model = small(name)
    before = model.evaluate(X, Y, verbose=0)
    model.fit(X, Y, epochs=2, verbose=0)
    assert model.evaluate(X, Y, verbose=0) < before
    assert fnet.optimizers.get(name).config


def test_an_optimizer_by_class_and_object():
    for optimizer in (optimizers.RMSprop, optimizers.RMSprop(), optimizers.RMSprop(learning_rate=0.001), "rmsprop"):
        model = small(optimizer)
        assert model.optimizer.learning_rate == 0.001
    with pytest.warns(DeprecationWarning, match="learning_rate"):
        fnet.optimizers.adam(lr=1e-4)
    assert optimizers.Adam(lr=1e-4).learning_rate == 1e-4


def test_all_samples_in_one_batch_are_plain_gradient_descent():
    model = small(optimizers.SGD(0.1))
    kernel, bias = model.get_weights()
    model.fit(X, Y, batch_size=len(X), epochs=1, verbose=0)
    error = X @ kernel + bias - Y
    np.testing.assert_allclose(model.get_weights()[0], kernel - 0.1 * 2 * X.T @ error / len(X), rtol=1e-4, atol=1e-6)
    assert model.optimizer.iterations == 1
    model.fit(X, Y, batch_size=8, epochs=2, verbose=0)
    assert model.optimizer.iterations == 1 + 2 * 3  # 20 samples: two batches of 8 and one of 4


def test_four_steps_from_data_to_a_trained_model():
    model = Sequential([layers.Dense(16, activation="relu"), layers.Dense(1)])
    model.compile(optimizer="adam", loss="mse", metrics=["mae"])
    history = model.fit(X, Y, batch_size=10, epochs=3, validation_split=0.2, verbose=0)
    assert set(history.history) == {"loss", "mae", "val_loss", "val_mae"}
    assert [len(values) for values in history.history.values()] == [3] * 4
    loss, mae = model.evaluate(X, Y, verbose=0)
    np.testing.assert_allclose(model.predict(X, batch_size=7, verbose=0), model(X), rtol=1e-5, atol=1e-6)
    assert loss == pytest.approx(float(((model(X) - Y) ** 2).mean()), rel=1e-5) and mae > 0


@pytest.mark.parametrize("units, loss", [(1, "binary_crossentropy"), (3, "categorical_crossentropy")])
def test_accuracy_means_what_the_loss_means(units, loss):
    activation = "sigmoid" if units == 1 else "softmax"
    model = Sequential([layers.Dense(units, activation=activation, input_shape=(4,))])
    model.compile("sgd", loss, metrics=["accuracy"])
    labels = (X[:, 0] > 0).astype("int64") + (units == 3) * (X[:, 1] > 0)
    targets = labels[:, None] if units == 1 else keras.utils.to_categorical(labels, 3)
    y = model.predict(X, verbose=0)
    chosen = (y[:, 0] > 0.5) if units == 1 else y.argmax(-1)
    assert model.evaluate(X, targets, verbose=0)[1] == pytest.approx((chosen == labels).mean())


def test_weights_go_to_a_file_and_into_a_new_model(tmp_path):
    model = small()
    model.fit(X, Y, verbose=0)
    path = tmp_path / "simple_weights.h5"
    model.save_weights(path)
    keras.backend.clear_session()
    again = keras.Sequential()
    again.add(layers.Dense(units=1, input_dim=4))
    again.compile(optimizer="sgd", loss="mse")
    again.load_weights(path)
    assert all((a == b).all() for a, b in zip(model.get_weights(), again.get_weights(), strict=True))


def test_a_checkpoint_of_tensorflow_is_refused_by_what_it_is(tmp_path):
    path = tmp_path / "simple_weights.index"
    path.write_bytes(b"\x00\x00\x12\x08\x01\x1a\x02\x08\x01")
    with pytest.raises(FileError, match=re.escape(str(path))):
        small().load_weights(path)


@pytest.mark.parametrize("epochs", [0, 1])
def test_a_whole_model_goes_to_a_file(epochs, tmp_path):
    """Compiled as it is, trained before or not."""
    model = small(metrics=["mae"])
    if epochs:
        model.fit(X, Y, epochs=epochs, verbose=0)
    path = tmp_path / "simple_model.h5"
    model.save(path)
    again = models.load_model(path)
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    assert again.evaluate(X, Y, verbose=0) == model.evaluate(X, Y, verbose=0)
    with h5py.File(path) as file:
        assert {"model_config", "training_config"} <= set(file.attrs) and "model_weights" in file


def test_a_summary_is_a_table_of_layers(capsys):
    Sequential([layers.Dense(32, input_shape=(784,)), layers.Dense(10)]).summary()
    text = capsys.readouterr().out
    assert re.search(r"dense \(Dense\) +│ \(None, 32\) +│ +25,120 ", text)
    assert "Total params: 25,450" in text
    net = fnet.serial(fnet.layers.Dense(32), fnet.layers.Dense(10))
    assert fnet.summary(net, (784,)).to_dict()["total_params"] == 25450


@pytest.mark.parametrize("name", ["sequential.png", None])
def test_a_model_is_drawn_with_and_without_a_name(name, tmp_path, monkeypatch):
    """As PNG where Graphviz is, else as the text that Graphviz draws from, and says so."""
    monkeypatch.chdir(tmp_path)
    has_graphviz = shutil.which("dot") is not None
    with contextlib.nullcontext() if has_graphviz else pytest.warns(UserWarning, match="Graphviz"):
        path = keras.utils.plot_model(small(), *([name] if name else []))
    assert path.stem == (name or "model.png").removesuffix(".png") and path.stat().st_size > 100
