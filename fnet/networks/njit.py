"""A network inside of compiled code of your own: integrators, simulations, searches, samplers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from fnet import tree
from fnet.arguments import integer
from fnet.compile.build import build
from fnet.device import cpu
from fnet.device_array import DeviceArray
from fnet.errors import DeviceError, ShapeError, StructureError, ValueRangeError
from fnet.networks.layer import Layer
from fnet.networks.samples import check_shape, is_single
from fnet.ops.shape import expand_dims, squeeze
from fnet.spec import ArraySpec, check_dtype
from fnet.transforms.operand import is_known
from fnet.transforms.primitive import spec_of
from fnet.transforms.stage import stage


def njit_apply(
    net: Layer, params: Any, state: Any, shape: Any, *, batch: int | None = None, dtype: Any = None
) -> tuple[Callable[..., Any], np.ndarray]:
    """The pair ``(f, leaves)`` with ``f(leaves, x) == net.apply(params, state, x)[0]``, to be called in ``@njit`` code.

    shape: of x without a batch axis, as in ``net.init``; f takes one sample of that shape, or with `batch` a batch of
    exactly so many. Several inputs have a tuple of shapes, and come and go as tuples of arrays. dtype: of x, by default
    that of the parameters.
    leaves: the vector ``fnet.tree.ravel((params, state))[0]``; pass that of other parameters to use them, change it
    inside of your code as you like, and undo it with the function that `ravel` returns. Leaves that are not floating
    are taken as they are now.

    f is compiled when it is first called, and kept on disk. It works in inference (``train=False``), returns a new
    array on every call and shares nothing between calls, so it may run in several threads at once (``prange``). Arrays
    of another number type or layout are converted on every call; another shape raises ValueError.
    Numba does not see what a function's global variables are: where your own function is cached (``cache=True``), pass
    f as an argument, or delete its cache when the network changes.

    Raises `StructureError` for a network that gives dicts or nested outputs, `ShapeError` for a shape with None.

    >>> import numba, fnet
    >>> from fnet.layers import Dense
    >>> net = fnet.serial(Dense(8, activation="tanh"), Dense(2))
    >>> f, leaves = fnet.njit_apply(net, *net.init(fnet.random.key(0), (2,)), (2,))
    >>> @numba.njit
    ... def euler(leaves, y, steps, dt):
    ...     for _ in range(steps):
    ...         y = y + dt * f(leaves, y)
    ...     return y
    >>> euler(leaves, np.ones(2, np.float32), 100, np.float32(0.01)).shape
    (2,)
    """
    floats, fixed = tree.partition((params, state), lambda path, leaf: spec_of(leaf).differentiable)
    leaves, unravel = tree.ravel(floats)
    if isinstance(leaves, DeviceArray):
        where = leaves.device
        raise DeviceError(f"njit_apply needs parameters on the host, these are on '{where}'. Use fnet.to_host(params).")
    if not is_known(leaves):
        raise StructureError("njit_apply needs concrete parameters: call it outside of fnet.jit and fnet.grad.")
    shapes = _shapes(shape, batch)
    dtypes = [check_dtype(leaves.dtype if dtype is None else dtype)] * len(shapes)
    single, several = is_single(check_shape(shape)), False

    def forward(vector: Any, *inputs: Any) -> Any:
        nonlocal several
        inputs = inputs if batch is not None else tuple(expand_dims(x, 0) for x in inputs)
        params, state = tree.combine(unravel(vector), fixed)
        y, _ = net.apply(params, state, inputs[0] if single else inputs)
        several = isinstance(y, tuple | list)
        outputs = tuple(y) if several else (y,)
        if any(isinstance(part, dict | tuple | list) for part in outputs):
            raise StructureError("njit_apply: expected a network that gives an array or a tuple of arrays.")
        return outputs if batch is not None else tuple(squeeze(part, 0) for part in outputs)

    specs = [spec_of(leaves), *(ArraySpec(s, d) for s, d in zip(shapes, dtypes, strict=True))]
    graph, _ = stage(forward, specs, tuple)
    if graph.held:
        raise DeviceError(f"njit_apply needs arrays on the host, the network computes with {graph.held[0]!r}.")
    plan = build(graph, cpu())
    inputs = ["x"] if single else [f"x[{i}]" for i in range(len(shapes))]
    return _compiled(plan, inputs, several), leaves


def _compiled(plan: Any, inputs: list[str], several: bool) -> Callable[..., Any]:
    from fnet.devices.cpu.embed import embed
    from fnet.devices.cpu.native import unreachable

    own = unreachable(plan)
    if own is not None:
        raise ValueRangeError(
            f"njit_apply cannot import the compiled kernel '{own}'. Define it with @numba.njit at the top of an "
            f"importable module."
        )
    return embed(plan, ["leaves", "x"], ["leaves", *inputs], several)


def _shapes(shape: Any, batch: int | None) -> list[tuple[int, ...]]:
    """The shapes of the arrays that f takes as x."""
    checked = check_shape(shape)
    if isinstance(checked, dict):
        raise StructureError("njit_apply takes several inputs as a tuple of shapes, received a dict.")
    if batch is not None:
        integer("njit_apply", "batch", batch, says="{argument} must be at least {least}, or None for single samples")
    lead = () if batch is None else (int(batch),)
    shapes = [(*lead, *one) for one in ([checked] if is_single(checked) else checked)]
    if any(n is None for one in shapes for n in one):
        raise ShapeError(
            f"njit_apply needs every size of the input, received {shape}. Make one function for each size."
        )
    return shapes
