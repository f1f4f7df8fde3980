"""Windows of an image that a convolution, or its input gradient, multiplies by weights: their sizes and tables.

Targets are pixels of the result. They fall into residues, whose targets see the same taps: one for a convolution,
one for each remainder of the positions by the strides for an input gradient. A residue has a row of sizes, and a part
of the table `leads`: for each line of targets (the axes before the last) the line of the result; for each tap of
these axes and each line the line of the source, or -1; for each tap its number among the weights. Along the last axis
the tap t of the target i reads ``i * SCALE + t * STEP + OFFSET`` if that lies in [0, LIMIT), and the target is
``i * RESULT_STEP + RESULT_FIRST`` in its line of the result.
"""

from __future__ import annotations

import numpy as np

from fnet.kernels.cuda.runtime.kernel import cuda, device_function
from fnet.kernels.sizes import Sizes

# Samples, groups, channels of the source and columns of the result in a group; of a residue: lines of targets, targets
# in a line; pixels of the source in a sample; of a residue: taps, and those of the last axis; its SCALE to LIMIT;
# residues, and where the tables and the weights of one begin; of the result: pixels in a sample, those in a line, ...
WINDOW = (
    "samples groups depth columns lines line pixels taps last_taps scale step offset limit"
    " residues leads weights result_pixels result_line result_first result_step"
)
(
    SAMPLES, GROUPS, DEPTH, COLUMNS, LINES, LINE, PIXELS, TAPS, LAST_TAPS, SCALE, STEP, OFFSET, LIMIT,
    RESIDUES, LEADS, WEIGHTS, RESULT_PIXELS, RESULT_LINE, RESULT_FIRST, RESULT_STEP,
) = Sizes(WINDOW)  # fmt: skip


@device_function
def targets_of(sizes):
    """The number of targets of a residue."""
    return sizes[SAMPLES] * sizes[LINES] * sizes[LINE]


@device_function
def residue_of_block(leads, sizes, count):
    """The table and the sizes of the residue of a block, of `count` sizes each, and the number of its tile in it.

    Residues are the fastest part of x of the grid: blocks that run together read the same pixels.
    """
    residues, number = np.uint32(sizes[RESIDUES]), np.uint32(cuda.blockIdx.x)
    tile = np.uint32(number // residues)
    first = np.int64(np.uint32(number - tile * residues)) * count
    sizes = sizes[first : first + count]
    return leads[sizes[LEADS] :], sizes, tile


@device_function
def result_pixel(leads, sizes, sample, line, last):
    """The pixel of the result, over all samples, that a target is."""
    row = np.int64(leads[line]) * sizes[RESULT_LINE] + last * sizes[RESULT_STEP] + sizes[RESULT_FIRST]
    return sample * sizes[RESULT_PIXELS] + row
