"""fnet: a JIT-compiled functional deep-learning library. Layers are pure (init, apply) pairs over trees of arrays."""

from fnet import activations as activations
from fnet import initializers as initializers
from fnet import layers as layers
from fnet import losses as losses
from fnet import metrics as metrics
from fnet import ops as ops
from fnet import optimizers as optimizers
from fnet import random as random
from fnet import schedules as schedules
from fnet import testing as testing
from fnet import tree as tree
from fnet.combinators import fanout as fanout
from fnet.combinators import named as named
from fnet.combinators import parallel as parallel
from fnet.combinators import repeat as repeat
from fnet.combinators import residual as residual
from fnet.combinators import serial as serial
from fnet.embed import njit_apply as njit_apply
from fnet.io.weights import load_weights as load_weights
from fnet.io.weights import save_weights as save_weights
from fnet.layer import Layer as Layer
from fnet.precision import current_precision as current_precision
from fnet.precision import precision as precision
from fnet.spec import ArraySpec as ArraySpec
from fnet.threads import get_num_threads as get_num_threads
from fnet.threads import set_num_threads as set_num_threads
from fnet.train.history import History as History
from fnet.train.state import TrainState as TrainState
from fnet.train.trainer import Trainer as Trainer
from fnet.transforms.jit import jit as jit
from fnet.transforms.jvp import hessian_vector_product as hessian_vector_product
from fnet.transforms.jvp import jvp as jvp
from fnet.transforms.primitive import primitive as primitive
from fnet.transforms.stage import eval_shape as eval_shape
from fnet.transforms.vjp import grad as grad
from fnet.transforms.vjp import value_and_grad as value_and_grad
from fnet.transforms.vjp import vjp as vjp

__version__ = "0.1.0"
