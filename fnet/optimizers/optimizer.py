"""What an optimizer is: a pure pair ``(init, update)``, and what its rules need to run over the leaves of a tree."""

from __future__ import annotations

import functools
import inspect
import warnings
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, NoReturn, ParamSpec, Protocol

import numpy as np

from fnet import configured, tree
from fnet.arguments import is_number
from fnet.configured import Recipe, make_again
from fnet.context import in_force
from fnet.errors import DtypeError, ShapeError, StructureError, ValueRangeError
from fnet.names import Names
from fnet.ops.arithmetic import add, less, multiply, where
from fnet.ops.maths import absolute
from fnet.ops.promotion import astype
from fnet.transforms.operand import beside, is_known
from fnet.transforms.primitive import spec_of

P = ParamSpec("P")
Init = Callable[[Any], Any]


class Update(Protocol):
    """``update(grads, opt_state, params) -> (updates, opt_state)``; some rules need no params."""

    def __call__(self, grads: Any, opt_state: Any, /, params: Any = None) -> tuple[Any, Any]: ...


Pair = tuple[Init, Update]
LearningRate = float | np.ndarray | Callable[[Any], Any]
"""A number, or a schedule: a function of the 0-based step."""

NO_CHANGE = -0.0
"""The update that leaves every bit of a parameter: x + -0.0 is x, while -0.0 + 0.0 is 0.0."""

_RENAMED = {"eps": "epsilon", "alpha": "rho", "beta1": "beta_1", "beta2": "beta_2"}


class Optimizer(tuple[Init, Update]):
    """The pair ``init(params) -> opt_state`` and ``update(grads, opt_state, params) -> (updates, opt_state)``.

    Both are pure; the new parameters are ``apply_updates(params, updates)``. `name` and `config` say how it was made.
    One that a function of `fnet.optimizers` made is pickled by its arguments, others by the two functions.

    >>> import numpy as np
    >>> shrink = Optimizer(lambda params: {}, lambda g, s, params=None: (tree.map(lambda x: -x, g), s), name="shrink")
    >>> init, update = shrink
    >>> update({"w": np.ones(1)}, init({"w": np.ones(1)}))
    ({'w': array([-1.])}, {})
    """

    name: str
    _config: Mapping[str, Any]
    _recipe: Recipe | None

    def __new__(
        cls,
        init: Init,
        update: Update,
        name: str = "optimizer",
        config: Mapping[str, Any] = {},
        recipe: Recipe | None = None,
    ) -> Optimizer:
        self = super().__new__(cls, (init, update))
        self.__dict__.update(name=name, _config=dict(config), _recipe=recipe)
        return self

    def __reduce__(self) -> tuple[Any, ...]:
        if self._recipe is None:
            return Optimizer, (self.init, self.update, self.name, self._config)
        return make_again, tuple(self._recipe)

    def __copy__(self) -> Optimizer:
        return self

    def __deepcopy__(self, memo: Any) -> Optimizer:
        """The optimizer itself, which never changes."""
        return self

    @property
    def init(self) -> Init:
        return self[0]

    @property
    def update(self) -> Update:
        return self[1]

    @property
    def config(self) -> Mapping[str, Any]:
        return MappingProxyType(self._config)

    @property
    def make(self) -> Callable[..., Optimizer] | None:
        """The function that made it, None where it is not known."""
        return None if self._recipe is None else self._recipe.make

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"an Optimizer is immutable: make a new one instead of setting '{name}'")

    def __repr__(self) -> str:
        return f"{self.name}({', '.join(f'{k}={v!r}' for k, v in self.config.items())})"


OPTIMIZERS: Names[Callable[..., Optimizer]] = Names(
    "optimizer",
    "a name, an Optimizer such as adam(1e-3), or a function that makes one",
    "fnet.optimizers",
    spelling=str.lower,
)


def constructor_with(
    around: Callable[[Pair, Mapping[str, Any]], Pair],
) -> Callable[[Callable[P, Pair]], Callable[P, Optimizer]]:
    """A decorator like `optimizer_constructor`, for functions that list more keywords than they use.

    around: ``around((init, update), arguments)`` gives the pair that the keywords ask for.
    """

    def decorate(make: Callable[P, Pair]) -> Callable[P, Optimizer]:
        parameters = inspect.signature(make).parameters.values()
        optional = {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}

        def finish(made: Pair, recipe: Recipe) -> Optimizer:
            config = {
                key: value
                for key, value in recipe.kwargs.items()
                if key not in optional or not configured.is_default(value, optional[key])
            }
            return Optimizer(*around(made, recipe.kwargs), recipe.name, config, recipe._replace(kwargs=config))

        return configured.constructor(finish, _bound)(make)

    return decorate


def optimizer_constructor(make: Callable[P, Pair]) -> Callable[P, Optimizer]:
    """Make a function that returns (init, update) the constructor of an `Optimizer` that knows its arguments.

    ``lr=`` is a deprecated name of ``learning_rate=``. The config leaves out keywords at their defaults.
    """
    return constructor_with(lambda pair, arguments: pair)(make)


def combinator(make: Callable[P, Optimizer]) -> Callable[P, Optimizer]:
    """Make a function of optimizers the constructor of an `Optimizer` that is pickled by these arguments."""

    def finish(made: Optimizer, recipe: Recipe) -> Optimizer:
        return Optimizer(*made, made.name, made.config, recipe)

    return configured.combinator(finish)(make)


def _bound(function: str, signature: inspect.Signature, args: tuple, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The arguments by name. ``lr=`` means ``learning_rate=``; for names in other libraries the error says ours."""
    known, given = signature.parameters, dict(kwargs)
    if "lr" in given and "learning_rate" in known and "learning_rate" not in given:
        warnings.warn(f"{function}(lr=...) is deprecated: write learning_rate=.", DeprecationWarning, stacklevel=3)
        given["learning_rate"] = given.pop("lr")
    hints = {old: f" Did you mean '{new}'?" for old, new in _RENAMED.items() if new in known}
    if "learning_rate" in known:
        hints["decay"] = " Give a schedule: learning_rate=fnet.schedules.inverse_time_decay(rate, 1, decay)."
    return configured.bound_arguments(function, signature, args, given, hints)


def apply_updates(params: Any, updates: Any) -> Any:
    """``params + updates``, leaf by leaf, in the dtypes of `params`; raises `ShapeError` for updates of other shapes.

    >>> import numpy as np
    >>> apply_updates({"w": np.array([1.0, 2.0])}, {"w": np.array([-0.5, 0.0])})
    {'w': array([0.5, 2. ])}
    """
    check_shapes(updates, params)
    return tree.map(lambda p, u: add(p, astype(u, spec_of(p).dtype)), params, updates)


def full_like(params: Any, value: float = 0.0) -> Any:
    """A tree of one value; raises `DtypeError` naming the first leaf that is not floating."""
    check_floating(params)
    return tree.map(lambda x: beside(np.full(spec_of(x).shape, value, spec_of(x).dtype), x), params)


def check_floating(params: Any) -> None:
    """Raise `DtypeError` naming the first leaf that is not floating."""
    for path, leaf in tree.leaves_with_path(params):
        if not spec_of(leaf).differentiable:
            raise DtypeError(
                f"optimizer: parameter '{path}' is {spec_of(leaf)}, expected float32 or float64. "
                f"Leave it out with fnet.tree.partition, or convert it with .astype('float32')."
            )


def first_step(**slots: Any) -> dict[str, Any]:
    """The state of an optimizer at step 0: the count of steps and its trees."""
    return {"step": np.zeros((), np.int64), **slots}


def next_step(state: Mapping[str, Any]) -> Any:
    """The count after this step, 1 at the first one."""
    return add(state["step"], 1)


def map_leaves(
    rule: Callable[..., tuple[Any, ...]], grads: Any, params: Any, *slots: Any, read: tuple[Any, ...] = ()
) -> tuple[Any, ...]:
    """The trees of ``rule(g, dtype, *read, *slots) -> (update, *new slots)``, leaf by leaf.

    The structure and dtypes are those of `params`, where given, else of `grads`; `StructureError` names the path of
    a difference.
    """
    if params is not None:
        check_shapes(grads, params)
    like, own = tree.flatten(grads if params is None else params)
    dtypes = [spec_of(leaf).dtype for leaf in like]
    columns = [tree.flatten_like(own, t) for t in (grads, *read, *slots)]
    rows = [rule(astype(g, dtype), dtype, *rest) for dtype, g, *rest in zip(dtypes, *columns, strict=True)]
    results = zip(*rows, strict=True) if rows else [()] * (1 + len(slots))
    return tuple(tree.unflatten(own, leaves) for leaves in results)


def by_leaf(
    learning_rate: LearningRate,
    slots: Mapping[str, float],
    rule: Callable[[Any, Any], Callable[..., tuple[Any, ...]]],
    reads_params: bool = False,
) -> tuple[Init, Update]:
    """The pair of a rule that treats every leaf alike; its state is ``step`` and a tree for each of the `slots`.

    slots: the values with which the trees begin, by name.
    rule: ``rule(rate, t)``, with t = 1 at the first step, gives ``leaf(g, dtype, *slots) -> (update, *new slots)``;
        if it `reads_params`, ``leaf(g, dtype, w, *slots)``. Scalars other than Python numbers go through `in_dtype`.
    """

    def init(params: Any) -> dict[str, Any]:
        check_floating(params)
        return first_step(**rate_in_state(learning_rate), **{k: full_like(params, value) for k, value in slots.items()})

    def update(grads: Any, state: Mapping[str, Any], params: Any = None) -> tuple[Any, dict[str, Any]]:
        step = next_step(state)
        if params is None and slots:
            check_shapes(grads, state[next(iter(slots))])
        leaf = rule(learning_rate_at(learning_rate, state), step)
        read = (needed(params),) if reads_params else ()
        updates, *new = map_leaves(leaf, grads, params, *(state[name] for name in slots), read=read)
        return updates, {"step": step, **kept_rate(state), **dict(zip(slots, new, strict=True))}

    return init, update


def check_shapes(grads: Any, like: Any) -> None:
    """Refuse gradients of other shapes than the parameters, or than what was made for them, by the path of the leaf.

    Raises `ShapeError`, `StructureError` where the trees differ.
    """
    own = tree.structure(like)
    for i, (g, leaf) in enumerate(zip(tree.flatten_like(own, grads), tree.leaves(like), strict=True)):
        given, expected = spec_of(g).shape, spec_of(leaf).shape
        if given != expected:
            path = own.paths()[i]
            raise ShapeError(
                f"optimizer: the gradient at '{path or 'the only leaf'}' has the shape {given}, expected that of its "
                f"parameter, {expected}. Pass gradients that fnet.grad gave for these parameters."
            )


def decayed(average: Any, value: Any, rho: float) -> Any:
    """``rho average + (1-rho) value``."""
    return add(multiply(average, rho), multiply(value, 1 - rho))


def settled(average: Any, epsilon: float = 1.0) -> Any:
    """A running average, with 0 in place of numbers below the least normal one.

    An average without new gradients decays towards 0 and never gets there; processors take a hundred times as long for
    such small numbers. The numbers and their roots vanish beside an `epsilon` above 1e-11; with a smaller one nothing
    is changed.
    """
    if not epsilon > 1e-11:
        return average
    least = float(np.finfo(spec_of(average).dtype).tiny)
    return where(less(absolute(average), least), 0.0, average)


def needed(params: Any) -> Any:
    """The parameters; `StructureError` where `update` was called without them."""
    if params is None:
        raise StructureError("this optimizer needs the parameters: call update(grads, opt_state, params).")
    return params


def in_dtype(value: Any) -> Callable[[np.dtype], Any]:
    """A scalar in the dtype of a leaf, cast once for each dtype; Python numbers are weak and stay as they are."""
    if type(value) in (int, float):
        return lambda dtype: value
    return functools.cache(lambda dtype: astype(value, dtype))


def rate_in_state(learning_rate: LearningRate) -> dict[str, Any]:
    """What a new state of a rule has of the learning rate: the number, where states hold it (`optimizers.rates`)."""
    if not in_force().rates_in_state or callable(learning_rate) or not is_known(learning_rate):
        return {}
    return {"learning_rate": np.array(learning_rate, np.float64)}


def kept_rate(state: Mapping[str, Any]) -> dict[str, Any]:
    """What the next state of a rule has of the learning rate: the same as `state`."""
    return {"learning_rate": state["learning_rate"]} if "learning_rate" in state else {}


def learning_rate_at(learning_rate: LearningRate, state: Mapping[str, Any]) -> Any:
    """The learning rate of a step, for the state of the rule before it.

    It is the number in the state if that holds one, else the number that the rule was given, or the value of its
    schedule at the 0-based step.
    Raises `ValueRangeError` where the schedule gives a value that is not finite; under `fnet.jit`, where values are not
    known, such a rate makes the parameters NaN instead.
    """
    if "learning_rate" in state:
        return state["learning_rate"]
    if not callable(learning_rate):
        return learning_rate
    step = state["step"]
    rate = learning_rate(step)
    if is_known(rate) and not np.all(np.isfinite(rate)):
        when = f"step {step}" if is_known(step) else "every step"
        raise ValueRangeError(f"the learning-rate schedule gave {rate} at {when}, expected a finite rate.")
    return rate


def check_learning_rate(name: str, learning_rate: LearningRate) -> None:
    """Refuse what is neither a schedule nor a finite scalar that is at least 0."""
    if callable(learning_rate) or not is_known(learning_rate):
        return
    if not is_number(learning_rate) or not 0 <= learning_rate < np.inf:
        raise ValueRangeError(
            f"{name}: expected learning_rate >= 0, or a schedule (a function of the step), received {learning_rate!r}."
        )
