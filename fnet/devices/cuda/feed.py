"""Arrays of the host on their way to a card, while the card works with those before them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from fnet.compile.emit import contiguous_strides
from fnet.compile.memory import aligned
from fnet.device_array import DeviceArray
from fnet.devices.cuda.driver import Event
from fnet.devices.cuda.memory import ALIGNMENT, NOTHING, Stretch

PLACES = 3  # one is worked with, one is filled, and the work with one has begun but may not be done


@dataclass
class Place:
    """Memory for the arrays of one step: pinned, and on the card. free: after it nothing works there any more."""

    host: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint8))
    card: Stretch = NOTHING
    free: Event = None


@dataclass(frozen=True)
class Sent:
    """Arrays on their way; arrived: when they are there, None where nothing was sent."""

    arrays: tuple[DeviceArray, ...]
    place: Place
    arrived: Event


class Feed:
    """See `fnet.device.Feed`. Copies are made in the order of a stream of their own."""

    def __init__(self, device: Any) -> None:
        self._device, self._driver = device, device.driver
        self._stream = device.driver.stream()
        self._places = [Place() for _ in range(PLACES)]
        self._next = 0

    def send(self, arrays: Sequence[Any]) -> Sent:
        place = self._places[self._next % PLACES]
        self._next += 1
        offsets, size = [], 0
        for array in arrays:
            offsets.append(size)
            size += 0 if self._device.owns(array) else aligned(array.nbytes, ALIGNMENT)
        self._make_room(place, size)
        there = [
            array if self._device.owns(array) else self._copied(array, place, offset)
            for array, offset in zip(arrays, offsets, strict=True)
        ]
        return Sent(tuple(there), place, self._driver.record(self._stream) if size else None)

    def receive(self, sent: Sent) -> tuple[DeviceArray, ...]:
        begun = self._driver.record(self._device.stream)
        for place in self._places:
            if place is not sent.place:
                place.free = begun
        if sent.arrived is not None:
            self._driver.wait(self._device.stream, sent.arrived)
        return sent.arrays

    def close(self) -> None:
        self._device.feeds.append(self)

    def _make_room(self, place: Place, size: int) -> None:
        """Let a place have so many bytes, which nothing works with any more."""
        if not size:
            return
        self._driver.synchronize(self._stream)  # the pinned memory was read
        if place.card.nbytes < size:
            place.host = self._driver.pinned(size)
            place.card = self._device.pool.allocate(size, "batches on their way to the card")
            place.card.is_shared = True  # it is written in another stream than the device's
            place.free = self._driver.record(self._device.stream)  # the pool gives memory that may still be in use
        self._driver.wait(self._stream, place.free)

    def _copied(self, array: np.ndarray, place: Place, offset: int) -> DeviceArray:
        """A host array on its way to its place."""
        pinned = place.host[offset : offset + array.nbytes]
        pinned.view(array.dtype).reshape(array.shape)[...] = array
        if array.nbytes:
            self._driver.copy_in(place.card.address + offset, pinned, self._stream)
        strides = contiguous_strides(array.shape)
        return DeviceArray(self._device, place.card, array.dtype, array.shape, strides, offset // array.itemsize)
