"""Runs the listings of tutorials with one library in the place of Keras, and says what their models do."""

from __future__ import annotations

import contextlib
import importlib
import importlib.abc
import importlib.machinery
import io
import runpy
import sys
import types
from pathlib import Path
from typing import Any

import numpy as np

FOLDER = Path(__file__).with_name("listings")  # of tutorials
GUIDES = Path(__file__).with_name("guides")  # after the ideas of Keras' guides and examples
PATHS = {path.stem: path for folder in (FOLDER, GUIDES) for path in sorted(folder.glob("*.py"))}
NAMES = [name for name, path in PATHS.items() if path.parent == FOLDER]
STEPS = 10
DRAWS = ("dropout", "fraud", "quickstart", "vae", "xception_small")  # their training draws numbers


class _Renamed(importlib.abc.MetaPathFinder, importlib.abc.Loader):
    """Finds ``keras``, ``tensorflow.keras`` and what is in them in another package."""

    def __init__(self, package: str) -> None:
        self._package = package

    def find_spec(self, name: str, path: Any, target: Any = None) -> Any:
        if name == "tensorflow" or self._other(name) is not None:
            return importlib.machinery.ModuleSpec(name, self, is_package=True)
        return None

    def _other(self, name: str) -> str | None:
        for stem in ("tensorflow.keras", "keras"):
            if stem != self._package and (name == stem or name.startswith(f"{stem}.")):
                return self._package + name.removeprefix(stem)
        return None

    def create_module(self, spec: Any) -> Any:
        other = self._other(spec.name)
        if other is None:
            made = types.ModuleType("tensorflow")
            made.float32 = np.dtype("float32")
            made.__getattr__ = _no_such_type
            made.keras = importlib.import_module(self._package)
            return made
        made = types.ModuleType(spec.name)
        real = importlib.import_module(other)
        made.__getattr__ = lambda name: getattr(real, name)
        return made

    def exec_module(self, module: Any) -> None:
        """The module is made."""


def _no_such_type(name: str) -> type:
    """A type that nothing has: Keras asks for TensorFlow's where there is a module of that name."""
    return type(name, (), {})


@contextlib.contextmanager
def keras_is(package: str) -> Any:
    """Let ``import keras`` and ``import tensorflow.keras`` find this package inside."""
    renamed = ("tensorflow",) if package == "keras" else ("keras", "tensorflow")
    own = {name: sys.modules.pop(name) for name in list(sys.modules) if name.split(".")[0] in renamed}
    finder = _Renamed(package)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        for name in [name for name in sys.modules if name.split(".")[0] in renamed]:
            del sys.modules[name]
        sys.modules.update(own)


def run(name: str, package: str) -> tuple[dict[str, Any], str]:
    """The global names of a listing after its run, and what it printed."""
    printed = io.StringIO()
    with keras_is(package), contextlib.redirect_stdout(printed):
        found = runpy.run_path(str(PATHS[name]))
    return found, printed.getvalue()


def models_of(found: dict[str, Any]) -> dict[str, Any]:
    """The models among the names."""
    others = type | types.ModuleType
    return {name: value for name, value in found.items() if hasattr(value, "predict") and not isinstance(value, others)}


def data_for(model: Any, seed: int = 0) -> tuple[list[np.ndarray], list[np.ndarray]]:
    """Inputs and targets for a model, drawn from its shapes."""
    rng = np.random.default_rng(seed)
    try:
        nodes, ends = model.inputs, model.outputs
    except Exception:  # a class with a call
        nodes = ends = None
    if not nodes:
        return [rng.normal(size=(8, 20)).astype("float32")], [np.eye(10, dtype="float32")[rng.integers(0, 10, 8)]]
    x = [_draw(rng, node) for node in nodes]
    y = []
    for end in ends:
        shape = (8, *(n or 5 for n in tuple(end.shape)[1:]))
        y.append(np.eye(shape[-1], dtype="float32")[rng.integers(0, shape[-1], shape[:-1])] if shape[-1] > 1
                 else rng.integers(0, 2, shape).astype("float32"))  # fmt: skip
    return x, y


def _draw(rng: Any, node: Any) -> np.ndarray:
    shape = (8, *(n or 5 for n in tuple(node.shape)[1:]))
    kind = getattr(node.dtype, "name", str(node.dtype))
    return rng.integers(0, 100, shape) if "int" in kind else rng.normal(size=shape).astype("float32")


def _single(parts: list[Any]) -> Any:
    return parts[0] if len(parts) == 1 else parts


def behaviour(model: Any, weights: list[np.ndarray] | None, steps: bool, example: Any = None) -> dict[str, Any]:
    """The predictions of a model, and the losses of some steps of training, from given weights on.

    example: inputs and targets, where those that are drawn from the shapes of the model do not do.
    """
    x, y = data_for(model) if example is None else [[part] for part in example]
    if weights is not None:
        model.set_weights(weights)
    made = model.predict(_single(x), verbose=0)
    result = {
        "weights": [np.array(w) for w in model.get_weights()],
        "outputs": [np.asarray(part) for part in (made if isinstance(made, list) else [made])],
        "losses": [],
    }
    if steps and int(model.optimizer.iterations) == 0:  # what it remembers of other weights differs
        for _ in range(STEPS):
            loss = model.train_on_batch(_single(x), _single(y))
            result["losses"].append(float(np.ravel(np.asarray(loss, dtype=object))[0]))
        result["after"] = np.asarray(model.predict(_single(x), verbose=0)[0])
    return result
