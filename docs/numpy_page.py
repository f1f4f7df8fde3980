"""Writes the page of NumPy's functions that traced values take: ``python docs/numpy_page.py``."""

from __future__ import annotations

import sys
import textwrap
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))

from fnet.ops import numpy_functions, operators  # noqa: E402

PAGE = HERE / "reference" / "numpy.md"
HEAD = """# NumPy's functions

In `fnet.grad`, `fnet.jit` and the other transforms, and on arrays of a device, these functions of NumPy work on values
that are not known yet, with derivatives where there are any. They compute what NumPy computes; floating results keep
float32. Any other function of NumPy says in its error what does its work. Operators (`+`, `@`, `&`, `<<`, ...),
indexing, slices and most methods of arrays (`x.sum()`, `x.T`, ...) work, too.

"""


def text() -> str:
    """The page, from the tables that answer the calls."""
    common = {**operators.UFUNCS, **operators.FUNCTIONS}
    names = {f.__name__ for f in common if f is not np.linalg.norm} | {"absolute"}
    names |= {name for name in {**numpy_functions.UFUNCS, **numpy_functions.FUNCTIONS} if name != "trapz"}
    parts = []
    for title, room, found in (
        ("np", "np", sorted(names)),
        ("np.linalg", "np.linalg", sorted({"norm", *numpy_functions.LINALG})),
    ):
        listed = ", ".join(f"`{room}.{name}`" for name in found)
        parts.append(f"## {title}\n\n" + textwrap.fill(listed, 120, break_long_words=False, break_on_hyphens=False))
    return HEAD + "\n\n".join(parts) + "\n"


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
