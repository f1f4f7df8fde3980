"""The losses of the problems by their names."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import fnet
from bench.problems import Network

_classes = partial(fnet.losses.sparse_categorical_crossentropy, from_logits=True)
binary = partial(fnet.losses.binary_crossentropy, from_logits=True)


def _ticket(y_true: Any, y_pred: Any) -> Any:
    (priority, department), (is_urgent, is_for) = y_true, y_pred
    return binary(priority, is_urgent) + 0.2 * _classes(department, is_for)


LOSSES: dict[str, Callable[..., Any]] = {
    "mse": fnet.losses.mean_squared_error,
    "classes": _classes,
    "ticket": _ticket,
    "ctc": fnet.losses.ctc,
}


def loss_of(problem: Network) -> Callable[..., Any]:
    """The loss of a problem."""
    return LOSSES[problem.loss]
