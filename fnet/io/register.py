"""What users give a name of its own in files: ``fnet.register``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

from fnet.activations import ACTIVATIONS
from fnet.arguments import described
from fnet.constraints import CONSTRAINTS
from fnet.errors import DtypeError, ValueRangeError
from fnet.initializers import INITIALIZERS
from fnet.io.keras import registry
from fnet.io.keras.networks import MODELS
from fnet.io.keras.translation import keras_layers
from fnet.losses import LOSSES
from fnet.metrics import METRICS
from fnet.names import snake_case
from fnet.networks.layer import Layer
from fnet.optimizers import OPTIMIZERS
from fnet.regularizers import REGULARIZERS
from fnet.schedules import SCHEDULES

M = TypeVar("M", bound=Callable[..., Any])


def register(name: str, make: M) -> M:
    """Give something of your own a name, under which files of whole models say it; returns `make`.

    name: the same wherever such files are written and read. In Keras it is that of
    ``keras.saving.register_keras_serializable("lab", "Scale")``: ``"lab>Scale"``, where ``Scale`` is the class.
    make: a constructor of layers (see `fnet.layers.layer_constructor`), of initializers, regularizers, constraints,
    schedules (see `fnet.configured.configurable`), of metrics (see `fnet.metrics.metric_constructor`), or of optimizers
    (see `fnet.optimizers.optimizer_constructor`). A file says the arguments, and ``make(**arguments)`` makes the thing
    again where the file is read; lists come back for tuples. A loss, and a function that is an activation, a metric or
    a schedule, is said by its name. Files hold no callbacks.
    A layer's arrays are variables of Keras in the order of its params, and then of its state. A dict of arrays in them
    is a layer in this layer, whose attribute has the name of the dict. Those of an optimizer are the count ``step`` of
    its state, the learning rate, what is like the parameters, one after the other, and then the rest.
    Raises `ValueRangeError` for a name that Keras or something else has. The same function may be given again, also
    where its module or its cell in a notebook has run again.

    >>> import tempfile
    >>> import numpy as np
    >>> import fnet
    >>> @fnet.layers.layer_constructor()
    ... def Scale(initial: float = 1.0):
    ...     def init(key, shape, dtype):
    ...         return {"gain": np.full(shape[-1:], initial, dtype)}, {}
    ...
    ...     def apply(params, state, x, key=None, train=False):
    ...         return x * params["gain"], state
    ...
    ...     return init, apply
    >>> scale = fnet.register("lab>Scale", Scale)
    >>> net = fnet.serial(Scale(2.0), fnet.layers.Dense(1))
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     fnet.save_model(f"{folder}/model.keras", net, *net.init(fnet.random.key(0), (3,)), shape=(3,))
    ...     fnet.load_model(f"{folder}/model.keras")[0]
    serial(Scale(initial=2.0, name='scale'), Dense(units=1, name='dense'), name='serial')
    """
    if not isinstance(name, str):
        raise DtypeError(f"register: name is a text, received {described(name)}.")
    if not re.fullmatch(r"[^/>\x00]+(>[^/>\x00]+)?", name) or not name.isprintable():
        raise ValueRangeError(f"register: name is like 'Scale' or 'lab>Scale', received {name!r:.80}.")
    if not callable(make) or isinstance(make, Layer):
        raise DtypeError(f"register: make is the function that makes it, received {described(make)}.")
    own = registry.found(name)
    if own is not None and not registry.is_same(own, make):
        raise ValueRangeError(f"register: {name!r} is the name of {own!r:.80} already. Take another name.")
    if registry.name_of(make) not in (None, name):
        raise ValueRangeError(f"register: {make!r:.80} has the name {registry.name_of(make)!r} already, and needs one.")
    if _is_of_keras(name, make):
        raise ValueRangeError(f"register: Keras has {name!r} itself. Put a package in front: 'lab>{name}'.")
    registry.enter(name, make)
    return make


def _is_of_keras(name: str, make: Any) -> bool:
    """Whether files mean something else by the name."""
    tables = (ACTIVATIONS, INITIALIZERS, REGULARIZERS, CONSTRAINTS, LOSSES, METRICS, OPTIMIZERS, SCHEDULES)
    entries = [table[key] for table in tables for key in (name, snake_case(name)) if key in table]
    return name in (*MODELS, "InputLayer", *keras_layers()) or any(entry is not make for entry in entries)
