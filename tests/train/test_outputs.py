"""Training networks with several outputs: losses, weights, metrics and records by output; weights of classes; masks."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet import Layer, Masked, Trainer, fanout, graph, losses, named, random, serial
from fnet.errors import ShapeError, StructureError, ValueRangeError
from fnet.layers import Dense, Dropout, Masking
from fnet.ops import sum as total

X = np.random.default_rng(0).normal(size=(20, 3)).astype("float32")
PRICE = X @ np.array([[1.0], [2.0], [3.0]], "float32")
KIND = (X[:, 0] > 0).astype("int64")


def house(as_dict: bool = True) -> Layer:
    x = fnet.Input((3,), name="house")
    hidden = Dense(8, "tanh")(x)
    price, kind = Dense(1, name="price")(hidden), Dense(2, "softmax", name="kind")(hidden)
    return graph(x, {"price": price, "kind": kind} if as_dict else [price, kind])


LOSSES = {"price": "mse", "kind": "sparse_categorical_crossentropy"}


@pytest.mark.parametrize("as_dict", [True, False])
def test_losses_metrics_and_records_by_output(as_dict: bool) -> None:
    trainer = Trainer(
        house(as_dict), LOSSES, "adam", {"kind": ["accuracy"], "price": "mae"}, loss_weights={"price": 0.5}
    )
    ts = trainer.init(random.key(0), (3,))
    y = {"price": PRICE, "kind": KIND} if as_dict else [PRICE, KIND]
    values = trainer.evaluate(ts, X, y, batch_size=7)
    assert list(values.keys()) == ["loss", "price_loss", "kind_loss", "price_mae", "kind_accuracy"]
    assert values["loss"] == pytest.approx(0.5 * values["price_loss"] + values["kind_loss"], rel=1e-6)
    outputs = trainer.predict(ts, X)
    price, kind = outputs.values() if as_dict else outputs
    assert values["price_loss"] == pytest.approx(float(losses.mean_squared_error(PRICE, price)), rel=1e-5)
    assert values["price_mae"] == pytest.approx(float(np.abs(PRICE - price).mean()), rel=1e-5)
    assert values["kind_accuracy"] == pytest.approx(float((kind.argmax(1) == KIND).mean()))
    _, history = trainer.fit(ts, X, y, epochs=30, verbose=False, validation_split=0.2)
    assert set(history) == {*values.keys(), *(f"val_{name}" for name, _ in values.items())}
    assert history["loss"][-1] < history["loss"][0]


def test_lists_by_place_and_one_loss_for_all() -> None:
    net = fanout(Dense(1), Dense(1), merge=None)
    ts = Trainer(net, "mse").init(random.key(0), (3,))
    y = (PRICE, -PRICE)
    one = Trainer(net, "mse").evaluate(ts, X, y)
    two = Trainer(net, ["mse", "mse"], metrics=[["mae"], None], loss_weights=[1.0, 1.0]).evaluate(ts, X, y)
    assert list(one.keys()) == ["loss", "output_0_loss", "output_1_loss"]
    assert list(two.keys()) == [*one.keys(), "output_0_mae"]
    assert one["loss"] == two["loss"] == pytest.approx(one["output_0_loss"] + one["output_1_loss"])
    only = Trainer(net, [None, "mse"]).evaluate(ts, X, y)
    assert only["loss"] == only["output_1_loss"] == pytest.approx(one["output_1_loss"]) and len(only) == 2


def test_a_step_follows_the_weighted_sum() -> None:
    net, weights = house(), {"price": 0.25, "kind": 2.0}
    trainer = Trainer(net, LOSSES, fnet.optimizers.sgd(0.1), loss_weights=weights)
    ts = trainer.init(random.key(0), (3,))
    after, _ = trainer.fit(ts, X, {"price": PRICE, "kind": KIND}, batch_size=20, verbose=False)

    def loss(params: Any) -> Any:
        y, _ = net.apply(params, ts.state, X)
        kind = losses.sparse_categorical_crossentropy(KIND, y["kind"])
        return 0.25 * losses.mean_squared_error(PRICE, y["price"]) + 2 * kind

    expected = ts.params["dense"]["kernel"] - 0.1 * fnet.grad(loss)(ts.params)["dense"]["kernel"]
    np.testing.assert_allclose(after.params["dense"]["kernel"], expected, rtol=1e-5)


def test_inputs_by_name_and_a_target_left_out() -> None:
    trainer = Trainer(house(), {"price": "mse"})
    ts = trainer.init(random.key(0), (3,))
    values = trainer.evaluate(ts, {"house": X}, {"price": PRICE})
    assert list(values.keys()) == ["loss", "price_loss"] and values["loss"] == values["price_loss"]


def test_sample_weights_by_output() -> None:
    trainer = Trainer(house(), LOSSES, weighted_metrics={"price": ["mae"]}, metrics={"price": ["mae"]})
    ts = trainer.init(random.key(0), (3,))
    y = {"price": PRICE, "kind": KIND}
    first = np.arange(20) < 5
    values = trainer.evaluate(ts, X, y, sample_weight={"price": first.astype("float32")})
    price = trainer.predict(ts, X)["price"]
    assert values["price_loss"] == pytest.approx(float(((price - PRICE)[first] ** 2).sum() / 20), rel=1e-5)
    assert values["price_weighted_mae"] == pytest.approx(float(np.abs(price - PRICE)[first].mean()), rel=1e-5)
    assert values["price_mae"] == pytest.approx(float(np.abs(price - PRICE).mean()), rel=1e-5)


def test_an_output_without_sample_weights_has_unweighted_metrics() -> None:
    trainer = Trainer(house(), LOSSES, metrics={"kind": "accuracy"}, weighted_metrics={"kind": "accuracy"})
    ts = trainer.init(random.key(3), (3,))
    values = trainer.evaluate(ts, X, {"price": PRICE, "kind": KIND}, sample_weight={"price": np.arange(20.0)})
    assert values["kind_weighted_accuracy"] == values["kind_accuracy"]


def test_the_mean_of_the_parameters_stays_beside_them() -> None:
    net = fnet.freeze(serial(Dense(2), Dense(1)), "dense")
    trainer = Trainer(net, "mse", fnet.optimizers.sgd(0.1, use_ema=True, ema_momentum=0.5))
    ts = trainer.init(random.key(0), (3,))
    once, _ = trainer.fit(ts, X, PRICE, batch_size=20, verbose=False)
    twice, _ = trainer.fit(once, X, PRICE, batch_size=20, verbose=False)
    together, _ = trainer.fit(ts, X, PRICE, batch_size=20, epochs=2, verbose=False)
    assert fnet.tree.all_equal(twice, together)
    mean = fnet.tree.combine(fnet.optimizers.averaged_params(twice.opt_state), twice.params)
    kernel = [t.params["dense_1"]["kernel"] for t in (once, twice)]
    np.testing.assert_allclose(mean["dense_1"]["kernel"], (kernel[0] + kernel[1]) / 2, rtol=1e-6)
    np.testing.assert_array_equal(mean["dense"]["kernel"], ts.params["dense"]["kernel"])


@pytest.mark.parametrize("labels", [KIND, np.eye(2, dtype="float32")[KIND]], ids=["labels", "one-hot"])
def test_weights_of_classes_are_weights_of_samples(labels: np.ndarray) -> None:
    loss = "sparse_categorical_crossentropy" if labels.ndim == 1 else "categorical_crossentropy"
    trainer = Trainer(Dense(2, "softmax"), loss, "sgd")
    ts = trainer.init(random.key(0), (3,))
    by_class, _ = trainer.fit(ts, X, labels, verbose=False, class_weight={1: 3.0})
    by_sample, _ = trainer.fit(ts, X, labels, verbose=False, sample_weight=np.where(KIND == 1, 3.0, 1.0))
    assert fnet.tree.all_equal(by_class.params, by_sample.params)


def test_weights_of_classes_are_for_training_only() -> None:
    trainer = Trainer(Dense(2, "softmax"), "sparse_categorical_crossentropy", "sgd")
    ts = trainer.init(random.key(0), (3,))
    arguments = {"class_weight": {1: 3.0}, "verbose": False}
    by_split, record = trainer.fit(ts, X, KIND, validation_split=0.5, **arguments)
    by_data, expected = trainer.fit(ts, X[:10], KIND[:10], validation_data=(X[10:], KIND[10:]), **arguments)
    assert fnet.tree.all_equal(by_split, by_data) and record.history == expected.history
    assert record["val_loss"] == [trainer.evaluate(by_split, X[10:], KIND[10:])["loss"]]


def test_masked_steps_do_not_count() -> None:
    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        return Masked(x * params["scale"], fnet.ops.greater(total(fnet.ops.absolute(x), axis=-1), 0)), state

    net = Layer(lambda key, shape, dtype: ({"scale": np.full((), 0.5, dtype)}, {}), apply)
    x = np.random.default_rng(0).normal(size=(6, 4, 2)).astype("float32")
    x[:, 2:] = 0
    x[1:, 1] = 0
    trainer = Trainer(net, "mse", "sgd", "mae")
    ts = trainer.init(random.key(0), (4, 2))
    seen = np.abs(x).sum(-1) > 0
    y = np.where(seen[..., None], x, 100).astype("float32")
    values = trainer.evaluate(ts, x, y)
    error = (0.5 * x - x)[seen]
    assert values["loss"] == pytest.approx(float((error**2).mean()), rel=1e-5)
    assert values["mae"] == pytest.approx(float(np.abs(error).mean()), rel=1e-5)
    _, history = trainer.fit(ts, x, y, epochs=5, verbose=False)
    assert history["loss"][-1] < history["loss"][0] < 1
    np.testing.assert_allclose(trainer.predict(ts, x), 0.5 * x)


def test_targets_are_checked_where_a_mask_counts_them() -> None:
    """Padding may hold anything; a label that counts is refused before training, wherever it is in the data."""
    net = serial(Masking(), Dense(3, "softmax"))
    trainer = Trainer(net, "sparse_categorical_crossentropy", "sgd", weighted_metrics=["sparse_categorical_accuracy"])
    x = np.random.default_rng(0).normal(size=(1500, 4, 2)).astype("float32")
    x[:, 3] = 0
    y = np.tile([0, 1, 2, -1], (1500, 1))
    ts = trainer.init(random.key(0), (4, 2))
    assert np.isfinite(trainer.evaluate(ts, x, y, batch_size=1500)["loss"])
    y[1400, 1] = 7
    with pytest.raises(ValueRangeError, match="label 7 of sample 1400 is out of range"):
        trainer.fit(ts, x, y, verbose=False)


def test_a_metric_of_several_numbers_gives_an_array() -> None:
    trainer = Trainer(
        Dense(2, "softmax"), "sparse_categorical_crossentropy", metrics=[fnet.metrics.confusion_matrix(2)]
    )
    ts = trainer.init(random.key(0), (3,))
    found = trainer.evaluate(ts, X, KIND, batch_size=6)["confusion_matrix"]
    assert found.shape == (2, 2) and found.sum() == 20
    _, history = trainer.fit(ts, X, KIND, epochs=2, verbose=True)
    assert history["confusion_matrix"][1].shape == (2, 2)


def test_dropout_and_shared_names() -> None:
    net = serial(Dropout(0.5), named("body", Dense(2)))
    trainer = Trainer(net, "mse", metrics=["mse", "mse", "mae"])
    ts = trainer.init(random.key(0), (3,))
    assert list(trainer.evaluate(ts, X, X[:, :2]).keys()) == ["loss", "mse", "mse_1", "mae"]


Y = {"price": PRICE, "kind": KIND}
ERRORS: list[tuple[Any, type, str]] = [
    (lambda: Trainer(house(), {"prize": "mse"}), StructureError, "'prize'.*Did you mean 'price'"),
    (lambda: Trainer(house(), ["mse"]), StructureError, "expected 2 .*received 1"),
    (lambda: Trainer(house(), LOSSES, metrics={"knd": "mae"}), StructureError, "no output 'knd'. Did you mean 'kind'"),
    (
        lambda: Trainer(house(), LOSSES, metrics=["mae"]),
        StructureError,
        r"a list with an entry for each, received 1 for 2",
    ),
    (lambda: Trainer(house(), LOSSES, loss_weights={"cost": 1.0}), StructureError, "'cost'"),
    (
        lambda: run(Trainer(Dense(1), "mse", metrics={"a": "mae"}), PRICE),
        StructureError,
        "outputs 'a', but there is only one",
    ),
    (
        lambda: run(Trainer(house(), LOSSES), {"price": PRICE}),
        StructureError,
        "'kind' has a loss, but y_true has no entry",
    ),
    (lambda: run(Trainer(house(), LOSSES), {**Y, "kind": KIND + 1}), ValueRangeError, "in 'output kind': .*sample"),
    (lambda: run(Trainer(house(), LOSSES), {**Y, "price": PRICE[:, [0, 0]]}), ShapeError, "in 'output price': "),
    (
        lambda: run(Trainer(Dense(2), "mse"), X[:, :2], class_weight={0: 2.0}, sample_weight=X[:, 0]),
        StructureError,
        "not both",
    ),
    (
        lambda: run(Trainer(house(), LOSSES), Y, class_weight={0: 2.0}),
        StructureError,
        "class_weight needs a single output",
    ),
    (lambda: run(Trainer(house(), LOSSES), PRICE), StructureError, "each of 2 outputs, received one array"),
    (lambda: run(Trainer(house(), LOSSES), [PRICE]), StructureError, "expected 2 entries in y_true"),
    (lambda: run(Trainer(Dense(1), "mse"), [PRICE, PRICE]), StructureError, "y is a list of 2, but mean_squared_error"),
    (lambda: run(Trainer(Dense(1), "mse"), {"price": PRICE}), StructureError, "y is a dict of 1, but mean_squared_err"),
    (lambda: run(Trainer(Dense(2), "crossentropy"), KIND + 1), ValueRangeError, "label 2 of sample .* out of range"),
    (
        lambda: run(Trainer(Dense(1), "binary_focal_crossentropy"), 2 * KIND[:, None] - 1),
        ValueRangeError,
        r"binary_focal_crossentropy: expected y_true in \[0, 1\], received -1.0 in sample",
    ),
    (
        lambda: run(Trainer(Dense(1), "mse", fnet.optimizers.sgd(lambda step: np.nan)), PRICE),
        ValueRangeError,
        "schedule gave nan at every step",
    ),
]


def run(trainer: Trainer, y: Any, **options: Any) -> None:
    trainer.fit(trainer.init(random.key(0), (3,)), X, y, verbose=False, **options)


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors_say_what_was_expected(wrong: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text):
        wrong()
