"""Arrays from one device to another: nothing else in fnet copies them."""

from __future__ import annotations

import copyreg
from typing import Any, TypeVar

import numpy as np

from fnet import tree
from fnet.device import cpu, device_named, device_names, missing_devices, used_libraries
from fnet.device_array import DeviceArray
from fnet.errors import DeviceError
from fnet.ops import operators  # noqa: F401  (gives device arrays their operators)
from fnet.spec import check_array, check_dtype
from fnet.transforms.tracer import Tracer

T = TypeVar("T")

_CPU, _CUDA = 1, 2  # DLPack's kinds of devices


class Devices(list[str]):
    """The names of the devices that are there. missing: why there are no others, by their kinds."""

    def __init__(self) -> None:
        super().__init__(device_names())
        self.missing = missing_devices()

    @property
    def libraries(self) -> dict[str, str]:
        """What computes beside fnet's own kernels: "cublaslt" where there is a card, with its version, or why not."""
        return used_libraries()

    def __repr__(self) -> str:
        reasons = "; ".join(f"no other '{kind}': {why}" for kind, why in self.missing.items())
        return f"{super().__repr__()} ({reasons})" if reasons else super().__repr__()


def devices() -> Devices:
    """The names of the devices that are there, for `to_device`; `missing` of the list says why there are no others.

    `libraries` says what is in use of those that compute beside fnet's own kernels.

    >>> devices()[0]
    'cpu'
    """
    return Devices()


def to_device(values: T, name: str) -> T:
    """The tree `values` with its arrays copied to a device; what is there stays, and so do numbers.

    Functions of device arrays run on their device and give device arrays. Raises `DeviceError` for an unknown name,
    `DtypeError` for arrays of other things than numbers.

    >>> import numpy as np
    >>> x = np.ones(3)
    >>> to_device({"x": x}, "cpu")["x"] is x
    True
    """
    home = device_named(name)

    def moved(x: Any) -> Any:
        if isinstance(x, Tracer):
            raise DeviceError("a traced value is where the arguments are: call fnet.to_device outside of transforms.")
        if home.owns(x) or not isinstance(x, DeviceArray | np.ndarray | np.generic):
            return x
        if isinstance(x, DeviceArray):
            return home.taken(x)
        check_array(x)
        check_dtype(x.dtype)
        return home.put(np.asarray(x))

    return tree.map(moved, values)


def from_dlpack(x: Any) -> Any:
    """The array `x` of another library, on the CPU or on a card, as one of fnet that shares its memory.

    x: anything with ``__dlpack__``, such as tensors of PyTorch and arrays of CuPy and JAX. Nobody may write into it as
    long as the result is used. ``torch.from_dlpack(y)`` and the like take arrays of fnet in turn.
    Raises `DeviceError` for the memory of other devices, `DtypeError` for other things than numbers.

    >>> import numpy as np
    >>> from_dlpack(np.ones(2))
    array([1., 1.])
    """
    if not hasattr(x, "__dlpack_device__"):
        raise DeviceError(f"from_dlpack takes an array with __dlpack__, received a {type(x).__name__}.")
    kind, number = x.__dlpack_device__()
    if kind == _CPU:
        array = np.from_dlpack(x)
        check_dtype(array.dtype)
        return array
    if kind != _CUDA:
        raise DeviceError(
            f"from_dlpack takes arrays on the CPU or a CUDA card, received one on DLPack's device {kind}."
        )
    home: Any = device_named(f"cuda:{int(number)}")
    return home.imported(x)


def to_host(values: T) -> T:
    """The tree `values` with its arrays as NumPy's; those that are NumPy's stay."""
    return to_device(values, cpu().name)


def _reduced(array: DeviceArray) -> tuple[Any, ...]:
    """How a device array is pickled: by its elements and the name of its device, on which it is again afterwards."""
    return to_device, (array.home.get(array), array.device)


copyreg.pickle(DeviceArray, _reduced)
