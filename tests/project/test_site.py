"""The site: builds without a warning, its links lead somewhere, and it fits a phone."""

import os
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
PHONE = 390  # pixels wide

pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """What a page links to, which anchors it has, and which of its pictures are without words."""

    def __init__(self, path):
        super().__init__()
        self.links, self.anchors, self.silent = [], set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attrs):
        attributes = dict(attrs)
        self.links += [attributes[key] for key in ("href", "src") if attributes.get(key)]
        self.anchors |= {attributes[key] for key in ("id", "name") if attributes.get(key)}
        if tag == "img" and not attributes.get("alt"):
            self.silent.append(attributes.get("src"))


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    pytest.importorskip("sphinx_book_theme")
    pytest.importorskip("myst_nb")
    folder = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet", "docs", str(folder)]
    done = subprocess.run(command, cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder


@pytest.fixture(scope="module")
def pages(site):
    return {path: Page(path) for path in sorted(site.rglob("*.html")) if "_static" not in path.parts}


def test_has_every_chapter(site):
    chapters = {path.stem for path in (ROOT / "tutorials").glob("*.ipynb")}
    assert {path.stem for path in (site / "tutorials").glob("*.html")} == chapters


def test_internal_links_lead_somewhere(site, pages):
    dead = []
    for path, page in pages.items():
        for link in page.links:
            target = urlsplit(link)
            if target.scheme or target.netloc or re.match(r"#$", link):
                continue
            to = (path.parent / unquote(target.path)).resolve() if target.path else path
            to = to / "index.html" if to.is_dir() else to
            anchored = not target.fragment or to not in pages or target.fragment in pages[to].anchors
            if not to.exists() or not anchored:
                dead.append(f"{path.relative_to(site)}: {link}")
    assert dead == []


def test_pictures_have_words(pages):
    assert [source for page in pages.values() for source in page.silent] == []


@pytest.fixture(scope="module")
def on_a_phone(pages):
    """By page: how wide it is, what it asks of the net, and how high each formula stands."""
    playwright = pytest.importorskip("playwright.sync_api")
    if not CHROMIUM:
        pytest.skip("no chromium on this machine")
    seen = {}
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page, asked = browser.new_page(viewport={"width": PHONE, "height": 800}), []
        page.route(re.compile("^https?://"), lambda route: (asked.append(route.request.url), route.abort()))
        for path in pages:
            page.goto(path.as_uri())
            width = page.evaluate("document.documentElement.scrollWidth")
            page.evaluate("document.querySelectorAll('details').forEach(answers => answers.open = true)")
            heights = page.evaluate("[...document.querySelectorAll('math')].map(formula => formula.clientHeight)")
            seen[path.name] = width, list(asked), heights
            asked.clear()
        browser.close()
    return seen


def test_fits_a_phone(on_a_phone):
    assert {name: width for name, (width, _, _) in on_a_phone.items() if width > PHONE} == {}


def test_asks_nothing_of_the_net(on_a_phone):
    assert {name: asked for name, (_, asked, _) in on_a_phone.items() if asked} == {}


def test_formulas_can_be_seen(on_a_phone):
    assert sum(len(heights) for _, _, heights in on_a_phone.values()) > 40
    assert {name: heights for name, (_, _, heights) in on_a_phone.items() if heights and min(heights) < 5} == {}
