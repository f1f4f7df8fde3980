"""Checks for what users write: gradients against differences, layers against the contract, arrays for Hypothesis.

`fnet.testing.strategies` needs the package hypothesis and is imported on first use only.
"""

from fnet.first_use import on_first_use as _on_first_use

__getattr__, __dir__, __all__ = _on_first_use(__name__)
