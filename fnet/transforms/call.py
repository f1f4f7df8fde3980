"""One call of a jitted function: its arguments bound to parameters and taken apart into leaves."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fnet import tree
from fnet.compile.static import static_key
from fnet.device import Device, device_of
from fnet.device_array import DeviceArray
from fnet.errors import DtypeError
from fnet.spec import ArraySpec
from fnet.transforms.donation import Donated
from fnet.transforms.primitive import spec_of
from fnet.transforms.signature import Label, Signature
from fnet.transforms.tracer import Tracer

_NUMBERS = (Tracer, np.ndarray, DeviceArray, np.generic, bool, int, float)


@dataclass(frozen=True, slots=True)
class Call:
    """The arguments in order, those with the names `by_keyword` last.

    labels: what each is called by; static: the positions of those that are ordinary values, whose place in `structures`
    is None; spans: first and last leaf (exclusive) of each; key: all that a program depends on beside the leaves.
    """

    args: tuple[Any, ...]
    by_keyword: tuple[str, ...]
    labels: tuple[Label, ...]
    static: frozenset[int]
    structures: list[tree.TreeDef | None]
    spans: list[tuple[int, int]]
    leaves: list[Any]
    key: Hashable

    @property
    def is_traced(self) -> bool:
        return any(isinstance(x, Tracer) for x in self.leaves)

    def device(self, signature: Signature, held: Sequence[Any] = ()) -> Device:
        """Where the function runs; a `DeviceError` names two arguments that are apart.

        held: the arrays of a device that it computes with besides.
        """

        def name(leaf: int) -> str:
            if leaf >= len(self.leaves):
                return f"{held[leaf - len(self.leaves)].spec} of the function itself"
            position = self._position(leaf)
            structure = self.structures[position]
            assert structure is not None
            path = structure.paths()[leaf - self.spans[position][0]]
            return "/".join(filter(None, (signature.name(self.labels[position]), path)))

        return device_of([*self.leaves, *held], name)

    def kinds(self) -> tuple[Any, ...]:
        """What a program depends on in the leaves."""
        return tuple([(x.dtype, x.shape) if type(x) is np.ndarray else self._spec(x) for x in self.leaves])

    def specs(self) -> tuple[ArraySpec, ...]:
        return tuple([self._spec(x) for x in self.leaves])

    def donated(self, labels: frozenset[Label], signature: Signature) -> list[Donated]:
        """The arguments that are donated, of those with these labels."""
        specs = self.specs()
        return [
            Donated(p, signature.name(label), first, structure, specs[first:last])
            for p, (label, structure, (first, last)) in enumerate(
                zip(self.labels, self.structures, self.spans, strict=True)
            )
            if label in labels and structure is not None
        ]

    def rebuilt(self, leaves: list[Any]) -> tuple[Any, ...]:
        """The arguments with other leaves."""
        return tuple(
            arg if structure is None else tree.unflatten(structure, leaves[first:last])
            for arg, structure, (first, last) in zip(self.args, self.structures, self.spans, strict=True)
        )

    def applied(self, f: Callable[..., Any]) -> Callable[..., Any]:
        """`f` as a function of all arguments in order."""
        if not self.by_keyword:
            return f
        count = len(self.args) - len(self.by_keyword)
        return lambda *args: f(*args[:count], **dict(zip(self.by_keyword, args[count:], strict=True)))

    def _position(self, leaf: int) -> int:
        """The argument that a leaf belongs to."""
        return next(p for p, (first, last) in enumerate(self.spans) if first <= leaf < last)

    def _spec(self, leaf: Any) -> ArraySpec:
        if isinstance(leaf, _NUMBERS):
            return spec_of(leaf)
        number = next(i for i, x in enumerate(self.leaves) if x is leaf)
        position = self._position(number)
        path = next(p for p, x in tree.leaves_with_path(self.args[position]) if x is leaf)
        raise DtypeError(
            f"fnet.jit received a {type(leaf).__name__} in argument '{'/'.join(filter(None, (str(position), path)))}'; "
            f"expected arrays and numbers in trees. Name the argument in static= if it is a setting."
        )


def bound_call(signature: Signature, static: frozenset[Label], args: tuple[Any, ...], kwargs: dict[str, Any]) -> Call:
    """The call ``f(*args, **kwargs)`` of a function with this signature and these static arguments."""
    args, by_keyword = signature.bind(args, kwargs)
    labels = (*range(len(args) - len(by_keyword)), *by_keyword)
    fixed = frozenset(p for p, label in enumerate(labels) if label in static)
    structures: list[tree.TreeDef | None] = []
    spans: list[tuple[int, int]] = []
    leaves: list[Any] = []
    parts: list[Hashable] = []
    for position, arg in enumerate(args):
        first, structure = len(leaves), None
        if position not in fixed:
            found, structure = tree.flatten(arg)
            leaves += found
        structures.append(structure)
        spans.append((first, len(leaves)))
        parts.append(static_key(arg) if structure is None else structure)
    return Call(args, by_keyword, labels, fixed, structures, spans, leaves, (by_keyword, *parts))
