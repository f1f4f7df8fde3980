"""Schedules of the learning rate under Keras' names: those of `fnet.schedules`."""

from __future__ import annotations

from typing import Any

from fnet import schedules


class LearningRateSchedule:
    """A schedule of your own: a class with ``__call__(step)``, which gives the learning rate of a step.

    step: how many steps are done, an integer that is not known while a step is compiled: compute with it by
    `fnet.keras.ops` or NumPy. Source: Keras ``LearningRateSchedule``.

    >>> class Falling(LearningRateSchedule):
    ...     def __call__(self, step):
    ...         return 0.1 / (step + 1)
    >>> Falling()(1)
    0.05
    """

    def __call__(self, step: Any) -> Any:
        """The learning rate."""
        raise NotImplementedError(f"{type(self).__name__} has no __call__(self, step).")

    def get_config(self) -> dict[str, Any]:
        """The arguments that it was made with; a schedule of your own says them."""
        raise NotImplementedError(f"{type(self).__name__} has no get_config(self).")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A schedule made with these arguments."""
        return cls(**config)


def __getattr__(name: str) -> Any:
    return getattr(schedules, name)
