"""How a plan runs on a card: launch by launch the first time, then as one graph."""

from __future__ import annotations

from typing import Any

from fnet.compile.memory import INPUT, OUTPUT, aligned
from fnet.compile.plan import Plan, Slot
from fnet.device_array import DeviceArray
from fnet.devices.cuda.arrays import address_of
from fnet.devices.cuda.driver import Argument, Graph
from fnet.devices.cuda.memory import ALIGNMENT, NOTHING, Stretch
from fnet.kernels.compiler.undisturbed import interrupts_put_off

MOVED = 1 << 20  # to copy so many bytes takes a card less time than to begin a copy
MOST_GRAPHS = 4

Key = tuple[str, int]
"""INPUT or OUTPUT, and the number of one."""


class Executor:
    """Runs one plan; see `fnet.device.Runner`. Ctrl-C finds a run begun as a whole, or not at all.

    After a change of its blocks, the plan is launched call by call once, and then recorded into a graph, unless the
    executor is "walk". A graph is for fixed addresses. So inputs and outputs that are small have places of their own,
    to and from which they are copied. Where the larger ones lie tells which graph is run. All have places of their own
    once more than `MOST_GRAPHS` were needed.
    """

    native = None
    is_atomic = True
    is_settled = True

    def __init__(self, device: Any, plan: Plan, executor: str) -> None:
        self._device, self._plan = device, plan
        self._is_walked = executor == "walk"
        self._is_prepared = False  # whether the kernels are compiled: Ctrl-C may interrupt that
        self._blocks: dict[str, Stretch] = {}
        self._graphs: dict[tuple[int, ...], Graph | None] = {}  # None where the plan was launched call by call
        slots = [slot for call in plan.calls for slot in call.slots if slot.buffer.place in (INPUT, OUTPUT)]
        self._nbytes: dict[Key, int] = {}  # of the inputs and outputs that calls take
        for slot in slots:
            specs = plan.inputs if slot.buffer.place == INPUT else plan.outputs
            self._nbytes[slot.buffer.place, slot.buffer.index] = specs[slot.buffer.index].nbytes
        self._own: dict[Key, int] = {}  # where those that are moved lie in memory of their own
        self._own_block = NOTHING
        self._there: dict[Key, DeviceArray] = {}  # whose elements are in these places
        self._give_places(MOVED)

    def bind(self, place: str, block: Stretch) -> None:
        self._blocks[place] = block
        self._graphs.clear()

    def run(self, repeat: int, inputs: list[Any], outputs: list[Any]) -> None:
        arrays: dict[str, list[DeviceArray]] = {INPUT: inputs, OUTPUT: outputs}
        addresses = {key: address_of(arrays[key[0]][key[1]]) for key in self._nbytes}
        key = self._key(addresses)
        if key not in self._graphs and len(self._graphs) >= MOST_GRAPHS:
            self._give_places(None)
            key = self._key(addresses)
        places = addresses | {key: self._own_block.address + offset for key, offset in self._own.items()}
        driver, stream = self._device.driver, self._device.stream
        for moved in self._own:
            if moved[0] == INPUT and not self._is_there(moved, inputs[moved[1]]):
                driver.copy(places[moved], addresses[moved], self._nbytes[moved], stream)
        self._run(repeat, key, places)
        for moved in self._own:
            if moved[0] == OUTPUT:
                driver.copy(addresses[moved], places[moved], self._nbytes[moved], stream)

    def _is_there(self, moved: Key, array: DeviceArray) -> bool:
        """Whether an input is what was copied to its place the last time, and has not changed.

        It is held, so that no other array has its identity.
        """
        if self._nbytes[moved] > MOVED or array.memory.is_shared or array.memory.is_changed:
            self._there.pop(moved, None)
            return False
        same = self._there.get(moved) is array
        self._there[moved] = array
        return same

    def _run(self, repeat: int, key: tuple[int, ...], places: dict[Key, int]) -> None:
        driver, stream = self._device.driver, self._device.stream
        if self._is_walked:
            for _ in range(repeat):
                self._launch(places, stream)
            return
        if key not in self._graphs:
            self._launch(places, stream)
            self._graphs[key] = None
            repeat -= 1
        graph = self._graphs[key]
        if repeat and graph is None:
            graph = self._graphs[key] = self._recorded(places)
        for _ in range(repeat):
            driver.replay(graph, stream)

    def _launch(self, places: dict[Key, int], stream: int) -> None:
        calls = [
            (call.kernel, [self._argument(arg, places) if isinstance(arg, Slot) else arg for arg in call.args])
            for call in self._plan.calls
        ]
        if not self._is_prepared:
            for kernel, arguments in calls:
                self._device.driver.prepare(kernel, arguments)
            self._is_prepared = True
        launch = self._device.driver.launch
        with interrupts_put_off():
            for kernel, arguments in calls:
                launch(kernel, arguments, stream)

    def _recorded(self, places: dict[Key, int]) -> Graph:
        device = self._device
        with device.lock, device.driver.capture(device.capturing) as graph:
            self._launch(places, device.capturing)
        return graph

    def _argument(self, slot: Slot, places: dict[Key, int]) -> Argument:
        buffer = slot.buffer
        block = self._blocks.get(buffer.place)
        begin = places[buffer.place, buffer.index] if block is None else block.address + buffer.offset
        return begin + slot.skip, slot.count, slot.dtype

    def _key(self, addresses: dict[Key, int]) -> tuple[int, ...]:
        """Where the inputs and outputs lie that are not moved."""
        return tuple(address for key, address in addresses.items() if key not in self._own)

    def _give_places(self, most: int | None) -> None:
        """Places of their own for inputs and outputs of at most so many bytes, or for all."""
        self._graphs.clear()
        self._there.clear()
        size = 0
        for key, nbytes in self._nbytes.items():
            if most is None or nbytes <= most:
                self._own[key], size = size, size + aligned(nbytes, ALIGNMENT)
        self._own_block = self._device.pool.allocate(size, "inputs and outputs of a jitted function")
