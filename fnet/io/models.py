"""Whole models in files of Keras: a network and its weights, as Keras 3 and ``tf.keras`` 2 write and read them."""

from __future__ import annotations

import functools
import json
import math
import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import numpy as np

from fnet import random, tree
from fnet.errors import FileError, FnetError, StructureError, plain, scope
from fnet.io import arrays, hdf5, manifest
from fnet.io.atomic import replacing
from fnet.io.belonging import check_trees
from fnet.io.keras import archive, legacy, variables_file
from fnet.io.keras import trained as trained_files
from fnet.io.keras.calls import calls_of
from fnet.io.keras.checksums import Checked, complete
from fnet.io.keras.config import Config
from fnet.io.keras.input_shape import input_samples
from fnet.io.keras.members import Member, Numbers, members_of, name_apart
from fnet.io.keras.model_config import Layout, model_config
from fnet.io.keras.networks import Model, Origin, read_model
from fnet.io.keras.trained import SavedTraining
from fnet.io.keras.training import Compiled
from fnet.io.keras.variables import Variable
from fnet.io.keras.vocabulary_files import with_vocabularies
from fnet.io.written import Written
from fnet.networks.layer import Layer
from fnet.networks.parameters import trainable
from fnet.spec import check_dtype
from fnet.transfer import to_host

SUFFIXES = (".keras", ".h5", ".hdf5")
_CONFIG = "model_config"
_NO_SIZES = (
    "seed", "shared_object_id", "compile_config", "vocabulary", "mask_token", "oov_token", "mask_value", "salt",
)  # fmt: skip
_ALWAYS = 1 << 20  # a size that may be in any file


class Saved(NamedTuple):
    """A model that was read: the network, its parameters and state, the layers as the file lists them, its inputs."""

    net: Layer
    params: Any
    state: Any
    members: list[Member]
    samples: Any


def save_model(
    path: str | os.PathLike[str],
    net: Layer,
    params: Any,
    state: Any,
    trainer: Any = None,
    train_state: Any = None,
    *,
    shape: Any = None,
) -> None:
    """Write a network with its parameters and state to a file that Keras opens, and that predicts the same there.

    path: ``*.keras`` is an archive of Keras 3; ``*.h5`` and ``*.hdf5`` are the older files, which ``tf.keras`` 2 reads,
    too, but for MultiHeadAttention, layers that are called with initial states, graphs within a layer, those that it
    does not have (glu, GroupQueryAttention, RMSNormalization), and hard_sigmoid, which is another function there. A
    chain of layers becomes a Sequential model, anything else a Functional one, and a `serial` or `graph` within the
    network a model within the model. In ``*.h5``, names that nobody has chosen differ in all models, as Keras needs it.
    The file replaces one that is at `path`, after it was read back and compared.
    shape: of the inputs without the batch axis, where neither the network (a graph knows its own) nor the parameters
    tell it. A call ``layer(x, train=False)`` of a graph is Keras' ``training=False``, which ``fit`` of ``tf.keras`` 2
    and of fnet keeps, and that of Keras 3 passes over. trainer, train_state: a `fnet.Trainer` and its state, which
    `fnet.load_training` and Keras go on with.
    Raises `StructureError` with the path of a layer that Keras does not have, or for trees that are not those
    of `net`, `FileError` where `path` is no regular file, `OSError` where it cannot be written.
    Source: Keras ``Model.save``.

    >>> import tempfile
    >>> from fnet import serial
    >>> from fnet.layers import Dense
    >>> net = serial(Dense(8, "relu"), Dense(2))
    >>> params, state = net.init(random.key(0), (4,))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save_model(f"{folder}/model.keras", net, params, state)
    ...     loaded, weights, _ = load_model(f"{folder}/model.keras")
    >>> loaded.children, tree.all_equal(weights, params)
    ((Dense(units=8, activation='relu', name='dense'), Dense(units=2, name='dense_1')), True)
    """
    layout = _layout(path)
    if not isinstance(net, Layer):
        raise StructureError(f"expected a Layer as the second argument, received a {type(net).__name__}.")
    check_trees(net, params, state)
    params, state, train_state = to_host((params, state, train_state))
    calls = calls_of(net, params, state, _wide_samples(input_samples(net, params, state, shape), params), True)
    if layout == "legacy":
        name_apart(calls)
    trained = trainable(net, params)
    described = model_config(calls, trained, state, layout, net.name)
    training = _training(trainer, train_state)
    compiled = None if training is None else trained_files.compile_config(training, net)
    if compiled is not None and layout == "archive":
        described = {**described, "compile_config": compiled}
    config = json.dumps(described).encode()
    members = members_of(calls, params, state, trained)
    leaves = {name: np.asarray(leaf) for name, leaf in tree.leaves_with_path({"params": params, "state": state})}
    for name, leaf in leaves.items():
        with scope(name):
            check_dtype(leaf.dtype)
    _check_covered(members, leaves)

    def write_hdf5(target: Path, fill: Callable[[Any, Callable], None]) -> None:
        with Written(target) as written, hdf5.module().File(written, "w") as file:
            entries: dict[str, manifest.Entry] = {}

            def put(group: Any, name: str, variable: Variable) -> None:
                store(group, name, np.asarray(variable.to_keras(leaves[variable.path])))

            def store(group: Any, name: str, array: np.ndarray) -> None:
                group.create_dataset(name, data=array)
                entries[f"{group.name}/{name}".lstrip("/")] = manifest.entry(array, array.dtype.name)

            fill(file, put)
            if training is not None and compiled is not None:
                trained_files.write(file, training, compiled, members, layout == "legacy", store)
            complete(file, entries, config if layout == "archive" else None)
        if written.error is not None:
            raise written.error

    def fill_legacy(file: Any, put: Callable) -> None:
        file.attrs["keras_version"], file.attrs["backend"] = legacy.KERAS_VERSION, "tensorflow"
        file.attrs[_CONFIG] = config
        legacy.write(file.create_group(legacy.GROUP), members, put)

    with replacing(path) as temporary:
        if layout == "legacy":
            write_hdf5(temporary, fill_legacy)
        else:
            with TemporaryDirectory(prefix="fnet-") as folder:
                weights = Path(folder) / archive.WEIGHTS
                weights.touch()
                write_hdf5(weights, lambda file, put: variables_file.write(file, members, put))
                archive.write(temporary, config, weights, legacy.KERAS_VERSION)
        _read(temporary, Path(path), training is not None)


def load_model(path: str | os.PathLike[str]) -> tuple[Layer, Any, Any]:
    """``(net, params, state)`` of a file with a whole model, which fnet or Keras wrote.

    path: a ``*.keras`` archive of Keras 3, or the older ``*.h5`` of Keras 3 and ``tf.keras`` 2; what the file is, its
    first bytes say. Layers keep their names, and parameters of float64 their dtype: where some layers have it, all have
    it, because a layer of fnet computes in the dtype of what it gets, and casts nothing. Layers of mixed precision are
    read as layers of float32, with a warning. Loading runs no code and reads no other file.
    Raises `FileError` that names the layer which fnet does not have, or tells what is damaged or hostile, and `OSError`
    where there is no file that may be read. Source: Keras ``load_model``.
    """
    saved, _ = _read(Path(path), Path(path))
    return saved.net, saved.params, saved.state


def read_model_file(path: str | os.PathLike[str]) -> Saved:
    """The model in a file, with what the file says of its inputs; raises as `load_model`."""
    return _read(Path(path), Path(path))[0]


def read_training_file(path: str | os.PathLike[str]) -> tuple[Layer, Any, Any, SavedTraining]:
    """``(net, params, state, training)`` of a file with a compiled model; raises as `load_model`."""
    saved, training = _read(Path(path), Path(path), with_training=True)
    assert training is not None
    return saved.net, saved.params, saved.state, training


def _wide_samples(samples: Any, params: Any) -> Any:
    """The samples of inputs, those of floats in float64 where all parameters are: Keras casts what it is given."""
    kinds = {np.dtype(leaf.dtype) for leaf in tree.leaves(params)}
    if kinds != {np.dtype(np.float64)}:
        return samples
    return tree.map(lambda own: replace(own, dtype=np.dtype("float64")) if own.dtype.kind == "f" else own, samples)


def _layout(path: str | os.PathLike[str]) -> Layout:
    name = os.fspath(path)
    if name.endswith(".weights.h5") or not name.endswith(SUFFIXES):
        raise StructureError(
            f"a file of a whole model ends in .keras, .h5 or .hdf5, received {name!r}. For weights alone: "
            f"fnet.save_weights."
        )
    return "archive" if name.endswith(".keras") else "legacy"


def _training(trainer: Any, ts: Any) -> SavedTraining | None:
    if trainer is None and ts is None:
        return None
    if trainer is None or ts is None:
        raise StructureError("save_model: a training is saved with both, trainer= and train_state=.")
    return SavedTraining(Compiled(*trainer.arguments[1:]), ts.opt_state, ts.key, ts.step)


def _read(path: Path, shown: Path, with_training: bool = False) -> tuple[Saved, SavedTraining | None]:
    """The model in a file, and its training where that is asked for."""
    if path.is_file() and archive.is_archive(path):
        with scope(str(shown)), archive.opened(path) as packed:
            content = archive.config(packed)
            asset = functools.partial(archive.text, packed)
            is_older = _is_of_keras_2(archive.version(packed), content)
            model = _model(content, path.stat().st_size, is_older, asset)
            with archive.weights(packed) as weights, arrays.opened(weights, Path(archive.WEIGHTS)) as file:
                checked = Checked(file)
                checked.config(content)
                saved = _filled(
                    model, path.stat().st_size, checked.numbers, functools.partial(variables_file.read, file)
                )
                config = _parsed(content).get("compile_config") if with_training else None
                return _with_training(file, checked, saved, config, with_training, is_older)
    with arrays.opened(path, shown) as file:
        if _CONFIG not in file.attrs:
            raise FileError("there is no model in it, only weights. Build the network, then: fnet.load_weights.")
        checked = Checked(file)
        described = checked.text(_CONFIG) or b""
        is_older = _is_of_keras_2(hdf5.text(file, "keras_version", 100) or "", described)
        model, read = _model(described, hdf5.size(file), is_older), functools.partial(legacy.read, file, legacy.GROUP)
        saved = _filled(model, hdf5.size(file), checked.numbers, read)
        config = _parsed(checked.text(trained_files.CONFIG)) if with_training else None
        return _with_training(file, checked, saved, config, with_training, is_older)


def _with_training(
    file: Any, checked: Checked, saved: Saved, config: Any, wanted: bool, is_older: bool
) -> tuple[Saved, SavedTraining | None]:
    training = None
    if wanted:
        members = saved.members
        training = trained_files.read(file, config, saved.net, saved.params, members, checked.numbers, is_older)
    checked.all_compared(wanted)
    return saved, training


def _is_of_keras_2(version: str, described: bytes) -> bool:
    """Whether an older Keras wrote the file; what it computes otherwise under the same name is refused."""
    is_older = version.startswith(("1.", "2."))
    if is_older and b'"hard_sigmoid"' in described:
        raise FileError(
            "Keras 2 wrote it, whose 'hard_sigmoid' has the slope 0.2, and that of Keras 3 1/6. Build the "
            "network with an activation of your own, and load the weights alone: fnet.load_weights."
        )
    return is_older


def _parsed(content: bytes | None) -> Any:
    try:
        return None if content is None else manifest.parsed(content)
    except (ValueError, RecursionError) as error:
        raise FileError(f"the config of the training is no JSON ({error}): the file is damaged.") from None


def _model(content: bytes, in_file: int, is_older: bool, asset: Callable[[str], str | None] | None = None) -> Model:
    """The model that a config says; no size in it is larger than what a file of so many bytes can hold.

    is_older: whether Keras 2 wrote it. asset: gives the text of a file beside the config in an archive, None where
    there is none.
    """
    try:
        described = manifest.parsed(content)
    except (ValueError, RecursionError) as error:
        raise FileError(f"the config of the model is no JSON ({error}): the file is damaged.") from None
    most = max(_ALWAYS, 1100 * in_file)
    if (largest := max(_integers(described), default=0)) > most:
        raise FileError(f"its config has the size {largest}, and a file of {in_file} bytes holds none beyond {most}.")
    whole = with_vocabularies(described, asset or (lambda name: None))
    model = read_model(Config(whole, "model"), Origin(is_older, archive=asset is not None))
    if model.samples is None:
        raise FileError("the model was saved before the shape of its inputs was known. Save it after a call.")
    return model


def _integers(described: Any) -> Iterator[int]:
    """All integers in a config that may be sizes: not seeds, nor those of training, nor what tells objects apart."""
    stack = [described]
    while stack:
        part = stack.pop()
        if isinstance(part, dict):
            stack.extend(value for key, value in part.items() if key not in _NO_SIZES)
        elif isinstance(part, list):
            stack.extend(part)
        elif type(part) is int:
            yield part


def _filled(model: Model, in_file: int, numbers: Numbers, read: Callable[..., dict[str, np.ndarray]]) -> Saved:
    """The model with the arrays of the file; what Keras does not keep, such as counters, is as init makes it.

    Its parameters are float64 where those of the file are.
    """
    kinds = set[np.dtype]()

    def noting(path: str, shape: tuple[int, ...]) -> np.ndarray:
        array = numbers(path, shape)
        kinds.add(array.dtype)
        return array

    saved = _of_dtype(model, in_file, np.dtype(np.float32), functools.partial(read, numbers=noting))
    wide = np.dtype(np.float64)
    if wide in kinds and wide not in {leaf.dtype for leaf in tree.leaves((saved.params, saved.state))}:
        return _of_dtype(model, in_file, wide, functools.partial(read, numbers=numbers))
    return saved


def _of_dtype(model: Model, in_file: int, dtype: np.dtype, read: Callable[..., dict[str, np.ndarray]]) -> Saved:
    """The model with the arrays of the file, parameters in this dtype."""
    shape = tree.map(lambda samples: samples.shape, model.samples)
    net = model.net if model.net.shape is not None else model.net.with_shape(shape)
    try:
        specs = dict(zip(("params", "state"), net.parameter_specs(shape, dtype), strict=True))
    except FnetError as error:
        raise FileError(f"model: {error}") from None
    except (MemoryError, OverflowError, ValueError) as error:
        raise FileError(f"model: its sizes are too large ({plain(str(error), 200)}): it is hostile.") from None
    templates = dict(tree.leaves_with_path(specs))
    members = [replace(member, variables=member.variables.resolved(templates)) for member in model.members]
    found = read(members=members, templates=templates)
    others = [spec for name, spec in templates.items() if name not in found]
    if others:
        if sum(math.prod(spec.shape) * spec.dtype.itemsize for spec in others) > 1100 * in_file + (1 << 20):
            raise FileError("model: its states are larger than what goes with a file of this size: it is hostile.")
        fresh = dict(zip(("params", "state"), net.init(random.key(0), shape, dtype), strict=True))
        found = dict(tree.leaves_with_path(fresh)) | found
    made = tree.map_with_path(lambda name, spec: found[name], specs)
    return Saved(net, made["params"], made["state"], members, model.samples)


def _check_covered(members: list[Member], leaves: dict[str, np.ndarray]) -> None:
    """Every parameter is a variable of Keras."""
    covered = {variable.path for member in members for _, variable in member.variables.flat()}
    missing = [name for name in leaves if name.startswith("params") and name not in covered]
    if missing:
        raise StructureError(f"Keras has no variable for '{missing[0]}'. Keep the weights alone: fnet.save_weights.")
