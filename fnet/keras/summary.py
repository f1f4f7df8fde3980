"""The table of a model's layers, as Keras prints it."""

from __future__ import annotations

import math
import re
import shutil
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from fnet import tree
from fnet.errors import StructureError
from fnet.keras.layer import Layer
from fnet.keras.variable import Variable
from fnet.layers.constructor import LAYERS

if TYPE_CHECKING:
    from fnet.keras.models.model import Model

_CHAIN, _GRAPH = (88, (0.45, 0.80, 1.0)), (108, (0.3, 0.56, 0.74, 1.0))
_COLUMNS = (("Layer (type)", "left"), ("Output Shape", "left"), ("Param #", "right"), ("Connected to", "left"))


def print_summary(
    model: Model,
    line_length: int | None = None,
    positions: Sequence[float] | None = None,
    print_fn: Callable[[str], Any] | None = None,
    expand_nested: bool = False,
    show_trainable: bool = False,
    layer_range: Sequence[str] | None = None,
) -> None:
    """Print what is in a model: name and type, shape of the output, number of weights, and where inputs come from.

    line_length: characters in a line, those of the terminal where nothing is said; positions: where columns end, as
    parts of a line. print_fn: gets the text in place of the terminal. layer_range: patterns of the first and the last
    layer to be shown. Source: Keras ``Model.summary``.
    """
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    width, ends = _CHAIN if model.is_line else _GRAPH
    columns = list(_COLUMNS[: len(ends)])
    places = list(positions or ends)
    if show_trainable:
        width, places = width + 12, [*(0.9 * place for place in places), 1.0]
        columns.append(("Trainable", "center"))
    width = line_length or min(width, shutil.get_terminal_size().columns - 4)
    table, before = Table(width=width, show_lines=True), 0
    for (title, side), end in zip(columns, places, strict=True):
        size = int(end * width) - before
        if size < 4:
            raise StructureError("the lines are too short for a summary: pass a larger line_length.")
        table.add_column(title, justify=side, width=size)  # type: ignore[arg-type]
        before += size
    chosen = _chosen(model.rows, layer_range)
    for level, layer, batch in _rows(chosen, model.batch_when_built, expand_nested):
        name = f"{'   ' * level + '└ ' if level else ''}{layer.name}"
        row = [f"{escape(name)} ({_coloured(33, escape(layer.kind))})", _shape(layer, batch), _count(layer)]
        if not model.is_line:
            row.append(", ".join(_sources(model, layer)) or "-")
        if show_trainable:
            row.append(("[bold][color(34)]Y[/][/]" if layer.trainable else "[bold][color(9)]N[/][/]") if layer.weights
                       else "[bold]-[/]")  # fmt: skip
        table.add_row(*row)
    console = Console(highlight=False, **({"force_terminal": False, "color_system": None} if print_fn else {}))  # type: ignore[arg-type]
    with console.capture() if print_fn else _nothing() as captured:
        console.print(f'[bold]Model: "{escape(model.name)}"[/]')
        console.print(table)
        for title, number, nbytes in _totals(model):
            console.print(f"[bold] {title} params: [/]{_coloured(34, f'{number:,}')} ({_size(nbytes)})")
    if print_fn:
        print_fn(captured.get())


class _nothing:  # noqa: N801 (a context that does nothing)
    def __enter__(self) -> Any:
        return self

    def __exit__(self, *error: object) -> None:
        """There is nothing to end."""


def _rows(
    layers: Sequence[Layer], batch: int | None, expand: bool, level: int = 0
) -> list[tuple[int, Layer, int | None]]:
    """How deep each layer is, the layer, and the size of the batch for which it was built, None where it has any."""
    found = []
    for layer in layers:
        found.append((level, layer, batch))
        if expand and getattr(layer, "rows", None):
            inner = layer.batch_when_built if layer.has_declared_input else batch
            found += _rows(layer.rows, inner, expand, level + 1)
    return found


def _chosen(layers: list[Layer], patterns: Sequence[str] | None) -> list[Layer]:
    """The layers from the first that fits the first pattern to the last that fits the second."""
    if patterns is None:
        return layers
    first, last = ([i for i, layer in enumerate(layers) if re.match(p, layer.name)] for p in patterns)
    if not first or not last:
        raise StructureError(f"layer_range={tuple(patterns)}: no layers have such names.")
    ends = (min(first), max(last)) if min(first) <= max(last) else (min(last), max(first))
    return layers[ends[0] : ends[1] + 1]


def _shape(layer: Layer, batch: int | None) -> str:
    """The shapes of what the layer returned last; "?" where it was not called."""

    def shown(samples: Any) -> str:
        sizes = (batch, *samples.shape)
        return f"({', '.join(_coloured(45 if n is None else 34, str(n)) for n in sizes)})"

    made = layer.last_output
    connected = made is not None
    if connected:
        made = tree.map(lambda node: node.samples, made)
    elif layer.has_ends:
        made = tree.map(lambda node: node.samples, layer.output)
        batch = layer.batch_when_built if layer.has_declared_input else batch
    elif layer.built_samples is not None and layer.functional.kind in LAYERS and layer.kind not in _ONLY_CONNECTED:
        made = layer.output_samples(layer.built_samples)
    else:
        return "?"
    shapes = tree.map(shown, made)
    if isinstance(shapes, str):
        return shapes
    listed = list(shapes) if isinstance(shapes, tuple) and connected else shapes
    return str(listed).replace("'", "")


_ONLY_CONNECTED = frozenset((
    "Activation", "ActivityRegularization", "AlphaDropout", "AveragePooling1D", "AveragePooling2D", "AveragePooling3D",
    "Dropout", "ELU", "GaussianDropout", "GaussianNoise", "GlobalAveragePooling1D", "GlobalAveragePooling2D",
    "GlobalAveragePooling3D", "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D", "Identity", "LeakyReLU",
    "Masking", "MaxPooling1D", "MaxPooling2D", "MaxPooling3D", "ReLU", "Reshape", "Softmax", "SpatialDropout1D",
    "SpatialDropout2D", "SpatialDropout3D", "UnitNormalization",
))  # fmt: skip
"""Layers whose shape Keras shows in connected models alone."""


def _count(layer: Layer) -> str:
    number = sum(math.prod(weight.shape) for weight in layer.weights)
    return _coloured(34, f"{number:,}") if layer.built or layer.is_weightless else f"{_coloured(34, '0')} (unbuilt)"


def _sources(model: Model, layer: Layer) -> list[str]:
    """Where the inputs of a layer come from: name of the layer, number of its call, number of the output."""
    return [
        f"{name}[{_coloured(34, str(call))}][{_coloured(34, str(output))}]"
        for name, call, output in model.sources_of(layer)
    ]


def _totals(model: Model) -> list[tuple[str, int, int]]:
    trained, others = _sum(model.trainable_weights), _sum(model.non_trainable_weights)
    memory = _sum(model.optimizer_weights)
    total, nbytes = (a + b + c for a, b, c in zip(trained, others, memory, strict=True))
    rows = [("Total", total, nbytes), ("Trainable", *trained), ("Non-trainable", *others)]
    return rows + ([("Optimizer", *memory)] if memory[0] else [])


def _sum(weights: Sequence[Variable | Any]) -> tuple[int, int]:
    sizes = [math.prod(weight.shape) for weight in weights]
    return sum(sizes), 4 * sum(sizes)


def _size(nbytes: float) -> str:
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if nbytes < 1024:
            return f"{nbytes:.2f} {unit}"
        nbytes /= 1024
    return f"{nbytes:.2f} PB"


def _coloured(number: int, text: str) -> str:
    return f"[color({number})]{text}[/]"
