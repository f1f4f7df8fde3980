"""Every capability of the table has tests that exist, and the page of the site shows the table of today."""

from __future__ import annotations

import ast
import functools
from pathlib import Path

import pytest

from tests.capabilities import page
from tests.capabilities.table import CAPABILITIES, Capability

TESTS = Path(__file__).parents[1]
ROWS = [row for rows in CAPABILITIES.values() for row in rows]
OWED = 136


@functools.cache
def names_in(file: str) -> set[str]:
    """The names of the tests in a file below tests/, its own and those that it imports."""
    path = TESTS / file
    if not path.is_file():
        return set()
    body = ast.parse(path.read_text(encoding="utf-8")).body
    return {node.name for node in body if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")}


def lost(row: Capability) -> list[str]:
    """The tests of a row that do not exist."""
    return [test for test in row.tests if test.partition("::")[2] not in names_in(test.partition("::")[0])]


def test_the_table_has_every_capability_owed():
    assert len(ROWS) == OWED
    assert len({row.name for row in ROWS}) == OWED


def test_a_row_names_tests_that_exist():
    assert [row.name for row in ROWS if not row.tests] == []
    assert {row.name: lost(row) for row in ROWS if lost(row)} == {}


def test_the_page_is_that_of_the_table():
    assert page.PAGE.read_text(encoding="utf-8") == page.text(), "run python -m tests.capabilities.page"


@pytest.mark.parametrize("test", ["keras/test_words.py::test_nothing", "nowhere.py::test_get", "tables.py::inputs"])
def test_a_test_that_is_gone_is_found(test):
    assert lost(Capability("name", "", "", (test,))) == [test]
