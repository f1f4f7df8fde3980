"""Layers that learn their state from data: one pass over the data for each, in the order in which they are called."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from fnet import tree
from fnet.data.frames import as_plain, is_frame
from fnet.errors import ShapeError, StructureError, ValueRangeError, scope
from fnet.masking import unmasked
from fnet.networks.layer import Layer
from fnet.networks.learning import Learning
from fnet.networks.watching import watching
from fnet.train.sources.batches import is_batches, unpacked
from fnet.transfer import to_host

PIECE = 1 << 24  # numbers of the samples that are taken at once

Path = tuple[str, ...]


def adapt(net: Layer, params: Any, state: Any, data: Any) -> Any:
    """The state of a layer or a network after its layers have learnt from the data what they learn without gradients.

    Such layers are `fnet.layers.Normalization` and others; a layer of your own says it by ``Layer(..., learning=)``.
    In a network they learn one after the other, each from what the layers before it, in inference mode, make of the
    data. What they knew before is forgotten.

    params, state: of `net`, on the host. data: arrays with the samples first (a tuple or dict of them for several
    inputs), data sets of files that are read piece by piece, or an iterable of batches, x or ``(x, y)`` each; texts
    are lists or arrays of strings. A generator serves one layer that learns, for more of them give what begins anew.
    Raises `StructureError` for a network without such a layer, and for one that lies within a layer that is no
    container. Source: Keras ``adapt``.

    >>> import fnet
    >>> from fnet.layers import Dense, Normalization
    >>> net = fnet.serial(Normalization(), Dense(1))
    >>> params, state = net.init(fnet.random.key(0), (2,))
    >>> state = fnet.adapt(net, params, state, np.array([[0.0, 5.0], [2.0, 5.0]]))
    >>> state["normalization"]["mean"].tolist()
    [1.0, 5.0]
    """
    batches = _Pieces(data)
    if net.learning is not None:
        return _learnt(net.learning, state, (unmasked(x) for x in batches))
    params, state, done = to_host(params), to_host(state), dict[Path, None]()
    wanted = list(_learners(net))
    if not wanted:
        raise StructureError(
            f"adapt: {net.kind} has no layer that learns from data, as Normalization or TextVectorization do, or what "
            f"they know was given to them."
        )
    for _ in wanted:
        watch = _Watch(done)
        inputs = _inputs_of_next(net, params, state, batches, watch)
        first = next(inputs, None)
        if watch.learning is None:
            raise _out_of_reach(wanted, done)
        with scope("/".join(watch.path)):
            own = _learnt(watch.learning, _part(state, watch.path), itertools.chain([first], inputs))
        state, done[watch.path] = _with_part(state, watch.path, own), None
    return state


def _learnt(learning: Learning, state: Any, inputs: Iterable[Any]) -> Any:
    """The state that a layer learns from its inputs."""
    summary = learning.begin()
    for x in inputs:
        summary = learning.update(summary, x)
    return learning.finish(summary, state)


def _learners(net: Layer, path: Path = ()) -> Iterator[Path]:
    """The paths of the layers that learn, each layer once for each container that it is in."""
    seen = set[int]()
    for name, child in zip(net.entries, net.children, strict=True):
        if id(child) not in seen:
            seen.add(id(child))
            yield from [(*path, name)] if child.learning is not None else _learners(child, (*path, name))


def _inputs_of_next(net: Layer, params: Any, state: Any, batches: Iterable[Any], watch: _Watch) -> Iterator[Any]:
    """What the next layer that learns is given for each batch: the network runs as far as there."""
    for x in batches:
        try:
            watch.begin()
            with watching(watch):
                net.apply(params, state, x)
        except _ReachedError as reached:
            yield unmasked(reached.x)
        else:
            return


class _ReachedError(Exception):
    """The layer that was looked for is called on `x`."""

    def __init__(self, x: Any) -> None:
        super().__init__()
        self.x = x


class _Watch:
    """Ends the run of a network at the first layer that learns and is not done; later runs at the same one."""

    def __init__(self, done: Mapping[Path, None]) -> None:
        self._done, self._at = done, list[str]()
        self.path: Path = ()
        self.learning: Learning | None = None

    def begin(self) -> None:
        """A run begins."""
        self._at.clear()

    def enter(self, name: str, layer: Layer, x: Any) -> None:
        self._at.append(name)
        path = tuple(self._at)
        if self.learning is None and layer.learning is not None and path not in self._done:
            self.learning, self.path = layer.learning, path
        if path == self.path:
            raise _ReachedError(x)

    def leave(self, y: Any) -> Any:
        self._at.pop()
        return y


class _Pieces:
    """The data batch by batch, anew each time where they can be had again."""

    def __init__(self, data: Any) -> None:
        self._data, self._given = data, is_batches(data)
        self._is_used = False
        if not self._given:
            self._data = tree.map(as_leaf, data, is_leaf=_is_samples)

    def __iter__(self) -> Iterator[Any]:
        if self._given:
            return self._of_batches()
        return self._of_arrays()

    def _of_batches(self) -> Iterator[Any]:
        items, is_empty = iter(self._data), True
        if items is self._data and self._is_used:
            raise ValueRangeError(
                "adapt: several layers learn, each by a pass over the data, but a generator is used up after one. Pass "
                "arrays, or an object whose __iter__ begins anew."
            )
        self._is_used = True
        for number, batch in enumerate(items):
            is_empty = False
            yield tree.map(as_leaf, unpacked(batch, f"batch {number} of data: ")[0], is_leaf=_is_samples)
        if is_empty:
            raise ValueRangeError("adapt: there are no batches in the data. Pass at least one.")

    def _of_arrays(self) -> Iterator[Any]:
        leaves = tree.leaves(self._data)
        if not all(len(leaf.shape) for leaf in leaves):
            raise ShapeError("adapt: expected samples on the first axis of each array, received a single value.")
        count = len(leaves[0]) if leaves else 0
        if not count or any(len(leaf) != count for leaf in leaves):
            sizes = ", ".join(str(len(leaf)) for leaf in leaves) or "none"
            raise ValueRangeError(f"adapt: expected samples, the same number in each array, received {sizes}.")
        row = max(1, sum(int(np.prod(leaf.shape[1:])) for leaf in leaves))
        step = max(1, PIECE // row)
        for begin in range(0, count, step):
            yield tree.map(lambda leaf, at=begin: np.asarray(leaf[at : at + step]), self._data)


def _is_samples(part: Any) -> bool:
    """Whether it is the samples of one input: a list of texts or numbers is an array."""
    return isinstance(part, list) and not any(hasattr(leaf, "shape") for leaf in part)


def as_leaf(part: Any) -> Any:
    """Samples that can be sliced, those in files unread."""
    if isinstance(part, list) and any(isinstance(leaf, str | bytes) for leaf in part):
        return np.array(part, object)
    if hasattr(part, "shape") and hasattr(part, "dtype") and not is_frame(part):
        return part
    try:
        return as_plain(part)
    except ValueError:
        raise ShapeError("adapt: a list becomes an array if its rows have equally many entries.") from None


def _part(state: Any, path: Path) -> Any:
    for name in path:
        state = state.get(name, {})
    return state


def _with_part(state: Any, path: Path, own: Any) -> Any:
    if not path:
        return own
    return {**state, path[0]: _with_part(state.get(path[0], {}), path[1:], own)}


def _out_of_reach(wanted: list[Path], done: Mapping[Path, None]) -> StructureError:
    missing = next(path for path in wanted if path not in done)
    return StructureError(
        f"adapt: '{'/'.join(missing)}' learns from data, but no container calls it: the layer around it is no "
        f"combinator. Adapt it by itself: fnet.adapt(layer, params, state, data)."
    )
