"""The page that runs a network in the browser: left out where its files are missing; answers as Python does."""

import functools
import http.server
import importlib.util
import json
import os
import shutil
import subprocess
import sys
import threading
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np
import pytest
from chromium import chromium
from PIL import Image

from keras_alexnet.data.drawings import petals

ROOT = Path(__file__).parents[2]


def test_without_npm_one_line_says_so(tmp_path):
    environment = os.environ | {"PATH": str(tmp_path)}
    command = [sys.executable, ROOT / "scripts" / "build_browser.py", "--out", tmp_path / "browser"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "The site is built without the page that runs a network in the browser. Received: no npm\n"
    assert list((tmp_path / "browser").iterdir()) == []


def test_without_its_files_no_page_names_it():
    spec = importlib.util.spec_from_file_location("browser", ROOT / "docs" / "_ext" / "browser.py")
    extension = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(extension)
    others = [path for path in sorted((ROOT / "docs").glob("*.md")) if path.stem != extension.PAGE]
    naming = [path for path in others if extension.PAGE in path.read_text("utf-8")]
    assert [path.name for path in naming] == ["demo.md", "index.md"]
    for path in naming:
        before = path.read_text("utf-8")
        after = extension.without_page(before)
        assert extension.PAGE not in after
        assert len(before.split("\n")) - len(after.split("\n")) == 1


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A site with the page, and the folder of its files."""
    for package in ("sphinx_book_theme", "myst_nb", "playwright"):  # before minutes of training
        pytest.importorskip(package)
    if not shutil.which("npm"):
        pytest.skip("no npm on this machine")
    files, folder = tmp_path_factory.mktemp("browser"), tmp_path_factory.mktemp("site")
    script = [sys.executable, ROOT / "scripts" / "build_browser.py", "--out", files]
    done = subprocess.run(script, cwd=ROOT, env=os.environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    if not (files / "petals.onnx").exists():
        pytest.skip(done.stdout)  # npm has no connection
    sphinx = [sys.executable, "-m", "sphinx", "--fail-on-warning", "--keep-going", "--quiet"]
    done = subprocess.run([*sphinx, "-D", f"browser_files={files}", "docs", folder], cwd=ROOT, capture_output=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return folder, files


@pytest.fixture(scope="module")
def address(site):
    handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=site[0])
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/in_the_browser.html"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


def answer(page):
    """The classes on the page with their probabilities, the first one first."""
    rows = page.locator("#classifier li")
    rows.first.wait_for()
    return rows.evaluate_all("rows => rows.map(row => [row.dataset.class, Number(row.dataset.probability)])")


@pytest.mark.slow
def test_the_network_is_small_and_good(site):
    facts = json.loads((site[1] / "petals.json").read_text())
    assert (site[1] / "petals.onnx").stat().st_size == facts["bytes"] <= 10_000_000
    assert facts["accuracy"] > 0.9
    assert facts["agreement"] >= 0.99


@pytest.mark.slow
def test_the_page_answers_as_python_does(site, address, browser, tmp_path):
    """A picture of 112 pixels reaches the network without being resized."""
    import onnxruntime

    pixels = petals.draw_one(petals.CLASS_NAMES.index("lily"), seed=5)
    picture = Image.fromarray(pixels).resize((112, 112))
    picture.save(tmp_path / "lily.png")
    session = onnxruntime.InferenceSession(site[1] / "petals.onnx", providers=["CPUExecutionProvider"])
    (probabilities,) = session.run(None, {"image": np.asarray(picture)[None, 6:105, 6:105]})[0]
    best = np.argsort(-probabilities)[:5]

    page, asked, errors = browser.new_page(), set(), []
    page.set_default_timeout(60_000)
    page.on("request", lambda request: asked.add(urlsplit(request.url).netloc))
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(address)
    blank = answer(page)
    page.locator("input[type=file]").set_input_files(tmp_path / "lily.png")
    page.wait_for_function(
        "blank => Number(document.querySelector('#classifier li').dataset.probability) !== blank", arg=blank[0][1]
    )
    received = answer(page)
    page.close()
    assert [name for name, _ in received] == [petals.CLASS_NAMES[n] for n in best]
    np.testing.assert_allclose([share for _, share in received], probabilities[best], atol=1e-4)
    assert errors == []
    assert asked - {"", urlsplit(address).netloc} == set()


@pytest.mark.slow
def test_drawing_examples_and_bad_files(address, browser, tmp_path):
    (tmp_path / "text.png").write_text("no picture")
    page = browser.new_page(viewport={"width": 400, "height": 800})
    page.set_default_timeout(60_000)
    page.goto(address)
    blank = answer(page)
    canvas = page.locator("#classifier canvas")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 160, box["y"] + 160, steps=5)
    page.mouse.up()
    page.wait_for_function(
        "blank => Number(document.querySelector('#classifier li').dataset.probability) !== blank", arg=blank[0][1]
    )
    page.locator("input[type=file]").set_input_files(tmp_path / "text.png")
    page.get_by_text("Received: text.png").wait_for()
    page.get_by_role("button", name="A drawn sunflower").click()
    page.locator('#classifier li[data-class="sunflower"]').first.wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    page.close()
