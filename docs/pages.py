"""Runs what the pages show: ``python docs/pages.py docs/tour/losses.md ...`` writes the pictures of these pages.

The Python blocks of a page run in one namespace, one after the other. A text block behind one is what it prints, with
``...`` for what may differ. A block behind the comment ``needs a card`` runs where there is one.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import os
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).parent
BLOCK = re.compile(
    r"^(?P<needs><!-- needs a card -->\n\n?)?```python\n(?P<code>.*?)^```$(?:\n\n```text\n(?P<shown>.*?)^```$)?",
    re.MULTILINE | re.DOTALL,
)
PICTURE = re.compile(r"!\[[^\]]*\]\((?:\.\./)?(pictures/[\w.]+)\)")


@dataclass(frozen=True)
class Block:
    """A Python block of a page: the number of the line before its code, and what it prints where the page says so."""

    line: int
    code: str
    shown: str | None
    needs_a_card: bool


def blocks(page: Path) -> list[Block]:
    """The Python blocks of a page."""
    text = page.read_text(encoding="utf-8")
    return [
        Block(text.count("\n", 0, found.start("code")), found["code"], found["shown"], found["needs"] is not None)
        for found in BLOCK.finditer(text)
    ]


def pictures(page: Path) -> set[str]:
    """The pictures of a page that pages make."""
    return set(PICTURE.findall(page.read_text(encoding="utf-8")))


def run(page: Path, has_card: Callable[[], bool]) -> None:
    """Run the blocks in the current folder. Raises AssertionError where one prints something else than is shown."""
    names: dict[str, object] = {"__name__": page.stem}
    for block in blocks(page):
        if block.needs_a_card and not has_card():
            continue
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            exec(compile("\n" * block.line + block.code, str(page), "exec"), names)
        shown, flags = block.shown, doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        if shown is not None and not doctest.OutputChecker().check_output(shown, printed.getvalue(), flags):
            raise AssertionError(f"{page}, line {block.line}: printed\n{printed.getvalue()}, the page shows\n{shown}")


def draw_alike() -> None:
    """Let matplotlib write the same file for the same picture."""
    import matplotlib

    matplotlib.use("agg")
    os.environ["SOURCE_DATE_EPOCH"] = "0"
    matplotlib.rcParams.update({"svg.hashsalt": "fnet", "svg.fonttype": "none", "figure.figsize": (6.4, 3.6)})


if __name__ == "__main__":
    import fnet

    given = [Path(name).resolve() for name in sys.argv[1:]]
    os.chdir(HERE)
    draw_alike()
    for path in given:
        run(path, lambda: "cuda" in fnet.devices())
