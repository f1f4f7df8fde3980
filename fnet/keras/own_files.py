"""Layers of users' own in files: a class is known by a name, and makes layers of the arguments that a file says."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from fnet import tree
from fnet.configured import Recipe
from fnet.errors import DtypeError
from fnet.io.keras import registry
from fnet.io.keras.members import Member, element_names
from fnet.io.keras.variables import Variables
from fnet.keras.held import HeldLayer, face_of
from fnet.layers.constructor import LAYERS
from fnet.networks.layer import Layer as Functional
from fnet.networks.samples import Samples, is_single

if TYPE_CHECKING:
    from fnet.keras.layer import Layer

OF_ALL = ("name", "trainable", "dtype", "autocast", "batch_input_shape", "batch_shape")
"""What a config has of every layer of Keras."""


class Maker:
    """A constructor of functional layers: each has an object of a class of the user's own, made of a config.

    takes_several: whether `call` takes several inputs, one by one, and not as a list.
    """

    def __init__(self, serializes: type[Layer]) -> None:
        self.serializes, self.__name__ = serializes, serializes.__name__

    @property
    def takes_several(self) -> bool:
        takes = inspect.signature(self.serializes.call).parameters.values()
        positional = [p for p in takes if p.kind in (p.POSITIONAL_ONLY, p.POSITIONAL_OR_KEYWORD)]
        own = [p for p in positional[1:] if p.name not in ("training", "mask")]
        return len(own) > 1 or any(p.kind == p.VAR_POSITIONAL for p in takes)

    def __call__(self, **config: Any) -> HeldLayer:
        return unbuilt(self.serializes.from_config(config), self, config)

    def paths(self, functional: Functional) -> dict[str, str]:
        """Where Keras has the layers in a layer, by their entries: those in a list by their classes, numbered."""
        found: dict[str, str] = {}
        face = face_of(functional)
        entries = set() if face is None else {entry for entry, _ in face.parts()}
        for name, value in vars(face).items() if entries else ():
            if isinstance(value, list | tuple) and value and {f"{name}_{i}" for i in range(len(value))} <= entries:
                kinds = element_names([Member("", type(part).__name__, Variables()) for part in value])
                found |= {f"{name}_{i}": f"{name}/{kind}" for i, kind in enumerate(kinds)}
        return found

    def of_config(self, config: dict[str, Any]) -> HeldLayer:
        """The layer of a config as a file has it."""
        own = {key: value for key, value in config.items() if key not in OF_ALL}
        if own.get("activity_regularizer", self) is None:  # some versions of Keras say so of every layer
            del own["activity_regularizer"]
        return self(**own)


def maker_of(kind: type[Layer]) -> Maker | None:
    """The constructor of a class that has a name in files; None for any other."""
    name = registry.name_where(lambda own: registry.is_same(getattr(own, "serializes", None), kind))
    found = None if name is None else registry.found(name)
    return found if isinstance(found, Maker) else None


def recipe_of(layer: Layer) -> Recipe | None:
    """How a layer of the user's own is made again, None for one whose class has no name in files."""
    maker = maker_of(type(layer))
    return None if maker is None else Recipe(maker, (), config_of(layer))


def own_kind(kind: type[Layer]) -> str:
    """What the functional layers of a class of the user's own are called: not as a layer of fnet."""
    return f"Own{kind.__name__}" if kind.__name__ in LAYERS else kind.__name__


def config_of(layer: Layer) -> dict[str, Any]:
    """What `get_config` says of one layer, beside what all layers have."""
    return {key: value for key, value in layer.get_config().items() if key not in OF_ALL}


def unbuilt(face: Layer, maker: Maker, config: dict[str, Any]) -> HeldLayer:
    """The functional layer of an object that is built when the shape of its inputs is known."""
    parts = [(entry, functional_part(part)) for entry, part in face.parts()]
    known = [(entry, part) for entry, part in parts if part is not None]

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        build(face, shape)
        return face.functional.plain[0](key, shape, dtype)

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        return face.functional.plain[1](params, state, x, key=key, train=train)

    made = Functional(
        init,
        apply,
        name=face.name,
        kind=own_kind(type(face)),
        children=[part for _, part in known],
        entries=[entry for entry, _ in known],
        regularizers={"": lambda weight: 0.0},  # for a mark: whether there are some is not known yet
        masks="used",
        config=config,
        recipe=Recipe(maker, (), config),
    )
    held = HeldLayer.of(made, face)
    held.__dict__.update(regularizers=_OfWeights(face, "regularizer"), constraints=_OfWeights(face, "constraint"))
    return held


class _OfWeights(Mapping[str, Callable[[Any], Any]]):
    """What the weights of an object were asked for with, by their names: known when it is built."""

    def __init__(self, face: Layer, what: str) -> None:
        self._face, self._what = face, what

    def _found(self) -> dict[str, Callable[[Any], Any]]:
        asked = {name: getattr(weight, self._what) for name, weight in self._face.asked_weights.items()}
        return {name: function for name, function in asked.items() if function is not None}

    def __getitem__(self, name: str) -> Callable[[Any], Any]:
        return self._found()[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._found())

    def __len__(self) -> int:
        return len(self._found())


def functional_part(layer: Layer) -> HeldLayer | None:
    """The functional layer of an object, built or not; None for one of which nothing is known before it is built."""
    if layer._core is not None:
        return layer.functional
    maker = maker_of(type(layer))
    return None if maker is None else unbuilt(layer, maker, config_of(layer))


def build(layer: Layer, shape: Any) -> None:
    """Build a layer for inputs of this shape, which may be integers where it takes no others."""
    if layer.built:
        return
    for dtype in ("float32", "int32"):
        try:
            layer.build_for(tree.map(lambda own, d=dtype: Samples(tuple(own), np.dtype(d)), shape, is_leaf=is_single))
        except DtypeError:
            if dtype == "int32":
                raise
        else:
            return


def made_again(functional: Functional) -> Layer | None:
    """A new object for the layer of one whose class has a name in files, not built; None for any other layer."""
    maker, face = None if functional.recipe is None else functional.recipe.make, face_of(functional)
    if not isinstance(maker, Maker) or face is None:
        return None
    made: Layer = maker.serializes.from_config(dict(functional.recipe.kwargs))  # type: ignore[union-attr]
    build(made, face.built_for)
    return made
