"""Operands as they lie: plans read views in place where eager calls copy them, and both give the same bits."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from tests.ops.drawn import KINDS, Drawn, view


def check(drawn: Drawn, rng: np.random.Generator) -> None:
    """The value and the gradients of an operation on views: eagerly and in a plan, and as those of their copies."""
    dtype = rng.choice(["float32", "float64"], p=[0.8, 0.2])
    shapes, views = zip(*(view(rng, shape) for shape in drawn.shapes), strict=True)
    arrays = drawn.operands(rng, list(shapes), dtype)
    floating = len(arrays) - drawn.masked

    def value(*arrays: Any) -> Any:
        return drawn.function(*(take(x) for take, x in zip(views, arrays, strict=True)))

    eager = value(*arrays)
    copies = [np.array(take(x)) for take, x in zip(views, arrays, strict=True)]
    near = 1e-5 if dtype == "float32" else 1e-13
    np.testing.assert_allclose(
        eager, drawn.function(*copies), rtol=near, atol=near * max(1, np.abs(eager).max(initial=0))
    )
    np.testing.assert_array_equal(fnet.jit(value, executor="walk")(*arrays), eager)

    def gradients(cotangent: Any, *arrays: Any) -> tuple[Any, ...]:
        _, pull = fnet.vjp(lambda *floats: value(*floats, *arrays[floating:]), *arrays[:floating])
        return pull(cotangent)

    cotangent = rng.normal(size=eager.shape).astype(dtype)
    walked = fnet.jit(gradients, executor="walk")(cotangent, *arrays)
    for mine, wanted in zip(walked, gradients(cotangent, *arrays), strict=True):
        # Sums that undo a broadcast, and products with one column, may be in another order.
        np.testing.assert_allclose(mine, wanted, rtol=near, atol=near * max(1, np.abs(wanted).max(initial=0)))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__[1:])
def test_views_are_read_as_their_copies(kind):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        check(kind(rng), rng)


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__[1:])
def test_many_views_are_read_as_their_copies(kind):
    for seed in range(100, 400):
        rng = np.random.default_rng(seed)
        check(kind(rng), rng)
