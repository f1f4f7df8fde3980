"""``cuda.bindings.driver`` without a card: notes every call, gives handles, and reads what kernels are given."""

from __future__ import annotations

import ctypes
from enum import IntEnum
from itertools import count
from types import SimpleNamespace
from typing import Any


class Result(IntEnum):
    CUDA_SUCCESS = 0
    CUDA_ERROR_OUT_OF_MEMORY = 2
    CUDA_ERROR_NO_DEVICE = 100
    CUDA_ERROR_ILLEGAL_ADDRESS = 700


GIVEN = {  # how many values a function gives beside the result
    "cuInit": 0, "cuCtxSetCurrent": 0, "cuLaunchKernel": 0, "cuMemFree": 0, "cuMemcpyHtoDAsync": 0,
    "cuLaunchCooperativeKernel": 0, "cuMemcpyPeerAsync": 0,
    "cuMemcpyDtoHAsync": 0, "cuMemcpyDtoDAsync": 0, "cuMemsetD8Async": 0, "cuStreamBeginCapture": 0,
    "cuStreamSynchronize": 0, "cuEventRecord": 0, "cuStreamWaitEvent": 0, "cuGraphLaunch": 0, "cuGraphDestroy": 0,
    "cuGraphExecDestroy": 0, "cuFuncSetAttribute": 0, "cuEventDestroy": 0, "cuMemFreeHost": 0, "cuCtxSynchronize": 0,
}  # fmt: skip
SPECIAL = {
    "cuDeviceGetCount": "_device_get_count", "cuDeviceGetName": "_device_get_name", "cuMemHostAlloc": "_mem_host_alloc",
    "cuDeviceGetAttribute": "_device_get_attribute", "cuLaunchKernel": "_launch_kernel", "cuMemAlloc": "_mem_alloc",
    "cuMemcpyHtoDAsync": "_memcpy", "cuMemcpyDtoHAsync": "_memcpy",
    "cuLaunchCooperativeKernel": "_launch_kernel",
}  # fmt: skip


class FakeBindings:
    """calls: the name of each call with its arguments; failing: what a function gives in place of success."""

    CUresult = Result
    CUstream_flags = SimpleNamespace(CU_STREAM_NON_BLOCKING=1)
    CUevent_flags = SimpleNamespace(CU_EVENT_DISABLE_TIMING=2)
    CUstreamCaptureMode = SimpleNamespace(CU_STREAM_CAPTURE_MODE_RELAXED=2)
    CUfunction_attribute = SimpleNamespace(CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES=8)
    CUdevice_attribute = SimpleNamespace(
        CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR="major", CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR="minor",
        CU_DEVICE_ATTRIBUTE_COOPERATIVE_LAUNCH="cooperative",
        CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT="multiprocessors",
        CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN="shared",
    )  # fmt: skip

    def __init__(self, *capabilities: tuple[int, int]) -> None:
        self.capabilities = capabilities
        self.attributes = {"cooperative": 1, "multiprocessors": 132, "shared": 232448}
        self.calls: list[tuple[Any, ...]] = []
        self.failing: dict[str, Result] = {}
        self.launched: list[list[int]] = []
        self.parameters = 0  # how many the kernel has that is launched
        self._handles = count(1000)
        self._host: list[Any] = []

    def names(self) -> list[str]:
        """The calls so far, without those that enter the context; forgets them."""
        names = [name for name, *_ in self.calls if name != "cuCtxSetCurrent"]
        self.calls.clear()
        return names

    def __getattr__(self, name: str) -> Any:
        if not name.startswith("cu"):
            raise AttributeError(name)

        def call(*args: Any) -> tuple[Any, ...]:
            self.calls.append((name, *args))
            if name in self.failing:
                return self.failing[name], *[None] * GIVEN.get(name, 1)
            values = getattr(self, SPECIAL.get(name, "_handle"))(*args)
            return Result.CUDA_SUCCESS, *([values] if GIVEN.get(name, 1) else [])

        return call

    def _handle(self, *args: Any) -> int:
        return next(self._handles)

    def _device_get_count(self) -> int:
        return len(self.capabilities)

    def _device_get_name(self, length: int, number: int) -> bytes:
        return f"Card {number}".encode().ljust(length - 8, b"\0") + b" " * 8

    def _device_get_attribute(self, attribute: str, number: int) -> int:
        return self.attributes.get(attribute, self.capabilities[number][attribute == "minor"])

    def _mem_host_alloc(self, nbytes: int, flags: int) -> int:
        self._host.append(ctypes.create_string_buffer(nbytes))
        return ctypes.addressof(self._host[-1])

    def _mem_alloc(self, nbytes: int) -> int:
        """Memory of the host, which `_memcpy` and a library reach."""
        self._host.append(ctypes.create_string_buffer(nbytes + 256))
        return -(-ctypes.addressof(self._host[-1]) // 256) * 256

    def _memcpy(self, to: int, source: int, nbytes: int, stream: int) -> None:
        ctypes.memmove(to, source, nbytes)

    def _launch_kernel(self, *args: Any) -> None:
        table = (ctypes.c_void_p * self.parameters).from_address(args[9])
        self.launched.append([ctypes.c_int64.from_address(address).value for address in table])
