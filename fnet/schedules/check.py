"""What a schedule is, and what its arguments must be."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from fnet.errors import ValueRangeError

Schedule = Callable[[Any], Any]


def warn_without_effect(schedule: str, option: str, needed: str) -> None:
    """Tell of an option that does nothing without another one."""
    warnings.warn(f"{schedule}: {option} has no effect without {needed}.", stacklevel=4)


def check_rates(schedule: str, **values: float) -> None:
    """Refuse values that are negative or not finite."""
    for name, value in values.items():
        if not (value >= 0 and math.isfinite(value)):
            raise ValueRangeError(f"{schedule}: expected {name} >= 0 and finite, received {value}.")


def check_positive(schedule: str, **values: float) -> None:
    """Refuse values that are not above 0."""
    for name, value in values.items():
        if not value > 0:
            raise ValueRangeError(f"{schedule}: expected {name} > 0, received {value}.")


def check_fraction(schedule: str, **values: float) -> None:
    """Refuse values outside [0, 1]."""
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueRangeError(f"{schedule}: expected 0 <= {name} <= 1, received {value}.")
