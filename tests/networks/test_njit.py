"""Networks inside of compiled code: the numbers of apply, fresh results, threads, other parameters, caches, errors."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numba
import numpy as np
import pytest
from numba.core import config
from numba.core.runtime import _nrt_python as memory
from numba.core.runtime import rtsys

import fnet
from fnet import Layer, fanout, named, njit_apply, ops, parallel, residual, serial
from fnet.errors import DtypeError, ShapeError, StructureError, ValueRangeError
from fnet.layers import Dense, Dropout, Flatten

pytestmark = pytest.mark.skipif(bool(config.DISABLE_JIT), reason="about compiled code")


def nothing(key, shape, dtype):
    return {}, {}


def layer(apply):
    return Layer(nothing, lambda params, state, x, key=None, train=False: (apply(x), state))


TABLE = np.arange(12, dtype=np.float32).reshape(3, 4)
CASES = {
    "dense": (serial(Dense(5, activation="tanh"), Dense(3)), (4,)),
    "dropout": (serial(Dropout(0.5), Dense(3, activation="softmax")), (4,)),
    "branches": (serial(fanout(Dense(5), Dense(2, activation="relu")), residual(Dense(7))), (4,)),
    "rank 3": (serial(Dense(4), Flatten(), Dense(2)), (3, 4)),
    "constants": (layer(lambda x: (x + TABLE) * 0.5 + np.arange(4)), (3, 4)),
    "identity": (layer(lambda x: x), (3,)),
    "transposed": (layer(lambda x: ops.transpose(x, (0, 2, 1))), (3, 4)),
    "a number": (layer(lambda x: ops.sum(x, axis=1)), (6,)),
    "integers": (layer(lambda x: ops.argmax(x, axis=-1)), (6,)),
    "several": (parallel(Dense(3), named("other", Dense(2))), ((4,), (5,))),
    "one of several": (layer(lambda x: x[0] * 2 + x[1]), ((3,), (3,))),
    "several of one": (fanout(Dense(3), Dense(2), merge=None), (4,)),
    "no leaves, wide": (layer(lambda x: ops.tanh(ops.matmul(x, ops.transpose(x, (0, 2, 1))))), (90, 3)),
}


def made(net, shape, dtype=np.float32):
    params, state = net.init(fnet.random.key(0), shape, dtype)
    return params, state


def inputs(shape, dtype=np.float32, lead=(), seed=0):
    rng = np.random.default_rng(seed)
    if any(isinstance(n, tuple) for n in shape):
        return tuple(rng.normal(size=(*lead, *n)).astype(dtype) for n in shape)
    return rng.normal(size=(*lead, *shape)).astype(dtype)


def applied(net, params, state, x, batch):
    """What `apply` gives for one sample or for a batch."""
    y, _ = net.apply(params, state, x if batch else fnet.tree.map(lambda a: a[None], x))
    return y if batch else fnet.tree.map(lambda a: a[0], y)


# Batches of some networks, and slowly of the others: each is compiled by itself.
BATCHED = {"dense", "transposed", "integers", "several", "several of one"}
BATCHES = [
    pytest.param(name, batch, marks=[] if batch is None or name in BATCHED else pytest.mark.slow)
    for name in CASES
    for batch in (None, 3)
]


@pytest.mark.parametrize(("name", "batch"), BATCHES)
def test_results_are_those_of_apply(name, batch):
    net, shape = CASES[name]
    params, state = made(net, shape)
    f, leaves = njit_apply(net, params, state, shape, batch=batch)
    x = inputs(shape, lead=() if batch is None else (batch,))
    expected, got = applied(net, params, state, x, batch), f(leaves, x)
    assert fnet.tree.structure(got) == fnet.tree.structure(tuple(expected) if isinstance(expected, list) else expected)
    for result, wanted in zip(fnet.tree.leaves(got), fnet.tree.leaves(expected), strict=True):
        assert np.shape(result) == np.shape(wanted)
        assert np.asarray(result).dtype == wanted.dtype
        np.testing.assert_allclose(result, wanted, rtol=1e-6, atol=1e-7)


def test_float64():
    net, shape = CASES["dense"]
    params, state = made(net, shape, np.float64)
    f, leaves = njit_apply(net, params, state, shape)
    x = inputs(shape, np.float64)
    assert leaves.dtype == np.float64
    np.testing.assert_allclose(f(leaves, x), applied(net, params, state, x, None), rtol=1e-14)


def test_results_are_new_arrays():
    net, shape = CASES["identity"]
    f, leaves = njit_apply(net, {}, {}, shape)
    x = inputs(shape)
    first, second = f(leaves, x), f(leaves, x)
    first[:] = 7
    np.testing.assert_array_equal(second, x)
    assert not np.shares_memory(second, x)


def test_leaves_are_the_vector_of_params_and_state():
    net, shape = CASES["branches"]
    f, leaves = njit_apply(net, *made(net, shape), shape)
    other = net.init(fnet.random.key(1), shape)
    vector, unravel = fnet.tree.ravel(other)
    x = inputs(shape)
    np.testing.assert_allclose(f(vector, x), applied(net, *other, x, None), rtol=1e-6)

    @numba.njit
    def changed(leaves):
        for i in range(leaves.size):
            leaves[i] *= np.float32(0.5)

    changed(leaves)
    np.testing.assert_allclose(f(leaves, x), applied(net, *unravel(leaves), x, None), rtol=1e-6)


def test_leaves_that_are_not_floating_stay_as_they_are():
    net = Layer(
        lambda key, shape, dtype: ({"w": np.ones(shape, dtype)}, {"count": np.array(3), "on": np.array(True)}),
        lambda params, state, x, key=None, train=False: (x * params["w"] * state["count"], state),
    )
    f, leaves = njit_apply(net, *made(net, (2,)), (2,))
    assert leaves.shape == (2,)
    np.testing.assert_allclose(f(leaves, np.float32([1, 2])), [3, 6])


def test_integer_inputs():
    net = Layer(
        lambda key, shape, dtype: ({"table": np.arange(10, dtype=dtype).reshape(5, 2)}, {}),
        lambda params, state, x, key=None, train=False: (ops.take(params["table"], x), state),
    )
    f, leaves = njit_apply(net, *made(net, (3,)), (3,), dtype=np.int64)
    np.testing.assert_array_equal(f(leaves, np.array([4, 0, 1])), [[8, 9], [0, 1], [2, 3]])


def in_threads(f):
    """`f` of many rows by threads of Python."""

    @numba.njit(nogil=True)
    def some(leaves, x, y):
        for i in range(x.shape[0]):
            y[i] = f(leaves, x[i])

    def every(leaves, x, y):
        some(leaves, x[:0], y[:0])
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(some, [leaves] * 40, np.split(x, 40), np.split(y, 40)))

    return every


def in_numba(f):
    """`f` of many rows by threads of Numba."""

    @numba.njit(parallel=True)
    def every(leaves, x, y):
        for i in numba.prange(x.shape[0]):
            y[i] = f(leaves, x[i])

    return every


@pytest.mark.parametrize("way", [in_threads, pytest.param(in_numba, marks=pytest.mark.slow)])
def test_many_threads_may_call_it_at_once(way):
    net, shape = CASES["dense"]
    params, state = made(net, shape)
    f, leaves = njit_apply(net, params, state, shape)
    every = way(f)
    x, y = inputs(shape, lead=(40000,)), np.zeros((40000, 3), np.float32)
    every(leaves, x, y)
    np.testing.assert_allclose(y, net.apply(params, state, x)[0], rtol=1e-4, atol=1e-5)
    again = np.zeros_like(y)
    every(leaves, x, again)
    np.testing.assert_array_equal(again, y)


def test_nothing_is_leaked():
    net = serial(Dense(3000), Dense(2))  # too wide for memory on the stack
    f, leaves = njit_apply(net, *made(net, (2,)), (2,))

    @numba.njit
    def loop(leaves, x, steps):
        for _ in range(steps):
            x = f(leaves, x)
        return x[0]

    x = np.zeros(2, np.float32)
    loop(leaves, x, 1)
    memory.memsys_enable_stats()
    try:
        before = rtsys.get_allocation_stats()
        loop(leaves, x, 100)
        after = rtsys.get_allocation_stats()
    finally:
        memory.memsys_disable_stats()
    assert after.alloc - before.alloc >= 100
    assert after.alloc - before.alloc == after.free - before.free


def test_equal_networks_share_the_compiled_function():
    net, shape = CASES["dense"]
    f, _ = njit_apply(net, *made(net, shape), shape)
    g, _ = njit_apply(net, *net.init(fnet.random.key(5), shape), shape)
    other, _ = njit_apply(net, *made(net, shape), shape, batch=2)
    assert f is g
    assert f is not other


# ------------------------------------------------------------------------------------------------------ errors


def test_arrays_that_do_not_fit():
    net, shape = CASES["dense"]
    f, leaves = njit_apply(net, *made(net, shape), shape)
    x = inputs(shape)
    with pytest.raises(ValueError, match=r"njit_apply: x must have the shape \(4,\), which is what the function was"):
        f(leaves, np.zeros(5, np.float32))
    with pytest.raises(ValueError, match=r"njit_apply: leaves must have the shape \(43,\), which is what the function"):
        f(leaves[1:], x)
    with pytest.raises(ShapeError, match="njit_apply: x must have 1 axes, received 2"):
        f(leaves, x[None])
    with pytest.raises(DtypeError, match="njit_apply: x must be an array of float32, received complex64"):
        f(leaves, x.astype(np.complex64))
    with pytest.raises(DtypeError, match="njit_apply: x must be an array of float32, received float64"):
        f(leaves, 1.0)


def test_arrays_of_other_types_and_layouts_are_converted():
    net = Layer(
        lambda key, shape, dtype: ({"w": np.arange(12, dtype=dtype).reshape(shape)}, {}),
        lambda params, state, x, key=None, train=False: (ops.sum(x * params["w"], axis=-1), state),
    )
    f, leaves = njit_apply(net, *made(net, (3, 4)), (3, 4))
    x = inputs((3, 4))
    expected = f(leaves, x)
    np.testing.assert_allclose(expected, (x * np.arange(12).reshape(3, 4)).sum(-1), rtol=1e-5)
    for other in (x.astype(np.float64), np.asfortranarray(x), np.repeat(x, 2, axis=1)[:, ::2]):
        np.testing.assert_array_equal(f(leaves, other), expected)
    np.testing.assert_array_equal(f(leaves.astype(np.float64), x), expected)
    readonly = x.copy()
    readonly.flags.writeable = False
    np.testing.assert_array_equal(f(leaves, readonly), expected)
    np.testing.assert_array_equal(f(leaves, np.ones((3, 4), np.int32)), f(leaves, np.ones((3, 4), np.float32)))


def test_networks_and_shapes_that_do_not_fit():
    net, shape = CASES["dense"]
    params, state = made(net, shape)
    with pytest.raises(ShapeError, match=r"njit_apply needs every size of the input, received \(None, 4\)"):
        njit_apply(net, params, state, (None, 4))
    with pytest.raises(StructureError, match="njit_apply takes several inputs as a tuple of shapes, received a dict"):
        njit_apply(net, params, state, {"a": (4,)})
    with pytest.raises(ValueRangeError, match="njit_apply: batch must be at least 1, or None for single samples"):
        njit_apply(net, params, state, shape, batch=0)
    with pytest.raises(StructureError, match="njit_apply: expected a network that gives an array or a tuple of arrays"):
        njit_apply(layer(lambda x: {"y": x}), {}, {}, (3,))
    with pytest.raises(StructureError, match=r"njit_apply needs concrete parameters: call it outside of fnet\.jit"):
        fnet.jit(lambda params: njit_apply(net, params, state, shape)[1])(params)
    cube = fnet.primitive("cube", shape=lambda x: x, kernel=numba.njit(lambda x, y: None))
    with pytest.raises(ValueRangeError, match=r"njit_apply cannot import the compiled kernel '.*<lambda>'"):
        njit_apply(layer(cube), {}, {}, (3,))


# ------------------------------------------------------------------------------------------------------ caches

PROGRAM = """
import numba, numpy as np, fnet
from fnet.layers import Dense
net = fnet.serial(Dense(3), Dense(2))
f, leaves = fnet.njit_apply(net, *net.init(fnet.random.key(0), (2,)), (2,))
@numba.njit(cache=True)
def loop(leaves, x):
    for _ in range(10):
        x = f(leaves, x)
    return x
y = loop(leaves, np.ones(2, np.float32))
hits = [sum(g.stats.cache_hits.values()) for g in (loop, f)] if hasattr(f, "stats") else []
print(hits, y.tolist())
"""


@pytest.mark.slow
def test_a_second_process_finds_it_compiled(tmp_path):
    (tmp_path / "program.py").write_text(PROGRAM)

    def run(**settings):
        env = {**os.environ, "FNET_CACHE_DIR": str(tmp_path), "PYTHONPATH": os.pathsep.join(sys.path), **settings}
        command = [sys.executable, str(tmp_path / "program.py")]
        done = subprocess.run(command, env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    first, second = run(), run()
    assert first.startswith("[0, 0] ")
    assert second.startswith("[1, 0] ")  # the user's function has the network's code inside
    assert first[7:] == second[7:]
    interpreted = run(NUMBA_DISABLE_JIT="1")
    np.testing.assert_allclose(eval(interpreted[3:]), eval(first[7:]), rtol=1e-5)
