"""Files of Keras' formats that someone made to do harm: each function spoils a good one."""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import h5py
import numpy as np

from fnet import random, save_model, save_weights, serial
from fnet.layers import Dense

NET = serial(Dense(3, name="one"), Dense(2, name="two"))
PARAMS, STATE = NET.init(random.key(0), (4,))
KINDS = ("model.h5", "model.keras", "legacy.h5", "new.weights.h5")


class Place(NamedTuple):
    """Where the first layer is in a file."""

    group: str
    kernel: str
    names: str | None  # the group whose attribute lists the layers


LEGACY = Place("model_weights/one", "model_weights/one/one/kernel", "model_weights")
NEW = Place("layers/dense", "layers/dense/vars/0", None)


def place_of(kind: str) -> Place:
    return NEW if kind in ("model.keras", "new.weights.h5") else LEGACY


def make_good(folder: Path, kind: str) -> Path:
    """A good file without a list of checksums: who makes a hostile one leaves it out."""
    path = folder / kind
    if kind.startswith("model"):
        save_model(path, NET, PARAMS, STATE)
    else:
        save_weights(path, NET, PARAMS, STATE)
    with_hdf5(path, without_checksums)
    return path


def without_checksums(file: h5py.File) -> None:
    """Leave what Keras has."""
    for part, names in ((file, ("manifest", "params", "state")), (file.attrs, ("fnet",))):
        for name in names:
            if name in part:
                del part[name]


def with_hdf5(path: Path, change: Callable[[h5py.File], Any]) -> None:
    """Change the HDF5 file, or that in an archive."""
    if path.suffix != ".keras":
        with h5py.File(path, "r+") as file:
            change(file)
        return
    members = members_of(path)
    inner = path.with_suffix(".inner.h5")
    inner.write_bytes(members["model.weights.h5"])
    with h5py.File(inner, "r+") as file:
        change(file)
    write_archive(path, members | {"model.weights.h5": inner.read_bytes()})
    inner.unlink()


def with_config(path: Path, change: Callable[[str], str | bytes]) -> None:
    """Change the text that says the model."""
    if path.suffix == ".keras":
        members = members_of(path)
        changed = change(members["config.json"].decode())
        write_archive(path, members | {"config.json": changed if isinstance(changed, bytes) else changed.encode()})
        return
    with h5py.File(path, "r+") as file:
        text = file.attrs["model_config"]
        changed = change(text if isinstance(text, str) else text.decode())
        file.attrs["model_config"] = np.bytes_(changed) if isinstance(changed, bytes) else changed


def members_of(path: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(path) as file:
        return {name: file.read(name) for name in file.namelist()}


def write_archive(path: Path, members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> None:
    with zipfile.ZipFile(path, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)


def edited(change: Callable[[dict[str, Any]], Any]) -> Callable[[str], str]:
    """A change of a config as text, from one of the object that it says."""

    def change_text(text: str) -> str:
        config = json.loads(text)
        change(config)
        return json.dumps(config)

    return change_text


def dense(config: dict[str, Any]) -> dict[str, Any]:
    return config["config"]["layers"][1]


# ---------------------------------------------------------------------------- what HDF5 can be asked to do


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


# ------------------------------------------------------------------------------------- what a config can say


def nested(text: str) -> str:
    return "[" * 200_000 + "]" * 200_000


def layers_within_layers(config: dict[str, Any]) -> None:
    for _ in range(150):
        config["config"]["layers"][1] = {
            "class_name": "TimeDistributed", "config": {"name": "x", "layer": config["config"]["layers"][1]}
        }  # fmt: skip


def models_within_models(config: dict[str, Any]) -> None:
    for _ in range(150):
        config["config"]["layers"][1] = {
            "class_name": "Sequential",
            "config": {"layers": config["config"]["layers"][1:]},
        }


def many_layers(config: dict[str, Any]) -> None:
    config["config"]["layers"] += [config["config"]["layers"][1]] * 20_000


def functional(**fields: Any) -> Callable[[dict[str, Any]], None]:
    """A functional model in place of the chain."""

    def change(config: dict[str, Any]) -> None:
        first, one, two = config["config"]["layers"]
        for entry, before in ((first, None), (one, first), (two, one)):
            entry["name"] = entry["config"]["name"]
            entry["inbound_nodes"] = [] if before is None else [[[before["config"]["name"], 0, 0, {}]]]
        entries = {"first": first, "one": one, "two": two}
        for key, value in fields.items():
            if key in entries:
                entries[key].update(value)
        last = fields.get("outputs", [["two", 0, 0]])
        config["class_name"] = "Functional"
        config["config"] = {
            "name": "net", "layers": [first, one, two],
            "input_layers": fields.get("inputs", [[first["name"], 0, 0]]), "output_layers": last,
        }  # fmt: skip

    return change


def said(**fields: Any) -> Callable[[str], str]:
    """Another object in place of a layer."""
    return edited(lambda config: dense(config).update(fields))


def with_fields(**fields: Any) -> Callable[[str], str]:
    return edited(lambda config: dense(config)["config"].update(fields))


def calling(name: str) -> dict[str, Any]:
    return {"module": "os", "class_name": name, "config": {"name": "x"}, "registered_name": None}


CODE = {"class_name": "__lambda__", "config": {"value": ["4wAAAA==", None, None]}}

CONFIGS: dict[str, tuple[Callable[[str], str | bytes], str]] = {
    "no JSON": (lambda text: text[:-3], "is no JSON"),
    "no text": (lambda text: b"\xff\xfe", "is no JSON|is no text"),
    "a list": (lambda text: "[]", "expected an object with fields"),
    "deep": (nested, "is no JSON"),
    "NaN": (lambda text: text.replace('"units": 3', '"units": NaN'), "NaN is no number of JSON"),
    "infinite": (lambda text: text.replace('"units": 3', '"units": -Infinity'), "-Infinity is no number of JSON"),
    "keys twice": (lambda text: text.replace('"units": 3', '"units": 3, "units": 4'), "a key occurs twice"),
    "endless number": (lambda text: text.replace('"units": 3', '"units": ' + "9" * 100_000), "is no JSON"),
    "large number": (lambda text: text.replace('"units": 3', '"units": 1e400'), "units: expected an integer"),
    "long": (lambda text: " " * (1 << 25) + text, "bytes"),
    "Lambda": (said(class_name="Lambda", config={"name": "x", "function": CODE}), "fnet has no layer 'Lambda'"),
    "code for an activation": (with_fields(activation=CODE), "activation: the activation is '__lambda__'"),
    "code for an initializer": (with_fields(kernel_initializer=CODE), "fnet has no initializer '__lambda__'"),
    "a module": (said(**calling("system")), "fnet has no layer 'system'"),
    "a module's Dense": (said(module="evil"), "fnet has no layer 'Dense'"),
    "another's Dense": (said(registered_name="evil>Dense"), "fnet has no layer 'evil>Dense'"),
    "a path for a class": (said(class_name="os.system"), "fnet has no layer 'os.system'"),
    "a file for a layer": (said(class_name="TFSMLayer"), "fnet has no layer 'TFSMLayer'"),
    "a pickle for a layer": (said(class_name="TorchModuleWrapper"), "fnet has no layer 'TorchModuleWrapper'"),
    "a number for a class": (said(class_name=3), "class_name: expected text, received 3"),
    "a function for an initializer": (
        with_fields(kernel_initializer={"class_name": "function", "config": "os.system"}), "fnet has no initializer"),
    "a module's initializer": (with_fields(kernel_initializer=calling("popen")), "fnet has no initializer 'popen'"),
    "a module's regularizer": (with_fields(kernel_regularizer=calling("popen")), "fnet has no regularizer 'popen'"),
    "an escape": (said(class_name="\x1b[2J" + "x" * 10_000), r"fnet has no layer '\\x1b\[2Jxxx"),
    "a file of words": (
        said(class_name="StringLookup", config={"name": "words", "vocabulary": "/etc/passwd"}),
        "vocabulary: expected a list of tokens, for no other file is read, received '/etc/passwd'",
    ),
    "layers within layers": (edited(layers_within_layers), "nested deeper than 100 levels|is no JSON"),
    "models within models": (edited(models_within_models), "nested deeper than 100 levels|is no JSON"),
    "many layers": (edited(many_layers), "layers: expected a list of 0 to 10000 values"),
    "no units": (with_fields(units=None), "units: expected an integer >= 1, received None"),
    "many units": (with_fields(units=2**31 - 1), "its config has the size 2147483647, and a file of"),
    "many sizes": (lambda text: json.dumps(large(json.loads(text))), r"is \(4, 3\), expected \(1048576, 1048576\)"),
    "a large sample": (lambda text: json.dumps(large(json.loads(text), 1 << 20)), "samples of more than 268435456"),
    "a name twice": (edited(functional(two={"name": "one"})), "two layers have the same name"),
    "a circle": (
        edited(functional(one={"inbound_nodes": [[["two", 0, 0, {}]]]})), "the inputs of 'one' are never made"),
    "nobody's output": (edited(functional(outputs=[["nobody", 0, 0]])), "there is no layer 'nobody'"),
    "a call that is not": (edited(functional(outputs=[["two", 7, 0]])), "'two' has no call 7"),
    "an output that is not": (edited(functional(outputs=[["two", 0, 7]])), "'two' has no output 7"),
    "a negative call": (edited(functional(outputs=[["two", -1, 0]])), "expected an integer >= 0"),
    "deep ends": (lambda text: edited(functional(outputs=["deep"]))(text).replace('["deep"]', "[" * 150 + "]" * 150),
                  "output_layers: it is nested deeper than 100 levels"),
    "inputs that are none": (edited(functional(inputs=[["one", 0, 0]])), "expected layers of the class InputLayer"),
    "odd nodes": (edited(functional(one={"inbound_nodes": [[[1, 2, 3]]]})), "expected"),
    "nodes of texts": (edited(functional(one={"inbound_nodes": "abc"})), "inbound_nodes: expected a list"),
    "objects of numbers": (said(config=3), "config: expected an object with fields, received 3"),
    "names with NUL": (with_fields(name="a\0b"), "name: the name 'a.*cannot be that of a group"),
    "names without text": (with_fields(name="\ud800"), "name: the name .*ud800' cannot be that of a group|no text"),
}  # fmt: skip


def large(config: dict[str, Any], second: int | None = None) -> dict[str, Any]:
    """A kernel of 2^20 x 2^20 that is filled with zeros, or a sample of as many numbers."""
    size = 1 << 20
    shape = [None, size] if second is None else [None, second, size]
    config["config"]["build_input_shape"] = shape
    first = config["config"]["layers"][0]["config"]
    first["batch_shape" if "batch_shape" in first else "batch_input_shape"] = shape
    dense(config)["config"].update(units=size, kernel_initializer={"class_name": "Zeros", "config": {}})
    return config


# ------------------------------------------------------------------------------------ what an archive can be


def renamed(name: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        write_archive(path, members_of(path) | {name: b"x"})

    return spoil


def symbolic_link(path: Path) -> None:
    members = members_of(path)
    with zipfile.ZipFile(path, "w") as file:
        for name, content in members.items():
            info = zipfile.ZipInfo(name)
            if name == "model.weights.h5":
                info.external_attr, content = 0o120777 << 16, b"/etc/passwd"
            file.writestr(info, content)


def twice(path: Path) -> None:
    members = members_of(path)
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(name, content)
        file.writestr("config.jsom", b"{}")
    path.write_bytes(buffer.getvalue().replace(b"config.jsom", b"config.json"))


def flagged(path: Path) -> None:
    """As if it were encrypted."""
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = data.find(mark)
        while place >= 0:
            data[place + at] |= 1
            place = data.find(mark, place + 4)
    path.write_bytes(bytes(data))


def bomb(member: str, size: int) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        write_archive(path, members_of(path) | {member: bytes(size)}, zipfile.ZIP_DEFLATED)

    return spoil


def packed(compression: int) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        write_archive(path, members_of(path), compression)

    return spoil


def without(member: str) -> Callable[[Path], None]:
    def spoil(path: Path) -> None:
        write_archive(path, {name: content for name, content in members_of(path).items() if name != member})

    return spoil


def longer_than_said(path: Path) -> None:
    """A member of which the folder of the archive says that it is short."""
    write_archive(path, members_of(path), zipfile.ZIP_DEFLATED)
    data = bytearray(path.read_bytes())
    for mark, at in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        place = data.find(mark)
        while place >= 0:
            data[place + at : place + at + 4] = (10).to_bytes(4, "little")
            place = data.find(mark, place + 4)
    path.write_bytes(bytes(data))


def many_members(path: Path) -> None:
    write_archive(path, members_of(path) | {f"assets/{i}": b"" for i in range(10_001)})


ARCHIVES: dict[str, tuple[Callable[[Path], None], str]] = {
    "a path upwards": (renamed("../../evil"), "has the name '../../evil', which leads out of it"),
    "a path from the root": (renamed("/tmp/evil"), "has the name '/tmp/evil', which leads out of it"),
    "a path of another system": (renamed("..\\evil"), "which leads out of it"),
    "a link": (symbolic_link, "'model.weights.h5' is no file but a link"),
    "a member twice": (twice, "or two of one name"),
    "encrypted": (flagged, "is encrypted|cannot be read as a zip archive"),
    "a long config": (bomb("config.json", 40 << 20), "'config.json' has 41943040 bytes, expected at most 33554432"),
    "long weights": (bomb("model.weights.h5", (1 << 28) + (1 << 20)), r"'model.weights.h5' becomes \d+ bytes from"),
    "another compression": (packed(zipfile.ZIP_LZMA), "is packed by a method that is not read"),
    "longer than said": (longer_than_said, "damaged|is no JSON"),
    "many members": (many_members, "it has 10004 members"),
    "no config": (without("config.json"), "there is no 'config.json' in the archive"),
    "no weights": (without("model.weights.h5"), "there is no 'model.weights.h5' in the archive"),
}
