"""What was given as data: checked against each other, the network and the loss, and made into sources."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import nullcontext
from typing import Any

from fnet import tree
from fnet.arguments import integer
from fnet.device import Device, device_of
from fnet.device_array import DeviceArray
from fnet.errors import ShapeError, StructureError, scope
from fnet.networks.layer import Layer
from fnet.train.checks import (
    check_device,
    check_samples,
    check_targets_stacked,
    floating_dtype,
    weights_of_classes,
)
from fnet.train.data import as_arrays, as_triple, count, split
from fnet.train.examine import Examiner, Forward
from fnet.train.measures import Measures
from fnet.train.sources.arrays import Arrays
from fnet.train.sources.batches import BatchSource, is_batches, unpacked
from fnet.train.sources.datasets import Datasets, is_large
from fnet.train.sources.rows import Rows
from fnet.train.sources.source import Data, Source
from fnet.train.state import TrainState
from fnet.transfer import to_device, to_host

BATCH_SIZE = 32


class GivenData:
    """Makes sources of the data for a network and its measures."""

    def __init__(self, net: Layer, measures: Measures, examiner: Examiner) -> None:
        self._net, self._measures, self._examiner = net, measures, examiner

    def sources(
        self,
        ts: TrainState,
        given: tuple[Any, Any, Any],
        batch_size: int,
        steps: int | None,
        validation_data: Any,
        validation_split: float,
        validation_steps: int | None,
        class_weight: Mapping[int, float] | None,
    ) -> tuple[Source, Source | None]:
        """Where the data of training and of validation come from."""

        def weighed(data: Data) -> Data:
            if class_weight is not None:
                weights = weights_of_classes(class_weight, data["y"], data["sample_weight"])
                data["sample_weight"] = as_arrays("sample_weight", weights, floating_dtype(ts.params))
            return data

        validation: Source | None = None
        if validation_data is not None:
            both = (validation_data, None, None) if is_batches(validation_data) else as_triple(validation_data)
            of = "validation_data "
            validation = self.source(ts, both, batch_size, validation_steps, of, "validation_steps")
        if validation is not None or validation_split == 0:
            return self.source(ts, given, batch_size, steps, limit="steps_per_epoch", weighed=weighed), validation
        if _are_batches(given):
            raise StructureError("validation_split is for arrays. Pass other batches as validation_data.")
        streams = is_large(*given)
        data = self._unread(ts, given) if streams else self.arrays(ts, batch_size, *given)
        data, others = split(data, count(data), validation_split)
        if streams:
            return self._datasets(ts, data, batch_size, steps, "steps_per_epoch", weighed=weighed), self._datasets(
                ts, others, batch_size, validation_steps, "validation_steps", first=count(data)
            )
        return Arrays(weighed(data), batch_size, steps, "steps_per_epoch"), Arrays(
            others, batch_size, validation_steps, "validation_steps"
        )

    def source(
        self,
        ts: TrainState,
        given: tuple[Any, Any, Any],
        batch_size: int,
        steps: int | None,
        of: str = "",
        limit: str = "steps",
        weighed: Callable[[Data], Data] = lambda data: data,
    ) -> Source:
        """Where x, y and sample_weight come from; `of` begins their names."""
        x = given[0]
        if isinstance(x, Rows):
            self.arrays(ts, batch_size, *given, of)
            return x.source(batch_size)
        if is_large(*given):
            return self._datasets(ts, self._unread(ts, given, of), batch_size, steps, limit, of, weighed)
        if not _are_batches(given):
            return Arrays(weighed(self.arrays(ts, batch_size, *given, of)), batch_size, steps, limit)

        def prepare(batch: Any, of: str) -> Data:
            return weighed(self.arrays(ts, batch_size, *unpacked(batch, of), of, fed=True))

        return BatchSource(of.strip() or "x", x, prepare, steps, limit, _home(ts))

    def inputs(self, ts: TrainState, x: Any, batch_size: int, steps: int | None) -> Source:
        """Where the samples come from that outputs are asked for."""

        def fed(x: Any, of: str) -> Data:
            return self._inputs(ts, x, of, fed=True)

        if is_large(x):
            data = {"x": as_arrays("x", x, floating_dtype(ts.params), unread=True)}
            return Datasets(data, batch_size, lambda data, of: fed(data["x"], of), steps, "steps", _home(ts))
        if not is_batches(x):
            return Arrays(self._inputs(ts, x), batch_size, steps)
        return BatchSource("x", x, lambda given, of: fed(unpacked(given, of)[0], of), steps, "steps", _home(ts))

    def _unread(self, ts: TrainState, given: tuple[Any, Any, Any], of: str = "") -> Data:
        """The arguments as trees of arrays, and of data sets that are not read."""
        dtype, named = floating_dtype(ts.params), zip(("x", "y", "sample_weight"), given, strict=True)
        data = {name: None if part is None else as_arrays(of + name, part, dtype, unread=True) for name, part in named}
        count({of + name: part for name, part in data.items()})
        return data

    def _datasets(
        self,
        ts: TrainState,
        data: Data,
        batch_size: int,
        steps: int | None,
        limit: str,
        of: str = "",
        weighed: Callable[[Data], Data] = lambda data: data,
        first: int = 0,
    ) -> Datasets:
        """Where samples come from that are not all in memory; the first one has the number `first`."""

        def prepare(data: Data, which: str) -> Data:
            x, y, sample_weight = data["x"], data["y"], data["sample_weight"]
            return weighed(self.arrays(ts, batch_size, x, y, sample_weight, f"{of}{which}", fed=True))

        return Datasets(data, batch_size, prepare, steps, limit, _home(ts), first)

    def _inputs(self, ts: TrainState, x: Any, of: str = "", fed: bool = False) -> Data:
        """The samples as arrays, checked against the network; `of` begins their name. fed: see `check_device`."""
        data = {"x": self._input_arrays(ts, x, f"{of}x")}
        count({f"{of}x": data["x"]})
        check_device(ts, data, of, fed)
        self.forward(ts, data["x"], f"{of}x").lookups.check(f"{of}x", data["x"])
        return data

    def _input_arrays(self, ts: TrainState, x: Any, name: str) -> Any:
        if x is None:
            raise StructureError(f"{name} is None. Pass an array of samples, or a tree of arrays for several inputs.")
        return as_arrays(name, x, floating_dtype(ts.params))

    def arrays(
        self, ts: TrainState, batch_size: int, x: Any, y: Any, sample_weight: Any, of: str = "", *, fed: bool = False
    ) -> Data:
        """The arguments as arrays, checked against each other, the network and the loss; `of` begins their names.

        fed: see `check_device`.
        """
        if isinstance(x, Rows):
            x, y, sample_weight = x.samples.values()
        data = {"x": self._input_arrays(ts, x, f"{of}x")}
        given = {"y": y, "sample_weight": sample_weight}
        dtype = floating_dtype(ts.params)
        data |= {name: None if leaf is None else as_arrays(of + name, leaf, dtype) for name, leaf in given.items()}
        try:
            count({of + name: value for name, value in data.items()})
        except ShapeError:
            check_samples(self._net, ts, f"{of}x", data["x"])
            check_targets_stacked(f"{of}y", data["x"], data["y"])
            raise
        check_device(ts, data, of, fed)
        forward = self.forward(ts, data["x"], f"{of}x")
        forward.lookups.check(f"{of}x", data["x"])
        with scope(of.strip(" :")) if of else nullcontext():
            self._measures.check_given(data["y"])
            bound = self._measures.bind(self._measures.outputs(forward.output))
            bound.check_targets(data, forward.known_output(data["x"]))
            self._examiner.measures(ts, data)
            if bound.doubtful(data, forward.probabilities):
                batch = to_device(tree.map(lambda leaf: leaf[:batch_size], data), _home(ts).name)
                bound.check_outputs(batch, self._net.apply(ts.params, ts.state, batch["x"])[0])
        return data

    def look_again(self, ts: TrainState, x: Any, y: Any, sample_weight: Any) -> None:
        """Refuse labels and positions out of range that made a loss NaN: on a device nobody looked at them."""
        given = x, y, sample_weight
        if any(isinstance(leaf, DeviceArray) for leaf in tree.leaves(given)):
            self.arrays(to_host(ts), 1, *to_host(given))

    def forward(self, ts: TrainState, x: Any, name: str) -> Forward:
        try:
            return self._examiner.forward(ts, x, name)
        except ShapeError:
            check_samples(self._net, ts, name, x)
            raise


def batch_size_of(given: Any, data: tuple[Any, Any, Any], validation_data: Any = None) -> int:
    """How many samples of arrays a batch has, 32 by default. Refuse a number where all data come in batches."""
    if given is None:
        return BATCH_SIZE
    size = integer("batch_size", "batch_size", given, 1, "expected an integer of at least {least}")
    if _are_batches(data) and (validation_data is None or is_batches(validation_data)):
        raise StructureError(
            f"batch_size={size} beside batches, which have sizes of their own. Leave it out, or make batches of {size}."
        )
    return size


def steps_of(argument: str, value: Any) -> int | None:
    """A number of steps; None for all."""
    return None if value is None else count_of(argument, value)


def count_of(argument: str, value: Any, least: int = 1) -> int:
    """A number of epochs or steps."""
    return integer(argument, argument, value, least, "expected an integer of at least {least}")


def _home(ts: TrainState) -> Device:
    """The device of a state, on which its steps run."""
    return device_of(tree.leaves(ts.params))


def _are_batches(given: tuple[Any, Any, Any]) -> bool:
    """Whether what stands for x is batches; beside targets it is taken for samples."""
    x, y, sample_weight = given
    return y is None and sample_weight is None and is_batches(x)
