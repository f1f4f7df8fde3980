"""Recurrent operations: derivatives, laws of sequences, masks, compiled equals eager, errors."""

from __future__ import annotations

import numpy as np
import pytest
from numba.core import config

import fnet
from fnet import ops
from fnet.devices.cpu.lower import recurrent
from fnet.errors import DerivativeError, ShapeError, ValueRangeError
from fnet.kernels.cpu.runtime import thread_pool, threads
from fnet.testing import check_grads

COVERED = {"simple_rnn", "lstm", "gru"}

RNG = np.random.default_rng(0)
N, T, D, H = 3, 4, 2, 5
BLOCKS = {"simple_rnn": 1, "lstm": 4, "gru": 3}
STATES = {"simple_rnn": 1, "lstm": 2, "gru": 1}
MASK = np.array([[1, 1, 0, 1], [1, 0, 0, 1], [0, 0, 0, 0]], bool)
EACH = pytest.mark.parametrize("name", BLOCKS)


def operands(name, steps=T):
    width = BLOCKS[name] * H
    shapes = [(N, steps, D), (D, width), (H, width), (2, width) if name == "gru" else (width,)]
    return [RNG.normal(size=shape) * 0.7 for shape in shapes]


def states(name):
    return tuple(RNG.normal(size=(N, H)) for _ in range(STATES[name]))


@EACH
@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("mask", [None, MASK], ids=["", "masked"])
def test_derivatives_in_every_operand_and_from_every_output(name, backwards, mask):
    def f(x, kernel, recurrent, bias, initial):
        return getattr(ops, name)(x, kernel, recurrent, bias, initial, mask, backwards=backwards)

    arguments = (*operands(name), states(name))
    check_grads(f, *arguments, modes=("rev",))
    for output in range(1 + STATES[name]):
        check_grads(lambda *args, k=output: f(*args)[k], *arguments, modes=("rev",))


@EACH
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_compiled_and_differentiated_calls_give_the_same_bits(name, dtype):
    x, kernel, recurrent, bias = (a.astype(dtype) for a in operands(name))
    arguments = (x, kernel, recurrent, bias, tuple(s.astype(dtype) for s in states(name)), MASK)
    f = getattr(ops, name)
    eager = f(*arguments)
    compiled = fnet.jit(f)(*arguments)
    differentiated, pull = fnet.vjp(lambda *a: f(*a, arguments[4], MASK), x, kernel, recurrent, bias)
    for other in (compiled, differentiated):
        assert all(np.array_equal(a, b) for a, b in zip(eager, other, strict=True))
    gradients = pull(differentiated)
    again = fnet.jit(lambda *a: fnet.vjp(lambda *b: f(*b, arguments[4], MASK), *a)[1](differentiated))(
        x, kernel, recurrent, bias
    )
    assert all(a.dtype == dtype for a in (*eager, *gradients))
    for a, b in zip(gradients, again, strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-6, atol=2e-6)


@pytest.mark.parametrize("name", ["simple_rnn", "lstm"])
def test_gradients_of_many_samples_are_the_sums_over_few_with_the_same_bits_every_way(name):
    n, steps, units, width = 40, 12, 48, BLOCKS[name] * 48
    draw = np.random.default_rng(0).normal
    x, *weights = (draw(0, 0.3, size).astype("f4") for size in ((n, steps, D), (D, width), (units, width), (width,)))
    mask = np.random.default_rng(1).random((n, steps)) < 0.7

    def loss(x, weights, mask):
        return np.sum(np.sin(getattr(ops, name)(x, *weights, None, mask, backwards=True)[0]))

    of_both = fnet.grad(loss, (0, 1))
    dx, dweights = of_both(x, weights, mask)
    few = [of_both(x[i : i + 4], weights, mask[i : i + 4]) for i in range(0, n, 4)]
    np.testing.assert_allclose(dx, np.concatenate([part[0] for part in few]), rtol=1e-5, atol=1e-6)
    for k, whole in enumerate(dweights):
        np.testing.assert_allclose(whole, sum(part[1][k] for part in few), rtol=1e-4, atol=1e-4)
    for way in (fnet.grad(loss, 1), *(fnet.jit(fnet.grad(loss, 1), executor=name) for name in ("walk", "native"))):
        for a, b in zip(way(x, weights, mask), dweights, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.skipif(config.DISABLE_JIT, reason="plain Python has one thread")
@pytest.mark.parametrize(("n", "launches"), [(32, 0), (64, 1)])
def test_what_is_saved_is_worth_another_core_only_if_that_core_walks_back(n, launches):
    """The forward walk takes 3/2 of what one thread is worth: one thread is too few only where work counts twice."""
    steps, units, count, grain = 50, 16, threads.thread_count(), thread_pool.get(thread_pool.GRAIN)
    shapes = (n, steps, D), (D, units), (units, units), (units,)
    arguments = [np.zeros(shape, np.float32) for shape in shapes]
    threads.set_thread_count(2)
    try:
        thread_pool.put(thread_pool.GRAIN, n * steps * (D + 1 + units) * units // 40 * 3 // 4)
        before = thread_pool.get(thread_pool.EPOCH)
        fnet.vjp(ops.simple_rnn, *arguments)
        assert thread_pool.get(thread_pool.EPOCH) - before == launches
    finally:
        thread_pool.put(thread_pool.GRAIN, grain)
        threads.set_thread_count(count)


@pytest.mark.parametrize("name", ["simple_rnn", "lstm"])
@pytest.mark.parametrize("started", [False, True])
def test_gradients_of_weights_that_are_too_many_for_the_walk_are_products_behind_it(name, started, monkeypatch):
    x, *weights = (a.astype("f4") for a in operands(name))
    initial = tuple(s.astype("f4") for s in states(name)) if started else None

    def loss(x, *weights):
        return np.sum(np.sin(getattr(ops, name)(x, *weights, initial, MASK, backwards=started)[0]))

    gradients = fnet.grad(loss, (0, 1, 2, 3))
    x[0, 2] = np.nan  # behind the mask
    joined = gradients(x, *weights)
    monkeypatch.setattr(recurrent, "JOINED_WEIGHTS", 0)
    compiled = fnet.jit(gradients)
    plan = compiled.plan(x, *weights)
    assert sum(call.label == f"{name}_vjp" for call in plan.calls) == 5  # walk, product, copy, gather, product
    apart = compiled(x, *weights)
    for one, two in zip(joined, apart, strict=True):
        np.testing.assert_allclose(one, two, rtol=2e-5, atol=1e-6)
        assert np.isfinite(two).all()


@EACH
def test_a_sequence_in_two_parts_is_the_whole_sequence(name):
    x, *weights = operands(name, steps=7)
    f = getattr(ops, name)
    ys, *last = f(x, *weights)
    first, *middle = f(x[:, :3], *weights)
    second, *end = f(x[:, 3:], *weights, tuple(middle))
    np.testing.assert_array_equal(np.concatenate([first, second], 1), ys)
    assert all(np.array_equal(a, b) for a, b in zip(end, last, strict=True))


@EACH
def test_backwards_is_forwards_on_the_flipped_sequence(name):
    x, *weights = operands(name)
    f = getattr(ops, name)
    ys, *last = f(x, *weights, backwards=True, mask=MASK)
    flipped, *same = f(x[:, ::-1], *weights, mask=MASK[:, ::-1])
    np.testing.assert_array_equal(ys, flipped[:, ::-1])
    assert all(np.array_equal(a, b) for a, b in zip(last, same, strict=True))


@EACH
def test_padding_behind_a_mask_changes_nothing(name):
    x, *weights = operands(name)
    f = getattr(ops, name)
    ys, *last = f(x, *weights)
    padded = np.concatenate([x, np.full((N, 2, D), np.nan)], 1)
    mask = np.array([[1] * T + [0] * 2] * N)
    more, *same = f(padded, *weights, mask=mask)
    np.testing.assert_array_equal(more[:, :T], ys)
    np.testing.assert_array_equal(more[:, T:], np.repeat(ys[:, -1:], 2, 1))
    assert all(np.array_equal(a, b) for a, b in zip(last, same, strict=True))


@EACH
def test_bias_and_states_are_zero_by_default(name):
    x, kernel, recurrent, bias = operands(name)
    f, zeros = getattr(ops, name), tuple(np.zeros((N, H)) for _ in range(STATES[name]))
    for a, b in zip(f(x, kernel, recurrent), f(x, kernel, recurrent, 0 * bias, zeros), strict=True):
        np.testing.assert_array_equal(a, b)


@EACH
def test_inference_keeps_nothing_for_a_gradient(name):
    x, *weights = operands(name, steps=50)
    f = fnet.jit(lambda x: getattr(ops, name)(x, *weights)[1])
    grad = fnet.jit(fnet.grad(lambda x: ops.sum(getattr(ops, name)(x, *weights)[1])))
    outputs = N * 50 * H * 8
    assert f.plan(x).arena_bytes < outputs + 16384
    assert grad.plan(x).arena_bytes > f.plan(x).arena_bytes + outputs


@EACH
@pytest.mark.parametrize("steps", [0, 1])
def test_short_sequences(name, steps):
    x, *weights = operands(name, steps)
    first = states(name)
    ys, *last = getattr(ops, name)(x, *weights, first)
    assert ys.shape == (N, steps, H)
    if steps:
        np.testing.assert_array_equal(ys[:, 0], last[0])
    else:
        assert all(np.array_equal(a, b) for a, b in zip(last, first, strict=True))
    gradients = fnet.vjp(lambda *w: getattr(ops, name)(x, *w, first), *weights)[1]((ys, *last))
    assert all(np.isfinite(g).all() for g in gradients)


@EACH
def test_inputs_may_be_views(name):
    x, *weights = operands(name)
    f = fnet.jit(lambda x, *w: getattr(ops, name)(ops.transpose(x, (1, 0, 2)), *w)[0])
    np.testing.assert_array_equal(f(x.transpose(1, 0, 2).copy(), *weights), getattr(ops, name)(x, *weights)[0])


@EACH
def test_states_and_their_cotangents_may_be_slices_of_wider_arrays(name):
    x, *weights = operands(name)
    wide = [RNG.normal(size=(N, width)) for width in (2 * H, 3 * H)][: STATES[name]]

    def f(x, *wide):
        ys, *last = getattr(ops, name)(x, *weights, tuple(w[:, H : 2 * H] for w in wide))
        return ops.concatenate([ys[:, 1], *last], 1)

    np.testing.assert_array_equal(fnet.jit(f)(x, *wide), f(x, *wide))
    check_grads(f, x, *wide, modes=("rev",))
    cotangent = RNG.normal(size=f(x, *wide).shape)
    eager, compiled = (g(x, *wide) for g in (pulled(f, cotangent), fnet.jit(pulled(f, cotangent))))
    for a, b in zip(eager, compiled, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-12, atol=1e-12)


def pulled(f, cotangent):
    return lambda *args: fnet.vjp(f, *args)[1](cotangent)


def test_masked_outputs_are_those_of_keras():
    x = np.arange(24.0).reshape(2, 4, 3)
    weights = np.full((3, 8), 0.01), np.full((2, 8), 0.02), np.array([0.03] * 2 + [1.0] * 2 + [0.03] * 4)
    mask = np.array([[1, 1, 1, 0], [1, 1, 0, 0]])
    ys, _, _ = ops.lstm(x, *weights, mask=mask)
    rows = [[0.0158891, 0.05552048, 0.11755939, 0.11755939], [0.14185596, 0.28556206, 0.28556206, 0.28556206]]
    np.testing.assert_allclose(ys, np.repeat(np.array(rows)[..., None], 2, 2), rtol=1e-6)
    mask = np.array([[0, 1, 1, 1], [0, 0, 1, 1]])
    _, h, _ = ops.lstm(x, *weights, mask=mask, backwards=True)
    np.testing.assert_allclose(h, np.repeat([[0.15341201], [0.3844719]], 2, 1), rtol=1e-6)
    weights = np.full((3, 6), 0.01), np.full((2, 6), 0.02), np.full((2, 6), 0.03)
    ys, _ = ops.gru(x, *weights, mask=np.array([[1, 1, 0, 1], [1, 0, 0, 1]]))
    rows = [[0.03606692, 0.09497581, 0.09497581, 0.19393763], [0.16051409, 0.16051409, 0.16051409, 0.30818558]]
    np.testing.assert_allclose(ys, np.repeat(np.array(rows)[..., None], 2, 2), rtol=1e-6)


def test_derivatives_that_are_not_there_are_refused():
    x, *weights = operands("lstm")

    def loss(x):
        return ops.sum(ops.lstm(x, *weights)[1])

    with pytest.raises(DerivativeError, match="primitive 'lstm_vjp' has no vjp rule"):
        fnet.grad(lambda x: ops.sum(fnet.grad(loss)(x) ** 2))(x)
    with pytest.raises(DerivativeError, match="primitive 'lstm' has no jvp rule"):
        fnet.jvp(loss, (x,), (x,))


def call(name="lstm", **changes):
    x, kernel, recurrent, bias = operands(name)
    given = {"x": x, "kernel": kernel, "recurrent_kernel": recurrent, "bias": bias} | changes
    return getattr(ops, name)(**given)


@pytest.mark.parametrize(
    ("wrong", "error", "text"),
    [
        ({"x": np.ones((3, 2))}, ShapeError, r"lstm: expected an input \(batch, time, features\), received \(3, 2\)"),
        ({"recurrent_kernel": np.ones(5)}, ShapeError, r"lstm: recurrent_kernel is a matrix, received \(5,\)"),
        (
            {"recurrent_kernel": np.ones((5, 15))},
            ShapeError,
            r"expected recurrent_kernel \(5, 20\), received \(5, 15\)",
        ),
        ({"kernel": np.ones((3, 20))}, ShapeError, r"lstm: expected kernel \(2, 20\), received \(3, 20\)"),
        ({"bias": np.ones(5)}, ShapeError, r"lstm: expected bias \(20,\), received \(5,\)"),
        ({"initial_state": np.ones((3, 5))}, ShapeError, r"lstm: expected 2 initial states, received 1"),
        (
            {"initial_state": [np.ones((3, 5)), np.ones((2, 5))]},
            ShapeError,
            r"initial_state \(3, 5\), received \(2, 5\)",
        ),
        ({"mask": np.ones((3, 5))}, ShapeError, r"lstm: expected mask \(3, 4\), received \(3, 5\)"),
        ({"activation": "gelu"}, ValueRangeError, r"an activation of: linear, relu, tanh, sigmoid, received 'gelu'"),
    ],
)
def test_errors_say_what_was_expected(wrong, error, text):
    with pytest.raises(error, match=text):
        call(**wrong)
