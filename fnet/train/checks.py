"""Mistakes found before training: a state of another network, samples of another shape, targets out of range."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from fnet import losses, random, tree
from fnet.device import device_of
from fnet.device_array import DeviceArray
from fnet.errors import FnetError, ShapeError, StructureError, TracingError
from fnet.losses.define import Loss
from fnet.losses.names import as_loss
from fnet.masking import split_mask
from fnet.networks.layer import Layer
from fnet.optimizers.rates import new_state
from fnet.spec import ArraySpec
from fnet.train.state import TrainState
from fnet.transforms.primitive import spec_of
from fnet.transforms.stage import eval_shape


def check_state(ts: Any) -> TrainState:
    """`ts` itself, or a `StructureError` where it is no `TrainState`."""
    if isinstance(ts, TrainState):
        return ts
    if isinstance(ts, tuple) and ts and isinstance(ts[0], TrainState):
        raise StructureError(
            "expected a TrainState, received what fit returns: write ts, history = trainer.fit(ts, ...)."
        )
    raise StructureError(
        f"expected a TrainState as the first argument, received a {type(ts).__name__}. "
        f"Make one with trainer.init(key, shape)."
    )


def check_device(ts: TrainState, data: Mapping[str, Any], of: str = "", fed: bool = False) -> None:
    """Refuse a state and data that are not on one device; `of` begins the names of the data.

    fed: whether arrays of the host are brought to the state, where that one is.
    """
    named = {"ts/params": ts.params, **{of + name: part for name, part in data.items()}}
    leaves, structure = tree.flatten(named)
    if fed and any(isinstance(leaf, DeviceArray) for leaf in tree.leaves(ts.params)):
        leaves = [leaf if isinstance(leaf, DeviceArray) else None for leaf in leaves]
    device_of(leaves, lambda leaf: structure.paths()[leaf])


def check_network(net: Layer, ts: TrainState, x: Any, name: str = "x") -> None:
    """Refuse `x` and `ts` that do not belong to `net`: what `init` makes for samples like these must be like `ts`.

    x: arrays, or specs of them, called `name`. Raises `StructureError` where an entry is missing or unknown,
    `ShapeError` where a shape differs or the network cannot take samples like these.
    """
    shapes, dtype = tree.map(lambda a: a.shape[1:], x), floating_dtype(ts.params)
    try:
        expected = _initial(net, shapes, dtype)
    except ShapeError as error:
        raise ShapeError(f"the network cannot take samples of shape {shapes} as in {name}: {error}") from None
    for part, like, given in zip(("params", "state"), expected, (ts.params, ts.state), strict=True):
        own = tree.structure(like)
        try:
            leaves = tree.flatten_like(own, given)
        except StructureError as error:
            raise StructureError(f"ts.{part} does not belong to this network: {error}") from None
        for path, wanted, leaf in zip(own.paths(), tree.leaves(like), leaves, strict=True):
            if spec_of(leaf).shape != wanted.shape:
                raise ShapeError(
                    f"{name} has samples of shape {shapes}, for which '{path}' of the network has the shape "
                    f"{wanted.shape}, but ts.{part} has {spec_of(leaf).shape}. Pass {name} shaped as in trainer.init, "
                    f"or make a new ts."
                )


def check_samples(net: Layer, ts: TrainState, name: str, x: Any) -> None:
    """Refuse a list of samples, or of batches, of a network with one input, which is taken for a list of inputs."""
    if not isinstance(x, list | tuple) or not x:
        return
    if all(isinstance(part, list | tuple) and len(part) in (2, 3) for part in x) and _takes(net, ts, x[0][0]):
        kind = type(x).__name__
        raise StructureError(
            f"{name} is a {kind} of {len(x)} batches, but what is in a {kind} stands for inputs. "
            f"Pass iter({name.rpartition(' ')[2]}) for one epoch, or an object whose __iter__ begins anew."
        )
    if len({(type(part), getattr(part, "shape", None)) for part in x}) > 1 or not hasattr(x[0], "shape"):
        return
    shape, data = np.shape(x[0]), name.rpartition(" ")[2]
    readings = [(shape, f"Stack them: np.stack({data})"), (shape[1:], f"Pass the array itself: {data}[0]")]
    for samples, fix in reversed(readings) if len(x) == 1 else readings[:1]:
        if not _takes(net, ts, np.broadcast_to(np.float32(0), (1, *samples))):
            continue
        raise StructureError(
            f"{name} is a {type(x).__name__} of {len(x)} arrays of shape {shape}, each of which stands for an "
            f"input, but the network has one. {fix}."
        )


def _takes(net: Layer, ts: TrainState, x: Any) -> bool:
    try:
        check_network(net, ts, x)
    except FnetError:
        return False
    return True


def check_targets_stacked(name: str, x: Any, y: Any) -> None:
    """Refuse a list of targets with one array for each sample, which is taken for a list of outputs."""
    samples = len(tree.leaves(x)[0])
    if isinstance(y, list | tuple) and len(y) == samples and len({np.shape(part) for part in y}) == 1:
        raise StructureError(
            f"{name} is a {type(y).__name__} of {samples} arrays, one for each sample, of which each stands for an "
            f"output. Stack them: np.stack({name.rpartition(' ')[2]})."
        )


def check_weights(loss: Callable[..., Any], y: Any, output: Any) -> None:
    """Refuse weights of samples where a loss of the user's own gives one number for all of them."""
    if not isinstance(loss, Loss) or loss.constructor != "from_function":
        return
    values = eval_shape(lambda y, p: loss(y, p, reduction="none"), y, output)
    if values.shape == ():
        raise ShapeError(
            f"the loss {loss.name} gives one number for a batch, so its samples cannot be weighted. Let it return one "
            f"value for each sample, (batch,), or take sample_weight= itself."
        )


def _initial(net: Layer, shapes: Any, dtype: np.dtype) -> tuple[Any, Any]:
    """What `net.init` makes, as specs where it can be traced."""
    try:
        return eval_shape(lambda key: net.init(key, shapes, dtype), ArraySpec((2,), np.dtype(np.uint32)))
    except TracingError:  # an init that looks at its key
        return net.init(random.key(0), shapes, dtype)


def check_optimizer(init: Callable[[Any], Any], params: Any, opt_state: Any) -> bool:
    """Refuse an optimizer state that is not what `init` makes for the parameters that are trained.

    Returns whether the state holds the learning rates.
    """
    try:
        tree.flatten_like(tree.structure(eval_shape(init, params)), opt_state)
    except StructureError as error:
        try:
            tree.flatten_like(tree.structure(eval_shape(functools.partial(new_state, init), params)), opt_state)
        except StructureError:
            raise StructureError(f"ts.opt_state does not belong to this optimizer: {error}") from None
        return True
    return False


def check_alike(ts: TrainState, other: TrainState) -> TrainState:
    """`other`, in the order of `ts`; refuse a state for which a callback asks, if it is not like the present one."""
    own = tree.structure(ts)
    try:
        leaves = tree.flatten_like(own, other)
    except StructureError as error:
        raise StructureError(f"a callback asks for a state that is not like that of the run: {error}") from None
    for path, old, new in zip(own.paths(), tree.leaves(ts), leaves, strict=True):
        expected, received = spec_of(old), spec_of(new)
        if (expected.shape, expected.dtype) != (received.shape, received.dtype):
            raise StructureError(
                f"a callback asks for a state that is not like that of the run: '{path}' is {received}, expected "
                f"{expected}. Change values of run.ts only."
            )
    return tree.unflatten(own, leaves)


def check_targets(loss: Any, y: Any, output: Any, sample_weight: Any) -> None:
    """Refuse labels and probabilities out of range, which compiled code would turn into NaN or take as they are.

    output: the specs of predictions for `y`. Raises `ValueRangeError` naming the sample, `StructureError` for targets
    in a list or dict, which only a loss of the user's own can take.
    """
    known = as_loss(loss)
    if known is None:
        return
    if known.kind in losses.LOSSES and isinstance(y, Mapping | list | tuple):
        raise StructureError(
            f"y is a {type(y).__name__} of {len(y)}, but {known.kind} is of one output. Pass its targets as one array."
        )
    if isinstance(y, np.ndarray) and isinstance(split_mask(output)[0], ArraySpec):
        known.check_targets(y, output, sample_weight)


def weights_of_classes(class_weight: Mapping[int, float], y: Any, sample_weight: Any) -> Any:
    """The weights of the samples by their classes, for a network with a single output and no other weights."""
    if sample_weight is not None:
        raise StructureError("give class_weight or sample_weight, not both: multiply them into one sample_weight.")
    if isinstance(y, DeviceArray):  # its labels are looked at, once
        return y.home.put(losses.class_weights(class_weight, y.home.get(y)))
    if not isinstance(y, np.ndarray):
        raise StructureError("class_weight needs a single output; give a sample_weight for each output instead.")
    return losses.class_weights(class_weight, y)


def floating_dtype(params: Any) -> np.dtype:
    """The dtype that the network computes in: that of its first floating parameter, else float32."""
    kinds = (spec_of(leaf).dtype for leaf in tree.leaves(params))
    return next((dtype for dtype in kinds if dtype.kind == "f"), np.dtype(np.float32))
