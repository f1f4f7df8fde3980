"""Which of a network's layers hands its output to which."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from fnet import activations
from fnet.inspect.outline import Block, Outline

BRANCHING = ("fanout", "parallel", "residual")


class Connections:
    """The connections between the nodes of an outline.

    The nodes are the inputs, the layers, and the merges of containers that are open. The root is open, and so are those
    that branch, whose ways would not be seen; with `expand` every container is. One that is not is a node.
    """

    def __init__(self, found: Outline, expand: bool) -> None:
        self.root, self.inputs, self.expand = found.root, found.inputs, expand
        self.blocks = {"": self.root} | {block.path: block for _, block in self.root.blocks()}

    def is_open(self, block: Block) -> bool:
        """Whether the layers in it are nodes, not the container."""
        return bool(block.children) and (self.expand or block is self.root or block.layer.kind in BRANCHING)

    def edges(self) -> list[tuple[str, str]]:
        """Pairs of paths, each once: the node that gives and the node that takes; of a merge, `merge_of` it."""
        return list(dict.fromkeys(self._edges()))

    def _edges(self) -> Iterator[tuple[str, str]]:
        visible = [block for block in self.blocks.values() if self._is_visible(block)]
        for block in visible:
            if not self.is_open(block):
                for source in self.inputs if block is self.root else block.sources:
                    yield from ((path, block.path) for path in self._ends(source))
        for block in visible:
            if self.is_open(block) and merges(block):
                for source in self._merged(block):
                    yield from ((path, merge_of(block)) for path in self._ends(source))

    def _is_visible(self, block: Block) -> bool:
        above = block.path.split("/")[:-1]
        return all(self.is_open(self.blocks["/".join(above[: i + 1])]) for i in range(len(above)))

    def _merged(self, block: Block) -> list[str]:
        """What a container joins in the end: outputs of its layers that none of them takes; for a skip its input."""
        taken = {source for child in block.children for source in child.sources}
        ends = [child.path for child in block.children if child.path not in taken]
        skipped = block.sources or list(self.inputs) if block.layer.kind == "residual" else []
        return [*skipped, *ends]

    def _ends(self, source: str) -> Iterator[str]:
        """The nodes for the output of a path."""
        block = self.blocks.get(source)
        if block is None or not self.is_open(block):
            if source:
                yield source
            return
        for inner in block.made_by:
            if inner == "":
                yield merge_of(block)
            else:
                yield from self._ends(inner)


def merges(block: Block) -> bool:
    """Whether a container joins in the end what its layers make."""
    return "" in block.made_by


def merge_of(block: Block) -> str:
    """The path of the node for the merge of a container."""
    return f"{block.path}/"


def merge_label(block: Block) -> str:
    """How a container joins: "add", "concatenate", ..."""
    merge = block.layer.config.get("merge", "add" if block.layer.kind == "residual" else block.layer.kind)
    return merge if isinstance(merge, str) else function_name(merge)


def function_name(function: Any) -> str:
    """The name of an activation, or of another function."""
    known = {value: name for name, value in activations.ACTIVATIONS.items()}
    return known.get(function) or str(getattr(function, "__name__", type(function).__name__))
