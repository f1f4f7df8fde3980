"""Step lengths along a direction of descent: backtracking, and the strong Wolfe conditions.

A trial is the function along the direction, ``phi(t) = f(x + t p)``, with its slope ``phi'(t)``. Values that are not
finite count as no decrease. Decreases smaller than the rounding errors of the value cannot be seen: there, the slope
alone decides (Hager and Zhang 2005 call this the approximate Wolfe conditions).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np

from fnet.optimizers.second_order.minimizer import rounding
from fnet.optimizers.second_order.objective import FlatObjective, FlatResiduals, Point

GROWTH = 4.0  # of the step while the minimum is not bracketed
MARGIN = 0.1  # of a bracket, which a trial keeps from its ends


class Trial(NamedTuple):
    """The function at ``x + step p``."""

    step: float
    value: float
    slope: float
    point: Point


class Found(NamedTuple):
    """The trial, None where none decreases the function; the evaluations so far; whether Wolfe's conditions hold."""

    trial: Trial | None
    evaluations: int
    wolfe: bool


class Line:
    """The function along one direction, counting its evaluations."""

    def __init__(self, flat: FlatObjective | FlatResiduals, point: Point, direction: np.ndarray, slope: float) -> None:
        self.start = Trial(0.0, float(point.value), slope, point)
        self.noise = rounding(point)
        self.evaluations = 0
        self._along, self._direction = flat.along, direction

    def at(self, step: float) -> Trial:
        """The trial at a step."""
        self.evaluations += 1
        x = self.start.point.x
        value, slope, moved, gradient = self._along(x, self._direction, np.asarray(step, x.dtype))
        return Trial(step, float(value), float(slope), Point(moved, value, gradient))

    def enough(self, trial: Trial, c1: float) -> bool:
        """Armijo's ``phi(t) <= phi(0) + c1 t phi'(0)``, up to rounding; False where a number is not finite."""
        bound = self.start.value + c1 * trial.step * self.start.slope + self.noise
        return math.isfinite(trial.slope) and trial.value <= bound and math.isfinite(trial.value)


def backtracking(line: Line, first: float = 1.0, c1: float = 1e-4, most: int = 40) -> Found:
    """The first of ever shorter steps that decreases the function enough.

    ``phi(t) <= phi(0) + c1 t phi'(0)``; the next t minimises the parabola through phi(0), phi'(0) and phi(t), within
    [0.1 t, 0.5 t]. Source: Nocedal and Wright 2006, algorithm 3.1.
    """
    step = first
    for _ in range(most):
        trial = line.at(step)
        if line.enough(trial, c1):
            return Found(trial, line.evaluations, False)
        step = _shorter(line.start, trial)
    return Found(None, line.evaluations, False)


def strong_wolfe(line: Line, first: float = 1.0, c1: float = 1e-4, c2: float = 0.9, most: int = 40) -> Found:
    """A step with ``phi(t) <= phi(0) + c1 t phi'(0)`` and ``|phi'(t)| <= c2 |phi'(0)|``.

    Where `most` trials do not find one, the best that decreased the function enough, with ``wolfe=False``.
    Source: Nocedal and Wright 2006, algorithms 3.5 (bracket) and 3.6 (zoom), with cubic interpolation (3.59).
    """
    low, step = line.start, first
    while line.evaluations < most:
        trial = line.at(step)
        if not line.enough(trial, c1) or trial.value > low.value + line.noise:
            return _zoom(line, low, trial, c1, c2, most)
        if abs(trial.slope) <= -c2 * line.start.slope:
            return Found(trial, line.evaluations, True)
        if trial.slope >= 0:
            return _zoom(line, trial, low, c1, c2, most)
        low, step = trial, GROWTH * step
    return Found(low if low.step > 0 else None, line.evaluations, False)


def _zoom(line: Line, low: Trial, high: Trial, c1: float, c2: float, most: int) -> Found:
    """Shrink a bracket whose end `low` is the best so far and slopes down into it."""
    while line.evaluations < most:
        trial = line.at(_between(low, high))
        if not line.enough(trial, c1) or trial.value > low.value + line.noise:
            high = trial
            continue
        if abs(trial.slope) <= -c2 * line.start.slope:
            return Found(trial, line.evaluations, True)
        if trial.slope * (high.step - low.step) >= 0:
            high = low
        low = trial
    return Found(low if low.step > 0 else None, line.evaluations, False)


def _shorter(start: Trial, trial: Trial) -> float:
    above = trial.value - start.value - start.slope * trial.step
    if not math.isfinite(above) or above <= 0:
        return MARGIN * trial.step
    best = -start.slope * trial.step / (2 * above)
    return trial.step * min(max(best, MARGIN), 0.5)


def _between(a: Trial, b: Trial) -> float:
    """The minimum of the cubic through both trials, kept inside; nearer to `a` where `b` is not finite."""
    width = b.step - a.step
    if not (math.isfinite(b.value) and math.isfinite(b.slope)):
        return a.step + MARGIN * width
    d1 = a.slope + b.slope - 3 * (b.value - a.value) / width
    square = d1 * d1 - a.slope * b.slope
    root = math.copysign(math.sqrt(square), width) if square >= 0 else math.nan
    denominator = b.slope - a.slope + 2 * root
    part = 1 - (b.slope + root - d1) / denominator if denominator else math.nan
    if not math.isfinite(part):
        part = 0.5
    return a.step + min(max(part, MARGIN), 1 - MARGIN) * width
