"""Schedules of the learning rate under Keras' names: those of `fnet.schedules`."""

from __future__ import annotations

from typing import Any

from fnet import schedules


def __getattr__(name: str) -> Any:
    return getattr(schedules, name)
