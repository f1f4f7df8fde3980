"""Why a loss is not finite: the step runs again, eagerly, and each layer's output is checked."""

from __future__ import annotations

from typing import Any

import numpy as np

from fnet import ops, random, tree
from fnet.device import cpu, device_of
from fnet.errors import FnetError
from fnet.masking import Masked, split_mask
from fnet.networks.layer import Layer
from fnet.networks.parameters import apply_with_penalty
from fnet.networks.watching import watching
from fnet.ops.nn import logits_of
from fnet.train.data import STEP
from fnet.train.measures import BoundMeasures
from fnet.train.sources.source import Batch
from fnet.train.state import TrainState
from fnet.train.steps import split_trained
from fnet.transfer import to_host
from fnet.transforms.linear_maps import zeros_like
from fnet.transforms.operand import is_operand
from fnet.transforms.primitive import spec_of
from fnet.transforms.vjp import grad

ADVICE = "Lower the learning rate, or clip gradients with fnet.optimizers.clip_by_global_norm."


def cause(net: Layer, measures: BoundMeasures, ts: TrainState, of: Batch) -> str:
    """What in the training step at `ts` on a batch is wrong, and what to do about it."""
    batch, samples = of.data, of.samples
    for path, leaf in tree.leaves_with_path(batch):
        if not np.isfinite(leaf).all():
            whole = np.isfinite(leaf if of.whole is None else dict(tree.leaves_with_path(of.whole))[path])
            sample = int(np.argmin(whole.reshape(len(whole), -1).all(axis=1)))
            place = f"sample {sample if of.whole is not None else samples[sample]}{of.of}"
            return f"{path} holds NaN or infinities ({int(np.sum(~whole))}), first in {place}: clean the data."
    key = random.fold_in(random.fold_in(ts.key, STEP), ts.step)
    if device_of(tree.leaves((ts, batch))) is not cpu():
        refused = _refused(net, measures, *to_host((ts, batch, key)))
        if refused:
            return f"In the batch of the samples {_shown(samples)}{of.of}: {refused}"
    watch = _Watch()
    try:
        with watching(watch), np.errstate(all="ignore"):
            y, _ = net.apply(ts.params, ts.state, batch["x"], key=key, train=True)
            value, _ = measures.value(batch, y)
    except FnetError as error:
        return f"In the batch of the samples {_shown(samples)}{of.of}: {error}"
    if watch.found is not None:
        return f"The output of '{watch.found}' is the first that is not finite{watch.place(samples, of.of)}. {ADVICE}"
    if not np.isfinite(value):
        return f"The outputs of the batch (samples {_shown(samples)}{of.of}) are finite. {ADVICE}"
    with np.errstate(all="ignore"):
        backward = _backward(net, measures, batch, ts, key, watch.outputs)
    return f"{backward}{ADVICE}"


def _refused(net: Layer, measures: BoundMeasures, ts: TrainState, batch: dict[str, Any], key: Any) -> str:
    """What is wrong with labels and positions, which nobody looks at on a device; empty where nothing is."""
    try:
        with np.errstate(all="ignore"):
            y, _ = net.apply(ts.params, ts.state, batch["x"], key=key, train=True)
        measures.check_targets(batch, tree.map(spec_of, y))
    except FnetError as error:
        return str(error)
    return ""


def _backward(
    net: Layer, measures: BoundMeasures, batch: dict[str, Any], ts: TrainState, key: Any, outputs: list[tuple[str, Any]]
) -> str:
    """Where the first gradient that is not finite is, from the loss back to the inputs; nothing if all are finite.

    A zero is added to every output, so that the gradient for the zero is that for the output.
    """
    trained, frozen = split_trained(net, ts.params)

    def value_of(trained: Any, zeros: list[Any]) -> Any:
        with watching(_Adding(zeros)):
            params = tree.combine(trained, frozen)
            y, _, penalty = apply_with_penalty(net, params, ts.state, batch["x"], key=key, train=True)
            value, _ = measures.value(batch, y)
        return value if isinstance(penalty, float) else ops.add(value, penalty)

    zeros = [None if y is None else zeros_like(y) for _, y in outputs]
    of_params, of_outputs = grad(value_of, argnums=(0, 1))(trained, zeros)
    bad = {f"'{name}'": g for name, g in tree.leaves_with_path(of_params) if not np.isfinite(g).all()}
    for position in reversed(range(len(outputs))):
        path, g = outputs[position][0], of_outputs[position]
        if position and outputs[position - 1][0].startswith(f"{path}/"):
            continue  # a container, whose output is that of its last layer
        if g is not None and not np.isfinite(g).all():
            bad = {f"the output of '{path}'": g}
            break
        own = {name: g for name, g in bad.items() if name.startswith(f"'{path}/")}
        if own:
            bad = own
            break
    if not bad:
        return ""
    name, g = next(iter(bad.items()))
    return f"Back from the loss, the gradient of {name} is the first that is not finite{_place(g)}. "


class _Watch:
    """Finds the first layer, by its path, whose output has a NaN or an infinity that counts.

    outputs: the paths and outputs of all layers, in the order in which they end; None for what is not one array of
    floats.
    """

    def __init__(self) -> None:
        self._path: list[str] = []
        self._inputs: list[Any] = []
        self.found: str | None = None
        self.outputs: list[tuple[str, Any]] = []
        self._bad: tuple[Any, Any] = (None, None)

    def enter(self, name: str, layer: Layer, x: Any) -> None:
        self._path.append(name)
        self._inputs.append(x)

    def leave(self, y: Any) -> Any:
        path, x = "/".join(self._path), self._inputs.pop()
        self.outputs.append((path, y if _takes_zeros(y) else None))
        if self.found is None and not _is_finite(y):
            self.found, self._bad = path, (x, y)
        self._path.pop()
        return y

    def place(self, samples: np.ndarray, of: str) -> str:
        """The first such number, its sample, and between which numbers the inputs of the layer are."""
        x, y = self._bad
        bad = next(values for values in map(_counted, _parts(y)) if not np.isfinite(values).all())
        inputs = [np.ravel(to_host(values)) for values, _ in _parts(x) if spec_of(values).dtype.kind == "f"]
        numbers = np.concatenate(inputs) if inputs else np.zeros(0)
        sample = int(np.argwhere(~np.isfinite(bad))[0][0])
        of_sample = f", sample {samples[sample]}{of}" if len(bad) == len(samples) else ""
        between = f", for inputs from {numbers.min():.4g} to {numbers.max():.4g}" if numbers.size else ""
        return f"{_place(bad)}{of_sample}{between}"


class _Adding:
    """Adds the zeros to the outputs, in the order in which layers end; not to probabilities with known logits."""

    def __init__(self, zeros: list[Any]) -> None:
        self._zeros = iter(zeros)

    def enter(self, name: str, layer: Layer, x: Any) -> None: ...

    def leave(self, y: Any) -> Any:
        zero = next(self._zeros)
        has_logits = any(logits_of(activation, y) is not None for activation in ("softmax", "sigmoid"))
        return y if zero is None or has_logits else ops.add(y, zero)


def _takes_zeros(y: Any) -> bool:
    return is_operand(y) and spec_of(y).differentiable


def _place(values: Any) -> str:
    """The first number that is not finite, and where it is."""
    host = np.asarray(to_host(values))
    first = tuple(np.argwhere(~np.isfinite(host))[0].tolist())
    return f": {host[first]} at {first}" if first else ""


def _parts(y: Any) -> list[tuple[Any, Any]]:
    return [split_mask(part) for part in tree.leaves(y, is_leaf=lambda part: isinstance(part, Masked))]


def _counted(part: tuple[Any, Any]) -> np.ndarray:
    """The values, with 0 where the mask leaves them out."""
    values, mask = (None if leaf is None else np.asarray(to_host(leaf)) for leaf in part)
    assert values is not None
    return values if mask is None else np.where(mask.reshape(mask.shape + (1,) * (values.ndim - mask.ndim)), values, 0)


def _is_finite(y: Any) -> bool:
    return all(np.isfinite(values if mask is None else values[mask]).all() for values, mask in _parts(y))


def _shown(samples: np.ndarray) -> str:
    return ", ".join(map(str, samples[:5].tolist())) + (", ..." if len(samples) > 5 else "")
