"""Random numbers as pure functions of a key: the same key gives the same bits, on any device and number of threads.

A key is ``(2,) uint32``, made by `key` from a seed. Never draw twice from one key: `split` it, or `fold_in` a number.
Every function but `key` works on traced keys, inside `fnet.jit` too; shapes are static.
Source: counter-based generators, J. K. Salmon et al., Parallel random numbers: as easy as 1, 2, 3, SC 2011.
"""

from __future__ import annotations

import math
import operator
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from fnet import ops
from fnet.arguments import described, is_integer
from fnet.errors import DtypeError, ShapeError, TracingError, ValueRangeError
from fnet.ops.promotion import astype, lift
from fnet.spec import ArraySpec, check_dtype
from fnet.transforms.operand import beside, is_known, is_operand
from fnet.transforms.primitive import Primitive, spec_of

if TYPE_CHECKING:
    from numpy.typing import DTypeLike

Shape = int | Sequence[int]
_PROPOSALS = 16  # of gamma numbers, of which each is accepted 19 times out of 20
_COUNTED = 64  # trials that are drawn one by one


def _draw(name: str) -> Primitive:
    """A primitive that fills an array of the given shape and dtype from a key."""

    def abstract(key: ArraySpec, *, shape: tuple[int, ...], dtype: np.dtype, **params: Any) -> ArraySpec:
        return ArraySpec(shape, dtype)

    return Primitive(name, abstract, lowered="random")


_split = Primitive("random_split", lambda key, *, n: ArraySpec((n, 2), key.dtype), lowered="random")
_fold_in = Primitive("random_fold_in", lambda key, data: ArraySpec((2,), key.dtype), lowered="random")
_bits = _draw("random_bits")
_uniform = _draw("random_uniform")
_normal = _draw("random_normal")
_truncated = _draw("random_truncated_normal")
_randint = _draw("random_randint")
_permutation = _draw("random_permutation")
_orthonormal = _draw("random_orthonormal")


def key(seed: int) -> np.ndarray:
    """The key of an integer seed, ``(2,) uint32``: its low and high 32 bits.

    Raises `DtypeError` for a seed that is not an integer, `ValueRangeError` for one outside [-2^63, 2^64).

    >>> key(7)
    array([7, 0], dtype=uint32)
    """
    if not is_integer(seed):
        raise DtypeError(f"a seed is an integer, received {_described(seed)}. For example fnet.random.key(0).")
    number = int(seed)
    if not -(2**63) <= number < 2**64:
        raise ValueRangeError(f"a seed has 64 bits: expected -2**63 <= seed < 2**64, received {number}.")
    return np.array([number & 0xFFFFFFFF, (number >> 32) & 0xFFFFFFFF], np.uint32)


def check_key(key: Any) -> Any:
    """`key` itself, or a `DtypeError` that says how to make one."""
    if is_operand(key) and key.shape == (2,) and key.dtype == np.uint32:
        return key
    raise DtypeError(
        f"a key is a uint32 array of shape (2,), received {_described(key)}. Make one with fnet.random.key(seed)."
    )


def split(key: np.ndarray, n: int = 2) -> np.ndarray:
    """`n` independent keys, ``(n, 2) uint32``.

    >>> first, second = split(key(0))
    """
    check_key(key)
    return _split(key, n=_count(n, "split"))


def fold_in(key: np.ndarray, data: Any) -> np.ndarray:
    """The child key of an integer (taken modulo 2^64), independent of those of other integers.

    data: a Python integer or an integer array of one element, traced or not.
    """
    check_key(key)
    spec = spec_of(data)
    if isinstance(data, bool) or spec.dtype.kind not in "iu" or spec.size != 1:
        raise DtypeError(f"fold_in: data is one integer, received {_described(data)}.")
    data = beside(data, key)
    return _fold_in(key, np.asarray(data).reshape(1) if is_known(data) else ops.reshape(data, (1,)))


def bits(key: np.ndarray, shape: Shape = ()) -> np.ndarray:
    """Uniform random words, uint32 of the given shape."""
    check_key(key)
    return _bits(key, shape=_sizes(shape), dtype=np.dtype(np.uint32))


def uniform(
    key: np.ndarray, shape: Shape = (), dtype: DTypeLike = "float32", low: Any = 0.0, high: Any = 1.0
) -> np.ndarray:
    """Uniform numbers in [low, high), with 24 (float32) or 53 (float64) random bits.

    >>> uniform(key(0), (2, 3)).shape
    (2, 3)
    """
    check_key(key)
    kind = _floating(dtype, "uniform")
    unit = _uniform(key, shape=_sizes(shape), dtype=kind)
    if _is_number(low, 0) and _is_number(high, 1):
        return unit
    low, high = astype(lift(low), kind), astype(lift(high), kind)
    scaled = unit * (high - low) + low
    # Rounding can reach `high`; such a number becomes `low`.
    return ops.where(ops.less(scaled, high), scaled, low)


def normal(
    key: np.ndarray, shape: Shape = (), dtype: DTypeLike = "float32", mean: Any = 0.0, stddev: Any = 1.0
) -> np.ndarray:
    """Normal numbers, by the quantile of uniform ones; differentiable in `mean` and `stddev`."""
    check_key(key)
    kind = _floating(dtype, "normal")
    z = _normal(key, shape=_sizes(shape), dtype=kind)
    if not _is_number(stddev, 1):
        z = z * astype(lift(stddev), kind)
    return z if _is_number(mean, 0) else z + astype(lift(mean), kind)


def truncated_normal(
    key: np.ndarray, shape: Shape = (), dtype: DTypeLike = "float32", lower: float = -2.0, upper: float = 2.0
) -> np.ndarray:
    """Standard normal numbers conditioned on [lower, upper], by the quantile, so that none is drawn twice."""
    check_key(key)
    kind, sizes = _floating(dtype, "truncated_normal"), _sizes(shape)
    lower, upper = float(lower), float(upper)
    if not lower < upper:
        raise ValueRangeError(f"truncated_normal: expected lower < upper, received {lower} and {upper}.")
    if lower > 0:  # the mirrored tail, where probabilities keep their digits
        return ops.negative(truncated_normal(key, sizes, kind, -upper, -lower))
    low, high = (0.5 * math.erfc(-bound / math.sqrt(2)) for bound in (lower, upper))
    low = max(low, sys.float_info.min)  # the quantile of 0 is not finite
    if not low < high:
        raise ValueRangeError(f"truncated_normal: [{lower}, {upper}] is too narrow or too far out to draw from.")
    return _truncated(key, shape=sizes, dtype=kind, lower=low, upper=high)


def bernoulli(key: np.ndarray, p: Any = 0.5, shape: Shape | None = None) -> np.ndarray:
    """Booleans that are true with probability `p`, of the given shape (that of `p` by default).

    Raises `ValueRangeError` where a probability that is not traced is outside [0, 1].
    """
    check_key(key)
    p = lift(p)
    if is_known(p) and not np.all((p >= 0) & (p <= 1)):
        raise ValueRangeError(f"bernoulli: p is a probability, expected 0 <= p <= 1, received {p}.")
    sizes = spec_of(p).shape if shape is None else _sizes(shape)
    dtype = spec_of(p).dtype if spec_of(p).differentiable else np.dtype(np.float64)
    return ops.less(_uniform(key, shape=sizes, dtype=dtype), p)


def randint(key: np.ndarray, shape: Shape, low: int, high: int) -> np.ndarray:
    """Integers in [low, high), int64; no value is likelier than another by more than ``(high - low) / 2^64``.

    >>> bool(np.all(randint(key(0), (100,), -3, 3) < 3))
    True
    """
    check_key(key)
    low, high = _integer(low, "randint"), _integer(high, "randint")
    if not low < high:
        raise ValueRangeError(f"randint: expected low < high, received {low} and {high}.")
    if low < -(2**63) or high > 2**63 or high - low >= 2**63:
        raise ValueRangeError(f"randint: the range [{low}, {high}) does not fit in int64 or is longer than 2**63 - 1.")
    return _randint(key, shape=_sizes(shape), dtype=np.dtype(np.int64), low=low, high=high)


def permutation(key: np.ndarray, x: Any) -> np.ndarray:
    """0 to n - 1 in random order, int64, for an integer n; the rows of an array in random order for an array.

    >>> np.sort(permutation(key(0), 4))
    array([0, 1, 2, 3])
    """
    check_key(key)
    if isinstance(x, int | np.integer):
        return _permutation(key, shape=(_count(x, "permutation"),), dtype=np.dtype(np.int64))
    x = lift(x)
    if spec_of(x).ndim == 0:
        raise ShapeError("permutation: expected an integer or an array with an axis, received a scalar array.")
    return ops.take(x, permutation(key, spec_of(x).shape[0]), axis=0)


def categorical(key: np.ndarray, logits: Any, axis: int = -1) -> np.ndarray:
    """Class numbers drawn with probabilities ``softmax(logits)`` along `axis`, int64 of the shape without it.

    ``argmax(logits - log(-log(u)))``; a class with logit -Inf is never drawn. Source: the Gumbel-max trick.
    """
    check_key(key)
    spec = spec_of(logits)
    if spec.ndim == 0:
        raise ShapeError("categorical: expected logits with at least one axis, received a scalar.")
    # Uniform numbers with 53 bits: with 24, classes rarer than 1e-7 would get a wrong share.
    noise = _uniform(key, shape=spec.shape, dtype=np.dtype(np.float64))
    return ops.argmax(ops.subtract(logits, ops.log(ops.negative(ops.log(noise)))), axis=axis)


def gamma(key: np.ndarray, alpha: Any, shape: Shape | None = None, dtype: DTypeLike = "float32") -> np.ndarray:
    """Numbers of the gamma distribution with shape `alpha` > 0 and scale 1, of the given shape (that of `alpha`).

    They have no gradient in `alpha`. Each takes the first of 16 proposals that is accepted: all are refused once in
    1e20. Raises `ValueRangeError` for an `alpha` that is not positive. Source: G. Marsaglia and W. W. Tsang 2000.

    >>> gamma(key(0), 2.0, (3, 2)).shape
    (3, 2)
    """
    check_key(key)
    kind, alpha = _floating(dtype, "gamma"), _positive("gamma", "alpha", alpha)
    return astype(ops.exp(_log_gamma(key, alpha, spec_of(alpha).shape if shape is None else _sizes(shape))), kind)


def beta(key: np.ndarray, a: Any, b: Any, shape: Shape | None = None, dtype: DTypeLike = "float32") -> np.ndarray:
    """Numbers of the beta distribution with density ``x^(a-1) (1-x)^(b-1)``, of the given shape (that of a and b).

    ``x / (x + y)`` of two numbers from `gamma`. Raises `ValueRangeError` for a or b that are not positive.

    >>> bool(np.all(beta(key(0), 0.5, 0.5, 9) <= 1))
    True
    """
    check_key(key)
    kind, a, b = _floating(dtype, "beta"), _positive("beta", "a", a), _positive("beta", "b", b)
    sizes = np.broadcast_shapes(spec_of(a).shape, spec_of(b).shape) if shape is None else _sizes(shape)
    return astype(_beta(key, a, b, sizes), kind)


def binomial(
    key: np.ndarray, counts: Any, p: Any, shape: Shape | None = None, dtype: DTypeLike = "float32"
) -> np.ndarray:
    """How many of `counts` trials succeed, each with probability `p`, of the given shape (that of counts and p).

    The place of one trial in the order of all, from `beta`, halves their number until 64 are left, which are counted.
    counts: known integers, of at least 0. Raises `ValueRangeError` for others, and for a p outside [0, 1].
    Source: L. Devroye 1986, Non-Uniform Random Variate Generation, X.4.4.

    >>> bool(np.all(binomial(key(0), 10, 0.5, 9) <= 10))
    True
    """
    check_key(key)
    kind, p = _floating(dtype, "binomial"), lift(p)
    if not is_known(counts):
        raise TracingError("binomial: counts must be known outside of jit. Pass NumPy's integers.")
    trials = np.asarray(counts)
    if trials.dtype.kind not in "iu" or np.any(trials < 0):
        raise ValueRangeError(f"binomial: expected counts as integers >= 0, received {_described(counts)}.")
    if is_known(p) and not np.all((p >= 0) & (p <= 1)):
        raise ValueRangeError(f"binomial: p is a probability, expected 0 <= p <= 1, received {p}.")
    sizes = np.broadcast_shapes(trials.shape, spec_of(p).shape) if shape is None else _sizes(shape)
    left: Any = beside(trials.astype(np.float64), key)
    p, total, most, turn = astype(p, np.float64), 0.0, int(trials.max(initial=0)), 0
    while most > _COUNTED:
        middle = ops.floor(left / 2) + 1
        place = _beta(fold_in(key, turn), middle, ops.maximum(left + 1 - middle, 0.5), sizes)
        below, some = ops.less_equal(place, p), ops.greater(left, 0)
        total = total + ops.where(ops.logical_and(below, some), middle, 0.0)
        p = ops.clip(ops.where(below, (p - place) / (1 - place), p / place), 0, 1)
        left = ops.where(some, ops.where(below, left - middle, middle - 1), 0.0)
        most, turn = most // 2, turn + 1
    number = beside(np.arange(most).reshape(-1, *(1,) * len(sizes)), key)
    succeed = ops.less(_uniform(fold_in(key, turn), shape=(most, *sizes), dtype=np.dtype(np.float64)), p)
    counted = ops.sum(astype(ops.logical_and(succeed, ops.less(number, left)), np.float64), 0)
    return astype(counted + total, kind)


def _beta(key: Any, a: Any, b: Any, sizes: tuple[int, ...]) -> Any:
    x, y = (_log_gamma(fold_in(key, i), alpha, sizes) for i, alpha in enumerate((a, b)))
    return ops.sigmoid(ops.subtract(x, y))


def _log_gamma(key: Any, alpha: Any, sizes: tuple[int, ...]) -> Any:
    """Logarithms of gamma numbers, float64: those of small `alpha` are too small for the numbers themselves."""
    alpha = ops.broadcast_to(ops.stop_gradient(astype(beside(alpha, key), np.float64)), sizes)
    small = ops.less(alpha, 1)
    d = ops.where(small, alpha + 1, alpha) - 1 / 3
    z = _normal(fold_in(key, 0), shape=(_PROPOSALS, *sizes), dtype=np.dtype(np.float64))
    u = _uniform(fold_in(key, 1), shape=(_PROPOSALS, *sizes), dtype=np.dtype(np.float64))
    root = 1 + z / ops.sqrt(9 * d)
    proper = ops.greater(root, 0)
    v = ops.where(proper, root * root * root, 1)
    accepted = ops.logical_and(proper, ops.less(ops.log(u), 0.5 * z * z + d * (1 - v + ops.log(v))))
    number = beside(np.arange(_PROPOSALS).reshape(-1, *(1,) * len(sizes)), key)
    first = ops.sum(ops.where(ops.equal(number, ops.argmax(accepted, axis=0)), v, 0), 0)
    lower = ops.log(_uniform(fold_in(key, 2), shape=sizes, dtype=np.dtype(np.float64))) / alpha
    return ops.log(d * first) + ops.where(small, lower, 0)


def _positive(name: str, argument: str, value: Any) -> Any:
    value = lift(value)
    if is_known(value) and not np.all(value > 0):
        raise ValueRangeError(f"{name}: expected {argument} > 0, received {value}.")
    return value


def orthogonal(key: np.ndarray, shape: Sequence[int], gain: float = 1.0, dtype: DTypeLike = "float32") -> np.ndarray:
    """`gain` times a random orthogonal matrix, uniform over all of them, reshaped to `shape`.

    shape: (..., c) is seen as a matrix (r, c); its columns are orthonormal if r >= c, else its rows.
    Raises `ShapeError` for fewer than two axes. Source: A. Saxe et al. 2014 (Keras ``Orthogonal``).
    """
    check_key(key)
    kind, sizes = _floating(dtype, "orthogonal"), _sizes(shape)
    if len(sizes) < 2:
        raise ShapeError(f"orthogonal: expected a shape with at least two axes, received {sizes}.")
    rows, columns = math.prod(sizes[:-1]), sizes[-1]
    basis = _orthonormal(key, shape=(min(rows, columns), max(rows, columns)), dtype=np.dtype(np.float64))
    matrix = ops.transpose(basis) if rows >= columns else basis
    return ops.reshape(astype(matrix * gain, kind), sizes)


def _floating(dtype: Any, name: str) -> np.dtype:
    kind = check_dtype(dtype)
    if kind.kind != "f":
        raise DtypeError(f"{name}: expected float32 or float64, received {kind}. For integers use randint.")
    return kind


def _sizes(shape: Shape) -> tuple[int, ...]:
    """A shape as a tuple of non-negative integers."""
    items = (shape,) if isinstance(shape, int | np.integer) or not is_known(shape) else tuple(shape)
    return tuple(_count(n, "shape") for n in items)


def _count(n: Any, name: str) -> int:
    size = _integer(n, name)
    if size < 0:
        raise ShapeError(f"{name}: sizes must not be negative, received {size}.")
    return size


def _integer(n: Any, name: str) -> int:
    if not is_known(n):
        raise TracingError(f"{name}: sizes and bounds must be static, received a traced {n.spec}. Mark it static=.")
    try:
        return operator.index(n)
    except TypeError:
        raise DtypeError(f"{name}: expected an integer, received {_described(n)}.") from None


def _is_number(x: Any, value: float) -> bool:
    return isinstance(x, int | float) and x == value


def _described(x: Any) -> str:
    return str(spec_of(x)) if is_operand(x) else described(x)
