"""What shapes alone say of a network, its state and data. It is found once for each set of shapes."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any, NamedTuple, TypeVar

import numpy as np

from fnet import tree
from fnet.device import device_of
from fnet.errors import BatchSizeError, ShapeError
from fnet.masking import unmasked
from fnet.networks.layer import Layer
from fnet.ops import nn
from fnet.spec import ArraySpec
from fnet.train.checks import check_network
from fnet.train.derived import Derived, computed
from fnet.train.lookups import Lookups
from fnet.train.measures import BoundMeasures, Measures
from fnet.train.state import TrainState
from fnet.train.steps import Totals, no_totals
from fnet.transfer import to_device
from fnet.transforms.primitive import spec_of
from fnet.transforms.stage import eval_shape

R = TypeVar("R")


class Forward(NamedTuple):
    """What the network makes of samples.

    output: the specs of the outputs, which may be `Masked`. probabilities: a tree of bools like the outputs, true where
    a softmax or sigmoid makes the output. lookups: the tables that inputs are looked up in. masks: of the outputs.
    """

    output: Any
    probabilities: Any
    lookups: Lookups
    masks: Derived | None

    def known_output(self, x: Any) -> Any:
        """The output, with the masks themselves where they follow from `x` alone."""
        known = {} if self.masks is None else {found.what: computed(found, x) for found in self.masks.find(x)}
        return tree.map_with_path(lambda path, leaf: known.get(path, leaf), self.output)


class Examined(NamedTuple):
    """The measures for the outputs of the network, and the totals before the first batch."""

    measures: BoundMeasures
    empty: Totals


class Examiner:
    """Examines a network and its measures; what it finds depends on structures, shapes and dtypes only."""

    def __init__(self, net: Layer, measures: Measures) -> None:
        self._net, self._measures = net, measures
        self._found: dict[Hashable, Any] = {}

    def once(self, key: Hashable, find: Callable[[], R]) -> R:
        """``find()``, or what it was the last time for this key."""
        if key not in self._found:
            self._found[key] = find()
        return self._found[key]

    def forward(self, ts: TrainState, x: Any, name: str = "x") -> Forward:
        """What the network makes of samples like `x`, which errors call `name`.

        Raises `StructureError` and `ShapeError` for samples or a state that do not belong to the network.
        """

        def find() -> Forward:
            check_network(self._net, ts, x, name)
            output, known = _output(self._net, ts, x)
            return Forward(output, known, Lookups(self._net, ts.params, ts.state, x), self._masks(ts, x, output))

        forward = self.once(("forward", specs((ts.params, ts.state)), samples(x)), find)
        n = len(tree.leaves(x)[0])
        output = tree.map(lambda spec: ArraySpec((n, *spec.shape[1:]), spec.dtype), forward.output)
        return forward._replace(output=output)

    def _masks(self, ts: TrainState, x: Any, output: Any) -> Derived | None:
        if tree.structure(output) == tree.structure(unmasked(output)):
            return None

        def pick(params: Any, state: Any, x: Any) -> list[tuple[str, Any]]:
            y, _ = self._net.apply(params, state, x)
            return [(path, leaf) for path, leaf in tree.leaves_with_path(y) if spec_of(leaf).dtype == np.bool_]

        return Derived(pick, ts.params, ts.state, x)

    def measures(self, ts: TrainState, data: dict[str, Any]) -> Examined:
        """Loss and metrics for data like these."""

        def find() -> Examined:
            output = self.forward(ts, data["x"]).output
            bound = self._measures.bind(self._measures.outputs(output))
            bound.check_weights(data, output)
            return Examined(bound, to_device(no_totals(bound, data, output), device_of(tree.leaves(ts.params)).name))

        return self.once(("measures", specs((ts.params, ts.state)), samples(data)), find)


def specs(values: Any) -> Hashable:
    """Structure, shapes, dtypes and device of a tree of arrays."""
    leaves, structure = tree.flatten(values)
    found = [leaf if type(leaf) is np.ndarray else spec_of(leaf) for leaf in leaves]
    return structure, device_of(leaves).name, tuple([(spec.shape, spec.dtype) for spec in found])


def samples(data: Any) -> Hashable:
    """Structure, shapes and dtypes of data, but for the number of samples."""
    leaves, structure = tree.flatten(data)
    return structure, tuple([(leaf.shape[1:], leaf.dtype) for leaf in leaves])


def _output(net: Layer, ts: TrainState, x: Any) -> tuple[Any, Any]:
    """The specs of the output for a batch of samples like those of `x`. With them, which are probabilities."""
    try:
        return _output_of(net, ts, x, len(tree.leaves(x)[0]))
    except BatchSizeError as error:  # of a layer for batches of one size
        return _output_of(net, ts, x, error.expected)


def _output_of(net: Layer, ts: TrainState, x: Any, n: int) -> tuple[Any, Any]:
    """The same for `n` samples like those of `x`."""
    like = tree.map(lambda leaf: ArraySpec((n, *leaf.shape[1:]), leaf.dtype), x)
    known: Any = None

    def apply(params: Any, state: Any, x: Any) -> Any:
        nonlocal known
        y, _ = net.apply(params, state, x)
        known = tree.map(_is_probability, unmasked(y))
        return y

    output = eval_shape(apply, ts.params, ts.state, like)
    for spec in tree.leaves(output):
        if spec.shape[:1] != (n,):
            raise ShapeError(
                f"the network must keep the batch as its first axis: {n} samples gave the shape {spec.shape}."
            )
    return output, known


def _is_probability(y: Any) -> bool:
    return any(nn.logits_of(activation, y) is not None for activation in ("softmax", "sigmoid"))
