"""``keras.ops.image``: images (H, W, C) or (N, H, W, C), or with their channels in front."""

from fnet.first_use import on_first_use as _on_first_use

__getattr__, __dir__, __all__ = _on_first_use(__name__)
