"""The CPU as a device."""

from __future__ import annotations

from typing import Any

from fnet.devices.lowering import Lowering, Rules


class Cpu:
    """The device of NumPy's arrays; see `fnet.device.Device`."""

    name = "cpu"

    def __init__(self) -> None:
        self._rules = Rules(self.name, "fnet.devices.cpu.lower")

    def rule(self, primitive: Any) -> Lowering:
        return self._rules.of(primitive)


DEVICE = Cpu()
