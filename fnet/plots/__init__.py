"""Pictures of training, of predictions and of what networks have learned, drawn by matplotlib.

Each function returns a matplotlib figure, and draws into axes that it is given, or into a figure of its own, which
pyplot does not know: show it in a notebook by its name, or write it with ``figure.savefig("picture.png")``. matplotlib
(the extra ``plots``) is imported on first use only.
"""

from fnet.first_use import on_first_use as _on_first_use

__getattr__, __dir__, __all__ = _on_first_use(__name__)
