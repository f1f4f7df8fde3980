"""Regularizers and constraints against their formulas in NumPy, and what their names mean."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fnet import constraints, regularizers
from fnet.errors import DtypeError, ShapeError, ValueRangeError
from fnet.layers import Dense
from fnet.testing import check_grads

RNG = np.random.default_rng(0)
W = RNG.normal(size=(4, 3))


def cosines(w: np.ndarray) -> float:
    unit = w / np.linalg.norm(w, axis=1, keepdims=True)
    pairs = [abs(unit[i] @ unit[j]) for i in range(len(w)) for j in range(i)]
    return float(np.mean(pairs))


PENALTIES: list[tuple[Any, float]] = [
    (regularizers.l1(0.3), 0.3 * np.abs(W).sum()),
    (regularizers.l2(0.3), 0.3 * (W**2).sum()),
    (regularizers.l1_l2(0.3, 0.2), 0.3 * np.abs(W).sum() + 0.2 * (W**2).sum()),
    (regularizers.L1L2(l2=0.1), 0.1 * (W**2).sum()),
    (regularizers.orthogonal(0.5), 0.5 * cosines(W)),
    (regularizers.OrthogonalRegularizer(0.5, mode="columns"), 0.5 * cosines(W.T)),
]


@pytest.mark.parametrize(("penalty", "expected"), PENALTIES, ids=[repr(p) for p, _ in PENALTIES])
def test_penalties(penalty: Any, expected: float) -> None:
    assert float(penalty(W)) == pytest.approx(expected)
    assert penalty(W.astype("float32")).dtype == np.float32
    check_grads(penalty, W)


def norms(w: np.ndarray) -> np.ndarray:
    return np.linalg.norm(w, axis=0, keepdims=True)


PROJECTIONS: list[tuple[Any, np.ndarray]] = [
    (constraints.max_norm(1.5), W * np.clip(norms(W), 0, 1.5) / (1e-7 + norms(W))),
    (constraints.NonNeg(), np.maximum(W, 0)),
    (constraints.unit_norm(axis=1), W / (1e-7 + np.linalg.norm(W, axis=1, keepdims=True))),
    (
        constraints.MinMaxNorm(0.5, 1.0, rate=0.25),
        W * (0.25 * np.clip(norms(W), 0.5, 1.0) + 0.75 * norms(W)) / (1e-7 + norms(W)),
    ),
]


@pytest.mark.parametrize(("project", "expected"), PROJECTIONS, ids=[repr(p) for p, _ in PROJECTIONS])
def test_constraints(project: Any, expected: np.ndarray) -> None:
    np.testing.assert_allclose(project(W), expected, rtol=1e-12)
    assert project(W.astype("float32")).dtype == np.float32


@given(st.floats(0.1, 10), st.integers(0, 2**31))
def test_a_projection_done_twice_is_done_once(size: float, seed: int) -> None:
    w = np.random.default_rng(seed).normal(size=(3, 2)) * size
    for project in (constraints.max_norm(), constraints.non_neg(), constraints.unit_norm()):
        np.testing.assert_allclose(project(project(w)), project(w), rtol=1e-5)


def test_norms_of_convolution_kernels() -> None:
    w = RNG.normal(size=(3, 3, 2, 4))
    y = constraints.unit_norm(axis=(0, 1, 2))(w)
    np.testing.assert_allclose((y**2).sum((0, 1, 2)), 1, rtol=1e-5)


@pytest.mark.parametrize("get", [regularizers.get, constraints.get])
def test_names_classes_instances_and_functions(get: Any) -> None:
    table: dict[str, Any] = regularizers.REGULARIZERS if get is regularizers.get else constraints.CONSTRAINTS
    for name, make in table.items():
        assert get(name) == get(name.title().replace("_", "")) == get(make) == make()
    assert get(None) is None
    instance = next(iter(table.values()))()
    assert get(instance) is instance
    assert get(np.tanh) is np.tanh


def test_configured_values() -> None:
    assert repr(regularizers.l2(0.5)) == "l2(l2=0.5)" and regularizers.l2(0.5) == regularizers.L2(l2=np.float64(0.5))
    assert regularizers.l2(0.5) != regularizers.l2(0.6) and len({regularizers.l2(1.0), regularizers.l2(1.0)}) == 1
    assert dict(constraints.max_norm().config) == {"max_value": 2.0, "axis": 0}
    layer = Dense(3, kernel_regularizer="l2", bias_constraint="non_neg")
    assert layer.config["kernel_regularizer"] == "l2" and "bias_regularizer" not in layer.config
    assert repr(layer) == "Dense(units=3, kernel_regularizer='l2', bias_constraint='non_neg')"


ERRORS: list[tuple[Any, type, str]] = [
    (lambda: regularizers.get("l3"), ValueRangeError, r"unknown regularizer 'l3'. Known: l1, l1_l2, l2, orthogonal"),
    (lambda: regularizers.get(0.01), DtypeError, "a regularizer is a name, a function penalty.* received float 0.01"),
    (lambda: constraints.get("maxnorm"), ValueRangeError, r"unknown constraint 'maxnorm'. Did you mean 'max_norm'\?"),
    (lambda: constraints.get(1), DtypeError, "a constraint is a name, a function of a parameter or None, received int"),
    (lambda: regularizers.l2(-1.0), ValueRangeError, "l2: l2 must not be negative, received -1.0"),
    (lambda: regularizers.l1("big"), DtypeError, "l1: l1 is a number, received str 'big'"),
    (lambda: regularizers.l1(l2=1.0), TypeError, r"l1\(\) got an unexpected argument 'l2'. Known: l1"),
    (lambda: regularizers.orthogonal(mode="both"), ValueRangeError, "mode is 'rows' or 'columns', received 'both'"),
    (lambda: regularizers.orthogonal()(np.ones(3)), ShapeError, r"expected a matrix, received shape \(3,\)"),
    (lambda: constraints.max_norm(-1), ValueRangeError, "max_norm: max_value must not be negative, received -1"),
    (lambda: Dense(2, kernel_regularizer="l3"), ValueRangeError, "unknown regularizer 'l3'"),
    (lambda: setattr(regularizers.l2(), "name", "x"), AttributeError, "l2.* is immutable"),
]


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors_say_what_was_expected(wrong: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text):
        wrong()
