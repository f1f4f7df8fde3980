"""What a layer is to users of Keras: an object with a name, weights, and a call."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from fnet import constraints, initializers, ops, regularizers, tree
from fnet.device_array import DeviceArray
from fnet.errors import DtypeError, StructureError, scope
from fnet.keras.attributes import Attributes
from fnet.keras.call_options import (
    ATTENTION_OPTIONS,
    attention_inputs,
    with_options,
    without_attention_mask,
)
from fnet.keras.custom import Weight, build_parts, functional_layer
from fnet.keras.held import HeldLayer
from fnet.keras.input_spec import check_inputs
from fnet.keras.masked import computable
from fnet.keras.naming import unique_name
from fnet.keras.own_parts import functional_part_of
from fnet.keras.running import Values, now_running, outside, running
from fnet.keras.seeds import next_key
from fnet.keras.variable import Variable
from fnet.layers.constructor import entry_name
from fnet.masking import Masked, unmasked
from fnet.networks.node import SymbolicNode
from fnet.networks.position import at, current
from fnet.networks.samples import TEXT, Samples, check_shape, output_samples
from fnet.ops.promotion import lift
from fnet.transforms.operand import is_operand
from fnet.transforms.primitive import spec_of


class Layer(Attributes):
    """A layer of Keras: its weights are its own, made when it is first called, or by `build`.

    name: ``dense``, ``dense_1``, ... where none is given. trainable: whether `fit` changes the weights; changes of it
    hold from the next `compile` on. input_shape, input_dim, batch_input_shape: of the data, where the layer comes first
    in a `Sequential`. The functional layer is `functional`. Source: Keras ``Layer``.
    """

    supports_masking = False
    input_spec: Any = None
    is_being_built = False
    augments = False  # whether a call outside of models means training, where nothing is said
    has_declared_input = has_ends = False

    def __init__(
        self,
        *,
        name: str | None = None,
        trainable: bool = True,
        dtype: Any = None,
        input_shape: Sequence[int | None] | None = None,
        input_dim: int | None = None,
        batch_input_shape: Sequence[int | None] | None = None,
    ) -> None:
        self.name = unique_name(entry_name(type(self).__name__)) if name is None else name
        self.has_chosen_name = name is not None
        self._trainable, self.built = trainable, False
        self.held = Values({}, {})
        self._core: HeldLayer | None = None
        self.asked_weights: dict[str, Weight] = {}
        self.built_for: Any = None
        self.built_samples: Any = None
        self.symbolic_calls: list[tuple[Any, Any]] = []
        self._variants: dict[Any, tuple[HeldLayer, HeldLayer]] = {}
        if input_dim is not None:
            input_shape = (input_dim,)
        self.declared_batch = None if batch_input_shape is None else next(iter(batch_input_shape))
        if batch_input_shape is not None:
            input_shape = tuple(batch_input_shape)[1:]
        self.declared_shape = None if input_shape is None else check_shape(tuple(input_shape))
        _check_dtype(type(self).__name__, dtype)

    @property
    def trainable(self) -> bool:
        """Whether `fit` changes the weights. What is set holds for the layers within, too."""
        return self._trainable

    @trainable.setter
    def trainable(self, trains: bool) -> None:
        self._trainable = bool(trains)
        for _, part in self.parts():
            part.trainable = trains

    dtype = compute_dtype = variable_dtype = input_dtype = "float32"

    @property
    def kind(self) -> str:
        """The name of its class, as Keras shows it."""
        return type(self).__name__

    # The functional layer.

    @property
    def functional(self) -> HeldLayer:
        """The pair ``(init, apply)`` of the layer: ``init, apply = layer.functional``."""
        if self._core is None:
            raise StructureError(f"{self.name}: it is not built yet. Call it on an input, or build(input_shape).")
        return self._core

    # Calls.

    def build(self, input_shape: Any) -> None:
        """Make the weights for inputs of this shape, with None for the batch; several inputs have a list of shapes.

        Layers of your own override it to ask for their weights (`add_weight`).
        """
        if self._core is not None:
            self.build_for(of_shapes(input_shape))

    def call(self, *inputs: Any, **options: Any) -> Any:
        """The outputs for arrays, which may be traced; layers of your own define it with `fnet.ops` or NumPy."""
        raise StructureError(
            f"{type(self).__name__} has no call(self, inputs), which computes its output: define it, or use a layer of "
            f"fnet.keras.layers."
        )

    def build_for(self, samples: Any) -> None:
        """Make the weights for a tree of `Samples`, unless they are there."""
        if self._core is None:
            self._build_own(samples)
        elif not self.built:
            with outside(), scope(self.name, self._core):
                params, state = self._core.init(next_key(), tree.map(lambda s: s.shape, samples))
            self.held, self.built = Values(dict(params), dict(state)), True
        if self.built_for is None:
            self._remember(samples)

    def _remember(self, samples: Any) -> None:
        self.built_samples, self.built_for = samples, tree.map(lambda s: s.shape, samples)

    def _build_own(self, samples: Any) -> None:
        """Build a layer that defines `call`, and the layers in it."""
        self.is_being_built = True
        with outside():
            shapes = tree.map(lambda s: (None, *s.shape), samples)
            self.build(list(shapes) if isinstance(shapes, tuple) and not _is_shape(shapes) else shapes)
            build_parts(self, samples)
            self._core, self.built = functional_layer(self, samples), True
            self._remember(samples)

    def add_weight(
        self,
        shape: Any = (),
        initializer: Any = None,
        dtype: Any = None,
        trainable: bool = True,
        name: str | None = None,
        regularizer: Any = None,
        constraint: Any = None,
        **others: Any,
    ) -> Variable:
        """Make a weight of the layer's own, and return it.

        shape: of all its axes. initializer: a name, an object or a function, "glorot_uniform" where none is given.
        What is not trainable is kept between calls, and `call` may assign to it.
        """
        if isinstance(shape, str):
            raise StructureError(
                f"{self.name}: give the name of a weight by keyword: add_weight(name={shape!r}, shape=...)."
            )
        sizes = (int(shape),) if isinstance(shape, int | np.integer) else tuple(int(n) for n in shape or ())
        stem, number = name or "variable", 0
        while (own := f"{stem}_{number}" if number else stem) in self.asked_weights:
            number += 1
        kind = np.dtype("float32" if dtype is None else dtype).name
        default = "glorot_uniform" if kind == "float32" else "zeros"
        make = initializers.get(functional_part_of(initializer or default))
        treated = regularizers.get(functional_part_of(regularizer)), constraints.get(functional_part_of(constraint))
        asked = Weight(sizes, make, kind, trainable, *treated)
        with outside():
            (self.held.params if trainable else self.held.state)[own] = make(next_key(), sizes, np.dtype(kind))
        self.asked_weights[own] = asked
        return Variable(self, f"{'params' if trainable else 'state'}/{own}", own, trainable)

    def compute_mask(self, inputs: Any, previous_mask: Any = None) -> Any:
        """The mask of the output; layers of your own define it to end a mask or to make one."""
        config = {} if self._core is None else self._core.config
        if config.get("mask_zero"):
            return ops.not_equal(inputs, 0)
        return previous_mask

    @property
    def makes_mask(self) -> bool:
        """Whether it says itself which mask its output has."""
        return type(self).compute_mask is not Layer.compute_mask

    def add_loss(self, loss: Any) -> None:
        """Add a number, or the sum of an array, to the loss of the training; for `call`."""
        run = now_running()
        if run is not None:
            run.losses.append(loss)

    def output_samples(self, samples: Any) -> Any:
        """The tree of `Samples` that the layer makes of a tree of them."""
        self.build_for(samples)
        shapes, dtypes = tree.map(lambda s: s.shape, samples), tree.map(lambda s: s.dtype, samples)
        with running(None), scope(self.name, self.functional):
            return output_samples(self.functional.apply, self.params, self.state, shapes, dtypes)

    def compute_output_shape(self, input_shape: Any) -> Any:
        """The shape of the output, with None for the batch, for inputs of this shape."""
        made = tree.map(lambda s: (None, *s.shape), self.output_samples(of_shapes(input_shape)))
        return list(made) if isinstance(made, tuple) and not _is_shape(made) else made

    def __call__(self, *inputs: Any, training: bool | None = None, mask: Any = None, **others: Any) -> Any:
        """The outputs: symbolic ones for `Input` and what follows from it, arrays for arrays.

        training: whether dropout drops, batches are normalised by themselves, ...; where nothing is said, False, but
        True for layers of images and models of nothing else. In a symbolic call it holds whatever the model does: with
        True a `Dropout` drops in `predict`, too.
        """
        check_called(self.name, (inputs, others))
        options = {name: others.pop(name) for name in ATTENTION_OPTIONS if name in others}
        x = self.joined(inputs, others)
        if options and self._core is not None:
            x, options = attention_inputs(self.name, self._core, x, options)
        if self.input_spec is not None:
            check_inputs(self.name, self.input_spec, unmasked(unwrapped(x)))
        if any(isinstance(leaf, SymbolicNode) for leaf in tree.leaves(x)):
            return self._of_nodes(x, training, mask, options)
        return self._of_values(x, training, mask, options)

    @property
    def input(self) -> Any:
        """What it was called on, where it was called once on symbolic inputs."""
        return _ends(self._only_call()[0])

    @property
    def output(self) -> Any:
        """What it returned, where it was called once on symbolic inputs."""
        return _ends(self._only_call()[1])

    @property
    def last_output(self) -> Any:
        """What its last call on symbolic inputs returned; None without one."""
        return self.symbolic_calls[-1][1] if self.symbolic_calls else None

    def _only_call(self) -> tuple[Any, Any]:
        if len(self.symbolic_calls) != 1:
            raise StructureError(
                f"{self.name} was called {len(self.symbolic_calls)} times on symbolic inputs, so it has no single "
                f"input and output. Keep what its call returns."
            )
        return self.symbolic_calls[0]

    def joined(self, inputs: tuple[Any, ...], others: dict[str, Any]) -> Any:
        """The inputs as the functional layer takes them: one, or a tuple."""
        for keyword in ("inputs", "query", "initial_state", "value", "key", "count_weights"):
            given = others.pop(keyword, None)
            if given is not None:
                inputs = (*inputs, *(given if isinstance(given, list | tuple) else (given,)))
        if others:
            unknown = ", ".join(others)
            raise TypeError(f"{self.name}: unexpected arguments of the call: {unknown}.")
        if len(inputs) == 1 and isinstance(inputs[0], list | tuple) and any(map(_is_value, inputs[0])):
            return tuple(inputs[0])
        return inputs[0] if len(inputs) == 1 else inputs

    def _of_nodes(self, x: Any, training: bool | None, mask: Any, options: dict[str, Any]) -> Any:
        if mask is not None:
            raise StructureError(
                f"{self.name}: a symbolic call takes no mask=, because the mask travels with the values. Leave it out, "
                f"behind Embedding(mask_zero=True) or Masking."
            )
        self.build_for(tree.map(lambda node: node.samples, without_attention_mask(x, options)))
        made = self._called_with(options)(x, train=training)
        self.symbolic_calls.append((x, made))
        return list(made) if isinstance(made, tuple) else made

    def _called_with(self, options: dict[str, Any]) -> HeldLayer:
        """The functional layer of a call: the layer's own, or one of its weights for the arguments of the call."""
        how = tuple(options.items())
        core, made = self._variants.get(how, (None, None))
        if made is None or core is not self._core:
            made = with_options(self.functional, options)
            self._variants[how] = self.functional, made
        return made

    def _of_values(self, x: Any, training: bool | None, mask: Any, options: dict[str, Any]) -> Any:
        run = now_running()
        train = training if training is not None else self.augments if run is None else run.train
        x = unwrapped(tuple(map(as_texts, x)) if isinstance(x, tuple) else as_texts(x))
        if not _is_value(x) and not isinstance(x, tuple | dict):
            x = lift(x)
        if mask is not None:
            x = Masked(x, mask)
        samples = tree.map(_samples, unmasked(without_attention_mask(x, options)))
        is_first = self.built_for is None
        self.build_for(samples)
        if is_first and run is None:
            self.built_on_batch(x)
        key = next_key() if run is None and train else None if run is None else run.next_key()
        own = self._called_with(options)
        core = self.with_frozen_parts(own) if train else own
        if core is own:
            y, state = own.apply(self.params, self.state, x, key=key, train=bool(train))
        else:
            with at(current()._replace(marks=None)):  # the layer around need not know of what is frozen here
                y, state = core.apply(self.params, self.state, x, key=key, train=True)
        self.take(self.params, state)
        y = computable(y) if run is not None else unmasked(y)
        return list(y) if isinstance(y, tuple) else y

    def get_config(self) -> dict[str, Any]:
        """The arguments that the layer was made with; layers of your own add theirs to those of this class."""
        own = {} if self._core is None or self.asked_weights else dict(self._core.config)
        return {"name": self.name, "trainable": self.trainable, **own}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A layer made with these arguments, which has weights of its own."""
        return cls(**config)

    def __repr__(self) -> str:
        return f"<{self.kind} name={self.name}, built={self.built}>"


def check_called(who: str, given: Any) -> None:
    """Refuse layers where what they return is meant."""
    for leaf in tree.leaves(given):
        kind = leaf if isinstance(leaf, type) else type(leaf)
        if issubclass(kind, Layer):
            raise StructureError(
                f"{who}: expected symbolic inputs or arrays, received the layer {kind.__name__}, which was not called. "
                f"Call it: layers.{kind.__name__}(...)(x)."
            )


def unwrapped(x: Any) -> Any:
    """A tree with arrays in place of weights."""
    return tree.map(lambda leaf: leaf.value if isinstance(leaf, Variable) else leaf, x)


def _ends(nodes: Any) -> Any:
    return list(nodes) if isinstance(nodes, tuple) else nodes


def _is_value(x: Any) -> bool:
    return is_operand(x) or isinstance(x, SymbolicNode | Masked | Variable | DeviceArray)


def _is_shape(shape: Any) -> bool:
    return isinstance(shape, tuple | list) and all(n is None or isinstance(n, int | np.integer) for n in shape)


def of_shapes(shapes: Any) -> Any:
    """The tree of `Samples` for shapes with the batch axis."""
    if _is_shape(shapes):
        return Samples(tuple(shapes)[1:], np.dtype("float32"))
    if isinstance(shapes, dict):
        return {name: of_shapes(shape) for name, shape in shapes.items()}
    return tuple(of_shapes(shape) for shape in shapes)


def as_texts(x: Any) -> Any:
    """The array of texts for a text or lists of them; anything else as it is."""
    first = x
    while isinstance(first, list) and first:
        first = first[0]
    return np.array(x, object) if isinstance(first, str | bytes) else x


def _samples(x: Any) -> Samples:
    if isinstance(x, np.ndarray) and x.dtype.kind in "USO":
        return Samples(tuple(x.shape[1:]), TEXT)
    spec = spec_of(x)
    return Samples(tuple(spec.shape[1:]), spec.dtype)


def _check_dtype(kind: str, dtype: Any) -> None:
    if dtype is not None and getattr(dtype, "name", str(dtype)) != "float32":
        raise DtypeError(
            f"{kind}: layers of fnet.keras compute in float32, received dtype={dtype!r}. For float64 use the "
            f"functional layer: net.init(key, shape, 'float64')."
        )
