"""The README is true: its Python blocks run as they stand, its commands are those that the checks run."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(language: str) -> list[str]:
    return [text for found, text in BLOCK.findall(README) if found == language]


def with_line(beginning: str) -> list[str]:
    return [b for b in blocks("bash") if any(line.startswith(beginning) for line in b.splitlines())]


def test_python_blocks_run_in_order(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "readme"}
    assert blocks("python")
    for text in blocks("python"):
        line = README[: README.index(text)].count("\n")
        exec(compile("\n" * line + text, "README.md", "exec"), names)


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
def test_commands_are_those_that_the_checks_run():
    (tests,), (example,) = with_line("pytest"), with_line("python examples/digits.py")
    done = subprocess.run(["bash", ROOT / ".ci" / "run", "--show"], capture_output=True, text=True, check=True)
    assert done.stdout == f"{tests}{example}"


def test_commands_need_nothing_but_python():
    for block in [*with_line("pytest"), *with_line("python examples/digits.py")]:
        assert {line.split()[0] for line in block.splitlines()} <= {"python3", ".", "pip", "python", "pytest"}


def test_named_files_exist():
    named = re.findall(r"\]\((?!http)([\w./-]+)\)", README)
    assert named
    assert [name for name in named if not (ROOT / name).exists()] == []
