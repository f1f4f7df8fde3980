"""Targets of any dtype give what int64 or float64 ones give, with every loss."""

from __future__ import annotations

import numpy as np
import pytest

import fnet
from fnet import losses
from tests.losses.table import LOSSES, softmax

DTYPES = ["int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "bool", "float32", "float64"]
Z = np.random.default_rng(0).normal(size=(4, 3))


@pytest.mark.parametrize("dtype", DTYPES)
def test_labels_of_any_dtype(dtype):
    y = np.array([0, 1, 1, 0])
    for loss in (losses.SparseCategoricalCrossentropy(from_logits=True), losses.crossentropy):
        p = Z if loss.config["from_logits"] else softmax(Z)
        expected = loss(y, p, reduction="none")
        for labels in (y.astype(dtype), y.astype(dtype)[:, None]):
            np.testing.assert_array_equal(loss(labels, p, reduction="none"), expected)
    ctc = losses.CTC(blank_index=-1)
    np.testing.assert_array_equal(
        ctc(y[:2, None].astype(dtype), Z.reshape(2, 2, 3)), ctc(y[:2, None], Z.reshape(2, 2, 3))
    )


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("ignored", [-1, 1, 255, 300, -(2**63)])
def test_a_class_to_ignore_need_not_be_of_the_dtype(dtype, ignored):
    """uint8 labels have no -1, int8 labels no 300: nothing is ignored then."""
    y = np.array([0, 1, 1, 0]).astype(dtype)
    loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=ignored, reduction="none")
    expected = losses.sparse_categorical_crossentropy(y, Z, from_logits=True, reduction="none")
    if ignored == 1:
        expected = np.where(y == 1, 0, expected)
    np.testing.assert_array_equal(loss(y, Z), expected)
    if dtype in ("uint8", "int32"):
        np.testing.assert_array_equal(fnet.jit(loss)(y, Z), expected)
    metric = fnet.metrics.SparseCategoricalCrossentropy(from_logits=True, ignore_class=ignored)
    counted = y != ignored if ignored == 1 else np.ones(4, bool)
    np.testing.assert_allclose(metric.result(metric.update(metric.init(), y, Z)), expected[counted].mean(), rtol=1e-6)


def test_all_labels_of_the_largest_value_are_ignored():
    for dtype in ("uint8", "int8", "uint64", "int64"):
        largest = np.iinfo(dtype).max
        y = np.array([0, largest, 1, largest], dtype)
        loss = losses.SparseCategoricalCrossentropy(from_logits=True, ignore_class=int(largest))
        np.testing.assert_allclose(
            loss(y, Z), losses.sparse_categorical_crossentropy([0, 1], Z[[0, 2]], from_logits=True)
        )


@pytest.mark.parametrize("case", LOSSES, ids=lambda case: case.id)
def test_targets_of_any_dtype(case):
    y, p = case.make(np.random.default_rng(0), (3,))
    if np.any(y % 1):
        y = np.abs(np.sign(y))
    for dtype in DTYPES:
        if np.any(y < 0) and dtype[0] in "ub":
            continue
        expected = case.loss(y if dtype != "bool" else y != 0, p)
        np.testing.assert_allclose(case.loss(y.astype(dtype), p), expected, rtol=1e-12, err_msg=dtype)
        np.testing.assert_allclose(
            case.loss(y.astype(dtype), p.astype(np.float32)), expected, rtol=1e-4, atol=1e-5, err_msg=dtype
        )
