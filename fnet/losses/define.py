"""What all losses share: options, casting, alignment, masks, sample weights, reduction. A loss is only its formula."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Generic, NoReturn, ParamSpec

import numpy as np

from fnet.arguments import known_word, number
from fnet.configured import Recipe, bound_arguments, constructor
from fnet.errors import did_you_mean
from fnet.losses.align import mask_for, pair, same_rank, weights_for
from fnet.losses.checks import check_outputs, check_targets, check_values
from fnet.losses.leave_out import without, without_nonfinite
from fnet.losses.rule import Align, Axes, Formula, LossRule, Per, axis_last, counts_of, rows, with_features
from fnet.losses.values import OutputsCheck, TargetsCheck
from fnet.masking import split_mask
from fnet.names import Names
from fnet.ops import nn
from fnet.ops.arithmetic import divide, equal, logical_and, multiply, where
from fnet.ops.promotion import astype, lift
from fnet.ops.reduce import mean
from fnet.ops.shape import broadcast_to
from fnet.ops.summation import sum
from fnet.transforms.primitive import spec_of

P = ParamSpec("P")
REDUCTIONS = ("mean", "sum_over_batch_size", "sum", "none", "mean_with_sample_weight", None)
_MEANS = ("mean", "sum_over_batch_size")
_SHARED_OPTIONS = frozenset(("sample_weight", "reduction"))
_GIVEN = frozenset(("mask", "counted"))
"""What a formula may ask for beside its options."""
LOSSES: Names[Loss] = Names("loss", "a name or a function", "fnet.losses")
MADE_BY: dict[Callable[..., Any], Loss] = {}
"""The losses by the constructors that configure them."""

_SHARED = """

    sample_weight: scalar or (B,) or one per value, multiplies the values; reduction: "mean" over the values whatever
    their weights (0 for an empty batch), "sum", "none", or "mean_with_sample_weight", ``sum(w v) / sum(w)``.
    Targets and predictions that a mask or a weight of 0 leaves out have no influence, whatever they hold.
    Raises `ShapeError` when shapes do not match one to one.
"""


class Loss:
    """A loss as a value: ``loss(y_true, y_pred, *, sample_weight=None, reduction="mean", **options)``.

    y_true, y_pred: (B, ...) -> scalar. Where y_pred is a `Masked`, steps that do not count are left out of the mean.
    `configured` gives the same loss with other defaults, and so do the constructors with Keras' names. Losses of one
    kind with equal name and options are equal. `kind` is the name of its formula, `config` has its options.

    >>> from fnet import losses
    >>> loss = losses.Huber(delta=2.0)
    >>> loss, float(loss([[0.0]], [[3.0]])), loss == losses.huber.configured(delta=2.0)
    (Huber(delta=2.0), 4.0, True)

    Raises `TypeError` for an unknown option.
    """

    name: str
    rule: LossRule
    _config: dict[str, Any]
    _default: Loss

    def __init__(self, rule: LossRule, config: Mapping[str, Any], name: str, default: Loss | None = None) -> None:
        self.__dict__.update(
            name=name,
            __name__=name,
            __qualname__=name,
            __module__=rule.face.__module__,
            __wrapped__=rule.face if default is None else _with_defaults(rule, config),
            __doc__=_with_shared_part(rule.face.__doc__ or ""),
            rule=rule,
            _config=dict(config),
            _default=self if default is None else default,
        )

    def __call__(self, y_true: Any, y_pred: Any, *, sample_weight: Any = None, **options: Any) -> Any:
        settings = {**self._config, **self._known(options)}
        reduction = known_word(self.name, "reduction", settings.pop("reduction"), REDUCTIONS)
        values, mask = _values(self.rule, self.name, y_true, y_pred, sample_weight, settings)
        per, at_once = self.rule.per, sample_weight is None and mask is None and reduction in _MEANS
        if per != "row" and not at_once:
            values = (mean if per == "element" else sum)(values, axis=-1)
        value = reduce_values(self.name, values, sample_weight, reduction, mask, self.rule.leaves_out)
        return multiply(value, float(spec_of(values).shape[-1])) if per == "term" and at_once else value

    def check_targets(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Refuse targets that compiled code would take as they are: out of range, no whole labels.

        y_true: (B, ...), an array; y_pred: predictions for them, or the `ArraySpec` of such, perhaps `Masked`; where
        the mask is not known yet, nothing is checked. What a mask or a weight of 0 leaves out is not checked.
        Raises `ValueRangeError` naming the sample, `ShapeError` where shapes do not match.
        """
        check_targets(self.rule, self.name, y_true, y_pred, sample_weight, self._config)

    def check_outputs(self, y_pred: Any, sample_weight: Any = None) -> None:
        """Refuse predictions (B, ...), an array, of a network without the last activation that the loss is made for.

        Raises `ValueRangeError` naming the sample.
        """
        check_outputs(self.rule, y_pred, sample_weight, self._config)

    @property
    def kind(self) -> str:
        return self.rule.kind

    @property
    def checks_outputs(self) -> bool:
        """Whether `check_outputs` may refuse something: not where predictions are logits."""
        return self.rule.outputs is not None and not self._config.get("from_logits")

    @property
    def constructor(self) -> str:
        return self.rule.constructor

    @property
    def config(self) -> Mapping[str, Any]:
        return MappingProxyType(self._config)

    def configured(self, *, name: str | None = None, **options: Any) -> Loss:
        """This loss with other defaults of its options, and another name.

        Raises `TypeError` for an unknown option, `ValueRangeError` or `DtypeError` for a value that it cannot have.
        """
        chosen = {k: v.item() if isinstance(v, np.generic) else v for k, v in self._known(options).items()}
        known_word(self.kind, "reduction", chosen.get("reduction", "mean"), REDUCTIONS)
        return Loss(self.rule, {**self._config, **chosen}, name or self.name, self._default)

    def _known(self, options: dict[str, Any]) -> dict[str, Any]:
        for option in options:
            if option not in self._config:
                hint = did_you_mean(option, (*self._config, "sample_weight"))
                raise TypeError(f"{self.kind}() got an unexpected keyword argument '{option}'.{hint}")
            if option in self.rule.ranges:
                number(self.kind, option, options[option], self.rule.ranges[option])
        return options

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Loss):
            return NotImplemented
        same = self.rule == other.rule and self.name == other.name
        return same and all(np.array_equal(v, other._config[k]) for k, v in self._config.items())

    def __hash__(self) -> int:
        return hash((self.kind, self.name))

    def __reduce__(self) -> str | tuple[Any, ...]:
        if self is not self._default:
            return _restored, (self._default, self._config, self.name)
        return (from_function, (self.rule.face,)) if self.constructor == "from_function" else self.kind

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"a loss is immutable: use its `configured` instead of setting '{name}'")

    def __repr__(self) -> str:
        default = self._default._config
        shown = [f"{k}={v!r}" for k, v in self._config.items() if not np.array_equal(v, default[k])]
        shown += [f"name={self.name!r}"] if self.name != self.kind else []
        return f"{self.constructor}({', '.join(shown)})"


class DefinedLoss(Loss, Generic[P]):
    """A `Loss` as it was defined. Type checkers see it with the arguments of its function."""

    if TYPE_CHECKING:

        def __call__(self, *args: P.args, **kwargs: P.kwargs) -> Any: ...


def define_loss(
    constructor: str,
    per: Per,
    align: Align = pair,
    axis: bool = False,
    activation: str | None = None,
    targets: TargetsCheck | None = None,
    outputs: OutputsCheck | None = None,
    axes: Axes | None = rows,
    formula: Formula | None = None,
    ranges: Mapping[str, str] = {},
) -> Callable[[Callable[P, Any]], DefinedLoss[P]]:
    """Make a `Loss` of a formula; `constructor` is the name under which it is configured, Keras' class name.

    The formula ``(y_true, y_pred, **options) -> values`` gets arrays that `align` has brought together. With
    ``per="element"`` it gives one value for each element, (B, ..., D), and the loss of a row is their mean over the
    last axis; with ``per="term"`` it is their sum; with ``per="row"`` the formula gives the rows, (B, ...), itself.
    The function lists ``sample_weight=`` and ``reduction=`` too, for readers and type checkers: all losses take them.
    With `axis` the loss has the option of this name, and the formula gets that axis as the last one. With `activation`,
    "softmax" or "sigmoid", predictions that this activation made reach the formula as its logits, with
    ``from_logits=True``. targets, outputs: what refuses arrays that the formula cannot take. axes: gives those of
    the predictions that the values keep, from their rank and the options; None where a weight is not of some of them
    alone. formula: the formula, where it takes more than its users give; the function then has its signature and
    docstring only. ranges: the intervals of options that are numbers, as `fnet.arguments.number` takes them.

    A formula with an argument `mask` gets the mask of the predictions or None, and returns its values `Masked` where
    some of them do not count. One with an argument `counted` gets what counts, of the rank of the predictions, or None,
    and leaves out the rest by itself; for others it is replaced.

    >>> @define_loss("QuarticError", per="element")
    ... def quartic_error(y_true, y_pred, *, scale=1.0):
    ...     return scale * (y_true - y_pred) ** 4
    >>> float(quartic_error([[1.0]], [[3.0]], scale=0.5))
    8.0
    """

    def decorate(face: Callable[P, Any]) -> DefinedLoss[P]:
        options = {k: p for k, p in inspect.signature(face).parameters.items() if p.kind is p.KEYWORD_ONLY}
        options = {k: p for k, p in options.items() if k not in _SHARED_OPTIONS}
        if axis:
            options["axis"] = inspect.Parameter("axis", inspect.Parameter.KEYWORD_ONLY, default=-1, annotation=int)
        config = {**{k: p.default for k, p in options.items()}, "reduction": "mean"}
        own = face if formula is None else formula
        takes = _GIVEN & inspect.signature(own).parameters.keys()
        rule = LossRule(
            face, own, constructor, per, align, options, axis, activation, targets, outputs, axes, takes, ranges
        )
        return DefinedLoss(rule, config, rule.kind)

    return decorate


def loss_constructor(make: Callable[P, Loss]) -> Callable[P, Loss]:
    """Make a function the constructor of the loss that it returns, with the options that are given.

    The name of the constructor stands for the loss, too.
    """

    def finish(loss: Loss, recipe: Recipe) -> Loss:
        return loss.configured(**recipe.kwargs)

    construct = constructor(finish, _bound)(make)
    MADE_BY[construct] = loss = make()  # type: ignore[call-arg]
    LOSSES.add(loss, make.__name__)
    return construct


def _bound(name: str, signature: inspect.Signature, args: tuple, kwargs: Mapping[str, Any]) -> dict[str, Any]:
    """The options by name; a `TypeError` names the one that is unknown, or given twice."""
    options = [option for option in signature.parameters if option != "name"]
    if len(args) > len(options):
        raise TypeError(f"{name}() takes {len(options)} options, received {len(args)}.")
    for option in kwargs:
        if option in options[: len(args)]:
            raise TypeError(f"{name}() got the option '{option}' twice.")
        if option not in signature.parameters:
            hint = did_you_mean(option, signature.parameters)
            raise TypeError(f"{name}() got an unexpected keyword argument '{option}'.{hint}")
    return bound_arguments(name, signature, args, kwargs)


def from_function(f: Formula) -> Loss:
    """A `Loss` of a plain function ``f(y_true, y_pred) -> values``: one for each sample, (B, ...), or a scalar.

    Arrays of shapes (B,) and (B, 1) are made alike first, as in Keras, so that they do not broadcast to (B, B).

    >>> loss = from_function(lambda y, p: abs(y - p))
    >>> float(loss(np.array([1.0, 2.0]), np.array([[1.5], [2.0]]), sample_weight=[2.0, 1.0]))
    0.5
    """
    rule = LossRule(f, f, "from_function", "row", _ranks, {}, axes=_every)
    return Loss(rule, {"reduction": "mean"}, rule.kind)


def _every(ndim: int, options: Mapping[str, Any]) -> Sequence[int]:
    return range(ndim)


def _ranks(name: str, y_true: Any, y_pred: Any) -> tuple[Any, Any]:
    return same_rank(y_true, y_pred) if all(hasattr(x, "shape") for x in (y_true, y_pred)) else (y_true, y_pred)


def takes_weights(f: Callable[..., Any]) -> bool:
    """Whether a function can be called with ``sample_weight=``."""
    try:
        return "sample_weight" in inspect.signature(f).parameters
    except (TypeError, ValueError):  # built-in functions do not say what they take
        return False


def reduce_values(
    name: str,
    values: Any,
    sample_weight: Any = None,
    reduction: str | None = "mean",
    mask: Any = None,
    finite: bool = False,
) -> Any:
    """Weight the values (B, ...) of a loss and reduce them to one number (keep them with "none").

    mask: (B, ...), leaves values out of sums and of the means, 0 where none is left; finite: values of weight 0 are.
    Source: Keras ``losses/loss.py``; there "mean" is called "sum_over_batch_size".
    """
    weights = None if sample_weight is None else weights_for(name, sample_weight, values)
    if weights is not None:
        weighted = multiply(values, weights)
        values = weighted if finite else where(equal(weights, 0), 0, weighted)
    if mask is not None:
        mask = mask_for(name, mask, values)
        values = where(mask, values, 0)
    if reduction in (None, "none"):
        return values
    if reduction == "sum" or spec_of(values).size == 0:
        return sum(values)
    if reduction == "mean_with_sample_weight" and weights is not None:
        weights = broadcast_to(weights, spec_of(values).shape)
        return divide_or_zero(sum(values), sum(weights if mask is None else where(mask, weights, 0)))
    if mask is None:
        return mean(values)
    valid = astype(sum(mask), spec_of(values).dtype)
    return multiply(mean(values), divide_or_zero(float(spec_of(mask).size), valid))


def divide_or_zero(a: Any, b: Any) -> Any:
    """``a / b``, and 0 where `b` is 0."""
    empty = equal(b, 0)
    return where(empty, 0, divide(a, where(empty, 1, b)))


def _values(
    rule: LossRule, name: str, y_true: Any, y_pred: Any, sample_weight: Any, settings: dict[str, Any]
) -> tuple[Any, Any]:
    """The values of the formula and the mask on them, or None."""
    y_true, _ = split_mask(y_true)
    y_pred, mask = split_mask(y_pred)
    if rule.along_axis and (axis := settings.pop("axis")) != -1:
        y_true, y_pred = axis_last(y_true, y_pred, axis)
    if mask is not None and rule.per == "element":
        y_true, y_pred = (with_features(lift(x), mask) for x in (y_true, y_pred))
    y_true, y_pred = rule.align(name, y_true, y_pred)
    if rule.activation is not None and not settings["from_logits"]:
        logits = nn.logits_of(rule.activation, y_pred)
        y_pred, settings["from_logits"] = (y_pred, False) if logits is None else (logits, True)
    given = {"mask": mask} if "mask" in rule.takes else {}
    counts = counts_of(rule, y_pred, None if given else mask, sample_weight, settings)
    if "counted" in rule.takes:
        given["counted"] = counts
    elif counts is not None:
        leave_out = without_nonfinite if rule.constructor == "from_function" else without
        y_true, y_pred = leave_out(counts, y_true, y_pred)
    if "counted" not in rule.takes:
        check_values(rule, y_true, y_pred, settings)
    values, own = split_mask(rule.formula(y_true, y_pred, **given, **settings))
    values = lift(values)
    if rule.options and spec_of(values).shape == () and 0 in spec_of(y_pred).shape[:1]:
        values = np.zeros(0, spec_of(values).dtype)  # one value for the batch, which is empty
    if "mask" in given or mask is None:
        return values, own
    return values, mask if own is None else logical_and(mask_for(name, mask, values), own)


def _restored(default: Loss, config: dict[str, Any], name: str) -> Loss:
    return default.configured(name=name, **config)


def _with_shared_part(doc: str) -> str:
    """The docstring with the paragraph on weights, reduction and shapes after its first one."""
    head, gap, rest = doc.partition("\n\n")
    return head.rstrip() + _SHARED + (gap[1:] + rest if rest else "")


def _with_defaults(rule: LossRule, config: Mapping[str, Any]) -> Callable[..., Any]:
    """The function of the loss with other defaults, for its signature."""
    listed = inspect.signature(rule.face).parameters
    return functools.partial(rule.face, **{k: v for k, v in config.items() if k in listed})
