"""What a user's type checker, editor and `help` see of the public constructors."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pydoc
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import fnet
from fnet.losses.define import DefinedLoss
from fnet.losses.rule import LossRule
from tests.public_types import keras_layers

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
RIGHT = sorted(HERE.glob("right_*.py"))
PACKAGES = ["layers", "losses", "metrics", "optimizers", "schedules", "initializers", "regularizers", "constraints"]
Found = set[tuple[str, int, str]]


def checked(*files: Path, cache: Path) -> Found:
    """The errors that ``mypy --strict`` finds in files of a user: file, line, code."""
    options = ["--strict", "--config-file=", "--follow-imports=silent", "--no-pretty", f"--cache-dir={cache}"]
    command = [sys.executable, "-m", "mypy", *options, *map(str, files)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.returncode in (0, 1), done.stdout + done.stderr
    lines = re.findall(r"^(.+?):(\d+): error: .*\[([\w-]+)\]$", done.stdout, re.MULTILINE)
    return {(Path(file).name, int(line), code) for file, line, code in lines}


def expected(file: Path) -> Found:
    lines = file.read_text(encoding="utf-8").splitlines()
    marked = [(number, re.search(r"# E: ([\w-]+)$", line)) for number, line in enumerate(lines, 1)]
    return {(file.name, number, mark[1]) for number, mark in marked if mark}


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("mypy") is None, reason="mypy is in the extra 'lint'")
def test_mypy_refuses_wrong_calls_and_takes_right_ones(tmp_path: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    tour = tmp_path / "tour.py"
    tour.write_text("".join(re.findall(r"^```python\n(.*?)^```", readme, re.MULTILINE | re.DOTALL)), encoding="utf-8")
    wrong = HERE / "wrong_calls.py"
    assert len(expected(wrong)) > 60
    found = checked(wrong, *RIGHT, tour, cache=tmp_path)
    assert {error for error in found if error[2] != "no-untyped-def"} == expected(wrong)
    assert {file for file, _, code in found if code == "no-untyped-def"} == {"tour.py"}  # which has no annotations


def test_the_list_of_the_layers_of_keras_is_that_of_the_constructors() -> None:
    written = keras_layers.STUB.read_text(encoding="utf-8")
    assert written == keras_layers.stub(), "run python -m tests.public_types.keras_layers"


def constructors() -> Iterator[Any]:
    """Each once, under the first of its names."""
    seen: set[int] = set()
    for package in PACKAGES:
        module = importlib.import_module(f"fnet.{package}")
        names = getattr(module, "__all__", None) or [name for name in vars(module) if not name.startswith("_")]
        for name in names:
            made = getattr(module, name)
            constructed = isinstance(made, DefinedLoss) or (inspect.isfunction(made) and hasattr(made, "__wrapped__"))
            if constructed and id(made) not in seen:
                seen.add(id(made))
                yield pytest.param(made, id=f"{package}.{name}")


@pytest.mark.parametrize("make", list(constructors()))
def test_signature_and_help_show_every_argument_with_its_type(make: Callable[..., Any]) -> None:
    parameters = inspect.signature(make).parameters.values()
    kinds = {p.kind for p in parameters}
    assert inspect.Parameter.VAR_KEYWORD not in kinds
    assert inspect.Parameter.VAR_POSITIONAL not in kinds or make.__name__ == "chain"
    assert all(p.annotation is not p.empty for p in parameters)
    assert "__signature__" not in vars(make) and make.__doc__
    if inspect.isfunction(make):
        shown = pydoc.plain(pydoc.render_doc(make)).splitlines()[2]
        assert shown.startswith(f"{make.__name__}(") and all(p.name in shown for p in parameters)


def test_layers_losses_and_rules_list_what_all_of_their_kind_take() -> None:
    for name in fnet.layers.__all__:
        made = getattr(fnet.layers, name)
        if name[0].isupper() and hasattr(made, "__wrapped__"):
            assert list(inspect.signature(made).parameters)[-2:] == ["trainable", "name"]
    for loss in set(fnet.losses.LOSSES.values()):
        rule: LossRule = loss.rule
        names = list(inspect.signature(loss).parameters)
        assert names == ["y_true", "y_pred", "sample_weight", "reduction", *rule.options]
        options = inspect.signature(getattr(fnet.losses, rule.constructor)).parameters
        assert list(options) == [*rule.options, "reduction", "name"]
        assert {k: options[k].default for k in rule.options} == {k: loss.config[k] for k in rule.options}
    common = ["clipnorm", "clipvalue", "global_clipnorm", "use_ema", "ema_momentum", "ema_overwrite_frequency"]
    for make in fnet.optimizers.OPTIMIZERS.values():
        names = list(inspect.signature(make).parameters)
        assert names[-7:] == [*common, "gradient_accumulation_steps"] and "weight_decay" in names


def test_right_calls_have_every_constructor() -> None:
    """Under one of its names."""
    text = "".join(file.read_text(encoding="utf-8") for file in RIGHT)
    called = {tuple(call.split(".")) for call in re.findall(r"\b(\w+\.\w+)\(", text)} | {("layers", "Dense")}
    for package in PACKAGES:
        module = importlib.import_module(f"fnet.{package}")
        made = {id(getattr(module, name)) for of, name in called if of == package}
        wanted = {row.id: id(row.values[0]) for row in constructors() if row.id.startswith(f"{package}.")}
        assert [name for name, one in wanted.items() if one not in made] in ([], ["regularizers.reported_penalties"])
