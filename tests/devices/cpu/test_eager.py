"""Eager calls repeat what was recorded for their kind of arguments: on their own arrays, whatever these are."""

import numpy as np
import pytest

import fnet
from bench.calls import count, examples
from fnet import ops, threads
from fnet.devices.cpu import eager

RNG = np.random.default_rng(0)
A, B = RNG.normal(size=(2, 3, 4)), RNG.normal(size=(2, 3, 4))
LAYOUTS = {
    "row-major": np.array,
    "column-major": np.asfortranarray,
    "strided": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
    "backwards": lambda x: x[::-1].copy()[::-1],
    "read-only": lambda x: np.broadcast_to(x, x.shape),
    "unaligned": lambda x: np.frombuffer(b" " + x.tobytes(), x.dtype, offset=1).reshape(x.shape),
}


@pytest.fixture
def computed(monkeypatch):
    """The calls that are kept from here on."""
    fresh = eager.Eager(fnet.device.cpu())
    monkeypatch.setitem(fnet.device.cpu().__dict__, "compute", fresh.compute)
    return fresh._known


def test_a_repeated_call_computes_on_its_own_arrays(computed):
    first = ops.add(A[0], B[0])
    again = ops.add(A[1], B[1])
    assert len(computed) == 1
    np.testing.assert_array_equal(first, A[0] + B[0])
    np.testing.assert_array_equal(again, A[1] + B[1])
    assert not np.shares_memory(first, again)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_arrays_of_every_layout_are_read_as_they_lie(computed, layout):
    laid_out = LAYOUTS[layout]
    for a, b in ((A[0], B[0]), (A[1], B[1])):
        np.testing.assert_array_equal(ops.subtract(laid_out(a), b), a - b)
        np.testing.assert_allclose(ops.matmul(laid_out(a), b.T), a @ b.T, rtol=1e-13)
        np.testing.assert_allclose(ops.softmax(laid_out(a)), np.exp(a) / np.exp(a).sum(-1, keepdims=True), rtol=1e-13)


def test_another_shape_dtype_layout_or_parameter_is_another_kind(computed):
    kinds = (A[0], A[0].T.copy(), A[0].T, A[0].astype(np.float32))
    for number, x in enumerate(kinds, 1):
        np.testing.assert_array_equal(ops.negative(x), -x)
        assert len(computed) == number
    np.testing.assert_allclose(ops.sum(A[0], 0), A[0].sum(0))
    np.testing.assert_allclose(ops.sum(A[0], 1), A[0].sum(1))
    assert len(computed) == len(kinds) + 2


def test_zeros_of_either_sign_are_two_parameters(computed):
    x = np.ones((2, 4), np.float32)
    for epsilon in (0.0, -0.0, 0.0):
        ops.rms_normalization(x, np.ones(4, np.float32), epsilon)
    assert len(computed) == 2


def test_another_number_of_threads_is_another_kind(computed):
    before = threads.get_num_threads()
    try:
        for number in (1, 2):
            threads.set_num_threads(number)
            np.testing.assert_allclose(ops.matmul(A[0], B[0].T), A[0] @ B[0].T)
        assert len(computed) == 2
    finally:
        threads.set_num_threads(before)


def test_no_more_calls_are_kept_than_may_be(computed, monkeypatch):
    monkeypatch.setattr(eager, "MOST", 3)
    for n in range(1, 9):
        np.testing.assert_array_equal(ops.negative(np.ones(n)), -np.ones(n))
        assert 1 <= len(computed) <= 3


def test_no_more_bytes_of_constants_are_kept_than_may_be(computed, monkeypatch):
    """The tables of a convolution grow with the image."""
    monkeypatch.setattr(eager, "MOST_BYTES", 10_000)
    kernel = np.ones((3, 3, 1, 1), np.float32)
    for n in range(10, 20):
        assert ops.conv(np.ones((1, n, n, 1), np.float32), kernel).max() == 9
        assert sum(calls.constant_bytes for calls in computed.values()) <= 10_000


def test_clearing_the_cache_forgets_the_calls():
    ops.negative(A)
    before = fnet.device.cpu().compute.__self__
    assert before._known
    fnet.clear_cache()
    np.testing.assert_array_equal(ops.negative(A), -A)
    after = fnet.device.cpu().compute.__self__
    assert after is not before and len(after._known) == 1


def test_a_kernel_of_one_argument(computed):
    """A result that depends on nothing."""

    def kernel(y):
        y[:] = 7

    seven = fnet.primitive("seven", shape=lambda: fnet.ArraySpec((2,), np.dtype(np.float64)), kernel=kernel)
    assert seven().tolist() == [7, 7]


def test_rules_of_users_are_asked_at_every_call(computed):
    def kernel(x, y, factor):
        y[:] = factor * x

    factors = [2, 3]
    scale = fnet.primitive(
        "scale_by_next", shape=lambda x, given: x, kernel=kernel, sizes=lambda x, given: (given.pop(0),)
    )
    assert scale(np.ones(2), given=factors).tolist() == [2, 2]
    assert scale(np.ones(2), given=factors).tolist() == [3, 3]
    assert not computed


def test_every_run_has_memory_of_its_own(computed):
    """Other threads may run the same calls meanwhile."""
    x = RNG.normal(size=(4, 9))
    expected = ops.logsumexp(x)
    (calls,) = computed.values()
    one, two = [x.reshape(-1)], [x.reshape(-1)]
    for memory in (one, two):
        np.testing.assert_array_equal(calls.run(memory)[0], expected)
    written = [(a, b) for a, b in zip(one[1:], two[1:], strict=True) if isinstance(a, np.ndarray)]
    assert len(written) == 2  # the result and scratch memory
    assert not any(np.shares_memory(a, b) for a, b in written)


@pytest.mark.parametrize(
    ("example", "most"), [("add", 12), ("matmul", 40), ("Dense", 130), ("mse", 130), ("LSTM", 100)]
)
def test_an_eager_call_enters_few_functions(example, most):
    assert count(examples()[example]).total() <= most
