"""The chapters: up to date and well-formed."""

import base64
import contextlib
import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest
from chromium import chromium
from PIL import Image

import build_tutorials as script

ROOT = Path(__file__).parents[2]
BUILT = sorted((ROOT / "tutorials").glob("*.ipynb"))


def cells(path, kind):
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


def lines(cell):
    return "".join(cell["source"]).splitlines()


def outputs_of(path, kind):
    """The outputs of a chapter of one kind, such as "image/png"."""
    outputs = [output for cell in cells(path, "code") for output in cell["outputs"]]
    return [output for output in outputs if kind in output.get("data", {})]


def long_cells(path):
    """The first lines of code cells of more than 12 lines, imports not counted."""
    setting_up = re.compile(r"import |from |quiet_terminal|%")
    code = [[line for line in lines(cell) if line.strip()] for cell in cells(path, "code")]
    return [cell[0] for cell in code if sum(not setting_up.match(line) for line in cell) > 12]


def printed(path):
    """What each code cell prints, as lines."""
    outputs = [output for cell in cells(path, "code") for output in cell["outputs"]]
    return ["".join(output["text"]).splitlines() for output in outputs if "text" in output]


def prose(path):
    return "\n\n".join("".join(cell["source"]) for cell in cells(path, "markdown"))


def test_every_chapter_was_built_from_its_current_source():
    assert script.out_of_step() == []


def test_changed_missing_and_orphaned_chapters_are_out_of_date(tmp_path):
    (tmp_path / "source").mkdir()
    for name in ("kept", "changed", "missing"):
        (tmp_path / "source" / f"{name}.py").write_text("# %%\n1 + 1\n")
    of_source = hashlib.sha256(b"# %%\n1 + 1\n").hexdigest()
    for name, kept in (("kept", of_source), ("changed", "another"), ("orphaned", of_source)):
        (tmp_path / f"{name}.ipynb").write_text(json.dumps({"metadata": {"source": kept}}))
    assert script.out_of_step(tmp_path) == ["changed", "missing", "orphaned"]


def test_an_unknown_chapter_is_one_line(capsys):
    with pytest.raises(SystemExit) as stop:
        script.main(["3_9_nothing"])
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("path", BUILT, ids=lambda path: path.stem)
class TestChapter:
    def test_is_small(self, path):
        players = [len("".join(output["data"]["text/html"])) for output in outputs_of(path, "text/html")]
        assert max(players, default=0) <= 200 * 1024
        assert path.stat().st_size - sum(players) <= 300 * 1024
        assert len(cells(path, "code")) <= 25

    def test_code_is_not_cut_off_on_the_page(self, path):
        code = [lines(cell) for cell in cells(path, "code")]
        assert [line for cell in code for line in cell if len(line) > 80] == []
        assert long_cells(path) == []

    def test_what_is_printed_is_seen_without_scrolling(self, path):
        assert max(map(len, printed(path)), default=0) <= 28
        assert [line for output in printed(path) for line in output if len(line) > 85] == []

    def test_headings_are_prose_and_not_comments_in_code(self, path):
        code = [line for cell in cells(path, "code") for line in lines(cell)]
        assert [line for line in code if re.match(r"# ?#|# %%", line)] == []
        assert [line for line in code if line.strip() == "#"] == []  # an empty line of prose

    def test_has_the_form(self, path):
        text = prose(path)
        for part in (
            "# ",
            "| in the paper |",
            "**The paper says:**",
            "**Predict first.**",
            "## What you predicted",
            "## Exercises",
            "<details>",
        ):
            assert part in text
        assert any("assert " in "".join(cell["source"]) for cell in cells(path, "code"))

    def test_answers_every_prediction(self, path):
        text = prose(path)
        asked = text.split("**Predict first.**")[1].split("\n\n")[0]
        answers = text.split("## What you predicted")[1].split("##")[0]
        assert re.findall(r"\((\d)\)", asked) == re.findall(r"^(\d)\.", answers, re.MULTILINE) == ["1", "2", "3"]

    def test_asks_to_write_code_twice_and_to_train_once_and_answers_everything(self, path):
        asked, answers = prose(path).split("## Exercises")[1].split("<details>")
        assert asked.count("Write code:") == 2
        assert asked.count("Train something:") == 1
        numbers = [re.findall(r"^(\d)\.", part, re.MULTILINE) for part in (asked, answers)]
        assert numbers[0] == numbers[1] == [str(n + 1) for n in range(len(numbers[0]))]

    def test_holds_nothing_that_differs_between_two_builds(self, path):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        assert [cell["id"] for cell in notebook["cells"]] == [f"cell-{n + 1}" for n in range(len(notebook["cells"]))]
        assert all(cell["execution_count"] is None for cell in cells(path, "code"))
        assert "execution" not in {key for cell in notebook["cells"] for key in cell["metadata"]}
        assert "widget-view" not in path.read_text(encoding="utf-8")  # replaced by the picture that it moves

    def test_outputs_no_errors_and_no_warnings(self, path):
        outputs = [output for cell in cells(path, "code") for output in cell["outputs"]]
        assert {output["output_type"] for output in outputs} <= {"stream", "execute_result", "display_data"}
        assert {output.get("name", "stdout") for output in outputs} == {"stdout"}
        assert [output for output in outputs if "WARNING" in "".join(output.get("text", []))] == []

    def test_every_picture_has_an_alternative_text(self, path):
        outputs = [output for cell in cells(path, "code") for output in cell["outputs"] if "data" in output]
        shown = [(kind, output["metadata"]) for output in outputs for kind in output["data"] if "image/" in kind]
        assert shown
        assert all(len(metadata[kind]["alt"]) > 20 for kind, metadata in shown)

    def test_drawings_have_two_pixels_for_each_of_the_page(self, path):
        for output in outputs_of(path, "image/png"):
            drawn = Image.open(io.BytesIO(base64.b64decode(output["data"]["image/png"])))
            assert abs(drawn.width - 2 * output["metadata"]["image/png"]["width"]) <= 2

    def test_a_slider_is_replaced_by_its_picture(self, path):
        sliders = [cell for cell in cells(path, "code") if "@interact" in "".join(cell["source"])]
        assert all(kind.startswith("image/") for cell in sliders for kind in cell["outputs"][0]["data"])

    def test_relative_links_lead_to_files(self, path):
        targets = re.findall(r"\]\(([^)#]+)\)", prose(path))
        assert [target for target in targets if "://" not in target and not (path.parent / target).exists()] == []

    def test_links_to_the_paper_the_code_and_its_claims(self, path):
        assert "](https://proceedings.neurips.cc/paper_files/paper/2012/" in prose(path)
        assert "](https://github.com/computerhistory/AlexNet-Source-Code)" in prose(path)
        headings = re.findall(r"^#+ (\d.*)$", (ROOT / "docs" / "paper_ledger.md").read_text("utf-8"), re.MULTILINE)
        slugs = {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}
        (anchor,) = re.findall(r"\]\(\.\./docs/paper_ledger\.md(?:#([^)]*))?\)", prose(path))
        assert anchor in slugs or path.stem.startswith("8_0")

    def test_is_in_the_tables_of_chapters(self, path):
        for page in ("tutorials/README.md", "README.md"):
            assert path.stem in (ROOT / page).read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_network_that_a_chapter_writes_in_pytorch_is_the_librarys():
    torch = pytest.importorskip("torch")
    import keras
    import numpy as np

    from keras_alexnet import build

    text = prose(ROOT / "tutorials" / "3_5_overall_architecture.ipynb")
    (block,) = re.findall(r"```python\n(nn\.Sequential\(.*?)```", text, re.DOTALL)
    module = eval(block, {"nn": torch.nn}).eval()
    assert sum(each.numel() for each in module.parameters()) == 60_965_224
    model = build("paper", classifier_activation=None)
    learned = [layer.get_weights() for layer in model.layers if layer.weights]
    with torch.no_grad():
        for layer, (kernel, bias) in zip([each for each in module if hasattr(each, "weight")], learned, strict=True):
            if kernel.ndim == 4:
                kernel = kernel.transpose(3, 2, 0, 1)  # (kernels, channels, height, width)
            elif len(kernel) == 9216:  # channel by channel, where Keras has place by place
                kernel = kernel.reshape(6, 6, 256, 4096).transpose(2, 0, 1, 3).reshape(9216, 4096).T
            else:
                kernel = kernel.T
            layer.weight.copy_(torch.tensor(np.ascontiguousarray(kernel)))
            layer.bias.copy_(torch.tensor(bias))
        picture = np.random.default_rng(0).normal(0, 60, (1, 227, 227, 3)).astype(np.float32)
        theirs = module(torch.tensor(picture.transpose(0, 3, 1, 2))).numpy()
    ours = keras.ops.convert_to_numpy(model(picture))
    assert np.abs(ours - theirs).max() < 1e-3 * np.ptp(ours)


# Solutions


SOLUTIONS = sorted(script.SOLUTIONS.glob("*.ipynb"))


def test_every_solution_was_built_from_its_current_source():
    assert script.out_of_step(script.SOLUTIONS) == []


@pytest.mark.parametrize("path", BUILT, ids=lambda path: path.stem)
def test_a_chapter_links_to_its_solutions(path):
    linked = re.findall(r"\]\(solutions/(\w+)\.ipynb\)", prose(path).split("## Exercises")[1])
    assert linked == [f"{path.stem[:3]}_solutions"]
    assert f"{linked[0]}.ipynb" in [each.name for each in SOLUTIONS]


@pytest.mark.parametrize("path", SOLUTIONS, ids=lambda path: path.stem)
class TestSolution:
    def test_solves_what_the_chapter_asks_to_write_and_to_train(self, path):
        (chapter,) = re.findall(r"The exercises of \[chapter [\d.]+\]\(\.\./(\w+)\.ipynb\)", prose(path))
        assert chapter[:3] == path.stem[:3]
        asked = prose(ROOT / "tutorials" / f"{chapter}.ipynb").split("## Exercises")[1].split("<details>")[0]
        exercises = re.split(r"^(\d)\.", asked, flags=re.MULTILINE)[1:]
        pairs = zip(exercises[::2], exercises[1::2], strict=True)
        practical = [number for number, text in pairs if "Write code:" in text or "Train something:" in text]
        assert re.findall(r"^## Exercise (\d)$", prose(path), re.MULTILINE) == practical

    def test_checks_itself_and_is_not_cut_off(self, path):
        code = [lines(cell) for cell in cells(path, "code")]
        assert any(line.startswith("assert ") for cell in code for line in cell)
        assert [line for cell in code for line in cell if len(line) > 80] == []
        assert long_cells(path) == []

    def test_what_is_printed_is_seen_without_scrolling(self, path):
        assert max(map(len, printed(path))) <= 28
        assert [line for output in printed(path) for line in output if len(line) > 85] == []

    def test_outputs_no_errors_and_no_warnings(self, path):
        outputs = [output for cell in cells(path, "code") for output in cell["outputs"]]
        assert outputs
        assert {output["output_type"] for output in outputs} == {"stream"}
        assert {output["name"] for output in outputs} == {"stdout"}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(script.sources(script.SOLUTIONS)))
def test_a_solution_runs(name):
    pytest.importorskip("jupytext")
    script.build(script.sources(script.SOLUTIONS)[name])  # raises where a cell fails


# In JupyterLab


@pytest.fixture
def lab(tmp_path):
    """The address of a private JupyterLab, and its folder of chapters."""
    pytest.importorskip("jupyterlab")
    shutil.copytree(ROOT / "results", tmp_path / "results")
    (tmp_path / "tutorials").mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    flags = ("--no-browser", f"--port={port}", "--IdentityProvider.token=", "--LabApp.expose_app_in_browser=True")
    environment = os.environ | {"HOME": str(tmp_path), "JUPYTER_PREFER_ENV_PATH": "1"}
    command = [sys.executable, "-m", "jupyterlab", *flags, "--ServerApp.root_dir=" + str(tmp_path / "tutorials")]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    with open(tmp_path / "lab.log", "w") as log:
        server = subprocess.Popen(command, stdout=log, stderr=log, env=environment)
        try:
            _wait_for(f"http://127.0.0.1:{port}/api", server)
            yield f"http://127.0.0.1:{port}/lab/tree", tmp_path / "tutorials"
        finally:
            server.terminate()
            server.wait(60)


def _wait_for(address, server, seconds=120):
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.poll() is None:
        try:
            return urllib.request.urlopen(address, timeout=5)
        except OSError:
            time.sleep(0.5)
    raise TimeoutError(f"no answer from {address}")


@contextlib.contextmanager
def run_all(lab, name, until=None):
    """Open a notebook without its outputs, up to a cell that contains `until`, and run it. Yield its page and path."""
    address, folder = lab
    notebook = json.loads((ROOT / "tutorials" / f"{name}.ipynb").read_text(encoding="utf-8"))
    for cell in notebook["cells"]:
        cell |= {"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {}
    if until:
        last = next(n for n, cell in enumerate(notebook["cells"]) if until in "".join(cell["source"]))
        del notebook["cells"][last + 1 :]
    path = folder / f"{name}.ipynb"
    path.parent.mkdir(exist_ok=True)
    path.write_text(json.dumps(notebook), encoding="utf-8")
    with chromium() as browser:
        page = browser.new_page(viewport={"width": 1280, "height": 1000})
        page.goto(f"{address}/{path.relative_to(folder)}")
        page.get_by_role("heading", level=1).first.wait_for(timeout=120_000)
        page.get_by_text("(ipykernel) | Idle").wait_for(timeout=120_000)  # widgets that come earlier are not shown
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        yield page, path


def wait_until_all_ran(page, path, seconds=480):
    """Save the notebook until it says that every cell ran, or that one failed. Return its code cells."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        page.wait_for_timeout(3000)
        page.keyboard.press("Control+s")
        code = cells(path, "code")
        failed = [output for cell in code for output in cell["outputs"] if output["output_type"] == "error"]
        if failed or all(cell["execution_count"] for cell in code):
            break
    assert failed == []
    assert [cell["execution_count"] for cell in code] == list(range(1, len(code) + 1))
    return code


CHAPTERS_IN_LAB = ["1_0_introduction", "2_0_the_dataset", "4_1_data_augmentation", "8_0_the_authors_lab_notebook"]


@pytest.mark.slow
@pytest.mark.parametrize("name", [*CHAPTERS_IN_LAB, "solutions/1_0_solutions"])
def test_runs_in_jupyterlab(lab, name):
    with run_all(lab, name) as (page, path):
        code = wait_until_all_ran(page, path)
        assert page.locator(".jp-RenderedText[data-mime-type*=stderr]").count() == 0
    kinds = {kind for cell in code for output in cell["outputs"] for kind in output.get("data", {})}
    assert kinds & {"image/png", "image/jpeg"} or name.startswith("solutions")


@pytest.mark.slow
def test_a_player_plays_in_jupyterlab(lab):
    with run_all(lab, "3_4_overlapping_pooling") as (page, path):
        wait_until_all_ran(page, path)
        player = page.locator("[data-player]")
        player.scroll_into_view_if_needed()
        before = player.locator("img").get_attribute("src")
        player.get_by_role("slider").press("ArrowRight")
        assert player.locator("output").inner_text() == "2 of 9"
        assert player.locator("img").get_attribute("src") != before


@pytest.mark.slow
def test_a_slider_moves_its_picture_in_jupyterlab(lab):
    with run_all(lab, "3_3_local_response_normalization", until="@interact") as (page, _):
        picture = page.locator(".jupyter-widgets img")
        picture.wait_for(timeout=300_000)
        before = picture.get_attribute("src")
        page.get_by_role("slider").first.press("ArrowRight")
        moved = f"document.querySelector('.jupyter-widgets img')?.src !== {json.dumps(before)}"
        page.wait_for_function(moved, timeout=60_000)
        assert page.locator(".widget-readout").first.inner_text() == "420"


@pytest.mark.slow
def test_two_builds_of_a_chapter_with_a_slider_are_the_same():
    jupytext = pytest.importorskip("jupytext")
    source = script.sources()["3_3_local_response_normalization"]
    first, second = (jupytext.writes(script.build(source), fmt="ipynb") for _ in range(2))
    assert first == second


@pytest.mark.slow
def test_a_build_has_one_thread_so_that_it_does_not_depend_on_the_number_of_cores(tmp_path, monkeypatch):
    pytest.importorskip("jupytext")
    monkeypatch.setenv("TF_NUM_INTRAOP_THREADS", "2")
    (tmp_path / "source").mkdir()
    source = tmp_path / "source" / "threads.py"
    code = "import os\nprint(os.environ['TF_NUM_INTRAOP_THREADS'])\n"
    source.write_text(f"# %%\n0\n\n# %%\n{code}")
    assert "".join(script.build(source).cells[-1].outputs[-1]["text"]).splitlines()[-1] == "1"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["3_4_overlapping_pooling", "8_0_the_authors_lab_notebook"])
def test_a_chapter_prints_today_what_its_notebook_has(name, tmp_path):
    """The library and the archived runs may have changed since it was built, and the source not."""
    jupytext = pytest.importorskip("jupytext")
    jupytext.write(script.build(script.sources()[name]), tmp_path / "today.ipynb", fmt="ipynb")
    assert printed(tmp_path / "today.ipynb") == printed(ROOT / "tutorials" / f"{name}.ipynb")
