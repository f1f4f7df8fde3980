"""fnet: a JIT-compiled functional deep-learning library. Layers are pure (init, apply) pairs over trees of arrays."""

from fnet import ops as ops
from fnet import tree as tree
from fnet.spec import ArraySpec as ArraySpec
from fnet.transforms.jit import jit as jit
from fnet.transforms.jvp import hessian_vector_product as hessian_vector_product
from fnet.transforms.jvp import jvp as jvp
from fnet.transforms.primitive import primitive as primitive
from fnet.transforms.stage import eval_shape as eval_shape
from fnet.transforms.vjp import grad as grad
from fnet.transforms.vjp import value_and_grad as value_and_grad
from fnet.transforms.vjp import vjp as vjp

__version__ = "0.1.0"
