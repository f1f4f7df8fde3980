"""Layers of Keras' names that learn from data without gradients: `adapt`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from fnet.data.frames import as_plain
from fnet.errors import StructureError
from fnet.keras.layer import Layer
from fnet.networks.samples import Samples
from fnet.train.adapt import adapt
from fnet.train.sources.batches import is_batches, unpacked
from fnet.transfer import to_host


class Learner(Layer):
    """A layer that learns its state from data."""

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn from samples, or from batches of them, and forget what was known before.

        data: as for `fnet.adapt`. batch_size: has no meaning here. steps: how many batches are taken, all without it.
        Source: Keras ``adapt``.
        """
        if isinstance(data, list) and data and hasattr(data[0], "shape"):  # batches, as in Keras
            data = _Again(data)
        if is_batches(data):
            data = data if steps is None else itertools.islice(data, steps)
            first, data = _first_of(data)
        else:
            first = data = data if hasattr(data, "shape") and hasattr(data, "dtype") else as_plain(data)
        self.build_for(Samples(tuple(first.shape[1:]), np.dtype("float32")))
        if self.functional.learning is None:
            raise StructureError(
                f"{self.name}: what it knows was given to it as arguments, so it learns nothing. Leave adapt out."
            )
        self.take(self.params, adapt(self.functional, to_host(self.params), to_host(self.state), data))


class NormalizationLayer(Learner):
    """Its mean and variance are seen in the shape in which they stand over a batch."""

    @property
    def mean(self) -> np.ndarray:
        return self._over_a_batch("mean")

    @property
    def variance(self) -> np.ndarray:
        return self._over_a_batch("variance")

    def _over_a_batch(self, name: str) -> np.ndarray:
        core, rank = self.functional, len(self.built_for or ()) + 1
        given = core.config[name]
        value = np.asarray(to_host(self.values.state[name]) if given is None else given, np.float32)
        axis = core.config["axis"]
        axes = () if axis is None else axis if isinstance(axis, list | tuple) else (axis,)
        places = sorted(a % rank for a in axes)[len(axes) - value.ndim :]
        shape = [1] * rank
        for place, size in zip(places, value.shape, strict=True):
            shape[place] = size
        return value.reshape(shape)


class _Again:
    """The items of a list as batches."""

    def __init__(self, items: list[Any]) -> None:
        self._items = items

    def __iter__(self) -> Iterator[Any]:
        return iter(self._items)


def _first_of(data: Any) -> tuple[Any, Any]:
    """The samples of the first batch, and the batches again."""
    items = iter(data)
    batch = next(items, None)
    if batch is None:
        raise StructureError("adapt: there are no batches in the data. Pass at least one.")
    first = as_plain(unpacked(batch, "batch 0 of data: ")[0])
    return first, data if items is not data else itertools.chain([batch], items)
