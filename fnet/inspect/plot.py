"""Drawings of networks: DOT text, and images by the program dot of Graphviz where it is installed."""

from __future__ import annotations

import html
import os
import shutil
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fnet import tree
from fnet.errors import FileError, ValueRangeError
from fnet.inspect.connections import Connections, function_name, merge_label, merge_of, merges
from fnet.inspect.outline import Block, Outline, outline
from fnet.inspect.summary import shown_shape
from fnet.networks.layer import Layer

_FORMATS = (".png", ".svg", ".pdf", ".jpg", ".dot", ".gv")
_TEXT = (".dot", ".gv")
_HEAD = "#dbe7f5"


def plot_model(
    net: Layer,
    shape: Any = None,
    to_file: str | os.PathLike[str] = "model.png",
    *,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
) -> Path:
    """Draw the layers of a network and their connections into a file, and return its path.

    The suffix says the format: .png, .svg, .pdf or .jpg through Graphviz's program ``dot``, .dot or .gv for the text
    that describes the drawing. Without Graphviz the text is written beside, with a warning that says so. A graph
    knows its shape, so the file may come second. The other arguments are those of `model_to_dot`. Source: Keras
    ``plot_model``.

    >>> from fnet.layers import Dense
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     plot_model(Dense(2), (3,), f"{folder}/model.dot").suffix
    '.dot'
    """
    if isinstance(shape, str | os.PathLike):  # as in Keras: plot_model(net, "net.png")
        shape, to_file = None, shape
    path = Path(to_file)
    path = path if path.suffix else path.with_suffix(".png")
    if path.suffix.lower() not in _FORMATS:
        raise ValueRangeError(f"plot_model: unknown format '{path.suffix}', expected one of {', '.join(_FORMATS)}.")
    dot = model_to_dot(
        net,
        shape,
        show_shapes=show_shapes,
        show_dtype=show_dtype,
        show_layer_names=show_layer_names,
        show_layer_activations=show_layer_activations,
        show_trainable=show_trainable,
        rankdir=rankdir,
        expand_nested=expand_nested,
        dpi=dpi,
    )
    program = shutil.which("dot")
    if program is None and path.suffix.lower() not in _TEXT:
        path = path.with_suffix(".dot")
        warnings.warn(
            f"Graphviz's program 'dot' was not found, so the drawing is text: {path}. Install Graphviz and run "
            f"'dot -Tpng {path.name} -o model.png'.",
            stacklevel=2,
        )
    if path.suffix.lower() in _TEXT:
        path.write_text(dot, encoding="utf-8")
    else:
        assert program is not None
        _render(program, dot, path)
    return path


def model_to_dot(
    net: Layer,
    shape: Any = None,
    *,
    show_shapes: bool = False,
    show_dtype: bool = False,
    show_layer_names: bool = True,
    show_layer_activations: bool = False,
    show_trainable: bool = False,
    rankdir: str = "TB",
    expand_nested: bool = False,
    dpi: int = 200,
) -> str:
    """The drawing of a network in the language DOT, for inputs of `shape` (a graph knows its own).

    rankdir: from top to bottom ("TB") or from left to right ("LR"). Branches and skips are drawn; other containers are
    one node, or with `expand_nested` dashed frames around their layers. Source: Keras ``model_to_dot``.

    >>> from fnet import serial
    >>> from fnet.layers import Dense
    >>> print(model_to_dot(serial(Dense(2)), (3,), show_shapes=True).splitlines()[-2])
      "/input" -> "dense";
    """
    if rankdir not in ("TB", "LR", "BT", "RL"):
        raise ValueRangeError(f"plot_model: rankdir is 'TB' or 'LR', received {rankdir!r}.")
    shown = {
        "names": show_layer_names,
        "shapes": show_shapes,
        "dtype": show_dtype,
        "activations": show_layer_activations,
        "trainable": show_trainable,
    }
    drawing = _Drawing(outline(net, shape), expand_nested, shown)
    lines = [
        f"digraph {_quoted(net.name)} {{",
        f"  graph [rankdir={rankdir}, dpi={dpi}];",
        "  node [shape=plain, fontname=Helvetica];",
        *(f"  {line}" for line in drawing.lines()),
        "}",
    ]
    return "\n".join(lines)


class _Drawing:
    """Nodes and edges of an outline: a container that is expanded is a frame, and its merge is a node."""

    def __init__(self, found: Outline, expand_nested: bool, shown: dict[str, bool]) -> None:
        self.root, self.inputs, self.shown = found.root, found.inputs, shown
        self.connections = Connections(found, expand_nested)

    def lines(self) -> Iterator[str]:
        for path, samples in self.inputs.items():
            label = self._label(path[1:], "Input", Block(path, self.root.layer, outputs=samples))
            yield f"{_quoted(path)} [label={label}];"
        if self.connections.is_open(self.root):
            yield from self._content(self.root)
        else:
            yield self._node(self.root)
        yield from (f"{_quoted(a)} -> {_quoted(b)};" for a, b in self.connections.edges())

    def _content(self, block: Block) -> Iterator[str]:
        for child in block.children:
            if self.connections.is_open(child) and not self.connections.expand:
                yield from self._content(child)
            elif self.connections.is_open(child):
                yield f"subgraph {_quoted(f'cluster {child.path}')} {{"
                yield f"  label={_quoted(f'{child.name} ({child.layer.kind})')}; style=dashed;"
                yield from (f"  {line}" for line in self._content(child))
                yield "}"
            else:
                yield self._node(child)
        if merges(block):
            yield f"{_quoted(merge_of(block))} [label={_quoted(merge_label(block))}, shape=ellipse];"

    def _node(self, block: Block) -> str:
        name = block.name or block.layer.name
        return f"{_quoted(block.path)} [label={self._label(name, block.layer.kind, block)}];"

    def _label(self, name: str, kind: str, block: Block) -> str:
        """A table: a coloured head, and a row for each thing to show."""
        title = f"<b>{html.escape(name)}</b> ({html.escape(kind)})" if self.shown["names"] else html.escape(kind)
        rows = [html.escape(f"{what}: {text}") for what, text in self._details(block)]
        cells = "".join(f"<tr><td>{row}</td></tr>" for row in rows)
        head = f'<tr><td bgcolor="{_HEAD}">{title}</td></tr>'
        return f'<<table border="0" cellborder="1" cellspacing="0" cellpadding="6">{head}{cells}</table>>'

    def _details(self, block: Block) -> Iterator[tuple[str, str]]:
        activation = block.layer.config.get("activation") if block.inputs is not None else None
        if self.shown["activations"] and activation is not None:
            yield "activation", activation if isinstance(activation, str) else function_name(activation)
        if self.shown["shapes"]:
            if block.inputs is not None:
                yield "input", shown_shape(block.inputs)
            yield "output", shown_shape(block.outputs)
        if self.shown["dtype"]:
            yield "dtype", ", ".join(str(samples.dtype) for samples in tree.leaves(block.outputs))
        if self.shown["trainable"] and block.params:
            yield "trainable", {0: "yes", block.params: "no"}.get(block.frozen, "in part")


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def _render(program: str, dot: str, path: Path) -> None:
    """Run Graphviz; the file is there whole or not at all."""
    with tempfile.TemporaryDirectory(dir=path.absolute().parent) as folder:
        drawn = Path(folder) / f"drawing{path.suffix}"
        command = [program, f"-T{path.suffix[1:].lower()}", "-o", str(drawn)]
        done = subprocess.run(command, input=dot, text=True, capture_output=True, check=False)
        if done.returncode or not drawn.is_file():
            raise FileError(f"Graphviz could not draw '{path}': {done.stderr.strip()[:300] or 'it gave no reason'}.")
        drawn.replace(path)
