"""Python's search for garbage, put off while a graph is built and planned.

A large graph is millions of small objects that all stay alive; looking through them again and again takes longer than
making them.
"""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator


@contextlib.contextmanager
def collection_put_off() -> Iterator[None]:
    """No search for garbage inside, unless it was off before: then it stays as it is."""
    if not gc.isenabled():
        yield
        return
    gc.disable()
    try:
        yield
    finally:
        gc.enable()
