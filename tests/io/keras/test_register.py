"""Layers of users' own in files: said under registered names, read where these are registered, refused elsewhere."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

import fnet
from fnet import initializers, random, tree
from fnet.configured import configurable
from fnet.errors import DtypeError, FileError, StructureError, ValueRangeError
from fnet.io.keras import registry
from fnet.layers import LSTM, BatchNormalization, Dense, TimeDistributed, layer_constructor
from fnet.losses import define_loss
from fnet.metrics import Metric, mean_of, metric_constructor


@pytest.fixture(autouse=True)
def table(monkeypatch) -> dict[str, Callable[..., Any]]:
    """The registered things, none at first."""
    monkeypatch.setattr(registry, "_made", {})
    return registry._made


@layer_constructor()
def Scale(initial: float = 1.0, shift: Any = None, sizes: Any = ()) -> Any:  # noqa: N802
    """``gain x + shift``; counts its calls in training, in the state."""

    def init(key: Any, shape: Any, dtype: Any) -> Any:
        params = {"gain": np.full(shape[-1:], initial, dtype), "steps": [np.ones(2, dtype)]}
        if shift is not None:
            params["shift"] = {"bias": initializers.get(shift)(key, shape[-1:], dtype)}
        return params, {"gain": np.zeros((), dtype)}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        y = x * params["gain"] * params["steps"][0][0]
        y = y + params["shift"]["bias"] if shift is not None else y
        return y, {"gain": state["gain"] + 1} if train else state

    return init, apply


@layer_constructor()
def Block(units: int) -> Any:  # noqa: N802
    """A layer of others."""
    inner = Dense(units), BatchNormalization()

    def init(key: Any, shape: Any, dtype: Any) -> Any:
        dense, norm = inner[0].init(key, shape, dtype), inner[1].init(key, (units,), dtype)
        return {"scale": np.ones((), dtype), "dense": dense[0], "norm": norm[0]}, {"norm": norm[1]}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        y, _ = inner[0].apply(params["dense"], {}, x)
        y, own = inner[1].apply(params["norm"], state["norm"], y, train=train)
        return y * params["scale"], {"norm": own}

    return fnet.Layer(init, apply, children=inner, entries=("dense", "norm"))


@layer_constructor()
def Wrap(layer: fnet.Layer, twice: Any = None) -> Any:  # noqa: N802
    """A layer within a layer."""

    def init(key: Any, shape: Any, dtype: Any) -> Any:
        params, state = layer.init(key, shape, dtype)
        return {"layer": params}, {"layer": state} if state else {}

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
        y, own = layer.apply(params["layer"], state.get("layer", {}), x, train=train)
        return y, {"layer": own} if own else {}

    return fnet.Layer(init, apply, children=(layer,), entries=("layer",))


@layer_constructor()
def Listed() -> Any:  # noqa: N802
    """A layer whose parameters are a list."""
    return (
        lambda key, shape, dtype: ([np.ones(shape[-1:], dtype), np.zeros((), dtype)], {}),
        lambda params, state, x, key=None, train=False: (x * params[0] + params[1], state),
    )


NETS = {
    "alone": lambda: Scale(2.0),
    "chain": lambda: fnet.serial(Scale(2.0, "ones", (1, (2, 3))), Dense(2), Scale(3.0, initializers.constant(0.5))),
    "of layers": lambda: fnet.serial(Block(3), Dense(2)),
    "wrapped": lambda: fnet.serial(Wrap(Wrap(LSTM(3))), Wrap(Wrap(Scale(2.0, "ones"))), Wrap(Listed(), halves(2.0))),
    "frozen": lambda: fnet.serial(
        Scale(2.0, "ones", trainable=False), Block(3, name="first", trainable=False), Dense(1)
    ),
    "within": lambda: fnet.serial(TimeDistributed(Scale(2.0)), LSTM(2)),
    "shared": lambda: shared(),
}


def shared() -> fnet.Layer:
    x, twin = fnet.Input((4,)), Scale(0.5, "ones")
    return fnet.graph(x, fnet.layers.Add()([twin(x), twin(twin(x))]))


@pytest.mark.parametrize("suffix", ["keras", "h5"])
@pytest.mark.parametrize("name", NETS)
def test_layers_come_back(tmp_path, name, suffix):
    fnet.register("lab>Scale", Scale)
    for made, make in {"Block": Block, "lab>Wrap": Wrap, "lab>Listed": Listed, "lab>Halves": halves}.items():
        fnet.register(made, make)
    net, shape = NETS[name](), (5, 4) if name in ("within", "wrapped") else (4,)
    params, state = net.init(random.key(0), shape)
    params, state = tree.map(lambda leaf: leaf + np.asarray(0.25, leaf.dtype), (params, state))
    path = tmp_path / f"m.{suffix}"
    fnet.save_model(path, net, params, state, shape=shape)
    loaded, *own = fnet.load_model(path)
    x = np.random.default_rng(0).normal(size=(3, *shape)).astype("float32")
    assert np.array_equal(loaded.apply(*own, x)[0], net.apply(params, state, x)[0])
    assert sorted(leaf.tobytes() for leaf in tree.leaves(own)) == sorted(
        np.asarray(leaf).tobytes() for leaf in tree.leaves((params, state))
    )
    assert tree.leaves(fnet.trainable(loaded, own[0])).count(True) == tree.leaves(fnet.trainable(net, params)).count(
        True
    )
    fnet.save_model(tmp_path / f"again.{suffix}", loaded, *own, shape=shape)


def config_of(net: fnet.Layer, path: Path) -> list[Any]:
    params, state = net.init(random.key(0), (4,))
    fnet.save_model(path, net, params, state, shape=(4,))
    with h5py.File(path) as file:
        return json.loads(file.attrs["model_config"])["config"]["layers"][1:]


def test_what_a_file_says_of_a_layer(tmp_path):
    fnet.register("lab>Scale", Scale)
    (said,) = config_of(NETS["chain"](), tmp_path / "m.h5")[:1]
    initial = {"name": "scale", "trainable": True, "dtype": "float32", "initial": 2.0, "shift": "ones"}
    assert said == {"class_name": "lab>Scale", "config": {**initial, "sizes": [1, [2, 3]]}}
    with h5py.File(tmp_path / "m.h5") as file:
        names = [name.decode() for name in file["model_weights/scale"].attrs["weight_names"]]
    assert names == ["scale/gain", "scale/steps_0", "scale/shift/bias", "scale/gain_"]


def test_paths_of_variables_lead_through_attributes(tmp_path):
    fnet.register("lab>Wrap", Wrap)
    fnet.register("lab>Listed", Listed)
    net = fnet.serial(Scale(1.0, "ones"), Block(3), Wrap(Listed()))
    params, state = net.init(random.key(0), (4,))
    fnet.save_weights(tmp_path / "w.weights.h5", net, params, state)  # of layers that nobody has registered, too
    found: list[str] = []
    with h5py.File(tmp_path / "w.weights.h5") as file:
        assert not list(file["layers/wrap/vars"])  # a link to an array is not visited twice
        file["layers"].visititems(lambda path, node: found.append(path) if isinstance(node, h5py.Dataset) else None)
    block = {"dense": 2, "norm": 4}
    assert sorted(found) == sorted(
        [f"scale/vars/{i}" for i in range(3)] + ["scale/shift/vars/0", "block/vars/0"]
        + ["wrap/layer/vars/0", "wrap/layer/vars/1"]
        + [f"block/{part}/vars/{i}" for part, count in block.items() for i in range(count)]
    )  # fmt: skip


def test_training_goes_on_with_a_layer_of_ones_own(tmp_path):
    fnet.register("lab>Scale", Scale)
    net = fnet.serial(Scale(2.0, "ones"), Dense(1))
    trainer = fnet.Trainer(net, "mse", "adam")
    x = np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    ts, _ = trainer.fit(trainer.init(random.key(0), (4,)), x, x[:, :1], epochs=2, verbose=0)
    for suffix in ("keras", "h5"):
        fnet.save_model(tmp_path / f"m.{suffix}", net, ts.params, ts.state, trainer, ts, shape=(4,))
        assert tree.all_equal(fnet.load_training(tmp_path / f"m.{suffix}")[1], ts)


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_who_has_not_registered_it_is_told_how(tmp_path, table, suffix):
    net, path = fnet.serial(Scale(2.0), Dense(1)), tmp_path / f"m.{suffix}"
    weights = net.init(random.key(0), (4,))
    with pytest.raises(
        StructureError, match=r'Keras has no layer Scale\. .* If it is yours: fnet.register\("Scale", make'
    ):
        fnet.save_model(path, net, *weights, shape=(4,))
    assert not path.exists()
    fnet.register("lab>Scale", Scale)
    fnet.save_model(path, net, *weights, shape=(4,))
    table.clear()
    with pytest.raises(
        FileError, match=r'fnet has no layer \'lab>Scale\'\. .* yours: fnet.register\("lab>Scale", make'
    ):
        fnet.load_model(path)
    table["Scale"] = Scale  # another package
    with pytest.raises(FileError, match="fnet has no layer 'lab>Scale'"):
        fnet.load_model(path)


@configurable
def halves(value: float = 0.5) -> Any:
    return lambda key, shape, dtype: np.full(shape, value, dtype)


@configurable
def squares(factor: float = 1.0) -> Any:
    return lambda w: factor * np.sum(w * w)


@configurable
def below(most: float = 1.0) -> Any:
    return lambda w: np.minimum(w, most)


def bend(x: Any) -> Any:
    return np.where(x > 0, x, x / 2)


def cubic(y_true: Any, y_pred: Any) -> Any:
    return np.mean(np.abs(y_pred - y_true) ** 3, axis=-1)


@metric_constructor
def hits(within: float = 0.5) -> Metric:
    return mean_of(lambda y_true, y_pred: (np.abs(y_pred - y_true) < within).astype("float32"))


@define_loss("PoweredError", per="element")
def powered_error(
    y_true: Any, y_pred: Any, *, power: float = 3.0, sample_weight: Any = None, reduction: str = "mean"
) -> Any:
    return np.abs(y_pred - y_true) ** power


@pytest.mark.parametrize("options", [{}, {"power": 2.0}, {"reduction": "sum", "name": "mine"}])
@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_losses_with_options(tmp_path, suffix, options):
    fnet.register("lab>PoweredError", powered_error)
    loss = powered_error.configured(**options) if options else powered_error
    trainer = fnet.Trainer(Dense(1), loss, "sgd")
    ts = trainer.init(random.key(0), (4,))
    fnet.save_model(tmp_path / f"m.{suffix}", Dense(1), ts.params, ts.state, trainer, ts)
    assert fnet.load_training(tmp_path / f"m.{suffix}")[0].arguments[1] == loss


PARTS = {"lab>Halves": halves, "lab>Squares": squares, "lab>Below": below, "lab>bend": bend, "lab>cubic": cubic,
         "lab>Hits": hits}  # fmt: skip


def trained() -> tuple[fnet.Trainer, fnet.TrainState]:
    given = {"kernel_initializer": halves(0.25), "kernel_regularizer": squares(0.1), "kernel_constraint": below(2.0)}
    trainer = fnet.Trainer(Dense(2, bend, **given), cubic, "sgd", [cubic, hits(0.1)])
    return trainer, trainer.init(random.key(0), (4,))


@pytest.mark.parametrize("suffix", ["keras", "h5"])
def test_functions_and_parts_of_ones_own(tmp_path, table, suffix):
    for name, make in PARTS.items():
        fnet.register(name, make)
    trainer, ts = trained()
    path, x = tmp_path / f"m.{suffix}", np.random.default_rng(0).normal(size=(8, 4)).astype("float32")
    fnet.save_model(path, trainer.arguments[0], ts.params, ts.state, trainer, ts)
    found, loaded = fnet.load_training(path)
    (layer,) = found.arguments[0].children
    assert layer.config["kernel_initializer"] == halves(0.25) and layer.config["activation"] is bend
    assert found.evaluate(loaded, x, x[:, :2]) == trainer.evaluate(ts, x, x[:, :2])
    kinds = ("initializer", "regularizer", "constraint", "activation", "loss", "metric")
    for kind, name in zip(kinds, PARTS, strict=True):
        make = table.pop(name)
        with pytest.raises(FileError, match=f"fnet has no {kind} '{name}'"):
            fnet.load_training(path)
        table[name] = make


def wrong(**config: Any) -> Any:
    raise KeyError("secret")


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (wrong, r"lab>Scale cannot be made of its config\. KeyError\('secret'\)"),
        (lambda initial, shift: None, r"cannot be made of its config\. .*got an unexpected keyword argument 'sizes'"),
        (lambda **config: 3, "what is registered as 'lab>Scale' makes a int, expected a Layer"),
        (layer_constructor()(lambda factor: Dense(1)), "unexpected argument 'initial'"),
    ],
)
def test_what_a_constructor_refuses_is_an_error_of_the_file(tmp_path, table, make, message):
    fnet.register("lab>Scale", Scale)
    fnet.save_model(tmp_path / "m.h5", Scale(2.0), *Scale(2.0).init(random.key(0), (4,)), shape=(4,))
    table["lab>Scale"] = make
    with pytest.raises(FileError, match=message):
        fnet.load_model(tmp_path / "m.h5")


def test_arguments_that_a_file_cannot_hold(tmp_path):
    fnet.register("lab>Scale", Scale)
    with pytest.raises(StructureError, match=r"a file cannot hold shift=<function .*Take plain data, or a name\."):
        config_of(Scale(1.0, lambda key, shape, dtype: np.ones(shape, dtype)), tmp_path / "m.h5")


@pytest.mark.parametrize("suffix", [".keras", ".h5"])
def test_a_network_within_a_layer(tmp_path, suffix):
    fnet.register("lab>Wrap", Wrap)
    net = fnet.serial(Wrap(fnet.serial(Dense(3, "relu"), Dense(1))))
    params, state = net.init(random.key(0), (4,))
    fnet.save_model(tmp_path / f"m{suffix}", net, params, state, shape=(4,))
    again, read, _ = fnet.load_model(tmp_path / f"m{suffix}")
    x = np.linspace(-1, 1, 8, dtype="float32").reshape(2, 4)
    assert (again.apply(read, {}, x)[0] == net.apply(params, state, x)[0]).all()


def test_names_of_keras_mean_the_layers_of_keras(tmp_path):
    for name in ("Dense", "Sequential", "InputLayer", "he_normal", "MeanSquaredError", "AUC", "relu"):
        with pytest.raises(ValueRangeError, match=f"register: Keras has '{name}' itself. Put a package in front"):
            fnet.register(name, Scale)
    fnet.register("lab>Dense", Scale)
    dense = fnet.layers.Dense(2)
    fnet.save_model(tmp_path / "m.keras", dense, *dense.init(random.key(0), (4,)))
    assert fnet.load_model(tmp_path / "m.keras")[0].children[0].kind == "Dense"


def test_a_layer_that_is_called_like_one_of_keras_is_not_it(tmp_path):
    def make(units: int) -> Any:
        return lambda key, shape, dtype: ({}, {}), lambda params, state, x, **options: (x, state)

    make.__name__ = "Dense"
    other = layer_constructor()(make)(3)
    assert other.kind == "Dense"
    with pytest.raises(StructureError, match="Keras has no layer Dense"):
        config_of(other, tmp_path / "m.h5")


def one_name(count: int) -> Iterator[Any]:
    for _ in range(count):

        @layer_constructor()
        def Twice(units: int = 1) -> Any:  # noqa: N802
            return Dense(units)

        yield Twice


def test_a_name_has_one_meaning():
    first, second = one_name(2)
    assert fnet.register("lab>Twice", first) is first
    fnet.register("lab>Twice", first)
    with pytest.raises(ValueRangeError, match="register: 'lab>Twice' is the name of <function .*Twice at .* already"):
        fnet.register("lab>Twice", second)
    with pytest.raises(ValueRangeError, match="has the name 'lab>Twice' already, and needs one"):
        fnet.register("lab>Thrice", first)
    fnet.register("lab>Scale", Scale)
    again = layer_constructor()(Scale.__wrapped__)  # as if the module had run again
    assert fnet.register("lab>Scale", again) is again
    assert registry.found("lab>Scale") is again


@pytest.mark.parametrize("name", ["", "a/b", "a>", ">a", "a>b>c", "a\nb", "a\0"])
def test_names_that_no_file_can_have(name):
    with pytest.raises(ValueRangeError, match="register: name is like 'Scale' or 'lab>Scale', received"):
        fnet.register(name, Scale)


def test_what_is_no_name_and_no_function():
    with pytest.raises(DtypeError, match="register: name is a text, received int 3"):
        fnet.register(3, Scale)  # type: ignore[arg-type]
    with pytest.raises(DtypeError, match="register: make is the function that makes it, received Layer Scale"):
        fnet.register("lab>Scale", Scale(1.0))
