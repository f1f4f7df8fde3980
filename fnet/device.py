"""What a device is: where arrays lie and kernels run. The devices themselves are in `fnet.devices`."""

from __future__ import annotations

import functools
import importlib
from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from fnet.device_array import DeviceArray
from fnet.errors import DeviceError

if TYPE_CHECKING:
    from fnet.compile.emit import Emitter, Ref
    from fnet.compile.loops import Loops
    from fnet.compile.plan import Plan
    from fnet.compile.workspace import Workspace

Array = Any
"""An array of a device: `numpy.ndarray` on the CPU."""
Block = Any
"""A stretch of a device's memory, in which arrays lie at offsets."""
Shape = tuple[int, ...]


class Rule(Protocol):
    """How one device computes one primitive: ``rule(emit, inputs, outputs, **params)`` emits calls of kernels.

    strided: it takes inputs of any layout; otherwise they are row-major.
    absorbs: names of the elementwise operations that may follow at once, given as ``activation=``.
    masks_behind: name of the primitive whose gradient it computes and whose absorbed relu it can apply to that.
    beside: name of the primitive, of its first inputs, whose results it can give behind its own.
    integers: numbers of the inputs whose integer dtype may be any.
    picks_positive: whether what picks the largest elements can pick the positive ones of them only.
    """

    strided: bool
    absorbs: tuple[str, ...]
    masks_behind: str
    beside: str
    integers: tuple[int, ...]
    picks_positive: bool

    def __call__(self, emit: Any, inputs: list[Any], outputs: list[Any], **params: Any) -> None: ...


class Runner(Protocol):
    """Runs one plan in the blocks that it is bound to: arena, fixed, state.

    native: the plan as one piece, where it runs so by now; is_atomic: whether nothing can come between two calls of a
    run; is_settled: whether further runs go the same way, but for a choice of native code.
    """

    native: Any

    @property
    def is_atomic(self) -> bool: ...

    @property
    def is_settled(self) -> bool: ...

    def bind(self, place: str, block: Block) -> None:
        """Work in another block from now on, and hold the one of before no longer."""

    def run(self, repeat: int, inputs: list[Any], outputs: list[Any]) -> None:
        """Run it so many times on arrays, None in the places of donated inputs and of outputs left in the state."""


class Guard(Protocol):
    """Recognises a call like the one before it in less time than Python takes, and runs the plan if it can.

    enter: ``enter(record, arrays)`` compares arrays with the record at an address. It returns 0 where they match,
        `shared` where one may show memory of donated arrays, and another number elsewhere.
    record, apart, look: the addresses of three records; `apart` leaves out the question of shared memory.
    runs: whether `enter` runs the plan, too, but for the record `look`, which lets it look only. It then takes the
        arrays that are read, and the `outputs` behind them.
    sees_dicts: whether it notices changes of the donated dicts.
    """

    enter: Callable[[int, tuple[Any, ...]], int]
    record: int
    apart: int
    look: int
    shared: int
    runs: bool
    outputs: list[int]
    sees_dicts: bool

    def is_current(self) -> bool:
        """Whether this is for what runs the plan now, and for the dicts as they are."""
        ...

    def end(self) -> None:
        """Let calls that have begun in other threads find that they are not like those before."""


class Feed(Protocol):
    """Brings arrays of the host to a device, those of one step while the one before runs.

    `send` and `receive` are called by turns, or once more `send`, in threads of their own.
    """

    def send(self, arrays: Sequence[Any]) -> Any:
        """Begin to copy arrays of the host, which may change afterwards; those of the device are taken as they are."""
        ...

    def receive(self, sent: Any) -> tuple[Array, ...]:
        """The arrays on the device, for what is begun there before the next ones are received."""
        ...

    def close(self) -> None:
        """What was received is in use no longer."""


class Device(Protocol):
    """A place where arrays lie and kernels run. It owns its memory and its streams.

    array: the class of its arrays; alignment: at multiples of how many bytes those in a block begin; alike_bytes: of
    arrays that one loop updates, of each and of all together, see `fnet.compile.alike`; has_segments: whether one loop
    can go over several arrays with a number for each, see `fnet.compile.segments`.
    """

    name: str
    array: type[Any]
    alignment: int
    alike_bytes: tuple[int, int]
    has_segments: bool

    # Arrays.

    def owns(self, x: Any) -> bool:
        """Whether `x` is an array of this device."""
        ...

    def are_ready(self, found: Iterable[tuple[Any, np.dtype, Shape]]) -> bool:
        """Whether each is an array of the device, of its dtype and shape, that kernels can take as it is."""
        ...

    def ready(self, x: Any, dtype: np.dtype) -> Array:
        """`x`, an array or a number, as an array of this dtype that kernels can take."""
        ...

    def operand(self, x: Any) -> Array:
        """`x`, an array of the device, a number or a host array without axes, as an array of the device."""
        ...

    def empty(self, shape: Shape, dtype: np.dtype) -> Array:
        """An array whose contents have no meaning."""
        ...

    def allocator(self, shape: Shape, dtype: np.dtype) -> Callable[[Shape, np.dtype], Array]:
        """What makes an array of this shape and dtype: `empty`, or a function that does the same."""
        ...

    def put(self, array: np.ndarray) -> Array:
        """A copy of a host array on the device."""
        ...

    def get(self, array: Array) -> np.ndarray:
        """A copy of an array on the host."""
        ...

    def taken(self, array: Any) -> Array:
        """A copy of an array of another device."""
        ...

    def copied(self, array: Array) -> Array:
        """A copy of an array on the device."""
        ...

    def lasting(self, array: Array) -> Array:
        """An array of the device in row-major order: itself if nothing writes into its memory, else a copy."""
        ...

    def assign(self, target: Array, source: Any) -> None:
        """Write `source`, an array of the device or of the host, into `target`."""

    def feed(self) -> Feed:
        """What brings arrays of the host here, one step after another."""
        ...

    def share_memory(self, array: Array, block: Block) -> bool:
        """Whether an array may share memory with a block or another array."""
        ...

    # Blocks.

    def block(self, nbytes: int) -> Block:
        """So many bytes, of zeros, aligned."""
        ...

    def size_of(self, block: Block) -> int:
        """How many bytes a block has."""
        ...

    def window(self, block: Block, offset: int, shape: Shape, dtype: np.dtype) -> Array:
        """The row-major array that begins `offset` bytes behind the beginning of a block."""
        ...

    def flat(self, memory: Any, offset: int, count: int, dtype: np.dtype) -> Any:
        """So many elements of a block, or of a row-major array, from an offset in bytes on, as kernels take them."""
        ...

    def release(self) -> None:
        """Give back memory that is kept for results and that nobody uses."""

    def clear(self) -> None:
        """Keep no memory for results and no recorded calls; what arrays use lives as long as they do."""

    # Code.

    def rule(self, primitive: Any) -> Rule:
        """The lowering rule of a primitive; an error that names both where there is none."""
        ...

    @property
    def compute(self) -> Callable[[Any, Sequence[Array], dict[str, Any]], list[Array]]:
        """``compute(primitive, arrays, params)`` returns the results of a primitive, at once."""
        ...

    def viewed(self, array: Array, primitive: Any, params: dict[str, Any]) -> Array:
        """What a primitive that is a view gives for an array; a copy of a row-major one where it must be that."""
        ...

    def loop(self, loops: Loops, emit: Emitter) -> None:
        """Emit the calls that run a nest of loops."""

    def copy(self, source: Ref, target: Ref, emit: Emitter) -> None:
        """Emit calls that copy between windows of equal shape, whatever their strides."""

    def fill(self, target: Ref, value: Any, emit: Emitter) -> None:
        """Emit a call that writes one number into every element of a row-major window."""

    def runner(self, plan: Plan, executor: str) -> Runner:
        """What runs a plan: by its calls ("walk"), as one piece ("native"), or as the device chooses ("auto")."""
        ...

    def direct(self, kernel: Callable[..., Any], args: Sequence[Any]) -> Callable[..., Any]:
        """The shortest way to call a kernel with arguments of these types, or `kernel` itself."""
        ...

    def guard(
        self,
        runner: Runner,
        workspace: Workspace,
        state: Block,
        read: Sequence[tuple[int, np.dtype, Shape]],
        held: Sequence[tuple[Array, np.dtype, Shape]],
        dicts: Sequence[dict],
    ) -> Guard | None:
        """A guard for calls that read these inputs of the plan and hold these arrays and dicts; None without one.

        state: the block of donated arrays, None where there are none.
        """
        ...

    def thread_count(self) -> int:
        """How many threads of the host may share the work of a kernel."""
        ...

    def set_thread_count(self, count: int) -> None:
        """Let so many threads of the host share the work of a kernel, where it is they who do it."""

    def wait(self) -> None:
        """Return when all that was begun on the device is done."""

    def beside(self, name: str) -> Device:
        """A device in the same place, whose work is done beside that of this one; `DeviceError` where none can be."""
        ...


KINDS = ("cpu", "cuda")
"""The kinds of devices: packages of `fnet.devices`."""

FOUND: dict[str, Device] = {}
"""The devices that somebody has asked for, by their names; others are found here, too."""


@functools.cache
def cpu() -> Device:
    """The device of NumPy's arrays."""
    return device_named("cpu")


def device_named(name: str) -> Device:
    """The device of a name: its kind, with a number behind a colon where there are several; see `device_names`.

    "cuda#1", "cuda:1#2", ...: a card again, with a stream and memory of its own, beside the others.
    """
    place, mark, lane = name.partition("#")
    place = place.removesuffix(":0")
    name = f"{place}#{int(lane)}" if mark and lane.isascii() and lane.isdecimal() and int(lane) else place
    if mark and name == place and lane != "0":
        raise DeviceError(f"behind the # of {place + mark + lane!r} stands the number of a stream: '{place}#1'.")
    if name not in FOUND and name != place:
        FOUND.setdefault(name, device_named(place).beside(name))
    if name not in FOUND:
        kind, _, number = name.partition(":")
        if kind not in KINDS or name not in _module(kind).names():
            why = _module(kind).why_not() if kind in KINDS else ""
            raise DeviceError(
                f"there is no device {name!r} here, only {', '.join(device_names())}{': ' if why else ''}{why}."
            )
        FOUND[name] = _module(kind).device(int(number or 0))
    return FOUND[name]


def device_names() -> list[str]:
    """The names of the devices that are there."""
    return list(dict.fromkeys([*(name for kind in KINDS for name in _module(kind).names()), *FOUND]))


def missing_devices() -> dict[str, str]:
    """Why there is no device of a kind, or no other."""
    return {kind: why for kind in KINDS if (why := _module(kind).why_not())}


def used_libraries() -> dict[str, str]:
    """What is in use of the libraries that compute beside fnet's kernels, by their names, or why nothing is."""
    return {name: said for kind in KINDS for name, said in _module(kind).libraries().items()}


def device_of(values: Sequence[Any], name: Callable[[int], str] | None = None) -> Device:
    """The device on which functions of these values run: that of the device arrays, the CPU where there are none.

    Numbers and host arrays without axes go anywhere; raises `DeviceError` for other host arrays beside device arrays,
    and for arrays on two devices. name: gives what a value is called there, by its number.
    """
    if DeviceArray not in set(map(type, values)):
        return cpu()
    first = next(i for i, x in enumerate(values) if type(x) is DeviceArray)
    home: Device = values[first].home
    for i, x in enumerate(values):
        if x.home is not home if type(x) is DeviceArray else isinstance(x, np.ndarray) and x.ndim:
            raise _apart(values, first, i, name)
    return home


def _apart(values: Sequence[Any], first: int, other: int, name: Callable[[int], str] | None) -> DeviceError:
    """The error for a device array and another array that is not where it is."""
    where = f"on '{values[other].device}'" if type(values[other]) is DeviceArray else "on the host"
    one, two = (
        f"'{name(i)}'" if name is not None else f"a {values[i].dtype}{list(values[i].shape)}" for i in (first, other)
    )
    return DeviceError(
        f"{one} is on '{values[first].device}' and {two} {where}; nothing is copied by itself.\n"
        f"Move one of them: fnet.to_device(x, '{values[first].device}') or fnet.to_host(x)."
    )


def _module(kind: str) -> Any:
    return importlib.import_module(f"fnet.devices.{kind}.device")
