"""What tutorials teach about building models: imports, Sequential, the functional API, subclasses."""

from __future__ import annotations

import importlib

import numpy as np
import pytest

import fnet
from fnet import keras, tree
from fnet.errors import ShapeError, StructureError
from fnet.keras import Input, Model, Sequential, layers, models

pytestmark = pytest.mark.slow
KEY = fnet.random.key(0)
X = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")


@pytest.fixture(autouse=True)
def fresh_names():
    keras.backend.clear_session()
    keras.utils.set_random_seed(0)


def weights(model):
    return [weight.path for weight in model.weights]


NAMES = {
    "models": "Sequential Model Input load_model",
    "layers": "Dense Activation Dropout Flatten Conv2D MaxPooling2D LSTM SimpleRNN Input Concatenate concatenate",
    "optimizers": "Adam SGD RMSprop",
    "regularizers": "L1L2 L1 L2",
    "losses": "MeanSquaredError BinaryCrossentropy",
    "callbacks": "TensorBoard EarlyStopping",
    "utils": "plot_model to_categorical",
    "initializers": "HeNormal GlorotUniform",
    "metrics": "Accuracy",
}


@pytest.mark.parametrize("module", NAMES)
def test_modules_have_the_names_of_keras(module):
    there = importlib.import_module(f"fnet.keras.{module}")
    assert there is getattr(keras, module)
    assert [name for name in NAMES[module].split() if not callable(getattr(there, name))] == []


def test_the_input_is_in_all_three_places():
    assert layers.Input is models.Input is keras.Input
    assert fnet.layers.Input is fnet.Input


def test_ranks_are_checked_by_layer():
    for layer, good, bad in (
        (fnet.layers.Dense(3), (4,), ()),
        (fnet.layers.LSTM(3), (5, 4), (4,)),
        (fnet.layers.Conv2D(3, 2), (5, 5, 1), (5, 5)),
    ):
        layer.out_shape(good)
        with pytest.raises(ShapeError, match=layer.kind):
            layer.out_shape(bad)
    with pytest.raises(
        ShapeError, match=r"Conv2D takes samples of shape \(height, width, channels\), received \(5, 5\)"
    ):
        layers.Conv2D(3, 2)(np.ones((2, 5, 5), "float32"))


def test_layers_run_in_the_order_in_which_they_were_added():
    model = keras.Sequential()
    model.add(layers.Dense(3, activation="relu"))
    model.add(layers.Dense(1))
    y = model(X)
    assert keras.Sequential is Sequential is models.Sequential
    first, second = model.layers
    np.testing.assert_array_equal(y, second(first(X)))
    net = fnet.serial(fnet.layers.Dense(3, "relu"), fnet.layers.Dense(1))
    params = dict(zip(net.init(KEY, (4,))[0], model.params.values(), strict=True))
    np.testing.assert_array_equal(y, net.apply(params, net.init(KEY, (4,))[1], X)[0])


def test_a_list_of_layers_with_an_input_and_names():
    model = Sequential([Input(shape=(4,), name="Input"), layers.Dense(3, name="Dense1"), layers.Dense(1, name="Out")])
    assert weights(model) == ["Dense1/kernel", "Dense1/bias", "Out/kernel", "Out/bias"]
    assert model.output_shape == (None, 1)
    assert fnet.serial([fnet.layers.Dense(3), fnet.layers.Dense(1)]).out_shape((4,)) == (1,)


def test_an_input_that_is_added_builds_the_model():
    model = Sequential()
    model.add(Input(shape=(28, 28)))
    model.add(layers.Dense(30))
    assert model.built and model.output_shape == (None, 28, 30) and model.count_params() == 28 * 30 + 30


@pytest.mark.parametrize("declared", [{"input_shape": (18,)}, {"input_dim": 18}])
def test_a_shape_of_the_first_layer_builds_the_model(declared):
    model = Sequential()
    model.add(layers.Dense(4, activation="relu", **declared))
    model.add(layers.Dense(3))
    assert model.built and model.input_shape == (None, 18) and model.count_params() == 18 * 4 + 4 + 4 * 3 + 3
    assert model.summary() is None


def test_sizes_of_inputs_are_found_layer_by_layer():
    net = fnet.serial(fnet.layers.Dense(32), fnet.layers.Dense(10), fnet.layers.Dense(20))
    params, _ = net.init(KEY, (784,))
    assert [p["kernel"].shape for p in params.values()] == [(784, 32), (32, 10), (10, 20)]
    model = Sequential([layers.Dense(32, input_shape=(784,)), layers.Dense(10), layers.Dense(20)])
    assert [w.shape for w in model.get_weights()[::2]] == [(784, 32), (32, 10), (10, 20)]


def test_a_layer_stands_alone():
    layer = layers.Dense(32, input_shape=(784,))
    assert layer(np.ones((2, 784), "float32")).shape == (2, 32)
    assert fnet.layers.Dense(32).out_shape((784,)) == (32,)


@pytest.mark.parametrize("ends", [[Input((4,)), Input((3,))], [Input((5, 4)), layers.LSTM(3, return_state=True)]])
def test_sequential_has_one_input_and_one_output(ends):
    with pytest.raises(StructureError, match="several inputs is Model|has 3 outputs"):
        Sequential(ends)


def test_a_symbolic_input_has_a_batch_of_any_size_a_name_and_a_dtype():
    node = Input(shape=(28, 28), dtype="float32", name="picture")
    assert node.shape == (None, 28, 28) and node.dtype == np.float32 and node.name == "picture"
    assert Input(shape=(None,), dtype=np.int32).shape == (None, None)
    assert fnet.Input((28, 28), dtype="float32", name="picture").name == "picture"


def test_a_call_on_a_node_gives_a_node():
    inputs = Input(shape=(16,))
    x = layers.Dense(8, activation="relu")(inputs)
    assert x.shape == (None, 8)
    by_place, by_name = Model(inputs, x), models.Model(inputs=[inputs], outputs=[x])
    assert by_place.count_params() == by_name.count_params() == 16 * 8 + 8


def test_branches_of_one_node_add_their_gradients():
    x = fnet.Input((4,))
    shared = fnet.layers.Dense(3, name="shared")(x)
    net = fnet.graph(x, fnet.layers.concatenate([fnet.layers.Dense(2, "tanh")(shared), fnet.layers.Dense(5)(shared)]))
    params, state = net.init(KEY)

    def loss(params):
        return np.sum(net.apply(params, state, X)[0] ** 2)

    fnet.testing.check_grads(loss, tree.map(lambda leaf: leaf.astype("float64"), params))


def test_inputs_of_any_length():
    words = Input(shape=(None,), dtype="int32", name="title")
    model = Model(words, layers.Dense(1)(layers.LSTM(3)(layers.Embedding(20, 4)(words))))
    for steps in (3, 7):
        assert model.predict(np.ones((2, steps), "int32"), verbose=0).shape == (2, 1)
    net = fnet.serial(fnet.layers.Embedding(20, 4), fnet.layers.LSTM(3))
    params, state = net.init(KEY, (None,))
    assert [net.apply(params, state, np.ones((2, n), "int32"))[0].shape for n in (3, 7)] == [(2, 3)] * 2


def test_names_with_blanks_stay_in_summary_and_file(tmp_path, capsys):
    model = Sequential([layers.Dense(2, name="Dense Layer", input_shape=(4,))])
    model.summary()
    assert "Dense Layer (Dense)" in capsys.readouterr().out
    model.save(tmp_path / "m.keras")
    again = models.load_model(tmp_path / "m.keras", compile=False)
    assert again.get_layer("Dense Layer").units == 2
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))


def test_a_skip_of_rank_three():
    inputs = Input(shape=(28, 28))
    hidden = layers.Dense(30)(layers.Dense(10)(inputs))
    model = Model([inputs], [layers.Dense(1)(layers.Concatenate()([inputs, hidden]))])
    assert model.get_layer("dense_2").kernel.shape == (58, 1) and model.output_shape == (None, 28, 1)
    assert fnet.fanout(fnet.layers.Identity(), fnet.layers.Dense(30)).out_shape((28, 28)) == (28, 58)


def test_a_graph_without_an_order_is_no_graph():
    loop = Input((4,))
    with pytest.raises(StructureError, match="not among the inputs"):
        Model(Input((4,)), layers.Dense(2)(loop))
    net = fnet.residual(fnet.serial(fnet.layers.Dense(8, "relu"), fnet.layers.Dense(4)))
    x = fnet.Input((4,))
    assert fnet.graph(x, fnet.layers.Add()([net(x), fnet.layers.Dense(4)(x)])).out_shape() == (4,)


def test_a_model_is_a_graph_of_layers_in_an_order_that_serves_every_layer():
    a, b = Input((4,), name="a"), Input((4,), name="b")
    deep = layers.Dense(3, name="deep")(layers.Dense(3, name="first")(a))
    model = Model([a, b], layers.Dense(1, name="end")(layers.concatenate([deep, b])))
    names = [layer.name for layer in model.layers]
    assert all(names.index(x) < names.index(y) for x, y in [("first", "deep"), ("deep", "concatenate"), ("b", "end")])


def test_a_subclass_has_arguments_and_control_flow(tmp_path):
    class Own(Model):
        def __init__(self, units=5, activation="relu", **options):
            super().__init__(**options)
            self.steps = [layers.Dense(units, activation=activation) for _ in range(2)]
            self.end = layers.Dense(1)

        def call(self, inputs):
            for step in self.steps:
                inputs = step(inputs)
            return self.end(inputs)

    model, again = Own(units=3, name="own"), Own(units=3)
    model.compile("sgd", "mse", metrics=["mae"])
    y = X.sum(1, keepdims=True)
    assert len(model.fit(X, y, verbose=0, epochs=2).history["mae"]) == 2
    assert len(model.evaluate(X, y, verbose=0)) == 2 and model.predict(X, verbose=0).shape == (6, 1)
    model.save_weights(tmp_path / "own.weights.h5")
    again(X)
    again.load_weights(tmp_path / "own.weights.h5")
    np.testing.assert_array_equal(again.predict(X, verbose=0), model.predict(X, verbose=0))
    with pytest.raises(StructureError, match=r"fnet\.register\(\"Own\", make\)"):
        model.save(tmp_path / "own.keras")
