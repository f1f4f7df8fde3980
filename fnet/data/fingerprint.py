"""Hashes of texts: FarmHash64 and SipHash, the same numbers on every machine and in every session."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

_U = np.uint64
_K0, _K1, _K2 = _U(0xC3A5C85C97CB3127), _U(0xB492B66FBE98F273), _U(0x9AE16A3B2F90404F)
_CROSS = _U(0xC6A4A7935BD1E995)
_CROSS_BEGIN = _U(0xDECAFCAFFE)
_SIP = (0x736F6D6570736575, 0x646F72616E646F6D, 0x6C7967656E657261, 0x7465646279746573)


def farm_hash(texts: Sequence[bytes]) -> np.ndarray:
    """FarmHash64 of each text: (N,) uint64.

    Source: G. Pike, FarmHash 2014, ``farmhashna::Hash64`` (TensorFlow ``Fingerprint64``).

    >>> farm_hash([b"cat", b""])
    array([15118465453979963096, 11160318154034397263], dtype=uint64)
    """
    return _of_equal_lengths(texts, _farm)


def sip_hash(texts: Sequence[bytes], key: tuple[int, int]) -> np.ndarray:
    """SipHash-2-4 of each text under a key of two integers: (N,) uint64.

    Source: J.-P. Aumasson and D. Bernstein 2012 (TensorFlow ``to_hash_bucket_strong``).
    """
    k0, k1 = (_U(part & 0xFFFFFFFFFFFFFFFF) for part in key)
    return _of_equal_lengths(texts, lambda data: _sip(data, k0, k1))


def cross_hash(columns: Sequence[np.ndarray]) -> np.ndarray:
    """One hash for each row of columns of hashes or integers, (N,) each: (N,) uint64.

    Source: TensorFlow ``FingerprintCat64``, as in ``tf.sparse.cross_hashed``.
    """
    with np.errstate(over="ignore"):
        made = np.full(len(columns[0]), _CROSS_BEGIN)
        for column in columns:
            second = column.astype(np.uint64) * _CROSS
            made = (made ^ _CROSS) ^ (_mixed(second) * _CROSS)
            made = _mixed(_mixed(made * _CROSS) * _CROSS)
    return made


def _of_equal_lengths(texts: Sequence[bytes], function: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """What a function makes of (n, length) bytes, for all texts of each length at once."""
    lengths = np.fromiter(map(len, texts), np.int64, len(texts))
    made = np.empty(len(texts), np.uint64)
    with np.errstate(over="ignore"):
        for length in np.unique(lengths):
            at = np.flatnonzero(lengths == length)
            data = np.frombuffer(b"".join(texts[i] for i in at.tolist()), np.uint8).reshape(len(at), length)
            made[at] = function(data)
    return made


def _word(data: np.ndarray, at: int, size: int = 8) -> np.ndarray:
    """The little-endian integers of `size` bytes at a place of each text."""
    return np.ascontiguousarray(data[:, at : at + size]).view(f"<u{size}")[:, 0].astype(np.uint64)


def _rotated(x: np.ndarray, by: int) -> np.ndarray:
    return (x >> _U(by)) | (x << _U(64 - by))


def _mixed(x: np.ndarray) -> np.ndarray:
    return x ^ (x >> _U(47))


def _joined(u: np.ndarray, v: np.ndarray, by: np.ndarray | np.uint64) -> np.ndarray:
    return _mixed((v ^ _mixed((u ^ v) * by)) * by) * by


def _farm(data: np.ndarray) -> np.ndarray:
    length = data.shape[1]
    if length <= 16:
        return _farm_to_16(data)
    if length <= 32:
        return _farm_to_32(data)
    return _farm_to_64(data) if length <= 64 else _farm_of_more(data)


def _farm_to_16(data: np.ndarray) -> np.ndarray:
    length = data.shape[1]
    by = _K2 + _U(2 * length)
    if length >= 8:
        a, b = _word(data, 0) + _K2, _word(data, length - 8)
        return _joined(_rotated(b, 37) * by + a, (_rotated(a, 25) + b) * by, by)
    if length >= 4:
        return _joined(_U(length) + (_word(data, 0, 4) << _U(3)), _word(data, length - 4, 4), by)
    if length == 0:
        return np.full(len(data), _K2)
    a, b, c = (data[:, place].astype(np.uint64) for place in (0, length >> 1, length - 1))
    return _mixed((a + (b << _U(8))) * _K2 ^ (_U(length) + (c << _U(2))) * _K0) * _K2


def _farm_to_32(data: np.ndarray) -> np.ndarray:
    length = data.shape[1]
    by = _K2 + _U(2 * length)
    a, b = _word(data, 0) * _K1, _word(data, 8)
    c, d = _word(data, length - 8) * by, _word(data, length - 16) * _K2
    return _joined(_rotated(a + b, 43) + _rotated(c, 30) + d, a + _rotated(b + _K2, 18) + c, by)


def _farm_to_64(data: np.ndarray) -> np.ndarray:
    length = data.shape[1]
    by = _K2 + _U(2 * length)
    a, b = _word(data, 0) * _K2, _word(data, 8)
    c, d = _word(data, length - 8) * by, _word(data, length - 16) * _K2
    y = _rotated(a + b, 43) + _rotated(c, 30) + d
    z = _joined(y, a + _rotated(b + _K2, 18) + c, by)
    e, f = _word(data, 16) * by, _word(data, 24)
    g, h = (y + _word(data, length - 32)) * by, (z + _word(data, length - 24)) * by
    return _joined(_rotated(e + f, 43) + _rotated(g, 30) + h, e + _rotated(f + a, 18) + g, by)


def _farm_of_more(data: np.ndarray) -> np.ndarray:
    count, length = data.shape
    y = np.full(count, _U(81) * _K1 + _U(113))
    z = _mixed(y * _K2 + _U(113)) * _K2
    x = _U(81) * _K2 + _word(data, 0)
    v0 = v1 = w0 = w1 = np.zeros(count, np.uint64)
    for at in range(0, (length - 1) // 64 * 64, 64):
        x = _rotated(x + y + v0 + _word(data, at + 8), 37) * _K1
        y = _rotated(y + v1 + _word(data, at + 48), 42) * _K1
        x = x ^ w1
        y = y + v0 + _word(data, at + 40)
        z = _rotated(z + w0, 33) * _K1
        v0, v1 = _weak(data, at, v1 * _K1, x + w0)
        w0, w1 = _weak(data, at + 32, z + w1, y + _word(data, at + 16))
        z, x = x, z
    by, at = _K1 + ((z & _U(0xFF)) << _U(1)), length - 64
    w0 = w0 + _U((length - 1) & 63)
    v0 = v0 + w0
    w0 = w0 + v0
    x = _rotated(x + y + v0 + _word(data, at + 8), 37) * by
    y = _rotated(y + v1 + _word(data, at + 48), 42) * by
    x = x ^ (w1 * _U(9))
    y = y + v0 * _U(9) + _word(data, at + 40)
    z = _rotated(z + w0, 33) * by
    v0, v1 = _weak(data, at, v1 * by, x + w0)
    w0, w1 = _weak(data, at + 32, z + w1, y + _word(data, at + 16))
    z, x = x, z
    return _joined(_joined(v0, w0, by) + _mixed(y) * _K0 + z, _joined(v1, w1, by) + x, by)


def _weak(data: np.ndarray, at: int, a: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The pair that 32 bytes and two seeds give."""
    w, x, y, z = (_word(data, at + shift) for shift in (0, 8, 16, 24))
    a = a + w
    b = _rotated(b + a + z, 21)
    total = a + x + y
    return total + z, b + _rotated(total, 44) + a


def _sip(data: np.ndarray, k0: np.uint64, k1: np.uint64) -> np.ndarray:
    count = len(data)
    v = [np.full(count, _U(begin) ^ key) for begin, key in zip(_SIP, (k0, k1, k0, k1), strict=True)]
    for word in _sip_words(data):
        v[3] = v[3] ^ word
        _sip_rounds(v, 2)
        v[0] = v[0] ^ word
    v[2] = v[2] ^ _U(0xFF)
    _sip_rounds(v, 4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def _sip_words(data: np.ndarray) -> Iterator[np.ndarray]:
    """The words of 8 bytes; the last one ends with the length."""
    count, length = data.shape
    whole = length // 8 * 8
    for at in range(0, whole, 8):
        yield _word(data, at)
    last = np.zeros((count, 8), np.uint8)
    last[:, : length - whole] = data[:, whole:]
    last[:, 7] = length & 0xFF
    yield _word(last, 0)


def _sip_rounds(v: list[np.ndarray], rounds: int) -> None:
    def left(x: np.ndarray, by: int) -> np.ndarray:
        return _rotated(x, 64 - by)

    for _ in range(rounds):
        v[0], v[2] = v[0] + v[1], v[2] + v[3]
        v[1], v[3] = left(v[1], 13) ^ v[0], left(v[3], 16) ^ v[2]
        v[0], v[2] = left(v[0], 32) + v[3], v[2] + v[1]
        v[3], v[1] = left(v[3], 21) ^ v[0], left(v[1], 17) ^ v[2]
        v[2] = left(v[2], 32)
