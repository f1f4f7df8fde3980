"""Lowering rules, and how the one of a primitive is found: by its family and its name."""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

from fnet.device import Rule
from fnet.errors import StructureError

Emits = Callable[..., None]


class Lowering:
    """A function ``(emit, inputs, outputs, **params)`` that emits the kernel calls of one primitive on one device.

    See `lowering` for what it says besides.
    """

    __slots__ = ("absorbs", "beside", "emits", "integers", "masks_behind", "picks_positive", "strided")

    def __init__(
        self,
        emits: Emits,
        strided: bool = False,
        absorbs: tuple[str, ...] = (),
        masks_behind: str = "",
        beside: str = "",
        integers: tuple[int, ...] = (),
        picks_positive: bool = False,
    ) -> None:
        self.emits = emits
        self.strided = strided
        self.absorbs = absorbs
        self.masks_behind = masks_behind
        self.beside = beside
        self.integers = integers
        self.picks_positive = picks_positive

    def __call__(self, emit: Any, inputs: list[Any], outputs: list[Any], **params: Any) -> None:
        self.emits(emit, inputs, outputs, **params)


def lowering(
    *,
    strided: bool = False,
    absorbs: tuple[str, ...] = (),
    masks_behind: str = "",
    beside: str = "",
    integers: tuple[int, ...] = (),
    picks_positive: bool = False,
) -> Callable[[Emits], Lowering]:
    """Mark a function as the lowering rule of the primitive of its name.

    strided: it takes inputs of any layout, where others get them in row-major order.
    absorbs: the elementwise operations that it computes itself when they follow, given as ``activation=``.
    masks_behind: the primitive of which this one is the gradient, called as ``(*its inputs, ..., g)``: where that one
        has absorbed relu, this one zeroes by itself what relu left out of g, given ``activation="relu"``.
    beside: the primitive whose results it gives, too, where `outputs` has them behind its own; called as
        ``(*inputs of that one, ...)``.
    integers: the numbers of the inputs that it takes in any integer dtype.
    picks_positive: it can pick nothing where the largest element is not positive, given ``picks="positive"``.
    """
    return lambda emits: Lowering(emits, strided, absorbs, masks_behind, beside, integers, picks_positive)


class Rules:
    """The lowering rules of a device: in a package of families, ``<package>.<family>``, or on users' own primitives."""

    def __init__(self, device: str, package: str) -> None:
        self._device = device
        self._package = package
        self._known: dict[Any, Lowering] = {}

    def of(self, primitive: Any) -> Rule:
        """The rule of a primitive; raises `StructureError` where there is none."""
        found = self._known.get(primitive)
        if found is None:
            if primitive.kernels is not None:
                return self._own(primitive)
            self._known[primitive] = found = self._in_family(primitive)
        return found

    def _own(self, primitive: Any) -> Rule:
        """The rule that a user's own primitive brings along for this device."""
        if self._device not in primitive.kernels:
            there = ", ".join(primitive.kernels)
            raise StructureError(
                f"primitive '{primitive.name}' has no kernel for {self._device}, only for {there}. "
                f"Call it on arrays of {there}."
            )
        return primitive.kernels[self._device]

    def _in_family(self, primitive: Any) -> Lowering:
        name = f"{self._package}.{primitive.lowered}"
        try:
            found = getattr(importlib.import_module(name), primitive.name, None)
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
            found = None
        if not isinstance(found, Lowering):
            raise StructureError(
                f"primitive '{primitive.name}' has no lowering rule on {self._device}: expected a function of that "
                f"name, marked @lowering(), in {name}."
            )
        return found
