"""Recurrent layers that keep their states: the size of the batch is that of the input, where nobody says it."""

from __future__ import annotations

from typing import Any

from fnet import tree
from fnet.errors import StructureError
from fnet.keras.held import HeldLayer
from fnet.keras.input import batch_of
from fnet.keras.layer import Layer
from fnet.layers.constructor import LAYERS
from fnet.networks.node import SymbolicNode


class StatefulLayer(Layer):
    """It takes ``stateful=True`` without a `batch_size` behind an ``Input(batch_shape=...)``, as in Keras."""

    _waits_for_batch = False

    def __init__(self, *args: Any, **options: Any) -> None:
        told = any(word in options for word in ("batch_size", "batch_input_shape", "batch_shape"))
        waits = bool(options.get("stateful")) and not told
        if waits:
            options["batch_size"] = 1
        super().__init__(*args, **options)
        self._waits_for_batch = waits

    def __call__(self, *inputs: Any, **options: Any) -> Any:
        if self._waits_for_batch:
            leaves = tree.leaves(inputs)
            size = _size(leaves[0]) if leaves else None
            if size is None:
                raise StructureError(
                    f"{self.name}: stateful=True keeps the states of each sequence in a batch, so say how many there "
                    f"are: Input(batch_shape=(32, ...)) in front, or batch_size=32."
                )
            core = self.functional
            self._core = HeldLayer.of(LAYERS[core.kind](**{**core.config, "batch_size": size}), self)
            self._waits_for_batch = False
        return super().__call__(*inputs, **options)


def _size(x: Any) -> int | None:
    """The size of the batch of an array, or of the input that a symbolic value follows from."""
    while isinstance(x, SymbolicNode) and x.call is not None:
        x = tree.leaves(x.call.inputs)[0]
    return batch_of(x) if isinstance(x, SymbolicNode) else int(x.shape[0])
