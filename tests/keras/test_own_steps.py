"""Steps of the user's own: train_step, test_step, predict_step, compute_loss; loops with value_and_grad."""

from __future__ import annotations

import numpy as np
import pytest

from fnet import keras
from fnet.errors import StructureError
from fnet.keras import (
    Input,
    Model,
    Sequential,
    callbacks,
    layers,
    losses,
    metrics,
    models,
    ops,
    optimizers,
    random,
    utils,
)

X = np.random.default_rng(0).normal(2.0, 1.0, (16, 4)).astype("float32")
Y = X.sum(1, keepdims=True)


class Stepping(Model):
    """The step of Keras' guide."""

    def train_step(self, data):
        x, y = data

        def loss_of_batch():
            y_pred = self(x, training=True)
            return self.compute_loss(y=y, y_pred=y_pred), y_pred

        (loss, y_pred), gradients = self.value_and_grad(loss_of_batch, has_aux=True)
        self.optimizer.apply(gradients, self.trainable_variables)
        for metric in self.metrics:
            if metric.name == "loss":
                metric.update_state(loss)
            else:
                metric.update_state(y, y_pred)
        return {metric.name: metric.result() for metric in self.metrics}


def connected(kind):
    utils.set_random_seed(1)
    x = Input((4,))
    h = layers.BatchNormalization()(layers.Dense(3, "relu", kernel_regularizer="l2")(x))
    model = kind(x, layers.Dense(1)(h))
    model.compile("adam", "mse", metrics=["mae"])
    return model


@pytest.mark.slow
def test_a_step_of_ones_own_does_what_fit_does(tmp_path):
    own, plain = connected(Stepping), connected(Model)
    options = {"epochs": 2, "batch_size": 8, "validation_data": (X, Y), "shuffle": False, "verbose": 0}
    records = [model.fit(X, Y, **options).history for model in (own, plain)]
    assert records[0] == records[1] and list(records[0]) == ["loss", "mae", "val_loss", "val_mae"]
    for mine, other in zip(own.get_weights(), plain.get_weights(), strict=True):
        np.testing.assert_array_equal(mine, other)
    own.save(tmp_path / "own.keras")
    again = models.load_model(tmp_path / "own.keras")
    assert again.evaluate(X, Y, verbose=0) == own.evaluate(X, Y, verbose=0)
    assert again.optimizer.iterations == own.optimizer.iterations == 4


class Adversarial(Model):
    """Two networks, two optimizers, no call."""

    def __init__(self, judge, maker):
        super().__init__()
        self.judge, self.maker = judge, maker
        self.judged, self.made = metrics.Mean(name="judged"), metrics.Mean(name="made")
        self.seeds = random.SeedGenerator(1)

    def compile(self, of_judge, of_maker):
        super().compile()
        self.of_judge, self.of_maker = of_judge, of_maker
        self.far = losses.BinaryCrossentropy(from_logits=True)

    @property
    def metrics(self):
        return [self.judged, self.made]

    def train_step(self, real):
        n = ops.shape(real)[0]
        made = self.maker(random.normal((n, 2), seed=self.seeds))
        both = ops.concatenate([made, real], axis=0)
        labels = ops.concatenate([ops.ones((n, 1)), ops.zeros((n, 1))], axis=0)
        labels = labels + 0.05 * random.uniform(ops.shape(labels), seed=self.seeds)
        weights = self.judge.trainable_weights
        loss, gradients = self.value_and_grad(lambda: self.far(labels, self.judge(both, training=True)), weights)
        self.of_judge.apply(gradients, weights)
        self.judged.update_state(loss)
        noise, weights = random.normal((n, 2), seed=self.seeds), self.maker.trainable_weights
        loss, gradients = self.value_and_grad(
            lambda: self.far(ops.zeros((n, 1)), self.judge(self.maker(noise, training=True))), weights
        )
        self.of_maker.apply_gradients(zip(gradients, weights, strict=True))
        self.made.update_state(loss)
        return {"judged": self.judged.result(), "made": self.made.result()}


def test_two_networks_with_two_optimizers():
    judge = Sequential([Input((4,)), layers.Dense(3, "relu"), layers.Dropout(0.2), layers.Dense(1)])
    maker = Sequential([Input((2,)), layers.BatchNormalization(), layers.Dense(4)])
    model = Adversarial(judge, maker)
    model.compile(optimizers.Adam(0.01), optimizers.SGD(0.01))
    seen = []

    class Watching(callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            seen.append((sorted(logs), self.model.maker.count_params()))

    before = [part.get_weights() for part in (judge, maker)]
    history = model.fit(X, batch_size=8, epochs=2, verbose=0, callbacks=[Watching()]).history
    assert list(history) == ["judged", "made"] and len(history["made"]) == len(seen) == 2
    for old, part in zip(before, (judge, maker), strict=True):
        assert all((a != b).any() for a, b in zip(old, part.get_weights(), strict=True))
    model.of_judge.learning_rate = 0.0
    kept = judge.get_weights()
    model.fit(X, batch_size=8, verbose=0)
    assert all((a == b).all() for a, b in zip(kept, judge.get_weights(), strict=True))
    assert (model.of_judge.iterations, model.of_maker.iterations) == (6, 6)


class Squared(Model):
    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None):
        return ops.mean(ops.square(y_pred - y)) + sum(self.losses)


class Signs(Model):
    def train_step(self, data):
        x, y = data
        return super().train_step((ops.negative(x), y))

    def test_step(self, data):
        x, y = data
        return {"far": ops.max(ops.absolute(self(x) - y))}

    def predict_step(self, data):
        return {"sign": ops.sign(self(data))}


def test_parts_of_steps():
    x = Input((4,))
    made = layers.Dense(1, kernel_regularizer="l2", kernel_initializer="ones")(x)
    model, plain = Squared(x, made), Model(x, made)
    model.compile("sgd")
    plain.compile("sgd", "mse")
    assert model.evaluate(X, Y, verbose=0) == pytest.approx(plain.evaluate(X, Y, verbose=0), rel=1e-6)
    assert list(model.fit(X, Y, verbose=0).history) == ["loss"]
    signs = Signs(x, made)
    signs.compile("sgd", "mse")
    assert signs.evaluate(X, Y, verbose=0) == pytest.approx(abs(signs(X) - Y).max())
    np.testing.assert_array_equal(signs.predict(X, verbose=0)["sign"], np.sign(signs(X)))
    given = signs.get_weights()[0]
    signs.fit(X, Y, verbose=0)
    assert (signs.get_weights()[0] < given).all()  # it goes away from what plain data ask for


@pytest.mark.slow
def test_a_loop_of_ones_own():
    model, optimizer, seen = connected(Model), optimizers.Adam(0.05), metrics.MeanAbsoluteError()
    first = None
    for _ in range(20):

        def loss_of_batch():
            y_pred = model(X, training=True)
            return ops.mean(ops.square(y_pred - Y)), y_pred

        (loss, y_pred), gradients = keras.value_and_grad(loss_of_batch, model.trainable_variables, has_aux=True)
        optimizer.apply(gradients, model.trainable_variables)
        seen.update_state(Y, y_pred)
        first = float(loss) if first is None else first
    assert float(loss) < first / 2 and optimizer.iterations == 20
    assert abs(model.layers[2].moving_mean.numpy()).max() > 0  # what layers keep is kept
    optimizer.learning_rate = 0.0
    kept = model.get_weights()[0]
    optimizer.apply(gradients)
    np.testing.assert_array_equal(model.get_weights()[0], kept)


def test_numbers_of_a_step_are_drawn_anew_in_each():
    class Noise(layers.Layer):
        def __init__(self):
            super().__init__()
            self.seeds = random.SeedGenerator(3)

        def call(self, x):
            return 0 * x + random.normal(ops.shape(x), seed=self.seeds)

    model = Sequential([Input((4,)), Noise()])
    model.compile("sgd", "mse")
    history = model.fit(X, 0 * X, batch_size=16, epochs=3, verbose=0).history
    assert len(set(history["loss"])) == 3


def test_a_frozen_batch_normalization_within_a_model_of_ones_own_keeps_its_statistics():
    class Held(Model):
        def __init__(self):
            super().__init__()
            self.norm, self.head = layers.BatchNormalization(), layers.Dense(1)

        def call(self, x, training=False):
            return self.head(self.norm(x, training=training))

    model = Held()
    model.build((None, 4))
    model.norm.trainable = False
    np.testing.assert_array_equal(model(X, training=True), model(X))
    model.compile("sgd", "mse")
    model.fit(X, Y, verbose=0)
    assert not model.norm.moving_mean.numpy().any()


def test_mistakes():
    class Nothing(Model):
        def train_step(self, data):
            return 3

    class Making(Model):
        def make_train_function(self):
            """Never called."""

    x = Input((4,))
    y = layers.Dense(1)(x)
    model = Nothing(x, y)
    model.compile("sgd", "mse")
    with pytest.raises(
        StructureError, match=r"Nothing.train_step returns a dict of numbers by their names, .*received int"
    ):
        model.fit(X, Y, verbose=0)
    with pytest.raises(
        StructureError, match="Making.make_train_function: .*Override train_step, test_step, predict_step"
    ):
        Making(x, y).compile("sgd", "mse")
    squared = Stepping(x, y)
    squared.compile("sgd")
    with pytest.raises(
        StructureError, match=r"has no loss: compile\(loss='mse'\), add_loss in call, or a compute_loss"
    ):
        squared.fit(X, Y, verbose=0)
    with pytest.raises(
        StructureError, match="value_and_grad: expected weights, as model.trainable_variables, received int"
    ):
        keras.value_and_grad(lambda: 0.0, [3])
    with pytest.raises(AttributeError, match=r"GradientTape.*functions: loss, gradients = fnet.keras.value_and_grad\("):
        keras.GradientTape  # noqa: B018
    optimizer = optimizers.SGD(0.1)
    with pytest.raises(StructureError, match=r"sgd: expected a gradient for each weight, received 1 for 0. Give both"):
        optimizer.apply([X])
    head, other = model.trainable_variables, layers.Dense(1)
    other.build((None, 4))
    optimizer.apply([0 * v.value for v in head], head)
    with pytest.raises(
        StructureError, match="sgd: it remembers numbers for other weights than these. Make an optimizer"
    ):
        optimizer.apply([0 * v.value for v in other.weights], other.trainable_variables)
