"""The layer that numbers integers by a vocabulary, which it learns from data or is told."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import numpy as np

from fnet import ops
from fnet.arguments import one_of
from fnet.errors import ShapeError, StructureError, ValueRangeError
from fnet.layers.checks import entries
from fnet.layers.constructor import LAYERS, Learner, layer_constructor
from fnet.layers.hashing import hash_bins, salt_pair
from fnet.layers.host_values import as_bytes, host_array
from fnet.layers.string_lookup import OutputMode, checked_idf, numbers_or_vectors
from fnet.layers.vocabulary import Numbering, TokenCounts, checked_tokens, numbering
from fnet.networks.learning import Learning
from fnet.ops.promotion import astype, lift
from fnet.regularizers import RegularizerLike
from fnet.transforms.operand import beside, is_known, is_only_shape

OovMethod = Literal["floormod", "farmhash"]


@LAYERS.named()
@layer_constructor()
def IntegerLookup(
    max_tokens: int | None = None,
    num_oov_indices: int = 1,
    mask_token: int | None = None,
    oov_token: int = -1,
    vocabulary: Sequence[int] | None = None,
    idf_weights: Sequence[float] | None = None,
    invert: bool = False,
    output_mode: OutputMode = "int",
    pad_to_max_tokens: bool = False,
    oov_method: OovMethod = "floormod",
    salt: int | Sequence[int] | None = None,
    *,
    activity_regularizer: RegularizerLike = None,
    trainable: bool = True,
    name: str | None = None,
) -> Learner:
    """The number of each integer in a vocabulary: `StringLookup` for integers, which also runs in compiled code.

    oov_method: which of several numbers an unknown integer has: ``"floormod"``, its remainder; ``"farmhash"``, a hash
    (under a `salt`), which runs on the host alone. Where unknown integers are an error (``num_oov_indices=0``), they
    have the number -1 under jit.

    x: integers of any shape -> int64 of this shape, or float32 vectors. State: ``vocabulary: (tokens,)`` int64, and
    ``order``, which sorts it; for ``"tf_idf"`` ``idf_weights``. Source: Keras ``IntegerLookup``, with the same numbers.

    >>> import fnet
    >>> layer = IntegerLookup()
    >>> params, state = layer.init(fnet.random.key(0), ())
    >>> state = fnet.adapt(layer, params, state, np.array([12, 1138, 42, 42]))
    >>> layer.apply(params, state, np.array([42, 7, 12]))[0]
    array([1, 0, 3])
    """
    plan = numbering("IntegerLookup", output_mode, mask_token, num_oov_indices, max_tokens, pad_to_max_tokens, invert)
    hashes = one_of("IntegerLookup", "oov_method", oov_method, ("floormod", "farmhash")) == "farmhash"
    secret = salt_pair("IntegerLookup", salt)
    if secret is not None and not hashes:
        raise StructureError("IntegerLookup: salt is for oov_method='farmhash', received 'floormod'.")
    told = None if vocabulary is None else checked_tokens(plan, np.asarray(vocabulary).tolist(), oov_token)
    weights = checked_idf(plan, told, idf_weights)

    def init(key: Any, shape: Any, dtype: Any) -> tuple[Any, Any]:
        return {}, _state_of(told or ()) | ({} if weights is None else {"idf_weights": weights})

    def apply(params: Any, state: Any, x: Any, key: Any = None, train: bool = False) -> tuple[Any, Any]:
        names = ("vocabulary", "order", *(("idf_weights",) if plan.mode == "tf_idf" else ()))
        known, order = map(lift, entries("IntegerLookup", state, *names)[:2])
        if len(known.shape) != 1 or known.shape != order.shape:
            raise ShapeError(
                f"IntegerLookup: expected 'vocabulary' and 'order' of the shape (tokens,), received {known.shape} and "
                f"{order.shape}. Pass what init or fnet.adapt returned."
            )
        x = astype(lift(x), np.int64)
        if invert:
            return _integers_of(plan, known, x, oov_token), state
        ids = _ids(plan, known, order, x)
        if plan.unknown > 1:
            other = _hashed(plan, x, secret) if hashes else ops.remainder(x, plan.unknown)
            ids = ops.where(ops.less(ids, 0), other + plan.first_unknown, ids)
        elif plan.unknown == 1:
            ids = ops.where(ops.less(ids, 0), plan.first_unknown, ids)
        if plan.mask is not None:
            ids = ops.where(ops.equal(x, plan.mask), 0 if plan.mode == "int" else -1, ids)
        if plan.unknown == 0:
            _check_known(plan, x, ids, known.shape[0])
        return numbers_or_vectors(plan, state, ids), state

    def update(counts: TokenCounts, x: Any) -> TokenCounts:
        given = host_array("IntegerLookup", x).astype(np.int64)
        return counts.add(given.reshape(len(given), -1).tolist())

    def finish(counts: TokenCounts, state: Any) -> Any:
        tokens = counts.vocabulary(plan, (plan.mask, oov_token))
        more = {"idf_weights": plan.idf(counts.idf(tokens), len(tokens))} if plan.mode == "tf_idf" else {}
        return _state_of(tokens) | more

    return (
        init,
        apply,
        None if told is not None else Learning(lambda: TokenCounts(plan.mode == "tf_idf"), update, finish),
    )


def _state_of(tokens: Sequence[int]) -> dict[str, np.ndarray]:
    known = np.array(tokens, np.int64)
    return {"vocabulary": known, "order": np.argsort(known, kind="stable").astype(np.int64)}


def _ids(plan: Numbering, known: Any, order: Any, x: Any) -> Any:
    """The numbers of the integers, -1 for those that are not in the vocabulary."""
    size = known.shape[0]
    if size == 0:
        return beside(np.full(x.shape, -1, np.int64), x)
    ordered = ops.take(known, order)
    place = ops.minimum(ops.searchsorted(ordered, x), size - 1)
    return ops.where(ops.equal(ops.take(ordered, place), x), ops.take(order, place) + plan.first, -1)


def _hashed(plan: Numbering, x: Any, salt: tuple[int, int] | None) -> np.ndarray:
    if is_only_shape(x):
        return np.zeros(x.shape, np.int64)
    array = host_array("IntegerLookup with oov_method='farmhash'", x)
    values, places = np.unique(array.reshape(-1), return_inverse=True)
    return hash_bins(as_bytes(values), plan.unknown, salt)[places].reshape(array.shape)


def _check_known(plan: Numbering, x: Any, ids: Any, size: int) -> None:
    """Refuse an unknown integer where there is no number for it, and where it is known in advance."""
    if not is_known(ids):
        return
    wrong = (ids < 0) if plan.mask is None else (ids < 0) & (x != plan.mask)
    if wrong.any():
        raise ValueRangeError(
            f"IntegerLookup: {x[wrong][0]} is not in the vocabulary of {size} tokens. Give num_oov_indices=1, a number "
            f"for what is unknown."
        )


def _integers_of(plan: Numbering, known: Any, ids: Any, oov_token: int) -> Any:
    """The integers of numbers."""
    size = known.shape[0]
    place = ids - plan.first
    inside = ops.logical_and(ops.greater_equal(place, 0), ops.less(place, size))
    found = ops.take(known, ops.where(inside, place, 0)) if size else ids
    made = ops.where(inside, found, oov_token)
    return ops.where(ops.equal(ids, 0), plan.mask, made) if plan.first_unknown else made
