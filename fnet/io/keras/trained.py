"""What a training needs beside its network, in files of Keras: what it was compiled with, and the optimizer's state.

fnet adds the key, the number of steps and the exact numbers of the optimizer where Keras does not look.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import numpy as np

from fnet import random, tree
from fnet.errors import FileError
from fnet.io import hdf5
from fnet.io.keras.config import Config
from fnet.io.keras.exact_numbers import exact_numbers, with_exact_numbers
from fnet.io.keras.legacy import write_names
from fnet.io.keras.members import Member, Numbers
from fnet.io.keras.optimizer_variables import read_state, write_state
from fnet.io.keras.training import Compiled, as_legacy, read_training, write_training
from fnet.io.keras.variables import Variable
from fnet.networks.graph import output_names
from fnet.networks.layer import Layer
from fnet.networks.parameters import trainable
from fnet.optimizers import get

CONFIG = "training_config"
_LEGACY, _ARCHIVE, _OWN = "optimizer_weights", "optimizer", "fnet_training"
_NUMBERS = "numbers"  # of the optimizer, where files of older versions have none


class NotTrainedError(FileError):
    """A file has a model, but nothing that it was trained with."""


class SavedTraining(NamedTuple):
    """What a file says of a training: the arguments of a trainer, and the parts of its state beside the network."""

    compiled: Compiled
    opt_state: Any
    key: np.ndarray
    step: np.ndarray


def compile_config(training: SavedTraining, net: Layer) -> dict[str, Any]:
    """Keras' ``compile_config`` of a training."""
    return write_training(training.compiled, output_names(net))


def write(file: Any, training: SavedTraining, config: dict[str, Any], members: Iterable[Member], legacy: bool,
          store: Callable[[Any, str, np.ndarray], None]) -> None:  # fmt: skip
    """Write the state of the optimizer into a file; ``store(group, name, array)`` writes an array."""
    variables = write_state(get(training.compiled.optimizer), training.opt_state, _trained(members))
    if legacy:
        file.attrs[CONFIG] = json.dumps(as_legacy(config)).encode()
        group = file.create_group(_LEGACY)
        names = [f"optimizer/{i}_{name}" for i, (name, _) in enumerate(variables)]
        write_names(group, "weight_names", names)
    else:
        group, names = file.create_group(f"{_ARCHIVE}/vars"), [str(i) for i in range(len(variables))]
    for name, (_, array) in zip(names, variables, strict=True):
        store(group, name, np.asarray(array))
    own = file.create_group(_OWN)
    store(own, "key", np.asarray(training.key))
    store(own, "step", np.asarray(training.step))
    for path, number in exact_numbers(training.opt_state).items():
        store(own, f"{_NUMBERS}/{path}", number)


def read(file: Any, config: Any, net: Layer, params: Any, members: Iterable[Member], numbers: Numbers,
         is_older: bool = False) -> SavedTraining:  # fmt: skip
    """The training of a file; `config` is its ``compile_config`` or ``training_config``, None where it has none.

    is_older: whether Keras 2 wrote it. The key of a file that fnet did not write is ``fnet.random.key(0)``.
    """
    if not config:
        raise NotTrainedError("the network was saved without what it was trained with. Load it alone: fnet.load_model.")
    compiled = read_training(Config(config, "training"), output_names(net))
    trained, _ = tree.partition(params, trainable(net, params))
    optimizer, variables = compiled.optimizer, _trained(members)
    names, prefix = list[str](), ""
    if hdf5.is_group(file, _LEGACY):
        names, prefix = hdf5.names(hdf5.group(file, _LEGACY), "weight_names"), _LEGACY
    elif hdf5.is_group(file, _ARCHIVE):
        prefix = f"{_ARCHIVE}/vars"
        names = [str(i) for i in range(len(hdf5.group(file, prefix)))]
    opt_state = read_state(
        optimizer, trained, variables, names, lambda i, shape: numbers(f"{prefix}/{names[i]}", shape), is_older
    )
    key, step = random.key(0), np.zeros((), np.int64)
    if hdf5.is_group(file, _OWN):
        key = np.asarray(numbers(f"{_OWN}/key", (2,)), np.uint32)
        step = np.asarray(numbers(f"{_OWN}/step", ()), np.int64)

        def find(path: str) -> np.ndarray | None:
            place = f"{_OWN}/{_NUMBERS}/{path}"
            return None if hdf5.shape(file, place) is None else numbers(place, ())

        opt_state = with_exact_numbers(optimizer, trained, opt_state, find)
    elif names:
        step = np.asarray(numbers(f"{prefix}/{names[0]}", ()), np.int64)
    return SavedTraining(compiled, opt_state, key, step)


def _trained(members: Iterable[Member]) -> list[Variable]:
    return [variable for member in members for _, variable in member.variables.ordered() if variable.trainable]
