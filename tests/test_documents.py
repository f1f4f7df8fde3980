"""What CONTRIBUTING.md, docs/architecture.md and its pictures name is there."""

from __future__ import annotations

import ast
import html
import re
import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
RECIPES = [f"Add a{what}" for what in (" layer", " loss", " metric", "n optimizer", " kernel with its operation")]
SCREEN = 30
TARGET = r"\((?!http)([^)]+)\)"
LINK = r"\[[^\]]+\]" + TARGET


def section(title: str) -> str:
    return CONTRIBUTING.split(f"## {title}\n", 1)[1].split("\n## ", 1)[0]


def defined(path: Path) -> set[str]:
    """The names that a file defines: functions and classes anywhere, and what it assigns."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        match node:
            case ast.FunctionDef(name=name) | ast.ClassDef(name=name) | ast.Name(id=name, ctx=ast.Store()):
                names.add(name)
    return names


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_links_lead_to_files(document):
    path = ROOT / document
    linked = re.findall(LINK, path.read_text(encoding="utf-8"))
    assert len(linked) > 20
    assert [link for link in linked if not (path.parent / link).exists()] == []
    labelled = re.findall(rf"\[([\w\\./]+)\]{TARGET}", path.read_text(encoding="utf-8"))
    shown = [(label.replace("\\", ""), link.removeprefix("../")) for label, link in labelled]
    assert [label for label, link in shown if "/" in label and label != link] == []


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_names_in_files_are_defined_there(document):
    path = ROOT / document
    named = re.findall(rf"((?:`\w+`(?: and )?)+) (?:in|of) {LINK}", path.read_text(encoding="utf-8"))
    assert named
    for names, link in named:
        if link.endswith(".py"):
            assert set(re.findall(r"\w+", names)) - {"and"} <= defined(path.parent / link), link


@pytest.mark.parametrize("title", RECIPES)
def test_a_recipe_is_one_screen_with_a_file_to_copy_and_tests_to_run(title):
    text = section(title)
    assert text.count("\n") <= SCREEN
    assert re.search(rf"(?i)\bcopy [^\n]*{LINK}", text)
    commands = re.findall(r"^python -m pytest -q (.*)$", text, re.MULTILINE)
    assert commands
    for command in commands:
        paths = [word for word in command.split(" -k ")[0].split() if word.startswith("tests")]
        assert paths and all((ROOT / path).exists() for path in paths)


@pytest.mark.parametrize("title", RECIPES)
def test_a_row_looks_like_those_of_the_table(title):
    """Rows in the text are calls of what the rows of the table are calls of."""
    tables = [ROOT / link for link in re.findall(LINK, section(title)) if re.search(r"tables?\.py$", link)]
    rows = re.findall(r"`((?:Row|LossCase|_case|Rule)\(.*\))`", section(title))
    if title == RECIPES[-1]:
        assert tables
        return
    (row,), (table,) = rows, tables
    call = ast.parse(row, mode="eval").body
    assert isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
    known = {name for name in re.findall(r"\b(\w+)\b", row) if name in defined(table)}
    assert call.func.id in known and f"    {call.func.id}(" in table.read_text(encoding="utf-8")


def test_the_page_of_numpys_functions_lists_those_of_today():
    page = runpy.run_path(str(ROOT / "docs" / "numpy_page.py"))
    assert page["PAGE"].read_text(encoding="utf-8") == page["text"](), "run python docs/numpy_page.py"


def drawn_rooms(picture: str) -> list[str]:
    return re.findall(r'font-weight="bold">(\w+)<', picture)


def test_the_picture_of_the_rooms_has_every_room_in_the_order_of_imports():
    drawn = drawn_rooms((ROOT / "docs" / "rooms.svg").read_text(encoding="utf-8"))
    assert drawn == drawn_rooms(runpy.run_path(str(ROOT / "docs" / "draw.py"))["rooms"]()), "run python docs/draw.py"
    rooms = {path.stem for path in (ROOT / "fnet").iterdir() if path.suffix in ("", ".py")}
    assert set(drawn) == rooms - {"__init__", "__pycache__"}


@pytest.mark.slow
def test_the_picture_of_the_rooms_says_what_they_say():
    draw = runpy.run_path(str(ROOT / "docs" / "draw.py"))
    assert (ROOT / "docs" / "rooms.svg").read_text(encoding="utf-8") == draw["rooms"](), "run python docs/draw.py"


def test_the_picture_of_the_way_names_files_and_functions_of_today():
    text = html.unescape((ROOT / "docs" / "dense.svg").read_text(encoding="utf-8"))
    assert not re.search(r"(?<![\w.])/(?:home|root|tmp|usr|work)\b", text)
    room, count = "", 0
    for line in re.findall(r"<text [^>]*>([^<]*)</text>", text):
        if line.endswith("/"):
            room = line
        elif found := re.fullmatch(r"([\w/]+\.py): ([\w.]+)", line):
            file, name = found.groups()
            paths = [path for path in (ROOT / "fnet" / room / file, ROOT / "fnet" / file) if path.is_file()]
            assert paths, f"{room}{file} is gone: run python docs/draw.py"
            assert set(name.split(".")) <= defined(paths[0]), f"{room}{file} has no {name}: run python docs/draw.py"
            count += 1
    assert count > 50
