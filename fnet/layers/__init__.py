"""Layers: functions that take a configuration and return a `fnet.layer.Layer`, under Keras' names."""

from fnet.errors import did_you_mean
from fnet.layers.activation import Activation as Activation
from fnet.layers.activation import Identity as Identity
from fnet.layers.dense import Dense as Dense
from fnet.layers.dropout import Dropout as Dropout
from fnet.layers.reshape import Flatten as Flatten
from fnet.layers.reshape import Reshape as Reshape


def __getattr__(name: str) -> object:
    known = [n for n in globals() if n[:1].isupper()]
    raise AttributeError(f"fnet.layers has no layer '{name}'.{did_you_mean(name, known)}")
