"""Optimizers under Keras' names: their learning rate can be changed; those of `fnet.optimizers` do the work."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from fnet import optimizers, tree
from fnet.errors import StructureError, did_you_mean
from fnet.io.keras import registry
from fnet.io.keras.optimizers import read_optimizer, write_optimizer
from fnet.keras.arranged import arranged, listed
from fnet.keras.other_words import OF_OPTIMIZERS, instead
from fnet.keras.running import now_running
from fnet.keras.variable import Variable
from fnet.optimizers import Optimizer as Functional
from fnet.optimizers import apply_updates
from fnet.optimizers.rates import Rates, new_state
from fnet.transfer import to_host


class LearningRate(float):
    """A learning rate of an optimizer: a number, which can be given another value.

    >>> from fnet.keras import optimizers
    >>> optimizer = optimizers.SGD(learning_rate=0.1)
    >>> optimizer.learning_rate.assign(0.01)
    >>> optimizer.learning_rate
    0.01
    """

    _optimizer: Optimizer

    @classmethod
    def of(cls, optimizer: Optimizer, rate: float) -> LearningRate:
        """The rate, which knows its optimizer."""
        made = cls(rate)
        made._optimizer = optimizer
        return made

    @property
    def value(self) -> float:
        return float(self)

    def numpy(self) -> np.float32:
        """The rate as NumPy has it."""
        return np.float32(self)

    def assign(self, rate: Any) -> None:
        """Give the optimizer another rate."""
        self._optimizer.learning_rate = rate


class Iterations(int):
    """A number of steps, as Keras shows it."""

    @property
    def value(self) -> int:
        return int(self)

    def numpy(self) -> np.int64:
        """The number as NumPy has it."""
        return np.int64(self)


class Optimizer:
    """An optimizer of Keras. `functional` is that of `fnet.optimizers`; `learning_rate` can be set at any time.

    Source: Keras ``Optimizer``.

    >>> from fnet.keras import optimizers
    >>> optimizer = optimizers.Adam(learning_rate=0.01)
    >>> optimizer.learning_rate = 0.001
    >>> optimizer.learning_rate, optimizer.functional.name
    (0.001, 'adam')
    """

    def __init__(self, functional: Functional) -> None:
        self.functional = functional
        self.name = functional.name
        self._iterations = 0
        self._holder: Any = None  # a run of fit, which has the rate meanwhile
        self._rate: float | None = None
        self.kept_in_steps: Any = None  # what it remembers of steps of the user's own
        self.variables_changed: list[Variable] | None = None

    @property
    def learning_rate(self) -> Any:
        """The learning rate of the next step, or the schedule that gives it."""
        rate = self.functional.config.get("learning_rate")
        if self._holder is not None:
            rate = self._holder.learning_rate
        elif self._rate is not None:
            rate = self._rate
        return LearningRate.of(self, rate) if isinstance(rate, float | int) else rate

    @learning_rate.setter
    def learning_rate(self, rate: Any) -> None:
        if callable(self.functional.config.get("learning_rate")):
            raise StructureError(
                f"{self.name} follows a schedule, so its learning rate cannot be set. Give a number: "
                f"learning_rate=0.001."
            )
        if self._holder is not None:
            self._holder.learning_rate = float(rate)
        else:
            self._rate = float(rate)

    lr = learning_rate

    @property
    def chosen_rate(self) -> float | None:
        """The rate that was set and is not yet in the state of a training."""
        return self._rate

    def held_by(self, holder: Any) -> None:
        """Let a run of `fit` have the learning rate; None: the optimizer itself again."""
        if holder is None and self._holder is not None:
            self._rate = None if callable(self.functional.config.get("learning_rate")) else self._rate
        self._holder = holder

    # Use in a step or a loop of the user's own.

    def apply(self, grads: Sequence[Any], trainable_variables: Sequence[Variable] | None = None) -> None:
        """Change weights by their gradients, and remember what the next call needs.

        trainable_variables: the weights, where they are left out those of the last call. Source: Keras
        ``Optimizer.apply``.

        >>> import numpy as np
        >>> from fnet.keras import layers, optimizers, value_and_grad
        >>> layer, optimizer = layers.Dense(1, kernel_initializer="ones"), optimizers.SGD(0.5)
        >>> layer.build((None, 1))
        >>> loss, gradients = value_and_grad(lambda: np.mean(layer(np.ones((1, 1))) ** 2), layer.trainable_variables)
        >>> optimizer.apply(gradients, layer.trainable_variables)
        >>> float(layer.kernel[0, 0])
        0.0
        """
        given = self.variables_changed if trainable_variables is None else list(trainable_variables)
        if given is None or len(given) != len(grads):
            raise StructureError(
                f"{self.name}: expected a gradient for each weight, received {len(grads)} for "
                f"{0 if given is None else len(given)}. Give both: optimizer.apply(gradients, variables)."
            )
        params, gradients = arranged(given, [v.held for v in given]), arranged(given, list(grads))
        if self.kept_in_steps is None or self.variables_changed is None:
            self.kept_in_steps = new_state(self.functional.init, params)
        elif [v.key for v in given] != [v.key for v in self.variables_changed]:
            raise StructureError(
                f"{self.name}: it remembers numbers for other weights than these. Make an optimizer for each group of "
                f"weights."
            )
        self.variables_changed = given
        run = now_running()
        if run is None and self._rate is not None:
            self.kept_in_steps = self.rates(params).changed(self.kept_in_steps, self._rate)
        updates, self.kept_in_steps = self.functional.update(gradients, self.kept_in_steps, params)
        changed = apply_updates(params, updates)
        for variable, value in zip(given, listed(given, changed), strict=True):
            variable.hold(value if variable.constraint is None else variable.constraint(value))
        if run is None:
            self.iterations += 1

    def apply_gradients(self, grads_and_vars: Iterable[tuple[Any, Variable]]) -> None:
        """As `apply`, for pairs ``(gradient, weight)``."""
        pairs = list(grads_and_vars)
        self.apply([gradient for gradient, _ in pairs], [variable for _, variable in pairs])

    def build(self, variables: Sequence[Variable]) -> None:
        """Begin to remember what these weights need, before the first `apply`."""
        self.variables_changed = list(variables)
        self.kept_in_steps = new_state(
            self.functional.init, arranged(self.variables_changed, [v.held for v in variables])
        )

    def arranged(self, variables: Sequence[Variable]) -> dict[str, Any]:
        """The values of weights as the tree that it changes."""
        return arranged(variables, [variable.held for variable in variables])

    def rates(self, params: Any) -> Rates:
        """Where its state holds the learning rate, for a tree of weights."""
        return Rates(self.functional.init, self.functional.name, params)

    def get_config(self) -> dict[str, Any]:
        """The arguments that it was made with."""
        own = {"name": self.name, **self.functional.config}
        return own | {"learning_rate": float(self.learning_rate)} if isinstance(self.learning_rate, float) else own

    @property
    def variables(self) -> list[np.ndarray]:
        """The arrays that it remembers of a loop of the user's own."""
        return [np.asarray(to_host(leaf)) for leaf in tree.leaves(self.kept_in_steps)]

    @property
    def iterations(self) -> Iterations:
        """How many steps are done."""
        return Iterations(self._iterations)

    @iterations.setter
    def iterations(self, number: int) -> None:
        self._iterations = int(number)

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> Any:
        """An optimizer made with these arguments."""
        return cls(**config)

    def __getattr__(self, name: str) -> Any:
        """The arguments that it was made with."""
        config = {} if name.startswith("_") or "functional" not in self.__dict__ else self.functional.config
        if name in config:
            return config[name]
        if config and name in _NOT_GIVEN:
            return _NOT_GIVEN[name]
        words = [*config, *(word for word in dir(type(self)) if word[0] != "_")]
        way = instead(OF_OPTIMIZERS, name) or did_you_mean(name, words)
        raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'.{way}")

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.functional!r}>"


_NOT_GIVEN = dict.fromkeys((
    "clipnorm", "clipvalue", "global_clipnorm", "weight_decay", "gradient_accumulation_steps", "loss_scale_factor",
    "ema_overwrite_frequency",
)) | {"use_ema": False, "ema_momentum": 0.99}  # fmt: skip
"""What all optimizers of Keras have, where nothing is given."""


def standard_optimizer(name: str, make: Callable[..., Functional]) -> type[Optimizer]:
    """The class of this name for a constructor of `fnet.optimizers`."""

    def begin(self: Optimizer, *args: Any, lr: float | None = None, name: str | None = None, **options: Any) -> None:
        if lr is not None:
            options["learning_rate"] = lr
        Optimizer.__init__(self, make(*args, **options))
        self.name = name or self.name

    return type(name, (Optimizer,), {"__init__": begin, "__doc__": make.__doc__, "__wrapped__": make})


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """The plain data that say an optimizer, as files have them, with its present learning rate."""
    described = write_optimizer(optimizer.functional)
    rate = optimizer.get_config().get("learning_rate")
    if isinstance(rate, float):
        described["config"]["learning_rate"] = rate
    return described


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
    """The optimizer that plain data of `serialize` say, of fnet or of Keras. Raises `FileError` for what is none."""
    with registry.known(custom_objects or {}):
        return Optimizer(read_optimizer(config, "optimizers"))


def get(identifier: Any) -> Optimizer:
    """The optimizer of a name, a class or plain data, or the object itself.

    Raises `ValueRangeError` for an unknown name.
    """
    if isinstance(identifier, Mapping):
        return deserialize(identifier)
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        return identifier()  # type: ignore[call-arg]  # a class of a name knows its function
    return Optimizer(optimizers.get(identifier))


def __getattr__(name: str) -> Any:
    if name == "schedules":
        return importlib.import_module(f"{__name__}.schedules")
    if not name[:1].isupper():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = standard_optimizer(name, getattr(optimizers, name))
    globals()[name] = value
    return value
