"""The structure of a network as a graph that TensorBoard draws."""

from __future__ import annotations

import re
from typing import Any

from fnet import tree
from fnet.callbacks.event_file import library
from fnet.inspect.connections import Connections, merge_label, merge_of, merges
from fnet.inspect.outline import Block, Outline


def graph_def(found: Outline) -> Any:
    """The layers of an outline as a ``GraphDef``: its nodes are called by the paths of layers, so containers open.

    An input is a node ``Placeholder``, a merge of a container a node in it; an operation is the kind of a layer. Each
    node has the shapes of its outputs, with -1 for axes of variable size.
    """
    connections = Connections(found, expand=True)
    blocks = connections.blocks
    names: dict[str, str] = {}
    nodes: dict[str, tuple[str, Any]] = {path: ("Placeholder", samples) for path, samples in found.inputs.items()}
    nodes |= {
        path: (block.layer.kind, block.outputs) for path, block in blocks.items() if not connections.is_open(block)
    }
    for block in blocks.values():
        if connections.is_open(block) and merges(block):
            nodes[merge_of(block)] = (merge_label(block), block.outputs)
    for path, (operation, _) in nodes.items():
        names[path] = _name(path, operation, found.root, set(names.values()))
    inputs: dict[str, list[str]] = {path: [] for path in nodes}
    for source, target in connections.edges():
        inputs[target].append(names[source])
    node = library("proto.node_def_pb2").NodeDef
    return library("proto.graph_pb2").GraphDef(
        node=[
            node(name=names[path], op=operation, input=inputs[path], attr={"_output_shapes": _shapes(outputs)})
            for path, (operation, outputs) in nodes.items()
        ],
        versions=library("proto.versions_pb2").VersionDef(producer=22),
    )


def _name(path: str, operation: str, root: Block, taken: set[str]) -> str:
    """The name of the node at a path; of letters that TensorBoard knows, and no other node has it."""
    name = f"{path}{operation}" if path.endswith("/") else path or root.layer.name
    name = re.sub(r"[^\w./-]", "_", name.lstrip("/"))
    while name in taken:
        name += "_"
    return name


def _shapes(outputs: Any) -> Any:
    values, shapes = library("proto.attr_value_pb2").AttrValue, library("proto.tensor_shape_pb2").TensorShapeProto
    found = [
        shapes(dim=[shapes.Dim(size=-1 if size is None else size) for size in (None, *samples.shape)])
        for samples in tree.leaves(outputs)
    ]
    return values(list=values.ListValue(shape=found))
