"""Recurrent layers over cells of the user's own."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np

from fnet import layers
from fnet.arguments import positive_integer
from fnet.errors import ShapeError, StructureError
from fnet.keras.custom import build_parts, functional_layer
from fnet.keras.held import HeldLayer
from fnet.keras.inner import functional_of
from fnet.keras.layer import Layer
from fnet.keras.running import outside
from fnet.networks.samples import Samples


class OwnCells(Layer):
    """An RNN of one cell of the user's own: a `Layer` with ``call(inputs, states)`` and `state_size`.

    ``call`` returns the output of a step, and the list of the new states. State sizes are integers, or shapes.
    """

    _over_own_cell = False

    def __init__(self, cell: Any, *args: Any, **options: Any) -> None:
        several = cell if isinstance(cell, list | tuple) else (cell,)
        self._over_own_cell = any(isinstance(one, Layer) and one._core is None for one in several)
        if not self._over_own_cell:
            super().__init__(cell, *args, **options)  # type: ignore[call-arg]  # of a standard layer
            return
        if len(several) > 1:
            raise StructureError(
                f"{type(self).__name__}: one of several cells, {type(several[0]).__name__}, is a class of your own. "
                f"Put one RNN behind the other, with return_sequences=True."
            )
        shared = {key: options.pop(key) for key in ("name", "trainable", "dtype") if key in options}
        Layer.__init__(self, **shared)
        self.cell, self._arguments = several[0], (args, options)

    def parts(self) -> list[tuple[str, Layer]]:
        if not self._over_own_cell:
            return super().parts()
        return [] if self._core is None else [(self._core.entries[0], self.cell)]

    def build(self, input_shape: Any) -> None:
        """Make the weights for sequences of this shape, with None for the batch."""
        self.build_for(Samples(tuple(input_shape)[1:], np.dtype("float32")))

    def build_for(self, samples: Any) -> None:
        if self._over_own_cell and self._core is None:
            sequence = samples if isinstance(samples, Samples) else samples[0]
            if len(sequence.shape) < 2:
                raise ShapeError(f"{self.name}: expected (batch, time, ...), received {(None, *sequence.shape)}.")
            _build_cell(self.cell, Samples(sequence.shape[1:], sequence.dtype))
            args, options = self._arguments
            self._core = HeldLayer.of(layers.RNN(functional_of(self.cell), *args, **options), self)
            self.built, self.built_for = True, sequence.shape
        super().build_for(samples)


def _build_cell(cell: Layer, step: Samples) -> None:
    """Make the weights of a cell, and its functional layer from (x_t, *states) to (y_t, *new states)."""
    sizes = [tuple(s) if isinstance(s, list | tuple) else (s,) for s in _sizes(cell)]
    states = [tuple(positive_integer(cell.name, "state_size", n) for n in size) for size in sizes]
    samples = (step, *(Samples(size, np.dtype("float32")) for size in states))
    cell.is_being_built = True
    with outside():
        cell.build((None, *step.shape))
        build_parts(cell, samples, _stepped)
        cell._core = functional_layer(cell, samples, _stepped, {"state_size": tuple(states)})
        cell.built, cell.built_for = True, tuple(part.shape for part in samples)
        _check_first(cell)


def _sizes(cell: Layer) -> Any:
    given = getattr(cell, "state_size", None)
    if given is None:
        raise StructureError(
            f"{cell.name}: a cell says the sizes of its states: self.state_size = 32, or [32, 32] for two."
        )
    return given if isinstance(given, list | tuple) and not hasattr(given, "rank") else [given]


def _check_first(cell: Layer) -> None:
    """Refuse states that do not begin with zeros."""
    first = getattr(cell, "get_initial_state", None)
    if first is not None:
        states = first(batch_size=1)
        if any(np.any(np.asarray(state)) for state in (states if isinstance(states, list | tuple) else [states])):
            raise StructureError(
                f"{cell.name}.get_initial_state: states begin with zeros. Pass others in the call: "
                f"rnn(x, initial_state=[...])."
            )


def _stepped(cell: Layer, x: Any, train: bool) -> Any:
    """One step, ``(y_t, *new states)``, by the `call` of a cell."""
    x_t, *states = x
    takes = inspect.signature(cell.call).parameters
    made = cell.call(x_t, states, **({"training": train} if "training" in takes else {}))
    if not isinstance(made, list | tuple) or len(made) != 2:
        raise StructureError(f"{cell.name}.call: expected (output, [states]), received {type(made).__name__}.")
    y, new = made
    return y, *(new if isinstance(new, list | tuple) else [new])
