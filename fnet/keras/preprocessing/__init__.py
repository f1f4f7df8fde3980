"""What older tutorials take from ``keras.preprocessing``: sequences, texts, images."""

from fnet.first_use import on_first_use as _on_first_use

__getattr__, __dir__, __all__ = _on_first_use(__name__)
