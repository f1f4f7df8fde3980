"""The table of a network's layers: names, output shapes, numbers of parameters, connections, totals."""

from __future__ import annotations

import html
from typing import Any

from fnet import tree
from fnet.inspect.outline import Block, Outline, outline
from fnet.networks.layer import Layer

_CHAINS = ("serial", "repeat")


def summary(net: Layer, shape: Any = None, dtype: Any = "float32", expand_nested: bool = False) -> Summary:
    """What is in a network for inputs of `shape` (a graph knows its own): a `Summary`, which prints as a table.

    Rows: name (type), output shape with None for the batch, number of parameters (statistics in the state included, as
    Keras counts them), and, unless the layers are a chain, what each is connected to. A container within is one row,
    or with `expand_nested` its layers follow. A chain does not list its input. Source: Keras ``Model.summary``.

    >>> from fnet import serial
    >>> from fnet.layers import Dense, Dropout
    >>> print(summary(serial(Dense(4, "relu"), Dropout(0.5), Dense(1)), (18,)))
    Model: "serial"
    ┌───────────────────┬──────────────┬─────────┐
    │ Layer (type)      │ Output shape │ Param # │
    ├───────────────────┼──────────────┼─────────┤
    │ dense (Dense)     │ (None, 4)    │      76 │
    │ dropout (Dropout) │ (None, 4)    │       0 │
    │ dense_1 (Dense)   │ (None, 1)    │       5 │
    └───────────────────┴──────────────┴─────────┘
    Total params: 81 (324.00 B)
    Trainable params: 81 (324.00 B)
    Non-trainable params: 0 (0.00 B)
    """
    return Summary(net, outline(net, shape, dtype), expand_nested)


class Summary:
    """A table of layers: text by ``str``, HTML in a notebook, data by `to_dict`."""

    def __init__(self, net: Layer, found: Outline, expand_nested: bool) -> None:
        self._net, self._outline, self._expand = net, found, expand_nested
        self._chain = net.kind in _CHAINS or not net.children

    def to_dict(self) -> dict[str, Any]:
        """The numbers of the table: ``{"name", "inputs", "layers": [...], "total_params", ...}``; shapes with None."""
        root = self._outline.root
        trained, frozen, state = _numbers(root)
        return {
            "name": self._net.name,
            "inputs": {path[1:]: (None, *samples.shape) for path, samples in self._outline.inputs.items()},
            "layers": [_as_dict(block) for block in root.children or [root]],
            "total_params": trained + frozen + state,
            "trainable_params": trained,
            "non_trainable_params": frozen + state,
        }

    def __str__(self) -> str:
        header, rows = self._table()
        widths = [max(len(row[i]) for row in [header, *rows]) for i in range(len(header))]
        rules = ["─" * (width + 2) for width in widths]
        lines = [
            f'Model: "{self._net.name}"',
            f"┌{'┬'.join(rules)}┐",
            _line(header, widths),
            f"├{'┼'.join(rules)}┤",
            *(_line(row, widths) for row in rows),
            f"└{'┴'.join(rules)}┘",
            *self._totals(),
        ]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        header, rows = self._table()
        head = "".join(f"<th>{html.escape(cell)}</th>" for cell in header)
        body = "".join("<tr>" + "".join(map(_html_cell, row)) + "</tr>" for row in rows)
        title = f"<b>Model: {html.escape(self._net.name)}</b>"
        totals = "<br>".join(map(html.escape, self._totals()))
        return f"{title}<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{totals}"

    def _table(self) -> tuple[list[str], list[list[str]]]:
        header = ["Layer (type)", "Output shape", "Param #", "Connected to"]
        rows = []
        if not self._chain:
            rows = [
                [f"{path[1:]} (Input)", str((None, *samples.shape)), "0", "-"]
                for path, samples in self._outline.inputs.items()
            ]
        rows += [_row(depth, block) for depth, block in self._blocks()]
        return (header[:3], [row[:3] for row in rows]) if self._chain else (header, rows)

    def _blocks(self) -> list[tuple[int, Block]]:
        root = self._outline.root
        found = list(root.blocks()) if root.children else [(0, root)]
        return found if self._expand else [(depth, block) for depth, block in found if depth == 0]

    def _totals(self) -> list[str]:
        numbers, sizes = _numbers(self._outline.root), self._outline.root.nbytes
        rows = (
            ("Total", sum(numbers), sum(sizes)),
            ("Trainable", numbers[0], sizes[0]),
            ("Non-trainable", sum(numbers[1:]), sum(sizes[1:])),
        )
        return [f"{label} params: {number:,} ({_size(nbytes)})" for label, number, nbytes in rows]


def shown_shape(samples: Any) -> str:
    """The shapes of a tree of `Samples`, with None for the batch."""
    return str(tree.map(lambda s: (None, *s.shape), samples))


def _row(depth: int, block: Block) -> list[str]:
    name = block.name or block.layer.name
    indent = "   " * (depth - 1) + " └ " if depth else ""
    sources = ", ".join(source.removeprefix("/") for source in block.sources if source) or "-"
    return [
        f"{indent}{name} ({block.layer.kind})",
        shown_shape(block.outputs),
        f"{block.params + block.state:,}",
        sources,
    ]


def _as_dict(block: Block) -> dict[str, Any]:
    trained, frozen, state = _numbers(block)
    return {
        "name": block.name or block.layer.name,
        "type": block.layer.kind,
        "path": block.path,
        "output_shape": tree.map(lambda s: (None, *s.shape), block.outputs),
        "params": trained + frozen + state,
        "trainable_params": trained,
        "connected_to": [source.removeprefix("/") for source in block.sources if source],
        "layers": [_as_dict(child) for child in block.children],
    }


def _numbers(block: Block) -> tuple[int, int, int]:
    return block.params - block.frozen, block.frozen, block.state


def _line(cells: list[str], widths: list[int]) -> str:
    parts = [
        cell.rjust(width) if i == 2 else cell.ljust(width)
        for i, (cell, width) in enumerate(zip(cells, widths, strict=True))
    ]
    return f"│ {' │ '.join(parts)} │"


def _html_cell(cell: str) -> str:
    return f"<td><pre style='margin:0'>{html.escape(cell)}</pre></td>"


def _size(nbytes: float) -> str:
    for unit in ("B", "KB", "MB"):
        if nbytes < 1024:
            return f"{nbytes:.2f} {unit}"
        nbytes /= 1024
    return f"{nbytes:.2f} GB"
