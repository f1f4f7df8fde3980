"""Hashes of texts give the numbers of TensorFlow and of SipHash's authors."""

from __future__ import annotations

import numpy as np
import pytest

from fnet.data.fingerprint import cross_hash, farm_hash, sip_hash

KEY = (0x0706050403020100, 0x0F0E0D0C0B0A0908)
BINS = np.uint64(2**63 - 1)
# ``tf.strings.to_hash_bucket_fast`` and ``to_hash_bucket_strong`` of `text(length)` in 2^63 - 1 bins.
OF_TENSORFLOW = {
    0: (0x1AE16A3B2F904050, 0x726FDB47DD0E0E31),
    3: (0x40B4412E33EEFD64, 0x1CDE980D15B390BE),
    5: (0x4ECB798B403D75D, 0x287CBE90AD2B281E),
    8: (0x2F3C2FEAECFB8229, 0x546F68C616D7D3A),
    16: (0x935C33C50C919D9, 0x2A0C60B4A07F04D1),
    17: (0x6B5E445E8ED84690, 0x7161394E439A80EC),
    32: (0x37679234EE53FB79, 0x238E3C465D5D1C25),
    33: (0x2CE067CEEF8B7ACE, 0x71865110F81859FE),
    64: (0x19CEF40B2C6F98ED, 0x789F22FF9E052A1B),
    65: (0x62C410B763BEF3D, 0x7E2ADCF91A50E136),
    128: (0x5BCEEBB7B5DB6DCA, 0x260495EEA8A8B596),
    129: (0x4651AD82F97E3AC7, 0xE64469D6AD2D32E),
    200: (0x2CF7F5990A1B14F, 0x5944DD1E255DB755),
    1000: (0x43D452CFC7712241, 0x6892FD70BD429159),
}


def text(length: int) -> bytes:
    return bytes((7 * i + length) % 256 for i in range(length))


@pytest.mark.parametrize("length", OF_TENSORFLOW)
def test_each_length(length: int) -> None:
    fast, strong = OF_TENSORFLOW[length]
    assert farm_hash([text(length)])[0] % BINS == fast
    assert sip_hash([text(length)], KEY)[0] % BINS == strong


def test_texts_together_and_alone_have_one_hash() -> None:
    texts = [text(length) for length in (9, 0, 70, 9, 33, 1)]
    for function in (farm_hash, lambda given: sip_hash(given, KEY)):
        assert function(texts).tolist() == [function([one])[0] for one in texts]
    assert farm_hash([]).shape == (0,)


def test_the_published_example_of_siphash() -> None:
    assert sip_hash([bytes(range(15))], KEY)[0] == 0xA129CA6149BE45E5


def test_crossed_columns() -> None:
    """The bins that ``tf.sparse.cross_hashed`` gives for A, B with 101, 102 in 5 bins."""
    columns = [farm_hash([b"A", b"B", b"A", b"B", b"A"]), np.array([101, 101, 101, 102, 102])]
    assert (cross_hash(columns) % np.uint64(5)).tolist() == [1, 4, 1, 1, 3]
