"""What all constructors of layers have in common: arguments, config, repr, errors."""

from __future__ import annotations

import copy
import inspect
import pickle
from typing import Any

import numpy as np
import pytest

from fnet import Layer, layers, serial
from fnet.layers import LSTM, Conv2D, Dense, Flatten
from fnet.layers.constructor import entry_name, layer_constructor

CONSTRUCTORS = {
    name: make
    for name, make in vars(layers).items()
    if name[0].isupper() and callable(make) and hasattr(make, "__wrapped__")
}


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_every_constructor_takes_what_all_take(name: str) -> None:
    make = CONSTRUCTORS[name]
    arguments = inspect.signature(make).parameters
    assert {"activity_regularizer", "trainable", "name"} <= set(arguments)
    assert all(p.default is not p.empty for p in arguments.values() if p.kind is p.KEYWORD_ONLY)
    with pytest.raises(TypeError, match=rf"{make.__name__}\(\) got an unexpected argument 'actuvation'"):
        make(actuvation="relu")


@pytest.mark.parametrize("name", CONSTRUCTORS)
def test_regularizers_and_constraints_come_in_pairs(name: str) -> None:
    arguments = inspect.signature(CONSTRUCTORS[name]).parameters
    weights = [a.removesuffix("_regularizer") for a in arguments if a.endswith("_regularizer")]
    weights.remove("activity")
    assert [a.removesuffix("_constraint") for a in arguments if a.endswith("_constraint")] == weights


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("Dense", "dense"),
        ("Conv2D", "conv2d"),
        ("MaxPooling2D", "max_pooling2d"),
        ("SimpleRNN", "simple_rnn"),
        ("LSTM", "lstm"),
        ("GRU", "gru"),
        ("BatchNormalization", "batch_normalization"),
        ("Conv1DTranspose", "conv1d_transpose"),
        ("LeakyReLU", "leaky_re_lu"),
    ],
)
def test_names_of_entries_are_those_of_keras(kind: str, name: str) -> None:
    assert entry_name(kind) == name


def test_config_has_every_argument_and_repr_those_that_matter() -> None:
    layer = Conv2D(8, kernel_size=3, kernel_regularizer="l2", trainable=False, name="eye")
    assert layer.config["padding"] == "valid" and layer.config["kernel_regularizer"] == "l2"
    assert layer.config["trainable"] is False and "bias_regularizer" not in layer.config
    assert repr(layer) == "Conv2D(filters=8, kernel_size=3, kernel_regularizer='l2', trainable=False, name='eye')"
    again = Conv2D(**layer.config, name=layer.name)
    assert dict(again.config) == dict(layer.config) and again.trainable is False
    assert repr(Dense(2, kernel_initializer=np.ones((3, 2)))).startswith("Dense(units=2, kernel_initializer=array(")


def test_layers_are_read_only() -> None:
    layer = Dense(2)
    with pytest.raises(AttributeError, match="a Layer is read-only"):
        layer.name = "x"
    with pytest.raises(TypeError):
        layer.config["units"] = 3  # type: ignore[index]


def test_layers_are_values_that_hold_functions() -> None:
    layer = Dense(2)
    assert copy.deepcopy({"net": layer})["net"] is layer and copy.copy(layer) is layer
    own = Layer(*layer)
    with pytest.raises(TypeError, match="layer: a Layer of functions of your own cannot be pickled.*fnet.save_weights"):
        pickle.dumps(own)


def test_a_user_can_make_constructors() -> None:
    @layer_constructor(masks="kept", gain="gain")
    def Scale(initial: float = 1.0) -> Any:  # noqa: N802
        def init(key: Any, shape: Any, dtype: Any) -> Any:
            return {"gain": np.full(shape[-1:], initial, dtype)}, {}

        def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> Any:
            return x * params["gain"], state

        return init, apply

    layer = Scale(2.0, gain_regularizer="l1")
    assert isinstance(layer, Layer) and repr(layer) == "Scale(initial=2.0, gain_regularizer='l1')"
    assert list(serial(layer, Scale()).init(np.zeros(2, "uint32"), (3,))[0]) == ["scale", "scale_1"]


ERRORS: list[tuple[Any, str]] = [
    (lambda: Dense(), r"Dense\(\): missing a required argument: 'units'."),
    (lambda: Dense(2, "relu", True, "zeros", "zeros", "l2"), r"Dense\(\): too many positional arguments."),
    (lambda: Dense(2, kernel_regulariser="l2"), "'kernel_regulariser'. Did you mean 'kernel_regularizer'"),
    (lambda: Dense(2, input_shape=(3,)), r"'input_shape'. A shape goes to init \(or to fnet.Input\)"),
    (lambda: Flatten(kernel_regularizer="l2"), r"Flatten\(\) got an unexpected argument 'kernel_regularizer'"),
    (lambda: LSTM(2, recurrent_constrain="non_neg"), "Did you mean 'recurrent_constraint'"),
]


@pytest.mark.parametrize(("wrong", "text"), ERRORS, ids=[text for _, text in ERRORS])
def test_errors_name_the_argument(wrong: Any, text: str) -> None:
    with pytest.raises(TypeError, match=text):
        wrong()
