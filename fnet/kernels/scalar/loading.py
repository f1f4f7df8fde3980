"""Loading scalar functions for a device: their text is compiled once for each type of numbers.

The text of a function names constants (`fnet.kernels.scalar.constants`), instructions of the device
(`fnet.kernels.scalar.instructions`) and other scalar functions. Loaded for float32, its constants are those of
float32, and the functions that it calls are loaded for float32, too. So a text is written once for both types, and for
the CPU as for any other device. A function that names no such constant is loaded once for all types.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import FunctionType, ModuleType
from typing import Any

from fnet.kernels.scalar.constants import ByType


class Loader:
    """The scalar functions as one device compiles them, by name: ``loader["exp_f32"]``.

    compilers: how the functions of each module are compiled; instructions: what takes the place of those functions of
    `fnet.kernels.scalar.instructions` that the device has; file: the module that says all this. An edit of it, or of
    what it imports, makes stored machine code stale.
    """

    def __init__(
        self, compilers: Mapping[ModuleType, Callable], instructions: Mapping[Callable, Any], file: str
    ) -> None:
        self._compilers = {module.__name__: compiler for module, compiler in compilers.items()}
        self._instructions, self._file = instructions, file
        self._loaded: dict[tuple[FunctionType, str], Any] = {}
        self.texts = {
            name: text
            for module in compilers
            for name, text in vars(module).items()
            if self._is_own(text) and name[0] != "_"
        }

    def __getitem__(self, name: str) -> Any:
        """The compiled function, which the end of its name gives a type if it has one."""
        text, _, kind = (name, "", "") if name in self.texts else name.rpartition("_")
        return self._load(self.texts[text], kind)

    def is_typed(self, text: FunctionType | ByType) -> bool:
        """Whether it is another function for float32 than for float64."""
        return isinstance(text, ByType) or any(map(self._depends, _meanings(text).values()))

    def _depends(self, value: Any) -> bool:
        return isinstance(value, ByType) or (self._is_own(value) and self.is_typed(value))

    def _load(self, text: FunctionType | ByType, kind: str) -> Any:
        function = text[kind] if isinstance(text, ByType) else text
        kind = kind if self.is_typed(text) else ""
        if (function, kind) not in self._loaded:
            self._loaded[function, kind] = self._compilers[function.__module__](self._typed(function, kind))
        return self._loaded[function, kind]

    def _typed(self, function: FunctionType, kind: str) -> FunctionType:
        """The function with the meaning that its names have for numbers of this type."""
        names = {name: self._meaning(value, kind) for name, value in _meanings(function).items()}
        name = f"{function.__name__}_{kind}" if kind else function.__name__
        typed = FunctionType(function.__code__, {"__name__": function.__module__, **names}, name)
        typed.__qualname__, typed.__doc__ = name, function.__doc__
        typed.__dict__["filed_under"] = self._file
        return typed

    def _meaning(self, value: Any, kind: str) -> Any:
        if self._is_own(value):
            return self._load(value, kind)
        if isinstance(value, ByType):
            return value[kind]
        return self._instructions.get(value, value) if isinstance(value, FunctionType) else value

    def _is_own(self, value: Any) -> bool:
        """Whether it is a scalar function, or one for each type."""
        function = value.get("f32") if isinstance(value, ByType) else value
        return isinstance(function, FunctionType) and function.__module__ in self._compilers


def _meanings(function: FunctionType) -> dict[str, Any]:
    """What the global names in a function stand for."""
    return {name: function.__globals__[name] for name in function.__code__.co_names if name in function.__globals__}
