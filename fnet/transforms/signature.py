"""The arguments of a function by position: names, positions from the end, keyword-only ones behind the others."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from fnet.errors import StructureError, ValueRangeError, did_you_mean

Names = str | int | Sequence[str | int]
Label = int | str
"""What an argument is called by: its position, or the name of one that is taken by keyword only."""

_POSITIONAL = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


class Signature:
    """The parameters of `f`, as far as they are known."""

    def __init__(self, f: Callable[..., Any]) -> None:
        try:
            self._signature: inspect.Signature | None = inspect.signature(f)
        except (TypeError, ValueError):
            self._signature = None
        parameters = self._signature.parameters.values() if self._signature else ()
        kinds = {parameter.kind for parameter in parameters}
        self._takes_more = self._signature is None or inspect.Parameter.VAR_POSITIONAL in kinds
        self._takes_any_name = inspect.Parameter.VAR_KEYWORD in kinds
        self._positional = [p.name for p in parameters if p.kind in _POSITIONAL]
        self._by_keyword = [p.name for p in parameters if p.kind is inspect.Parameter.KEYWORD_ONLY]

    def labels(self, names: Names, option: str) -> frozenset[Label]:
        """The arguments that the option `option` of `jit` names; raises `ValueRangeError` where there is none."""
        return frozenset(self._label(name, option) for name in ((names,) if isinstance(names, str | int) else names))

    def name(self, label: Label) -> str:
        """The name of an argument; its position where it has none."""
        if isinstance(label, int) and label < len(self._positional):
            return self._positional[label]
        return str(label)

    def bind(self, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[tuple[Any, ...], tuple[str, ...]]:
        """All arguments in order, and the names of those at the end that are passed by keyword.

        Defaults that nothing overrides stay the function's own constants.
        """
        if not kwargs:
            return args, ()
        if self._signature is None:
            raise StructureError(
                "this function takes no keyword arguments under fnet.jit: its signature is unknown. Pass them in order."
            )
        bound = self._signature.bind(*args, **kwargs)
        given = max([self._positional.index(n) + 1 for n in bound.arguments if n in self._positional], default=0)
        bound.apply_defaults()
        by_keyword = {name: x for name, x in bound.kwargs.items() if name in kwargs and name not in self._positional}
        return (*bound.args[: max(given, len(args))], *by_keyword.values()), tuple(by_keyword)

    def _label(self, name: str | int, option: str) -> Label:
        known = len(self._positional)
        if isinstance(name, int) and not isinstance(name, bool):
            label = name + known if name < 0 else name
            if (name < 0 and self._takes_more) or label < 0 or not (label < known or self._takes_more):
                takes = "any number of" if self._takes_more else str(known)
                raise ValueRangeError(
                    f"{option}={name} is not an argument of the function: it takes {takes} by position. "
                    f"Name the argument, or count from 0."
                )
            return label
        if name in self._positional:
            return self._positional.index(name)
        if name in self._by_keyword or (self._takes_any_name and isinstance(name, str)):
            return name
        raise ValueRangeError(
            f"{option}={name!r} is not an argument of the function."
            f"{did_you_mean(str(name), [*self._positional, *self._by_keyword])}"
        )
