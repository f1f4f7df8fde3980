"""Trees: nested dicts, lists, tuples and named tuples of arrays, taken apart and put together as pure data.

A container is a dict, OrderedDict, list, tuple, named tuple, None (no leaves) or a class given to `register`;
everything else is a leaf, other subclasses of the built-in containers included. Dicts match **by key**: the order of
the first tree wins. A path joins keys and indices with slashes: ``dense/kernel``, ``layers/0/bias``.
"""

from fnet.tree.functions import all_equal, combine, leaves_with_path, map, map_with_path, partition, ravel
from fnet.tree.treedef import TreeDef, broadcast_prefix, flatten, flatten_like, leaves, register, structure, unflatten

__all__ = [
    "TreeDef",
    "all_equal",
    "broadcast_prefix",
    "combine",
    "flatten",
    "flatten_like",
    "leaves",
    "leaves_with_path",
    "map",
    "map_with_path",
    "partition",
    "ravel",
    "register",
    "structure",
    "unflatten",
]
