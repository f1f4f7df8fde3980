"""Trees: nested dicts, lists, tuples and named tuples of arrays, taken apart and put together as pure data.

A container is a dict, OrderedDict, list, tuple, named tuple, None (no leaves) or a class given to `register`;
everything else is a leaf, other subclasses of the built-in containers included. Dicts match **by key**: the order of
the first tree wins. A path joins keys and indices with slashes: ``dense/kernel``, ``layers/0/bias``.
"""

from fnet.first_use import on_first_use as _on_first_use

__getattr__, __dir__, __all__ = _on_first_use(__name__)
