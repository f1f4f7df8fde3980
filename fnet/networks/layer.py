"""What a layer is: a pair of pure functions, with a name, a configuration and children that others can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal, NoReturn

import numpy as np

from fnet import tree
from fnet.configured import Recipe, make_again
from fnet.errors import StructureError, TracingError
from fnet.masking import handing_on, without_masks
from fnet.networks.functions import Apply, Frame, Init, Tree, checked_apply, checked_init, float_dtype, known_shape
from fnet.networks.learning import Learning
from fnet.networks.samples import ShapeLike, output_shape
from fnet.random import key as make_key
from fnet.spec import ArraySpec
from fnet.transforms.stage import eval_shape

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

_TRAIN_HINT = "net.apply(params, state, x, train=True) says so, and the Trainer does."
_CALL_HINTS = {
    "training": _TRAIN_HINT,
    "train": _TRAIN_HINT,
    "mask": "a mask travels with the values, from Masking or Embedding(mask_zero=True) on.",
    "initial_state": "states are inputs behind the sequence, layer((x, h)), or layer((x, h, c)) for an LSTM.",
}

_FIT = "trainer = fnet.Trainer(net, loss, optimizer); ts = trainer.init(key, shape); trainer.fit(ts, x, y)."
_WEIGHTS = "a layer is pure and holds no parameters: params, state = net.init(key, shape)."
_KERAS = dict.fromkeys(("fit", "compile", "evaluate", "predict", "train_on_batch"), _FIT)
_KERAS |= dict.fromkeys(("weights", "get_weights", "set_weights", "variables", "trainable_variables"), _WEIGHTS)
_KERAS |= {
    "summary": "fnet.summary(net, shape).",
    "add": "a Layer never changes, make another one: fnet.serial(net, layer).",
    "layers": "net.children, with the names of their entries in net.entries.",
    "get_layer": "net.children, with the names of their entries in net.entries.",
    "save": "fnet.save_model(path, net, params, state).",
    "save_weights": "fnet.save_weights(path, net, params, state).",
    "load_weights": "params, state = fnet.load_weights(path, net, params, state).",
    "call": "y, state = net.apply(params, state, x).",
    "build": "params, state = net.init(key, shape).",
    "count_params": "fnet.summary(net, shape).to_dict()['total_params'].",
    "output_shape": "net.out_shape(shape).",
    "losses": "fnet.penalty(net, params).",
    "get_config": "net.config.",
}

DEEPEST = 100  # layers within each other

Masks = Literal["dropped", "kept", "used"]


class Layer(tuple[Init, Apply]):
    """The pair ``(init, apply)``: ``init, apply = layer``.

    ``init(key, shape, dtype) -> (params, state)``: trees of arrays for inputs of `shape`, which has no batch axis
    (None is an axis of variable size; several inputs have a tuple of shapes). Both are {} where there is nothing.
    ``apply(params, state, x, key=None, train=False) -> (y, state)``: the output, and the state for the next call.
    The state is returned because the function is pure: what a call learns (running means, say) leaves it as a value.

    Both are pure functions, written with `fnet.ops` or NumPy functions, and take exactly these arguments.
    `name` names the entry in a container's params; containers number equal names. `kind` is the name of the
    constructor, `config` holds its arguments, `children` the layers of a container and `entries` the names of theirs.
    `regularizers` and `constraints` hold functions of parameters by the name of the leaf (see `fnet.penalty` and
    `fnet.constrain`), `trainable` says whether a trainer changes the parameters (see `fnet.freeze`). A layer of your
    own that calls others names them as its `children`, with their `entries` in its params, or those with a penalty,
    a constraint or frozen parameters raise a `StructureError` within it.

    recipe: a function that can be imported, and its arguments, which make the layer again where it is unpickled; it is
    given by constructors and combinators, and a layer without one cannot be pickled.
    shape: that of the inputs where the layer was made for it, as a graph is; init and `out_shape` then take it.
    masks: what the layer does with the mask of its input (a `fnet.masking.Masked`): "dropped", its apply gets values
    only; "kept", so it does, and its output gets the mask; "used", its apply gets the `Masked` itself.

    >>> scale = Layer(
    ...     lambda key, shape, dtype: ({"factor": np.ones(shape, dtype)}, {}),
    ...     lambda params, state, x, key=None, train=False: (x * params["factor"], state),
    ...     name="scale",
    ... )
    >>> scale.out_shape((3,))
    (3,)
    """

    name: str
    kind: str
    config: Mapping[str, Any]
    children: tuple[Layer, ...]
    entries: tuple[str, ...]
    regularizers: Mapping[str, Callable[[Any], Any]]
    constraints: Mapping[str, Callable[[Any], Any]]
    trainable: bool | Callable[[str], bool]  # of a parameter's path within the layer
    named: bool  # whether the user chose the name, which then is not numbered
    shown: Mapping[str, Any]  # the arguments that repr shows
    recipe: Recipe | None
    shape: Any  # of inputs, where the layer knows it
    learning: Learning | None  # of its state from data, None for a layer that learns by gradients or not at all
    on_host: bool  # whether it runs on values of the host alone, never in compiled code
    container: bool  # whether it calls its children through `Members`
    depth: int  # of the layers within each other, 1 without any
    origin: object  # the same for all that `relabel` and `with_trainable` make of one layer
    marks: frozenset[object]  # what a layer around must know of: penalties, constraints, frozen parts, here and below
    plain: tuple[Callable[..., tuple[Any, Any]], Callable[..., tuple[Any, Any]]]  # the functions without checks

    def __new__(
        cls,
        init: Callable[..., tuple[Any, Any]],
        apply: Callable[..., tuple[Any, Any]],
        *,
        name: str = "layer",
        kind: str | None = None,
        config: Mapping[str, Any] | None = None,
        shown: Mapping[str, Any] | None = None,
        children: Sequence[Layer] = (),
        entries: Sequence[str] = (),
        regularizers: Mapping[str, Callable[[Any], Any]] | None = None,
        constraints: Mapping[str, Callable[[Any], Any]] | None = None,
        masks: Masks = "dropped",
        recipe: tuple[Callable[..., Any], tuple[Any, ...], Mapping[str, Any]] | None = None,
        container: bool = False,
        shape: Any = None,
        learning: Learning | None = None,
        on_host: bool = False,
    ) -> Layer:
        for role, function in (("init", init), ("apply", apply)):
            if not callable(function):
                raise StructureError(f"Layer: {role} must be a function, received {type(function).__name__}.")
        if masks != "used":
            apply = without_masks(apply) if masks == "dropped" else handing_on(apply)
        depth = 1 + max((child.depth for child in children), default=0)
        if depth > DEEPEST:
            raise StructureError(
                f"{kind or name}: layers are nested {depth} deep, {DEEPEST} levels fit into Python's stack. Put them "
                f"side by side: serial(*layers)."
            )
        config = MappingProxyType(dict(config or {}))
        own = frozenset([object()] if regularizers or constraints else [])
        return cls._of(
            name=check_name(name),
            kind=kind or name,
            config=config,
            shown=config if shown is None else MappingProxyType(dict(shown)),
            children=tuple(children),
            entries=tuple(entries),
            regularizers=MappingProxyType(dict(regularizers or {})),
            constraints=MappingProxyType(dict(constraints or {})),
            trainable=True,
            named=False,
            recipe=None if recipe is None else Recipe(*recipe),
            container=container,
            shape=shape,
            learning=learning,
            on_host=on_host,
            depth=depth,
            origin=object(),
            marks=own.union(*(child.marks for child in children)),
            plain=(init, apply),
        )

    @classmethod
    def _of(cls, **attributes: Any) -> Layer:
        """The Layer with these attributes, of its `plain` functions with their checks around."""
        read = ("kind", "marks", "children", "entries", "container", "trainable", "shape")
        own = {name: attributes[name] for name in read}
        frame, (init, apply) = Frame(**own), attributes["plain"]
        layer = tuple.__new__(cls, (checked_init(init, frame), checked_apply(apply, frame)))
        layer.__dict__.update(attributes)
        return layer

    def relabel(self, name: str, named: bool) -> Layer:
        """Another Layer of the same two functions, with parameters of its own where it is used."""
        layer = tuple.__new__(type(self), tuple(self))
        layer.__dict__.update(self.__dict__, name=check_name(name), named=named)
        return layer

    def copy_of(self, layer: Layer) -> Layer:
        """Another Layer of the same two functions, which shares no parameters with `layer`, whatever is in both."""
        copy = tuple.__new__(type(self), tuple(self))
        copy.__dict__.update(self.__dict__, origin=layer.origin)
        return copy

    def with_trainable(self, trainable: bool | Callable[[str], bool]) -> Layer:
        """Another Layer of the same functions; a BatchNormalization in it that is not trained keeps its statistics."""
        marks = self.marks if trainable is True else self.marks | {object()}
        return self._of(**{**self.__dict__, "trainable": trainable, "marks": marks})

    def with_shape(self, shape: Any) -> Layer:
        """Another Layer of the same functions, which knows the shape of its inputs as a graph does."""
        return self._of(**{**self.__dict__, "shape": shape})

    @property
    def init(self) -> Init:
        return self[0]

    @property
    def apply(self) -> Apply:
        return self[1]

    def out_shape(self, shape: ShapeLike | None = None, dtype: DTypeLike = np.float32) -> Any:
        """The shape of the output, without the batch axis, for inputs of `shape` (a graph knows its own).

        Nothing is computed. None stays None in the axes that vary with it; a tree of outputs gives a tree of shapes.
        """
        shape = known_shape(self.shape, shape)
        params, state = self.parameter_specs(shape, dtype)
        return output_shape(self.apply, params, state, shape, dtype)

    def parameter_specs(self, shape: ShapeLike | None = None, dtype: DTypeLike = np.float32) -> tuple[Tree, Tree]:
        """What init makes for inputs of `shape`: trees of specs, `(params, state)`; nothing is computed.

        An init that looks at its key is run, and gives arrays.
        """
        shape, dtype = known_shape(self.shape, shape), float_dtype(dtype)
        try:
            return eval_shape(lambda key: self.init(key, shape, dtype), ArraySpec((2,), np.dtype(np.uint32)))
        except TracingError:
            return self.init(make_key(0), shape, dtype)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"a Layer is read-only, '{name}' cannot be set; build another, or use fnet.named.")

    __delattr__ = __setattr__  # type: ignore[assignment]

    def __getattr__(self, name: str) -> NoReturn:
        hint = f": {_KERAS[name]}" if name in _KERAS else "."
        raise AttributeError(f"a Layer has no '{name}'{hint}", name=name, obj=self)

    def __copy__(self) -> Layer:
        return self

    def __deepcopy__(self, memo: Any) -> Layer:
        """The layer itself, which never changes."""
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if self.recipe is None:
            raise TypeError(
                f"{self.kind}: a Layer of functions of your own cannot be pickled, only what constructors and "
                f"combinators made. Build it again where it is needed, and carry its parameters over: "
                f"fnet.save_weights, or pickle the trees themselves."
            )
        return _made_again, (self.recipe, self.name, self.named, self.trainable, self.shape)

    def __call__(self, *inputs: Any, train: bool | None = None, **options: Any) -> Any:
        """The layer in a graph: its outputs for symbolic inputs, see `fnet.Input` and `fnet.graph`.

        train: False for a call that is as in inference also where the network around it is trained: nothing is dropped,
        and moving statistics stay as they are. True for a call that is as in training also in inference, as dropout in
        the manner of Monte Carlo; see `fnet.graph`. Source: Keras ``layer(x, training=False)``.
        """
        for option in options:
            hint = _CALL_HINTS.get(option, "its configuration goes to its constructor.")
            raise TypeError(f"{self.kind}: a layer is called on its inputs alone, received {option}=: {hint}")
        for leaf in tree.leaves(inputs):
            if hasattr(leaf, "feed"):
                return leaf.feed(self, inputs[0] if len(inputs) == 1 else inputs, train)
        raise TracingError(
            f"{self.kind}: a layer is called on symbolic inputs (fnet.Input) to build a graph, received "
            f"{type(inputs[0]).__name__ if inputs else 'nothing'}. For arrays: net.apply(params, state, x)."
        )

    def __repr__(self) -> str:
        name = {"name": self.name} if self.named else {}
        parts = [*map(repr, self.children), *(f"{k}={v!r:.80}" for k, v in {**self.shown, **name}.items())]
        return f"{self.kind}({', '.join(parts)})"


def check_name(name: Any) -> str:
    """A name that can be a part of a path, in files too, or a `StructureError`."""
    if not isinstance(name, str) or not name or "/" in name:
        raise StructureError(f"a layer's name is a non-empty string without '/', received {name!r}.")
    if not is_path_part(name):
        raise StructureError(f"the name {name!r} cannot be that of a group in a weights file. Use letters and digits.")
    return name


def is_path_part(name: str) -> bool:
    """Whether files can hold something of this name: HDF5 takes neither "", ".", NUL nor what is no Unicode text."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return name not in ("", ".") and "\0" not in name


def _made_again(
    recipe: Recipe, name: str, named: bool, trainable: bool | Callable[[str], bool], shape: Any = None
) -> Layer:
    """The layer of a recipe, with what was said of it later."""
    layer = make_again(*recipe)
    layer = layer if (layer.name, layer.named) == (name, named) else layer.relabel(name, named)
    layer = layer if layer.trainable == trainable else layer.with_trainable(trainable)
    return layer if layer.shape == shape else layer.with_shape(shape)
