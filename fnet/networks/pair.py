"""The types of the two functions that a layer is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fnet.networks.samples import ShapeLike

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

Tree = dict[str, Any]
"""The params or the state of a layer: arrays, or trees of them, by name."""


class Init(Protocol):
    """``init(key, shape, dtype) -> (params, state)`` of a `Layer`."""

    def __call__(
        self, key: np.ndarray, shape: ShapeLike | None = None, dtype: DTypeLike = ...
    ) -> tuple[Tree, Tree]: ...


class Apply(Protocol):
    """``apply(params, state, x, key=None, train=False) -> (y, state)`` of a `Layer`."""

    def __call__(
        self, params: Any, state: Any, x: Any, key: np.ndarray | None = None, train: bool = False
    ) -> tuple[Any, Tree]: ...
