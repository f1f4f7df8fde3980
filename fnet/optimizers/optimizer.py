"""What an optimizer is: a pure pair ``(init, update)``, and what its rules need to run over the leaves of a tree."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NoReturn, ParamSpec

import numpy as np

from fnet import tree
from fnet.errors import DtypeError, ValueRangeError, did_you_mean
from fnet.ops.arithmetic import add
from fnet.ops.promotion import astype
from fnet.transforms.primitive import spec_of
from fnet.transforms.tracer import Tracer

P = ParamSpec("P")
Init = Callable[[Any], Any]
Update = Callable[..., tuple[Any, Any]]
LearningRate = Any
"""A number, or a schedule: a function of the 0-based step."""

_RENAMED = {"lr": "learning_rate", "eps": "epsilon", "alpha": "rho", "beta1": "beta_1", "beta2": "beta_2"}


class Optimizer(tuple[Init, Update]):
    """The pair ``init(params) -> opt_state`` and ``update(grads, opt_state, params) -> (updates, opt_state)``.

    Both are pure; the new parameters are ``apply_updates(params, updates)``. `name` and `config` say how it was made.

    >>> import numpy as np
    >>> shrink = Optimizer(lambda params: {}, lambda g, s, params=None: (tree.map(lambda x: -x, g), s), name="shrink")
    >>> init, update = shrink
    >>> update({"w": np.ones(1)}, init({"w": np.ones(1)}))
    ({'w': array([-1.])}, {})
    """

    name: str
    _config: Mapping[str, Any]

    def __new__(cls, init: Init, update: Update, name: str = "optimizer", config: Mapping[str, Any] = {}) -> Optimizer:
        self = super().__new__(cls, (init, update))
        self.__dict__.update(name=name, _config=dict(config))
        return self

    def __getnewargs__(self) -> tuple[Any, ...]:
        return self.init, self.update, self.name, self._config

    @property
    def init(self) -> Init:
        return self[0]

    @property
    def update(self) -> Update:
        return self[1]

    @property
    def config(self) -> Mapping[str, Any]:
        return MappingProxyType(self._config)

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"an Optimizer is immutable: make a new one instead of setting '{name}'")

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.config.items())})"


def constructor(rule: Callable[P, tuple[Init, Update]]) -> Callable[P, Optimizer]:
    """Make a function that returns (init, update) one that returns an `Optimizer` with its name and arguments.

    NumPy scalars become Python numbers, which are weak: they leave float32 parameters float32.
    """
    signature = inspect.signature(rule)

    @functools.wraps(rule)
    def construct(*args: P.args, **kwargs: P.kwargs) -> Optimizer:
        for name in kwargs:
            if name not in signature.parameters:
                meant = _RENAMED.get(name)
                known = meant in signature.parameters
                hint = f" Did you mean '{meant}'?" if known else did_you_mean(name, signature.parameters)
                raise TypeError(f"{rule.__name__}() got an unexpected argument '{name}'.{hint}")
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        config = {name: x.item() if isinstance(x, np.generic) else x for name, x in bound.arguments.items()}
        return Optimizer(*rule(**config), name=rule.__name__, config=config)  # type: ignore[call-arg]

    return construct


def apply_updates(params: Any, updates: Any) -> Any:
    """``params + updates``, leaf by leaf, in the dtypes of `params`.

    >>> import numpy as np
    >>> apply_updates({"w": np.array([1.0, 2.0])}, {"w": np.array([-0.5, 0.0])})
    {'w': array([0.5, 2. ])}
    """
    return tree.map(lambda p, u: add(p, astype(u, spec_of(p).dtype)), params, updates)


def zeros_like(params: Any) -> Any:
    """A tree of zeros; raises `DtypeError` naming the first leaf that is not floating."""
    for path, leaf in tree.leaves_with_path(params):
        if not spec_of(leaf).differentiable:
            raise DtypeError(
                f"optimizer: parameter '{path}' is {spec_of(leaf)}, expected float32 or float64. "
                f"Leave it out with fnet.tree.partition, or convert it with .astype('float32')."
            )
    return tree.map(lambda x: np.zeros(spec_of(x).shape, spec_of(x).dtype), params)


def first_step(**slots: Any) -> dict[str, Any]:
    """The state of an optimizer at step 0: the count of steps and its trees."""
    return {"step": np.zeros((), np.int64), **slots}


def next_step(state: Mapping[str, Any]) -> Any:
    """The count after this step, 1 at the first one."""
    return add(state["step"], 1)


def map_leaves(rule: Callable[..., tuple[Any, ...]], grads: Any, params: Any, *slots: Any) -> tuple[Any, ...]:
    """The trees of ``rule(g, dtype, *slots) -> (update, *new slots)``, leaf by leaf.

    The structure and dtypes are those of `params`, where given, else of `grads`; `StructureError` names the path of
    a difference.
    """
    like, own = tree.flatten(grads if params is None else params)
    dtypes = [spec_of(leaf).dtype for leaf in like]
    columns = [tree.flatten_like(own, t) for t in (grads, *slots)]
    rows = [rule(astype(g, dtype), dtype, *rest) for dtype, g, *rest in zip(dtypes, *columns, strict=True)]
    results = zip(*rows, strict=True) if rows else [()] * len(columns)
    return tuple(tree.unflatten(own, leaves) for leaves in results)


def in_dtype(value: Any) -> Callable[[np.dtype], Any]:
    """A scalar in the dtype of a leaf, cast once for each dtype; Python numbers are weak and stay as they are."""
    if type(value) in (int, float):
        return lambda dtype: value
    return functools.cache(lambda dtype: astype(value, dtype))


def learning_rate_at(learning_rate: LearningRate, step: Any) -> Any:
    """The learning rate of a step: a number, or the value of the schedule at the 0-based step."""
    return learning_rate(step) if callable(learning_rate) else learning_rate


def check_learning_rate(name: str, learning_rate: LearningRate) -> None:
    """Refuse what is neither a schedule nor a scalar that is at least 0."""
    if callable(learning_rate) or isinstance(learning_rate, Tracer):
        return
    scalar = isinstance(learning_rate, int | float) or (
        isinstance(learning_rate, np.ndarray) and learning_rate.ndim == 0 and learning_rate.dtype.kind in "fiu"
    )
    if not scalar or not learning_rate >= 0:
        raise ValueRangeError(
            f"{name}: expected learning_rate >= 0, or a schedule (a function of the step), received {learning_rate!r}."
        )


def check_fraction(optimizer: str, *, below_one: bool = True, **values: float) -> None:
    """Refuse values outside [0, 1), or outside [0, 1] if not `below_one`."""
    for name, value in values.items():
        if not (0 <= value < 1 or (value == 1 and not below_one)):
            sign = "<" if below_one else "<="
            raise ValueRangeError(f"{optimizer}: expected 0 <= {name} {sign} 1, received {value}.")


def check_positive(optimizer: str, **values: float) -> None:
    """Refuse values that are not above 0."""
    for name, value in values.items():
        if not value > 0:
            raise ValueRangeError(f"{optimizer}: expected {name} > 0, received {value}.")
