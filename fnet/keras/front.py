"""What of a model runs on the host, as layers of texts do: data go through it before the rest is trained."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sized
from typing import Any

from fnet.networks.host_part import HostPart, host_part
from fnet.networks.layer import Layer
from fnet.train.sources.batches import is_batches


class Front:
    """The part of a network that runs on the host, with the state that its layers have learnt."""

    def __init__(self, part: HostPart) -> None:
        self.part = part

    @classmethod
    def of(cls, net: Layer) -> Front | None:
        """That of a network; None where all of it can be compiled."""
        part = host_part(net)
        return None if part is None else cls(part)

    @property
    def net(self) -> Layer:
        """The network behind it, which is trained."""
        return self.part.after

    def behind(self, values: Any) -> dict[str, Any]:
        """The entries of params or state that are of the network behind it."""
        before, after = self.part.before.entries, self.part.after.entries
        return {name: own for name, own in values.items() if name in after or name not in before}

    def fed(self, params: Any, state: Any, x: Any) -> Any:
        """What the network behind it takes for some inputs, or for batches of them."""
        before = self.part.before
        own_params, own_state = (
            {name: own for name, own in values.items() if name in before.entries} for values in (params, state)
        )

        def made(x: Any) -> Any:
            return before.apply(own_params, own_state, x)[0]

        if not is_batches(x):
            return made(x)
        if iter(x) is x:  # a generator goes on from epoch to epoch
            return (_of_batch(made, batch) for batch in x)
        return (_FedAndCounted if isinstance(x, Sized) else _Fed)(x, made)


class _Fed:
    """Batches whose inputs went through a function, anew in every epoch."""

    def __init__(self, batches: Any, function: Callable[[Any], Any]) -> None:
        self.batches, self._function = batches, function

    def __iter__(self) -> Iterator[Any]:
        return (_of_batch(self._function, batch) for batch in self.batches)


class _FedAndCounted(_Fed):
    """The same, of which the number is known."""

    def __len__(self) -> int:
        return len(self.batches)


def _of_batch(function: Callable[[Any], Any], batch: Any) -> Any:
    """The batch, ``x`` or ``(x, y, ...)``, with what a function makes of x."""
    return (function(batch[0]), *batch[1:]) if isinstance(batch, tuple) else function(batch)
