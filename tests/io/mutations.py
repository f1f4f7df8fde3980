"""Mutates files at random and loads them, in a process with little memory: ``python mutations.py SEED COUNT``.

A case depends on the seed and its number alone. What came of all is printed as JSON: how many of each kind of file
were refused, were the same as before, or another value; what was raised beside the errors that are documented; the
longest time.
"""

from __future__ import annotations

import io
import json
import random
import resource
import signal
import sys
import time
import traceback
import zipfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import h5py
import numpy as np

import fnet
from fnet import checkpoint, tree
from fnet.errors import FileError
from fnet.io.keras.training import Compiled, write_training
from fnet.layers import LSTM, BatchNormalization, Dense, Embedding

MEMORY = 3 << 30
SECONDS = 10  # of the processor, for one file


class TooLong(BaseException):
    """A file takes longer than `SECONDS`."""


HEAD = fnet.named("head", fnet.serial(BatchNormalization(), Dense(3, "tanh")))
NET = fnet.serial(Embedding(7, 4), LSTM(3), HEAD, Dense(2))
TRAINER = fnet.Trainer(NET, "mse", "adam", ["mae"])
X, Y = np.random.default_rng(0).integers(0, 7, (8, 5)), np.ones((8, 2), "float32")


def trained() -> fnet.TrainState:
    ts = TRAINER.init(fnet.random.key(3), (5,))
    return TRAINER.fit(ts, X, Y, epochs=1, verbose=0)[0]


def loaders(ts: fnet.TrainState) -> dict[str, Callable[[Path], Any]]:
    """What is loaded from a file of each name, as a tree and a text that say all that is in it."""

    def model(path: Path) -> Any:
        net, params, state = fnet.load_model(path)
        return (params, state), repr(net)

    def training(path: Path) -> Any:
        trainer, found = fnet.load_training(path)
        net, *compiled = trainer.arguments
        return found, repr(net) + json.dumps(write_training(Compiled(*compiled), None))

    def weights(path: Path) -> Any:
        return fnet.load_weights(path, NET, ts.params, ts.state), ""

    return {
        "own.h5": training, "own.keras": training, "own.weights.h5": weights, "own_weights.h5": weights,
        "own.safetensors": lambda path: (fnet.load_safetensors(path, ts.params), ""),
        "checkpoint.h5": lambda path: (checkpoint.load(path, ts), ""),
        "foreign.h5": training, "foreign.keras": model, "foreign.weights.h5": weights, "foreign_weights.h5": weights,
    }  # fmt: skip


def written(folder: Path, ts: fnet.TrainState) -> dict[str, bytes]:
    """A good file of each name; those that are foreign have no checksums, as files of Keras have none."""
    for suffix in ("h5", "keras"):
        for whose in ("own", "foreign"):
            fnet.save_model(folder / f"{whose}.{suffix}", NET, ts.params, ts.state, TRAINER, ts, shape=(5,))
    for whose in ("own", "foreign"):
        fnet.save_weights(folder / f"{whose}.weights.h5", NET, ts.params, ts.state)
        fnet.save_weights(folder / f"{whose}_weights.h5", NET, ts.params, ts.state)
    fnet.save_safetensors(folder / "own.safetensors", ts.params)
    checkpoint.save(folder / "checkpoint.h5", ts)
    for path in folder.glob("foreign*"):
        path.write_bytes(within(path.read_bytes(), path.name, without_checksums))
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def within(data: bytes, name: str, change: Callable[[h5py.File], Any]) -> bytes:
    """The file with a change in its HDF5, also in that of an archive."""
    if name.endswith(".keras"):
        members = unpacked(data)
        return packed(members | {"model.weights.h5": within(members["model.weights.h5"], "h5", change)})
    buffer = io.BytesIO(data)
    with h5py.File(buffer, "r+") as file:
        change(file)
    return buffer.getvalue()


def without_checksums(file: h5py.File) -> None:
    for part, names in ((file, ("manifest", "params", "state", "fnet_training")), (file.attrs, ("fnet",))):
        for name in names:
            if name in part:
                del part[name]


def unpacked(data: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(data)) as file:
        return {name: file.read(name) for name in file.namelist()}


def packed(members: dict[str, bytes], compression: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as file:
        for name, content in members.items():
            file.writestr(name, content)
    return buffer.getvalue()


# ----------------------------------------------------------------------------------------- mutations of bytes


def flipped(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.randint(1, 4)):
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
    return bytes(changed)


def overwritten(data: bytes, rng: random.Random) -> bytes:
    changed, place = bytearray(data), rng.randrange(len(data))
    size = rng.choice((1, 2, 4, 8, 64))
    filling = rng.choice((b"\x00", b"\xff", bytes([rng.randrange(256)])))
    changed[place : place + size] = filling * min(size, len(data) - place)
    return bytes(changed)


def cut(data: bytes, rng: random.Random) -> bytes:
    return data[: rng.randrange(len(data))] if rng.random() < 0.7 else data + bytes(rng.randrange(1, 5000))


def swapped(data: bytes, rng: random.Random) -> bytes:
    """Two pieces in each other's place."""
    size = rng.choice((1, 8, 16, 64, 512))
    one, other = sorted(rng.randrange(max(1, len(data) - size)) for _ in range(2))
    if one + size > other:
        return flipped(data, rng)
    changed = bytearray(data)
    changed[one : one + size], changed[other : other + size] = data[other : other + size], data[one : one + size]
    return bytes(changed)


def respelled(data: bytes, rng: random.Random) -> bytes:
    """A character of some text or JSON in the file."""
    places = [i for i, byte in enumerate(data) if byte in b'0123456789"[]{},:']
    changed = bytearray(data)
    for _ in range(rng.randint(1, 2)):
        changed[rng.choice(places)] = rng.choice(b'0123456789"[]{},:x-e.')
    return bytes(changed)


# ------------------------------------------------------------------------------------- mutations of structure


def restructured(data: bytes, name: str, rng: random.Random) -> bytes:
    if name.endswith(".safetensors"):
        size = int.from_bytes(data[:8], "little")
        header = json.dumps(other_value(json.loads(data[8 : 8 + size]), rng)).encode()
        return len(header).to_bytes(8, "little") + header + data[8 + size :]
    if name.endswith(".keras") and rng.random() < 0.5:
        members = unpacked(data)
        choice = rng.random()
        if choice < 0.6:
            config = json.dumps(other_value(json.loads(members["config.json"]), rng)).encode()
            return packed(members | {"config.json": config})
        if choice < 0.8:
            return packed(members, zipfile.ZIP_DEFLATED)
        one, other = rng.sample(sorted(members), 2)
        return packed(members | {one: members[other], other: members[one]})
    return within(data, name, lambda file: change_hdf5(file, rng))


def change_hdf5(file: h5py.File, rng: random.Random) -> None:
    """One change of an array, a link or an attribute."""
    nodes: list[tuple[str, Any]] = [("/", file)]
    file.visititems(lambda path, node: nodes.append((path, node)))
    arrays = [(path, node) for path, node in nodes if isinstance(node, h5py.Dataset)]
    kept = [node for _, node in nodes if len(node.attrs)]
    kind = rng.choice(("attribute", "attribute", "rename", "swap", "array", "number", "link", "remove"))
    path, node = rng.choice(arrays)
    if kind == "attribute" and kept:
        change_attribute(rng.choice(kept), rng)
    elif kind == "rename":
        moved, _ = rng.choice(nodes[1:])
        file.move(moved, moved[:-1] + rng.choice("abc019_"))
    elif kind == "swap":
        other, _ = rng.choice(arrays)
        file.move(path, "waiting")
        if other != path:
            file.move(other, path)
        file.move("waiting", other)
    elif kind == "array":
        del file[path]
        shape = tuple(rng.choice((0, 1, 3, 1 << 20)) for _ in range(rng.randrange(3)))
        dtype = rng.choice(("f4", "f8", "i8", "u1", "S3", h5py.string_dtype(), h5py.ref_dtype, "c8"))
        packing = {"chunks": True, "compression": rng.choice((None, "gzip"))} if shape and 0 not in shape else {}
        file.create_dataset(path, shape, dtype, **packing)
    elif kind == "number" and node.size and node.dtype.kind in "fiu":
        array = node[()] if node.shape else np.array([node[()]])
        array.reshape(-1)[rng.randrange(array.size)] += 1
        node[...] = array.reshape(node.shape)
    elif kind == "link":
        del file[path]
        file[path] = rng.choice((h5py.SoftLink("/"), h5py.ExternalLink("x.h5", "/"), file["/"], rng.choice(nodes)[1]))
    else:
        del file[rng.choice(nodes[1:])[0]]


def change_attribute(node: Any, rng: random.Random) -> None:
    name = rng.choice(sorted(node.attrs))
    value = node.attrs[name]
    if isinstance(value, np.ndarray) and len(value) > 1 and rng.random() < 0.6:
        order = list(value)
        rng.shuffle(order)
        node.attrs[name] = order
    elif isinstance(value, str | bytes) and value[:1] in ("{", b"{") and rng.random() < 0.9:
        text = json.dumps(other_value(json.loads(value), rng))
        node.attrs[name] = text.encode() if isinstance(value, bytes) else text
    elif rng.random() < 0.5:
        del node.attrs[name]
    else:
        node.attrs[name] = rng.choice((3, "text", b"\xff", np.zeros((2, 2)), ["a", "b"], np.nan))


def other_value(content: Any, rng: random.Random) -> Any:
    """JSON content with one value changed, anywhere in it."""
    places: list[tuple[Any, Any]] = []
    stack = [content]
    while stack:
        part = stack.pop()
        keys = list(part) if isinstance(part, dict) else range(len(part)) if isinstance(part, list) else ()
        for key in keys:
            places.append((part, key))
            stack.append(part[key])
    if not places:
        return rng.choice((None, [], {}, "x", 0))
    part, key = rng.choice(places)
    others = (
        None,
        True,
        0,
        -1,
        1,
        2,
        3,
        1 << 20,
        1 << 31,
        1 << 70,
        0.5,
        -1e300,
        "",
        "x",
        "relu",
        "Dense",
        "..",
        [],
        {},
    )
    kind = rng.random()
    if kind < 0.1:
        del part[key]
    elif kind < 0.2:
        part[key] = [part[key]]
    elif kind < 0.3:
        part[key] = json.loads(json.dumps(content))
    else:
        part[key] = rng.choice(others)
    return content


def mutated(data: bytes, name: str, rng: random.Random) -> bytes:
    if rng.random() < 0.4:
        try:
            return restructured(data, name, rng)
        except (ValueError, OSError, TypeError, KeyError):  # HDF5 does not take what was drawn
            return flipped(data, rng)
    return rng.choice((flipped, flipped, overwritten, cut, swapped, respelled))(data, rng)


# -------------------------------------------------------------------------------------------------- the cases


def same(found: Any, expected: Any) -> bool:
    trees = tree.structure(found[0]) == tree.structure(expected[0]) and found[1] == expected[1]
    pairs = zip(tree.leaves(found[0]), tree.leaves(expected[0]), strict=True) if trees else ()
    return trees and all(np.asarray(one).tobytes() == np.asarray(other).tobytes() for one, other in pairs)


def outcome(load: Callable[[Path], Any], path: Path, expected: Any) -> tuple[str, str]:
    """What came of loading a file, and what there is to say of it."""
    signal.setitimer(signal.ITIMER_VIRTUAL, SECONDS)
    try:
        found = load(path)
    except (FileError, OSError) as error:
        text = str(error)
        return ("refused", "") if len(text) < 6000 and "\n" not in text else ("raised", f"a long message: {text[:300]}")
    except BaseException:
        return "raised", traceback.format_exc()[-1200:]
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
    return ("same", "") if same(found, expected) else ("other", "")


def stop(*of_signal: Any) -> None:
    raise TooLong


def main(seed: int, count: int) -> None:
    signal.signal(signal.SIGVTALRM, stop)
    ts = trained()
    counts: Counter[str] = Counter()
    wrong: list[str] = []
    longest = (0.0, "")
    with TemporaryDirectory() as folder:
        good, load = written(Path(folder), ts), loaders(ts)
        expected = {name: load[name](Path(folder) / name) for name in good}
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        for number in range(count):
            rng = random.Random(f"{seed} {number}")
            name = sorted(good)[number % len(good)]
            path = Path(folder) / f"case_{name}"
            path.write_bytes(mutated(good[name], name, rng))
            begin = time.process_time()
            result, said = outcome(load[name], path, expected[name])
            longest = max(longest, (time.process_time() - begin, f"{number} of {name}"))
            counts[f"{name} {result}"] += 1
            if result == "raised" or (result == "other" and not name.startswith("foreign")):
                wrong.append(f"case {number} of seed {seed}, {name}: {result} {said}")
    more = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    print(json.dumps({"counts": counts, "wrong": wrong, "longest": longest, "kilobytes": more}))


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]))
