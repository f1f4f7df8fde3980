"""Weights in HDF5: one dataset for each leaf, below ``params`` and ``state``, and a manifest with checksums.

A file has its arrays under the names of Keras, too, by which Keras loads them into a model of the same layers. They are
links to the same data, so the file is no larger for it.
"""

from __future__ import annotations

import functools
import math
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from fnet import tree
from fnet.errors import FileError, StructureError, scope
from fnet.io import arrays, hdf5, manifest
from fnet.io.arrays import Leaf
from fnet.io.belonging import check_trees
from fnet.io.keras import archive, legacy, variables_file
from fnet.io.keras.calls import calls_of
from fnet.io.keras.checksums import Checked
from fnet.io.keras.config import Config
from fnet.io.keras.members import Member, view
from fnet.io.keras.networks import read_model
from fnet.io.keras.variables import Variable, same
from fnet.io.keras.vocabulary_files import with_vocabularies
from fnet.networks.layer import Layer, is_path_part
from fnet.networks.parameters import placed_layers
from fnet.networks.storage import Stored
from fnet.spec import check_dtype
from fnet.transfer import to_host

WEIGHTS = manifest.FileKind("fnet weights", "network", (legacy.GROUP, variables_file.GROUP, "vars"))


def save_weights(path: str | os.PathLike[str], net: Layer, params: Any, state: Any, *, nested: bool = False) -> None:
    """Write the arrays of `params` and `state` to an HDF5 file, which replaces one that is at `path`.

    Keras loads the file into a model of the same layers: a file ``*.weights.h5`` as one of Keras 3, any other ``*.h5``
    or ``*.hdf5`` as one of the older layout, which ``tf.keras`` 2 reads, too. nested: whether a `serial` or `graph`
    within the network is a model within that model, as those of `fnet.keras` are; else their layers are its own.
    The file is read back and compared before it takes its place; after a failure the old one is still there.
    Raises `StructureError` for trees that are not those of `net` and for paths that HDF5 cannot hold, `FileError` where
    `path` is no regular file, `OSError` where it cannot be written.

    >>> import tempfile
    >>> from fnet import random
    >>> from fnet.layers import Dense
    >>> net = Dense(2)
    >>> params, state = net.init(random.key(0), (3,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_weights(f"{folder}/weights.h5", net, params, state)
    ...     loaded, _ = load_weights(f"{folder}/weights.h5", net, params, state)
    >>> tree.all_equal(loaded, params)
    True
    """
    _check_net(net)
    check_trees(net, params, state)
    params, state = to_host((params, state))
    leaves = _leaves(params, state)
    for name, leaf in leaves.items():
        with scope(name):
            check_dtype(leaf.array.dtype)
    arrays.save(path, leaves, WEIGHTS, _keras_view(os.fspath(path), net, params, state, nested))


def load_weights(path: str | os.PathLike[str], net: Layer, params: Any, state: Any) -> tuple[Any, Any]:
    """``(params, state)`` from a file of weights; the arguments say what is expected and are not changed.

    path: a file of `save_weights`, or one that Keras wrote: ``*.weights.h5``, the older ``*.h5`` with weights or a
    whole model, a ``*.keras`` archive. What Keras does not keep, such as counters, is as in `state`. Weights of models
    within a model are those of networks within `net`, or of a chain of their layers, if these fit in one order alone,
    or the config of an archive tells which.

    params, state: trees of arrays as ``net.init`` makes them: structure, shapes and dtypes must be those of the file.
    What layers learn from data, as vocabularies, has the sizes of the file.
    Raises `FileError` for files that are damaged, hostile or of another network, `OSError` where there is none, or
    none that may be read.
    """
    _check_net(net)
    params, state = to_host((params, state))
    template = _leaves(params, state)
    place = Path(path)
    if place.is_file() and os.access(place, os.R_OK) and archive.is_archive(place):
        with (
            scope(str(path)),
            archive.opened(place) as packed,
            archive.weights(packed) as inner,
            arrays.opened(inner, Path(archive.WEIGHTS)) as file,
        ):
            loaded = _from_keras(file, net, params, state, template, functools.partial(_members, packed))
    else:
        with arrays.opened(place, place) as file:
            if _is_keras(file):
                loaded = _from_keras(file, net, params, state, template)
            else:
                found = arrays.entries(file, template, WEIGHTS)
                template |= _learnt(net, template, found, hdf5.size(file))
                loaded = arrays.read(file, found, template, WEIGHTS)
    values = iter(loaded.values())
    return tree.map(lambda leaf: next(values), (params, state))


def _keras_view(path: str, net: Layer, params: Any, state: Any, nested: bool) -> Callable[[Any], None] | None:
    """The function that gives the arrays in a file the names of Keras as well, None where Keras has none for them."""
    if not path.endswith((".h5", ".hdf5")) or not tree.leaves((params, state)):
        return None
    members = view(net, params, state, nested)
    if members is None:
        return None

    def add(file: Any) -> None:
        def put(group: Any, name: str, variable: Variable) -> None:
            array = file[variable.path]
            if variable.to_keras is same:
                group[name] = array
            else:
                group.create_dataset(name, data=variable.to_keras(array[()]))

        if path.endswith(".weights.h5"):
            variables_file.write(file, members, put)
        else:
            legacy.write(file.create_group(legacy.GROUP), members, put)

    return add


def _learnt(net: Layer, template: dict[str, Leaf], found: dict[str, manifest.Entry], in_file: int) -> dict[str, Leaf]:
    """The leaves of layers that learn from data, in the sizes of the file, as far as it can hold them."""
    places = [place.path for place in placed_layers(net) if place.layer.learning is not None]
    prefixes = tuple(f"state/{path}/" if path else "state/" for path in places)
    sized: dict[str, Leaf] = {}
    for name, leaf in template.items():
        shape = found[name].shape if name in found and prefixes and name.startswith(prefixes) else leaf.array.shape
        if shape != leaf.array.shape and len(shape) == leaf.array.ndim:
            sized[name] = Leaf(np.broadcast_to(np.zeros((), leaf.array.dtype), shape), leaf.dtype)
    if sum(math.prod(leaf.array.shape) * leaf.array.itemsize for leaf in sized.values()) > 1100 * in_file + (1 << 20):
        raise FileError("its vocabularies are larger than a file of this size can hold: it is damaged or hostile.")
    return sized


def _is_keras(file: Any) -> bool:
    """Whether Keras wrote the file, or fnet as a whole model: then it has no tree of fnet's names."""
    own = any(file.get(name, getlink=True) is not None for name in ("params", "state"))
    return not own and (legacy.is_there(file) is not None or variables_file.is_there(file))


def _members(packed: Any) -> list[Member]:
    """The layers that the config of an archive says."""
    described = with_vocabularies(manifest.parsed(archive.config(packed)), functools.partial(archive.text, packed))
    return read_model(Config(described, "model")).members


def _from_keras(
    file: Any,
    net: Layer,
    params: Any,
    state: Any,
    template: dict[str, Leaf],
    told: Callable[[], list[Member]] | None = None,
) -> dict[str, np.ndarray]:
    """The arrays of a file of Keras, by their paths and in the order of `template`; see `flattened.assigned`."""
    flat, nested = (view(net, params, state, models) for models in (False, True))
    if flat is None or nested is None:
        raise StructureError(f"{net.kind}: Keras has no form for this network, so no file of Keras can be one of it.")
    templates = {name: leaf.array for name, leaf in template.items()}
    checked = Checked(file)
    group = legacy.is_there(file)
    chain = calls_of(net).chain() is not None
    if group is None:
        nearest = variables_file.nearest(file, (flat, nested))
        by_order = chain and nearest is flat
        found = variables_file.read_chain(file, flat, templates, checked.numbers, told) if by_order else None
        found = variables_file.read(file, nearest, templates, checked.numbers) if found is None else found
    else:
        nearest = legacy.nearest(file, group, (flat, nested))
        found = legacy.read(file, group, nearest, templates, checked.numbers, chain and nearest is flat)
    checked.all_compared(with_training=False)
    return {name: found.get(name, array) for name, array in templates.items()}


def _leaves(params: Any, state: Any) -> dict[str, Leaf]:
    """The leaves by path, below ``params`` and ``state``; a path must say in one way which groups a leaf is in."""
    both = {"params": params, "state": state}
    formats = {
        f"{path}/bits": leaf.format
        for path, leaf in tree.leaves_with_path(both, is_leaf=lambda x: isinstance(x, Stored))
        if isinstance(leaf, Stored)
    }
    pairs = [(path, np.asarray(leaf)) for path, leaf in tree.leaves_with_path(both)]
    leaves = {path: Leaf(array, formats.get(path, array.dtype.name)) for path, array in pairs}
    for name in leaves:
        if any(not is_path_part(part) for part in name.split("/")):
            raise StructureError(
                f"{name!r} cannot be a path in an HDF5 file: keys must be text, not be empty, '.', or contain NUL."
            )
    inner = {"/".join(name.split("/")[:depth]) for name in leaves for depth in range(1, name.count("/") + 1)}
    if len(leaves) < len(pairs) or inner & set(leaves):
        raise StructureError("two leaves have the same path, or one lies within another: use keys without '/'.")
    return leaves


def _check_net(net: Any) -> None:
    if not isinstance(net, Layer):
        raise StructureError(f"expected a Layer as the second argument, received a {type(net).__name__}.")
