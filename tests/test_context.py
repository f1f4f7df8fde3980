"""Hidden values: they are in one place, hold where they should, and reach layers inside of jitted functions."""

from __future__ import annotations

import asyncio
import contextvars
import re
import threading
from pathlib import Path

import numpy as np
import pytest

import fnet
from fnet import context, random, serial
from fnet.context import Context, in_force, within
from fnet.layers import BatchNormalization, Dense
from fnet.networks.layer import Layer
from fnet.networks.parameters import apply_with_penalty
from fnet.networks.watching import watching
from fnet.regularizers import reported_penalties

X = np.arange(12, dtype=np.float32).reshape(4, 3) ** 2
PLAIN = Context()


def values(c):
    return [getattr(c, name) for name in context.VALUES]


def test_every_hidden_value_is_listed_with_its_meaning():
    rows = re.findall(r"^\| `(\w+)` \|", context.__doc__, re.MULTILINE)
    assert tuple(rows) == context.VALUES
    assert set(context.VALUES) | {"jit_level"} == set(Context.__slots__)


def test_nothing_else_is_hidden():
    kept = re.compile(r"\bContextVar\(|\bthreading\.local\b")
    sources = Path(fnet.__file__).parent.rglob("*.py")
    found = {path.name for path in sources if kept.search(path.read_text(encoding="utf-8"))}
    # The others have the seconds that a thread has compiled, for which card it does, and what it hands to its driver.
    assert found == {"adapter.py", "context.py", "compiling.py", "driver.py"}


@pytest.mark.parametrize("first", [False, True], ids=["trained first", "frozen first"])
def test_a_frozen_layer_in_a_jitted_function_keeps_its_statistics(first):
    inner = BatchNormalization()
    jitted = fnet.jit(lambda params, state, x: inner.apply(params, state, x, train=True))
    layer = Layer(inner.init, lambda params, state, x, key=None, train=False: jitted(params, state, x), name="own")
    net = serial(layer)
    params, state = net.init(random.key(0), (3,))
    for frozen in (first, not first, first):
        moved = (fnet.freeze(net) if frozen else net).apply(params, state, X, train=True)[1]["own"]["moving_mean"]
        assert np.any(moved) != frozen


def test_a_jitted_function_reports_penalties_every_time():
    inner = Dense(2, activity_regularizer="l2")
    jitted = fnet.jit(inner.apply)
    layer = Layer(
        inner.init, lambda params, state, x, key=None, train=False: jitted(params, state, x),
        children=[inner], entries=["dense"],
    )  # fmt: skip
    params, state = layer.init(random.key(0), (3,))
    wanted = apply_with_penalty(inner, params, state, X)[2]
    assert wanted > 0
    for _ in range(3):
        np.testing.assert_array_equal(apply_with_penalty(layer, params, state, X)[2], wanted)
        jitted(params, state, X)


def test_a_jitted_function_in_a_layer_is_compiled_once_for_all_places():
    traced = []

    @fnet.jit
    def double(x):
        traced.append(x)
        return x * 2

    layer = Layer(lambda key, shape, dtype: ({}, {}), lambda params, state, x, key=None, train=False: (double(x), {}))
    for _ in range(3):
        np.testing.assert_array_equal(serial(layer, layer).apply({}, {}, X)[0], 4 * X)
        double(X)
    assert len(traced) == 1


@pytest.mark.parametrize("plain_first", [False, True])
def test_a_function_that_reads_nothing_hidden_has_programs_everywhere(plain_first):
    traced = []

    @fnet.jit
    def double(x):
        traced.append(x)
        return x * 2

    if plain_first:
        double(X)
    with reported_penalties():
        for _ in range(4):  # the last one is a steady call
            np.testing.assert_array_equal(double(X), 2 * X)
    double(X)
    assert len(traced) == 1


def test_what_is_read_in_a_context_is_noted():
    for name in context.VALUES:
        observed = context.Observed("high", None)
        getattr(observed, name)
        assert observed.is_read == (name != "precision")


def test_repeated_calls_where_a_value_is_hidden():
    @fnet.jit(donate="x")
    def step(x, y):
        return x + y

    with reported_penalties():
        np.testing.assert_array_equal(step.repeat(3, X, 2 * X), 7 * X)
    np.testing.assert_array_equal(step.repeat(3, X, 2 * X), 7 * X)


def test_a_value_ends_alone():
    """What else was set inside stays, as the setting of a precision does."""
    before = in_force()
    try:
        with within(before.replaced(counted_samples=X)):
            fnet.precision("medium")
            assert in_force().counted_samples is X
        assert values(in_force()) == ["medium", None, None, None, None, False, None]
    finally:
        fnet.precision(before.precision)


def test_it_is_restored_after_an_error():
    with pytest.raises(ZeroDivisionError), within(in_force().replaced(watcher=X)):
        1 / 0  # noqa: B018
    assert values(in_force()) == values(PLAIN)


def test_a_generator_may_end_in_another_thread():
    def batches():
        with fnet.precision("high"), reported_penalties() as found:
            yield found

    seen = []

    def begin():
        generator = batches()
        assert next(generator) is in_force().penalties
        thread = threading.Thread(target=close, args=(generator,))
        thread.start()
        thread.join(10)

    def close(generator):
        generator.close()
        seen.append(values(in_force()))

    contextvars.copy_context().run(begin)  # what the generator leaves behind
    assert seen == [values(PLAIN)]


def test_a_new_thread_has_nothing_hidden():
    seen = []
    with fnet.precision("high"), reported_penalties():
        thread = threading.Thread(target=lambda: seen.append(values(in_force())))
        thread.start()
        thread.join(10)
    assert seen == [values(PLAIN)]


class Names:
    def __init__(self):
        self.seen = []

    def enter(self, name, layer, x):
        self.seen.append(name)

    def leave(self, y):
        return y


def test_tasks_do_not_see_each_other():
    nets = serial(Dense(2), Dense(2)), serial(BatchNormalization())
    pairs = [net.init(random.key(0), (3,)) for net in nets]

    async def work(net, pair):
        names = Names()
        with watching(names):
            for _ in range(2):
                net.apply(*pair, X)
                await asyncio.sleep(0)
        return names.seen

    async def both():
        return await asyncio.gather(*(work(net, pair) for net, pair in zip(nets, pairs, strict=True)))

    assert asyncio.run(both()) == [["dense", "dense_1"] * 2, ["batch_normalization"] * 2]
    assert in_force().watcher is None
