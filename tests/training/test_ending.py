"""Early ends of training, and the frequency of checkpoints."""

import dataclasses
import shutil

import keras
import numpy as np
import pytest
from small_pictures import save_splits
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from keras_alexnet.data import datasets
from keras_alexnet.files import PARTIAL, LockedError, locked
from keras_alexnet.recipes import Options, Recipe
from keras_alexnet.runs import Run
from keras_alexnet.training import callbacks, checkpoints, trainer

TOY = Recipe(
    architecture="figure_1",
    crop_size=16,
    resize_size=18,
    batch_size=8,
    epochs=6,
    learning_rate=1e-12,
    schedule="cosine",
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two classes: 12 and 4 training pictures, 6 for validation and 2 for testing."""
    counts = {"train": (12, 4), "validation": (4, 2), "test": (1, 1)}
    return save_splits(tmp_path_factory.mktemp("pictures"), size=20, **counts)


def train(folder, run, recipe=TOY, **options):
    return trainer.fit(recipe, datasets.load(str(folder)), run, Options(dataset=str(folder), **options))


@pytest.mark.slow
def test_stop_after_ends_training_and_resuming_does_not_continue(folder, tmp_path):
    run, recipe = Run.create(tmp_path / "run"), dataclasses.replace(TOY, stop_after=2)
    assert train(folder, run, recipe)["epochs"] == 3  # the error of the first epoch stays
    assert run.is_finished()
    results = train(folder, run, recipe)
    assert results["epochs"] == 3
    assert results["class_counts"] == [12, 4]  # from which the loss of chance follows


@pytest.mark.slow
def test_max_minutes_ends_training_and_resuming_continues(folder, tmp_path):
    run, recipe = Run.create(tmp_path / "run"), dataclasses.replace(TOY, epochs=2)
    assert train(folder, run, recipe, max_minutes=1e-9)["epochs"] == 1
    assert not run.is_finished()
    assert run.best.exists()
    assert train(folder, run, recipe)["epochs"] == 2


@pytest.mark.slow
def test_without_validation_the_last_network_is_kept_when_the_time_ends(folder, tmp_path):
    data = datasets.load(str(folder))
    data = dataclasses.replace(data, splits={"train": data.splits["train"], "test": data.splits["test"]})
    run = Run.create(tmp_path / "run")
    trainer.fit(TOY, data, run, Options(dataset=str(folder), max_minutes=1e-9))
    best, last = (keras.models.load_model(path) for path in (run.best, checkpoints.newest(run.last).network))
    np.testing.assert_array_equal(best.get_weights()[0], last.get_weights()[0])


@pytest.mark.parametrize(
    ("settings", "kept"),
    [
        ({"keep": "best"}, 2),
        ({"keep": "last"}, 4),
        ({"keep": "best", "schedule": "cosine"}, 4),  # of equal errors the last
        ({"keep": "last", "epochs": 5}, 2),  # killed before the last epoch
        ({"keep": "last", "epochs": 5, "stop_after": 2}, 4),
    ],
)
def test_the_network_of_the_chosen_epoch_is_kept(small_run, settings, kept):
    """The weight is the number of the epoch, and the errors are given."""
    images = keras.Input((1,))
    model = keras.Model(images, keras.layers.Dense(1, use_bias=False, name="dense")(images))
    model.compile(keras.optimizers.SGD(), "mse")
    small_run.best.unlink()
    recipe, rows = Recipe(**{"epochs": 4} | settings), []
    rates = callbacks.LearningRate(recipe, rows, steps=1)
    writer = callbacks.LogWriter(small_run, recipe, rows, rates, is_chief=True)
    rates.set_model(model)
    writer.set_model(model)
    model.stop_training = False
    for epoch, error in enumerate((0.5, 0.2, 0.4, 0.2)):
        rates.on_epoch_begin(epoch)
        model.set_weights([np.full((1, 1), epoch + 1.0)])
        writer.on_epoch_end(epoch, {"val_top1_error": error})
    assert keras.models.load_model(small_run.best).get_weights()[0].item() == kept


def test_stop_after_needs_validation(folder, tmp_path):
    data = datasets.load(str(folder))
    data = dataclasses.replace(data, splits={"train": data.splits["train"]})
    with pytest.raises(ValueError, match=r"`stop_after` needs a validation split\. Received: "):
        trainer.fit(dataclasses.replace(TOY, stop_after=1), data, Run.create(tmp_path / "run"), Options())


def saved(monkeypatch):
    """Record which epochs are saved."""
    epochs, save = [], checkpoints.save
    monkeypatch.setattr(
        checkpoints,
        "save",
        lambda folder, model, epoch, *rest: (epochs.append(epoch), save(folder, model, epoch, *rest)),
    )
    return epochs


@pytest.mark.slow
@pytest.mark.parametrize(
    ("share", "every", "expected"),
    [(1e-9, None, [1, 6]), (1e9, None, [1, 2, 3, 4, 5, 6]), (1e9, 4, [1, 4, 6])],
)
def test_checkpoints_are_as_frequent_as_their_cost_allows_or_as_asked(
    folder, tmp_path, monkeypatch, share, every, expected
):
    """All epochs have the same error, and the last of equal ones counts as best."""
    monkeypatch.setattr(callbacks, "SAVING_SHARE", share)
    epochs = saved(monkeypatch)
    train(folder, Run.create(tmp_path / "run"), checkpoint_epochs=every)
    assert epochs == expected


@pytest.mark.slow
def test_checkpoint_path_and_the_number_of_checkpoints(folder, tmp_path):
    run = Run.create(tmp_path / "run")
    train(folder, run, checkpoint_path=str(tmp_path / "elsewhere"), checkpoint_epochs=1, max_checkpoints=3)
    names = sorted(path.name for path in (tmp_path / "elsewhere" / "run").glob("*.keras"))
    assert names == ["epoch-00004.keras", "epoch-00005.keras", "epoch-00006.keras"]
    assert not run.last.exists()


def test_a_renamed_run_finds_its_checkpoints_elsewhere(folder, tmp_path):
    run, options = Run.create(tmp_path / "run"), {"checkpoint_path": str(tmp_path / "elsewhere")}
    short = dataclasses.replace(TOY, epochs=1)
    train(folder, run, short, **options)
    partial = tmp_path / "elsewhere" / "run" / f"{PARTIAL}x.keras"
    partial.touch()
    renamed = Run.open(run.folder.rename(tmp_path / "renamed"))
    train(folder, renamed, dataclasses.replace(TOY, epochs=2), **options)
    assert [row["epoch"] for row in renamed.read_log()] == [1, 2]
    assert renamed.to_dict()["run"] == "renamed"
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == ["run"]
    assert checkpoints.newest(tmp_path / "elsewhere" / "run").epochs == 2
    assert not partial.exists()


def test_a_copy_of_a_run_does_not_continue_from_the_checkpoints_of_the_other(folder, tmp_path):
    run, options = Run.create(tmp_path / "run"), {"checkpoint_path": str(tmp_path / "elsewhere")}
    train(folder, run, dataclasses.replace(TOY, epochs=1), **options)
    shutil.copytree(run.folder, tmp_path / "copy")
    train(folder, run, dataclasses.replace(TOY, epochs=2), **options)
    with pytest.raises(ValueError, match=r"are ahead of the log, as if a copy.*Received: .*copy$"):
        train(folder, Run.open(tmp_path / "copy"), dataclasses.replace(TOY, epochs=2), **options)
    with locked(tmp_path / "elsewhere" / "run"), pytest.raises(LockedError, match=r"Received: .*elsewhere.run$"):
        train(folder, run, dataclasses.replace(TOY, epochs=3), **options)


def test_the_checkpoint_folder_is_locked_from_the_first_epoch(folder, tmp_path, monkeypatch):
    run, saved_in = Run.create(tmp_path / "run"), tmp_path / "elsewhere" / "run"

    def train_meanwhile(*_):
        with pytest.raises(LockedError), locked(saved_in):
            pass
        raise KeyError("the training")

    monkeypatch.setattr(trainer, "_train", train_meanwhile)
    with pytest.raises(KeyError, match="the training"):
        train(folder, run, checkpoint_path=str(tmp_path / "elsewhere"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verbose", "kinds"),
    [pytest.param(1, {"gradients"}, marks=pytest.mark.slow), (3, {"gradients", "weights", "outputs"})],
)
def test_histograms_for_tensorboard(folder, tmp_path, verbose, kinds):
    run = Run.create(tmp_path / "run")
    train(folder, run, dataclasses.replace(TOY, epochs=2, learning_rate=0.01), tensorboard_verbose=verbose)
    events = EventAccumulator(str(run.tensorboard / "histograms"), size_guidance={"tensors": 0})
    events.Reload()
    tags = events.Tags()["tensors"]
    assert {tag.split("/")[0] for tag in tags} == kinds
    assert "gradients/conv1/kernel" in tags
    assert len(events.Tensors("gradients/conv1/kernel")) == 2


@pytest.mark.slow
def test_histograms_do_not_change_the_training(folder, tmp_path):
    recipe = dataclasses.replace(TOY, epochs=2, learning_rate=0.01)
    logs = []
    for verbose in (0, 3):
        run = Run.create(tmp_path / f"run-{verbose}")
        train(folder, run, recipe, tensorboard_verbose=verbose, deterministic=True, precision="float32")
        logs.append((run.folder / "log.csv").read_text())
    assert logs[0] == logs[1]


@pytest.mark.slow
def test_with_balanced_sampling_each_class_counts_the_same_for_the_best(folder, tmp_path):
    run = Run.create(tmp_path / "run")
    train(folder, run, dataclasses.replace(TOY, balance="repeat", epochs=2))
    row = run.read_log()[-1]
    assert row["val_mean_class_error"] == pytest.approx(0.5)  # the untrained network knows one class
    assert row["val_top1_error"] in (pytest.approx(2 / 6), pytest.approx(4 / 6))
