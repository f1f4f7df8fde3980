"""Checks of targets and predictions by a loss: when it is computed, and beforehand, from the data of a training."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from fnet.losses.leave_out import without
from fnet.losses.rule import LossRule, axis_last, counts_of, with_features
from fnet.masking import split_mask
from fnet.ops.promotion import lift
from fnet.spec import ArraySpec
from fnet.transforms.operand import known_value
from fnet.transforms.primitive import spec_of


def check_values(rule: LossRule, y_true: Any, y_pred: Any, options: Mapping[str, Any]) -> None:
    """Refuse targets and predictions that the formula cannot take, as far as they are known."""
    if rule.targets is not None and (targets := known_value(y_true)) is not None:
        rule.targets(rule.kind, targets, spec_of(y_pred).shape, options)
    if rule.outputs is not None and (outputs := known_value(y_pred)) is not None:
        rule.outputs(rule.kind, outputs, options)


def check_targets(
    rule: LossRule, name: str, y_true: Any, y_pred: Any, sample_weight: Any, options: Mapping[str, Any]
) -> None:
    """What the rule says of targets for predictions, arrays or specs; nothing where their mask is not known."""
    (y_true, _), (y_pred, mask) = split_mask(y_true), split_mask(y_pred)
    if rule.targets is None or isinstance(mask, ArraySpec):
        return
    shape = tuple(y_pred.shape)
    predictions: Any = np.broadcast_to(np.float32(0), shape)
    y_true, predictions = _aligned_axes(rule, y_true, predictions, mask, options)
    y_true, predictions = rule.align(name, y_true, predictions)
    counts = counts_of(rule, predictions, mask, sample_weight, options)
    if counts is not None:
        y_true, _ = without(counts, y_true, None)
    rule.targets(rule.kind, y_true, predictions.shape, options)


def check_outputs(rule: LossRule, y_pred: Any, sample_weight: Any, options: Mapping[str, Any]) -> None:
    """What the rule says of predictions."""
    if rule.outputs is None:
        return
    y_pred, mask = split_mask(y_pred)
    _, y_pred = _aligned_axes(rule, y_pred, y_pred, mask, options)
    counts = counts_of(rule, y_pred, mask, sample_weight, options)
    if counts is not None:
        _, y_pred = without(counts, None, y_pred)
    rule.outputs(rule.kind, y_pred, options)


def _aligned_axes(rule: LossRule, y_true: Any, y_pred: Any, mask: Any, options: Mapping[str, Any]) -> tuple[Any, Any]:
    y_true, y_pred = lift(y_true), lift(y_pred)
    if rule.along_axis and options["axis"] != -1:
        y_true, y_pred = axis_last(y_true, y_pred, options["axis"])
    if mask is not None and rule.per == "element":
        y_true, y_pred = with_features(y_true, mask), with_features(y_pred, mask)
    return y_true, y_pred
