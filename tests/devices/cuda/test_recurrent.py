"""Recurrent layers by CUDA kernels, run by the checker: what the CPU's kernels give, forward and back."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

import fnet.device
from fnet.devices.cuda import walks
from fnet.devices.cuda.lower import recurrent as lower
from fnet.devices.cuda.walks import Way
from fnet.kernels.cuda.runtime.limits import Limits
from fnet.ops import recurrent_primitives
from tests.devices.cuda.emulated import LIMITS
from tests.devices.cuda.unloaded import Unloaded

COLUMNS = {"simple": 1, "lstm": 4, "gru": 3}
STATES = {"simple": 1, "lstm": 2, "gru": 1}
EACH = pytest.mark.parametrize("name", COLUMNS)
FEW = Limits(6, 99 << 10)  # a card of six multiprocessors
WAYS: dict[str, Callable[[Way], bool]] = {
    "one block": lambda way: way.keeps_vectors,
    "several": lambda way: way.is_together,
    "steps": lambda way: not way.is_at_once,
}


@pytest.fixture
def choose(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Lets all walks go this way, with some of its numbers changed."""

    def chosen(kind: str, **changes: int) -> None:
        def way(*args: Any, back: bool) -> Way:
            found = [one for one in walks.ways(*args[:-1], FEW, back=back) if WAYS[kind](one)]
            return replace(min(found, key=lambda one: one.clocks), **changes)

        monkeypatch.setattr(lower, "way", way)

    return chosen


def both(primitive: Any, arrays: list[np.ndarray], **params: Any) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return Unloaded().compute(primitive, *arrays, **params), fnet.device.cpu().compute(primitive, arrays, params)


def check(received: list[np.ndarray], expected: list[np.ndarray]) -> None:
    """To a few roundings of the largest."""
    assert len(received) == len(expected)
    for a, b in zip(received, expected, strict=True):
        scale = np.max(np.abs(b), initial=1)
        np.testing.assert_allclose(a, b, rtol=0, atol=64 * np.finfo(b.dtype).eps * scale)


def check_layer(
    name: str, shape: tuple[int, int, int, int], *, started: bool = True, masked: bool = False, backwards: bool = False,
    present: tuple[bool, ...] | None = None, wanted: tuple[bool, bool] = (True, True), dtype: str = "float32",
    rec: str = "sigmoid", act: str = "tanh",
) -> None:  # fmt: skip
    """Samples, steps, features and units: the walk forward, the same that saves, and the walk back from what it saved.

    Where the mask is off, x is NaN, which nothing may see.
    """
    (n, steps, features, units), rng = shape, np.random.default_rng(0)

    def numbers(*sizes: int) -> np.ndarray:
        return (0.7 * rng.normal(size=sizes)).astype(dtype)

    columns, states = COLUMNS[name] * units, STATES[name]
    mask = (rng.random((n, steps)) < 0.6).astype(np.uint8)
    x = numbers(n, steps, features)
    weights = [numbers(features, columns), numbers(*([2] * (name == "gru")), columns), numbers(units, columns)]
    initial = [numbers(n, units) for _ in range(states * started)]
    masks = [mask] * masked
    if masked:
        x[mask == 0] = np.nan
    roles = {"act": act} if name == "simple" else {"rec": rec, "act": act}
    params = {"started": started, "masked": masked, "backwards": backwards, "precision": "highest", **roles}
    primitive = getattr(recurrent_primitives, name)
    operands = [x, *weights, *initial, *masks]
    taped, expected = both(primitive.taped, operands, **params)
    kept = expected
    if masked:  # gates of steps that are off have no meaning
        taped, expected = taped[: 1 + states], expected[: 1 + states]
    check(taped, expected)
    for a, b in zip(Unloaded().compute(primitive, *operands, **params), taped, strict=False):
        np.testing.assert_array_equal(a, b)

    present = (True,) * (1 + states) if present is None else present
    cotangents = [numbers(n, steps, units), *(numbers(n, units) for _ in range(states))]
    gates = kept[1 + states :]
    saved = {"simple": kept[:1], "lstm": [*gates, kept[0]], "gru": gates}[name]
    given = [g for g, here in zip(cotangents, present, strict=True) if here]
    kernel, _, recurrent = weights
    inputs = [*given, x, kernel, recurrent, *initial, *saved, *masks]
    pulled = getattr(recurrent_primitives, f"_{name}_vjp")
    check(*both(pulled, inputs, present=present, wanted=wanted, **params))


WALKS = pytest.mark.parametrize(
    "started, masked, backwards", [(False, False, True), (True, True, False), (False, True, False), (True, False, True)]
)


@pytest.mark.parametrize("kind, samples", [("steps", 2), ("one block", 5), ("several", 5)])
@EACH
@WALKS
def test_walks(name, started, masked, backwards, kind, samples, choose):
    choose(kind)
    check_layer(name, (samples, 3, 2, 3), started=started, masked=masked, backwards=backwards)


@EACH
@pytest.mark.parametrize(
    "units, kind, tile", [(9, "several", {"samples": 4}), (12, "several", {"samples": 4}), (12, "steps", {})]
)
def test_tiles_and_chunks(name, units, kind, tile, choose):
    choose(kind, chunk=8, **tile)
    check_layer(name, (9, 2, 1, units), masked=units == 9)


@pytest.mark.parametrize("name, units", [("simple", 18), ("lstm", 9), pytest.param("gru", 11, marks=pytest.mark.slow)])
def test_walks_of_more_columns_than_a_warp_has_lanes(name, units):
    check_layer(name, (5, 2, 1, units))


@EACH
@pytest.mark.parametrize("units, kind", [(60, "one block"), (400, "several"), (9000, "steps")])
def test_where_all_steps_are_one_launch(name, units, kind):
    for back in (False, True):
        found = walks.way(64, 50, units, COLUMNS[name], 4, LIMITS, back=back)
        assert WAYS[kind](found) or (name, kind) == ("simple", "several")
    assert not walks.way(64, 1, units, COLUMNS[name], 4, LIMITS, back=False).is_together
    assert not walks.way(64, 50, units, COLUMNS[name], 4, Limits(1, 99 << 10), back=False).is_together


def test_ways_keep_to_what_kernels_expect():
    cases = itertools.product((1, 3, 4), (1, 9, 100, 1000), (1, 5, 1000), (False, True), (4, 8))
    for gates, units, n, back, itemsize in cases:
        for limits in (LIMITS, Limits(82, 99 << 10)):
            for found in walks.ways(n, 9, units, gates, itemsize, limits, back=back):
                depth = gates * units if back else units
                tiles = found.columns // 8 * (found.samples // 4)
                assert found.block <= 256 and tiles * found.slices <= 256
                assert found.depth % found.chunk == 0 and depth <= found.depth < depth + found.chunk
                assert found.chunk == found.depth or found.samples * found.chunk <= 16 * found.block
                assert found.shared_bytes <= limits.shared_bytes
                assert (found.parts - 1) * found.own < units <= found.parts * found.own
                assert (found.groups - 1) * found.group < n <= found.groups * found.group
                assert not found.is_together or found.parts * found.groups <= limits.together


@EACH
def test_launches(name, choose, monkeypatch):
    """All steps are one launch, or each is one."""
    numbers = np.zeros((1, 4, 2), np.float32), np.zeros((2, 8 * COLUMNS[name]), np.float32)
    bias = np.zeros((*[2] * (name == "gru"), 8 * COLUMNS[name]), np.float32)
    recurrent = np.zeros((8, 8 * COLUMNS[name]), np.float32)
    roles = {"act": "tanh"} if name == "simple" else {"rec": "sigmoid", "act": "tanh"}
    params = {"started": False, "masked": False, "backwards": False, "precision": "highest", **roles}
    launched: list[Any] = []
    for kind, expected in (("one block", [1, 0]), ("several", [1, 1]), ("steps", [4, 0])):
        device = Unloaded()
        choose(kind)
        monkeypatch.setattr(device, "run", lambda recording, memory: launched.append(recording.calls))
        device.compute(getattr(recurrent_primitives, name), *numbers, bias, recurrent, **params)
        launches = [launch for launch, _ in launched[-1]]
        names = [launch.__name__ for launch in launches]
        assert [names.count("walk"), sum(one.together for one in launches)] == expected


SLOW = pytest.mark.slow


@pytest.mark.parametrize(
    "name, shape",
    [
        ("simple", (5, 2, 1, 9)),
        ("lstm", (1, 1, 1, 1)),
        ("gru", (1, 1, 1, 1)),
        pytest.param("lstm", (9, 2, 3, 10), marks=SLOW),
        pytest.param("gru", (9, 2, 3, 10), marks=SLOW),
    ],
)
def test_edges_of_tiles(name, shape, choose):
    choose("steps")
    check_layer(name, shape)


@EACH
def test_what_nobody_asks_for_is_not_needed(name):
    states = STATES[name]
    check_layer(name, (2, 2, 2, 3), present=(True, *[False] * states), wanted=(True, False))
    check_layer(name, (2, 2, 2, 3), present=(False, *[True] * states), wanted=(False, True), started=False)


@EACH
@pytest.mark.parametrize("rec, act", [("linear", "relu"), ("tanh", "sigmoid")])
def test_other_activations(name, rec, act):
    check_layer(name, (2, 2, 3, 3), rec=rec, act=act, dtype="float64")


@EACH
@pytest.mark.parametrize("shape", [(0, 3, 2, 4), (2, 0, 2, 4)])
def test_no_samples_and_no_steps(name, shape):
    check_layer(name, shape)
