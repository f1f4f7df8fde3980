"""What is in a network: its layers, nested as they are, with shapes, numbers of parameters and connections."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fnet import tree
from fnet.errors import ShapeError, StructureError
from fnet.masking import unmasked
from fnet.networks.graph import wiring_of
from fnet.networks.layer import Layer
from fnet.networks.node import as_tuples
from fnet.networks.parameters import trainable
from fnet.networks.samples import check_shape, evaluated, joined_samples
from fnet.networks.watching import watching
from fnet.spec import ArraySpec
from fnet.transforms.primitive import spec_of
from fnet.transforms.stage import eval_shape


@dataclass
class Block:
    """One layer of a network.

    inputs, outputs: trees of `Samples`. sources: the paths of the layers and inputs that made its inputs, call by call.
    made_by: the paths of the layers in it that made its outputs, "" where none did. children: the layers in it.
    params, frozen, state: how many numbers it holds; frozen ones are counted in `params`, too.
    nbytes: bytes of trained parameters, of frozen parameters, and of state.
    """

    path: str
    layer: Layer
    inputs: Any = None
    outputs: Any = None
    sources: list[str] = field(default_factory=list)
    made_by: list[str] = field(default_factory=list)
    children: list[Block] = field(default_factory=list)
    params: int = 0
    frozen: int = 0
    state: int = 0
    nbytes: tuple[int, int, int] = (0, 0, 0)

    @property
    def name(self) -> str:
        return self.path.rpartition("/")[2]

    def blocks(self, depth: int = 0) -> Iterator[tuple[int, Block]]:
        """The blocks in this one with their depth; a block comes before its children."""
        for child in self.children:
            yield depth, child
            yield from child.blocks(depth + 1)


@dataclass
class Outline:
    """The layers of a network in the block `root`, and its inputs: `Samples` by path, which is "/" and a name."""

    root: Block
    inputs: dict[str, Any]


def outline(net: Layer, shape: Any = None, dtype: Any = "float32") -> Outline:
    """The outline of a network for inputs of `shape`: abstract evaluation finds it, and computes nothing.

    A graph knows its shape. Another network needs one, or raises a `ShapeError`.
    """
    if not isinstance(net, Layer):
        raise StructureError(f"expected a network, received {type(net).__name__}: summary(net, shape).")
    if shape is None and net.shape is None:
        raise ShapeError(
            "give the shape of one sample, without the batch axis, behind the network: fnet.summary(net, (784,))."
        )
    shape, dtype = check_shape(net.shape if shape is None else shape), np.dtype(dtype)
    params, state = net.parameter_specs(shape, dtype)
    recorded = evaluated(lambda x: _Recorder(net).run(params, state, x), shape, _input_dtypes(net, dtype))
    first, flags = recorded[0], trainable(net, params)
    for blocks in zip(*([r.root, *(block for _, block in r.root.blocks())] for r in recorded), strict=True):
        for part in ("inputs", "outputs"):
            setattr(blocks[0], part, tree.map(joined_samples, *(getattr(block, part) for block in blocks)))
        _count(blocks[0], params, flags, state)
    inputs = {name: joined_samples(*(r.inputs[name] for r in recorded)) for name in first.inputs}
    return Outline(first.root, inputs)


class _Recorder:
    """A watcher that builds the blocks of one abstract evaluation."""

    def __init__(self, net: Layer) -> None:
        self.net, self.root = net, Block("", net)
        self.stack, self.found = [self.root], {"": self.root}
        self.made: dict[int, str] = {}  # which path made a traced value
        self.alive: list[Any] = []  # so that no identity is used twice
        self.inputs: dict[str, ArraySpec] = {}

    def run(self, params: Any, state: Any, x: Any) -> _Recorder:
        def evaluate(params: Any, state: Any, x: Any) -> Any:
            for name, leaf in zip(_input_paths(self.net, x), tree.leaves(x), strict=True):
                self.made[id(leaf)], self.inputs[name] = name, spec_of(leaf)
            self.root.inputs = tree.map(spec_of, x)
            with watching(self):
                y = self.net.apply(params, state, x)[0]
            self.root.outputs = tree.map(spec_of, unmasked(y))
            self.root.made_by = self._sources(y)
            return unmasked(y)

        eval_shape(evaluate, params, state, x)
        return self

    def enter(self, name: str, layer: Layer, x: Any) -> None:
        parent = self.stack[-1]
        path = f"{parent.path}/{name}" if parent.path else name
        if path not in self.found:
            self.found[path] = Block(path, layer)
            parent.children.append(self.found[path])
        block = self.found[path]
        block.sources.extend(self._sources(x))
        block.inputs = tree.map(spec_of, unmasked(x)) if block.inputs is None else block.inputs
        self.stack.append(block)

    def leave(self, y: Any) -> Any:
        block = self.stack.pop()
        block.made_by = self._sources(y)
        y = tree.map(copy.copy, y)  # a value of its own, also where a layer returns its input
        for leaf in tree.leaves(y):
            self.made[id(leaf)] = block.path
            self.alive.append(leaf)
        block.outputs = tree.map(spec_of, unmasked(y)) if block.outputs is None else block.outputs
        return y

    def _sources(self, x: Any) -> list[str]:
        return list(dict.fromkeys(self.made.get(id(leaf), "") for leaf in tree.leaves(unmasked(x))))


def _input_paths(net: Layer, x: Any) -> list[str]:
    """The names of the inputs behind "/", which no name of a layer contains."""
    graph = wiring_of(net)
    if graph is not None:
        return [f"/{name}" for name in graph.input_names]
    paths = [path for path, _ in tree.leaves_with_path(x)]
    return [f"/input {path}" if len(paths) > 1 else "/input" for path in paths]


def _input_dtypes(net: Layer, dtype: np.dtype) -> Any:
    """The dtype of the inputs, or of each where a graph says it."""
    graph = wiring_of(net)
    return dtype if graph is None else tree.map(lambda node: node.samples.dtype, as_tuples(graph.given))


def _count(block: Block, params: Any, flags: Any, state: Any) -> None:
    """Numbers and bytes of all that lies in the entries of this block."""
    own, trained = dict(tree.leaves_with_path(_entry(params, block.path))), tree.leaves(_entry(flags, block.path))
    frozen = [leaf for leaf, flag in zip(own.values(), trained, strict=True) if not flag]
    kept = tree.leaves(_entry(state, block.path))
    block.params, block.frozen, block.state = (sum(x.size for x in part) for part in (own.values(), frozen, kept))
    nbytes = [sum(x.nbytes for x in part) for part in (own.values(), frozen, kept)]
    block.nbytes = (nbytes[0] - nbytes[1], nbytes[1], nbytes[2])


def _entry(entries: Any, path: str) -> Any:
    for part in filter(None, path.split("/")):
        entries = entries.get(part, {}) if isinstance(entries, dict) else {}
    return entries
