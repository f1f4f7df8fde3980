"""Losses under Keras' names: those of `fnet.losses`, and classes of the user's own."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any

from fnet import losses
from fnet.io.keras.losses import read_loss, write_loss
from fnet.keras.own_parts import PartMaker
from fnet.keras.plain_data import words
from fnet.losses.define import Loss as MadeLoss
from fnet.losses.define import from_function


class Loss:
    """A loss of your own: a class with ``call(y_true, y_pred)``, which gives a number for each sample.

    reduction: how these become one number, as `fnet.losses` say it. Source: Keras ``Loss``.

    >>> class Absolute(Loss):
    ...     def call(self, y_true, y_pred):
    ...         return abs(y_pred - y_true).mean(-1)
    >>> import numpy as np
    >>> float(Absolute()(np.zeros((2, 1)), np.ones((2, 1))))
    1.0
    """

    made: MadeLoss | None = None

    def __init__(
        self, name: str | None = None, reduction: str | None = "sum_over_batch_size", dtype: Any = None
    ) -> None:
        self.name = name or type(self).__name__.lower()
        self.reduction = reduction

    def call(self, y_true: Any, y_pred: Any) -> Any:
        """The loss of each sample, (N,), or of each number in it."""
        if self.made is None:
            raise NotImplementedError(f"{type(self).__name__} has no call(self, y_true, y_pred).")
        return self.made.configured(reduction="none")(y_true, y_pred)

    @property
    def functional(self) -> Callable[..., Any]:
        """The loss as `fnet.Trainer` takes it."""
        if self.made is not None and type(self).call is Loss.call:
            return self.made
        loss = from_function(self.call).configured(reduction=self.reduction, name=self.name)
        loss.__dict__.update(make=PartMaker(type(self)), arguments=self.get_config())
        return loss

    def get_config(self) -> dict[str, Any]:
        """The arguments that it was made with; a class of your own adds its own."""
        if self.made is None:
            return {"name": self.name, "reduction": self.reduction}
        return {"name": self.name, **self.made.config, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        """A loss made with these arguments."""
        return cls(**config)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        return self.functional(y_true, y_pred, sample_weight=sample_weight)


class LossFunction:
    """A loss as a function of arrays: a number for each sample, as in Keras; `functional` is that of `fnet.losses`.

    >>> from fnet.keras import losses
    >>> losses.mean_squared_error([[0.0], [1.0]], [[2.0], [1.0]])
    array([4., 0.])
    """

    def __init__(self, functional: MadeLoss) -> None:
        self.functional, self.__name__, self.__doc__ = functional, functional.kind, functional.__doc__

    def __call__(self, y_true: Any, y_pred: Any, *args: Any, **options: Any) -> Any:
        """The loss of each sample; arguments behind the predictions are the options in Keras' order."""
        given = zip((name for name in self.functional.config if name != "reduction"), args, strict=False)
        return self.functional(y_true, y_pred, reduction="none", **dict(given), **options)

    def __repr__(self) -> str:
        return f"<function {self.__name__}>"


@functools.cache
def _function_of(made: MadeLoss) -> LossFunction:
    return LossFunction(made)


def _known(given: Any) -> Any:
    found = losses.get(functional(given))
    return _function_of(found) if isinstance(found, MadeLoss) and isinstance(given, str) else found


def standard_loss(make: Callable[..., MadeLoss]) -> type[Loss]:
    """The class of this name for a constructor of `fnet.losses`."""

    def begin(self: Loss, *args: Any, dtype: Any = None, **options: Any) -> None:
        self.made = make(*args, **options)
        Loss.__init__(self, self.made.name, self.made.config["reduction"])

    return type(make.__name__, (Loss,), {"__init__": begin, "__doc__": make.__doc__, "__wrapped__": make})


def functional(given: Any) -> Any:
    """What `fnet.Trainer` takes for a loss, or a list or dict of losses."""
    if isinstance(given, list | tuple):
        return [functional(one) for one in given]
    if isinstance(given, dict):
        return {name: functional(one) for name, one in given.items()}
    if isinstance(given, type) and issubclass(given, Loss):
        return given().functional
    return given.functional if isinstance(given, Loss | LossFunction) else given


serialize, deserialize, get = words("losses", lambda loss: write_loss(functional(loss)), read_loss, _known)


def __getattr__(name: str) -> Any:
    found = getattr(losses, name)
    if inspect.isfunction(found) and name[0].isupper():
        found = standard_loss(found)
        globals()[name] = found
    return _function_of(found) if isinstance(found, MadeLoss) else found
