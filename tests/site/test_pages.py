"""Every page of the site does what it shows; the Korean tour is the English one in other words."""

from __future__ import annotations

import importlib
import re
import runpy
from importlib.util import find_spec
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
    "tour/look.md": "sklearn",
    "how_to/tune.md": "sklearn",
}
PLAIN = ("tour/losses.md",)  # a quick one, which shows in the plain run that the pages are alive
COMMANDS = re.findall(
    r"`python -m (pytest [^`]*)`", (DOCS / "explanation" / "guarantees.md").read_text(encoding="utf-8")
)
TOUR = sorted(path.name for path in (DOCS / "tour").glob("*.md"))


@pytest.mark.parametrize("page", [pytest.param(name, marks=() if name in PLAIN else pytest.mark.slow) for name in RUN])
def test_a_page_does_what_it_shows(page, tmp_path, monkeypatch):
    if page in NEEDS:
        pytest.importorskip(NEEDS[page])
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pictures").mkdir()
    monkeypatch.setenv("MPLBACKEND", "agg")
    shown = PAGES["pictures"](DOCS / page)
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


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")))
def test_names_of_fnet_on_a_page_are_there(page):
    text = (DOCS / page).read_text(encoding="utf-8")
    names = set(re.findall(r"\bfnet((?:\.[A-Za-z_]\w*)+)(?![\w/])", text)) - {".cuda", ".py"}
    lost = []
    for name in names:
        thing, module = fnet, "fnet"
        for part in name[1:].split("."):
            module += f".{part}"
            thing = getattr(thing, part, None) or (find_spec(module) and importlib.import_module(module))
        if thing is None:
            lost.append(name)
    assert lost == []


@pytest.mark.parametrize("command", COMMANDS)
def test_a_guarantee_names_tests_that_exist(command):
    paths = [ROOT / word for word in command.split() if word.startswith("tests")]
    assert paths and all(path.exists() for path in paths)
    if chosen := re.search(r"-k \"?([\w ]+)", command):
        texts = [path.read_text(encoding="utf-8") for path in paths]
        for word in chosen[1].split(" or "):
            assert any(re.search(rf"def test_\w*{word}", text) for text in texts), word


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
