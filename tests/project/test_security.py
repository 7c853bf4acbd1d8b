"""Untrusted files: no code in them is executed, and nothing is written outside the given folder."""

import contextlib
import json
import os
import pickle
import zipfile

import keras
import numpy as np
import pytest

from keras_alexnet.data import datasets
from keras_alexnet.data.statistics import Statistics
from keras_alexnet.evaluation import classifier
from keras_alexnet.files import digest
from keras_alexnet.runs import Run
from keras_alexnet.training import checkpoints
from keras_alexnet.weights import formats


class Trap:
    """Write a file when unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.fixture
def trace(tmp_path):
    """The file that executed code would create."""
    path = tmp_path / "trace"
    yield path
    assert not path.exists()


def with_lambda(path, trace):
    """A Keras file whose layer would create a folder."""
    inputs = keras.Input((4,))
    layer = keras.layers.Lambda(lambda x, path=str(trace): os.mkdir(path) or x, output_shape=(4,))
    model = keras.Sequential([inputs, layer])
    model.save(path)


def with_foreign_class(path):
    """A Keras file whose layer is a Python function."""
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(path)
    with zipfile.ZipFile(path) as archive:
        contents = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(contents["config.json"])
    config["config"]["layers"][1] = {"module": "os", "class_name": "system", "config": {"command": "touch trace"}}
    contents["config.json"] = json.dumps(config).encode()
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in contents.items():
            archive.writestr(name, content)


def test_a_network_with_a_lambda_is_refused(small_run, trace):
    with_lambda(small_run.best, trace)
    with pytest.raises(ValueError, match=r"Received: .*best\.keras"):
        classifier.load_model(small_run.best)


def test_a_network_that_names_other_code_is_refused(small_run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with_foreign_class(small_run.best)
    with pytest.raises(ValueError, match=r"Received: .*best\.keras"):
        classifier.load_model(small_run.best)
    assert not (tmp_path / "trace").exists()


def test_a_checkpoint_with_a_lambda_is_refused(tmp_path, trace):
    folder = tmp_path / "last"
    folder.mkdir()
    with_lambda(folder / "epoch-00001.keras", trace)
    state = {"sha256": digest(folder / "epoch-00001.keras"), "seeds": [], "metrics": []}
    (folder / "epoch-00001.json").write_text(json.dumps(state))
    with pytest.raises(ValueError, match="Lambda"):
        checkpoints.newest(folder).load()


@pytest.mark.parametrize("ending", [".npz", ".pth", ".npy", ".keras", ".h5"])
def test_a_pickle_under_any_name_is_refused(tmp_path, trace, ending):
    if ending == ".pth":
        pytest.importorskip("torch")
    file = tmp_path / f"weights{ending}"
    file.write_bytes(pickle.dumps(Trap(trace)))
    with pytest.raises(ValueError, match="Received: "):
        formats.read(file)


def test_statistics_that_are_a_pickle_are_refused(tmp_path, trace):
    np.savez(tmp_path / "statistics.npz", mean_image=np.array([Trap(trace)], object))
    with pytest.raises(ValueError, match=r"Received: .*statistics\.npz"):
        Statistics.load(tmp_path / "statistics.npz")


@pytest.mark.parametrize("location", ["../secret.bin", "/etc/hostname"])
def test_onnx_data_outside_of_its_folder_are_refused(tmp_path, location):
    onnx = pytest.importorskip("onnx")
    (tmp_path / "secret.bin").write_bytes(bytes(16))
    (tmp_path / "inside").mkdir()
    array = onnx.TensorProto(name="conv1_w_0", data_type=onnx.TensorProto.FLOAT, dims=[4])
    array.data_location = onnx.TensorProto.EXTERNAL
    array.external_data.add(key="location", value=location)
    graph = onnx.helper.make_graph([], "stranger", [], [], [array])
    (tmp_path / "inside" / "net.onnx").write_bytes(onnx.helper.make_model(graph).SerializeToString())
    with pytest.raises(ValueError, match="Received: "):
        formats.read(tmp_path / "inside" / "net.onnx")


def test_an_archive_writes_nothing_outside_its_folder(tmp_path):
    (tmp_path / "inside").mkdir()
    file = tmp_path / "inside" / "net.keras"
    keras.Sequential([keras.Input((4,)), keras.layers.Dense(2)]).save(file)
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr("../escaped", "x")
        archive.writestr("assets/../../escaped", "x")
    with contextlib.suppress(ValueError):  # refused or read, as Keras will
        classifier.load_model(file)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["inside", "net.keras"]


@pytest.mark.parametrize("name", ["rose\x1b[2J", "rose\x07", "rose\x08daisy", "rose\u202edaisy"])
def test_class_names_that_control_a_terminal_are_refused(small_run, name):
    (small_run.folder / "classes.txt").write_text(f"{name}\ndaisy\ntulip\n", newline="")
    with pytest.raises(ValueError, match="Class names must be text"):
        small_run.read_classes()


def test_class_folders_that_control_a_terminal_are_refused(tmp_path):
    for name in ("rose\x1b[2J", "daisy"):
        (tmp_path / name).mkdir()
    with pytest.raises(ValueError, match=r"rename it\. Received: 'rose\\x1b"):
        datasets.load(str(tmp_path))


def test_a_run_folder_with_a_link_out_of_it_is_refused(small_run, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (small_run.folder / "figures").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match=r"Received: .*figures"):
        Run.open(small_run.folder)


@pytest.mark.parametrize("recipe", [[], {"recipe": 3}, {"recipe": {"augmentation": [], "command": "rm"}}])
def test_a_recipe_of_another_form_is_refused(small_run, recipe):
    small_run.write_json("recipe.json", recipe)
    with pytest.raises(ValueError, match=r"Expected a recipe\.json"):
        small_run.read_recipe()
