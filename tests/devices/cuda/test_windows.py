"""The residues of input gradients: what they read is what the definition says, and nothing is multiplied in vain."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from fnet.devices.cuda.windows import windows
from fnet.taps import Axes, Axis

AXES: dict[str, Axes] = {
    "stride 2": (Axis(9, 5, 3, 2, 1, 1), Axis(6, 3, 3, 2, 1, 0)),
    "strides of their own": (Axis(7, 2, 4, 3, 1, 0), Axis(5, 5, 3, 1, 1, 1)),
    "stride beyond the kernel": (Axis(8, 3, 2, 3, 1, 0),),
    "stride beyond the input": (Axis(3, 1, 2, 5, 1, 0), Axis(4, 2, 3, 2, 1, 1)),
    "dilation": (Axis(11, 4, 3, 2, 3, 0),),
    "dilation by the stride": (Axis(11, 4, 3, 2, 2, 0), Axis(12, 2, 3, 4, 2, 1)),
    "three axes": (Axis(3, 2, 2, 2, 1, 1), Axis(5, 2, 3, 2, 1, 0), Axis(4, 3, 2, 1, 1, 0)),
    "padding beyond the input": (Axis(2, 5, 3, 2, 1, 4), Axis(1, 3, 2, 2, 3, 3)),
}


def reads(axes: Axes) -> set[tuple[int, int, int]]:
    """The input, the tap and the output of each product of a convolution, as flat numbers."""
    found = set()
    outputs, taps = ([range(getattr(a, name)) for a in axes] for name in ("outputs", "kernel"))
    for output, tap in itertools.product(itertools.product(*outputs), itertools.product(*taps)):
        place = [o * a.stride + t * a.dilation - a.before for o, t, a in zip(output, tap, axes, strict=True)]
        if all(0 <= p < a.size for p, a in zip(place, axes, strict=True)):
            found.add(tuple(
                int(np.ravel_multi_index(index, [getattr(a, name) for a in axes]))
                for index, name in ((place, "size"), (tap, "kernel"), (output, "outputs"))
            ))  # fmt: skip
    return found


def described(axes: Axes, transposed: bool) -> list[tuple[int, int, int]]:
    """The result, the tap and the source of all products that the sizes and the table describe."""
    found, described = [], windows(1, axes, 1, 1, 1, transposed)
    for window, tap_table in zip(described.sizes, described.tap_tables, strict=True):
        table, lines = described.table[window["leads"] :], window["lines"]
        for line, last, tap in itertools.product(*(range(window[name]) for name in ("lines", "line", "taps"))):
            lead, last_tap = divmod(tap, window["last_taps"])
            source_line = int(table[(1 + lead) * lines + line])
            pixel = last * window["scale"] + last_tap * window["step"] + window["offset"]
            if source_line >= 0 and 0 <= pixel < window["limit"]:
                row = int(table[line]) * window["result_line"]
                row += last * window["result_step"] + window["result_first"]
                found.append((row, int(table[tap_table + tap]), source_line * window["limit"] + pixel))
    return found


@pytest.mark.parametrize("axes", AXES.values(), ids=AXES)
def test_windows_are_those_of_the_definition(axes: Axes):
    expected = reads(axes)
    found = described(axes, True)
    assert len(found) == len(set(found)) and set(found) == expected
    found = described(axes, False)
    assert len(found) == len(set(found)) and {(source, tap, row) for row, tap, source in found} == expected


def test_no_tap_between_the_strides_is_multiplied():
    axis = Axis(56, 28, 3, 2, 1, 0)
    sizes = windows(64, (axis, axis), 1, 128, 128, True).sizes
    assert [w["taps"] for w in sizes] == [4, 2, 2, 1]
    assert [w["weights"] for w in sizes] == [128 * 128 * taps for taps in (0, 4, 6, 8)]
    products = sum(w["samples"] * w["lines"] * w["line"] * w["taps"] for w in sizes)
    assert products == 64 * 56 * 56 * 9 // 4


@pytest.mark.parametrize("axes", AXES.values(), ids=AXES)
def test_the_taps_of_residues_are_all_taps_once(axes: Axes):
    found = windows(1, axes, 1, 1, 1, True)
    if all(a.size >= a.stride for a in axes):
        assert sorted(found.taps) == list(range(int(np.prod([a.kernel for a in axes]))))
