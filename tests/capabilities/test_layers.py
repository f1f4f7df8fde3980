"""What tutorials teach about layers, activations, initializers and penalties, in Keras' words beside functions."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import keras
from fnet.keras import Input, Model, Sequential, layers

pytestmark = pytest.mark.slow
KEY = fnet.random.key(0)
X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")


@pytest.fixture(autouse=True)
def fresh_names():
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)


def test_dense_in_both_words():
    for shape in ((6, 4), (6, 3, 4)):
        layer = layers.Dense(3, activation="relu")
        x = np.resize(X, shape)
        y = layer(x)
        kernel, bias = layer.get_weights()
        assert kernel.shape == (4, 3) and (bias == 0).all() and layer.count_params() == 4 * 3 + 3
        np.testing.assert_allclose(y, np.maximum(x @ kernel + bias, 0), rtol=1e-5)
        made = fnet.layers.Dense(3, "relu").apply({"kernel": kernel, "bias": bias}, {}, x)[0]
        np.testing.assert_array_equal(y, made)
    limit = np.sqrt(6 / (4 + 3))
    assert np.abs(kernel).max() <= limit
    linear = layers.Dense(3)
    np.testing.assert_allclose(linear(X), X @ linear.kernel.numpy(), rtol=1e-5)


def test_activation_is_a_layer_or_a_word():
    named, layer = layers.Dense(3, activation="tanh"), layers.Activation("tanh")
    y = layers.Dense(3)
    inputs = Input((4,))
    model = Model(inputs, layer(y(inputs)))
    named(X)
    named.set_weights(y.get_weights())
    np.testing.assert_array_equal(model(X), named(X))


def test_flatten_reads_the_last_axis_first():
    x = np.arange(2 * 3 * 2 * 2, dtype="float32").reshape(2, 3, 2, 2)
    np.testing.assert_array_equal(layers.Flatten()(x), x.reshape(2, 12))
    np.testing.assert_array_equal(fnet.layers.Flatten().apply({}, {}, x)[0], x.reshape(2, 12))
    inputs = Input(shape=(28, 28, 1))
    assert layers.Flatten(input_shape=(28, 28, 1))(inputs).shape == (None, 784)


def test_the_input_layer_counts_nothing(capsys):
    sequential = Sequential([Input((4,)), layers.Dense(2)])
    inputs = Input((4,), name="here")
    functional = Model(inputs, layers.Dense(2)(inputs))
    assert sequential.count_params() == functional.count_params() == 10
    sequential.summary()
    assert "Input" not in capsys.readouterr().out
    functional.summary()
    assert "here (InputLayer)" in capsys.readouterr().out


def test_a_small_network_of_convolutions():
    model = Sequential(
        [
            layers.Conv2D(filters=4, kernel_size=3, activation="relu", input_shape=(9, 9, 2)),
            layers.MaxPooling2D(pool_size=2),
            layers.Conv2D(3, 3, padding="same"),
            layers.AveragePooling2D(2),
            layers.GlobalMaxPooling2D(),
        ]
    )
    shapes = [layer.output.shape[1:] for layer in model.layers]
    assert shapes == [(7, 7, 4), (3, 3, 4), (3, 3, 3), (1, 1, 3), (3,)]
    assert model.layers[0].kernel.shape == (3, 3, 2, 4)
    x = np.random.default_rng(0).normal(size=(1, 9, 9, 2)).astype("float32")
    first = model.layers[0]
    window = (x[0, 2:5, 3:6, :, None] * first.kernel.numpy()).sum((0, 1, 2))
    np.testing.assert_allclose(first(x)[0, 2, 3], np.maximum(window, 0), rtol=1e-4, atol=1e-5)
    net, params, state = model.functional, model.params, model.state
    grads = fnet.grad(lambda p: np.sum(net.apply(p, state, x)[0]))(params)
    assert np.abs(grads["conv2d"]["kernel"]).sum() > 0


def test_an_embedding_has_a_vector_for_each_word():
    layer = layers.Embedding(50, 8)
    words = np.array([[1, 2, 1]])
    y = layer(words)
    (table,) = layer.get_weights()
    assert y.shape == (1, 3, 8) and np.abs(table).max() <= 0.05
    np.testing.assert_array_equal(y, table[words])


@pytest.mark.parametrize("name", ["SimpleRNN", "LSTM", "GRU"])
def test_recurrent_layers_return_the_last_step_or_all(name):
    x = np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32")
    last, every = (getattr(layers, name)(3, activation="tanh", return_sequences=all_of) for all_of in (False, True))
    assert last(x).shape == (2, 3) and every(x).shape == (2, 5, 3)
    last.set_weights(every.get_weights())
    np.testing.assert_allclose(last(x), every(x)[:, -1], rtol=1e-6)
    made, _ = getattr(fnet.layers, name)(3).apply(last.params, last.state, x)
    np.testing.assert_array_equal(made, last(x))


def test_an_lstm_shows_its_cell_and_forgets_little_at_first():
    layer = layers.LSTM(3, return_state=True)
    y, h, c = layer(np.random.default_rng(0).normal(size=(2, 5, 4)).astype("float32"))
    np.testing.assert_array_equal(y, h)
    assert c.shape == (2, 3) and (c != h).any()
    assert layer.get_weights()[2].tolist() == [0] * 3 + [1] * 3 + [0] * 6  # i, f, c, o


@pytest.mark.parametrize("name", ["one to one", "one to many", "many to one", "many to many", "encoder, decoder"])
def test_shapes_of_sequences_in_and_out(name):
    stack, given, expected = {
        "one to one": ([layers.Dense(3)], (4,), (3,)),
        "one to many": ([layers.RepeatVector(5), layers.LSTM(3, return_sequences=True)], (4,), (5, 3)),
        "many to one": ([layers.LSTM(3)], (5, 4), (3,)),
        "many to many": (
            [layers.LSTM(6, return_sequences=True), layers.TimeDistributed(layers.Dense(3))], (5, 4), (5, 3),
        ),
        "encoder, decoder": (
            [layers.LSTM(6), layers.RepeatVector(7), layers.LSTM(3, return_sequences=True)], (5, 4), (7, 3),
        ),
    }[name]  # fmt: skip
    model = Sequential([Input(given), *stack])
    assert model.output_shape == (None, *expected)
    assert model.functional.out_shape(given) == expected


def test_concatenation_is_a_function_and_a_layer():
    a, b = Input((4,)), Input((3,))
    function, layer = layers.concatenate([a, b]), layers.Concatenate()([a, b])
    assert function.shape == layer.shape == (None, 7)
    assert fnet.layers.Concatenate().out_shape(((4,), (3,))) == (7,)
    with pytest.raises(fnet.errors.ShapeError, match="Concatenate"):
        layers.Concatenate()([Input((5, 2)), Input((4, 2))])


def test_dropout_acts_in_training_only():
    layer = layers.Dropout(0.3, seed=1)
    ones = np.ones((4, 500), "float32")
    np.testing.assert_array_equal(layer(ones), ones)
    dropped = layer(ones, training=True)
    assert set(np.unique(dropped)) == {0.0, np.float32(1 / 0.7)}
    assert abs((dropped == 0).mean() - 0.3) < 0.05
    made, _ = fnet.layers.Dropout(0.3).apply({}, {}, ones, key=KEY, train=True)
    assert abs((made == 0).mean() - 0.3) < 0.05


@pytest.mark.parametrize("words", ["sequential", "functional", "serial"])
def test_dense_then_normalisation_then_activation(words):
    stack = [layers.Dense(3), layers.BatchNormalization(), layers.Activation("relu")]
    if words == "serial":
        made = fnet.layers
        net = fnet.serial(made.Dense(3), made.BatchNormalization(), made.Activation("relu"))
        params, state = net.init(KEY, (4,))
        _, after = net.apply(params, state, X, train=True)
        batch = X @ params["dense"]["kernel"]
        moved = after["batch_normalization"]["moving_mean"]
    else:
        inputs = Input((4,))
        node = inputs
        for layer in stack:
            node = layer(node)
        model = Sequential(stack) if words == "sequential" else Model(inputs, node)
        model.compile("sgd", "mse")
        batch = X @ stack[0].kernel.numpy()
        model.fit(X, np.zeros((6, 3)), batch_size=6, verbose=0)
        moved = stack[1].get_weights()[2]
    np.testing.assert_allclose(moved, 0.01 * batch.mean(0), rtol=1e-4, atol=1e-6)


def test_layers_with_and_without_weights():
    for layer in (layers.Flatten(), layers.ReLU(), layers.Dropout(0.5)):
        layer(X)
        assert layer.weights == []
    params, state = fnet.layers.Flatten().init(KEY, (4, 2))
    assert (params, state) == ({}, {})
    init, apply = fnet.layers.Dense(3)
    y, _ = apply(*init(KEY, (4,)), X)
    assert y.shape == (6, 3)


@pytest.mark.parametrize(
    "name, formula",
    [
        ("linear", lambda x: x),
        ("relu", lambda x: np.maximum(x, 0)),
        ("tanh", np.tanh),
        ("sigmoid", lambda x: 1 / (1 + np.exp(-x))),
        ("softmax", lambda x: np.exp(x) / np.exp(x).sum(-1, keepdims=True)),
        ("binary_step", lambda x: (x >= 0).astype("float32")),
    ],
)
def test_an_activation_by_its_name(name, formula):
    np.testing.assert_allclose(layers.Activation(name)(X), formula(X), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(getattr(keras.activations, name)(X), formula(X), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(getattr(fnet.activations, name)(X), formula(X), rtol=1e-5, atol=1e-6)


def test_a_step_has_no_slope_to_learn_from():
    assert (fnet.grad(lambda x: np.sum(fnet.activations.binary_step(x)))(X) == 0).all()


def test_initial_weights_by_name_and_seed():
    layer = layers.Dense(10, activation="softmax", kernel_initializer="he_normal", name="Dense Layer")
    layer(np.ones((1, 1000), "float32"))
    kernel, bias = layer.get_weights()
    assert abs(kernel.std() - np.sqrt(2 / 1000)) < 0.003 and (bias == 0).all() and abs(kernel.mean()) < 0.003
    one, two = fnet.layers.Dense(3).init(KEY, (4,)), fnet.layers.Dense(3).init(KEY, (4,))
    assert fnet.tree.all_equal(one, two)
    assert not fnet.tree.all_equal(one, fnet.layers.Dense(3).init(fnet.random.key(1), (4,)))


@pytest.mark.parametrize(
    "given, l1, l2",
    [
        (keras.regularizers.L1L2(l1=0, l2=0.1), 0, 0.1),
        (keras.regularizers.L1(0.2), 0.2, 0),
        (keras.regularizers.l2(0.3), 0, 0.3),
        (keras.regularizers.l1(0.2), 0.2, 0),
        (keras.regularizers.L2(), 0, 0.01),
        ("l1", 0.01, 0),
        ("l2", 0, 0.01),
    ],
)
def test_penalties_are_part_of_the_loss(given, l1, l2):
    model = Sequential([layers.Dense(3, kernel_regularizer=given, input_shape=(4,))])
    model.compile("sgd", "mse")
    kernel = model.get_weights()[0]
    y = model.predict(X, verbose=0)
    penalty = l1 * np.abs(kernel).sum() + l2 * (kernel**2).sum()
    assert model.evaluate(X, y, verbose=0) == pytest.approx(penalty, rel=1e-4, abs=1e-6)
    net = fnet.layers.Dense(3, kernel_regularizer=given)
    assert float(fnet.penalty(net, {"kernel": kernel, "bias": np.zeros(3)})) == pytest.approx(penalty, rel=1e-4)
