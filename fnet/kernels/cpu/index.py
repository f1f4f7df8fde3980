"""Gather and scatter along one axis; an index outside the table gives NaN (0 for integers), never a stray read."""

from __future__ import annotations

from fnet.kernels.policy import kernel


@kernel
def take(x, index, missing, y, outer, size, count, inner):
    """``y[o, c, i] = x[o, index[c], i]`` for x: (outer, size, inner), index: (count,), y: (outer, count, inner)."""
    for o in range(outer):
        for c in range(count):
            k = index[c]
            if k < 0:
                k += size
            target = (o * count + c) * inner
            if 0 <= k < size:
                source = (o * size + k) * inner
                for i in range(inner):
                    y[target + i] = x[source + i]
            else:
                for i in range(inner):
                    y[target + i] = missing[0]


@kernel
def scatter_add(g, index, y, outer, size, count, inner):
    """``y[o, index[c], i] += g[o, c, i]`` in the order of c, from zeros; indices outside the table are left out."""
    for i in range(outer * size * inner):
        y[i] = 0
    for o in range(outer):
        for c in range(count):
            k = index[c]
            if k < 0:
                k += size
            if 0 <= k < size:
                source, target = (o * count + c) * inner, (o * size + k) * inner
                for i in range(inner):
                    y[target + i] += g[source + i]
