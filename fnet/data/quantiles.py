"""Quantiles of many numbers, of which no more than a summary is kept."""

from __future__ import annotations

import numpy as np

Summary = np.ndarray
"""(2, n) float32: values in rising order, and how many numbers each stands for."""


def summarised(values: np.ndarray, epsilon: float) -> Summary:
    """The summary of some numbers: about ``1 / epsilon`` of them at equal distances. Source: Keras ``summarize``."""
    ordered = np.sort(np.reshape(values, -1).astype(np.float32))
    step = max(ordered.size * epsilon, 1)
    kept = ordered[int(step - 1) :: int(step)]
    return np.stack([kept, np.full_like(kept, step)])


def joined(one: Summary, other: Summary, epsilon: float) -> Summary:
    """The summary of the numbers of both."""
    both = np.concatenate((one, other), axis=1)
    return compressed(both[:, np.argsort(both[0])], epsilon)


def compressed(summary: Summary, epsilon: float) -> Summary:
    """A summary of ``1 / epsilon`` values, or the same where it has no more. Source: Keras ``compress_summary``."""
    if summary.shape[1] * epsilon < 1:
        return summary
    shares = epsilon + np.arange(0.0, 1.0, epsilon)
    total = summary[1].cumsum()
    found = total / total[-1]
    values = np.interp(shares, found, summary[0])
    counts = np.diff(np.interp(shares, found, total), prepend=0)
    return np.stack((values, counts)).astype(np.float32)


def boundaries(summary: Summary, bins: int) -> np.ndarray:
    """What parts the numbers of a summary into `bins` of about equally many; fewer where there are too few numbers."""
    return compressed(summary, 1 / bins)[0, :-1]
