"""The page of capabilities: ``python -m tests.capabilities.page`` writes docs/capabilities.md from the table."""

from __future__ import annotations

from itertools import count
from pathlib import Path

from tests.capabilities.table import CAPABILITIES

PAGE = Path(__file__).parents[2] / "docs" / "capabilities.md"
HEAD = """# Capabilities

What tutorials of deep learning with Keras teach, and how it is said in functions and in the words of `fnet.keras`.
A row counts as done because the tests beside it pass; they are in [tests](../tests), and a row without a test does not
pass the checks. `keras` stands for `fnet.keras`.
"""


def text() -> str:
    """The text of the page."""
    number, lines = count(1), [HEAD]
    for title, rows in CAPABILITIES.items():
        lines += [f"## {title}", "", "| # | capability | functions | Keras' words | tests |", "|---:|---|---|---|---|"]
        for row in rows:
            tests = "<br>".join(f"`{test}`" for test in row.tests)
            lines.append(f"| {next(number)} | {row.name} | {row.functional} | {row.keras} | {tests} |")
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(text(), encoding="utf-8")
