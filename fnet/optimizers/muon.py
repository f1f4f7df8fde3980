"""Muon: steps along orthogonalised momenta for matrices, Adam for everything else."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fnet.arguments import integer, number, warn_without_effect
from fnet.ops.arithmetic import add, divide, multiply, negative
from fnet.ops.linalg import matmul
from fnet.ops.maths import sqrt, square
from fnet.ops.shape import transpose
from fnet.ops.summation import sum
from fnet.optimizers.adam import adam
from fnet.optimizers.average import EMA_MOMENTUM
from fnet.optimizers.optimizer import (
    OPTIMIZERS,
    Init,
    LearningRate,
    Optimizer,
    Update,
    by_leaf,
    check_learning_rate,
    in_dtype,
)
from fnet.optimizers.options import Options, rule_constructor, with_options
from fnet.optimizers.partition import partition
from fnet.optimizers.patterns import as_patterns, as_predicate, matches, tell_unused
from fnet.transforms.primitive import spec_of


@OPTIMIZERS.named()
@rule_constructor(decays_itself=True)
def muon(
    learning_rate: LearningRate = 0.001,
    adam_beta_1: float = 0.9,
    adam_beta_2: float = 0.999,
    adam_weight_decay: float | None = 0.004,
    epsilon: float = 1e-7,
    weight_decay: float | None = 0.004,
    exclude_layers: Sequence[str] = (),
    exclude_embeddings: bool = True,
    muon_a: float = 3.4445,
    muon_b: float = -4.7750,
    muon_c: float = 2.0315,
    adam_lr_ratio: float = 1.0,
    momentum: float = 0.95,
    ns_steps: int = 5,
    nesterov: bool = True,
    rms_rate: float | None = 0.2,
    *,
    exclude_from_weight_decay: Any = (),
    clipnorm: float | None = None,
    clipvalue: float | None = None,
    global_clipnorm: float | None = None,
    use_ema: bool = False,
    ema_momentum: float = EMA_MOMENTUM,
    ema_overwrite_frequency: int | None = None,
    gradient_accumulation_steps: int | None = None,
) -> tuple[Init, Update]:
    """``m <- momentum m + g``, ``w <- w - lr rms_rate sqrt(max(rows, columns)) orthogonal(m)`` for matrices.

    With `nesterov` orthogonal(g + momentum m). The orthogonal factor comes from `ns_steps` Newton-Schulz steps
    ``x <- a x + (b x x' + c (x x')^2) x`` from ``x / |x|``. Leaves that have not two axes, whose path contains
    "embedding" (unless `exclude_embeddings` is False) or matches a regular expression in `exclude_layers` go to `adam`
    with ``lr adam_lr_ratio``. State: one for ``muon``, one for ``adam``. Keywords: see `with_options`.
    Raises `ValueRangeError`. Source: Keras ``Muon``; Jordan et al. 2024.

    >>> import numpy as np
    >>> from fnet.optimizers import apply_updates, muon
    >>> opt, params = muon(0.1, weight_decay=0.0), {"w": np.eye(2)}
    >>> updates, state = opt.update({"w": np.diag([3.0, 1.0])}, opt.init(params), params)
    >>> apply_updates(params, updates)["w"].round(2)
    array([[0.98, 0.  ],
           [0.  , 0.97]])
    """
    check_learning_rate("muon", learning_rate)
    number("muon", "momentum", momentum, "[0, 1)")
    integer("muon", "ns_steps", ns_steps)
    number("muon", "adam_lr_ratio", adam_lr_ratio, "[0, inf]")

    def rule(rate: Any, t: Any) -> Any:
        minus_rate = in_dtype(negative(rate))

        def leaf(g: Any, dtype: Any, m: Any) -> tuple[Any, Any]:
            m = add(multiply(m, momentum), g)
            direction = _orthogonal(add(multiply(m, momentum), g) if nesterov else m)
            factor = 1.0 if rms_rate is None else rms_rate * math.sqrt(max(spec_of(g).shape))
            return multiply(direction, multiply(minus_rate(dtype), factor)), m

        return leaf

    def _orthogonal(x: Any) -> Any:
        rows, columns = spec_of(x).shape
        x = transpose(x) if rows > columns else x
        x = divide(x, add(sqrt(sum(square(x))), 1e-7))
        for _ in range(ns_steps):
            gram = matmul(x, transpose(x))
            x = add(multiply(x, muon_a), matmul(add(multiply(gram, muon_b), multiply(matmul(gram, gram), muon_c)), x))
        return transpose(x) if rows > columns else x

    def label(path: str, leaf: Any) -> str:
        excluded = exclude_embeddings and "embedding" in path.lower()
        excluded = excluded or matches(as_patterns(exclude_layers) or (), path)
        return "adam" if excluded or len(spec_of(leaf).shape) != 2 else "muon"

    def scaled(rate: LearningRate) -> LearningRate:
        return (lambda step: multiply(rate(step), adam_lr_ratio)) if callable(rate) else rate * adam_lr_ratio

    if weight_decay is None and adam_weight_decay is None and exclude_from_weight_decay:
        warn_without_effect("muon", "exclude_from_weight_decay", "weight_decay")

    def decay(rate: float | None) -> Options:
        """Each part has leaves of its own, so that a pattern need not match in both."""
        return (
            {}
            if rate is None
            else {"weight_decay": rate, "exclude_from_weight_decay": as_predicate(exclude_from_weight_decay)}
        )

    matrices = with_options(by_leaf(learning_rate, {"momentum": 0.0}, rule), learning_rate, decay(weight_decay))
    others = adam(
        scaled(learning_rate),
        adam_beta_1,
        adam_beta_2,
        epsilon,
        **decay(adam_weight_decay),
    )
    both = partition({"muon": Optimizer(*matrices), "adam": others}, label)

    def init(params: Any) -> Any:
        tell_unused("exclude_layers", exclude_layers, params)
        tell_unused("exclude_from_weight_decay", exclude_from_weight_decay, params)
        return both.init(params)

    return init, both.update
