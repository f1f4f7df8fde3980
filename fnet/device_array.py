"""Arrays in the memory of a device that NumPy does not see."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any, NoReturn

import numpy as np

from fnet.errors import DeviceError
from fnet.spec import ArraySpec

Shape = tuple[int, ...]


class DeviceArray:
    """An array on a device: NumPy's operators and functions work on it, its elements stay where they are.

    shape, dtype: as NumPy's; device: the name of the device. `fnet.to_device` makes one, `fnet.to_host` copies it back.
    Nothing writes into one but a jitted function to which it is donated.
    For devices: element (i, j) is ``offset + i*strides[0] + j*strides[1]`` elements behind the beginning of `memory`,
    which belongs to the device `home`.
    """

    __slots__ = ("__weakref__", "dtype", "home", "memory", "offset", "shape", "strides")
    __array_priority__ = 1000
    weak = False  # no Python number, whose type would yield to that of any array

    def __init__(self, home: Any, memory: Any, dtype: np.dtype, shape: Shape, strides: Shape, offset: int = 0) -> None:
        self.home, self.memory = home, memory
        self.dtype, self.shape, self.strides, self.offset = dtype, shape, strides, offset

    @property
    def device(self) -> str:
        return self.home.name

    @property
    def spec(self) -> ArraySpec:
        return ArraySpec(self.shape, self.dtype)

    @property
    def ndim(self) -> int:
        return len(self.shape)

    @property
    def size(self) -> int:
        return math.prod(self.shape)

    @property
    def nbytes(self) -> int:
        return self.size * self.dtype.itemsize

    def origin(self) -> None:
        """No call is kept that made it."""

    def item(self) -> Any:
        """The only element, copied to the host."""
        return self.home.get(self).item()

    def tolist(self) -> Any:
        """The elements, copied to the host, in nested lists."""
        return self.home.get(self).tolist()

    def copy(self) -> DeviceArray:
        """The same elements in memory of their own, on the same device."""
        return self.home.copied(self)

    def __len__(self) -> int:
        if not self.shape:
            raise TypeError("len() of an array without axes")
        return self.shape[0]

    def __iter__(self) -> Iterator[Any]:
        return (self[i] for i in range(len(self)))  # type: ignore[index]

    def __bool__(self) -> bool:
        return bool(self.home.get(self))

    def __float__(self) -> float:
        return float(self.home.get(self))

    def __int__(self) -> int:
        return int(self.home.get(self))

    def __index__(self) -> int:
        return self.home.get(self).__index__()

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NoReturn:
        raise DeviceError(
            f"an array on '{self.device}' was to become a NumPy array, and nothing is copied by itself. "
            f"Copy it: fnet.to_host(x)."
        )

    def __setitem__(self, index: Any, value: Any) -> NoReturn:
        raise DeviceError(
            f"an array on '{self.device}' cannot be written in place. "
            f"Build the new array, e.g. with np.where or np.concatenate."
        )

    def __copy__(self) -> DeviceArray:
        return self.copy()

    def __deepcopy__(self, memo: dict[int, Any]) -> DeviceArray:
        return self.copy()

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"<DeviceArray {self.spec} on '{self.device}'>"

    def __str__(self) -> str:
        return str(self.home.get(self))

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        """Where the elements are, for libraries that read them there: CuPy, PyTorch, Numba."""
        if not hasattr(self.home, "interface"):
            raise AttributeError(f"an array on '{self.device}' is not in the memory of a card")
        return self.home.interface(self)

    def __dlpack__(self, *, stream: int | None = None, **asked: Any) -> Any:
        """The elements for another library, which works in `stream`, without a copy: ``torch.from_dlpack(x)``."""
        return self._sharing_home().exported(self, stream)

    def __dlpack_device__(self) -> tuple[int, int]:
        return self._sharing_home().place_for_others

    def _sharing_home(self) -> Any:
        if not hasattr(self.home, "exported"):
            raise DeviceError(f"an array on '{self.device}' cannot be shared. Copy it: fnet.to_host(x).")
        return self.home
