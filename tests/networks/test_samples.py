"""Shapes with axes of variable size: what layers make of them whatever sizes they want; errors that invent none."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fnet
from fnet import random
from fnet.errors import ShapeError
from fnet.layers import (
    AveragePooling1D,
    Conv1D,
    Cropping1D,
    Cropping2D,
    Dense,
    Flatten,
    GlobalMaxPooling1D,
    MaxPooling1D,
    MaxPooling2D,
    PositionEmbedding,
    Reshape,
)
from fnet.networks.combinators import serial
from fnet.networks.layer import Layer
from fnet.spec import Unknown

KEY = random.key(0)
QUICK = settings(deadline=None, max_examples=25)


def eight_poolings() -> Layer:
    return serial(*(MaxPooling2D() for _ in range(8)))


@pytest.mark.parametrize(
    ("make", "shape", "expected"),
    [
        (lambda: serial(Conv1D(8, 400, strides=160), GlobalMaxPooling1D()), (None, 1), (8,)),
        (eight_poolings, (None, None, 3), (None, None, 3)),
        (lambda: Cropping1D((200, 100)), (None, 3), (None, 3)),
        (lambda: Cropping2D(((300, 0), (0, 700))), (None, None, 1), (None, None, 1)),
        (lambda: PositionEmbedding(100), (None, 3), (None, 3)),
        (lambda: PositionEmbedding(3), (None, 3), (None, 3)),
        (lambda: serial(PositionEmbedding(300), Conv1D(2, 290)), (None, 3), (None, 2)),
        (lambda: Reshape((-1, 7)), (None,), (None, 7)),
        (lambda: Reshape((-1, 34)), (None, 2), (None, 34)),
        (lambda: serial(Conv1D(2, 3), Reshape((-1, 7))), (None, 2), (None, 7)),
        (lambda: fnet.residual(serial(Reshape((-1, 7)), Reshape((-1,)))), (None,), (None,)),
    ],
)
def test_layers_with_wishes_for_sizes(make: Any, shape: Any, expected: Any) -> None:
    net = make()
    net.init(KEY, shape)
    assert net.out_shape(shape) == expected
    assert fnet.summary(net, shape).to_dict()["layers"][-1]["output_shape"] == (None, *expected)


STEPS = st.one_of(
    st.tuples(st.just(Conv1D), st.integers(1, 300), st.integers(1, 9)),
    st.tuples(st.sampled_from([MaxPooling1D, AveragePooling1D]), st.integers(1, 60), st.integers(1, 9)),
    st.tuples(st.just(Cropping1D), st.integers(0, 400), st.integers(0, 400)),
)  # fmt: skip


def made(step: Any) -> Layer:
    kind, a, b = step
    return kind((a, b)) if kind is Cropping1D else kind(2, a, b) if kind is Conv1D else kind(a, b)


@given(st.lists(STEPS, min_size=1, max_size=5))
@QUICK
def test_chains_of_windows_take_a_variable_axis(steps: Any) -> None:
    net = serial(*map(made, steps))
    assert net.out_shape((None, 2)) == (None, 2)
    long = net.out_shape((10**7, 2))
    assert long[0] > 0 and long[1] == 2


@pytest.mark.parametrize(
    ("wrong", "text"),
    [
        (lambda: serial(Dense(4), Flatten(), Dense(2)).init(KEY, (None, 3)), r"must be known, received \(None,\)"),
        (lambda: serial(Conv1D(2, 3)).init(KEY, (None, 3, 1)), r"\(steps, channels\), received \(None, 3, 1\)"),
        (lambda: Reshape((2, 3)).out_shape((None,)), r"samples of shape \(None,\) have None elements, which do not"),
        (lambda: serial(eight_poolings()).init(KEY, (None, 100, 3)), r"sizes \(None, 0\)|sizes \(None, 1\)"),
        (lambda: PositionEmbedding(3).out_shape((4, 3)), r"received \(batch, 4, 3\)"),
        (lambda: fnet.residual(Conv1D(2, 3)).init(KEY, (None, 2)), r"received \(batch, None, 2\)"),
    ],
)  # fmt: skip
def test_errors_show_no_size_that_nobody_gave(wrong: Any, text: str) -> None:
    with pytest.raises(ShapeError, match=text) as caught:
        wrong()
    assert not {"240", "480", "238"} & set(str(caught.value).replace(",", " ").replace(")", " ").split())


def test_unknown_sizes_compute_and_say_that_they_are_unknown() -> None:
    n = Unknown(12)
    for made, expected in ((n + 1, 13), (2 * n, 24), (n // 5, 2), (n % 5, 2), (13 - n, 1), (-n, -12), (25 // n, 2)):
        assert (made, str(made)) == (expected, "None")
    assert np.zeros((n, 2)).shape == (12, 2) and f"{(Unknown(3, 'batch'), n)}" == "(batch, None)"
