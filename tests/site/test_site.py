"""The site is built without a warning, every link in it leads somewhere, and a phone shows every page whole."""

from __future__ import annotations

import functools
import html
import http.server
import json
import re
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote

import pytest

import fnet

ROOT = Path(__file__).parents[2]
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
PHONE, SECONDS = 390, 120

pytest.importorskip("furo")
pytest.importorskip("myst_parser")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """The site, built as the checks build it."""
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "html", "-W", "--keep-going", "-n", "docs", str(folder)]
    done = subprocess.run([*command, "-d", f"{folder}-doctrees"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


def pages_of(site: Path) -> list[str]:
    return sorted(path.relative_to(site).as_posix() for path in site.rglob("*.html"))


def test_every_link_leads_to_a_place(site):
    anchors: dict[Path, set[str]] = {}
    for name in pages_of(site):
        text = (site / name).read_text(encoding="utf-8")
        anchors[(site / name).resolve()] = {html.unescape(found) for found in re.findall(r'\bid="([^"]*)"', text)}
    lost = []
    for page in anchors:
        for link in re.findall(r'(?:href|src)="([^"]*)"', page.read_text(encoding="utf-8")):
            target, _, anchor = unquote(html.unescape(link)).partition("#")
            if re.match(r"[a-z]+:", target):
                continue
            path = (page.parent / target.partition("?")[0]).resolve() if target else page
            if not path.is_file() or (anchor and path in anchors and anchor not in anchors[path]):
                lost.append(f"{page.relative_to(site)}: {link}")
    assert lost == []


def test_the_reference_has_every_public_name(site):
    documented = (site / "genindex.html").read_text(encoding="utf-8")
    links = set(re.findall(r'href="reference/[\w]+\.html#fnet\.([\w.]+)"', documented))
    names = {name for name in fnet.__all__ if not hasattr(getattr(fnet, name), "__file__")}
    rooms = {name for name in fnet.__all__ if hasattr(getattr(fnet, name), "__file__")}
    assert names - links == set()
    pages = {path.stem for path in (ROOT / "docs" / "reference").glob("*.md")}
    assert rooms - pages == set()


def test_every_page_names_its_language(site):
    for name in pages_of(site):
        (language,) = re.findall(r'<html[^>]*\blang="(\w+)"', (site / name).read_text(encoding="utf-8"))
        assert language == ("ko" if name.startswith("ko/") else "en"), name


@pytest.fixture
def address(site) -> Iterator[str]:
    """Where the site is served, on this machine only."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *arguments: object) -> None:
            """A page that was asked for is no news."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(site)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


FRAMES = """<body><iframe style="width:{width}px;height:800px;border:0"></iframe><pre id="found"></pre><script>
const pages = {pages}, frame = document.querySelector("iframe"), found = {{}};
function next() {{
  if (!pages.length) {{ document.getElementById("found").textContent = JSON.stringify(found); return; }}
  const page = pages.pop();
  frame.onload = () => {{
    const body = frame.contentDocument.documentElement;
    found[page] = [body.scrollWidth, body.clientWidth]; next();
  }};
  frame.src = page;
}}
next();</script></body>"""


@pytest.mark.skipif(CHROMIUM is None, reason="Chromium is not installed")
def test_no_page_is_wider_than_a_phone(site, address, tmp_path):
    """A page that is, put among them, is found."""
    pages = [name for name in pages_of(site) if name != "search.html"]
    (site / "wide.html").write_text('<body style="margin:0"><div style="width:500px">wide</div></body>')
    pages.append("wide.html")
    (site / "frames.html").write_text(FRAMES.format(width=PHONE, pages=json.dumps(pages)))
    command = [
        CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--hide-scrollbars",
        f"--user-data-dir={tmp_path}", "--virtual-time-budget=60000", "--dump-dom", f"{address}/frames.html",
    ]  # fmt: skip
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=SECONDS)
    for name in ("frames.html", "wide.html"):
        (site / name).unlink()
    (text,) = re.findall(r'<pre id="found">(.*?)</pre>', done.stdout)
    widths = json.loads(html.unescape(text))
    assert set(widths) == set(pages)
    assert all(shown == PHONE for _, shown in widths.values())
    assert {page: width for page, (width, _) in widths.items() if width > PHONE} == {"wide.html": 500}
