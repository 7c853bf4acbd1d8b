"""docs/own_pictures.md: every command and every line of Python on the page runs, in the order of the page."""

import dataclasses
import importlib
import json
import os
import re
import shlex
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_alexnet
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.weights import names

tf = pytest.importorskip("tensorflow")

PAGE = (Path(__file__).parents[2] / "docs" / "own_pictures.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```(sh|python)\n(.*?)```", PAGE, re.DOTALL)
QUICK = ("--epochs", "1", "--steps-per-epoch", "1", "--batch-size", "4")
SPECIES = ("daisy", "rose", "tulip")


@pytest.fixture
def in_a_folder_with_pictures(tmp_path, monkeypatch):
    """Pictures of three colors, also as a zip file and a CSV file, and some new ones."""
    random, rows = np.random.default_rng(0), ["image_id,label"]
    for name, color in zip(SPECIES, np.eye(3), strict=True):
        (tmp_path / "my_pictures" / name).mkdir(parents=True)
        for n in range(12):
            pixels = 60 * random.random((64, 72, 3)) + 150 * color
            path = f"my_pictures/{name}/{n}.jpg"
            Image.fromarray(pixels.astype(np.uint8)).save(tmp_path / path)
            rows.append(f"{path},{name}")
    shutil.copytree(tmp_path / "my_pictures" / "rose", tmp_path / "new_pictures")
    shutil.make_archive(str(tmp_path / "my_pictures"), "zip", tmp_path, "my_pictures")
    (tmp_path / "labels.csv").write_text("\n".join(rows) + "\n")
    (tmp_path / "names.txt").write_text("Bellis\nRosa\nTulipa\n")
    (tmp_path / "train").mkdir()
    for name in SPECIES:
        shutil.copy(tmp_path / "my_pictures" / name / "0.jpg", tmp_path / "train" / f"{name}.0.jpg")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def small_networks(tmp_path, monkeypatch):
    """Networks with few hidden units, and a file of one in place of ImageNet's weights."""
    for name in ("paper", "source", "caffe"):
        monkeypatch.setitem(ARCHITECTURES, name, dataclasses.replace(ARCHITECTURES[name], hidden=(32, 16)))
    monkeypatch.setenv(names.FOLDER, str(tmp_path / "brought"))
    (tmp_path / "brought").mkdir()
    keras_alexnet.build("caffe").save(tmp_path / "brought" / "published.keras")
    published = dataclasses.replace(names.CAFFE, address="http://127.0.0.1:9/published.keras", digest="")
    monkeypatch.setitem(names.NAMES, "imagenet", (published,))
    index = {str(n): [f"n{n:08}", f"animal {n}"] for n in range(1000)}
    (tmp_path / "brought" / "imagenet_class_index.json").write_text(json.dumps(index))


def run(command):
    """Run a shell command in this process, with one training step."""
    python, script, *argv = shlex.split(command, comments=True)
    assert (python, Path(script).parent.name) == ("python", "scripts"), command
    program = Path(script).stem
    if program == "fit" and "--resume" not in argv:
        argv += QUICK
    try:
        status = importlib.import_module(f"keras_alexnet.commands.{program}").main(argv)
    except SystemExit as left:
        status = left.code
    assert not status, command


def needs_photographs(command):
    return "oxford_flowers102" in command and not os.environ.get("TFDS_DATA_DIR")


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:`shuffle=True` was passed:UserWarning")  # Keras says so of every tf.data.Dataset
def test_the_page_runs(in_a_folder_with_pictures, small_networks):
    said = {}
    for language, block in BLOCKS:
        if language == "python":
            exec(block, said)
            continue
        for command in block.replace("\\\n", " ").splitlines():
            if not needs_photographs(command):
                shutil.copy(*command.split()[1:]) if command.startswith("cp ") else run(command)
    expected = ["file,label", *(f"{Path('train') / name}.0.jpg,{name}" for name in SPECIES)]
    assert Path("labels.csv").read_text().splitlines() == expected
    pictures, _ = next(iter(said["validation"]))
    served = tf.saved_model.load("served/mine")  # kept, or its variables are deleted before the call
    np.testing.assert_allclose(served.serve(pictures), said["model"].predict(pictures, verbose=0), atol=1e-5)
    signature = tf.saved_model.load("served/first/1").signatures["serving_default"]
    (image,) = signature.structured_input_signature[1].values()
    assert image.dtype == tf.uint8
