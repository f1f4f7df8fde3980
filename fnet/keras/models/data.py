"""What a model makes of the data that it is given, before a `Trainer` takes them."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np

from fnet import tree
from fnet.device_array import DeviceArray
from fnet.keras.front import Front
from fnet.keras.layer import Layer, as_texts
from fnet.networks.graph import output_names
from fnet.networks.layer import Layer as Functional
from fnet.train.given import BATCH_SIZE
from fnet.train.sources.batches import is_batches


class ModelData(Layer):
    """The part of a model that brings data into the form that its network takes."""

    _known_front: tuple[Functional, Front | None] | None = None

    @property
    def is_callable(self) -> bool:
        """Whether it computes outputs, and does not only hold others for its steps."""
        return True

    @property
    def has_one_loss(self) -> bool:
        """Whether of several outputs one alone has a loss."""
        return False

    @property
    def front(self) -> Front | None:
        """What runs on the host, before what is trained; None for a model without."""
        if not self.is_callable:
            return None
        net = self.functional
        if self._known_front is None or self._known_front[0] is not net:
            self._known_front = net, Front.of(net)
        return self._known_front[1]

    @property
    def trained_net(self) -> Functional:
        """The functional network, without what runs on the host."""
        return self.functional if self.front is None else self.front.net

    def trained_values(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """Params and state of `trained_net`."""
        front = self.front
        return (self.params, self.state) if front is None else (front.behind(self.params), front.behind(self.state))

    def hold_trained(self, params: Any, state: Any) -> None:
        """Hold other values of `trained_values`."""
        self.take({**self.params, **params}, {**self.state, **state})

    def fed(self, x: Any) -> Any:
        """What `trained_net` takes for some inputs, or for batches of them."""
        front = self.front if self.built and x is not None else None
        return x if front is None else front.fed(self.params, self.state, x)

    def _built_on(self, x: Any, batch_size: int | None = None) -> Any:
        """The data; weights are made for the first of them, where there are none."""
        if self.built or x is None or not self.is_callable:
            return x
        first = x
        if is_batches(x):
            rest = iter(x)
            batch = next(rest)
            first = batch[0] if isinstance(batch, tuple) else batch
            x = itertools.chain([batch], rest) if rest is x else x  # a generator goes on
        first, _, _ = self._arranged(first)
        self(tree.map(lambda part: np.asarray(part[:1]), first))
        self.built_on_batch(first if is_batches(x) else tree.map(lambda part: part[: batch_size or BATCH_SIZE], first))
        return x

    def _arranged(self, x: Any, y: Any = None, sample_weight: Any = None) -> tuple[Any, Any, Any]:
        """The data as `fnet.Trainer` takes them: tuples in place of lists of arrays, outputs in their order."""
        x, y, sample_weight = map(_as_tuple, (x, y, sample_weight))
        if isinstance(x, tuple) and len(x) == 1:
            x = x[0]
        names = output_names(self.functional) if self.built else None
        if isinstance(y, dict) and names is not None:
            y = tuple(y[name] for name in names)
        if isinstance(y, tuple) and len(y) == 1:
            y = y[0]
        if names is not None and isinstance(y, np.ndarray | DeviceArray) and self.has_one_loss:
            y = (y,) * len(names)  # those of outputs without a loss are not looked at
        return self.fed(x), y, sample_weight


def _as_tuple(data: Any) -> Any:
    """A tuple for a list of arrays, an array for a list of texts; anything else as it is."""
    data = as_texts(data)
    if isinstance(data, list | tuple) and data and all(isinstance(part, np.ndarray | DeviceArray) for part in data):
        return tuple(data)
    return data
