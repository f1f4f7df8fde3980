"""Optimizers, as pure pairs.

``init(params) -> opt_state`` and ``update(grads, opt_state, params) -> (updates, opt_state)``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fnet import schedules as schedules
from fnet.errors import ValueRangeError, did_you_mean
from fnet.optimizers.accumulate import accumulate as accumulate
from fnet.optimizers.adafactor import adafactor as adafactor
from fnet.optimizers.adagrad import adadelta as adadelta
from fnet.optimizers.adagrad import adagrad as adagrad
from fnet.optimizers.adam import adam as adam
from fnet.optimizers.adam import adamax as adamax
from fnet.optimizers.adam import adamw as adamw
from fnet.optimizers.average import averaged_params as averaged_params
from fnet.optimizers.average import ema as ema
from fnet.optimizers.average import lookahead as lookahead
from fnet.optimizers.compose import add_decayed_weights as add_decayed_weights
from fnet.optimizers.compose import chain as chain
from fnet.optimizers.compose import clip_by_global_norm as clip_by_global_norm
from fnet.optimizers.compose import clip_by_norm as clip_by_norm
from fnet.optimizers.compose import clip_by_value as clip_by_value
from fnet.optimizers.compose import scale as scale
from fnet.optimizers.compose import scale_by_learning_rate as scale_by_learning_rate
from fnet.optimizers.ftrl import ftrl as ftrl
from fnet.optimizers.lamb import lamb as lamb
from fnet.optimizers.lion import lion as lion
from fnet.optimizers.muon import muon as muon
from fnet.optimizers.nadam import nadam as nadam
from fnet.optimizers.optimizer import CommonOptions as CommonOptions
from fnet.optimizers.optimizer import Optimizer as Optimizer
from fnet.optimizers.optimizer import apply_updates as apply_updates
from fnet.optimizers.optimizer import constructor as constructor
from fnet.optimizers.partition import apply_if_finite as apply_if_finite
from fnet.optimizers.partition import freeze as freeze
from fnet.optimizers.partition import partition as partition
from fnet.optimizers.rmsprop import rmsprop as rmsprop
from fnet.optimizers.second_order.gauss_newton import gauss_newton as gauss_newton
from fnet.optimizers.second_order.lbfgs import lbfgs as lbfgs
from fnet.optimizers.second_order.levenberg_marquardt import levenberg_marquardt as levenberg_marquardt
from fnet.optimizers.second_order.minimize import Minimum as Minimum
from fnet.optimizers.second_order.minimize import least_squares as least_squares
from fnet.optimizers.second_order.minimize import minimize as minimize
from fnet.optimizers.second_order.minimizer import LeastSquares as LeastSquares
from fnet.optimizers.second_order.minimizer import Minimizer as Minimizer
from fnet.optimizers.second_order.minimizer import StepInfo as StepInfo
from fnet.optimizers.second_order.newton import newton as newton
from fnet.optimizers.second_order.newton_cg import newton_cg as newton_cg
from fnet.optimizers.second_order.objective import Objective as Objective
from fnet.optimizers.second_order.objective import Residuals as Residuals
from fnet.optimizers.sgd import sgd as sgd

# The rules under the names of Keras' classes, which `get` takes in any case.
Adadelta = adadelta
Adafactor = adafactor
Adagrad = adagrad
Adam = adam
Adamax = adamax
AdamW = adamw
Ftrl = ftrl
Lamb = lamb
Lion = lion
Muon = muon
Nadam = nadam
RMSprop = rmsprop
SGD = sgd

_RULES: tuple[Any, ...] = (
    adadelta,
    adafactor,
    adagrad,
    adam,
    adamax,
    adamw,
    ftrl,
    lamb,
    lion,
    muon,
    nadam,
    rmsprop,
    sgd,
)
OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {rule.__name__: rule for rule in _RULES}


def get(optimizer: str | Optimizer | Callable[[], Any]) -> Optimizer:
    """An optimizer by name in any case, with its defaults; the `Optimizer` itself; or what a constructor makes.

    >>> get("RMSprop").config["rho"], get(adam).name
    (0.9, 'adam')

    Raises `ValueRangeError` for an unknown name or anything else.
    """
    if isinstance(optimizer, Optimizer):
        return optimizer
    if isinstance(optimizer, str) and optimizer.lower() in OPTIMIZERS:
        return OPTIMIZERS[optimizer.lower()]()
    made = optimizer() if callable(optimizer) else None
    if isinstance(made, Optimizer):
        return made
    raise ValueRangeError(
        f"unknown optimizer {optimizer!r}: expected a name, an Optimizer such as adam(1e-3), or a function that makes "
        f"one.{did_you_mean(optimizer, OPTIMIZERS)}"
    )
