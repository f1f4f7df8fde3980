"""Rules of the project that no linter checks."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from pathlib import Path

import pytest

import fnet

ROOT = Path(__file__).parents[1]
SOURCES = sorted((ROOT / "fnet").rglob("*.py"))
TEXTS = [
    p for folder in ("fnet", "tests", "examples", "bench", ".ci") for p in (ROOT / folder).rglob("*") if p.is_file()
]
TEXTS = [p for p in [*TEXTS, *ROOT.glob("*.md"), *ROOT.glob("*.toml")] if p.suffix in (".py", ".md", ".toml", "")]
MAX_LINES = 400
# Loaded when they are first needed, if at all: importing fnet stays cheap.
LATE = (
    *("numba", "llvmlite", "h5py", "tqdm", "safetensors", "matplotlib", "sklearn"),
    *("hypothesis", "pytest", "torch", "jax", "keras"),
)
# A home, a checkout or an environment on somebody's machine; or the address of a machine or a private registry.
MACHINE = re.compile(
    r"""(?<![\w.])/(?:home|root|work|opt|Users|mnt)/\w|file:///|\b[A-Z]:\\\\|localhost|\b10\.\d+\.\d+\.\d+"""
)


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_the_tree_is_found():
    assert len(SOURCES) > 20
    assert len(TEXTS) > len(SOURCES)


@pytest.mark.parametrize("path", SOURCES, ids=relative)
def test_a_module_says_what_it_is_and_stays_small(path):
    text = path.read_text(encoding="utf-8")
    assert ast.get_docstring(ast.parse(text)), "no module docstring"
    assert text.count("\n") <= MAX_LINES, "more than one idea? split it"


def test_paths_say_what_is_inside():
    vague = {"utils", "util", "helpers", "helper", "misc", "common"}
    found = [relative(p) for p in SOURCES if {p.stem, *p.relative_to(ROOT).parts} & vague]
    assert found == ["fnet/keras/utils.py"]  # the name that its users import it by


def test_files_that_begin_first_are_there(request):
    conftest = request.config.pluginmanager.get_plugin(str(ROOT / "tests" / "conftest.py"))
    assert [name for name in conftest.LONGEST if not (ROOT / "tests" / name).is_file()] == []


def test_every_folder_of_modules_is_a_package():
    assert [relative(p) for p in SOURCES if not (p.parent / "__init__.py").is_file()] == []


def test_import_is_light():
    code = f"from fnet import *; import sys; print([name for name in {LATE!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"


def public_names() -> list[str]:
    return sorted(name for name in dir(fnet) if not name.startswith("_"))


@pytest.mark.parametrize("name", public_names())
def test_a_public_name_is_documented(name):
    value = getattr(fnet, name)
    assert getattr(value, "__doc__", None), f"fnet.{name} has no docstring"


def test_version_is_of_three_numbers():
    assert re.fullmatch(r"\d+\.\d+\.\d+", fnet.__version__)


@pytest.mark.parametrize("path", TEXTS, ids=relative)
def test_no_path_or_address_of_a_machine(path):
    if path == Path(__file__):
        return
    found = MACHINE.search(path.read_text(encoding="utf-8"))
    assert found is None, f"{found[0]!r} is about somebody's machine"


FAULTS = re.findall(r"^\| ([A-Z]\d+) \|.* \| ([^|]*) \|$", (ROOT / "docs" / "faults.md").read_text(), re.MULTILINE)


@pytest.mark.parametrize(("fault", "tests"), FAULTS, ids=[fault for fault, _ in FAULTS])
def test_every_fault_found_by_use_names_tests_that_exist(fault, tests):
    named = re.findall(r"`([\w/]+\.py)`((?:,? \w+\b(?!`))*)", tests)
    assert named
    for file, functions in named:
        text = (ROOT / "tests" / file).read_text()
        for function in re.findall(r"\w+", functions):
            assert re.search(rf"(?:def |class |\"){function}\b", text), f"{file} has no {function}"


def test_a_class_has_a_name_of_its_own():
    """But for devices and kernels, where those of one device mirror those of the other, and for the words of Keras."""
    places: dict[str, list[str]] = {}
    for path in SOURCES:
        if path.relative_to(ROOT / "fnet").parts[0] in ("devices", "kernels"):
            continue
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
                places.setdefault(node.name, []).append(relative(path))
    words = {
        "Callback",
        "History",
        "Layer",
        "Loss",
        "Metric",
        "Model",
        "ModelCheckpoint",
        "Optimizer",
        "Variable",
        "Sequential",
        "InputLayer",
    }
    places = {name: [p for p in paths if name not in words or "fnet/keras/" not in p] for name, paths in places.items()}
    assert {name: paths for name, paths in places.items() if len(paths) > 1} == {}
