"""The site builds without warnings, has working links, and fits a phone and a small laptop."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from chromium import chromium

ROOT = Path(__file__).parents[2]
PHONE, LAPTOP = 400, 1280  # pixels wide

pytestmark = pytest.mark.slow


class Page(HTMLParser):
    """The links and anchors of a page, and its pictures without alternative text."""

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
    chapters = {path.stem for path in (ROOT / "tutorials").glob("*.ipynb")} | {"index"}
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


def test_pictures_have_alternative_text(pages):
    assert [source for page in pages.values() for source in page.silent] == []


def test_returns_have_no_type_of_their_own(site):
    """Napoleon takes text before a colon for a type."""
    assert [path.name for path in site.rglob("*.html") if "Return type" in path.read_text(encoding="utf-8")] == []


def test_tables_that_chapters_print_are_tables(site):
    printed = re.compile(r"<pre>[^<]*\|---")
    assert [path.name for path in (site / "tutorials").glob("*.html") if printed.search(path.read_text())] == []


CODE_IS_CUT = """[...document.querySelectorAll('pre')].filter(
    code => !code.closest('.cell_output') && code.scrollWidth > code.clientWidth + 1).length"""
UNMARKED = """[...document.querySelectorAll('.pst-scrollable-table-container, .cell_output pre')].filter(
    box => box.scrollWidth > box.clientWidth + 1 && !box.classList.contains('scrolls')).length"""
SEARCH_BOXES = """[...document.querySelectorAll('.search-button, .search-button-field')].filter(
    button => button.getClientRects().length).length"""


@pytest.fixture(scope="module")
def seen(pages):
    """By page and window width: the rendered page, and its network requests."""
    found = {}
    with chromium() as browser:
        page, asked = browser.new_page(), []
        page.route(re.compile("^https?://"), lambda route: (asked.append(route.request.url), route.abort()))
        for path in pages:
            for width in (PHONE, LAPTOP):
                page.set_viewport_size({"width": width, "height": 800})
                page.goto(path.as_uri())
                once = {
                    "width": page.evaluate("document.documentElement.scrollWidth"),
                    "code cut off": page.evaluate(CODE_IS_CUT),
                    "tables without a cue": page.evaluate(UNMARKED),
                    "search boxes": page.evaluate(SEARCH_BOXES),
                }
                page.evaluate("document.querySelectorAll('details').forEach(answers => answers.open = true)")
                heights = page.evaluate("[...document.querySelectorAll('math')].map(formula => formula.clientHeight)")
                found[str(path.name), width] = once | {"asked": list(asked), "formulas": heights}
                asked.clear()
    return found


def test_fits_a_phone(seen):
    assert {where: each["width"] for where, each in seen.items() if each["width"] > where[1]} == {}


def test_code_is_never_cut_off(seen):
    assert [where for where, each in seen.items() if each["code cut off"]] == []


def test_wide_elements_have_a_scroll_hint(seen):
    assert [where for where, each in seen.items() if each["tables without a cue"]] == []


def test_has_one_search_box(seen):
    assert {where: each["search boxes"] for where, each in seen.items() if each["search boxes"] != 1} == {}


def test_loads_nothing_from_the_internet(seen):
    assert {where: each["asked"] for where, each in seen.items() if each["asked"]} == {}


def test_formulas_are_rendered(seen):
    heights = {where: each["formulas"] for where, each in seen.items() if each["formulas"]}
    assert sum(len(each) for each in heights.values()) > 40
    assert {where: each for where, each in heights.items() if min(each) < 5} == {}


def test_a_player_plays(site):
    """On the static page, without a notebook server."""
    with chromium() as browser:
        page = browser.new_page()
        page.goto((site / "tutorials" / "3_4_overlapping_pooling.html").as_uri())
        player = page.locator(".player")
        first = player.locator("img").get_attribute("src")
        player.get_by_role("slider").press("ArrowRight")
        assert player.locator("output").inner_text() == "2 of 9"
        assert player.locator("img").get_attribute("src") != first
        player.get_by_role("button").click()
        page.wait_for_function("document.querySelector('.player output').textContent === '9 of 9'")
