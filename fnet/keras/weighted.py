"""What has weights: they are held in an object, found in those in it, and read and written as trees or lists."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from weakref import WeakSet

import numpy as np

from fnet import tree
from fnet.context import in_force
from fnet.errors import ShapeError, StructureError
from fnet.io.keras.translation import keras_kinds
from fnet.keras.held import HeldLayer
from fnet.keras.running import Values, now_running, own_part
from fnet.keras.variable import Variable
from fnet.masking import unmasked
from fnet.networks.layer import Layer as Functional
from fnet.networks.parameters import freeze, penalty
from fnet.transforms.operand import is_operand

if TYPE_CHECKING:
    from fnet.keras.layer import Layer


_WITHOUT_LAYERS = frozenset((
    "_core", "_frozen_as", "_trainable", "_variants", "asked_weights", "batch_when_built", "built", "built_for",
    "built_samples", "declared_batch", "declared_shape", "has_chosen_name", "held", "input_spec", "name",
    "symbolic_calls",
))  # fmt: skip
"""What each layer has, and what holds no layers: nothing is looked for there."""
FROZEN: WeakSet[Weighted] = WeakSet()
"""The layers of the session that are not trainable: without any, nothing is looked for."""


class Weighted:
    """An object with weights of its own, and those of others that its attributes hold."""

    name: str

    @property
    def trainable(self) -> bool:
        """Whether `fit` changes the weights."""
        raise NotImplementedError

    built: bool
    batch_when_built: int | None = None
    held: Values
    _core: HeldLayer | None
    _frozen_as: Mapping[Any, tuple[Functional, Functional]] = MappingProxyType({})

    def parts(self) -> list[tuple[str, Layer]]:
        """The layers in it, each once, with their entries in params and state: what its attributes hold."""
        found: dict[int, tuple[str, Layer]] = {}
        for name, value in vars(self).items():
            if name not in _WITHOUT_LAYERS and not name.startswith("__"):
                for entry, part in _layers_in(name, value):
                    found.setdefault(id(part), (entry, part))
        return list(found.values())

    def placed(
        self, path: tuple[str, ...] = (), seen: set[int] | None = None
    ) -> Iterator[tuple[tuple[str, ...], Layer]]:
        """The layer itself and all in it, with the paths of their entries; a layer that is shared at its first use."""
        seen = set() if seen is None else seen
        seen.add(id(self))
        yield path, self  # type: ignore[misc]  # a Layer
        for entry, part in self.parts():
            if id(part) not in seen:
                yield from part.placed((*path, entry), seen)

    @property
    def values(self) -> Values:
        """Where the values of its own weights are at present."""
        run = now_running()
        return self.held if run is None else run.values(self)

    @property
    def params(self) -> dict[str, Any]:
        """The parameters of the layer and of those in it: a tree."""
        return self._tree("params")

    @property
    def state(self) -> dict[str, Any]:
        """What the layer and those in it keep between calls: a tree."""
        return self._tree("state")

    def _tree(self, kind: str) -> dict[str, Any]:
        made: dict[str, Any] = {}
        for path, layer in self.placed():
            own = getattr(layer.values, kind)
            if tree.leaves(own):
                place = made
                for name in path:
                    place = place.setdefault(name, {})
                place.update(own)
        return made

    def take(self, params: Any, state: Any) -> None:
        """Hold other values: trees like `params` and `state`."""
        for path, layer in self.placed():
            own = layer.values
            own.params = own_part(own.params, params, path)
            own.state = own_part(own.state, state, path)

    @property
    def is_weightless(self) -> bool:
        """Whether it is known to need no weights, also before it is built."""
        row = None if self._core is None or self.parts() else keras_kinds().get(self._core.kind)
        return row is not None and self._core is not None and not row.variables(self._core).flat()

    def own_weights(self) -> list[Variable]:
        """The weights that are not of layers in it, first those that are trained."""
        row = None if self._core is None or self.parts() else keras_kinds().get(self._core.kind)
        if row is not None and self._core is not None and self.built:
            found = row.variables(self._core).ordered()
            return [Variable(self, v.path, name, v.trainable, v.to_keras, v.from_keras) for name, v in found]
        return [
            Variable(self, f"{kind}/{path}", path, kind == "params")
            for kind in ("params", "state")
            for path, _ in tree.leaves_with_path(getattr(self.values, kind))
        ]

    @property
    def weights(self) -> list[Variable]:
        """All weights: its own, then those of the layers in it."""
        return [*self.own_weights(), *(weight for _, part in self.parts() for weight in part.weights)]

    variables = weights

    @property
    def trainable_weights(self) -> list[Variable]:
        return [weight for weight in self.weights if weight.trainable] if self.trainable else []

    trainable_variables = trainable_weights

    @property
    def non_trainable_weights(self) -> list[Variable]:
        trained = {weight.path for weight in self.trainable_weights}
        return [weight for weight in self.weights if weight.path not in trained]

    non_trainable_variables = non_trainable_weights

    def built_on_batch(self, x: Any) -> None:
        """Remember the size of the batch for which weights were made: `summary` shows it."""
        shapes = [np.shape(leaf) for leaf in tree.leaves(unmasked(x))]
        self.batch_when_built = shapes[0][0] if shapes and shapes[0] else None

    def with_frozen_parts(self, net: Functional) -> Functional:
        """The functional layer, in which the layers that are not trainable are frozen."""
        if not FROZEN:
            return net
        paths = tuple("/".join(path) for path, layer in self.placed() if not layer.trainable)
        if not paths:
            return net
        known, made = self._frozen_as.get(paths, (None, None))
        if made is None or known is not net:
            made = freeze(net, None if "" in paths else lambda path: _is_below(path, paths))
            self._frozen_as = {paths: (net, made)}
        return made

    @property
    def path(self) -> str:
        return self.name

    @property
    def losses(self) -> list[Any]:
        """The penalty of the weights by their regularizers, and in a step what layers have added to the loss so far."""
        found = 0.0 if self._core is None else penalty(self._core, self.params)
        return [*([found] if is_operand(found) else []), *(in_force().penalties or ())]

    def reset_states(self) -> None:
        """Let recurrent layers that are stateful begin again with zeros, here and in the layers within."""
        for _, layer in self.placed():
            if layer._core is not None and layer._core.config.get("stateful"):
                layer.held.state = tree.map(lambda leaf: leaf * 0, layer.held.state)

    reset_state = reset_states

    def get_weights(self) -> list[np.ndarray]:
        """Copies of all weights, in the order of `weights`."""
        return [weight.numpy() for weight in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Give all weights other values, in the order of `weights`.

        Raises `ShapeError` for another number of them, or another shape.
        """
        own = self.weights
        if len(weights) != len(own):
            raise ShapeError(f"{self.name}: expected {len(own)} weights, received {len(weights)}.")
        for weight, value in zip(own, weights, strict=True):
            if weight.shape != np.shape(value):
                raise ShapeError(f"{weight.path}: expected the shape {weight.shape}, received {np.shape(value)}.")
        for weight, value in zip(own, weights, strict=True):
            weight.assign(value)

    def count_params(self) -> int:
        """The number of numbers in the weights."""
        if not self.built:
            raise StructureError(f"{self.name}: it has no weights yet. Call it on an input, or build(input_shape).")
        return sum(int(np.prod(weight.shape)) for weight in self.weights)


def _is_below(path: str, entries: tuple[str, ...]) -> bool:
    """Whether a path is one of some entries, or leads through one."""
    return any(path == entry or path.startswith(f"{entry}/") for entry in entries)


def _layers_in(name: str, value: Any) -> Iterator[tuple[str, Layer]]:
    """The layers that an attribute holds, within lists and dicts too."""
    if isinstance(value, Weighted):
        yield name, value  # type: ignore[misc]  # a Layer
    elif isinstance(value, list | tuple):
        for i, part in enumerate(value):
            yield from _layers_in(f"{name}_{i}", part)
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _layers_in(f"{name}_{key}", part)
