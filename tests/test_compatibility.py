"""Files of version 0.1.0, from before the modules moved into folders: they still open, resume and evaluate.

`fixtures/run_of_0_1_0.tar.xz` was written by that version: pictures of two classes, a finished run of a small network
with every layer of the library, and the same run stopped after the first step of its third epoch.
"""

import json
import tarfile
from pathlib import Path

import keras
import numpy as np
import pytest

from keras_alexnet.commands import _fit_settings, fit
from keras_alexnet.data import datasets
from keras_alexnet.evaluation import evaluate
from keras_alexnet.runs import Run
from keras_alexnet.training.checkpoints import newest

SAFELY = {"filter": "data"} if hasattr(tarfile, "data_filter") else {}  # not before Python 3.11.4

FIXTURE = Path(__file__).parent / "fixtures" / "run_of_0_1_0.tar.xz"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    with tarfile.open(FIXTURE) as archive:
        archive.extractall(tmp_path, **SAFELY)
    monkeypatch.chdir(tmp_path)  # the runs name their pictures by a relative path
    return tmp_path


def test_a_saved_network_opens(folder):
    model = keras.models.load_model(folder / "finished" / "best.keras")
    kinds = {type(layer).__name__ for layer in model.layers}
    assert {"GroupedConv2D", "LocalResponseNormalization", "SpatialResponseNormalization"} <= kinds
    assert np.asarray(model(np.zeros((1, 24, 24, 3)))).sum() == pytest.approx(1)


def test_a_checkpoint_opens_with_its_optimizer(folder):
    model = newest(folder / "stopped" / "last").load()
    assert model.optimizer.weight_decay == 0.0005
    assert any(np.abs(np.asarray(velocity)).max() > 0 for velocity in model.optimizer.velocities)


def test_a_recipe_with_the_old_names_is_read(folder):
    recipe = Run.open(folder / "finished").read_recipe()
    assert (recipe.crop_size, recipe.resize_size, recipe.weight_decay) == (24, 28, 0.0005)


@pytest.mark.slow
def test_a_finished_run_is_evaluated_as_it_was(folder):
    run = Run.open(folder / "finished")
    before = json.loads((run.folder / "evaluation-validation.json").read_text())
    (evaluation,) = evaluate.evaluate_runs([run], datasets.load("pictures"), "validation")
    after = evaluation.numbers()
    for views in ("1_view", "10_views"):
        assert after[views]["top1_error"] == before[views]["top1_error"]
        likelihood = "negative_log_likelihood"
        assert after[views][likelihood] == pytest.approx(before[views][likelihood], rel=1e-4)


@pytest.mark.slow
def test_a_stopped_run_is_resumed_to_the_same_log(folder):
    assert fit.main(["--resume", "stopped"]) == 0
    logs = [np.loadtxt(folder / name / "log.csv", delimiter=",", skiprows=1) for name in ("stopped", "finished")]
    np.testing.assert_allclose(*logs, rtol=1e-4)


def test_old_names_of_flags_still_work():
    recipe, _ = _fit_settings.new_run_settings(
        fit.build_parser().parse_args(["--size", "99", "--side", "112", "--decay", "0.1"])
    )
    assert (recipe.crop_size, recipe.resize_size, recipe.weight_decay) == (99, 112, 0.1)
