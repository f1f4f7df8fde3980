"""fnet: a JIT-compiled functional deep-learning library. Layers are pure (init, apply) pairs over trees of arrays.

    net = fnet.serial(fnet.layers.Dense(300, activation="relu"), fnet.layers.Dense(10))
    trainer = fnet.Trainer(net, loss="sparse_categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    ts = trainer.init(fnet.random.key(0), (784,))
    ts, history = trainer.fit(ts, x, y, epochs=5)

Networks: `serial`, `parallel`, `fanout`, `residual`, `repeat`, `named`; any graph by `Input` and `graph`; a layer of
your own by `Layer`; the constructors are in `fnet.layers`. To look at them: `summary`, `plot_model`.
Training: `Trainer`; `fnet.losses`, `fnet.metrics`, `fnet.optimizers`, `fnet.schedules`; `minimize`, `least_squares`.
Transforms of functions: `jit`, `grad`, `value_and_grad`, `vjp`, `jvp`, `hessian`, `jacobian`; of arrays: `fnet.ops`.
Files: `save_weights`, `load_weights`. Random numbers come from keys: `fnet.random.key(0)`.
"""

from fnet import activations as activations
from fnet import constraints as constraints
from fnet import initializers as initializers
from fnet import layers as layers
from fnet import losses as losses
from fnet import metrics as metrics
from fnet import ops as ops
from fnet import optimizers as optimizers
from fnet import random as random
from fnet import regularizers as regularizers
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
from fnet.graph import Input as Input
from fnet.graph import graph as graph
from fnet.inspect.plot import model_to_dot as model_to_dot
from fnet.inspect.plot import plot_model as plot_model
from fnet.inspect.summary import summary as summary
from fnet.io.weights import load_weights as load_weights
from fnet.io.weights import save_weights as save_weights
from fnet.layer import Layer as Layer
from fnet.masking import Masked as Masked
from fnet.network import apply_with_penalty as apply_with_penalty
from fnet.network import constrain as constrain
from fnet.network import freeze as freeze
from fnet.network import penalty as penalty
from fnet.network import trainable as trainable
from fnet.optimizers.second_order.minimize import least_squares as least_squares
from fnet.optimizers.second_order.minimize import minimize as minimize
from fnet.precision import current_precision as current_precision
from fnet.precision import precision as precision
from fnet.spec import ArraySpec as ArraySpec
from fnet.storage import restore as restore
from fnet.storage import store as store
from fnet.storage import stored as stored
from fnet.threads import get_num_threads as get_num_threads
from fnet.threads import set_num_threads as set_num_threads
from fnet.train.history import History as History
from fnet.train.state import TrainState as TrainState
from fnet.train.trainer import Trainer as Trainer
from fnet.transforms.custom import primitive as primitive
from fnet.transforms.hessian import hessian as hessian
from fnet.transforms.hessian import jacobian as jacobian
from fnet.transforms.jit import clear_cache as clear_cache
from fnet.transforms.jit import jit as jit
from fnet.transforms.jit import set_program_limit as set_program_limit
from fnet.transforms.jvp import hessian_vector_product as hessian_vector_product
from fnet.transforms.jvp import jvp as jvp
from fnet.transforms.stage import eval_shape as eval_shape
from fnet.transforms.vjp import grad as grad
from fnet.transforms.vjp import value_and_grad as value_and_grad
from fnet.transforms.vjp import vjp as vjp

__all__ = [  # what help(fnet) shows
    "ArraySpec", "History", "Input", "Layer", "Masked", "TrainState", "Trainer", "activations", "apply_with_penalty",
    "clear_cache", "constrain", "constraints", "current_precision", "eval_shape", "fanout", "freeze",
    "get_num_threads", "grad", "graph", "hessian", "hessian_vector_product", "initializers", "jacobian", "jit", "jvp",
    "layers", "least_squares", "load_weights", "losses", "metrics", "minimize", "model_to_dot", "named", "njit_apply",
    "ops", "optimizers", "parallel", "penalty", "plot_model", "precision", "primitive", "random", "regularizers",
    "repeat", "residual", "restore", "save_weights", "schedules", "serial", "set_num_threads", "set_program_limit",
    "store", "stored", "summary", "testing", "trainable", "tree", "value_and_grad", "vjp",
]  # fmt: skip

__version__ = "0.1.0"
