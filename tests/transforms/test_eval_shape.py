"""`eval_shape`: shapes and dtypes without numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra import numpy as hnp

import fnet
from fnet import ArraySpec, ops
from fnet.errors import ShapeError, StructureError

F4 = np.dtype(np.float32)


@given(hnp.mutually_broadcastable_shapes(num_shapes=2, max_dims=3, max_side=3))
def test_shapes_are_those_of_the_real_result(shapes):
    a, b = (np.zeros(s, np.float32) for s in shapes.input_shapes)
    f = lambda a, b: {"sum": ops.sum(a + b, axis=-1) if (a + b).ndim else a + b, "equal": a == b}  # noqa: E731
    real, spec = f(a, b), fnet.eval_shape(f, a, b)
    assert {k: (v.shape, v.dtype) for k, v in spec.items()} == {k: (v.shape, v.dtype) for k, v in real.items()}


def test_specs_arrays_and_settings_may_be_mixed():
    f = lambda x, w, n: ops.reshape(x @ w, (n, -1))  # noqa: E731
    assert fnet.eval_shape(f, ArraySpec((6, 2), F4), np.zeros((2, 4), np.float32), 3) == ArraySpec((3, 8), F4)


def test_nothing_is_computed():
    huge = ArraySpec((1 << 40,), F4)
    assert fnet.eval_shape(lambda x: ops.mean(ops.exp(x)), huge) == ArraySpec((), F4)


def test_gradients_have_shapes_too():
    spec = ArraySpec((5, 2), F4)
    assert fnet.eval_shape(fnet.grad(lambda x: ops.sum(ops.tanh(x))), spec) == spec


def test_a_shape_error_comes_before_any_kernel():
    with pytest.raises(ShapeError, match=r"matmul cannot multiply \(5, 2\) by \(3, 4\)"):
        fnet.eval_shape(ops.matmul, ArraySpec((5, 2), F4), ArraySpec((3, 4), F4))


def test_a_result_that_is_no_array_is_refused():
    with pytest.raises(StructureError, match="it returned a type"):
        fnet.eval_shape(lambda x: int, ArraySpec((2,), F4))
