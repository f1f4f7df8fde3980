"""The activations that kernels compute themselves: their names, and the codes by which kernels know them."""

from __future__ import annotations

NAMES = ("linear", "relu", "tanh", "sigmoid")
LINEAR, RELU, TANH, SIGMOID = range(len(NAMES))


def code(name: str) -> int:
    """The code of an activation.

    >>> code("tanh") == TANH
    True
    """
    return NAMES.index(name)
