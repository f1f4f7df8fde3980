from fnet.keras import activations as activations
from fnet.keras import backend as backend
from fnet.keras import callbacks as callbacks
from fnet.keras import constraints as constraints
from fnet.keras import initializers as initializers
from fnet.keras import layers as layers
from fnet.keras import losses as losses
from fnet.keras import metrics as metrics
from fnet.keras import models as models
from fnet.keras import ops as ops
from fnet.keras import optimizers as optimizers
from fnet.keras import random as random
from fnet.keras import regularizers as regularizers
from fnet.keras import saving as saving
from fnet.keras import utils as utils
from fnet.keras.from_functional import from_functional as from_functional
from fnet.keras.input import Input as Input
from fnet.keras.input_spec import InputSpec as InputSpec
from fnet.keras.layer import Layer as Layer
from fnet.keras.losses import Loss as Loss
from fnet.keras.metrics import Metric as Metric
from fnet.keras.models.model import Model as Model
from fnet.keras.models.sequential import Sequential as Sequential
from fnet.keras.optimizers import Optimizer as Optimizer
from fnet.keras.variable import Variable as Variable
from fnet.networks.node import SymbolicNode as SymbolicNode

KerasTensor = SymbolicNode
