"""Callbacks: what looks on while `Trainer.fit` trains, and may stop it, change its learning rate or its state.

A function ``(epoch, logs, ts)`` is a callback too; a class of your own extends `Callback`.
"""

from fnet.first_use import on_first_use as _on_first_use

__getattr__, __dir__, __all__ = _on_first_use(__name__, "callback")
