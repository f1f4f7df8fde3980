from fnet.train.history import History as History
from fnet.train.state import TrainState as TrainState
from fnet.train.trainer import Trainer as Trainer
