"""Every page of the site does what it shows; the Korean tour is the English one in other words."""

from __future__ import annotations

import re
import runpy
from pathlib import Path

import pytest

import fnet

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = runpy.run_path(str(DOCS / "pages.py"))
RUN = sorted(
    page.relative_to(DOCS).as_posix()
    for page in DOCS.rglob("*.md")
    if PAGES["blocks"](page) and page.parent.name not in ("ko", "reference")
)
NEEDS = {
    "tour/tensorboard.md": "tensorboardX",
    "tour/generalisation.md": "matplotlib",
    "tour/ctc.md": "matplotlib",
    "how_to/tune.md": "sklearn",
}
PLAIN = ("tour/losses.md", "how_to/own_loss.md")  # quick ones, which show in the plain run that the pages are alive
TOUR = sorted(path.name for path in (DOCS / "tour").glob("*.md"))


@pytest.mark.parametrize("page", [pytest.param(name, marks=() if name in PLAIN else pytest.mark.slow) for name in RUN])
def test_a_page_does_what_it_shows(page, tmp_path, monkeypatch):
    if page in NEEDS:
        pytest.importorskip(NEEDS[page])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    shown = PAGES["pictures"](DOCS / page)
    if shown:
        PAGES["draw_alike"]()
    fnet.keras.backend.clear_session()
    PAGES["run"](DOCS / page, lambda: "cuda" in fnet.devices())
    assert {f"pictures/{path.name}" for path in (tmp_path / "pictures").iterdir()} == shown
    assert all((DOCS / name).is_file() for name in shown), f"run python docs/pages.py docs/{page}"


def test_the_plain_pages_are_there():
    assert set(PLAIN) | set(NEEDS) <= set(RUN)


def test_both_tours_have_the_same_pages():
    assert sorted(path.name for path in (DOCS / "ko").glob("*.md")) == TOUR


@pytest.mark.parametrize("name", TOUR)
def test_the_korean_page_has_the_code_of_the_english_one(name):
    english, korean = DOCS / "tour" / name, DOCS / "ko" / name
    codes = [[(block.code, block.shown) for block in PAGES["blocks"](page)] for page in (english, korean)]
    assert codes[0] == codes[1]
    assert PAGES["pictures"](english) == PAGES["pictures"](korean)
    assert len(re.findall("[가-힣]", korean.read_text(encoding="utf-8"))) > 100


def test_a_page_that_shows_something_else_is_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("# A page\n\n```python\nx = 1\nprint(x + 1)\n```\n\n```text\n3\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md, line 3: printed\n2\n, the page shows\n3"):
        PAGES["run"](page, lambda: False)
    page.write_text("```python\nraise KeyError\n```\n\n<!-- needs a card -->\n```python\nraise ValueError\n```\n")
    with pytest.raises(KeyError):
        PAGES["run"](page, lambda: False)
    page.write_text(page.read_text().replace("raise KeyError", "pass"))
    PAGES["run"](page, lambda: False)
    with pytest.raises(ValueError):
        PAGES["run"](page, lambda: True)
