"""Calls of recurrent kernels, and what plain NumPy makes of the same operands."""

from __future__ import annotations

import numpy as np

from fnet.activation_codes import SIGMOID, TANH
from fnet.kernels.cpu import (
    recurrent,
    recurrent_gru,
    recurrent_lstm,
    recurrent_shares,
    recurrent_simple,
)

DTYPES = ("float32", "float64")
CELLS = {"simple": (recurrent_simple, 1, 1), "lstm": (recurrent_lstm, 4, 2), "gru": (recurrent_gru, 3, 1)}
ACTIVATIONS = [lambda x: x, lambda x: np.maximum(x, 0), np.tanh, lambda x: 1 / (1 + np.exp(-x))]
SLOPES = [np.ones_like, lambda y: np.where(y > 0, 1.0, 0.0), lambda y: 1 - y * y, lambda y: y - y * y]


class Problem:
    """One call: random operands, its results by kernels, and what they should be."""

    def __init__(
        self, cell, n, steps, features, units, dtype, backwards=False, masked=False, acts=(SIGMOID, TANH), started=True,
        operands=None,
    ):  # fmt: skip
        self.cell, self.dtype, self.backwards, self.masked = cell, np.dtype(dtype), backwards, masked
        self.started, self.operands = started, np.dtype(operands or dtype)
        self.module, self.blocks, self.states = CELLS[cell]
        self.n, self.steps, self.features, self.units = n, steps, features, units
        self.acts = acts if cell != "simple" else acts[1:]
        rng, self.k = np.random.default_rng(0), features + 1 + units
        width = self.blocks * units

        def draw(*shape):
            return (rng.normal(size=shape) * 0.7).astype(dtype)

        self.x, self.dys = draw(n, steps, features), draw(n, steps, units)
        self.weights = [draw(features, width), draw(2 if cell == "gru" else 1, width), draw(units, width)]
        self.first = [draw(n, units) if started else self.new(n, units) * 0 for _ in range(self.states)]
        self.dlast = [draw(n, units) for _ in range(self.states)]
        self.mask = (rng.random((n, steps)) < 0.6).astype(np.uint8)

    def kept_sizes(self):
        return {"simple": [self.k], "lstm": [4 * self.units, self.units, self.k], "gru": [4 * self.units, self.k]}[
            self.cell
        ]

    def new(self, *shape):
        return np.full(shape, 77, self.dtype)

    def scratch(self, memory):
        """Memory for the kernel, and what lies behind it and must stay as it is."""
        arrays = [
            np.full(size + 16, 77, kind) for size, kind in ((memory.panels, self.operands), (memory.work, self.dtype))
        ]
        return [a[:-16] for a in arrays], [a[-16:] for a in arrays]

    def started_with(self, arrays):
        """Initial states, one row of zeros for absent ones, and the distance of their rows."""
        return (arrays, self.units) if self.started else ([np.zeros(self.units, self.dtype)] * len(arrays), 0)

    def forward(self, saving=True, stretch=1):
        """ys, last states, and what is kept for the backward pass as (N, T, C)."""
        n, steps, units = self.n, self.steps, self.units
        ys, lasts = self.new(n, steps, units), [self.new(n, units) for _ in range(self.states)]
        *others, last = self.kept_sizes()
        kept = [self.new(steps if saving else 1, n, size) for size in others]
        kept.append(self.new(steps if saving and self.cell == "gru" else 1, n, last))
        scratch, guards = self.scratch(self.module.workspace(n, self.features, units, self.dtype, self.operands))
        x = self.new(n, steps * stretch, self.features)
        x[:, ::stretch] = self.x
        first, h_row = self.started_with(self.first)
        arrays = [x, *self.weights, *first, self.mask, ys, *lasts, *kept, *scratch]
        sizes = recurrent.FORWARD_SIZES.array(
            **self.sizes(steps * stretch * self.features, stretch * self.features, h_row), saving=saving, spread=saving
        )
        self.module.forward(*(a.reshape(-1) for a in arrays), sizes)
        assert all((guard == 77).all() for guard in guards)
        if saving and self.cell != "gru":
            kept[-1] = rows = self.new(steps, n, self.k)
            recurrent_shares.gather(*(a.reshape(-1) for a in (x, first[0], ys, self.mask, rows)), sizes)
        return ys, lasts, [a.swapaxes(0, 1) for a in kept]

    def sizes(self, x_row, x_time, h_row):
        rec, act = (0, *self.acts)[-2:]
        return {
            "n": self.n, "steps": self.steps, "features": self.features, "units": self.units, "x_row": x_row,
            "x_time": x_time, "h_row": h_row, "started": self.started, "backwards": self.backwards,
            "masked": self.masked, "rec": rec, "act": act,
        }  # fmt: skip

    def backward(self, kept, ys):
        """dz: (N, T, G), and the gradients of the initial states."""
        width = (4 if self.cell == "gru" else self.blocks) * self.units
        dz = self.new(self.steps, self.n, width + 3)
        others = [self.new(1)] * 6 if self.cell != "gru" else []
        dfirst = self.walk_back(kept, ys, dz, others, (), dz_row=width + 3, parts=0, most=1, together=1, wanted=False)
        assert (dz[..., width:] == 77).all()
        return dz[..., :width].swapaxes(0, 1), dfirst

    def joined(self, kept, ys, most=None, wanted=True):
        """The gradients of the weights, of x, and of the initial states."""
        width = self.blocks * self.units
        plan = recurrent_shares.shares(self.n, self.steps, self.k, width, self.dtype)
        dw, dx, own = self.new(self.k, width), np.zeros_like(self.x), self.new(plan.parts * plan.memory)
        others = [self.x, *self.started_with(self.first[:1])[0], self.weights[0], dw, dx, own]
        sizes = {"dz_row": plan.slopes_row, "parts": plan.parts, "most": most or plan.most, "wanted": wanted}
        sizes["together"] = 2 if most else plan.together
        extra = (self.features,) if wanted else ()
        return dw, dx, self.walk_back(kept, ys, self.new(1), others, extra, **sizes)

    def walk_back(self, kept, ys, dz, others, extra, **sizes):
        n, steps, units = self.n, self.steps, self.units
        dfirst = [self.new(n, units) for _ in range(self.states)]
        scratch, guards = self.scratch(self.module.backward_workspace(n, units, self.dtype, self.operands, *extra))
        saved = [np.ascontiguousarray(a.swapaxes(0, 1)) for a in kept]
        first, first_row = self.started_with(self.first[1:])
        operands = {"simple": [ys], "lstm": [*first, *saved[:2], ys], "gru": saved}[self.cell]
        strides = self.sizes(steps * self.features, self.features, self.units if self.started else 0)
        strides |= {"dy_row": steps * units, "dy_time": units, "dh_row": units, "dc_row": units, "c0_row": first_row}
        arrays = [self.dys, *self.dlast, self.weights[2], *operands, self.mask, dz, *dfirst, *others, *scratch]
        self.module.backward(*(a.reshape(-1) for a in arrays), recurrent.BACKWARD_SIZES.array(**strides, **sizes))
        assert all((guard == 77).all() for guard in guards)
        return dfirst

    # What NumPy says, in float64.

    def order(self):
        return reversed(range(self.steps)) if self.backwards else range(self.steps)

    def on(self, t):
        return self.mask[:, t, None] != 0 if self.masked else np.ones((self.n, 1), bool)

    def expected(self):
        """Outputs, last states, and for each step what the backward pass needs."""
        ys, states, tape = np.zeros(self.dys.shape), [s.astype(float) for s in self.first], {}
        for t in self.order():
            new, tape[t] = getattr(self, f"{self.cell}_step")(self.x[:, t].astype(float), states)
            states = [np.where(self.on(t), a, b) for a, b in zip(new, states, strict=True)]
            ys[:, t] = states[0]
        return ys, states, tape

    def expected_gradients(self, tape):
        d = [g.astype(float) for g in self.dlast]
        dz = {}
        for t in reversed(list(self.order())):
            d[0] = d[0] + self.dys[:, t]
            step, before = getattr(self, f"{self.cell}_back")(tape[t], d)
            dz[t] = np.where(self.on(t), step, 0)
            d = [np.where(self.on(t), a, b) for a, b in zip(before, d, strict=True)]
        empty = np.zeros((self.n, 0, (4 if self.cell == "gru" else self.blocks) * self.units))
        return np.stack([dz[t] for t in range(self.steps)], 1) if self.steps else empty, d

    def row(self, x, h):
        return np.concatenate([x, np.ones((self.n, 1)), h], 1)

    def recurrent_weights(self):
        return self.weights[2].astype(float)

    def stacked(self):
        return np.concatenate(self.weights)

    def simple_step(self, x, states):
        h = ACTIVATIONS[self.acts[0]](self.row(x, states[0]) @ self.stacked())
        return [h], h

    def simple_back(self, h, d):
        dz = d[0] * SLOPES[self.acts[0]](h)
        return dz, [dz @ self.recurrent_weights().T]

    def lstm_step(self, x, states):
        rec, act = (ACTIVATIONS[code] for code in self.acts)
        i, f, g, o = np.split(self.row(x, states[0]) @ self.stacked(), 4, 1)
        i, f, g, o = rec(i), rec(f), act(g), rec(o)
        c = f * states[1] + i * g
        return [o * act(c), c], (i, f, g, o, c, states[1])

    def lstm_back(self, kept, d):
        (i, f, g, o, c, before), (rec, act) = kept, (SLOPES[code] for code in self.acts)
        y = ACTIVATIONS[self.acts[1]](c)
        dc = d[1] + d[0] * o * act(y)
        dz = np.concatenate([dc * g * rec(i), dc * before * rec(f), dc * i * act(g), d[0] * y * rec(o)], 1)
        return dz, [dz @ self.recurrent_weights().T, dc * f]

    def gru_step(self, x, states):
        rec, act = (ACTIVATIONS[code] for code in self.acts)
        (kernel, bias, recurrent), u, h = self.weights, self.units, states[0]
        of_x, of_h = x @ kernel + bias[0], h @ recurrent + bias[1]
        z, r, q = rec(of_x[:, :u] + of_h[:, :u]), rec((of_x + of_h)[:, u : 2 * u]), of_h[:, 2 * u :]
        g = act(of_x[:, 2 * u :] + r * q)
        return [z * h + (1 - z) * g], (z, r, g, q, h)

    def gru_back(self, kept, d):
        (z, r, g, q, h), (rec, act) = kept, (SLOPES[code] for code in self.acts)
        da, dz = d[0] * (1 - z) * act(g), d[0] * (h - g) * rec(z)
        dr, dq = da * q * rec(r), da * r
        return np.concatenate([da, dz, dr, dq], 1), [
            d[0] * z + np.concatenate([dz, dr, dq], 1) @ self.recurrent_weights().T
        ]

    def check(self):
        tolerance = {"rtol": 2e-4, "atol": 2e-5} if self.dtype == np.float32 else {"rtol": 1e-10, "atol": 1e-12}
        ys, lasts, kept = self.forward()
        expected, states, tape = self.expected()
        np.testing.assert_allclose(ys, expected, **tolerance)
        for got, want in zip(lasts, states, strict=True):
            np.testing.assert_allclose(got, want, **tolerance)
        self.check_rows(kept[-1], ys)
        dz, dfirst = self.backward(kept, ys)
        wanted, dstates = self.expected_gradients(tape)
        np.testing.assert_allclose(dz, wanted, **tolerance)
        if self.cell != "gru":
            self.check_joined(kept, ys, wanted, dfirst, tolerance)
        if self.started:
            for got, want in zip(dfirst, dstates, strict=True):
                np.testing.assert_allclose(got, want, **tolerance)

    def check_joined(self, kept, ys, dz, dfirst, tolerance):
        """The gradients of weights and x, in one go and with few samples and steps at once; states' as before."""
        rows, kernel = kept[-1].astype(float), self.weights[0].astype(float)
        scale = 1 + np.einsum("ntk,ntg->kg", abs(rows), abs(dz))
        for most in (None, 3):
            dw, dx, others = self.joined(kept, ys, most)
            np.testing.assert_allclose(dw / scale, np.einsum("ntk,ntg->kg", rows, dz) / scale, **tolerance)
            np.testing.assert_allclose(dx, dz @ kernel.T, **tolerance)
            for got, want in zip(others, dfirst, strict=True):
                np.testing.assert_array_equal(got if self.started else 0, want if self.started else 0)

    def check_rows(self, rows, ys):
        """``[x_t, 1, h_{t-1}]``, or zeros where the mask is off."""
        before = self.first[0]
        for t in self.order():
            np.testing.assert_array_equal(rows[:, t], np.where(self.on(t), self.row(self.x[:, t], before), 0))
            before = ys[:, t]
