"""What HDF5 can be asked to do: each function spoils the first layer of a good file."""

from __future__ import annotations

import zlib
from collections.abc import Callable
from typing import Any

import h5py
import numpy as np

from tests.io.keras.hostile_files import (
    Place,
)


def replaced(file: h5py.File, path: str, new: Any) -> None:
    del file[path]
    file[path] = new


def soft_link(file: h5py.File, at: Place) -> None:
    file.move(at.kernel, "elsewhere")
    file[at.kernel] = h5py.SoftLink("/elsewhere")


def soft_link_on_the_way(file: h5py.File, at: Place) -> None:
    file.move(at.group, "elsewhere")
    file[at.group] = h5py.SoftLink("/elsewhere")


def external_link(file: h5py.File, at: Place) -> None:
    replaced(file, at.kernel, h5py.ExternalLink("secret.h5", "kernel"))


def external_link_on_the_way(file: h5py.File, at: Place) -> None:
    replaced(file, at.group, h5py.ExternalLink("secret.h5", "/"))


def external_storage(file: h5py.File, at: Place) -> None:
    del file[at.kernel]
    file.create_dataset(at.kernel, (4, 3), "f4", external=[("secret.bin", 0, 48)])


def virtual_dataset(file: h5py.File, at: Place) -> None:
    del file[at.kernel]
    layout = h5py.VirtualLayout((4, 3), "f4")
    layout[:] = h5py.VirtualSource("secret.h5", "kernel", (4, 3))
    file.create_virtual_dataset(at.kernel, layout)


def huge_shape(file: h5py.File, at: Place) -> None:
    del file[at.kernel]
    space = h5py.h5s.create_simple((1 << 30, 1 << 20))
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_layout(h5py.h5d.CHUNKED)
    plist.set_chunk((1, 16))
    parent, _, name = at.kernel.rpartition("/")
    h5py.h5d.create(file[parent].id, name.encode(), h5py.h5t.IEEE_F32LE, space, plist)


def inflating_chunk(file: h5py.File, at: Place) -> None:
    del file[at.kernel]
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((4, 3))
    plist.set_deflate(9)
    parent, _, name = at.kernel.rpartition("/")
    made = h5py.h5d.create(
        file[parent].id, name.encode(), h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((4, 3)), plist
    )  # fmt: skip
    made.write_direct_chunk((0, 0), zlib.compress(bytes(1 << 26)))


def foreign_filter(file: h5py.File, at: Place) -> None:
    del file[at.kernel]
    plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
    plist.set_chunk((4, 3))
    plist.set_filter(32768 + 77, h5py.h5z.FLAG_OPTIONAL)
    parent, _, name = at.kernel.rpartition("/")
    h5py.h5d.create(file[parent].id, name.encode(), h5py.h5t.IEEE_F32LE, h5py.h5s.create_simple((4, 3)), plist)


def of_type(dtype: Any) -> Callable[[h5py.File, Place], None]:
    def spoil(file: h5py.File, at: Place) -> None:
        del file[at.kernel]
        file.create_dataset(at.kernel, (4, 3), dtype)

    return spoil


def opaque(file: h5py.File, at: Place) -> None:
    replaced(file, at.kernel, np.zeros((4, 3), h5py.opaque_dtype("V8")))


def group_for_an_array(file: h5py.File, at: Place) -> None:
    del file[at.kernel]
    file.create_group(at.kernel)


def array_for_a_group(file: h5py.File, at: Place) -> None:
    replaced(file, at.group, np.zeros(3))


def type_for_a_group(file: h5py.File, at: Place) -> None:
    replaced(file, at.group, np.dtype("f8"))


def cycle(file: h5py.File, at: Place) -> None:
    """Groups that hold each other, in place of the layer's."""
    del file[at.group]
    inner = file.create_group(at.group)
    for part in {*at.kernel.removeprefix(at.group).strip("/").split("/"), "vars", "again"}:
        inner[part] = inner


def names_of(names: Any, attribute: str = "layer_names") -> Callable[[h5py.File, Place], None]:
    def spoil(file: h5py.File, at: Place) -> None:
        if at.names is None:
            raise NotImplementedError
        group = file[at.names if attribute == "layer_names" else at.group]
        del group.attrs[attribute]
        group.attrs[attribute] = names

    return spoil


STRUCTURES: dict[str, tuple[Callable[[h5py.File, Place], None], str]] = {
    "soft link": (soft_link, "is a SoftLink, which is refused"),
    "soft link on the way": (soft_link_on_the_way, "is a SoftLink, which is refused"),
    "external link": (external_link, "is a ExternalLink, which is refused"),
    "external link on the way": (external_link_on_the_way, "is a ExternalLink, which is refused"),
    "external storage": (external_storage, "are in another file, which is refused"),
    "virtual dataset": (virtual_dataset, "are in another file, which is refused"),
    "huge shape": (huge_shape, r"is \(1073741824, 1048576\), expected \(4, 3\)"),
    "inflating chunk": (inflating_chunk, "becomes more than 52 bytes, which it should have: it is hostile"),
    "foreign filter": (foreign_filter, r"uses the filters \[32845\]"),
    "objects": (of_type(h5py.string_dtype()), "is object, expected numbers"),
    "ragged": (of_type(h5py.vlen_dtype(np.float32)), "is object, expected numbers"),
    "references": (of_type(h5py.ref_dtype), "is object, expected numbers"),
    "regions": (of_type(h5py.regionref_dtype), "is object, expected numbers"),
    "compound": (of_type([("a", "f4"), ("b", "f8")]), "expected numbers"),
    "enumeration": (of_type(h5py.enum_dtype({"A": 1}, "i4")), "expected"),
    "texts": (of_type("S4"), "expected numbers"),
    "complex": (of_type("c8"), "is complex64, expected numbers"),
    "opaque": (opaque, "expected numbers"),
    "group for an array": (group_for_an_array, "is a group, expected a dataset"),
    "array for a group": (array_for_a_group, "expected a group|there is no dataset|missing"),
    "type for a group": (type_for_a_group, "is neither a group nor a dataset"),
    "cycle": (cycle, "is a group, expected a dataset|lists|there is no|missing|another network"),
    "names elsewhere": (names_of([b"../model_weights/one", b"two"]), "there is no group '"),
    "absolute names": (names_of([b"/model_weights/one", b"two"]), "there is no group '"),
    "a name alone": (names_of(b"one"), "'layer_names' is no list of names"),
    "numbers for names": (names_of(np.arange(3)), "'layer_names' is no list of at most 100000 names"),
    "names in a table": (names_of(np.array([[b"one"], [b"two"]])), "'layer_names' is no list of names"),
    "names that are no text": (names_of([b"\xff\xfe", b"two"]), "'layer_names' is no list of names"),
    "odd names": (names_of(["\x1b[2J\u202e".encode(), b"two"]), r"there is no group 'model_weights/\\x1b\[2J\\u202e"),
    "empty names": (names_of([b"", b"two"]), "it has the weights of another network|there is no group"),
    "names twice": (names_of([b"one", b"one"]), "it lists an array twice|expected"),
    "weights twice": (names_of([b"one/kernel", b"one/kernel"], "weight_names"), "it lists an array twice"),
    "weights of another": (names_of([b"../two/two/kernel", b"one/bias"], "weight_names"), "missing '"),
    "a weight too many": (names_of([b"one/kernel", b"one/bias", b"x"], "weight_names"), "has 3 weights, expected 2"),
}
