"""Constructors of things that know how they were made."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest

from fnet.configured import Recipe, combinator, constructor
from fnet.optimizers import optimizer_constructor as optimizer


@constructor(lambda made, recipe: (made, recipe), shared={"name": None})
def scaled(x: float, factor: float = 2.0) -> float:
    return x * factor


@combinator(lambda made, recipe: (made, recipe))
def total(*parts: float, start: float = 0.0) -> float:
    return sum(parts, start)


def test_a_constructor_knows_itself_and_its_arguments() -> None:
    made, recipe = scaled(3.0, factor=np.float32(0.5))  # type: ignore[misc]
    assert (made, recipe) == (1.5, Recipe(scaled, (), {"x": 3.0, "factor": 0.5, "name": None}))
    assert recipe.name == "scaled" and type(recipe.kwargs["factor"]) is float
    assert list(inspect.signature(scaled).parameters) == ["x", "factor"]
    assert total(1.0, 2.0, start=3.0) == (6.0, Recipe(total, (1.0, 2.0), {"start": 3.0}))


def test_wrong_arguments_are_named() -> None:
    with pytest.raises(TypeError, match=r"scaled\(\) got an unexpected argument 'facter'\. Did you mean 'factor'\?"):
        scaled(1.0, facter=2.0)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match=r"scaled\(\): missing a required argument: 'x'\."):
        scaled()  # type: ignore[call-arg]


def test_a_constructor_lists_its_arguments() -> None:
    def mine(learning_rate: float, **common: Any) -> Any: ...

    with pytest.raises(TypeError, match=r"\*\*common: .* a constructor takes arguments by name\. List each of them\."):
        optimizer(mine)
