"""How Sphinx builds the site: ``python -m sphinx -b html -W --keep-going -n docs build/site``."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "docs")]

from docstrings import restructured  # noqa: E402

import fnet  # noqa: E402

project, copyright, release = "fnet", "the authors of fnet, Apache-2.0", fnet.__version__
extensions = ["myst_parser", "sphinx.ext.autodoc"]
html_theme, html_title = "furo", f"fnet {release}"
html_static_path, html_css_files = ["style"], ["wide.css"]
html_show_sourcelink = False
html_copy_source = False
myst_heading_anchors = 3
autodoc_typehints = "none"

PUBLIC = {name for name in fnet.__all__ if not hasattr(getattr(fnet, name), "__path__")}


def to_restructured_text(app: Sphinx, kind: str, name: str, thing: Any, options: Any, lines: list[str]) -> None:
    """Docstrings are written for people and editors; Sphinx wants its own marks."""
    lines[:] = restructured(lines, PUBLIC)


def without_the_words_of_others(app: Sphinx, kind: str, name: str, thing: Any, skip: bool, options: Any) -> bool | None:
    """What scikit-learn adds to an estimator has docstrings that link into its own site."""
    return True if name.startswith("set_") and name.endswith("_request") else None


def language_of_page(app: Sphinx, page: str, template: str, context: dict[str, Any], tree: Any) -> None:
    """Browsers break lines and choose letters by the language that a page names."""
    context["language"] = "ko" if page.startswith("ko/") else "en"


class FoldersOfTheSources(SphinxPostTransform):
    """A link to a folder of the tree is its label: the site has the files that its pages link to, and no folders."""

    default_priority = 8  # before MyST looks for a page of that name

    def run(self, **options: Any) -> None:
        page = Path(self.env.doc2path(self.env.docname)).parent
        for link in list(self.document.findall(pending_xref)):
            folder = (page / link["reftarget"]).resolve()
            if link["reftype"] == "myst" and folder.is_dir() and folder.is_relative_to(ROOT):
                link.replace_self(link.children)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_post_transform(FoldersOfTheSources)
    app.connect("html-page-context", language_of_page)
    app.connect("autodoc-process-docstring", to_restructured_text)
    app.connect("autodoc-skip-member", without_the_words_of_others)
