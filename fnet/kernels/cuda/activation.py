"""The activations that products compute in their epilogues."""

from __future__ import annotations

from fnet.activation_codes import RELU, SIGMOID, TANH
from fnet.kernels.cuda.runtime.kernel import device_function
from fnet.kernels.cuda.scalars import relu, sigmoid, tanh


@device_function
def activated(value, act):
    """The activation of this code, see `fnet.activation_codes`."""
    if act == RELU:
        return relu(value)
    if act == TANH:
        return tanh(value)
    if act == SIGMOID:
        return sigmoid(value)
    return value
