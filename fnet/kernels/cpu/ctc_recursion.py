"""The two recursions of CTC over the states of an alignment, one frame at a time, as explicit vector code.

For a sample with labels l_0 .. l_{L-1} the states of an alignment are blank_0, label_0, blank_1, ..., label_{L-1},
blank_L; lane j holds blank_j and label_j. With y_t(k) = e^x_t(k) the forward pass computes, frame after frame,

    blank_j <- y_t(blank) (blank_j + label_{j-1})
    label_j <- y_t(l_j)   (label_j + blank_j + label_{j-1}), the last term only where l_j differs from l_{j-1};

the backward pass runs the same arrows in reverse. The normaliser of the softmax is common to all paths through a frame,
so it enters the loss as a sum of logarithms and leaves the occupancies unchanged. The states are scaled numbers
(`fnet.kernels.cpu.vector.scaled`), so nothing underflows and no logarithm is taken inside of the recursion.

A row of states has four sections of width + 1: mantissas and exponents of the blanks, then of the labels. Lane j is at
1 + j of a section in the forward pass, behind a zero, and at j in the backward pass, before a zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from llvmlite import ir

from fnet.kernels.cpu.vector.scaled import Scaled, ScaledArrays, ScaledVectors
from fnet.kernels.cpu.vector.simd import INT, Loop, Vectors, vector_code


def _advance(
    number: Any, blank: Scaled, label: Scaled, previous: Scaled, skip: Any, y_blank: Scaled, y: Scaled
) -> tuple[Scaled, Scaled]:
    """One frame of the forward recursion; `skip` is the exponent of what label_{j-1} -> label_j counts."""
    skipped = number.times_power(previous, skip)
    return (
        number.normalised(number.times(number.plus(blank, previous), y_blank)),
        number.normalised(number.times(number.plus(label, blank, skipped), y)),
    )


def _retreat(number: Any, blank: Scaled, label: Scaled, next_blank: Scaled, next_label: Scaled) -> tuple:
    """One frame of the backward recursion, from states that have been multiplied by their y already."""
    return (
        number.normalised(number.plus(blank, label)),
        number.normalised(number.plus(label, next_blank, next_label)),
    )


def _write_forward(simd: Vectors, values: Sequence[ir.Value]) -> None:
    before, after, y_blank, y, apart, skip, width = values
    builder, number = simd.builder, ScaledVectors(simd)
    section, y_blank_now = builder.add(width, INT(1)), number.load_one(y_blank, apart)
    labels = builder.add(section, section)
    blocks = builder.sdiv(width, INT(simd.lanes))
    loop = Loop(builder, blocks, [])
    # From the last block to the first, so that `after` may be `before`.
    lane = builder.mul(builder.sub(builder.sub(blocks, INT(1)), loop.index), INT(simd.lanes))
    blank_place, label_place = builder.add(lane, INT(1)), builder.add(builder.add(lane, labels), INT(1))
    states = _advance(
        number,
        number.load(simd.at(before, blank_place), section),
        number.load(simd.at(before, label_place), section),
        number.load(simd.at(before, builder.add(lane, labels)), section),
        simd.load(simd.at(skip, lane)),
        y_blank_now,
        number.load(simd.at(y, lane), apart),
    )
    for state, place in zip(states, (blank_place, label_place), strict=True):
        number.store(state, simd.at(after, place), section)
    loop.close([])


def _forward_in_python(before, after, y_blank, y, apart, skip, width):
    number, section = ScaledArrays(width), width + 1
    states = _advance(
        number,
        number.load(before[1:], section),
        number.load(before[2 * section + 1 :], section),
        number.load(before[2 * section :], section),
        skip[:width],
        number.load_one(y_blank, apart),
        number.load(y, apart),
    )
    for state, place in zip(states, (1, 2 * section + 1), strict=True):
        number.store(state, after[place:], section)


def _write_backward(simd: Vectors, values: Sequence[ir.Value]) -> None:
    states, alpha, y_blank, y, apart, skip, occupancy, width = values
    builder, number = simd.builder, ScaledVectors(simd)
    section, y_blank_now = builder.add(width, INT(1)), number.load_one(y_blank, apart)
    labels = builder.add(section, section)
    loop = Loop(builder, builder.sdiv(width, INT(simd.lanes)), [simd.constant(0.0)])
    lane = builder.mul(loop.index, INT(simd.lanes))
    following = builder.add(lane, INT(1))
    blank = number.load(simd.at(states, lane), section)
    label = number.load(simd.at(states, builder.add(lane, labels)), section)
    next_blank = number.load(simd.at(states, following), section)
    next_label = number.load(simd.at(states, builder.add(following, labels)), section)
    blank_before = number.load(simd.at(alpha, following), section)
    label_before = number.load(simd.at(alpha, builder.add(following, labels)), section)
    simd.store(number.value(number.times(label_before, label)), simd.at(occupancy, following))
    blanks = builder.fadd(loop.values[0], number.value(number.times(blank_before, blank)))
    next_label = number.times(next_label, number.load(simd.at(y, following), apart))
    now = _retreat(
        number,
        number.times(blank, y_blank_now),
        number.times(label, number.load(simd.at(y, lane), apart)),
        number.times(next_blank, y_blank_now),
        number.times_power(next_label, simd.load(simd.at(skip, following))),
    )
    for state, place in zip(now, (lane, builder.add(lane, labels)), strict=True):
        number.store(state, simd.at(states, place), section)
    loop.close([blanks])
    builder.store(simd.sum(loop.values[0]), occupancy, align=simd.bytes)


def _backward_in_python(states, alpha, y_blank, y, apart, skip, occupancy, width):
    number, section = ScaledArrays(width), width + 1
    blank, label = number.load(states, section), number.load(states[2 * section :], section)
    next_blank, next_label = number.load(states[1:], section), number.load(states[2 * section + 1 :], section)
    y_blank_now = number.load_one(y_blank, apart)
    blank_before, label_before = number.load(alpha[1:], section), number.load(alpha[2 * section + 1 :], section)
    occupancy[1 : width + 1] = number.value(number.times(label_before, label))
    occupancy[0] = np.sum(number.value(number.times(blank_before, blank)))
    next_label = number.times(next_label, number.load(y[1:], apart))
    now = _retreat(
        number,
        number.times(blank, y_blank_now),
        number.times(label, number.load(y, apart)),
        number.times(next_blank, y_blank_now),
        number.times_power(next_label, skip[1 : width + 1]),
    )
    for state, place in zip(now, (0, 2 * section), strict=True):
        number.store(state, states[place:], section)


# `forward(before, after, y_blank, y, apart, skip, width)` computes the states after a frame from those before it;
# `backward(states, alpha, y_blank, y, apart, skip, occupancy, width)` takes the states back over a frame, in place, and
# writes the occupancies of the frame: that of all blanks, then those of the labels.
forward = vector_code(_write_forward, _forward_in_python)
backward = vector_code(_write_backward, _backward_in_python)
