from fnet.schedules.cosine import cosine_decay as cosine_decay
from fnet.schedules.cosine import cosine_decay_restarts as cosine_decay_restarts
from fnet.schedules.cosine import one_cycle as one_cycle
from fnet.schedules.decay import exponential_decay as exponential_decay
from fnet.schedules.decay import inverse_time_decay as inverse_time_decay
from fnet.schedules.decay import polynomial_decay as polynomial_decay
from fnet.schedules.pieces import constant as constant
from fnet.schedules.pieces import piecewise_constant as piecewise_constant
from fnet.schedules.pieces import warmup as warmup
from fnet.schedules.schedule import SCHEDULES as SCHEDULES
from fnet.schedules.schedule import Schedule as Schedule

# Under the names of Keras' classes.
CosineDecay = cosine_decay
CosineDecayRestarts = cosine_decay_restarts
ExponentialDecay = exponential_decay
InverseTimeDecay = inverse_time_decay
PiecewiseConstantDecay = piecewise_constant
PolynomialDecay = polynomial_decay
