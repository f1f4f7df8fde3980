"""Parameters at rest in 16 bits: every bit pattern, rounding, networks, files, mistakes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import fnet
from fnet import random, serial, tree
from fnet.errors import DtypeError, StructureError, ValueRangeError
from fnet.layers import BatchNormalization, Dense, Embedding
from fnet.networks.storage import Stored, restore, store, stored

EVERY = np.arange(2**16, dtype=np.uint16)


def as_float32(bits: np.ndarray, format: str) -> np.ndarray:
    if format == "float16":
        return bits.view(np.float16).astype(np.float32)
    return (bits.astype(np.uint32) << 16).view(np.float32)


@pytest.mark.parametrize("format", ["bfloat16", "float16"])
@pytest.mark.parametrize("compiled", [False, True])
def test_every_pattern_of_16_bits_has_its_value(format: str, compiled: bool) -> None:
    values = (fnet.jit(restore) if compiled else restore)(Stored(EVERY, format))
    expected = as_float32(EVERY, format)
    assert values.dtype == np.float32
    np.testing.assert_array_equal(values, expected)
    np.testing.assert_array_equal(np.signbit(values), np.signbit(expected))


@pytest.mark.parametrize("format", ["bfloat16", "float16"])
def test_storing_what_was_stored_changes_nothing(format: str) -> None:
    values = as_float32(EVERY, format)
    again = store(values, format).bits
    finite = ~np.isnan(values)
    np.testing.assert_array_equal(again[finite], EVERY[finite])
    assert np.isnan(as_float32(again, format))[~finite].all()


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_bfloat16_takes_the_nearest_number(value: float) -> None:
    x = np.array([value], np.float32)
    near = restore(store(x))[0]
    bits = int(store(x).bits[0])
    others = [as_float32(np.array([b & 0xFFFF], np.uint16), "bfloat16")[0] for b in (bits - 1, bits + 1)]
    with np.errstate(over="ignore", invalid="ignore"):
        distances = [abs(np.float64(o) - np.float64(value)) for o in others if np.isfinite(o)]
    assert np.isinf(near) or all(abs(np.float64(near) - np.float64(value)) <= d for d in distances)
    if np.isinf(near):
        assert abs(value) > 3.38e38


def test_float64_and_other_leaves() -> None:
    kept = store({"w": np.array([1.5, -2.0]), "ids": np.arange(3), "none": None}, "float16")
    assert isinstance(kept["w"], Stored) and kept["ids"].dtype.kind == "i" and kept["none"] is None
    assert (kept["w"].shape, kept["w"].nbytes, repr(kept["w"])) == ((2,), 4, "Stored(float16[2])")
    np.testing.assert_array_equal(restore(kept)["w"], np.array([1.5, -2.0], "float32"))


@pytest.mark.parametrize("format", ["bfloat16", "float16"])
def test_a_stored_network_computes_with_restored_parameters(format: str) -> None:
    net = serial(Embedding(10, 6), Dense(5, "tanh"), BatchNormalization())
    params, state = net.init(random.key(0), (4,))
    small, kept = stored(net, format), store(params, format)
    own, own_state = small.init(random.key(0), (4,))
    assert tree.all_equal((own, own_state), (kept, state))
    x = np.random.default_rng(0).integers(0, 10, (3, 4))
    expected, after = net.apply(restore(kept), state, x, train=True)
    y, small_after = small.apply(kept, state, x, train=True)
    np.testing.assert_array_equal(y, expected)
    assert tree.all_equal(small_after, after)
    error = np.abs(y - net.apply(params, state, x, train=True)[0]).max()
    assert 0 < error < 0.05
    nbytes = [sum(leaf.nbytes for leaf in tree.leaves(part)) for part in (params, kept)]
    assert nbytes[0] == 2 * nbytes[1] and small.out_shape((4,)) == (4, 5)


def test_files_are_half_as_large(tmp_path: Path) -> None:
    net = Dense(300)
    params, state = net.init(random.key(0), (300,))
    kept = store(params)
    fnet.save_weights(tmp_path / "full.h5", net, params, state)
    fnet.save_weights(tmp_path / "half.h5", stored(net), kept, state)
    sizes = [(tmp_path / name).stat().st_size for name in ("half.h5", "full.h5")]
    assert sizes[0] < 0.55 * sizes[1]
    template, _ = stored(net).init(random.key(1), (300,))
    loaded, _ = fnet.load_weights(tmp_path / "half.h5", stored(net), template, state)
    assert isinstance(loaded["kernel"], Stored) and tree.all_equal(loaded, kept)


ERRORS: list[tuple[Any, type, str]] = [
    (lambda: store({}, "float8"), ValueRangeError, r"store: unknown format 'float8'. Did you mean 'float16'\?"),
    (lambda: store({"w": np.array([7e4])}, "float16"), ValueRangeError, "'w' has 70000.0, which float16 cannot hold"),
    (lambda: store(store({"w": np.ones(2)})), DtypeError, r"'w' is Stored\(bfloat16\[2\]\) already; restore it first"),
    (lambda: stored({}), StructureError, "stored: expected a Layer, received a dict"),  # type: ignore[arg-type]
    (lambda: stored(Dense(2), "half"), ValueRangeError, "stored: unknown format 'half'"),
]


@pytest.mark.parametrize(("wrong", "error", "text"), ERRORS, ids=[text for _, _, text in ERRORS])
def test_errors_say_what_was_expected(wrong: Any, error: type, text: str) -> None:
    with pytest.raises(error, match=text):
        wrong()


def test_it_cannot_be_trained() -> None:
    net = stored(Dense(2))
    params, state = net.init(random.key(0), (3,))
    with pytest.raises((DtypeError, fnet.errors.DerivativeError)):
        fnet.grad(lambda p: fnet.ops.sum(net.apply(p, state, np.ones((1, 3), "float32"))[0]))(params)
