"""The scalar functions (`fnet.kernels.scalar`) as kernels of CUDA call them, each when it is first asked for.

``exp_f32`` and ``exp_f64`` are for one type; ``exp``, for kernels written once, follows the type of its argument. They
are the polynomials of the CPU, so they give its bits.
"""

from __future__ import annotations

from typing import Any

from fnet.kernels.cuda.runtime import arithmetic as card
from fnet.kernels.cuda.runtime.kernel import Instruction, OfItsType, device_function
from fnet.kernels.scalar import (
    arithmetic,
    error_function,
    exponential,
    half,
    instructions,
    integers,
    inverse,
    logarithm,
    order,
    philox,
    quantile,
    scaled,
    sums,
)
from fnet.kernels.scalar.loading import Loader

_FAMILIES = (
    arithmetic,
    error_function,
    exponential,
    half,
    integers,
    inverse,
    logarithm,
    order,
    philox,
    quantile,
    scaled,
    sums,
)

_loader = Loader(
    dict.fromkeys(_FAMILIES, device_function),
    {getattr(instructions, name): value for name, value in vars(card).items() if isinstance(value, Instruction)},
    __file__,
)
TEXTS = _loader.texts


def __getattr__(name: str) -> Any:
    text = TEXTS.get(name)
    try:
        if text is None or not _loader.is_typed(text):
            value = _loader[name]
        else:
            value = OfItsType(_loader[f"{name}_f32"], _loader[f"{name}_f64"])
    except KeyError:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}") from None
    globals()[name] = value
    return value
