"""The networks of the problems as modules; their children have the problems' names."""

from __future__ import annotations

import functools
import itertools

import torch
from torch import nn
from torch.nn import functional

from bench.problems import CNN, MLP, VGG, DenseLSTM, FanOut, Network, Recurrent, Speech, Ticket, Transformer


@functools.singledispatch
def network(problem: Network) -> nn.Module:
    """The network of a problem."""
    raise NotImplementedError


@network.register
def _(problem: MLP) -> nn.Module:
    model, pairs = nn.Sequential(), list(itertools.pairwise(problem.sizes))
    for i, (fan_in, units) in enumerate(pairs):
        model.add_module(f"dense_{i}", nn.Linear(fan_in, units))
        if i < len(pairs) - 1:
            model.add_module(f"relu_{i}", nn.ReLU())
    return model


@network.register
def _(problem: FanOut) -> nn.Module:
    return _FanOut(problem.features)


class _FanOut(nn.Module):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.branch_0, self.branch_1, self.branch_2 = (nn.Linear(features, units) for units in (16, 8, 16))
        self.hidden, self.output = nn.Linear(40, 16), nn.Linear(16, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        branches = functional.relu(self.branch_0(x)), functional.relu(self.branch_1(x)), torch.tanh(self.branch_2(x))
        return self.output(functional.relu(self.hidden(torch.cat(branches, -1))))


@network.register
def _(problem: CNN) -> nn.Module:
    return _CNN().to(memory_format=torch.channels_last)


class _CNN(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.conv_0, self.conv_1 = nn.Conv2d(1, 32, 3), nn.Conv2d(32, 16, 3)
        self.hidden, self.output = nn.Linear(400, 50), nn.Linear(50, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = functional.max_pool2d(functional.relu(self.conv_0(x)), 2)
        x = functional.max_pool2d(functional.relu(self.conv_1(x)), 2)
        return self.output(functional.relu(self.hidden(_flat(x))))


@network.register
def _(problem: VGG) -> nn.Module:
    return _VGG().to(memory_format=torch.channels_last)


class _VGG(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        for i, (channels, filters) in enumerate(itertools.pairwise((3, 64, 64, 128, 128))):
            self.add_module(f"conv_{i}", nn.Conv2d(channels, filters, 3, padding=1, bias=False))
            self.add_module(f"norm_{i}", nn.BatchNorm2d(filters, eps=1e-3, momentum=0.01))
        self.output = nn.Linear(8 * 8 * 128, 10)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for i in range(4):
            convolution, norm = getattr(self, f"conv_{i}"), getattr(self, f"norm_{i}")
            x = functional.relu(norm(convolution(x)))
            x = functional.max_pool2d(x, 2) if i % 2 else x
        return self.output(_flat(x))


def _flat(x: torch.Tensor) -> torch.Tensor:
    """(N, C, H, W) in channels-last memory to (N, H W C), as the weights of the problem expect."""
    return x.permute(0, 2, 3, 1).flatten(1)


@network.register
def _(problem: Recurrent) -> nn.Module:
    return _Recurrent(problem)


class _Recurrent(nn.Module):
    def __init__(self, problem: Recurrent) -> None:
        super().__init__()
        kind = nn.LSTM if problem.cell == "lstm" else nn.RNN
        self.cell = kind(problem.features, problem.units, batch_first=True)
        self.output = nn.Linear(problem.units, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.cell(x)[0][:, -1])


@network.register
def _(problem: DenseLSTM) -> nn.Module:
    return _DenseLSTM()


class _DenseLSTM(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.hidden_0, self.hidden_1 = nn.Linear(16, 32), nn.Linear(32, 16)
        self.lstm = nn.LSTM(4, 32, batch_first=True)
        self.joined, self.output = nn.Linear(48, 8), nn.Linear(8, 1)

    def forward(self, x: torch.Tensor, sequence: torch.Tensor) -> torch.Tensor:
        hidden = functional.relu(self.hidden_1(functional.relu(self.hidden_0(x))))
        last = self.lstm(sequence)[0][:, -1]
        return self.output(self.joined(torch.cat((hidden, last), -1)))


@network.register
def _(problem: Ticket) -> nn.Module:
    return _Ticket()


class _Ticket(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.title_words, self.body_words = nn.Embedding(10000, 64), nn.Embedding(10000, 64)
        self.title, self.body = nn.LSTM(64, 128, batch_first=True), nn.LSTM(64, 32, batch_first=True)
        self.priority, self.department = nn.Linear(172, 1), nn.Linear(172, 4)

    def forward(self, title: torch.Tensor, body: torch.Tensor, tags: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        last = self.title(self.title_words(title))[0][:, -1], self.body(self.body_words(body))[0][:, -1]
        features = torch.cat((*last, tags), -1)
        return self.priority(features), self.department(features)


@network.register
def _(problem: Speech) -> nn.Module:
    return _Speech()


class _Speech(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.both = nn.LSTM(26, 64, batch_first=True, bidirectional=True)
        self.output = nn.Linear(128, 29)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.output(self.both(x)[0])


@network.register
def _(problem: Transformer) -> nn.Module:
    return _Transformer(problem)


class _Transformer(nn.Module):
    def __init__(self, problem: Transformer) -> None:
        super().__init__()
        d = problem.width
        self.words, self.positions = nn.Embedding(problem.vocabulary, d), nn.Embedding(problem.tokens, d)
        self.blocks = nn.ModuleList(_Block(d, problem.heads) for _ in range(problem.blocks))
        self.norm, self.output = nn.LayerNorm(d), nn.Linear(d, problem.vocabulary)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        x = self.words(tokens) + self.positions.weight
        for block in self.blocks:
            x = block(x)
        return self.output(self.norm(x))


class _Block(nn.Module):
    def __init__(self, d: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm_a, self.norm_b = nn.LayerNorm(d), nn.LayerNorm(d)
        self.query_key_value, self.attended = nn.Linear(d, 3 * d), nn.Linear(d, d)
        self.wide, self.narrow = nn.Linear(d, 4 * d), nn.Linear(4 * d, d)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        parts = self.query_key_value(self.norm_a(x)).chunk(3, -1)
        query, key, value = (part.unflatten(-1, (self.heads, -1)).transpose(1, 2) for part in parts)
        y = functional.scaled_dot_product_attention(query, key, value, is_causal=True)
        x = x + self.attended(y.transpose(1, 2).flatten(-2))
        return x + self.narrow(functional.gelu(self.wide(self.norm_b(x))))
