"""The words of Keras over the functional core: layers, models, training, classes of the user's own, files."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import tree
from fnet.errors import DtypeError, FileError, ShapeError, StructureError
from fnet.keras import (
    Input,
    Model,
    Sequential,
    backend,
    callbacks,
    from_functional,
    initializers,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    utils,
)
from fnet.masking import unmasked
from fnet.networks.graph import wiring_of
from tests.tables import LAYERS, inputs

X = np.random.default_rng(0).normal(size=(32, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


@pytest.fixture(autouse=True)
def fresh_names():
    backend.clear_session()
    utils.set_random_seed(0)


def small(**options):
    model = Sequential([layers.Dense(5, activation="relu", input_shape=(4,)), layers.Dropout(0.2), layers.Dense(1)])
    model.compile(**{"optimizer": "sgd", "loss": "mse", **options})
    return model


def has_tuples(shape):
    return isinstance(shape, tuple) and any(isinstance(part, tuple) for part in shape)


class Linear(layers.Layer):
    def __init__(self, units, **options):
        super().__init__(**options)
        self.units = units

    def build(self, input_shape):
        self.w = self.add_weight(shape=(input_shape[-1], self.units), name="w", regularizer="l2")
        self.b = self.add_weight(shape=(self.units,), initializer="zeros", name="b", constraint="non_neg")
        self.calls = self.add_weight(shape=(), initializer="zeros", trainable=False, name="calls")

    def call(self, inputs, training=None):
        if training:
            self.calls.assign_add(1.0)
        return ops.matmul(inputs, self.w) + self.b


class Net(Model):
    def __init__(self, **options):
        super().__init__(**options)
        self.first = layers.Dense(6, activation="tanh")
        self.blocks = [Linear(3), layers.BatchNormalization()]
        self.last = layers.Dense(1)

    def call(self, x, training=False):
        x = self.first(x)
        for block in self.blocks:
            x = block(x)
        return self.last(x)


def test_a_model_does_what_the_trainer_does_to_the_bit():
    model = small(optimizer=optimizers.Adam(0.01), metrics=["mae"])
    net, params, state = model.functional, model.params, model.state
    utils.set_random_seed(3)
    record = model.fit(X, Y, batch_size=8, epochs=3, verbose=0, validation_split=0.25)
    trainer = fnet.Trainer(net, "mse", fnet.optimizers.adam(0.01), ["mae"])
    key = fnet.random.fold_in(fnet.random.key(3), 1)
    ts, history = trainer.fit(
        trainer.init_from(key, params, state), X, Y, batch_size=8, epochs=3, verbose=0, validation_split=0.25
    )
    assert record.history == history.history and record.epoch == [0, 1, 2]
    assert tree.all_equal(model.params, ts.params)
    assert model.evaluate(X, Y) == list(trainer.evaluate(ts, X, Y))
    assert (model.predict(X) == trainer.predict(ts, X)).all()
    assert model.optimizer.iterations == 9


def test_names_are_counted_for_the_session():
    first, second, named = layers.Dense(1), layers.Dense(1), layers.Dense(1, name="head")
    assert [first.name, second.name, named.name, layers.MaxPooling2D().name] == [
        "dense", "dense_1", "head", "max_pooling2d",
    ]  # fmt: skip
    backend.clear_session()
    assert layers.Dense(1).name == "dense"


def test_weights_are_made_at_the_first_call_or_where_a_shape_is_known():
    model = Sequential([layers.Dense(3), layers.Dense(1)])
    assert not model.built
    with pytest.raises(StructureError, match="not built yet"):
        model.functional  # noqa: B018
    assert model(X).shape == (32, 1) and model.input_shape == (None, 4)
    for declared in ({"input_dim": 4}, {"input_shape": (4,)}, {"batch_input_shape": (None, 4)}):
        assert Sequential([layers.Dense(3, **declared)]).count_params() == 15


def test_a_sequential_grows_and_shrinks():
    model = Sequential()
    model.add(Input((4,)))
    model.add(layers.Dense(3))
    model.add(layers.Dense(2))
    assert model.output_shape == (None, 2)
    kernel = model.layers[0].kernel.numpy()
    assert model.pop().name == "dense_1"
    assert model.output_shape == (None, 3) and (model.layers[0].kernel.numpy() == kernel).all()


@pytest.mark.parametrize(
    "wrong, text",
    [
        (lambda: Sequential([layers.Dense]), r"received Dense\. Call it: Dense\(\.\.\.\)\."),
        (lambda: Sequential([layers.Dense(1), Input((3,))]), "stands in front of all layers"),
        (lambda: Sequential([Input((5, 2)), layers.LSTM(3, return_state=True)]), "has 3 outputs"),
        (lambda: Sequential([layers.Dense(1, name="a"), layers.Dense(1, name="a")]), "two layers are named 'a'"),
        (lambda: Sequential().pop(), "has no layers"),
        (lambda: Model(Input((3,))), r"give both, inputs and outputs"),
        (lambda: small().get_layer("dens"), "Did you mean 'dense'"),
        (lambda: Sequential([layers.Dense(1)]).fit(X, Y), r"is not compiled: model\.compile"),
        (lambda: small(loss=None).fit(X, Y), "compiled without a loss"),
        (lambda: small().fit(X, Y, validation_freq=2), "validates after each epoch"),
        (lambda: layers.Layer()(X), r"has no call\(self, inputs\)"),
    ],
)
def test_mistakes_are_explained(wrong, text):
    with pytest.raises(StructureError, match=text):
        wrong()


def test_what_is_misspelt_is_named():
    with pytest.raises(AttributeError, match="Did you mean 'kernel'"):
        small().layers[0].kernal  # noqa: B018
    with pytest.raises(AttributeError, match="Did you mean 'Dense'"):
        layers.Dens  # noqa: B018
    with pytest.raises(TypeError, match="unexpected argument 'losss'"):
        Sequential([layers.Dense(1)]).compile("sgd", losss="mse")
    with pytest.raises(DtypeError, match="compute in float32"):
        layers.Dense(1, dtype="float64")


def test_several_inputs_and_outputs_by_list_and_by_name():
    left, right = Input((4,), name="left"), Input((2,), name="right")
    shared = layers.Dense(3)
    merged = layers.concatenate([shared(left), right])
    model = Model(
        [left, right],
        [layers.Dense(1, name="size")(merged), layers.Dense(2, activation="softmax", name="kind")(shared(left))],
    )
    kinds = (Y[:, 0] > 0).astype(int)
    model.compile("sgd", {"size": "mse", "kind": "sparse_categorical_crossentropy"}, metrics={"kind": "accuracy"})
    by_list = model.evaluate([X, X[:, :2]], [Y, kinds], return_dict=True)
    by_name = model.evaluate({"left": X, "right": X[:, :2]}, {"kind": kinds, "size": Y}, return_dict=True)
    assert by_list == by_name and list(by_list) == ["kind_accuracy", "kind_loss", "loss", "size_loss"]
    size, kind = model.predict([X, X[:, :2]])
    assert size.shape == (32, 1) and kind.shape == (32, 2)
    assert [layer.name for layer in model.layers] == ["left", "dense", "right", "concatenate", "size", "kind"]
    assert len(model.weights) == 6 and len({weight.path for weight in model.weights}) == 6


def test_models_share_the_weights_of_their_layers():
    model = small()
    part = Model(model.input, model.layers[0].output)
    model.fit(X, Y, verbose=0)
    np.testing.assert_allclose(part.predict(X), model.layers[0](X), rtol=1e-6)
    outer = Sequential([Input((4,)), part, layers.Dense(1)])
    outer.compile("sgd", "mse")
    before = model.layers[0].kernel.numpy()
    outer.fit(X, Y, verbose=0)
    assert (model.layers[0].kernel.numpy() != before).any()
    assert part.layers[-1] is model.layers[0]


def test_layers_that_are_not_trainable_stay_as_they_are():
    model = small()
    model.layers[0].trainable = False
    model.compile("sgd", "mse")
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    same = [(a == b).all() for a, b in zip(before, model.get_weights(), strict=True)]
    assert same == [True, True, False, False]
    assert [weight.path for weight in model.trainable_weights] == ["dense_1/kernel", "dense_1/bias"]


def test_weights_are_read_and_set():
    model = small()
    model.set_weights([np.full(weight.shape, i) for i, weight in enumerate(model.weights)])
    assert [float(w.max()) for w in model.get_weights()] == [0, 1, 2, 3]
    with pytest.raises(ShapeError, match=r"dense/bias: expected the shape \(5,\), received \(4,\)"):
        model.set_weights([np.ones((4, 5)), np.ones(4), np.ones((5, 1)), np.ones(1)])
    with pytest.raises(ShapeError, match="expected 4 weights, received 1"):
        model.set_weights([np.ones(3)])
    assert model.get_weights()[0].max() == 0


def test_layers_of_ones_own_train_and_count():
    model = Net()
    model.compile("sgd", "mse")
    model.fit(X, Y, batch_size=16, epochs=2, verbose=0)
    linear = model.blocks[0]
    assert float(linear.calls.numpy()) == 4 and linear.b.numpy().min() >= 0
    assert [weight.path for weight in model.weights][:5] == [
        "dense/kernel", "dense/bias", "linear/w", "linear/b", "linear/calls",
    ]  # fmt: skip
    np.testing.assert_allclose(model(X), model.predict(X), rtol=1e-5, atol=1e-6)
    net, params, state = model.functional, model.params, model.state
    np.testing.assert_array_equal(net.apply(params, state, X)[0], model(X))
    fresh, _ = net.init(fnet.random.key(0), (4,))
    assert tree.structure(fresh) == tree.structure(params)
    assert float(fnet.penalty(net, params)) == pytest.approx(0.01 * float((linear.w.numpy() ** 2).sum()), rel=1e-5)


def test_the_gradient_of_a_layer_of_ones_own_is_that_of_its_formula():
    layer = Linear(3)
    layer(X)
    net, params, state = layer.functional, layer.params, layer.state
    grads = fnet.grad(lambda p: np.sum(net.apply(p, state, X)[0] ** 2))(params)
    y = X @ params["w"] + params["b"]
    np.testing.assert_allclose(grads["w"], 2 * X.T @ y, rtol=1e-4, atol=1e-4)


def test_callbacks_of_ones_own_see_and_change_the_model():
    seen = []

    class Own(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((epoch, logs["loss"], float(self.model.optimizer.learning_rate)))
            self.model.optimizer.learning_rate = 0.5 * float(self.model.optimizer.learning_rate)
            self.model.stop_training = epoch == 1

        def on_train_end(self, logs=None):
            self.model.set_weights([np.zeros(weight.shape) for weight in self.model.weights])

    model = small(optimizer=optimizers.SGD(learning_rate=0.1))
    record = model.fit(X, Y, epochs=5, verbose=0, callbacks=[Own()])
    assert [(epoch, rate) for epoch, _, rate in seen] == [(0, 0.1), (1, 0.05)]
    assert record.history["loss"] == [loss for _, loss, _ in seen] and list(record.history) == ["loss"]
    assert float(model.optimizer.learning_rate) == 0.025
    assert all((weight == 0).all() for weight in model.get_weights())


def test_learning_rates_that_are_set_hold_in_the_next_fit():
    model = small(optimizer=optimizers.SGD(lr=0.1))
    model.fit(X, Y, verbose=0)
    model.optimizer.learning_rate = 0.0
    before = model.get_weights()
    model.fit(X, Y, verbose=0)
    assert all((a == b).all() for a, b in zip(before, model.get_weights(), strict=True))


def test_losses_and_metrics_are_objects():
    class Absolute(losses.Loss):
        def call(self, y_true, y_pred):
            return ops.mean(ops.absolute(y_pred - y_true), axis=-1)

    model = small(loss=Absolute(), metrics=[metrics.MeanAbsoluteError(name="m"), "mse"])
    loss, m, mse = model.evaluate(X, Y)
    assert loss == pytest.approx(m, rel=1e-6) and mse > 0
    accuracy = metrics.BinaryAccuracy()
    accuracy.update_state([[1.0], [0.0]], [[0.9], [0.8]])
    accuracy.update_state([[1.0]], [[0.9]])
    assert float(accuracy.result()) == pytest.approx(2 / 3)
    accuracy.reset_state()
    assert float(accuracy.result()) == 0


def test_seeds_decide():
    one, two = (initializers.GlorotUniform(seed=4) for _ in range(2))
    key, other = fnet.random.key(0), fnet.random.key(1)
    assert (one(key, (3, 2), "float32") == two(other, (3, 2), "float32")).all()
    utils.set_random_seed(7)
    first = small().get_weights()
    utils.set_random_seed(7)
    assert all((a == b).all() for a, b in zip(first, small().get_weights(), strict=True))


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_file_holds_the_model_and_its_training(tmp_path, suffix):
    model = small(optimizer=optimizers.Adam(0.01), loss="mean_squared_error", metrics=["mae"])
    model.fit(X, Y, verbose=0)
    path = tmp_path / f"model{suffix}"
    model.save(path)
    with pytest.raises(FileError, match="is there already"):
        model.save(path, overwrite=False)
    again = models.load_model(path)
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    assert (again.predict(X) == model.predict(X)).all() and again.evaluate(X, Y) == model.evaluate(X, Y)
    assert again.fit(X, Y, verbose=0).history == model.fit(X, Y, verbose=0).history
    alone = models.load_model(path, compile=False)
    with pytest.raises(StructureError, match="is not compiled"):
        alone.evaluate(X, Y)
    model.save_weights(tmp_path / "model.weights.h5")
    alone.load_weights(tmp_path / "model.weights.h5")
    assert (alone.predict(X) == model.predict(X)).all()


def test_a_model_is_said_by_a_text_and_made_again():
    model = small()
    for again in (models.model_from_json(model.to_json()), models.clone_model(model)):
        assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
        assert again.output_shape == model.output_shape and again.count_params() == model.count_params()
        assert (again.get_weights()[0] != model.get_weights()[0]).any()
    with pytest.raises(FileError, match="it is no JSON"):
        models.model_from_json("{")


@pytest.mark.parametrize("kept", ["keras", "h5", "to_json", "clone"])
def test_a_call_in_inference_is_kept(kept, tmp_path):
    base = Sequential([Input((4,)), layers.BatchNormalization()])
    x = Input((4,))
    model = Model(x, layers.Dense(1)(layers.add([base(x, training=False), base(x)])))
    if kept == "clone":
        again = models.clone_model(model)
    elif kept == "to_json":
        again = models.model_from_json(model.to_json())
    else:
        model.save(tmp_path / f"model.{kept}")
        again = models.load_model(tmp_path / f"model.{kept}")
    found = [call.train for call in wiring_of(again.functional).calls if call.layer.kind != "Add"]
    assert found == [False, None, None]


def test_optimizers_are_named_by_class_too():
    model = small(optimizer=optimizers.RMSprop)
    model.fit(X, Y, verbose=0)
    assert model.optimizer.learning_rate == 0.001 and model.optimizer.iterations == 1


def test_data_is_split_and_cut_into_windows():
    left, right = utils.split_dataset((X, Y), left_size=0.75, shuffle=True, seed=1)
    assert len(left[0]) == 24 and len(right[1]) == 8
    assert sorted(np.concatenate([left[0], right[0]]).sum(1)) == sorted(X.sum(1))
    model = Sequential([layers.LSTM(3), layers.Dense(1)])
    model.compile("sgd", "mse")
    series = np.sin(np.arange(40.0)).astype("float32")[:, None]
    batches = utils.timeseries_dataset_from_array(series, series[5:], 5, batch_size=8)
    assert len(model.fit(batches, verbose=0).history["loss"]) == 1


def test_functional_networks_become_models():
    net = fnet.serial(fnet.layers.Dense(4, "relu"), fnet.fanout(fnet.layers.Dense(2), fnet.layers.Dense(3)))
    params, state = net.init(fnet.random.key(0), (4,))
    model = from_functional(net, params, state, (4,))
    assert (model.predict(X) == net.apply(params, state, X)[0]).all() and model.output_shape == (None, 5)
    assert tree.all_equal(model.params, params)


FLAT = [row for row in LAYERS if not row.classes and not any(map(has_tuples, row.shape))]


@pytest.mark.parametrize("row", FLAT, ids=lambda row: row.id)
def test_every_layer_of_the_table_is_held(row):
    net = row.make()
    params, state = net.init(fnet.random.key(0), row.shape)
    model = from_functional(net, params, state, row.shape)
    x = inputs(row, "float32")
    got = model(list(x) if isinstance(x, tuple) else x, training=False)
    want, _ = net.apply(params, state, x)
    assert tree.all_equal(tree.leaves(got), tree.leaves(unmasked(want)))


def test_batches_one_at_a_time():
    model = small(metrics=["mae"])
    first = model.test_on_batch(X, Y)
    assert isinstance(model.train_on_batch(X, Y), list)
    assert model.test_on_batch(X, Y)[0] < first[0]
    assert (model.predict_on_batch(X) == model.predict(X)).all()
