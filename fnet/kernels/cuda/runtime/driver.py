"""A card, through NVIDIA's driver: memory, launches, streams and graphs.

Loads NVIDIA's packages when it is first asked for a card. What is called here was tried with a stand-in for them only:
no card was at hand.
"""

from __future__ import annotations

import ctypes
import functools
import importlib
import os
import sys
import threading
import weakref
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np

from fnet.errors import DeviceError
from fnet.kernels.cuda.runtime import kept
from fnet.kernels.cuda.runtime.adapter import LEAST
from fnet.kernels.cuda.runtime.algorithms import Algorithms, started
from fnet.kernels.cuda.runtime.kernel import Launch, launch_of
from fnet.kernels.cuda.runtime.limits import Limits
from fnet.kernels.cuda.runtime.product import Product

LIBRARY = "nvcuda.dll" if sys.platform == "win32" else "libcuda.so.1"
STATIC_SHARED = 48 << 10  # a kernel must ask for more shared memory than that
_LOST = {"ILLEGAL_ADDRESS", "ILLEGAL_INSTRUCTION", "MISALIGNED_ADDRESS", "INVALID_PC", "LAUNCH_FAILED", "ASSERT"}


@functools.cache
def cards() -> tuple[dict[int, str], str]:
    """The numbers and names of the cards that kernels can run on, and what is wrong where there are none or others."""
    try:
        ctypes.CDLL(LIBRARY)
    except OSError:
        return {}, f"NVIDIA's driver is not installed ({LIBRARY} was not found)"
    try:
        api = _api()
    except ImportError as error:
        return {}, f"{error}: install fnet[cuda]"
    try:
        _checked(api.cuInit(0), "starting the driver")
        found, refused = {}, []
        for number in range(_checked(api.cuDeviceGetCount(), "counting cards")):
            name, capability = _described(api, number)
            if capability >= LEAST:
                found[number] = name
            else:
                version, least = (".".join(map(str, pair)) for pair in (capability, LEAST))
                refused.append(f"card {number}, {name}, has capability {version}; kernels need {least} or more")
    except DeviceError as error:
        return {}, str(error)
    return found, "; ".join(refused) or ("" if found else "the driver sees no card")


class Graph:
    """Recorded work; executable: what the driver begins, 0 before it is complete."""

    executable = 0


class Event:
    """A point in a stream; handle: what the driver calls it."""

    def __init__(self, handle: int) -> None:
        self.handle = handle


class Driver:
    """See `fnet.devices.cuda.driver.Driver`. Works in the primary context of the card, which other libraries share."""

    def __init__(self, number: int) -> None:
        self._api: Any = _api()
        self._process = os.getpid()
        self.number = number
        self.name, self.capability = _described(self._api, number)
        self.limits = _limits(self._api, number)
        self._call("starting the card", "cuInit", 0)
        self._context = int(self._call("opening the card", "cuDevicePrimaryCtxRetain", number))
        self._functions: dict[tuple[Any, ...], int] = {}
        self._library: list[Algorithms | None] = []  # one, once somebody has asked for it
        self._lock = threading.Lock()
        self._tables = threading.local()

    def stream(self) -> int:
        return int(self._do("making a stream", "cuStreamCreate", self._api.CUstream_flags.CU_STREAM_NON_BLOCKING))

    # Memory.

    def allocate(self, nbytes: int) -> int:
        self._enter()
        error, address = self._api.cuMemAlloc(nbytes)
        if error == self._api.CUresult.CUDA_ERROR_OUT_OF_MEMORY:
            return 0
        _checked((error, address), "allocating memory")
        return int(address)

    def free(self, address: int) -> None:
        self._do("giving memory back", "cuMemFree", address)

    def memory(self) -> tuple[int, int]:
        free, total = self._do("asking for free memory", "cuMemGetInfo")
        return int(free), int(total)

    def pinned(self, nbytes: int) -> np.ndarray:
        address = int(self._do(f"pinning {nbytes} bytes of the host", "cuMemHostAlloc", nbytes, 0))
        block = (ctypes.c_uint8 * nbytes).from_address(address)
        self._ends_with(block, "cuMemFreeHost", address)
        return np.ctypeslib.as_array(block)

    # Work.

    def copy_in(self, address: int, host: np.ndarray, stream: int) -> None:
        self._do("copying to the card", "cuMemcpyHtoDAsync", address, host.ctypes.data, host.nbytes, stream)

    def copy_out(self, host: np.ndarray, address: int, stream: int) -> None:
        self._do("copying from the card", "cuMemcpyDtoHAsync", host.ctypes.data, address, host.nbytes, stream)

    def copy(self, to: int, source: int, nbytes: int, stream: int) -> None:
        if nbytes:
            self._do("copying on the card", "cuMemcpyDtoDAsync", to, source, nbytes, stream)

    def copy_from(self, to: int, card: Driver, source: int, nbytes: int, stream: int) -> None:
        if card is self:
            self.copy(to, source, nbytes, stream)
        elif nbytes:
            places = to, self._context, source, card._context
            self._do("copying between cards", "cuMemcpyPeerAsync", *places, nbytes, stream)

    def zero(self, address: int, nbytes: int, stream: int) -> None:
        self._do("clearing memory", "cuMemsetD8Async", address, 0, nbytes, stream)

    def prepare(self, kernel: Any, arguments: Sequence[Any]) -> None:
        if isinstance(kernel, Product):
            self._multiplying(kernel).prepare(kernel, arguments)
        else:
            self._function(launch_of(kernel), arguments)

    def multiplies(self, product: Product) -> bool:
        algorithms = self._algorithms()
        return algorithms is not None and algorithms.supports(product)

    def launch(self, kernel: Any, arguments: Sequence[Any], stream: int) -> None:
        if isinstance(kernel, Product):
            self._multiplying(kernel).run(kernel, arguments, stream)
            return
        launch = launch_of(kernel)
        function, how = self._function(launch, arguments), (*launch.grid, *launch.block, launch.shared_bytes)
        if launch.together:
            self._do(launch.__name__, "cuLaunchCooperativeKernel", function, *how, stream, self._pointers(arguments))
        else:
            self._do(launch.__name__, "cuLaunchKernel", function, *how, stream, self._pointers(arguments), 0)

    # Order.

    @contextmanager
    def capture(self, stream: int) -> Iterator[Graph]:
        graph = Graph()
        mode = self._api.CUstreamCaptureMode.CU_STREAM_CAPTURE_MODE_RELAXED
        self._do("recording a graph", "cuStreamBeginCapture", stream, mode)
        try:
            yield graph
        except BaseException:
            self._api.cuStreamEndCapture(stream)  # what it says does not matter: it is not kept
            raise
        recorded = self._do("recording a graph", "cuStreamEndCapture", stream)
        graph.executable = int(self._do("making a graph", "cuGraphInstantiate", recorded, 0))
        self._do("making a graph", "cuGraphDestroy", recorded)
        self._ends_with(graph, "cuGraphExecDestroy", graph.executable)

    def replay(self, graph: Graph, stream: int) -> None:
        self._do("running a graph", "cuGraphLaunch", graph.executable, stream)

    def record(self, stream: int) -> Event:
        flags = self._api.CUevent_flags.CU_EVENT_DISABLE_TIMING
        event = Event(int(self._do("making an event", "cuEventCreate", flags)))
        self._ends_with(event, "cuEventDestroy", event.handle)
        self._do("recording an event", "cuEventRecord", event.handle, stream)
        return event

    def wait(self, stream: int, event: Event) -> None:
        self._do("waiting for an event", "cuStreamWaitEvent", stream, event.handle, 0)

    def synchronize(self, stream: int) -> None:
        self._do("waiting for the card", "cuStreamSynchronize", stream)

    def finish(self) -> None:
        self._do("waiting for the card", "cuCtxSynchronize")

    def _algorithms(self) -> Algorithms | None:
        """The algorithms of a library for this card, None without one; enters the context of the card."""
        self._enter()
        with self._lock:
            if not self._library:
                self._library.append(started(self))
            return self._library[0]

    def _multiplying(self, product: Product) -> Algorithms:
        """The same, for a product that the card `multiplies`."""
        algorithms = self._algorithms()
        assert algorithms is not None, product
        return algorithms

    def _function(self, launch: Launch, arguments: Sequence[Any]) -> int:
        """The function of a kernel on the card, loaded once for arguments of these kinds."""
        signature = tuple(arg[2] if isinstance(arg, tuple) else None for arg in arguments)
        key = launch.kernel, signature, launch.shared_bytes
        function = self._functions.get(key)
        if function is None:
            function = self._functions[key] = self._loaded(launch, signature)
        return function

    def _loaded(self, launch: Launch, signature: tuple[np.dtype | None, ...]) -> int:
        """The same, compiled and loaded."""
        made = kept.compiled(launch.kernel, signature, self.capability)
        module = self._do(f"loading {launch.__name__}", "cuModuleLoadData", made.cubin)
        function = int(self._do(f"loading {launch.__name__}", "cuModuleGetFunction", module, made.name.encode()))
        if launch.shared_bytes > STATIC_SHARED:
            most = self._api.CUfunction_attribute.CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES
            what = f"{launch.__name__}: {launch.shared_bytes} bytes of shared memory"
            self._do(what, "cuFuncSetAttribute", function, most, launch.shared_bytes)
        return function

    def _pointers(self, arguments: Sequence[Any]) -> int:
        """The address of a table with the address of each number that a kernel takes; the driver reads it at once."""
        numbers = packed(arguments)
        tables = self._tables.__dict__
        count = len(numbers)
        name = str(count)
        if name not in tables:
            values = (ctypes.c_int64 * count)()
            begin = ctypes.addressof(values)
            tables[name] = values, (ctypes.c_void_p * count)(*(begin + 8 * k for k in range(count)))
        values, pointers = tables[name]
        values[:] = numbers
        return ctypes.addressof(pointers)

    def _ends_with(self, owner: Any, name: str, handle: int) -> None:
        """Let a function of the driver end what an object of the host stands for, as soon as nobody holds that."""

        def end() -> None:
            if os.getpid() == self._process:
                self._api.cuCtxSetCurrent(self._context)
                getattr(self._api, name)(handle)  # what it says does not matter any more

        weakref.finalize(owner, end).atexit = False

    def _do(self, what: str, name: str, *args: Any) -> Any:
        """Call a function of the driver in the context of the card."""
        self._enter()
        return self._call(what, name, *args)

    def _enter(self) -> None:
        """Contexts belong to threads of the host, and to the process that opened them."""
        if os.getpid() != self._process:
            raise DeviceError(
                "a card is open in the process that this one was forked from, and cannot be used here.\n"
                "Start processes with multiprocessing.get_context('spawn')."
            )
        self._call("entering the card's context", "cuCtxSetCurrent", self._context)

    def _call(self, what: str, name: str, *args: Any) -> Any:
        return _checked(getattr(self._api, name)(*args), what)


def packed(arguments: Sequence[Any]) -> list[int]:
    """The numbers that a kernel takes, 8 bytes each, in the order of Numba.

    A flat array is seven: two pointers that kernels do not use, the number of elements and their size, the address, the
    shape and the stride.
    """
    numbers: list[int] = []
    for arg in arguments:
        if isinstance(arg, tuple):
            address, count, dtype = arg
            numbers += (0, 0, count, dtype.itemsize, address, count, dtype.itemsize)
        else:
            numbers.append(arg)
    return numbers


def _api() -> Any:
    """NVIDIA's driver as a module."""
    return importlib.import_module("cuda.bindings.driver")


def _described(api: Any, number: int) -> tuple[str, tuple[int, int]]:
    """The name of a card and its capability."""
    name = _checked(api.cuDeviceGetName(128, number), "asking for a card's name")
    major, minor = (_attribute(api, f"COMPUTE_CAPABILITY_{part}", number) for part in ("MAJOR", "MINOR"))
    return name.split(b"\0")[0].decode(), (major, minor)


def _limits(api: Any, number: int) -> Limits:
    """What launches on a card may ask for."""
    can_wait = _attribute(api, "COOPERATIVE_LAUNCH", number)
    together = _attribute(api, "MULTIPROCESSOR_COUNT", number) if can_wait else 1
    return Limits(together, _attribute(api, "MAX_SHARED_MEMORY_PER_BLOCK_OPTIN", number))


def _attribute(api: Any, name: str, number: int) -> int:
    """A number of a card."""
    attribute = getattr(api.CUdevice_attribute, f"CU_DEVICE_ATTRIBUTE_{name}")
    return int(_checked(api.cuDeviceGetAttribute(attribute, number), f"asking for a card's {name.lower()}"))


def _checked(result: tuple[Any, ...], what: str) -> Any:
    """What a function of the driver gave, or the error that it gave instead."""
    error, *values = result
    if int(error) != 0:
        name = error.name.removeprefix("CUDA_ERROR_")
        lost = "\nThe card takes no more work from this process: start it again." if name in _LOST else ""
        raise DeviceError(f"{what}: CUDA says {name.lower().replace('_', ' ')}.{lost}")
    return values[0] if len(values) == 1 else tuple(values)
