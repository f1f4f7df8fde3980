"""Checks of arguments: what they give, what they refuse, and what they say of it."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import fnet
from fnet import arguments as check
from fnet import layers, losses, metrics, optimizers, schedules
from fnet.errors import DtypeError, FnetError, ShapeError, TracingError, ValueRangeError

NUMBERS = [
    (None, [-math.inf, 0, 2.5, np.float32(1), np.int8(3), np.array(0.5), math.nan], []),
    ("[0, 1]", [0, 0.5, 1], [-0.1, 1.1, math.nan]),
    ("[0, 1)", [0, 0.9], [1, math.nan]),
    ("(0, inf]", [1e-9, math.inf], [0, -1, math.nan]),
    ("[0, inf)", [0, 9], [math.inf, -1]),
    ("[-inf, 0]", [-math.inf, 0], [1e-9]),
    ("(-inf, inf)", [0.0], [math.inf, -math.inf, math.nan]),
]


@pytest.mark.parametrize(("interval", "inside", "outside"), NUMBERS, ids=[str(row[0]) for row in NUMBERS])
def test_numbers_of_an_interval(interval: str | None, inside: list[Any], outside: list[Any]) -> None:
    for value in inside:
        given = check.number("who", "x", value, interval)
        assert type(given) is float
        np.testing.assert_equal(given, float(value))
    for value in outside:
        with pytest.raises(ValueRangeError, match=rf"^who: expected .*x.*, received {value}\.$"):
            check.number("who", "x", value, interval)


@pytest.mark.parametrize("value", ["1", None, True, np.True_, 1j, [1.0], np.ones(1)])
def test_what_is_no_number(value: Any) -> None:
    with pytest.raises(DtypeError, match=r"^who: x is a number, received \w+ ") as caught:
        check.number("who", "x", value)
    assert isinstance(caught.value, TypeError | ValueError) and not check.is_number(value)


ERRORS: list[tuple[Callable[[], Any], type[Exception], str]] = [
    (lambda: check.number("who", "x", 2, "[0, 1)"), ValueRangeError, "who: expected 0 <= x < 1, received 2."),
    (lambda: check.number("who", "x", 0, "(0, inf]"), ValueRangeError, "who: expected x > 0, received 0."),
    (
        lambda: check.number("who", "x", -1, "[0, inf)"),
        ValueRangeError,
        "who: expected x >= 0 and finite, received -1.",
    ),
    (lambda: check.number("who", "x", 1, "[-inf, 0]"), ValueRangeError, "who: expected x <= 0, received 1."),
    (lambda: check.not_negative("who", "x", -1), ValueRangeError, "who: x must not be negative, received -1."),
    (lambda: check.positive("who", "x", 0), ValueRangeError, "who: x is positive, received 0."),
    (lambda: check.fraction("who", "x", 2), ValueRangeError, "who: x is a fraction, expected 0 <= x <= 1, received 2."),
    (lambda: check.integer("who", "n", 0), ValueRangeError, "who: expected n to be an integer >= 1, received 0."),
    (lambda: check.integer("who", "n", 1.5, 0), DtypeError, "who: expected n to be an integer >= 0, received 1.5."),
    (lambda: check.integer("who", "n", True), ValueRangeError, "who: expected n to be an integer >= 1, received True."),
    (lambda: check.positive_integer("who", "n", 0), ValueRangeError, "who: n is a positive integer, received 0."),
    (lambda: check.positive_integer("who", "n", 2.0), DtypeError, "who: n is a positive integer, received float 2.0."),
    (lambda: check.positive_integers("who", "n", (1, 2), 3), ShapeError, "who: n is an integer or 3 of them, received"),
    (lambda: check.integer_or_none("who", "n", "a"), DtypeError, "who: n is an integer or None, received str 'a'."),
    (lambda: check.flag("who", "f", 1), DtypeError, "who: f is True or False, received 1."),
    (
        lambda: check.known_word("f", "w", "sun", ("sum", None)),
        ValueRangeError,
        "unknown w 'sun'. Did you mean 'sum'?",
    ),
    (lambda: check.known_word("who", "w", [], ("sum", "mean")), ValueRangeError, "unknown w []. Known: mean, sum."),
    (lambda: check.known_word("who", "w", None, ("sum",)), ValueRangeError, "unknown w None. Known: sum."),
    (lambda: check.one_of("who", "w", "c", "ab"), ValueRangeError, "who: w is 'a' or 'b', received 'c'."),
    (lambda: check.one_of("who", "w", [], ("a", "b", "c")), ValueRangeError, "w is 'a', 'b' or 'c', received []."),
    # The gates of rooms that used to let these through.
    (lambda: optimizers.adam(beta_1="a"), DtypeError, "adam: beta_1 is a number, received str 'a'."),
    (lambda: schedules.constant(None), DtypeError, "constant: value is a number, received NoneType None."),
    (lambda: losses.Huber(delta=0), ValueRangeError, "huber: expected delta > 0, received 0."),
    (lambda: losses.Huber(delta="a"), DtypeError, "huber: delta is a number, received str 'a'."),
    (lambda: losses.BinaryCrossentropy(label_smoothing=2), ValueRangeError, "expected 0 <= label_smoothing <= 1"),
    (lambda: layers.Dot(True), DtypeError, "Dot: axes is an integer or a pair of them, received True."),
]


@pytest.mark.parametrize(("call", "error", "text"), ERRORS, ids=[row[2][:40] for row in ERRORS])
def test_errors_say_what_was_expected(call: Callable[[], Any], error: type[Exception], text: str) -> None:
    with pytest.raises(error) as caught:
        call()
    assert text in str(caught.value)


def test_a_traced_value_says_what_to_do() -> None:
    with pytest.raises(TracingError, match="needs the value of a traced float32"):
        fnet.jit(lambda rate: optimizers.sgd(0.1, momentum=rate).init({}))(np.float32(0.5))


def test_values_come_back_as_python_has_them() -> None:
    assert type(check.positive_integer("who", "n", np.int64(3))) is int
    assert check.positive_integers("who", "n", 2, 3) == (2, 2, 2) == check.positive_integers("who", "n", [2, 2, 2], 3)
    assert check.integer_or_none("who", "n", None) is None and check.flag("who", "f", np.False_) is False
    assert check.known_word("who", "w", None, ("sum", None)) is None and check.one_of("who", "w", "a", "ab") == "a"


GATES: list[tuple[Callable[[], Any], str]] = [
    (lambda: optimizers.sgd(nesterov=1), "sgd: nesterov is True or False, received 1."),
    (lambda: optimizers.newton_cg(c1="a"), "newton_cg: c1 is a number, received str 'a'."),
    (lambda: losses.BinaryCrossentropy(from_logits="no"), "from_logits is True or False, received 'no'."),
    (lambda: metrics.Recall(thresholds="a"), "recall: thresholds is a sequence, received str 'a'."),
    (lambda: metrics.AUC(thresholds=[0.5, "a"]), "auc: threshold is a number, received str 'a'."),
    (lambda: metrics.AUC(label_weights=3), "auc: label_weights is a sequence, received int 3."),
    (lambda: metrics.IoU(3, target_class_ids=3), "io_u: target_class_ids is a sequence, received int 3."),
    (lambda: schedules.piecewise_constant(3, [1]), "boundaries is a sequence, received int 3."),
    (lambda: schedules.piecewise_constant(["a"], [1, 2]), "boundaries[0] is a number, received str 'a'."),
    (lambda: layers.TimeDistributed([]), "TimeDistributed: argument 0 is a list, expected a Layer."),
    (lambda: layers.StackedRNNCells(np.ones(2)), "StackedRNNCells expects a list of cells, received array([1., 1.])."),
    (lambda: layers.Permute(np.ones(2)), "Permute: dims is an order of the axes 1, 2, ... of a sample"),
    (lambda: layers.GroupNormalization(np.ones(2)), "groups is a positive integer, received ndarray"),
    (lambda: layers.Conv1D(2, 3, data_format=np.ones(2)), "data_format is channels_last, received array"),
]


@pytest.mark.parametrize(("call", "text"), GATES, ids=[row[1][:40] for row in GATES])
def test_constructors_never_show_errors_of_python(call: Callable[[], Any], text: str) -> None:
    with pytest.raises(FnetError) as caught:
        call()
    assert text in str(caught.value)


def test_sizes_may_be_integers_of_numpy() -> None:
    two = np.int64(2)
    assert layers.Reshape((two, -1)).out_shape((6,)) == (2, 3)
    assert layers.ZeroPadding1D((two, 0)).out_shape((3, 1)) == (5, 1)


def test_a_warning_is_at_the_call_of_the_user() -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        optimizers.sgd(nesterov=True)
    assert [warning.filename for warning in caught] == [__file__]
