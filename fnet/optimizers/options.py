"""The keywords that all rules share, as in Keras: what they do to a rule's (init, update)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ParamSpec, TypedDict

from fnet import tree
from fnet.arguments import number, warn_without_effect
from fnet.configured import is_default
from fnet.errors import ValueRangeError
from fnet.ops.arithmetic import multiply, subtract
from fnet.optimizers.accumulate import accumulate
from fnet.optimizers.average import EMA_MOMENTUM, ema
from fnet.optimizers.compose import clip_by_global_norm, clip_by_norm, clip_by_value
from fnet.optimizers.masks import mask_of
from fnet.optimizers.optimizer import (
    LearningRate,
    Optimizer,
    Pair,
    constructor_with,
    in_dtype,
    learning_rate_at,
    needed,
)
from fnet.optimizers.patterns import as_predicate, tell_unused
from fnet.transforms.primitive import spec_of

P = ParamSpec("P")
_CLIPS: dict[str, Callable[[float], Optimizer]] = {
    "clipnorm": clip_by_norm,
    "clipvalue": clip_by_value,
    "global_clipnorm": clip_by_global_norm,
}


class Options(TypedDict, total=False):
    """Keywords that rules take, as Keras' optimizers do; `with_options` says what they mean."""

    weight_decay: float | None
    exclude_from_weight_decay: Any
    clipnorm: float | None
    clipvalue: float | None
    global_clipnorm: float | None
    use_ema: bool
    ema_momentum: float
    ema_overwrite_frequency: int | None
    gradient_accumulation_steps: int | None


def rule_constructor(decays_itself: bool = False) -> Callable[[Callable[P, Pair]], Callable[P, Optimizer]]:
    """Make a function that returns the (init, update) of a rule the constructor of its `Optimizer`.

    The function lists the `Options` that it takes, for readers and type checkers, and leaves them to this decorator.
    decays_itself: the rule does what weight_decay and exclude_from_weight_decay say.
    """
    names = [name for name in Options.__annotations__ if not (decays_itself and "weight_decay" in name)]

    def around(pair: Pair, arguments: Mapping[str, Any]) -> Pair:
        options: Any = {name: arguments[name] for name in names if name in arguments}
        return with_options(pair, arguments["learning_rate"], options)

    return constructor_with(around)


def with_options(rule: Pair, learning_rate: LearningRate, options: Options) -> Pair:
    """The rule with Keras' common options around it, in this order.

    gradient_accumulation_steps=k: gradients are averaged over k calls, and only the k-th updates (`accumulate`); all
        that follows, schedules included, counts updates.
    clipnorm, clipvalue, global_clipnorm: each leaf's norm, each element, or the norm of all is kept below the value;
        at most one of them.
    weight_decay: ``w <- w - lr weight_decay w`` before the step (decoupled), except for leaves that
        exclude_from_weight_decay names: regular expressions searched in the path, ``predicate(path, leaf)``, or a mask.
    use_ema: a running mean of the parameters after each step is kept (`ema`), with ema_momentum; every
        ema_overwrite_frequency steps the parameters become this mean.

    Warns of options that need another one to have an effect, and of regular expressions that no path matches. Raises
    `ValueRangeError`. The state of the rule is as without the options, inside that of mean and accumulation.
    """
    _tell_without_effect(options)
    clips = {key: options.get(key) for key in _CLIPS}
    chosen: dict[str, Any] = {name: limit for name, limit in clips.items() if limit is not None}
    if len(chosen) > 1:
        raise ValueRangeError(f"expected at most one of clipnorm, clipvalue and global_clipnorm, received {chosen}.")
    weight_decay, steps = options.get("weight_decay"), options.get("gradient_accumulation_steps")
    if weight_decay is not None:
        number("optimizer", "weight_decay", weight_decay, "[0, inf]")
        rule = _with_decay(rule, learning_rate, weight_decay, options.get("exclude_from_weight_decay", ()))
    for name, limit in chosen.items():
        rule = _after(_CLIPS[name](limit), rule)
    optimizer = Optimizer(*rule)
    if options.get("use_ema"):
        optimizer = ema(optimizer, options.get("ema_momentum", EMA_MOMENTUM), options.get("ema_overwrite_frequency"))
    if steps is not None:
        optimizer = accumulate(optimizer, steps)
    return optimizer.init, optimizer.update


def _tell_without_effect(options: Options) -> None:
    if options.get("weight_decay") is None and not _is_nothing(options.get("exclude_from_weight_decay", ())):
        warn_without_effect("optimizer", "exclude_from_weight_decay", "weight_decay", depth=7)
    if not options.get("use_ema"):
        if not is_default(options.get("ema_momentum", EMA_MOMENTUM), EMA_MOMENTUM):
            warn_without_effect("optimizer", "ema_momentum", "use_ema=True", depth=7)
        if options.get("ema_overwrite_frequency") is not None:
            warn_without_effect("optimizer", "ema_overwrite_frequency", "use_ema=True", depth=7)


def _is_nothing(exclude: Any) -> bool:
    return exclude is None or (isinstance(exclude, str | tuple | list) and not exclude)


def _after(first: Optimizer, rule: Pair) -> Pair:
    """The rule on gradients that went through `first`, which has no state."""
    init, then = rule

    def update(grads: Any, state: Any, params: Any = None) -> tuple[Any, Any]:
        return then(first.update(grads, {}, params)[0], state, params)

    return init, update


def _with_decay(rule: Pair, learning_rate: LearningRate, weight_decay: float, exclude: Any) -> Pair:
    """The rule, applied to decayed parameters; its updates contain the decay."""
    before, then = rule

    def init(params: Any) -> Any:
        tell_unused("exclude_from_weight_decay", exclude, params)
        return before(params)

    def update(grads: Any, state: Mapping[str, Any], params: Any = None) -> tuple[Any, Any]:
        factor = in_dtype(multiply(learning_rate_at(learning_rate, state), weight_decay))
        keeps = mask_of("exclude_from_weight_decay", as_predicate(exclude), needed(params))

        def lowered(x: Any, w: Any, keep: bool) -> Any:
            return x if keep else subtract(x, multiply(w, factor(spec_of(w).dtype)))

        updates, state = then(grads, state, tree.map(lowered, params, params, keeps))
        return tree.map(lowered, updates, params, keeps), state

    return init, update
