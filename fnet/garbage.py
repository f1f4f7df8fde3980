"""Python's search for garbage, put off while what stays alive is made."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def collection_put_off() -> Iterator[None]:
    """No search for garbage inside, unless it was off before: then it stays as it is.

    Graphs, plans and what a compiler makes are millions of small objects that stay alive; looking through them again
    and again takes longer than making them.
    """
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
