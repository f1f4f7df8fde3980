from fnet import schedules as schedules
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
from fnet.optimizers.names import get as get
from fnet.optimizers.optimizer import OPTIMIZERS as OPTIMIZERS
from fnet.optimizers.optimizer import Optimizer as Optimizer
from fnet.optimizers.optimizer import apply_updates as apply_updates
from fnet.optimizers.optimizer import optimizer_constructor as optimizer_constructor
from fnet.optimizers.partition import apply_if_finite as apply_if_finite
from fnet.optimizers.partition import freeze as freeze
from fnet.optimizers.partition import partition as partition
from fnet.optimizers.rmsprop import rmsprop as rmsprop
from fnet.optimizers.schedule_free import schedule_free_adamw as schedule_free_adamw
from fnet.optimizers.schedule_free import schedule_free_params as schedule_free_params
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

# Under the names of Keras' classes.
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
ScheduleFreeAdamW = schedule_free_adamw
schedulefreeadamw = schedule_free_adamw
SGD = sgd
