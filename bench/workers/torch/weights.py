"""Keras' layouts to PyTorch's."""

from __future__ import annotations

import functools

import numpy as np
import torch
from torch import nn

from bench.problems.base import Weights

Layer = dict[str, np.ndarray]


def load(model: nn.Module, weights: Weights) -> None:
    """Give every module the weights of its name."""
    weights = dict(weights)
    for name, module in model.named_modules():
        if name.startswith("blocks.") and name.count(".") == 2:
            _, block, part = name.split(".")
            if part == "query_key_value":
                load_one(module, *(weights.pop(f"{p}_{block}") for p in ("query", "key", "value")))
            else:
                load_one(module, weights.pop(f"{part[:-2]}_{block}{part[-1]}" if "norm" in part else f"{part}_{block}"))
        elif name == "both":
            load_one(module, weights.pop("forward"), weights.pop("backward"))
        elif name in weights:
            load_one(module, weights.pop(name))
    assert not weights, f"nothing took {list(weights)}"


@torch.no_grad()
def load_one(module: nn.Module, *layers: Layer) -> None:
    """Give one module the weights of a layer, or of the layers that it joins."""
    _copy(module, *layers)


@functools.singledispatch
def _copy(module: nn.Module, *layers: Layer) -> None:
    raise NotImplementedError


@_copy.register
def _(module: nn.Linear, *layers: Layer) -> None:
    module.weight.copy_(torch.from_numpy(np.concatenate([layer["kernel"].T for layer in layers])))
    module.bias.copy_(torch.from_numpy(np.concatenate([layer["bias"] for layer in layers])))


@_copy.register
def _(module: nn.Conv2d, layer: Layer) -> None:
    module.weight.copy_(torch.from_numpy(layer["kernel"].transpose(3, 2, 0, 1)))
    if module.bias is not None:
        module.bias.copy_(torch.from_numpy(layer["bias"]))


@_copy.register(nn.BatchNorm2d)
@_copy.register(nn.LayerNorm)
def _(module: nn.BatchNorm2d | nn.LayerNorm, layer: Layer) -> None:
    module.weight.copy_(torch.from_numpy(layer["gamma"]))
    module.bias.copy_(torch.from_numpy(layer["beta"]))


@_copy.register
def _(module: nn.Embedding, layer: Layer) -> None:
    module.weight.copy_(torch.from_numpy(layer["embeddings"]))


@_copy.register(nn.RNNBase)
def _(module: nn.RNNBase, *layers: Layer) -> None:
    """PyTorch adds two biases to the gates: the first gets the bias, the second is zero."""
    for suffix, layer in zip(("", "_reverse"), layers, strict=False):
        getattr(module, f"weight_ih_l0{suffix}").copy_(torch.from_numpy(layer["kernel"].T))
        getattr(module, f"weight_hh_l0{suffix}").copy_(torch.from_numpy(layer["recurrent_kernel"].T))
        getattr(module, f"bias_ih_l0{suffix}").copy_(torch.from_numpy(layer["bias"]))
        getattr(module, f"bias_hh_l0{suffix}").zero_()
