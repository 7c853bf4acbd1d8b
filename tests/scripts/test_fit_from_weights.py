"""`fit.py --weights imagenet` and `predict.py --weights imagenet`: one flag determines all settings.

The files have the layouts of the published ones, of few hidden units and for inputs of 99 pixels.
"""

import dataclasses
import hashlib
import json

import foreign_weights
import keras
import numpy as np
import pytest
from foreign_weights import HIDDEN, SIDE
from PIL import Image
from small_pictures import save_classes

from keras_alexnet.commands import _fit_settings, fit, predict
from keras_alexnet.data import datasets
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.recipes import Options
from keras_alexnet.runs import Run
from keras_alexnet.weights import names
from keras_alexnet.weights.origin import Origin

pytest.importorskip("onnx")


@pytest.fixture
def pictures(tmp_path):
    """Two classes of ten pictures each."""
    return save_classes(tmp_path / "pictures", size=(112, 112), a=10, b=10)


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """An empty Keras cache and unreachable download servers."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    monkeypatch.delenv(names.FOLDER, raising=False)
    monkeypatch.setitem(ARCHITECTURES, "caffe", dataclasses.replace(ARCHITECTURES["caffe"], hidden=HIDDEN, size=SIDE))
    (tmp_path / "keras" / "models").mkdir(parents=True)
    publish(monkeypatch, b"")
    return tmp_path / "keras" / "models"


def publish(monkeypatch, content):
    address, digest = "http://127.0.0.1:9/bvlcalexnet-12.onnx", hashlib.sha256(content).hexdigest()
    published = dataclasses.replace(names.CAFFE, address=address, digest=digest)
    for name in ("imagenet", "caffe"):
        monkeypatch.setitem(names.NAMES, name, (published,))


@pytest.fixture
def arrays(cache, monkeypatch):
    """Arrays of the file that is in the cache, for ImageNet's 1000 classes."""
    arrays = foreign_weights.of_caffe()
    random = np.random.default_rng(7)
    arrays["fc8"] = random.normal(0, 0.2, (1000, HIDDEN[1])).astype("f4"), np.zeros(1000, "f4")
    content = foreign_weights.onnx_network(arrays).SerializeToString()
    (cache / "bvlcalexnet-12.onnx").write_bytes(content)
    publish(monkeypatch, content)
    return arrays


def leave(main, arguments):
    with pytest.raises(SystemExit) as left:
        main([str(argument) for argument in arguments])
    return left.value.code


@pytest.mark.slow
def test_one_flag_determines_all_settings(arrays, pictures, tmp_path, capsys):
    run = tmp_path / "run"
    argv = ["--dataset", str(pictures), "--weights", "imagenet", "--run", str(run), "--epochs", "1"]
    assert fit.main(argv) == 0
    told = capsys.readouterr().out
    assert f"caffe with the weights of bvlcalexnet-12.onnx, crops of {SIDE} pixels" in told
    assert "batches of 16 (all pictures), 1 epoch (" in told
    assert "learning rate 0.001 and 10 times that for the last layer" in told
    assert "fc8: new, for 2 classes; the file has 1000" in told
    recipe = Run.open(run).read_recipe()
    assert (recipe.architecture, recipe.mean, recipe.resize_size) == ("caffe", "architecture", 112)
    assert (recipe.learning_rate, recipe.head_learning_rate_factor) == (0.001, 10.0)
    trained = keras.models.load_model(run / "best.keras")
    kernel, _ = trained.get_layer("conv1").get_weights()
    expected = arrays["conv1"][0].transpose(2, 3, 1, 0)[:, :, ::-1]  # RGB
    assert 0 < np.abs(kernel - expected).max() < 0.01 * np.abs(expected).max()
    (checkpoint,) = (run / "last").glob("*.keras")
    assert keras.models.load_model(checkpoint).optimizer.learning_rate_factors == {"fc8": 10.0}
    assert fit.main(["--resume", str(run), "--epochs", "2"]) == 0


@pytest.mark.parametrize(
    ("known", "head", "expected"),
    [
        (("b", "a"), "auto", "new"),  # the same in another order
        (("x", "y"), "auto", "new"),
        (("a", "b"), "auto", "auto"),
        (("x", "y"), "kept", "kept"),
        (None, "auto", "auto"),  # unknown
        (("x", "y", "z"), "auto", "auto"),  # loading sees the number
    ],
)
def test_the_last_layer_is_kept_only_for_its_classes(known, head, expected, pictures, capsys):
    came_from = Origin(pictures, "caffe", SIDE, 112, class_names=known)
    options = _fit_settings._with_head_for_classes(Options(head=head), datasets.load(str(pictures)), came_from)
    assert options.head == expected
    told = capsys.readouterr().out
    assert ("starts from random weights" in told) == (expected == "new")
    assert ("in another order" in told) == (known == ("b", "a"))


@pytest.mark.slow
def test_the_classes_of_a_run_are_known_to_its_weights(pictures, tmp_path, capsys):
    first, others = tmp_path / "first", save_classes(tmp_path / "others", size=(112, 112), c=10, d=10)
    network = ["--architecture", "figure_1", "--size", "16", "--side", "18", "--epochs", "1"]
    assert fit.main(["--dataset", str(pictures), "--run", str(first), *network]) == 0
    capsys.readouterr()
    flags = ["--weights", str(first), "--run", str(tmp_path / "second"), "--epochs", "1"]
    assert fit.main(["--dataset", str(others), *flags]) == 0
    told = capsys.readouterr().out
    assert "because it was for other classes (a, b); --head kept keeps it" in told
    assert told.count(f"Loaded from {first}:\n  conv1: conv1/kernel") == 1
    assert "new, for 2 classes; the file has 2" in told


@pytest.mark.slow
def test_flags_take_precedence(arrays, pictures, tmp_path):
    run = tmp_path / "run"
    flags = ["--learning-rate", "0.002", "--head-learning-rate-factor", "1", "--mean", "network", "--epochs", "1"]
    fit.main(["--dataset", str(pictures), "--weights", "caffe", "--run", str(run), *flags])
    recipe = Run.open(run).read_recipe()
    assert (recipe.learning_rate, recipe.head_learning_rate_factor, recipe.mean) == (0.002, 1.0, "network")
    assert keras.models.load_model(run / "best.keras").layers[1].name == "preprocessing"


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--size", "64"], "at least 67x67. Received: input_shape=(64, 64, 3)"),
        (["--size", "131"], "for an input of 99 pixels: leave out --crop-size and --recipe."),
        (["--architecture", "paper"], "published only for caffe: "),
        (["--recipe", "petals"], "published only for caffe: "),
    ],
)
def test_another_size_or_network_is_one_line(arrays, pictures, tmp_path, capsys, flags, message):
    argv = ["--dataset", pictures, "--weights", "imagenet", "--run", tmp_path / "runs" / "run", *flags]
    assert leave(fit.main, argv) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("fit.py: ")
    assert message in line
    assert not (tmp_path / "runs").exists()


@pytest.mark.parametrize("program", ["fit.py", "predict.py"])
def test_without_internet_one_line_says_where_to_put_the_file(cache, pictures, tmp_path, capsys, program):
    main, argv = {
        "fit.py": (fit.main, ["--dataset", pictures, "--run", tmp_path / "runs" / "run"]),
        "predict.py": (predict.main, [pictures]),
    }[program]
    assert leave(main, [*argv, "--weights", "imagenet"]) == 2
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith(f"{program}: Could not download http://127.0.0.1:9/bvlcalexnet-12.onnx: save the file as ")
    assert str(cache / "bvlcalexnet-12.onnx") in line
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_predict_names_the_classes_of_imagenet(arrays, pictures, cache, capsys):
    """Compare with ONNX Runtime on the same file, for the central crop minus the mean."""
    pytest.importorskip("onnxruntime")
    index = {str(n): [f"n{n:08}", f"animal {n}"] for n in range(1000)}
    (cache / "imagenet_class_index.json").write_text(json.dumps(index))
    picture = pictures / "a" / "0.png"
    argv = ["--weights", "imagenet", picture, "--views", "1", "--json"]
    assert leave(predict.main, argv) == 0
    (entry,) = json.loads(capsys.readouterr().out)
    with Image.open(picture) as file:
        crop = np.asarray(file, "f4")[None, 6 : 6 + SIDE, 6 : 6 + SIDE] - np.float32(ARCHITECTURES["caffe"].mean)
    logits = foreign_weights.onnx_answers(foreign_weights.onnx_network(arrays), crop)
    assert entry["predictions"][0]["class"] == f"animal {logits.argmax()}"


def test_predict_refuses_weights_of_other_classes(cache, pictures, monkeypatch, capsys):
    content = foreign_weights.onnx_network(foreign_weights.of_caffe()).SerializeToString()
    (cache / "bvlcalexnet-12.onnx").write_bytes(content)
    publish(monkeypatch, content)
    assert leave(predict.main, ["--weights", "imagenet", pictures]) == 2
    assert "fc8 expects 1000 classes" in capsys.readouterr().err


# Slow: a stand-in that has learned something


def as_foreign(model):
    """Arrays of a network of this library in the order of Caffe's."""
    arrays = {layer.name: layer.get_weights() for layer in model.layers if layer.weights}
    foreign = {}
    for name, (kernel, bias) in arrays.items():
        if name.startswith("conv"):
            kernel = kernel[:, :, ::-1] if name == "conv1" else kernel  # BGR
            foreign[name] = np.ascontiguousarray(kernel.transpose(3, 2, 0, 1)), bias
        else:
            if name == "fc6":
                height, width, channels = model.get_layer("flatten").input.shape[1:]
                kernel = kernel.reshape(height, width, channels, -1).transpose(2, 0, 1, 3).reshape(kernel.shape)
            foreign[name] = np.ascontiguousarray(kernel.T), bias
    return foreign


def flowers(folder, species, count, seed):
    """Drawn flowers of some species in a folder, by name."""
    from keras_alexnet.data.drawings import petals

    for split, number in count.items():
        for label in species:
            place = folder / split / petals.CLASS_NAMES[label]
            place.mkdir(parents=True)
            for n in range(number):
                picture = Image.fromarray(petals.draw_one(label, seed + 1000 * (split == "validation") + n))
                picture.resize((76, 76)).save(place / f"{n}.png")
    return folder


@pytest.mark.slow
def test_fine_tuned_is_better_than_from_scratch(tmp_path, cache, monkeypatch):
    """Pretraining on five species helps with five others with eight pictures each."""
    small = dataclasses.replace(ARCHITECTURES["caffe"], hidden=(256, 128), size=67)
    monkeypatch.setitem(ARCHITECTURES, "caffe", small)
    many = flowers(tmp_path / "many", range(5), {"train": 100, "validation": 10}, seed=0)
    few = flowers(tmp_path / "few", range(5, 10), {"train": 8, "validation": 24}, seed=0)
    flags = ["--architecture", "caffe", "--size", "67", "--epochs", "15"]
    fit.main(["--dataset", str(many), "--run", str(tmp_path / "learned"), *flags])
    learned = keras.models.load_model(tmp_path / "learned" / "best.keras")
    content = foreign_weights.onnx_network(as_foreign(learned)).SerializeToString()
    (cache / "bvlcalexnet-12.onnx").write_bytes(content)
    publish(monkeypatch, content)
    errors = {}
    for name, flags in {
        "tuned": ["--weights", "imagenet"],
        "scratch": ["--architecture", "caffe", "--size", "67", "--weights", "none"],
    }.items():
        run = tmp_path / name
        fit.main(["--dataset", str(few), "--run", str(run), *flags, "--epochs", "20"])
        errors[name] = min(row["val_top1_error"] for row in Run.open(run).read_log())
    assert errors["tuned"] < errors["scratch"] - 0.05, errors
