"""The one function of scalars whose calls may be reordered."""

from __future__ import annotations


def accumulate(total, value):
    """``total + value`` in a sum that may run in several lanes; nothing around it is reordered."""
    return total + value
