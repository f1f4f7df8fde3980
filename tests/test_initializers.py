"""Initializers: their statistics, fans, spellings and errors."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import initializers, layers, random, tree
from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.initializers import INITIALIZERS, TRUNCATED_STDDEV, fans, get, variance_scaling
from fnet.layers import Dense

KEY = random.key(11)
SHAPE = (3, 5, 40, 60)
FAN_IN, FAN_OUT = 600, 900
COUNT = math.prod(SHAPE)

# name -> (mean, standard deviation, largest distance from the mean)
STATISTICS = {
    "zeros": (0, 0, 0),
    "ones": (1, 0, 0),
    "constant": (0, 0, 0),
    "random_normal": (0, 0.05, math.inf),
    "random_uniform": (0, 0.05 / math.sqrt(3), 0.05),
    "truncated_normal": (0, 0.05 * TRUNCATED_STDDEV, 0.1),
    "variance_scaling": (0, math.sqrt(1 / FAN_IN), 2 * math.sqrt(1 / FAN_IN) / TRUNCATED_STDDEV),
    "glorot_uniform": (0, math.sqrt(2 / (FAN_IN + FAN_OUT)), math.sqrt(6 / (FAN_IN + FAN_OUT))),
    "glorot_normal": (0, math.sqrt(2 / (FAN_IN + FAN_OUT)), 2 * math.sqrt(2 / (FAN_IN + FAN_OUT)) / TRUNCATED_STDDEV),
    "he_uniform": (0, math.sqrt(2 / FAN_IN), math.sqrt(6 / FAN_IN)),
    "he_normal": (0, math.sqrt(2 / FAN_IN), 2 * math.sqrt(2 / FAN_IN) / TRUNCATED_STDDEV),
    "lecun_uniform": (0, math.sqrt(1 / FAN_IN), math.sqrt(3 / FAN_IN)),
    "lecun_normal": (0, math.sqrt(1 / FAN_IN), 2 * math.sqrt(1 / FAN_IN) / TRUNCATED_STDDEV),
    "orthogonal": (0, math.sqrt(1 / 600), 1),
}


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("name", STATISTICS)
def test_statistics(name: str, dtype: str) -> None:
    mean, stddev, reach = STATISTICS[name]
    x = get(name)(KEY, SHAPE, dtype)
    assert x.shape == SHAPE and x.dtype == dtype
    wide = x.astype("float64")
    assert abs(wide.mean() - mean) <= 4 * stddev / math.sqrt(COUNT)
    assert wide.std() == pytest.approx(stddev, rel=3 / math.sqrt(COUNT), abs=1e-12)
    assert np.max(np.abs(wide - mean)) <= reach * (1 + 1e-6)
    if stddev and reach < 0.5:
        assert np.max(np.abs(wide - mean)) > 0.99 * reach


@pytest.mark.parametrize(
    ("mode", "fan"), [("fan_in", FAN_IN), ("fan_out", FAN_OUT), ("fan_avg", (FAN_IN + FAN_OUT) / 2)]
)
@pytest.mark.parametrize("distribution", ["uniform", "normal", "truncated_normal", "untruncated_normal"])
def test_variance_scaling_has_its_variance(mode: str, fan: float, distribution: str) -> None:
    x = variance_scaling(3.0, mode, distribution)(KEY, SHAPE, "float64")
    assert x.std() == pytest.approx(math.sqrt(3 / fan), rel=3 / math.sqrt(COUNT))
    reach = {"uniform": math.sqrt(9 / fan), "untruncated_normal": 9.0}.get(distribution)
    assert np.max(np.abs(x)) <= (reach or 2 * math.sqrt(3 / fan) / TRUNCATED_STDDEV)


@pytest.mark.parametrize(
    ("shape", "expected"),
    [((), (1, 1)), ((7,), (7, 7)), ((3, 4), (3, 4)), ((5, 3, 4), (15, 20)), ((3, 3, 32, 16), (288, 144))],
)
def test_fans(shape: tuple[int, ...], expected: tuple[int, int]) -> None:
    assert fans(shape) == expected


# Keras' fans of the kernels of layers: those of the inputs of one output, and of the outputs of one input.
FANS: list[tuple[Any, Any, str, tuple[int, int]]] = [
    (layers.Dense, (7,), "kernel", (7, 8)),
    (layers.Conv2D, (9, 9, 6), "kernel", (9 * 6, 9 * 8)),
    (layers.Conv2DTranspose, (9, 9, 6), "kernel", (9 * 8, 9 * 6)),
    (layers.DepthwiseConv2D, (9, 9, 6), "kernel", (9 * 6, 9 * 2)),
    (layers.SeparableConv2D, (9, 9, 6), "depthwise_kernel", (9 * 6, 9 * 2)),
    (layers.SeparableConv2D, (9, 9, 6), "pointwise_kernel", (12, 8)),
    (layers.MultiHeadAttention, (5, 6), "query/kernel", (6, 3 * 4)),
    (layers.MultiHeadAttention, (5, 6), "value/kernel", (6, 3 * 5)),
    (layers.MultiHeadAttention, (5, 6), "attention_output/kernel", (3 * 5, 6)),
    (layers.GroupQueryAttention, (5, 6), "key/kernel", (6, 2 * 8)),
    (layers.EinsumDense, (5, 6), "kernel", (6, 2 * 8)),
    (layers.LSTM, (5, 6), "kernel", (6, 4 * 8)),
]
ARGUMENTS: dict[str, Any] = {
    "DepthwiseConv2D": (3,), "SeparableConv2D": (8, 3), "Conv2D": (8, 3), "Conv2DTranspose": (8, 3),
    "MultiHeadAttention": (3, 4, 5), "GroupQueryAttention": (8, 4, 2), "EinsumDense": ("abc,dce->abde", (None, 2, 8)),
}  # fmt: skip


@pytest.mark.parametrize(
    ("make", "shape", "path", "expected"), FANS, ids=lambda value: getattr(value, "__name__", None)
)
def test_fans_of_the_kernels_of_layers_are_those_of_keras(
    make: Any, shape: Any, path: str, expected: tuple[int, int]
) -> None:
    seen: dict[tuple[int, ...], tuple[int, int]] = {}

    def recording(key: Any, shape: tuple[int, ...], dtype: Any) -> Any:
        seen[tuple(shape)] = fans(shape)
        return np.zeros(shape, dtype)

    arguments = inspect.signature(make).parameters
    given = {name: recording for name in arguments if name.endswith("_initializer") and "bias" not in name}
    given |= {"depth_multiplier": 2} if "depth_multiplier" in arguments else {}
    params, _ = make(*ARGUMENTS.get(make.__name__, (8,)), **given).init(KEY, shape)
    (kernel,) = (leaf for name, leaf in tree.leaves_with_path(params) if name == path)
    assert seen[kernel.shape] == expected


def test_constants() -> None:
    np.testing.assert_array_equal(initializers.constant(2.5)(KEY, (2, 2), "float32"), np.full((2, 2), 2.5))
    np.testing.assert_array_equal(initializers.identity(3.0)(KEY, (2, 3), "float64"), [[3, 0, 0], [0, 3, 0]])
    assert initializers.identity(3.0)(KEY, (2, 3), "float32").dtype == np.float32
    assert initializers.random_normal(5.0, 0.0)(KEY, (2,), "float32").tolist() == [5, 5]
    assert initializers.truncated_normal(5.0, 0.0)(KEY, (2,), "float32").tolist() == [5, 5]


CLASSES = {
    "Zeros": "zeros",
    "Ones": "ones",
    "Constant": "constant",
    "Identity": "identity",
    "RandomNormal": "random_normal",
    "RandomUniform": "random_uniform",
    "TruncatedNormal": "truncated_normal",
    "VarianceScaling": "variance_scaling",
    "GlorotUniform": "glorot_uniform",
    "GlorotNormal": "glorot_normal",
    "HeUniform": "he_uniform",
    "HeNormal": "he_normal",
    "LecunUniform": "lecun_uniform",
    "LecunNormal": "lecun_normal",
    "Orthogonal": "orthogonal",
    "zero": "zeros",
    "one": "ones",
    "normal": "random_normal",
    "uniform": "random_uniform",
}


@pytest.mark.parametrize(("spelling", "name"), CLASSES.items())
def test_every_spelling_of_keras_resolves(spelling: str, name: str) -> None:
    made = [get(i)(KEY, (3, 2), "float64") for i in (spelling, name, INITIALIZERS[name], INITIALIZERS[name]())]
    for other in made[1:]:
        np.testing.assert_array_equal(made[0], other)


@pytest.mark.parametrize(("cls", "name"), [(c, n) for c, n in CLASSES.items() if c[0].isupper()])
def test_classes_of_keras_make_the_same_configured_initializer(cls: str, name: str) -> None:
    make = getattr(initializers, cls)
    assert make is getattr(initializers, name)
    made = make()
    assert made == get(cls) == get(name) == get(make) and hash(made) == hash(get(name))
    assert made.name == name and get(made) is made
    assert INITIALIZERS[made.name](**made.config) == made
    assert repr(made).startswith(f"{name}(")


def test_arguments_are_remembered() -> None:
    normal = initializers.RandomNormal(stddev=np.float32(0.5))
    assert dict(normal.config) == {"mean": 0.0, "stddev": 0.5} and type(normal.config["stddev"]) is float
    assert repr(normal) == "random_normal(mean=0.0, stddev=0.5)"
    assert normal != initializers.RandomNormal(stddev=0.25) != initializers.TruncatedNormal(stddev=0.25)
    assert initializers.Orthogonal(2.0) == initializers.orthogonal(gain=2.0)
    scaling = initializers.VarianceScaling(2.0, mode="fan_out")
    assert dict(scaling.config) == {"scale": 2.0, "mode": "fan_out", "distribution": "truncated_normal"}
    layer = Dense(3, kernel_initializer=normal)
    assert layer.config["kernel_initializer"] == normal and "stddev=0.5" in repr(layer)


def test_all_are_deterministic_and_traceable() -> None:
    assert set(CLASSES.values()) | {"zero", "one", "normal", "uniform", "stft"} == set(INITIALIZERS)
    for name in INITIALIZERS:
        init, shape = get(name), (4, 1, 3) if name == "stft" else (4, 3)
        first = init(KEY, shape, "float64")
        np.testing.assert_array_equal(first, init(KEY, shape, "float64"))
        traced = fnet.jit(lambda key, init=init, shape=shape: init(key, shape, "float64"), static=("init", "shape"))(
            KEY
        )
        np.testing.assert_allclose(traced, first, rtol=1e-13)


def test_an_array_is_copied() -> None:
    value = np.arange(6.0).reshape(2, 3)
    made = get(value)(KEY, (2, 3), "float32")
    assert made.dtype == np.float32 and not np.shares_memory(made, value)
    np.testing.assert_array_equal(made, value)
    assert not np.shares_memory(get(value)(KEY, (2, 3), "float64"), value)


ERRORS: list[tuple[Any, type, str]] = [
    (
        lambda: get("glorot_unifrm"),
        ValueRangeError,
        r"unknown initializer 'glorot_unifrm'\. Did you mean 'glorot_uniform'",
    ),
    (lambda: get("qqq"), ValueRangeError, r"unknown initializer 'qqq'\. Known: constant, "),
    (lambda: get(3), DtypeError, r"an initializer is a name, .* received int 3"),
    (lambda: get(np.ones(2))(KEY, (3,), "float32"), ShapeError, r"must have shape \(3,\), received \(2,\)"),
    (lambda: get("identity")(KEY, (3,), "float32"), ShapeError, r"identity: expected a shape with two axes, .*\(3,\)"),
    (
        lambda: get("orthogonal")(KEY, (3,), "float32"),
        ShapeError,
        r"orthogonal: expected a shape with at least two axes",
    ),
    (lambda: initializers.Constant("1"), DtypeError, r"constant: value is a number, received str '1'"),
    (lambda: initializers.HeNormal(seed=3), TypeError, r"'seed'\. Random numbers come from the key given to init"),
    (lambda: initializers.HeNormal(3), TypeError, r"he_normal\(\): too many positional arguments"),
    (lambda: initializers.RandomNormal(std=3), TypeError, r"unexpected argument 'std'\. Did you mean 'stddev'\?"),
    (lambda: initializers.orthogonal(None), DtypeError, r"orthogonal: gain is a number, received NoneType"),
    (lambda: initializers.random_normal(0, -1), ValueRangeError, r"random_normal: stddev must not be negative, .*-1"),
    (lambda: initializers.truncated_normal(0, -1), ValueRangeError, r"truncated_normal: stddev must not be negative"),
    (lambda: initializers.random_uniform(2, 1), ValueRangeError, r"expected minval <= maxval, received 2 and 1"),
    (lambda: variance_scaling(-1), ValueRangeError, r"variance_scaling: scale must not be negative, received -1"),
    (lambda: variance_scaling(1, "fan_inn"), ValueRangeError, r"unknown mode 'fan_inn'\. Did you mean 'fan_in'"),
    (
        lambda: variance_scaling(1, "fan_in", "norm"),
        ValueRangeError,
        r"unknown distribution 'norm'\. Did you mean 'norma",
    ),
]


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors_say_what_was_expected(wrong: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text) as caught:
        wrong()
    assert len(str(caught.value).splitlines()) <= 3
