import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from PIL import Image

from keras_alexnet.commands import predict

SCRIPTS = Path(__file__).parents[2] / "scripts"


@pytest.fixture
def picture(tmp_path):
    file = tmp_path / "daisy" / "one.png"
    file.parent.mkdir()
    Image.new("RGB", (90, 80), (200, 30, 60)).save(file)
    return file


def leave(arguments):
    with pytest.raises(SystemExit) as left:
        predict.main([str(argument) for argument in arguments])
    return left.value.code


def test_table_and_panel(small_run, picture, tmp_path, capsys):
    assert leave([small_run.folder, picture, "--figure", tmp_path / "panel.png"]) == 0
    header, _, line, _, summary = capsys.readouterr().out.splitlines()
    assert header.split() == ["picture", "class", "probability"]
    assert line.split()[-1] in ("right", "wrong")
    assert summary.startswith("1 picture; top-1 accuracy ")
    assert "top-5" not in summary  # of three classes
    with Image.open(tmp_path / "panel.png") as panel:
        assert panel.info["Title"] == "Predictions"


def test_ten_views_are_averaged_if_nothing_else_is_asked_for():
    assert predict.build_parser().parse_args(["runs/a", "a.jpg"]).views == 10


def test_names_of_a_file(small_run, picture, tmp_path, capsys):
    (tmp_path / "names.txt").write_text("Bellis\nRosa\nTulipa\n")
    assert leave([small_run.folder, picture, "--top", "3", "--class-names", tmp_path / "names.txt"]) == 0
    told = capsys.readouterr().out
    assert all(name in told for name in ("Bellis", "Rosa", "Tulipa"))
    assert "1 picture; top-1 accuracy" in told  # its folder has the name that the network knows


def test_more_classes_on_demand(small_run, picture, capsys):
    assert leave([small_run.folder, picture, "--top", 2, "--views", 1]) == 0
    table = capsys.readouterr().out.partition("\n\n")[0].splitlines()
    assert len(table) == 2 + 2


def test_the_summary_counts_unreadable_pictures(small_run, picture, tmp_path, capsys):
    unsorted = tmp_path / "unsorted"
    unsorted.mkdir()
    picture.rename(unsorted / "one.png")
    (unsorted / "two.jpg").write_text("no picture")
    assert leave([small_run.folder, unsorted, "--views", 1]) == 2
    assert capsys.readouterr().out.splitlines()[-1] == "2 pictures, 1 of them unreadable"


def test_a_users_log_level_is_kept():
    command = "import os; from keras_alexnet.commands import predict; print(os.environ['TF_CPP_MIN_LOG_LEVEL'])"
    for level, expected in (("0", "0"), (None, "2")):
        environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
        environment |= {"TF_CPP_MIN_LOG_LEVEL": level} if level else {}
        environment["PYTHONPATH"] = str(SCRIPTS.parent)
        done = subprocess.run([sys.executable, "-c", command], env=environment, capture_output=True, text=True)
        assert done.stdout == f"{expected}\n", done.stderr


def test_names_do_not_control_the_terminal(small_run, picture, capsys):
    picture.rename(picture.with_name("good\x1b[2J.png"))
    picture.with_name("bad\x1b]0;mine\x07.jpg").write_text("no picture")
    assert leave([small_run.folder, picture.parent, "--views", 1]) == 2
    output = capsys.readouterr()
    assert "\x1b" not in output.out + output.err
    assert r"good\x1b[2J.png" in output.out
    assert r"bad\x1b]0;mine\x07.jpg" in output.err


def test_json(small_run, picture, capsys):
    (picture.parent / "bad.jpg").write_text("no picture")
    assert leave([small_run.best, picture.parent, "--json", "--views", 1]) == 2
    output = capsys.readouterr()
    bad, good = json.loads(output.out)
    assert bad["picture"].endswith("bad.jpg")
    assert "cannot identify" in bad["problem"]
    assert good["label"] == "daisy"
    assert sum(row["probability"] for row in good["predictions"]) == pytest.approx(1)
    assert [row["class"] for row in good["predictions"] if row["right"]] == ["daisy"]
    assert output.err.splitlines()[-1].startswith("predict.py: Expected a picture. Received: ")


def test_a_network_with_code_is_one_line(picture, tmp_path, capsys):
    image = keras.Input((67, 67, 3))
    classes = keras.layers.Dense(3)(keras.layers.Flatten()(keras.layers.Lambda(lambda x: x / 255)(image)))
    keras.Model(image, classes).save(tmp_path / "stranger.keras")
    assert leave([tmp_path / "stranger.keras", picture]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "without custom code. Received: " in line


def test_a_second_network_is_not_a_folder_of_pictures(small_run, picture, capsys):
    for words, hint in {
        (small_run.folder, small_run.folder, picture): "evaluate.py accepts several runs",
        (small_run.folder, picture, small_run.best): "evaluate.py accepts several runs",
        ("--weights", "caffe", small_run.folder, picture): "--weights is used instead of a run",
    }.items():
        assert leave(words) == 2
        (line,) = capsys.readouterr().err.splitlines()
        assert f"Expected a picture or a folder of pictures ({hint}). Received: " in line
        assert line.endswith(", a network")


def test_a_picture_is_not_a_network(small_run, picture, capsys):
    assert leave([picture, picture]) == 2
    assert capsys.readouterr().err == f"predict.py: Expected a .keras file. Received: {picture}\n"


def test_an_architecture_needs_weights(small_run, picture, capsys):
    assert leave([small_run.folder, picture, "--architecture", "caffe"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith("--architecture needs --weights. Received: --architecture caffe alone")


def test_a_misspelt_architecture_is_one_line(picture, tmp_path, capsys):
    np.savez(tmp_path / "weights.npz", **{"conv1/kernel": np.zeros((11, 11, 3, 96), np.float32)})
    assert leave(["--weights", tmp_path / "weights.npz", "--architecture", "papper", picture]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "Did you mean paper" in line


def test_a_network_that_diverged_has_no_answer(small_run, picture, capsys):
    model = keras.models.load_model(small_run.best)
    layer = model.get_layer("fc8")
    layer.set_weights([array * np.nan for array in layer.get_weights()])
    model.save(small_run.best)
    assert leave([small_run.folder, picture, "--json"]) == 2
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.endswith("Expected a network whose outputs are numbers: its training diverged. Received: NaN\n")


def imported_by(arguments):
    """Run the script, and return what it printed and the large packages that it imported."""
    code = (
        f"import atexit, os, sys; sys.path.insert(0, {str(SCRIPTS)!r}); import _command\n"
        "large = {'keras', 'tensorflow', 'torch', 'jax', 'matplotlib', 'pandas', 'sklearn', 'scipy', 'tqdm'}\n"
        "atexit.register(lambda: print('imported', *sorted(large & set(sys.modules))))\n"
        "_command.run('predict')"
    )
    command = [sys.executable, "-c", code, *map(str, arguments)]
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS.parent)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    printed, _, names = done.stdout.rpartition("imported")
    return done.returncode, printed, set(names.split())


@pytest.mark.parametrize("options", [[], ["--top", "2", "--views", "1"], ["--json"]])
def test_a_few_pictures_are_classified_without_tensorflow(small_run, picture, options, capsys):
    Image.open(picture).save(picture.with_suffix(".jpg"))
    arguments = [small_run.folder, picture.parent, *options]
    status, printed, imported = imported_by(arguments)
    assert (status, imported) == (0, set())
    assert leave(arguments) == 0
    assert printed == capsys.readouterr().out


def test_a_figure_needs_matplotlib_only(small_run, picture, tmp_path):
    status, _, imported = imported_by([small_run.folder, picture, "--figure", tmp_path / "panel.png"])
    assert (status, imported & {"keras", "tensorflow", "pandas", "scipy"}) == (0, set())
    with Image.open(tmp_path / "panel.png") as panel:
        assert panel.info["Title"] == "Predictions"


def test_both_ways_print_the_same(small_run, picture, capsys, monkeypatch):
    Image.open(picture).save(picture.with_suffix(".jpg"))
    printed = {}
    for most in (0, 1000):
        monkeypatch.setattr("keras_alexnet.evaluation.predict_in_numpy.MOST_CROPS", most)
        for options in ((), ("--json",)):
            assert leave([small_run.folder, picture.parent, *options]) == 0
            printed[most, options] = capsys.readouterr().out
    assert printed[0, ()] == printed[1000, ()]
    by_tensorflow, in_numpy = (json.loads(printed[most, ("--json",)]) for most in (0, 1000))
    for one, other in zip(by_tensorflow, in_numpy, strict=True):
        for expected, row in zip(one.pop("predictions"), other.pop("predictions"), strict=True):
            assert row == expected | {"probability": pytest.approx(expected["probability"], abs=1e-4)}
        assert one == other


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["nowhere", "{picture}"], r"Expected a .keras file"),
        (["{folder}", "{picture}"], r"A run folder must contain"),
        (["{run}"], r"a network, then pictures or folders of pictures"),
        (["--weights", "imagenet", "--architecture", "paper", "{picture}"], r"Received: weights='imagenet'"),
        (["{run}", "{picture}", "--top", "0"], r"Expected --top of 1 or more. Received: 0"),
        (["{run}", "nothing.jpg"], r"nothing.jpg, which does not exist"),
        (["{run}", "{picture}", "--figure", "panel.bmp"], r"a path that ends in .png or .jpg. Received: panel.bmp"),
    ],
)
def test_wrong_input_is_one_line(small_run, picture, capsys, wrong, message):
    names = {"run": small_run.folder, "picture": picture, "folder": picture.parent}
    assert leave([word.format(**names) for word in wrong]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("predict.py: ")
    assert message in line


@pytest.mark.parametrize("most_crops", [0, 1000])  # with TensorFlow, and in NumPy
def test_one_view_is_the_central_crop(small_run, picture, most_crops, capsys, monkeypatch):
    monkeypatch.setattr("keras_alexnet.evaluation.predict_in_numpy.MOST_CROPS", most_crops)
    pixels = np.random.default_rng(0).integers(0, 256, (76, 76, 3), np.uint8)
    Image.fromarray(pixels).save(picture)
    with pytest.raises(SystemExit):
        predict.main([str(small_run.folder), str(picture), "--views", "1", "--json"])
    ((entry,),) = (json.loads(capsys.readouterr().out),)
    center = pixels[4:71, 4:71].astype(np.float32) - 128  # the mean of the run
    expected = keras.models.load_model(small_run.best, compile=False).predict_on_batch(center[None])[0]
    received = {row["class"]: row["probability"] for row in entry["predictions"]}
    assert [received[name] for name in small_run.read_classes()] == pytest.approx(expected.tolist(), abs=1e-5)
