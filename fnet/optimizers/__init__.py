"""Optimizers, as pure pairs.

``init(params) -> opt_state`` and ``update(grads, opt_state, params) -> (updates, opt_state)``.
"""

from fnet.first_use import on_first_use as _on_first_use

__getattr__, __dir__, __all__ = _on_first_use(__name__)
