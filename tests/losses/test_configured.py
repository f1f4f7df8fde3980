"""Losses by name and as configured values; plain functions as losses."""

from __future__ import annotations

import copy
import inspect
import pickle
from functools import partial

import numpy as np
import pytest

import fnet
from fnet import losses
from fnet.masking import Masked
from tests.losses.table import LOSSES

ALIASES = {
    "mse MSE mean_squared_error MeanSquaredError": losses.mean_squared_error,
    "mae MAE mean_absolute_error MeanAbsoluteError": losses.mean_absolute_error,
    "mape MAPE mean_absolute_percentage_error MeanAbsolutePercentageError": losses.mape,
    "msle MSLE mean_squared_logarithmic_error MeanSquaredLogarithmicError": losses.msle,
    "kld KLD kl_divergence KLDivergence kullback_leibler_divergence": losses.kl_divergence,
    "bce BCE binary_crossentropy BinaryCrossentropy": losses.binary_crossentropy,
    "categorical_crossentropy CategoricalCrossentropy": losses.categorical_crossentropy,
    "sparse_categorical_crossentropy SparseCategoricalCrossentropy": losses.sparse_categorical_crossentropy,
    "crossentropy ce Crossentropy": losses.crossentropy,
    "poisson Poisson": losses.poisson,
    "cosine_similarity CosineSimilarity": losses.cosine_similarity,
    "huber Huber huber_loss": losses.huber,
    "log_cosh LogCosh logcosh": losses.log_cosh,
    "hinge Hinge": losses.hinge,
    "squared_hinge SquaredHinge": losses.squared_hinge,
    "categorical_hinge CategoricalHinge": losses.categorical_hinge,
    "binary_focal_crossentropy BinaryFocalCrossentropy": losses.binary_focal_crossentropy,
    "categorical_focal_crossentropy CategoricalFocalCrossentropy": losses.categorical_focal_crossentropy,
    "categorical_generalized_cross_entropy CategoricalGeneralizedCrossEntropy": (
        losses.categorical_generalized_cross_entropy
    ),
    "dice Dice": losses.dice,
    "tversky Tversky": losses.tversky,
    "circle Circle": losses.circle,
    "ctc CTC": losses.ctc,
    "gaussian_nll GaussianNLL": losses.gaussian_nll,
    "contrastive Contrastive": losses.contrastive,
    "triplet Triplet": losses.triplet,
    "triplet_semihard TripletSemiHard": losses.triplet_semihard,
}
ALL = [pytest.param(loss, id=loss.kind) for loss in ALIASES.values()]


def test_every_alias_is_found():
    named = {name: loss for names, loss in ALIASES.items() for name in names.split()}
    assert named == losses.LOSSES
    for name, loss in named.items():
        assert losses.get(name) is loss
    assert losses.get(losses.mse) is losses.mse
    assert losses.get(losses.Huber) is losses.huber


def test_every_loss_has_a_row():
    of_several_rows_or_lengths = {"circle", "triplet", "triplet_semihard", "ctc"}  # which have tests of their own
    rows = {row.loss.kind for row in LOSSES if isinstance(row.loss, losses.Loss)}
    assert {loss.kind for loss in losses.LOSSES.values()} == rows | of_several_rows_or_lengths


@pytest.mark.parametrize("loss", ALL)
def test_constructors_make_the_default_or_another_loss(loss):
    make = getattr(losses, loss.constructor)
    assert make() == loss == getattr(losses, loss.kind)
    assert hash(make()) == hash(loss)
    assert make(reduction="sum") != loss
    assert make(name="mine") != loss
    assert repr(make()) == f"{loss.constructor}()"
    assert repr(make(reduction="sum", name="mine")) == f"{loss.constructor}(reduction='sum', name='mine')"
    assert make(name="mine").kind == loss.kind
    assert "Source:" in loss.__doc__ or loss == losses.crossentropy
    assert "sample_weight: scalar or (B,)" in loss.__doc__


@pytest.mark.parametrize("loss", ALL)
def test_losses_can_be_copied_and_pickled(loss):
    assert pickle.loads(pickle.dumps(loss)) is loss
    assert copy.deepcopy(loss) is loss
    other = loss.configured(reduction="sum", name="mine")
    assert pickle.loads(pickle.dumps(other)) == other == copy.deepcopy(other)


def test_a_configured_loss_is_the_function_with_these_options():
    y, z = np.array([[1.0, 0.0]]), np.array([[3.0, -1.0]])
    loss = losses.BinaryCrossentropy(from_logits=True, label_smoothing=0.1)
    options = {"from_logits": True, "label_smoothing": 0.1}
    assert loss(y, z) == losses.binary_crossentropy(y, z, **options)
    assert loss(y, z, label_smoothing=0.0) == losses.binary_crossentropy(y, z, from_logits=True)
    assert loss == losses.BinaryCrossentropy(True, 0.1) == losses.binary_crossentropy.configured(**options)
    assert dict(loss.config) == {**options, "axis": -1, "reduction": "mean"}
    assert losses.LOSSES[loss.kind].configured(**loss.config) == loss
    assert repr(loss) == "BinaryCrossentropy(from_logits=True, label_smoothing=0.1)"
    assert losses.Huber(2.0)([[0.0]], [[3.0]]) == 4
    summed = losses.MeanSquaredError(reduction="sum")
    assert (summed(y, z), summed(y, z, reduction="mean")) == (2.5, 2.5)
    assert (
        losses.Huber(np.float64(2.0)).config["delta"] == 2
        and type(losses.Huber(np.float64(2.0)).config["delta"]) is float
    )


def test_a_loss_does_not_change():
    with pytest.raises(AttributeError, match="a loss is immutable: use its `configured` instead of setting 'name'"):
        losses.mse.name = "mine"
    with pytest.raises(TypeError):
        losses.huber.config["delta"] = 2.0


def test_signature_and_docstring_show_all_arguments():
    shared = ["y_true", "y_pred", "sample_weight", "reduction"]
    names = list(inspect.signature(losses.binary_crossentropy).parameters)
    assert names == [*shared, "from_logits", "label_smoothing", "axis"]
    assert list(inspect.signature(losses.ctc).parameters) == [
        *shared,
        *("label_lengths", "input_lengths", "blank_index", "from_logits"),
    ]
    assert inspect.signature(losses.Huber(delta=2.0)).parameters["delta"].default == 2
    assert losses.mse.__name__ == "mean_squared_error"


def test_a_plain_function_becomes_a_loss():
    def mine(y_true, y_pred):
        return abs(y_true - y_pred)

    loss = losses.get(mine)
    y, p = np.array([[1.0], [2.0]]), np.array([[2.0], [5.0]])
    assert (loss.name, loss(y, p), loss(y, p, sample_weight=[1.0, 0.0])) == ("mine", 2.0, 0.5)
    assert loss(y[:, 0], p) == 2  # not broadcast to (2, 2)
    assert losses.get(loss) is loss and losses.get(mine) == loss
    assert loss(np.ones((2, 3)), Masked(np.zeros((2, 3)), np.eye(2, 3, dtype=bool))) == 1
    assert losses.get(lambda y, p: 3)(y, p) == 3
    np.testing.assert_array_equal(fnet.grad(lambda p: loss(y, p))(p), [[0.5], [0.5]])


def test_a_function_with_sample_weights_is_taken_as_it_is():
    weighted = partial(losses.huber, delta=2.0)
    assert losses.get(weighted) is weighted


def test_crossentropy_chooses_by_shape():
    p = np.array([[0.2, 0.8], [0.5, 0.5]])
    labels, hot = np.array([1, 0]), np.array([[0.0, 1.0], [1.0, 0.0]])
    expected = losses.sparse_categorical_crossentropy(labels, p)
    for y in (labels, labels[:, None], hot):
        np.testing.assert_allclose(losses.crossentropy(y, p), expected, rtol=1e-12)
    for y, binary in ((labels, p[:, 1]), (labels, p[:, 1:]), (labels[:, None], p[:, 1:])):
        np.testing.assert_allclose(
            losses.crossentropy(y, binary), losses.binary_crossentropy(labels[:, None], p[:, 1:]), rtol=1e-12
        )
    np.testing.assert_allclose(losses.Crossentropy(from_logits=True)(labels, np.log(p)), expected, rtol=1e-12)


@pytest.mark.parametrize("axis", [0, 1, -2])
def test_the_axis_of_the_classes(axis):
    rng = np.random.default_rng(0)
    z, y = rng.normal(size=(2, 3, 4)), rng.integers(0, 3, (2, 4))
    z, labels = (z, y) if axis else (z.transpose(1, 0, 2), y)
    last = np.moveaxis(z, axis, -1)
    hot = np.eye(3)[labels]
    for sparse, dense in ((losses.SparseCategoricalCrossentropy(True), losses.CategoricalCrossentropy(True)),):
        expected = sparse(labels, last, reduction="none")
        np.testing.assert_allclose(sparse(labels, z, axis=axis, reduction="none"), expected, rtol=1e-12)
        moved = dense(np.moveaxis(hot, -1, axis), z, axis=axis, reduction="none")
        np.testing.assert_allclose(moved, expected, rtol=1e-12)
    for loss in (losses.BinaryCrossentropy(True), losses.cosine_similarity):
        moved = loss(np.moveaxis(hot, -1, axis), z, axis=axis, reduction="none")
        np.testing.assert_allclose(moved, loss(hot, last, reduction="none"), rtol=1e-12)
    with pytest.raises(TypeError, match="unexpected keyword argument 'axis'"):
        losses.mse(z, z, axis=axis)
