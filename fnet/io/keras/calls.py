"""A network of any combinators as calls of its layers, one after the other, as Keras' functional models have it."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from fnet import tree
from fnet.errors import StructureError, scope
from fnet.io.keras import unused
from fnet.io.keras.masks import Trail
from fnet.io.keras.translation import MODELS, row_of
from fnet.layers import Add, Average, Concatenate, Identity, Maximum, Multiply
from fnet.networks.graph import wiring_of
from fnet.networks.layer import Layer
from fnet.networks.operations import InputAt, operated, operation_of
from fnet.networks.samples import Samples, output_samples
from fnet.networks.sharing import first_uses, joined
from fnet.tree import leaves

_MERGES: dict[str, Callable[[], Layer]] = {
    "add": Add, "average": Average, "multiply": Multiply, "maximum": Maximum
}  # fmt: skip
CONTAINERS = ("serial", "parallel", "fanout", "residual", "repeat", "graph")


@dataclass(frozen=True, eq=False)
class Tensor:
    """An output of a call, or an input of the network; `samples` is None where shapes are not asked for.

    mask: a tensor that is the mask of this one, where a call has to say it.
    """

    call: TracedCall
    index: int
    samples: Samples | None
    mask: Tensor | None = None


@dataclass(eq=False)
class TracedCall:
    """A layer called on a tree of tensors; an input has no layer.

    path: of the layer's entry in params and state, the same for all calls of a shared layer; None for a layer that a
    combinator stands for. name: what the path says, for a name in Keras. train: whether the call is as in training, or
    as in inference, whatever the network does; None for a call that is as the network is. inner: the calls in a network
    that is a model within the model, where shapes are asked for.
    """

    layer: Layer | None
    path: str | None
    name: str
    inputs: Any = ()
    outputs: Any = ()
    operation: Any = None  # the same for all calls of one layer
    train: bool | None = None
    inner: Calls | None = None

    def parents(self) -> Iterable[TracedCall]:
        tensors = leaves(self.inputs)
        return [tensor.call for tensor in (*tensors, *(own.mask for own in tensors if own.mask is not None))]


@dataclass
class Calls:
    """The calls of a network between its inputs and outputs, which are trees of tensors.

    functional: whether it is a Functional model to Keras, even if it is a chain. names: of the layers, by operation,
    where somebody has chosen them already.
    """

    inputs: Any
    calls: list[TracedCall]
    outputs: Any
    trail: Trail = field(default_factory=Trail)
    functional: bool = False
    names: dict[Any, str] | None = None

    def operations(self) -> list[list[TracedCall]]:
        """The calls of each layer, inputs among them, layer by layer in the order of ``model.layers`` in Keras.

        Layers lie as deep as the longest way to an output; the deepest come first, those of one depth in the order in
        which the outputs lead to them. Source: ``map_graph`` in Keras 3, ``_map_graph_network`` in Keras 2.
        """
        found, first = _traversed(list(_ordered(self.outputs)))
        depths: dict[int, int] = {}
        of_operation: dict[Any, int] = {}
        for call in reversed(found):
            depth = max(depths.get(id(call), 0), of_operation.get(call.operation, 0))
            depths[id(call)] = of_operation[call.operation] = depth
            for parent in call.parents():
                depths[id(parent)] = max(depth + 1, depths.get(id(parent), 0))
        for tensor in leaves(self.inputs):
            if tensor.call.operation not in of_operation:
                of_operation[tensor.call.operation], first[tensor.call.operation] = 0, -1
                found.append(tensor.call)
        grouped: dict[Any, list[TracedCall]] = {}
        known = {id(call) for call in found}
        for call in [*(t.call for t in leaves(self.inputs)), *self.calls]:
            if id(call) in known:
                grouped.setdefault(call.operation, []).append(call)
        order = sorted(grouped, key=lambda operation: (-of_operation[operation], first[operation]))
        return [grouped[operation] for operation in order]

    def chain(self) -> list[TracedCall] | None:
        """The calls of a Sequential model, or None where this is no chain of different layers, called as it is."""
        at = self.inputs
        if not isinstance(at, Tensor) or not self.calls:
            return None
        for call in self.calls:
            if call.inputs is not at or not isinstance(call.outputs, Tensor) or call.train is not None:
                return None
            at = call.outputs
        different = len({call.operation for call in self.calls}) == len(self.calls)
        return self.calls if different and self.outputs is at else None

    @property
    def class_name(self) -> str:
        """Keras' class of the model: a Sequential one gives each layer one input and no keywords."""
        chain = None if self.functional else self.chain()
        return "Functional" if chain is None or any(_takes_more(call.layer) for call in chain) else "Sequential"


class _FlatError(Exception):
    """A network within the network cannot be a model within the model."""

    def __init__(self, path: str, why: str) -> None:
        super().__init__(f"{path}: {why}")
        self.path = path


def calls_of(
    net: Layer,
    params: Any = None,
    state: Any = None,
    samples: Any = None,
    models: bool | Literal["all"] = False,
    masked: Any = None,
) -> Calls:
    """The calls of the layers in a network.

    samples: a tree of `Samples` of the inputs, from which the shapes of all that is between follow; it needs params and
    state. Without it the network has one input and every layer one output, which is enough for the order of layers.
    models: whether a `serial` or `graph` within the network is one call, that of a model within a model; where shapes
    are asked for, the calls of one that Keras cannot have as a model are those of its layers, unless it is "all".
    masked: a tree of bools like `samples`, whether an input has a mask.
    Raises `StructureError` for a merge by a function, which Keras has no layer for.
    """
    flat, inner = set[str](), dict[str, Calls]()
    while True:
        try:
            walk = _Walk(net, params, state, samples is not None, bool(models), flat, inner)
            return _walked(walk, net, samples, masked)
        except _FlatError as error:
            if models == "all":
                raise StructureError(f"{error} Keep the weights alone: fnet.save_weights.") from None
            flat.add(error.path)


def _walked(walk: _Walk, net: Layer, samples: Any, masked: Any) -> Calls:
    wiring = wiring_of(net)
    names = iter(wiring.input_names if wiring is not None else _numbered_names(samples))
    inputs = (
        tree.map(lambda own: walk.input(next(names), own), samples) if walk.evaluates else walk.input("input", None)
    )
    if masked is not None:
        walk.trail.arrive(inputs, masked)
    outputs = walk.run(net, "", inputs)
    if any(tensor.call.layer is None for tensor in leaves(outputs)) or not walk.calls:  # a model of Keras has a layer
        outputs = tree.map(lambda t: walk.stand_in(Identity(), "", t) if t.call.layer is None else t, outputs)
    return Calls(inputs, walk.calls, outputs, walk.trail)


def model_calls(net: Layer) -> Calls:
    """The calls in a `serial` or `graph` that is a model within a model, without shapes."""
    return replace(calls_of(net, models=True), functional=net.kind == "graph")


class _Walk:
    """The way through a network that notes the calls."""

    def __init__(self, net: Layer, params: Any, state: Any, evaluates: bool, models: bool, flat: Collection[str],
                 inner: dict[str, Calls]) -> None:  # fmt: skip
        self.params, self.state, self.evaluates, self.models = params, state, evaluates, models
        self.flat = flat  # paths of networks whose layers are those of this one
        self.inner = inner  # the calls in models that are known, of walks before this one, too
        self.first = first_uses(net.children, net.entries) if net.container else {}
        self.calls: list[TracedCall] = []
        self.trail = Trail()
        self.train: bool | None = None

    def input(self, name: str, samples: Samples | None) -> Tensor:
        call = TracedCall(None, None, name, operation=object())
        call.outputs = Tensor(call, 0, samples)
        return call.outputs

    def run(self, layer: Layer, path: str, x: Any) -> Any:
        """The outputs of a layer, which lies at `path`, for a tree of tensors."""
        path = self.first.get(path, path)
        is_model = self.models and bool(path) and layer.kind in MODELS and path not in self.flat
        if layer.kind not in CONTAINERS or is_model:
            inner = self._inner(layer, path, x) if is_model and self.evaluates else None
            return self.call(layer, path, path.replace("/", "_") or layer.name, path, x, inner)
        with scope(path.rpartition("/")[2] or layer.name):
            return getattr(self, f"_{layer.kind}")(layer, path, x)

    def _inner(self, layer: Layer, path: str, x: Any) -> Calls:
        """The calls in a network that is a model within the model; the same for all calls of it."""
        samples = tree.map(lambda t: t.samples, x)
        known = self.inner.get(path)
        if known is not None:
            if tree.map(lambda t: t.samples, known.inputs) != samples:
                raise _FlatError(path, "it is called on inputs of several shapes, which no model of Keras is.")
            return known
        if not layer.children or not all(isinstance(t, Tensor) and t.mask is None for t in _parts(x)):
            raise _FlatError(path, "a model of Keras within another one has layers, and inputs one beside the other.")
        if any(_is_within(use, path) != _is_within(first, path) for use, first in self.first.items()):
            raise _FlatError(path, "layers in it are used outside of it, which models of Keras cannot say.")
        params, state = (_entry(own, path) for own in (self.params, self.state))
        masked = tree.map(lambda t: self.trail.of(t) is not None, x)
        try:
            inner = calls_of(layer, params, state, samples, True, masked)
        except StructureError as error:
            raise _FlatError(path, str(error)) from None
        if not all(isinstance(t, Tensor) for t in _parts(inner.outputs)):
            raise _FlatError(path, "a model of Keras within another one has outputs one beside the other.")
        self.inner[path] = replace(inner, functional=layer.kind == "graph")
        return self.inner[path]

    def call(
        self, layer: Layer, path: str | None, name: str, operation: Any, x: Any, inner: Calls | None = None
    ) -> Any:
        if layer.kind in ("WithMask", "WithoutMask"):
            return self._seen(layer, x)
        if layer.kind == unused.KIND:
            return x[0]
        x = self._beside_states(layer, name, x) if self.evaluates and isinstance(x, tuple) else x
        call = TracedCall(layer, path, name, x, operation=operation, train=self.train, inner=inner)
        if not self.evaluates:
            made: Any = None
        else:
            shapes, dtypes = tree.map(lambda t: t.samples.shape, x), tree.map(lambda t: t.samples.dtype, x)
            params, state = (_entry(own, path) if path is not None else {} for own in (self.params, self.state))
            with scope(name, layer):
                made = output_samples(layer.apply, params, state, shapes, dtypes)
        numbers = iter(range(len(leaves(made)) + 1))
        call.outputs = tree.map(
            lambda samples: Tensor(call, next(numbers), samples), made, is_leaf=lambda part: part is None
        )
        self.calls.append(call)
        if self.evaluates:
            self.trail.note(layer, x, call.outputs)
        return call.outputs

    def _seen(self, layer: Layer, x: Any) -> Tensor:
        """The tensor of `x` with the mask that is beside it, or without one."""
        tensor, mask = x if isinstance(x, tuple) else (x, None)
        seen = replace(tensor, mask=mask)
        self.trail.note(layer, x, seen)
        return seen

    def _beside_states(self, layer: Layer, name: str, x: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        """The inputs of a layer, with the mask that travels said beside states, where Keras 3 hands none on."""
        row = row_of(layer)
        said = self.trail.of(x[0])
        if said is None or x[0].mask is not None or row is None or row.inputs != "states" or row.kind.endswith("Cell"):
            return x
        return replace(x[0], mask=self._mask(said, name)), *x[1:]

    def _mask(self, said: tuple[Any, ...], name: str) -> Tensor:
        """The mask that is said, computed by operations."""
        if said[0] == "given":
            return said[1]
        if said[0] == "computed":
            raise StructureError(
                f"{name}: Keras 3 hands no mask on beside initial states, and what several layers make of masks it "
                f"cannot say. Let Masking or an Embedding make the mask, or keep the weights alone: fnet.save_weights."
            )
        if said[0] == "any":
            return self.stand_in(operated("any", (InputAt(0),), {"axis": -1}), name, self._mask(said[1], name))
        return self.stand_in(operated("not_equal", (InputAt(0), said[2]), {}), name, said[1])

    def stand_in(self, layer: Layer, path: str, x: Any) -> Any:
        """The output of a layer without parameters that does what a combinator says."""
        return self.call(layer, None, f"{path.replace('/', '_')}_{layer.name}".lstrip("_"), object(), x)

    def _serial(self, layer: Layer, path: str, x: Any) -> Any:
        for entry, child in zip(layer.entries, layer.children, strict=True):
            x = self.run(child, joined(path, entry), x)
        return x

    _repeat = _serial

    def _parallel(self, layer: Layer, path: str, x: Any) -> Any:
        parts = [x] * len(layer.children) if isinstance(x, Tensor) else x
        return tuple(
            self.run(child, joined(path, entry), part)
            for entry, child, part in zip(layer.entries, layer.children, parts, strict=True)
        )

    def _fanout(self, layer: Layer, path: str, x: Any) -> Any:
        branches = zip(layer.entries, layer.children, strict=True)
        outputs = tuple(self.run(child, joined(path, entry), x) for entry, child in branches)
        merge = layer.config["merge"]
        if merge is None:
            return outputs
        if callable(merge):
            raise StructureError(
                f"Keras has no layer for fanout(merge={merge!r:.60}). Name a merge ('concat', 'add', ...), or take "
                f"merge=None and a layer behind it."
            )
        made = Concatenate(layer.config["axis"]) if merge == "concat" else _MERGES[merge]()
        return self.stand_in(made, path, outputs) if len(outputs) > 1 else outputs[0]

    def _residual(self, layer: Layer, path: str, x: Any) -> Any:
        y = self.run(layer.children[0], joined(path, layer.entries[0]), x)
        if isinstance(x, Tensor) or isinstance(y, Tensor):
            return self.stand_in(Add(), path, (x, y))
        return tree.map(lambda a, b: self.stand_in(Add(), path, (a, b)), x, y)

    def _graph(self, layer: Layer, path: str, x: Any) -> Any:
        wiring = wiring_of(layer)
        assert wiring is not None
        if isinstance(x, Tensor):
            parts = [x] * len(wiring.inputs)
        elif isinstance(x, dict):
            parts = [x[name] for name in wiring.input_names]
        else:
            parts = list(x)
        values = dict(zip(map(id, wiring.inputs), parts, strict=True))
        for call, entry in zip(wiring.calls, wiring.members.names, strict=True):
            outside, self.train = self.train, self.train if call.train is None else call.train
            y = self.run(call.layer, joined(path, entry), tree.map(lambda node: values[id(node)], call.inputs))
            self.train = outside
            nodes = leaves(call.outputs)
            values.update(zip(map(id, nodes), [y] * len(nodes) if isinstance(y, Tensor) else leaves(y), strict=True))
        return tree.map(lambda node: values[id(node)], wiring.outputs)


def _takes_more(layer: Layer | None) -> bool:
    """Whether calls of the layer need more than one input: a Sequential model gives no more."""
    if layer is None:
        return False
    if operation_of(layer) is not None:
        return True
    row = row_of(layer)
    return row is not None and (row.inputs in ("each", "list") or bool(row.call_keywords(layer)))


def _parts(tensors: Any) -> Any:
    """The tensors, one alone or those of a tuple or list; a dict is a part of its own."""
    return tensors if isinstance(tensors, tuple | list) else [tensors]


def _is_within(path: str, outer: str) -> bool:
    return path.startswith(f"{outer}/")


def _ordered(outputs: Any) -> Iterator[Tensor]:
    """The tensors of a tree in Keras' order: that of the names in dicts."""
    if isinstance(outputs, Tensor):
        yield outputs
    else:
        for part in (outputs[key] for key in sorted(outputs)) if isinstance(outputs, dict) else outputs:
            yield from _ordered(part)


def _traversed(outputs: list[Tensor]) -> tuple[list[TracedCall], dict[Any, int]]:
    """The calls that the outputs need, each after those that it needs, and the order in which layers are met."""
    done: dict[int, TracedCall] = {}
    first: dict[Any, int] = {}
    for output in outputs:
        stack = [(output.call, False)]
        while stack:
            call, ready = stack.pop()
            if ready:
                done[id(call)] = call
            elif id(call) not in done:
                first.setdefault(call.operation, len(first))
                stack.append((call, True))
                stack.extend((parent, False) for parent in reversed(list(call.parents())))
    return list(done.values()), first


def _numbered_names(samples: Any) -> list[str]:
    count = len(leaves(samples, is_leaf=lambda part: isinstance(part, Samples)))
    return ["input"] + [f"input_{i}" for i in range(1, count)]


def _entry(entries: Any, path: str) -> Any:
    """What is at a path of nested dicts, {} where there is nothing."""
    for name in path.split("/") if path else []:
        entries = entries.get(name, {})
    return entries
