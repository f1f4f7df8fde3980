"""Where fnet's arrays lie, and how long the card works: by the clock on the CPU, by events on a card."""

from __future__ import annotations

import importlib
import time
from typing import Any

import fnet
from bench import device
from bench.protocol import Run, UnavailableError
from fnet.device import FOUND, device_named

ON_CARD = device.chosen() != device.CPU
NAME = "cuda" if ON_CARD else "cpu"


def start() -> str:
    """Open the device; returns what it is, for the name of the peer."""
    if device.chosen() == device.EMULATED:
        emulated: Any = importlib.import_module("tests.devices.cuda.emulated")
        cuda: Any = importlib.import_module("fnet.devices.cuda.device")
        FOUND[NAME] = cuda.Cuda(NAME, emulated.Emulated())
    if ON_CARD and NAME not in fnet.devices():
        raise UnavailableError(fnet.devices().missing.get(NAME, "there is no card"))
    return f" on {_home().driver.name}" if ON_CARD else ""


def there(values: Any) -> Any:
    """The same tree with its arrays on the device."""
    return fnet.to_device(values, NAME)


def wait() -> None:
    """Return when the device has done all that was begun."""
    device_named(NAME).wait()


def timed(run: Run, count: int) -> tuple[float, int]:
    """Seconds that about `count` steps take, and how many they were."""
    if device.chosen() == device.CUDA:
        return _by_events(run, count)
    begin = time.perf_counter()
    steps = run(count)
    wait()
    return time.perf_counter() - begin, steps


def _by_events(run: Run, count: int) -> tuple[float, int]:
    api: Any = importlib.import_module("cuda.bindings.driver")
    wait()  # the context of the card is this thread's from now on
    begin, end = (_checked(api.cuEventCreate(0)) for _ in range(2))
    _checked(api.cuEventRecord(begin, _home().stream))
    steps = run(count)
    _checked(api.cuEventRecord(end, _home().stream))
    wait()
    seconds = float(_checked(api.cuEventElapsedTime(begin, end))) / 1e3
    for event in (begin, end):
        _checked(api.cuEventDestroy(event))
    return seconds, steps


def _checked(result: tuple[Any, ...]) -> Any:
    error, *values = result
    if int(error):
        raise UnavailableError(f"CUDA says {error.name}")
    return values[0] if values else None


def _home() -> Any:
    return device_named(NAME)
