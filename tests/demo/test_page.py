"""The page: bad input in one line, and the page itself in a real browser."""

import os
import re
import socket
import subprocess
import sys
import time
import types
from pathlib import Path
from unittest import mock
from urllib.parse import urlsplit

import numpy as np
import pytest
from chromium import chromium
from PIL import Image

from keras_alexnet.commands import demo
from keras_alexnet.demo import pictures, server
from keras_alexnet.demo.explorer import Explorer

SCRIPT = Path(__file__).parents[2] / "scripts" / "demo.py"


def leave(arguments):
    with pytest.raises(SystemExit) as left:
        demo.main([str(argument) for argument in arguments])
    return left.value.code


@pytest.fixture
def with_gradio(monkeypatch):
    """As if it was installed: what these tests refuse is refused before it is imported."""
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: object())


# Bad input


def test_without_gradio_one_line_says_what_to_install(monkeypatch, capsys):
    monkeypatch.setattr(demo.importlib.util, "find_spec", lambda name: None)
    assert leave(["runs/a"]) == 2
    told = capsys.readouterr().err
    assert told == "demo.py: The page needs Gradio: pip install 'keras-alexnet[demo]'. Received: no gradio\n"


def test_a_run_without_a_network_is_one_line(with_gradio, small_run, capsys):
    small_run.best.unlink()
    assert leave([small_run.folder, "--port", free_port()]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("demo.py: Expected a run with best.keras, which is written after the first epoch, or ")


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def test_a_port_in_use_is_one_line(with_gradio, small_run, capsys):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        assert leave([small_run.folder, "--port", port]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith(
        "demo.py: Expected a free port of this machine: give another with --port or --host. Received"
    )
    assert f"127.0.0.1:{port}, " in line


@pytest.mark.parametrize("arguments", [["--port", "99999"], ["--host", "192.0.2.1"]])
def test_an_impossible_address_is_one_line(with_gradio, small_run, capsys, arguments):
    assert leave([small_run.folder, *arguments]) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1


@pytest.fixture(scope="module")
def explorer(_small_run):
    return Explorer.open(_small_run.folder)


def test_the_answer_is_the_mean_over_the_crops():
    crops = np.zeros((10, 4, 4, 3))
    probabilities = np.random.default_rng(0).dirichlet([1, 1], 10)
    network = types.SimpleNamespace(averaged_crops=lambda picture: crops, probabilities=lambda crops: probabilities)
    assert Explorer.answer(network, None) == pytest.approx(probabilities.mean(0))


def test_the_page_is_for_this_machine_only(monkeypatch, tmp_path):
    """Gradio would otherwise open a tunnel to a public address."""
    launched = mock.Mock(return_value=(None, "http://127.0.0.1:1", None))
    made = mock.Mock(return_value=types.SimpleNamespace(blocks=types.SimpleNamespace(launch=launched)))
    monkeypatch.setattr(server, "Page", made)
    monkeypatch.setattr(server.examples, "write", lambda folder: [])
    monkeypatch.setitem(sys.modules, "gradio", mock.MagicMock())
    with mock.patch.dict(os.environ):
        server.serve([], "127.0.0.1", free_port(), tmp_path)
    given = launched.call_args.kwargs
    assert (given["share"], given["server_name"], given["enable_monitoring"]) == (False, "127.0.0.1", False)


def test_text_and_giant_pictures_are_refused_in_one_line(explorer, tmp_path):
    (tmp_path / "text.jpg").write_text("no picture")
    Image.new("1", (20_000, 10_000)).save(tmp_path / "huge.png")
    with pytest.raises(ValueError, match=r"^Expected a picture\. Received: text\.jpg: cannot identify.*$"):
        pictures.load(tmp_path / "text.jpg", [explorer])
    with pytest.raises(ValueError, match=r"^Expected a picture\. Received: huge\.png: more than 100 megapixels"):
        pictures.load(tmp_path / "huge.png", [explorer])


def test_a_picture_is_kept_in_the_sizes_that_are_needed(explorer, tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (76, 76, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    picture = pictures.load(tmp_path / "a.png", [explorer])
    assert picture["scene"].shape == (512, 512, 3)
    np.testing.assert_array_equal(picture["resized"][76], pixels)


@pytest.mark.parametrize(("size", "shape"), [((300, 200), (512, 768, 3)), ((20, 400), (2048, 512, 3))])
def test_crops_reach_the_whole_of_a_picture_that_is_not_too_long(explorer, tmp_path, size, shape):
    """Its left and upper halves are red. Pictures longer than four times their shorter side lose their ends."""
    width, height = size
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[: height // 2, : width // 2, 0] = 200
    Image.fromarray(pixels).save(tmp_path / "long.jpg", quality=100)
    scene = pictures.load(tmp_path / "long.jpg", [explorer])["scene"]
    assert scene.shape == shape
    corners = [explorer.cut(scene, 0.2, left, top)[..., 0].mean() for top in (0, 1) for left in (0, 1)]
    assert corners == pytest.approx([200, 0, 0, 0], abs=8)


def test_crops_of_a_picture_of_16_bits_are_not_white(explorer, tmp_path):
    Image.fromarray(np.linspace(0, 60_000, 300 * 260).reshape(260, 300).astype(np.uint16)).save(tmp_path / "16.png")
    picture = pictures.load(tmp_path / "16.png", [explorer])
    assert picture["scene"].mean() == pytest.approx(picture["resized"][76].mean(), abs=1)


def test_the_crop_in_the_middle_is_the_central_crop(explorer, tmp_path):
    smooth = np.kron(np.random.default_rng(0).integers(0, 256, (4, 6, 3), np.uint8), np.ones((76, 76, 1), np.uint8))
    Image.fromarray(smooth).save(tmp_path / "wide.png")
    picture = pictures.load(tmp_path / "wide.png", [explorer])
    crop = explorer.cut(picture["scene"], explorer.crop_size / explorer.resize_size, 0.5, 0.5)
    central = explorer.central_crop(picture["resized"][explorer.resize_size])
    assert np.abs(crop.astype(float) - central).mean() < 8


def test_a_drawing_lies_on_white_paper():
    drawing = np.zeros((2, 2, 4), np.uint8)
    drawing[0, 0] = (200, 10, 20, 255)
    paper = pictures.on_white(drawing)
    assert paper[0, 0].tolist() == [200, 10, 20]
    assert (paper[1] == 255).all()


# In a browser


@pytest.fixture(scope="module")
def served(_small_run, tmp_path_factory):
    """Address of a page with one network, served by a process of its own."""
    pytest.importorskip("gradio", reason="the page needs pip install 'keras-alexnet[demo]'")
    port, log = free_port(), tmp_path_factory.mktemp("served") / "log.txt"
    command = [sys.executable, SCRIPT, str(_small_run.folder), "--port", str(port)]
    with log.open("w") as output, subprocess.Popen(command, stdout=output, stderr=output, env=os.environ) as process:
        while "Ctrl-C" not in log.read_text() and process.poll() is None:
            time.sleep(0.5)
        if process.poll() is not None:
            pytest.fail(log.read_text())
        yield f"http://127.0.0.1:{port}/"
        process.terminate()
        assert process.wait(30) == 143


@pytest.fixture(scope="module")
def browser():
    with chromium() as browser:
        yield browser


@pytest.fixture
def tab(served, browser):
    page = browser.new_page()
    visit(page, served)
    yield page
    page.close()


def visit(page, address):
    page.set_default_timeout(120_000)
    page.goto(address)
    page.locator("input[type=file]").first.wait_for(state="attached")


def upload(page, file):
    page.locator("input[type=file]").first.set_input_files(str(file))


def classes(page):
    """The classes of the first answer, once there is one."""
    bars = page.locator(".confidence-set")
    bars.first.wait_for()
    return bars.all_inner_texts()


@pytest.mark.slow
def test_an_upload_is_answered_and_nothing_leaves_the_machine(served, browser, tmp_path):
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (90, 120, 3), np.uint8)).save(tmp_path / "a.png")
    page, hosts = browser.new_page(), set()
    page.on("request", lambda request: hosts.add(urlsplit(request.url).netloc))
    visit(page, served)
    upload(page, tmp_path / "a.png")
    assert {text.split("\n")[0] for text in classes(page)} >= {"daisy", "tulip"}
    page.get_by_role("tab", name="Switched off").click()
    page.get_by_text("neither response normalization").wait_for()
    page.get_by_role("tab", name="Where it looks").click()
    page.locator('img[alt^="Class maps"]').wait_for()
    before = page.locator(".confidence-set").all_inner_texts()
    slider = page.get_by_role("slider").first
    slider.focus()
    for _ in range(30):
        page.keyboard.press("ArrowLeft")
    page.wait_for_function(
        "before => [...document.querySelectorAll('.confidence-set')].map(e => e.innerText).join() !== before",
        arg=",".join(before),
    )
    assert page.eval_on_selector_all("img", "images => images.filter(image => !image.alt).length") == 0
    page.close()
    assert {host for host in hosts if host not in ("", urlsplit(served).netloc)} == set()


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["text", "huge"])
def test_a_bad_file_is_one_line_and_the_page_goes_on(tab, tmp_path, kind):
    if kind == "text":
        (tmp_path / "text.jpg").write_text("no picture")
    else:
        Image.new("1", (20_000, 10_000)).save(tmp_path / "huge.png")
    upload(tab, next(tmp_path.iterdir()))
    alert = tab.get_by_role("alert").filter(has_text=f"Expected a picture. Received: {kind}")
    alert.wait_for()
    assert "\n" not in alert.inner_text().strip()
    tab.get_by_role("button", name="Clear").or_(tab.get_by_role("button", name="Remove")).first.click()
    Image.new("RGB", (80, 80), "red").save(tmp_path / "good.png")
    upload(tab, tmp_path / "good.png")
    assert classes(tab)


@pytest.mark.slow
def test_a_picture_with_alpha_is_answered(tab, tmp_path):
    Image.new("RGBA", (80, 90), (200, 30, 60, 120)).save(tmp_path / "alpha.png")
    upload(tab, tmp_path / "alpha.png")
    assert classes(tab)


@pytest.mark.slow
def test_a_drawing_is_answered(tab):
    tab.get_by_role("tab", name="Drawing").click()
    ask = tab.get_by_role("button", name="Classify the drawing")
    ask.click()
    tab.get_by_text("Draw something first.").wait_for()
    tab.get_by_role("button", name="Brush Size").wait_for()  # is there once the brush is in hand
    box = tab.locator("canvas").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    tab.mouse.move(x - 40, y - 40)
    tab.mouse.down()
    tab.mouse.move(x + 40, y + 40, steps=8)
    tab.mouse.up()
    tab.wait_for_timeout(500)  # the canvas keeps a stroke a moment after it ends
    ask.click()
    assert classes(tab)
    tab.get_by_text("This is the answer for the drawing.").wait_for()


@pytest.mark.slow
def test_the_crop_follows_numbers_that_are_typed_and_the_reset(tab, tmp_path):
    def crop_after(action):
        before = crop.get_attribute("src")
        action()
        tab.wait_for_function("([crop, before]) => crop.src !== before", arg=[crop.element_handle(), before])
        return crop.get_attribute("src")

    noise = np.random.default_rng(0).integers(0, 256, (90, 90, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "noise.png")
    upload(tab, tmp_path / "noise.png")
    crop = tab.locator('img[alt^="The crop that "]')
    crop.wait_for()
    size = tab.get_by_role("spinbutton").first
    first = crop.get_attribute("src")
    smallest = crop_after(lambda: size.fill("5"))  # as when the first digit of 50 is typed
    assert crop_after(lambda: size.press_sequentially("0")) not in (first, smallest)
    crop_after(lambda: size.fill(""))
    crop_after(lambda: size.fill("50"))
    reset = tab.get_by_role("button", name="Reset").first
    crop_after(reset.click)
    tab.wait_for_timeout(500)
    assert crop.get_attribute("src") == first
    assert tab.get_by_role("alert").filter(has_text=re.compile("minimum|Error")).count() == 0


@pytest.mark.slow
def test_two_people_at_once_see_their_own_answers(served, browser, tmp_path):
    pages = [browser.new_context().new_page() for _ in range(2)]
    for color, page in zip(("black", "white"), pages, strict=True):
        Image.new("RGB", (80, 80), color).save(tmp_path / f"{color}.png")
        visit(page, served)
    for color, page in zip(("black", "white"), pages, strict=True):
        upload(page, tmp_path / f"{color}.png")
    crops = []
    for page in pages:
        assert classes(page)
        crop = page.locator('img[alt^="The crop that "]')
        crop.wait_for()
        crops.append(crop.get_attribute("src"))
    assert crops[0] != crops[1]
    for page in pages:
        page.context.close()


@pytest.mark.slow
@pytest.mark.parametrize("width", [1280, 400])
def test_fits_the_window(served, browser, width):
    page = browser.new_page(viewport={"width": width, "height": 800})
    visit(page, served)
    page.get_by_role("heading", name=re.compile("AlexNet")).wait_for()
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.close()


def test_the_sliders_are_size_left_and_top():
    from keras_alexnet.demo import page

    each = mock.Mock()
    each.cut.return_value, each.probabilities.return_value = np.zeros((4, 4, 3), np.uint8), np.ones((1, 2)) / 2
    page.Page.answer_crop(types.SimpleNamespace(explorers=(each,)), {"scene": None}, 50, 10, 90)
    assert each.cut.call_args.args == (None, 0.5, 0.1, 0.9)
