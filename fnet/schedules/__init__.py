"""Learning-rate schedules: pure functions ``step -> value`` of the 0-based step, also of a traced one.

A function of your own is a schedule too, if it is written with `fnet.ops` or NumPy functions.
"""

from fnet.first_use import on_first_use as _on_first_use

__getattr__, __dir__, __all__ = _on_first_use(__name__)
