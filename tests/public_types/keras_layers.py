"""What type checkers and editors see of `fnet.keras.layers`, whose classes are made on first use.

``python -m tests.public_types.keras_layers`` writes it anew, after a constructor of `fnet.layers` has changed.
"""

from __future__ import annotations

import ast
import importlib
import inspect
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

from fnet import layers
from fnet.keras import layers as keras_layers
from fnet.keras.standard import MERGES

STUB = Path(__file__).parents[2] / "fnet" / "keras" / "layers" / "__init__.pyi"
OPTIONS = """\
class Options(TypedDict, total=False):
    dtype: str | None
    input_shape: Sequence[int | None] | None
    batch_input_shape: Sequence[int | None] | None
    batch_shape: Sequence[int | None] | None

class OptionsAndWidth(Options, total=False):
    input_dim: int | None
"""


def stub() -> str:
    """The text of the stub: a class for each constructor, other names of some, and the functions that merge."""
    made = {name: getattr(keras_layers, name) for name in sorted({*layers.LAYERS, *MERGES})}
    kinds = {name: layer.__wrapped__ for name, layer in made.items() if "__wrapped__" in vars(layer)}
    parts = [_kind(name, make) for name, make in kinds.items() if name == make.__name__]
    parts += ["".join(_merge(name, kinds[name.capitalize()]) for name in MERGES)]
    parts += ["".join(f"{name} = {make.__name__}\n" for name, make in kinds.items() if name != make.__name__)]
    origins = {"Any": "typing", "TypedDict": "typing", "Unpack": "typing", "Sequence": "collections.abc"}
    for made_by in (*kinds.values(), *keras_layers.BASES.values()):
        origins |= _imports(importlib.import_module(made_by.__module__))
    del origins["Layer"]  # the package's own, which comes with those that have files of their own
    origins |= {base.__name__: base.__module__ for base in keras_layers.BASES.values()}
    nodes = [node for part in [OPTIONS, *parts] for node in ast.walk(ast.parse(part))]
    used = {node.id for node in nodes if isinstance(node, ast.Name)} & origins.keys()
    standard = {origins[name]: [] for name in used if not origins[name].startswith("fnet.")}
    for name in sorted(used):
        standard.get(origins[name], []).append(name)
    modules = {origins[name] for name in used} - standard.keys()
    named = {module: sorted(name for name in used if origins[name] == module) for module in modules}
    ours = [(module, f"from {module} import {', '.join(names)}") for module, names in named.items()]
    ours += [(module, f"from {module} import {name} as {name}") for module, name in _with_files_of_their_own()]
    head = [f"from {module} import {', '.join(names)}" for module, names in sorted(standard.items())]
    head += ["", *(line for _, line in sorted(ours)), ""]
    return "\n".join(["# Written by tests/public_types/keras_layers.py.", *head, OPTIONS, *parts])


def _with_files_of_their_own() -> list[tuple[str, str]]:
    """What the package imports for its users: modules and names."""
    imports = [node for node in ast.parse(inspect.getsource(keras_layers)).body if isinstance(node, ast.ImportFrom)]
    return [(str(node.module), alias.name) for node in imports for alias in node.names if alias.asname == alias.name]


def _kind(name: str, make: Callable[..., Any]) -> str:
    summary = (inspect.getdoc(make) or "").split("\n\n")[0].replace("\n", " ").split(" Source: ")[0]
    base = keras_layers.BASES.get(name, keras_layers.Layer).__name__
    options = "Options" if "input_dim" in inspect.signature(make).parameters else "OptionsAndWidth"
    begin = vars(keras_layers.BASES.get(name, object)).get("__init__", make)
    if begin is make or "args" in inspect.signature(begin).parameters:
        arguments = ["self", *_arguments(make), f"**options: Unpack[{options}]"]
    else:
        arguments = _arguments(begin)
    lines = "".join(f"        {argument},\n" for argument in arguments)
    return f'class {name}({base}):\n    r"""{summary}"""\n\n    def __init__(\n{lines}    ) -> None: ...\n'


def _merge(name: str, make: Callable[..., Any]) -> str:
    arguments = "".join(f"    {argument},\n" for argument in ["inputs: Sequence[Any]", *_arguments(make)])
    return f"def {name}(\n{arguments}) -> Any: ...\n"


def _arguments(make: Callable[..., Any]) -> list[str]:
    """The arguments of a function as a stub writes them."""
    written: list[str] = []
    for p in inspect.signature(make).parameters.values():
        if p.kind is p.KEYWORD_ONLY and not any(argument.startswith("*") for argument in written):
            written.append("*")
        star = {p.VAR_POSITIONAL: "*", p.VAR_KEYWORD: "**"}.get(p.kind, "")
        annotation = str(p.annotation).replace("'", '"')
        kind = "" if p.annotation is p.empty else f": {annotation}"
        written.append(f"{star}{p.name}{kind}{'' if p.default is p.empty else ' = ...'}")
    return written


def _imports(module: ModuleType) -> dict[str, str]:
    """From which module each name comes that annotations in a module may use."""
    found = {}
    for node in ast.parse(inspect.getsource(module)).body:
        if isinstance(node, ast.ImportFrom):
            found |= {alias.name: str(node.module) for alias in node.names if alias.asname is None}
        elif isinstance(node, ast.Assign):
            found |= {target.id: module.__name__ for target in node.targets if isinstance(target, ast.Name)}
    return found


if __name__ == "__main__":
    STUB.write_text(stub(), encoding="utf-8")
