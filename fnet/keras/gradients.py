"""Gradients with respect to weights that objects hold: `value_and_grad` for steps and loops of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from fnet import regularizers, tree
from fnet.errors import StructureError
from fnet.keras.running import Running, now_running, outside, running
from fnet.keras.seeds import next_key
from fnet.keras.variable import Variable
from fnet.transforms.vjp import value_and_grad as functional


def value_and_grad(function: Callable[[], Any], variables: Sequence[Variable], has_aux: bool = False) -> Any:
    """``(loss, gradients)`` of ``loss = function()`` with respect to weights, a list in their order.

    It takes the place of TensorFlow's ``GradientTape`` and of PyTorch's ``backward``. What layers and metrics keep is
    changed by the call, as by any other. has_aux: `function` returns ``(loss, more)``, and so does this:
    ``(loss, more), gradients``. What of it is used later is returned as `more`: values that it leaves elsewhere are no
    numbers. In a loop of your own the call is computed operation by operation; within `train_step` it is compiled.
    Raises `StructureError` for what are no weights.

    >>> import numpy as np
    >>> from fnet.keras import layers, value_and_grad
    >>> layer, x = layers.Dense(1, kernel_initializer="ones"), np.ones((2, 3), np.float32)
    >>> layer.build((None, 3))
    >>> loss, gradients = value_and_grad(lambda: np.mean(layer(x) ** 2), layer.trainable_variables)
    >>> float(loss), [gradient.tolist() for gradient in gradients]
    (9.0, [[[6.0], [6.0], [6.0]], [6.0]])
    """
    for variable in variables:
        if not isinstance(variable, Variable):
            raise StructureError(
                f"value_and_grad: expected weights, as model.trainable_variables, received {type(variable).__name__}."
            )
    run = now_running()
    if run is not None:
        return _within(run, function, variables, has_aux)
    run = Running(True, next_key())
    with outside(), running(run):
        found = _within(run, function, variables, has_aux)
    run.keep()
    return found


def _within(run: Running, function: Callable[[], Any], variables: Sequence[Variable], has_aux: bool) -> Any:
    given = [variable.held for variable in variables]
    known = run.known()

    def of_values(values: list[Any]) -> Any:
        for variable, value in zip(variables, values, strict=True):
            variable.hold(value)
        with regularizers.reported_penalties():
            made = function()
        value, more = made if has_aux else (made, None)
        return _scalar(value), (_plain(more), run.known())

    (value, (more, after)), gradients = functional(of_values, has_aux=True)(given)
    run.set({**after, "params": known["params"]})
    return ((value, more) if has_aux else value), gradients


def _scalar(value: Any) -> Any:
    return value.value if isinstance(value, Variable) else value


def _plain(more: Any) -> Any:
    return tree.map(_scalar, more, is_leaf=lambda part: isinstance(part, Variable))
