"""The calls of a plan as source text, with the kernels and the views of memory that they name."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Protocol

from fnet.compile.plan import Plan, Slot
from fnet.devices.generated import PACKAGE
from fnet.kernels.compiler.sources import source_hash


class Operands(Protocol):
    """How the arguments of calls are written."""

    def integer(self, value: int) -> str:
        """The expression of an integer."""
        ...

    def key(self, slot: Slot) -> Hashable:
        """The same for slots in the same place; asked only beside the count and the dtype of the elements."""
        ...

    def view(self, slot: Slot) -> str:
        """What a view is made of: the expressions of a base, of the bytes to skip behind it, of the count."""
        ...


class Calls:
    """The lines that make views of memory, `views`, and those that call kernels with them, `lines`."""

    def __init__(self, plan: Plan, operands: Operands) -> None:
        self.views: list[str] = []
        self._operands = operands
        self._kernels: dict[Callable, str] = {}
        self._names: dict[Hashable, str] = {}
        self._makers: set[str] = set()
        self.lines = [f"{self._kernel(call.kernel)}({', '.join(map(self._arg, call.args))})" for call in plan.calls]

    def imports(self, *makers: str) -> list[str]:
        """The lines that import the kernels, and what makes the views; `makers`: others of these."""
        lines = [line for kernel, alias in self._kernels.items() for line in _import_of(kernel, alias)]
        used = sorted(self._makers.union(makers))
        return [*lines, f"from fnet.kernels.cpu.runtime.views import {', '.join(used)}"] if used else lines

    def _kernel(self, kernel: Callable) -> str:
        return self._kernels.setdefault(kernel, f"k{len(self._kernels)}")

    def _arg(self, arg: Slot | int) -> str:
        if not isinstance(arg, Slot):
            return self._operands.integer(arg)
        maker = f"view_{'b1' if arg.dtype.kind == 'b' else arg.dtype.str[1:]}"
        key = self._operands.key(arg), arg.count, maker
        if key not in self._names:
            name = self._names[key] = f"a{len(self._names)}"
            self._makers.add(maker)
            self.views.append(f"{name} = {maker}({self._operands.view(arg)})")
        return self._names[key]


def _import_of(kernel: Callable, alias: str) -> list[str]:
    """Bring a kernel into the generated module: by import, or by name if it is generated itself."""
    python = getattr(kernel, "py_func", kernel)
    module, name, stamp = python.__module__, python.__name__, source_hash(python.__code__.co_filename)[:16]
    if module.startswith(PACKAGE):
        return [f'{alias} = function("{name}")  # {stamp}']
    return [f"from {module} import {name} as {alias}  # {stamp}"]
