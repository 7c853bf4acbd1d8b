"""scripts/export.py from the user's point of view, and its files on a server without this library."""

import json
import re
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from small_pictures import save_classes

from keras_alexnet.commands import export, fit, predict


def leave(words):
    with pytest.raises(SystemExit) as left:
        export.main([str(word) for word in words])
    return left.value.code


def test_run_to_onnx(small_run, capsys):
    onnxruntime = pytest.importorskip("onnxruntime")
    export.main([str(small_run.folder), "--to", "onnx"])
    checked, done = capsys.readouterr().out.splitlines()
    assert checked.startswith("Checked on photographs and noise: probabilities differ by at most ")
    assert done.startswith(f"Wrote {small_run.folder / 'best.onnx'} and best.onnx.json. ")
    said = json.loads((small_run.folder / "best.onnx.json").read_text())
    assert said["classes"] == list(small_run.read_classes())
    assert said["preprocessing_in_network"]["mean"] == [128.0, 128.0, 128.0]
    session = onnxruntime.InferenceSession(small_run.folder / "best.onnx")
    (answer,) = session.run(None, {"image": np.zeros((1, 67, 67, 3), np.uint8)})
    assert answer.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("file", ["", "best.keras"])
def test_int8_weights_are_compared_on_the_validation_pictures_of_the_run(small_run, capsys, file):
    pytest.importorskip("onnxruntime")
    (small_run.folder / "names.txt").write_text("a\nb\nc\n")  # other names than those of the pictures
    names = ["--class-names", str(small_run.folder / "names.txt")]
    export.main([str(small_run.folder / file), "--to", "onnx", "--precision", "int8", *names])
    _, compared, _ = capsys.readouterr().out.splitlines()
    assert re.fullmatch(
        r"Top-1 error on 12 pictures: [\d.]+ % with int8 weights, [\d.]+ % for the Keras network\.", compared
    ), compared


def test_a_file_alone_is_measured_with_the_given_names(small_run, tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    save_classes(tmp_path / "pets", cats=20, dogs=20, owls=20)
    alone = tmp_path / "alone.keras"
    alone.write_bytes(small_run.best.read_bytes())
    (tmp_path / "names.txt").write_text("cats\ndogs\nowls\n")
    words = [alone, "--to", "onnx", "--precision", "int8", "--dataset", tmp_path / "pets"]
    export.main([str(word) for word in (*words, "--class-names", tmp_path / "names.txt")])
    assert "Top-1 error on 6 pictures: " in capsys.readouterr().out
    assert json.loads((tmp_path / "alone.onnx.json").read_text())["classes"] == ["cats", "dogs", "owls"]


def test_file_with_names(small_run, tmp_path):
    pytest.importorskip("onnxruntime")
    alone = tmp_path / "alone.keras"
    alone.write_bytes(small_run.best.read_bytes())
    (tmp_path / "names.txt").write_text("a\nb\nc\n")
    export.main(
        [
            str(alone),
            "--to",
            "onnx",
            "--out",
            str(tmp_path / "new" / "it.onnx"),
            "--classes",
            str(tmp_path / "names.txt"),
        ]
    )
    said = json.loads((tmp_path / "new" / "it.onnx.json").read_text())
    assert said["classes"] == ["a", "b", "c"]
    assert said["preprocessing_in_network"]["mean"] == [128, 128, 128]  # of the run that it is a copy of


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["{folder}/nowhere.keras", "--to", "onnx"], "which does not exist"),
        (["{folder}/figures", "--to", "onnx"], "A run folder must contain"),
        (["{folder}/../alone.keras", "--to", "onnx", "--precision", "int8"], "needs a run folder or --dataset"),
        (["{folder}", "--to", "savedmodel", "--native-normalization"], "need onnx or tflite. Received: savedmodel"),
        (["{folder}", "--to", "coreml"], "invalid choice: 'coreml'"),
        (["{folder}", "--to", "onnx", "--out", "{folder}/recipe.json"], "The file already exists"),
        (["{folder}", "--to", "onnx", "--out", "{folder}/mine.onnx"], "mine.onnx.json"),
        (["{folder}", "--to", "onnx", "--out", "{folder}/classes.txt/best.onnx"], "classes.txt is a file"),
        (["{folder}", "--to", "onnx", "--out", "{folder}/new/best.tflite"], "Expected a file name that ends in .onnx."),
        (
            ["{folder}", "--to", "onnx", "--classes", "{folder}/recipe.json"],
            "The file must have a name on each line for the 3 classes",
        ),
    ],
)
def test_wrong_input_is_one_line(small_run, capsys, wrong, message):
    small_run.figures.mkdir(exist_ok=True)
    (small_run.folder.parent / "alone.keras").write_bytes(small_run.best.read_bytes())
    (small_run.folder / "mine.onnx.json").write_text("mine")
    before = sorted(small_run.folder.iterdir())
    assert leave([word.format(folder=small_run.folder) for word in wrong]) == 2
    error = capsys.readouterr().err
    assert error.startswith("export.py: ")
    assert message in error
    assert error.count("\n") == 1
    assert sorted(small_run.folder.iterdir()) == before


# A run on photographs, and servers: each a process that may not import the packages named first

PREPARE = """
import json, pathlib, re, sys
from PIL import Image
import numpy as np

forbidden, file, folder = sys.argv[1].split(","), *map(pathlib.Path, sys.argv[2:])
sys.modules |= dict.fromkeys(forbidden)
said = json.loads(file.with_name(f"{file.name}.json").read_text())
side, size, *_ = map(int, re.findall("[0-9]+", said["preparation"]))

def prepared(path):
    picture = Image.open(path).convert("RGB")
    scale = side / min(picture.size)
    picture = picture.resize([round(length * scale) for length in picture.size])
    left, top = ((length - size) // 2 for length in picture.size)
    return np.asarray(picture.crop((left, top, left + size, top + size)))

images = np.stack([prepared(path) for path in sorted(folder.iterdir())])
"""
ANSWER = {
    "savedmodel": """
import tensorflow as tf
signatures = tf.saved_model.load(file).signatures
answers = [signatures[name](image=images)["probabilities"].numpy() for name in ("serving_default", "compiled")]
""",
    "onnx": """
import onnxruntime
session = onnxruntime.InferenceSession(file, providers=["CPUExecutionProvider"])
answers = session.run(["probabilities"], {"image": images})
""",
    "tflite": """
import tensorflow as tf
answers = [tf.lite.Interpreter(str(file)).get_signature_runner()(image=images)["probabilities"]]
""",
}
REPORT = """
assert not any(sys.modules.get(name) for name in forbidden)
print(json.dumps([[dict(zip(said["classes"], row.tolist())) for row in answer] for answer in answers]))
"""


@pytest.fixture(scope="module")
def flowers(tmp_path_factory):
    """A run of a few steps on photographs, twelve other photographs, and a folder with these."""
    tfds = pytest.importorskip("tensorflow_datasets")
    folder = tmp_path_factory.mktemp("flowers")
    for n, (picture, species) in enumerate(photographs(tfds, "train", 80)):
        (folder / "species" / species).mkdir(parents=True, exist_ok=True)
        picture.save(folder / "species" / species / f"{n}.png")
    few = "--recipe flowers --epochs 3 --learning-rate 0.0005 --precision float32"
    fit.main(["--dataset", str(folder / "species"), "--run", str(folder / "run"), *few.split()])
    (folder / "unseen").mkdir()
    for n, (picture, _) in enumerate(photographs(tfds, "test", 12)):
        sized_for(folder / "run", picture).save(folder / "unseen" / f"{n:02}.png")
    return folder / "run", folder / "unseen"


def photographs(tfds, split, count):
    """The first of eight species, with the names of these."""
    flowers, info = tfds.load("oxford_flowers102", split=split, with_info=True)
    some = flowers.filter(lambda example: example["label"] < 8).take(count)
    name = info.features["label"].int2str
    return [(Image.fromarray(each["image"]), name(each["label"])) for each in tfds.as_numpy(some)]


def sized_for(run, picture):
    """Already at the resize size of the run, so that only the network is compared and not the resizing."""
    side = json.loads((run / "recipe.json").read_text())["recipe"]["resize_size"]
    picture = picture.resize([round(length * side / min(picture.size)) for length in picture.size])
    margins_that_halve = [side + (length - side) // 2 * 2 for length in picture.size]
    return picture.crop((0, 0, *margins_that_halve))


@pytest.mark.slow
@pytest.mark.realdata
@pytest.mark.parametrize(
    ("kind", "forbidden"),
    [
        ("savedmodel", "keras_alexnet,onnxruntime"),
        ("onnx", "keras_alexnet,keras,tensorflow,jax,torch"),
        ("tflite", "keras_alexnet,onnxruntime"),
    ],
)
def test_a_server_without_this_library_gives_the_same_predictions(flowers, kind, forbidden, capsys):
    run, pictures = flowers
    export.main([str(run), "--to", kind])
    capsys.readouterr()
    program = PREPARE + ANSWER[kind] + REPORT
    words = [sys.executable, "-I", "-W", "ignore", "-c", program, forbidden, run / f"best.{kind}", pictures]
    served = subprocess.run(words, check=True, capture_output=True, text=True, cwd=pictures).stdout

    with pytest.raises(SystemExit):
        predict.main([str(run), str(pictures), "--json", "--views", "1"])
    expected = [
        {each["class"]: each["probability"] for each in entry["predictions"]}
        for entry in json.loads(capsys.readouterr().out)
    ]
    assert len(expected) == 12
    assert np.ptp([max(best.values()) for best in expected]) > 0.001  # pictures differ, by more than is allowed below
    for answer in json.loads(served):
        for row, best in zip(answer, expected, strict=True):
            assert max(row, key=row.get) == max(best, key=best.get)
            assert {name: row[name] for name in best} == pytest.approx(best, rel=1e-4)
