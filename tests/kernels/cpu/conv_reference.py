"""Convolutions in float64 by the definition, for tests: one tap at a time on padded arrays."""

from __future__ import annotations

import itertools

import numpy as np


def conv(x, w, axes, groups=1):
    """``y[o] = sum over taps of x[o stride + tap dilation - before] w[tap]``, the channels in groups."""
    y = np.zeros((len(x), *(a.outputs for a in axes), groups, w.shape[-1] // groups))
    padded = pad(x, axes)
    for tap, seen in windows(axes):
        y += np.einsum("...gc,cgf->...gf", split(padded[seen], groups), split(w[tap].astype(np.float64), groups))
    return y.reshape(*y.shape[:-2], w.shape[-1])


def conv_input(g, w, axes, groups=1):
    """The gradient of ``<conv(x, w), g>`` in x."""
    shape = (len(g), *(a.size for a in axes), w.shape[-2] * groups)
    padded = pad(np.zeros(shape), axes)
    for tap, seen in windows(axes):
        product = np.einsum("...gf,cgf->...gc", split(g.astype(np.float64), groups), split(w[tap], groups))
        padded[seen] += product.reshape(padded[seen].shape)
    return padded[(slice(None), *(slice(a.before, a.before + a.size) for a in axes))]


def conv_weight(x, g, axes, groups=1):
    """The gradient of ``<conv(x, w), g>`` in w."""
    dw = np.zeros((*(a.kernel for a in axes), x.shape[-1] // groups, g.shape[-1]))
    padded = pad(x, axes)
    for tap, seen in windows(axes):
        product = np.einsum("pgc,pgf->cgf", pixels(padded[seen], groups), pixels(g.astype(np.float64), groups))
        dw[tap] = product.reshape(dw[tap].shape)
    return dw


def pad(x, axes):
    """`x` in float64 with zeros wherever a tap may look."""
    behind = [max(0, (a.outputs - 1) * a.stride + (a.kernel - 1) * a.dilation - a.before - a.size + 1) for a in axes]
    pairs = [(a.before, after) for a, after in zip(axes, behind, strict=True)]
    return np.pad(x.astype(np.float64), [(0, 0), *pairs, (0, 0)])


def windows(axes):
    """Each tap, and the places in a padded array that the outputs see through it."""
    for tap in itertools.product(*(range(a.kernel) for a in axes)):
        starts = [t * a.dilation for t, a in zip(tap, axes, strict=True)]
        stops = [s + (a.outputs - 1) * a.stride + 1 if a.outputs else s for s, a in zip(starts, axes, strict=True)]
        yield tap, (slice(None), *(slice(s, e, a.stride) for s, e, a in zip(starts, stops, axes, strict=True)))


def split(x, groups):
    """The groups of the last axis as an axis of their own."""
    return x.reshape(*x.shape[:-1], groups, x.shape[-1] // groups)


def pixels(x, groups):
    """All axes before the channels as one."""
    return x.reshape(int(np.prod(x.shape[:-1])), groups, x.shape[-1] // groups)
