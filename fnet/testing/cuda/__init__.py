"""Running CUDA kernels without a card, thread by thread, in search of what a card leaves undefined.

`fnet.testing.cuda.run_kernel` takes any kernel marked ``@cuda.jit``, of fnet or of your own.
"""

from fnet.first_use import on_first_use as _on_first_use

__getattr__, __dir__, __all__ = _on_first_use(__name__)
