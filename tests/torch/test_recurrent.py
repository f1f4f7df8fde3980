"""Recurrent layers beside PyTorch's, with copied weights: values, states and gradients."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import fnet
from fnet.layers import GRU, LSTM, Bidirectional, SimpleRNN
from fnet.masking import Masked

torch = pytest.importorskip("torch")

CASES = {
    "tanh": (lambda **kind: SimpleRNN(9, **kind), lambda: torch.nn.RNN(5, 9, batch_first=True), [0]),
    "relu": (
        lambda **kind: SimpleRNN(9, "relu", **kind),
        lambda: torch.nn.RNN(5, 9, nonlinearity="relu", batch_first=True),
        [0],
    ),
    "lstm": (lambda **kind: LSTM(9, **kind), lambda: torch.nn.LSTM(5, 9, batch_first=True), [0, 1, 2, 3]),
    "gru": (lambda **kind: GRU(9, **kind), lambda: torch.nn.GRU(5, 9, batch_first=True), [1, 0, 2]),
}  # PyTorch's rows of gates, in Keras' order of columns
TOLERANCE = {np.float32: {"rtol": 1e-4, "atol": 1e-5}, np.float64: {"rtol": 1e-10, "atol": 1e-12}}


def moved(weight: Any, order: list[int]) -> np.ndarray:
    """PyTorch's weight or bias with its gates along the last axis, in Keras' order."""
    blocks = np.split(weight.detach().numpy(), len(order), axis=0)
    return np.ascontiguousarray(np.concatenate([blocks[i] for i in order], axis=0).T)


def copied(module: Any, order: list[int], suffix: str = "") -> dict[str, np.ndarray]:
    parts = [getattr(module, f"{name}_l0{suffix}") for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh")]
    kernel, recurrent, bias, recurrent_bias = (moved(part, order) for part in parts)
    two = isinstance(module, torch.nn.GRU)
    return {
        "kernel": kernel,
        "recurrent_kernel": recurrent,
        "bias": np.stack([bias, recurrent_bias]) if two else bias + recurrent_bias,
    }


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("name", CASES)
def test_values_states_and_gradients(name: str, dtype: Any) -> None:
    make, theirs, order = CASES[name]
    torch.manual_seed(0)
    module = theirs().to(torch.float32 if dtype == np.float32 else torch.float64)
    layer, params = make(return_sequences=True, return_state=True), copied(module, order)
    rng = np.random.default_rng(0)
    x, g = (rng.normal(size=(3, 7, size)).astype(dtype) for size in (5, 9))
    first = [rng.normal(size=(3, 9)).astype(dtype) for _ in range(2 if name == "lstm" else 1)]

    (y, *states), pull = fnet.vjp(lambda p, x, *s: layer.apply(p, {}, (x, *s))[0], params, x, *first)
    inputs = [torch.tensor(a, requires_grad=True) for a in (x, *first)]
    given = tuple(s[None] for s in inputs[1:])
    expected, last = module(inputs[0], given if name == "lstm" else given[0])
    last = last if name == "lstm" else (last,)
    (expected * torch.tensor(g)).sum().add(sum((s * s[0]).sum() for s in last)).backward()
    close = TOLERANCE[dtype]
    for a, b in zip([y, *states], [expected, *(s[0] for s in last)], strict=True):
        np.testing.assert_allclose(a, b.detach().numpy(), **close)

    pulled, *of_inputs = pull((g, *(2 * s for s in states)))
    for a, b in zip(of_inputs, inputs, strict=True):
        np.testing.assert_allclose(a, b.grad.numpy(), **close)
    np.testing.assert_allclose(pulled["kernel"], moved(module.weight_ih_l0.grad, order), **close)
    np.testing.assert_allclose(pulled["recurrent_kernel"], moved(module.weight_hh_l0.grad, order), **close)
    bias = pulled["bias"] if name == "gru" else [pulled["bias"]] * 2
    for a, b in zip(bias, (module.bias_ih_l0, module.bias_hh_l0), strict=True):
        np.testing.assert_allclose(a, moved(b.grad, order), **close)


@pytest.mark.parametrize("name", ["lstm", "gru"])
def test_both_directions(name: str) -> None:
    make, _, order = CASES[name]
    torch.manual_seed(0)
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[name]
    module = kind(5, 9, batch_first=True, bidirectional=True).double()
    layer = Bidirectional(make(return_sequences=True))
    params = {f"forward_{name}": copied(module, order), f"backward_{name}": copied(module, order, "_reverse")}
    x, g = (np.random.default_rng(size).normal(size=(3, 7, size)) for size in (5, 18))
    y, pull = fnet.vjp(lambda p, x: layer.apply(p, {}, x)[0], params, x)
    tensor = torch.tensor(x, requires_grad=True)
    expected, _ = module(tensor)
    (expected * torch.tensor(g)).sum().backward()
    np.testing.assert_allclose(y, expected.detach().numpy(), rtol=1e-10, atol=1e-12)
    pulled, dx = pull(g)
    np.testing.assert_allclose(dx, tensor.grad.numpy(), rtol=1e-10, atol=1e-12)
    back = moved(module.weight_hh_l0_reverse.grad, order)
    np.testing.assert_allclose(pulled[f"backward_{name}"]["recurrent_kernel"], back, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("both", [False, True])
@pytest.mark.parametrize("name", CASES)
def test_masks_of_padding_are_packed_sequences(name: str, both: bool) -> None:
    """A mask is what packing a padded batch by its lengths is in PyTorch, whose outputs are 0 in padding."""
    make, theirs, order = CASES[name]
    torch.manual_seed(0)
    kind = {"nonlinearity": "relu"} if name == "relu" else {}
    module = type(theirs())(5, 9, batch_first=True, bidirectional=both, **kind).double()
    how = {"return_sequences": True, "return_state": True, "zero_output_for_mask": True}
    layer, params = make(**how), copied(module, order)
    if both:
        layer = Bidirectional(layer)
        params = {"forward_" + layer.config["layer"].name: params}
        params["backward_" + layer.config["layer"].name] = copied(module, order, "_reverse")
    lengths, (x, g) = [7, 4, 1], (np.random.default_rng(n).normal(size=(3, 7, n)) for n in (5, 18 if both else 9))
    mask = np.arange(7) < np.array(lengths)[:, None]

    def output(params: Any, x: Any) -> Any:
        (y, *states), _ = layer.apply(params, {}, Masked(x, mask))
        return y.values, *states

    (y, *states), pull = fnet.vjp(output, params, x)
    tensor = torch.tensor(x, requires_grad=True)
    packed = torch.nn.utils.rnn.pack_padded_sequence(tensor, lengths, batch_first=True)
    made, last = module(packed)
    expected, _ = torch.nn.utils.rnn.pad_packed_sequence(made, batch_first=True, total_length=7)
    last = last if name == "lstm" else (last,)
    expected_states = [s[way] for way in range(1 + both) for s in last]
    close = TOLERANCE[np.float64]
    for a, b in zip([y, *states], [expected, *expected_states], strict=True):
        np.testing.assert_allclose(a, b.detach().numpy(), **close)
    (expected * torch.tensor(g)).sum().add(sum((s * s).sum() for s in expected_states)).backward()
    pulled, dx = pull((g, *(2 * s for s in states)))
    np.testing.assert_allclose(dx, tensor.grad.numpy(), **close)
    pulled = next(iter(pulled.values())) if both else pulled
    np.testing.assert_allclose(pulled["recurrent_kernel"], moved(module.weight_hh_l0.grad, order), **close)
