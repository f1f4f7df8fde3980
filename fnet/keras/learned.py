"""Layers of Keras' names that learn from data without gradients: `adapt`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from typing import Any

import numpy as np

from fnet.data.frames import as_plain
from fnet.errors import ShapeError, StructureError
from fnet.keras.held import HeldLayer
from fnet.keras.layer import Layer, as_texts
from fnet.keras.running import Values
from fnet.layers.constructor import LAYERS
from fnet.layers.string_lookup import tokens_in_state
from fnet.layers.vocabulary import numbering_of
from fnet.networks.samples import TEXT, Samples
from fnet.train.adapt import adapt, as_leaf
from fnet.train.sources.batches import is_batches, unpacked
from fnet.transfer import to_host


class Learner(Layer):
    """A layer that learns its state from data."""

    def adapt(self, data: Any, batch_size: int | None = None, steps: int | None = None) -> None:
        """Learn from samples, or from batches of them, and forget what was known before.

        data: as for `fnet.adapt`. batch_size: has no meaning here. steps: how many batches are taken, all without it.
        Source: Keras ``adapt``.
        """
        data = as_texts(data)
        if isinstance(data, list) and data and isinstance(data[0], np.ndarray):  # batches, as in Keras
            data = _Again(data)
        if is_batches(data):
            data = data if steps is None else itertools.islice(data, steps)
            first, data = _first_of(data)
        else:
            first = data = as_leaf(data)
            if not first.shape:
                raise ShapeError(f"{self.name}: adapt takes samples, received a single value. Give a list of it.")
        self.build_for(Samples(tuple(first.shape[1:]), TEXT if first.dtype.kind in "USO" else np.dtype("float32")))
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


class DiscretizationLayer(Learner):
    """Its boundaries are seen as a list, learnt or told."""

    @property
    def bin_boundaries(self) -> list[float] | None:
        """The boundaries; None before they are known."""
        told = self.functional.config["bin_boundaries"]
        edges = self.values.state.get("bin_boundaries", told)
        known = None if edges is None else np.asarray(to_host(edges))
        return None if known is None or not np.isfinite(known).all() else known.tolist()


class VocabularyLayer(Learner):
    """A layer with a vocabulary, which is seen and set as a list of tokens."""

    def get_vocabulary(self, include_special_tokens: bool = True) -> list[Any]:
        """The tokens in the order of their numbers, with those for the mask and what is unknown in front."""
        tokens = self._tokens()
        if not include_special_tokens:
            return tokens
        plan, config = numbering_of(self.functional), self.functional.config
        return [plan.mask] * plan.first_unknown + [config.get("oov_token", "[UNK]")] * plan.unknown + tokens

    def vocabulary_size(self) -> int:
        """The number of all numbers that tokens have."""
        return len(self._tokens()) + numbering_of(self.functional).first

    def set_vocabulary(self, vocabulary: Any, idf_weights: Any = None) -> None:
        """Take tokens, or the path of a file of them, in place of what the layer knew."""
        core = self.functional
        given = vocabulary.tolist() if isinstance(vocabulary, np.ndarray) else vocabulary
        made = LAYERS.find(core.kind)(**{**core.config, "vocabulary": given, "idf_weights": idf_weights})
        params, state = made.init(np.zeros(2, np.uint32), ())
        known = HeldLayer.of(made, self) if core.learning is None else core
        self._core, self.held, self.built = known, Values(dict(params), dict(state)), True

    def _tokens(self) -> list[Any]:
        core = self.functional
        state = self.values.state or core.init(np.zeros(2, np.uint32), ())[1]
        return tokens_in_state(core, state)[0]


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
    first = as_plain(as_texts(unpacked(batch, "batch 0 of data: ")[0]))
    return first, data if items is not data else itertools.chain([batch], items)
