import html.parser
import re
import shutil

import numpy as np
import pytest

from keras_alexnet.data import datasets, pipeline
from keras_alexnet.evaluation import evaluate
from keras_alexnet.evaluation.classifier import Classifier
from keras_alexnet.reporting import report, run_figures
from keras_alexnet.runs import Run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.fixture(scope="module")
def judged(_small_run, tmp_path_factory):
    """A run that was judged, with its figures and its report."""
    run = Run(shutil.copytree(_small_run.folder, tmp_path_factory.mktemp("judged") / "small-1"))
    data = datasets.load(run.read_options().dataset)
    (evaluation,) = evaluate.evaluate_runs([run], data, "test")
    run_figures.draw(run, evaluation)
    report.write(run)
    return run, evaluation


class Page(html.parser.HTMLParser):
    """What a page consists of: elements with their attributes, and the text outside of style."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text = [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, dict(attributes)))

    def handle_data(self, data):
        self.text += data

    def attributes(self, tag):
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture
def page(judged):
    return Page((judged[0].folder / "report.html").read_text(encoding="utf-8"))


def test_figures_of_the_run_are_there(judged):
    names = {path.name for path in judged[0].figures.iterdir()}
    assert {"curves.png", "kernels.png", "test-confusion.png", "test-neighbors.jpg"} <= names
    assert names & {"test-right.jpg", "test-wrong.jpg"}


def test_class_names_are_escaped(page):
    assert "<b>rose & co" in page.text  # as the reader sees it
    assert not page.attributes("b")


def test_every_figure_is_inside_and_described(page, judged):
    images = page.attributes("img")
    assert len(images) == len(list(judged[0].figures.iterdir()))
    assert all(image["src"].startswith("data:image/webp;base64,") for image in images)
    assert all(len(image["alt"]) > 20 for image in images)


def test_nothing_is_fetched(page):
    addresses = [
        value for _, attributes in page.elements for name, value in attributes.items() if name in ("src", "href")
    ]
    assert [address for address in addresses if not address.startswith("data:")] == []
    assert not page.attributes("script")


def test_page_says_what_was_measured(page, judged):
    numbers = judged[0].read_json("evaluation-test.json")
    assert f"{100 * numbers['10_views']['top1_error']:.1f} %" in page.text
    assert "37.5 %" in page.text  # the paper's
    assert judged[0].read_json("recipe.json")["command"] in page.text


def test_a_run_that_was_not_judged_has_a_report(small_run):
    page = Page(report.write(small_run).read_text(encoding="utf-8"))
    assert "python scripts/fit.py" in page.text
    assert not page.attributes("img")


def test_an_ensemble_has_a_row(judged, small_run):
    numbers = judged[0].read_json("evaluation-test.json")
    small_run.write_json("evaluation-test.json", numbers)
    together = numbers["10_views"] | {"top1_error": 0.123}
    small_run.write_json("ensemble-test.json", numbers | {"runs": ["small-1", "small-2"], "10_views": together})
    first, _, others = Page(report.write(small_run).read_text(encoding="utf-8")).text.partition("Results")
    assert "2 together" in others
    assert "12.3 %" in others
    assert "12.3 %" not in first


def test_confusions_count_every_picture(judged):
    counts = run_figures.confusions(judged[1])
    assert counts.shape == (3, 3)
    assert counts.sum(axis=1).tolist() == [4, 4, 4]
    right = (judged[1].best.argmax(axis=1) == judged[1].labels).sum()
    assert np.trace(counts) == right


def test_wrong_pictures_are_the_most_confident(judged):
    evaluation = judged[1]
    places = run_figures.wrong_places(evaluation)
    confidence = evaluation.best[places].max(axis=1)
    assert (np.diff(confidence) <= 0).all()
    assert (evaluation.best[places].argmax(axis=1) != evaluation.labels[places]).all()


def test_right_pictures_are_of_different_classes(judged):
    labels = judged[1].labels[run_figures.right_places(judged[1])]
    assert len(set(labels.tolist())) == len(labels)


def test_pictures_are_found_by_their_places(judged):
    squares = judged[1].pictures
    every = [square for square, _ in squares.as_numpy_iterator()]
    found = run_figures.pictures_at(squares, [[7, 2], [7, 0]])
    assert found.keys() == {0, 2, 7}
    for place, square in found.items():
        np.testing.assert_array_equal(square, every[place])


@pytest.mark.parametrize("split", ["train", "test"])
def test_a_picture_is_not_its_own_neighbor(judged, monkeypatch, split):
    run, evaluation = judged
    shown = []
    monkeypatch.setattr(run_figures.panels, "neighbors", lambda queries, found, *_: shown.append((queries, found)))
    data = evaluation.data
    asked = [square for square, _ in pipeline.resize_pictures(data.splits[split], 76).take(3).as_numpy_iterator()]
    run_figures._neighbors(Classifier.of_run(run), data, asked, np.zeros(3, int))
    ((queries, found),) = shown
    assert [len(row) for row in found] == [run_figures.NEIGHBORS] * 3
    assert not any((query == near).all() for query, row in zip(queries, found, strict=True) for near in row)


def contrast(one, other):
    """Of two CSS colors, 1 to 21, by the formula of WCAG 2; 4.5 is the least for text."""
    lights = []
    for color in (one, other):
        levels = np.array([int(level) for level in re.findall(r"\d+", color)[:3]]) / 255
        linear = np.where(levels <= 0.04045, levels / 12.92, ((levels + 0.055) / 1.055) ** 2.4)
        lights.append(linear @ [0.2126, 0.7152, 0.0722] + 0.05)
    return max(lights) / min(lights)


@pytest.mark.slow
@pytest.mark.skipif(not CHROMIUM, reason="no chromium on this machine")
@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_in_a_browser(judged, width, scheme):
    playwright = pytest.importorskip("playwright.sync_api")
    said, asked = [], []
    with playwright.sync_playwright() as browsers:
        browser = browsers.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("request", lambda request: asked.append(request.url))
        page.goto((judged[0].folder / "report.html").as_uri())
        loaded = page.eval_on_selector_all(
            "img", "images => images.map(image => image.naturalWidth > 0 && !!image.alt)"
        )
        overflow = page.evaluate("document.documentElement.scrollWidth") - width
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        colors = page.eval_on_selector_all(
            "main *, header *", "all => all.filter(e => e.innerText?.trim()).map(e => getComputedStyle(e).color)"
        )
        browser.close()
    assert said == []
    assert [address for address in asked if not address.startswith(("data:", "file:"))] == []
    assert len([address for address in asked if address.startswith("file:")]) == 1
    assert loaded
    assert all(loaded)
    assert overflow <= 0
    assert (background == "rgb(255, 255, 255)") == (scheme == "light")
    assert len(set(colors)) > 1
    assert min(contrast(color, background) for color in set(colors)) >= 4.5
