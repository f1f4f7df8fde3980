"""Recurrent kernels against plain NumPy: forward, backward, masks, directions, strides, threads."""

from __future__ import annotations

import os
import subprocess
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

import fnet
from fnet.activation_codes import LINEAR, RELU, SIGMOID, TANH
from fnet.kernels.cpu import (
    recurrent,
    recurrent_lstm,
    recurrent_lstm_units,
)
from fnet.kernels.cpu.product import VECTORS
from fnet.kernels.cpu.runtime import thread_pool, threads
from fnet.kernels.cpu.vector import simd
from fnet.kernels.cpu.vector.lanewise import lanewise
from fnet.kernels.cpu.vector.simd import at
from fnet.kernels.policy import kernel
from tests.kernels.cpu.recurrent_problem import ACTIVATIONS, CELLS, DTYPES, SLOPES, Problem

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")
EXAMPLES = 15 if simd.config.DISABLE_JIT else 100
SIZES = st.sampled_from([1, 2, 3, 8, 15, 16, 17, 33])


@settings(deadline=None, max_examples=EXAMPLES)
@given(
    cell=st.sampled_from(list(CELLS)), n=st.sampled_from([0, 1, 2, 5, 15, 31]), steps=st.integers(0, 4), features=SIZES,
    units=SIZES, dtype=st.sampled_from(DTYPES), backwards=st.booleans(), masked=st.booleans(), started=st.booleans(),
)  # fmt: skip
@example(cell="lstm", n=60, steps=2, features=3, units=40, dtype="float32", backwards=False, masked=False, started=True)
@example(cell="simple", n=37, steps=3, features=3, units=6, dtype="float32", backwards=0, masked=0, started=0)
@example(cell="simple", n=48, steps=2, features=1, units=8, dtype="float64", backwards=1, masked=0, started=1)
@example(cell="gru", n=60, steps=2, features=0, units=40, dtype="float32", backwards=True, masked=True, started=False)
def test_values_and_gradients_of_any_sizes(cell, n, steps, features, units, dtype, backwards, masked, started):
    Problem(cell, n, steps, features, units, dtype, backwards, masked, started=started).check()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("acts", [(RELU, LINEAR), (LINEAR, RELU), (TANH, SIGMOID), (SIGMOID, SIGMOID)])
def test_activations(cell, acts):
    Problem(cell, 3, 3, 2, 9, "float64", acts=acts).check()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("cell", CELLS)
def test_inference_gives_the_same_bits_and_keeps_nothing(cell, dtype):
    problem = Problem(cell, 5, 4, 3, 17, dtype, masked=True)
    ys, lasts, _ = problem.forward()
    for again in (problem.forward(saving=False), problem.forward(stretch=3)):
        for a, b in zip([ys, *lasts], [again[0], *again[1]], strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("cell", CELLS)
def test_threads_change_no_bits(cell):
    problem, before = Problem(cell, 37, 6, 30, 50, "float32", masked=True), threads.thread_count()
    results = []
    try:
        for count in (1, 2, 4):
            threads.set_thread_count(count)
            ys, lasts, kept = problem.forward()
            dz, dfirst = problem.backward(kept, ys)
            joined = [] if cell == "gru" else problem.joined(kept, ys)[:2]
            results.append(
                [
                    ys,
                    *lasts,
                    *joined,
                    *(a * np.repeat(problem.mask[..., None], a.shape[2], 2) for a in kept),
                    dz,
                    *dfirst,
                ]
            )
    finally:
        threads.set_thread_count(before)
    for other in results[1:]:
        for a, b in zip(results[0], other, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize("masked, started, backwards", [(False, True, False), (True, False, True), (True, True, False)])
@pytest.mark.parametrize("saving", [True, False])
def test_an_lstm_by_units_has_the_bits_of_one_by_samples(saving, masked, started, backwards):
    units = 3 * VECTORS * simd.VECTOR_BYTES // 4
    problem = Problem("lstm", 9, 4, 5, units, "float32", masked=masked, started=started, backwards=backwards)

    def results():
        ys, lasts, kept = problem.forward(saving=saving)
        on = problem.mask[..., None] if masked else 1
        return [ys, *lasts, *((a * on for a in kept[:2]) if saving else [kept[2]])]

    by_samples, before, grain = results(), threads.thread_count(), thread_pool.get(thread_pool.GRAIN)
    problem.module = SimpleNamespace(forward=recurrent_lstm_units.forward, workspace=recurrent_lstm.workspace)
    try:
        for count in (1, 2, 8):
            threads.set_thread_count(count)
            thread_pool.put(thread_pool.GRAIN, 1)
            for a, b in zip(by_samples, results(), strict=True):
                np.testing.assert_array_equal(a, b)
    finally:
        threads.set_thread_count(before)
        thread_pool.put(thread_pool.GRAIN, grain)


def test_an_lstm_is_computed_by_units_where_its_weights_exceed_the_cache_of_a_core():
    width = VECTORS * simd.VECTOR_BYTES // 4
    large = (int((recurrent_lstm_units.LEVEL_2 / 32) ** 0.5) // width + 1) * width
    assert recurrent_lstm_units.pays(64, large, large, "float32", "float32")
    for n, features, units, operands in [
        (0, large, large, "float32"), (10**6, large, large, "float32"), (64, large, large + 1, "float32"),
        (64, 1, width, "float32"), (64, large, large, "uint32"),
    ]:  # fmt: skip
        assert not recurrent_lstm_units.pays(n, features, units, "float32", operands)
    shapes = {"kernel": (large, 4 * large), "recurrent_kernel": (large, 4 * large), "bias": (4 * large,)}
    parameters = {name: np.zeros(shape, np.float32) for name, shape in shapes.items()}
    net = fnet.layers.LSTM(large, return_sequences=True)
    calls = fnet.jit(net.apply).plan(parameters, {}, np.zeros((2, 2, large), np.float32)).calls
    assert any(call.kernel is recurrent_lstm_units.forward for call in calls)


@pytest.mark.skipif(bool(simd.config.DISABLE_JIT), reason="nothing is fetched, and it takes seconds")
@pytest.mark.parametrize("masked, backwards", [(False, False), (True, True)])
def test_an_lstm_that_saves_more_than_the_cache_holds_has_the_bits_of_its_samples_alone(masked, backwards):
    n, units = 36, VECTORS * simd.VECTOR_BYTES // 4
    steps = recurrent.FAR // (n * 4 * units) + 1
    problem = Problem("lstm", n, steps, 3, units, "float32", masked=masked, backwards=backwards)
    ys, lasts, kept = problem.forward()
    dz, dfirst = problem.backward(kept, ys)
    far = [ys, *lasts, *dfirst, *((a * problem.mask[..., None] if masked else a) for a in (*kept[:2], dz))]
    problem.n = 1
    for name in ("x", "mask", "dys"):
        setattr(problem, name, getattr(problem, name)[30:31])
    problem.first, problem.dlast = ([a[30:31] for a in arrays] for arrays in (problem.first, problem.dlast))
    ys, lasts, kept = problem.forward()
    dz, dfirst = problem.backward(kept, ys)
    near = [ys, *lasts, *dfirst, *((a * problem.mask[..., None] if masked else a) for a in (*kept[:2], dz))]
    for a, b in zip(far, near, strict=True):
        np.testing.assert_array_equal(a[30:31], b)


@pytest.mark.parametrize("cell", CELLS)
def test_a_sample_does_not_see_its_neighbours(cell):
    problem = Problem(cell, 20, 3, 4, 18, "float32")
    ys, _, _ = problem.forward()
    problem.x[7] = np.nan
    problem.x[9, 1] = np.inf
    bad, lasts, _ = problem.forward()
    keep = [i for i in range(20) if i not in (7, 9)]
    np.testing.assert_array_equal(bad[keep], ys[keep])
    np.testing.assert_array_equal(bad[9, 0], ys[9, 0])
    assert np.isnan(bad[7]).all()
    assert np.isnan(lasts[0][7]).all()


@pytest.mark.parametrize("cell", CELLS)
def test_what_is_masked_does_not_matter(cell):
    problem = Problem(cell, 6, 5, 3, 10, "float64", masked=True)
    results = []
    for filler in (0.0, np.nan):
        problem.x[problem.mask == 0] = filler
        ys, lasts, kept = problem.forward()
        dz, dfirst = problem.backward(kept, ys)
        weights_gradient = np.einsum("ntk,ntg->kg", kept[-1], dz)
        results.append([ys, *lasts, dz, *dfirst, weights_gradient])
    for a, b in zip(*results, strict=True):
        np.testing.assert_array_equal(a, b)
        assert np.isfinite(a).all()


# Loops of their own for tanh and for sigmoid, and the one for any code.
_tanh, _sigmoid = (lanewise(lambda math, code, x: (math.activate(code, x),), (code,), "y") for code in (TANH, SIGMOID))
_tanh_slope, _sigmoid_slope = (
    lanewise(lambda math, code, g, y: (math.times_slope(g, code, y),), (code,), "dx") for code in (TANH, SIGMOID)
)


@kernel
def activate(x, y, dx, code, known):
    if (code == TANH) == known:
        _tanh(x.size, code, at(x, 0), at(y, 0))
        _tanh_slope(x.size, code, at(x, 0), at(y, 0), at(dx, 0))
    else:
        _sigmoid(x.size, code, at(x, 0), at(y, 0))
        _sigmoid_slope(x.size, code, at(x, 0), at(y, 0), at(dx, 0))


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("known", [True, False])
@pytest.mark.parametrize("code", [LINEAR, RELU, TANH, SIGMOID])
def test_activations_are_accurate_to_two_units_in_the_last_place(code, known, dtype):
    x = np.concatenate([np.random.default_rng(0).normal(size=500) * s for s in (1e-6, 0.1, 1, 10)]).astype(dtype)
    y, dx = np.empty_like(x), np.empty_like(x)
    activate(x, y, dx, code, known)
    exact, eps = ACTIVATIONS[code](x.astype(np.longdouble)), np.finfo(dtype).eps
    np.testing.assert_allclose(y, exact.astype(float), rtol=2 * eps)
    np.testing.assert_allclose(dx, x * SLOPES[code](exact.astype(float)), rtol=2 * eps, atol=40 * eps)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("known", [True, False])
def test_activations_at_their_limits(known, dtype):
    x = np.array([np.nan, np.inf, -np.inf, 0.0, -0.0, 1e30, -1e30], dtype)
    for code, want in (
        (LINEAR, x),
        (RELU, [np.nan, np.inf, 0, 0, 0, 1e30, 0]),
        (TANH, [np.nan, 1, -1, 0, 0, 1, -1]),
        (SIGMOID, [np.nan, 1, 0, 0.5, 0.5, 1, 0]),
    ):
        y, dx = np.empty_like(x), np.empty_like(x)
        activate(x, y, dx, code, known)
        np.testing.assert_allclose(y, np.asarray(want, dtype), atol=1e-37)
        assert np.isnan(y[0])


PROGRAM = """
import test_recurrent as t
for cell in t.CELLS:
    for n, features, units in [(3, 2, 5), (7, 3, 19), (17, 3, 4)]:
        t.Problem(cell, n, 3, features, units, "float32", masked=n == 3, backwards=n == 7).check()
print(t.simd.INSTRUCTION_SET, t.simd.config.DISABLE_JIT)
"""


@pytest.mark.parametrize(
    "setting",
    [
        {"NUMBA_DISABLE_JIT": "1"},
        *(pytest.param({"FNET_SIMD": s}, marks=pytest.mark.slow) for s in ("avx2", "generic")),
    ],
)
def test_without_the_jit_compiler_and_with_narrower_vectors(setting):
    environment = {**os.environ, "NUMBA_DISABLE_JIT": "0", **setting}
    environment["PYTHONPATH"] = os.pathsep.join([os.path.dirname(__file__), *sys.path])
    done = subprocess.run([sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False)
    expected = [setting.get("FNET_SIMD", simd.INSTRUCTION_SET), setting.get("NUMBA_DISABLE_JIT", "0")]
    assert done.stdout.split() == expected, done.stderr
