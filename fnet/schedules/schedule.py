"""What a schedule is, and the table of their names."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet.names import Names

Schedule = Callable[[Any], Any]

SCHEDULES: Names[Callable[..., Schedule]] = Names("schedule", package="fnet.schedules")
