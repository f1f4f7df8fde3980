"""The keyword ``training`` of calls in functional models: what it says, in the forms of all versions of Keras.

Keras 3 says the default of a layer's ``call`` in every node: a plain Dropout has ``{"training": false}`` there, so that
nobody can tell it from one that is called as in inference. The older form of nodes has what a user has said alone, and
Keras 3 reads it, too.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from fnet.errors import StructureError
from fnet.io.keras.config import wrong
from fnet.io.keras.translation import row_of
from fnet.networks.layer import Layer

KEYWORD = "training"
_SAID = frozenset((
    "BatchNormalization", "Bidirectional", "Dense", "EinsumDense", "Functional", "GroupQueryAttention",
    "GroupedQueryAttention", "Model", "MultiHeadAttention", "Sequential", "TimeDistributed",
))  # fmt: skip
"""Classes of Keras 3 whose ``call(training=None)`` leaves the keyword out of nodes where nobody says it."""
_RANDOM = ("dropout", "recurrent_dropout", "rate", "stddev")


def is_defaulted(class_name: str) -> bool:
    """Whether Keras 3 may write ``training: false`` for calls of this class where nobody has said it."""
    return class_name not in _SAID


def trains(keywords: Mapping[str, Any], class_name: str, older: bool, path: str) -> bool | None:
    """Whether a call is as in training, or as in inference, whatever the network around it does; None for neither.

    older: whether the node has the older form.
    """
    said = keywords.get(KEYWORD)
    if said is None or said is True:
        return said
    if not isinstance(said, bool):
        raise wrong(f"{path}/{KEYWORD}", "True, False or null", said)
    return False if older or not is_defaulted(class_name) else None


def needs_older_form(layer: Layer) -> bool:
    """Whether only the older form of a node says that a call of the layer is as in inference."""
    row = row_of(layer)
    return row is None or row.registered is not None or is_defaulted(row.class_name)


def check_older_form(layer: Layer, has_it: bool) -> None:
    """Refuse a call in inference that no node can say, unless the layer does the same in training."""
    if not has_it and needs_older_form(layer) and any(layer.config.get(name) for name in _RANDOM):
        raise StructureError(
            f"{layer.kind}: files of Keras cannot say train=False of a call that gets states or masks. Leave it out, "
            f"make the layer without dropout, or keep the weights alone: fnet.save_weights."
        )
