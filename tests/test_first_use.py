"""Public names are loaded on first use: the same names, whoever asks first, and nothing that is not asked for."""

from __future__ import annotations

import ast
import graphlib
import importlib
import inspect
import pickle
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import fnet

ROOT = Path(__file__).parents[1]
STUBS = sorted(
    stub
    for stub in (ROOT / "fnet").rglob("__init__.pyi")
    if "on_first_use" in stub.with_suffix(".py").read_text("utf-8")
)
PACKAGES = [".".join(stub.parent.relative_to(ROOT).parts) for stub in STUBS]

THREADS = """
import sys, threading
sys.setswitchinterval(1e-6)
import fnet
uses = '''fnet.Trainer | fnet.losses.mse | fnet.grad | from fnet.layers import Dense | fnet.serial | fnet.metrics.MSE
| from fnet.layers.conv import Conv2D | fnet.tree.map | from fnet.optimizers.adam import adam | from fnet import random
| from fnet.losses.ctc import ctc | from fnet.ops.shape import reshape | fnet.graph | from fnet.train import steps
'''.split("|")
begin, failed = threading.Barrier(len(uses)), []
def use(code):
    begin.wait()
    try:
        exec(code.strip())
    except BaseException as error:
        failed.append((code, error))
threads = [threading.Thread(target=use, args=(code,), daemon=True) for code in uses]
for thread in threads: thread.start()
for thread in threads: thread.join(60)
print(failed, any(thread.is_alive() for thread in threads))
"""


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    return done.stdout.strip()


@pytest.mark.parametrize("package", PACKAGES)
def test_every_listed_name_is_there_and_is_what_the_list_says(package: str) -> None:
    module = importlib.import_module(package)
    listed = listed_names(ROOT / Path(*package.split(".")) / "__init__.pyi")
    assert len(listed) > 1
    assert set(module.__all__) == set(listed) <= set(dir(module))
    for name, (source, original) in listed.items():
        if source == package:
            assert getattr(module, name) is importlib.import_module(f"{package}.{original}")
        else:
            assert getattr(module, name) is getattr(importlib.import_module(source), original)


def test_a_name_that_a_module_has_too_stays_that_of_the_function() -> None:
    for name in ("fnet.precision", "fnet.losses.ctc", "fnet.ops.conv", "fnet.optimizers.adam"):
        importlib.import_module(name)
        package, _, own = name.rpartition(".")
        assert not inspect.ismodule(getattr(sys.modules[package], own))


def test_nothing_is_loaded_before_its_use() -> None:
    code = (
        "import sys, fnet; print(sorted(m for m in sys.modules if m.startswith('fnet.')), 'numpy' in sys.modules);"
        "fnet.tree.map; print('numpy' in sys.modules, 'fnet.ops' in sys.modules)"
    )
    first = ["fnet.first_use", "fnet.kernels", "fnet.kernels.compiler", "fnet.kernels.compiler.forks"]
    assert run(code).splitlines() == [f"{first} False", "True False"]


def test_star_imports_bring_the_listed_names() -> None:
    code = "from fnet import *; from fnet.layers import *; print(Trainer.__name__, jit.__name__, Dense.__name__)"
    assert run(code) == "Trainer jit Dense"


def test_operators_work_in_the_first_transform() -> None:
    assert run("from fnet.transforms.vjp import grad; print(grad(lambda x: -x * x)(3.0))") == "-6.0"


def test_threads_may_use_names_at_the_same_time() -> None:
    assert run(THREADS) == "[] False"


@pytest.mark.parametrize(
    ("package", "name", "message"),
    [
        ("fnet", "Trainr", r"module 'fnet' has no attribute 'Trainr'\. Did you mean 'Trainer'\?"),
        ("fnet.losses", "huberr", r"module 'fnet\.losses' has no attribute 'huberr'\. Did you mean 'huber'\?"),
        ("fnet.metrics", "Acuracy", r"has no attribute 'Acuracy'\. Did you mean 'Accuracy'\?"),
        ("fnet.ops", "softmx", r"Did you mean 'softmax'\?"),
    ],
)
def test_a_misspelt_name_is_answered_with_the_nearest(package: str, name: str, message: str) -> None:
    with pytest.raises(AttributeError, match=message):
        getattr(sys.modules[package], name)
    assert not hasattr(sys.modules[package], "_private")


def test_pickles_name_functions_by_their_modules() -> None:
    for function in (fnet.grad, fnet.ops.conv, fnet.losses.mse, fnet.optimizers.Adam, fnet.layers.Dense(2)):
        assert type(pickle.loads(pickle.dumps(function))) is type(function)


def test_modules_wait_for_each_other_in_one_direction() -> None:
    """A circle would be one that two threads can wait in; a package is one with its modules if it imports them."""
    files = {".".join(path.with_suffix("").relative_to(ROOT).parts): path for path in (ROOT / "fnet").rglob("*.py")}
    files = {name.removesuffix(".__init__"): path for name, path in files.items()}
    public = {p: listed_names(stub) for p, stub in zip(PACKAGES, STUBS, strict=True)}
    rooms = {"fnet.kernels", "fnet.kernels.compiler", "fnet.kernels.compiler.forks"}
    light = {"fnet", "fnet.first_use", *rooms}  # loaded by `import fnet`
    waits: dict[str, set[str]] = {}
    for name, path in files.items():
        needed = {name.rpartition(".")[0]}
        for line in executed(ast.parse(path.read_text(encoding="utf-8")).body):
            if isinstance(line, ast.ImportFrom) and line.module in files:
                places = [
                    public.get(line.module, {}).get(alias.name, (line.module, alias.name)) for alias in line.names
                ]
                needed |= {line.module} | {m for place in places for m in (place[0], ".".join(place)) if m in files}
            elif isinstance(line, ast.Import):
                needed |= {alias.name for alias in line.names if alias.name in files}
        waits[name] = needed - light - {name}
    assert len(list(graphlib.TopologicalSorter(waits).static_order())) > 200


def listed_names(stub: Path) -> dict[str, tuple[str, str]]:
    listed: dict[str, tuple[str, str]] = {}
    wrapped = re.compile(r"\(\n +(\w+ as \w+),\n\)")  # a name that does not fit into a line
    for line in wrapped.sub(r"\1", stub.read_text(encoding="utf-8")).splitlines():
        if found := re.fullmatch(r"from (fnet[\w.]*) import (\w+) as (\w+)", line):
            listed[found[3]] = (found[1], found[2])
        elif found := re.fullmatch(r"(\w+) = (\w+)", line):
            listed[found[1]] = listed[found[2]]
    return listed


def executed(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """The statements that run when a module is imported."""
    for line in body:
        for_checkers = isinstance(line, ast.If) and "TYPE_CHECKING" in ast.unparse(line.test)
        if isinstance(line, ast.FunctionDef) or for_checkers:
            continue
        yield line
        for part in ("body", "orelse", "handlers", "finalbody"):
            yield from executed(getattr(line, part, []))
