"""Faults of machine, disk and data give one line that says what to do, and nothing is lost."""

import contextlib
import dataclasses
import errno
import multiprocessing
import os
import resource
import shutil
import signal

import numpy as np
import pytest
import tensorflow as tf
from small_pictures import save_splits

from keras_alexnet.data import datasets, pipeline
from keras_alexnet.files import PARTIAL, atomic_write, locked, remove_partial_files
from keras_alexnet.interrupts import deferred_signals
from keras_alexnet.recipes import Options, Recipe
from keras_alexnet.runs import Run
from keras_alexnet.training import checkpoints, errors, trainer

RECIPE = Recipe(architecture="figure_1", crop_size=16, resize_size=18, batch_size=8, epochs=4, learning_rate=0.001)


@pytest.fixture
def pictures(tmp_path):
    return save_splits(tmp_path / "pictures", train=(8, 8), validation=(4, 4), test=(1, 1))


def fit(pictures, run, recipe=RECIPE):
    options = Options(dataset=str(pictures), precision="float32")
    return trainer.fit(recipe, datasets.load(str(pictures)), run, options)


def after_the_first_epoch(monkeypatch, act):
    """Do something when the first epoch is on disk."""
    saved = trainer.CheckpointWriter.on_epoch_end

    def on_epoch_end(self, epoch, logs=None):
        saved(self, epoch, logs)
        if epoch == 0:
            act()

    monkeypatch.setattr(trainer.CheckpointWriter, "on_epoch_end", on_epoch_end)


def test_a_full_disk_is_told_with_the_way_to_continue(tmp_path):
    full = OSError(errno.ENOSPC, "No space left on device")
    message = (
        r"^Could not write .*a\.json; any .*permissions, then continue with --resume runs/a\. Received: .*No space"
    )
    with (
        pytest.raises(OSError, match=message),
        errors.readable_errors(RECIPE, lambda: "continue with --resume runs/a"),
        atomic_write(tmp_path / "a.json"),
    ):
        raise full


def explained(action):
    with errors.readable_errors(RECIPE, lambda: "start again"):
        action()


@pytest.mark.slow  # TensorFlow waits ten seconds for memory to come free
def test_a_batch_too_large_for_memory_names_its_size():
    with pytest.raises(ValueError, match=r"smaller `batch_size`.*Received: batch_size=8, crop_size=\d+ \(.*OOM"):
        explained(lambda: tf.zeros((2**24, 2**24)) + 1)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="only Linux has /dev/full")
def test_a_full_disk_is_not_too_little_memory():
    with pytest.raises(OSError, match=r"free some space, then start again\. Received: .*No space left"):
        explained(lambda: tf.io.write_file("/dev/full", "text"))


def fail(error):
    raise error


def test_a_lost_worker():
    lost = tf.errors.UnavailableError(None, None, "Connection reset")
    with pytest.raises(
        OSError, match=r"Another worker has stopped: start again, with all workers\. Received: Connection"
    ):
        explained(lambda: fail(lost))


def test_a_run_is_continued_only_if_it_has_a_checkpoint(pictures, tmp_path, monkeypatch):
    run, damaged = Run.create(tmp_path / "run"), tf.errors.DataLossError(None, None, "truncated record")
    with monkeypatch.context() as patch:
        patch.setattr(trainer.CheckpointWriter, "on_epoch_begin", lambda self, epoch, logs=None: fail(damaged))
        with pytest.raises(OSError, match=r"restore them, then start again\. Received: truncated record"):
            fit(pictures, run)
        with pytest.raises(
            OSError, match=r"restore them, then continue with --resume .*run\. Received: truncated record"
        ):
            fit(pictures, run)  # it has a recipe now
    other = Run.create(tmp_path / "other")
    after_the_first_epoch(monkeypatch, lambda: fail(damaged))
    with pytest.raises(
        OSError, match=r"restore them, then continue with --resume .*other\. Received: truncated record"
    ):
        fit(pictures, other)


def test_a_batch_too_large_for_the_memory_of_jax_names_its_size():
    def fail(text):
        raise RuntimeError(text)  # as jaxlib's XlaRuntimeError

    with pytest.raises(
        ValueError, match=r"smaller `batch_size`.*Received: batch_size=8, crop_size=\d+ \(.*Out of memory"
    ):
        explained(lambda: fail("RESOURCE_EXHAUSTED: Out of memory allocating 123 bytes."))
    with pytest.raises(RuntimeError, match=r"^INTERNAL"):
        explained(lambda: fail("INTERNAL: something else"))


def test_a_truncated_data_file(tmp_path):
    file = tmp_path / "train.tfrecord"
    with tf.io.TFRecordWriter(str(file)) as writer:
        writer.write(b"picture" * 100)
    file.write_bytes(file.read_bytes()[:300])
    with pytest.raises(OSError, match=r"restore them, then start again\. Received: .*truncated"):
        explained(lambda: list(tf.data.TFRecordDataset(str(file))))


def test_a_missing_picture(tmp_path):
    files = tf.data.Dataset.from_tensors(str(tmp_path / "gone.jpg")).map(tf.io.read_file)
    with pytest.raises(OSError, match=r"Received: .*gone\.jpg"):
        explained(lambda: list(files))


def test_an_error_of_the_network_is_raised_unchanged():
    with pytest.raises(tf.errors.InvalidArgumentError):
        explained(lambda: tf.matmul(tf.zeros((2, 3)), tf.zeros((2, 3))))


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_waits_for_the_end_of_the_step(number, status):
    before = signal.getsignal(number)
    with contextlib.ExitStack() as outside:
        end = outside.enter_context(pytest.raises(SystemExit))
        stop = outside.enter_context(deferred_signals())
        assert not stop.is_set()
        os.kill(os.getpid(), number)
        assert stop.is_set()
        stop.exit()
    assert end.value.code == status
    assert signal.getsignal(number) == before


@pytest.mark.slow
def test_a_signal_after_the_last_step_is_not_lost():
    before = signal.getsignal(signal.SIGTERM)
    with pytest.raises(SystemExit) as end, deferred_signals():
        os.kill(os.getpid(), signal.SIGTERM)
    assert end.value.code == 143
    assert signal.getsignal(signal.SIGTERM) == before


@pytest.mark.slow
def test_a_second_signal_ends_the_process_at_once():
    context = multiprocessing.get_context("spawn")
    process = context.Process(target=_receive_two_signals)
    process.start()
    process.join(60)
    assert process.exitcode == 130


def _receive_two_signals():
    with deferred_signals():
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)


def test_only_one_process_gets_a_lock(tmp_path):
    with locked(tmp_path), pytest.raises(ValueError, match=f"Another process.*Received: {tmp_path}"), locked(tmp_path):
        pass
    with locked(tmp_path):  # free again
        pass


def test_partial_files_of_a_killed_process_are_removed(tmp_path):
    users = {"log.csv", ".hidden", ".notes.2024.txt", "last/.kept.csv", "last/notes.txt"}
    for name in (*users, f"{PARTIAL}4194305-log.csv", f"last/{PARTIAL}4194305-epoch-00001.keras"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    remove_partial_files(tmp_path)
    assert {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()} == users


def test_a_temporary_folder_of_a_killed_process_is_removed_and_files_of_running_ones_are_kept(tmp_path):
    (tmp_path / f"{PARTIAL}4194305-x1y2").mkdir()
    (tmp_path / f"{PARTIAL}4194305-x1y2" / "best.onnx").write_text("")
    (tmp_path / f"{PARTIAL}{os.getppid()}-mistakes.csv").write_text("")
    remove_partial_files(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [f"{PARTIAL}{os.getppid()}-mistakes.csv"]


def test_a_folder_that_cannot_be_written():
    with (
        pytest.raises(OSError, match=r"Could not write /proc/log\.csv.*Received: "),
        atomic_write("/proc/log.csv") as temporary,
    ):
        temporary.write_text("")


@pytest.mark.slow
def test_too_large_a_step_ends_the_run_and_keeps_the_good_weights(pictures, tmp_path, monkeypatch):
    run, good = Run.create(tmp_path / "run"), []
    begin = trainer.LearningRate.on_epoch_begin

    def explode(self, epoch, logs=None):
        begin(self, epoch, logs)
        if epoch == 1:
            good.extend(self.model.get_weights())
            self.model.optimizer.learning_rate = 1e30

    monkeypatch.setattr(trainer.LearningRate, "on_epoch_begin", explode)
    with pytest.raises(ValueError, match=r"Received: (nan|inf) at (step \d|the validation) of epoch 2"):
        fit(pictures, run)
    last = checkpoints.newest(run.last)
    assert last.epochs == 1
    for one, other in zip(last.load().get_weights(), good, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.slow
def test_a_full_disk_keeps_the_checkpoint_before(pictures, tmp_path, monkeypatch):
    run, limits = Run.create(tmp_path / "run"), resource.getrlimit(resource.RLIMIT_FSIZE)

    def fill():
        size = checkpoints.newest(run.last).network.stat().st_size
        resource.setrlimit(resource.RLIMIT_FSIZE, (size // 2, limits[1]))

    after_the_first_epoch(monkeypatch, fill)
    try:
        with pytest.raises(OSError, match=r"Could not write .*\.keras.*Free some space.*Received: "):
            fit(pictures, run)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    monkeypatch.undo()
    assert checkpoints.newest(run.last).epochs == 1
    fit(pictures, run)  # there is room again
    assert [row["epoch"] for row in run.read_log()] == [1, 2, 3, 4]


@pytest.mark.slow
def test_pictures_that_vanish_while_training(pictures, tmp_path, monkeypatch):
    run = Run.create(tmp_path / "run")
    monkeypatch.setattr(pipeline, "_capacity", lambda side: 1)  # nothing is kept in memory
    after_the_first_epoch(monkeypatch, lambda: pictures.rename(tmp_path / "elsewhere"))
    with pytest.raises(OSError, match=r"restore them, then continue with --resume .*run\. Received: "):
        fit(pictures, run, dataclasses.replace(RECIPE, batch_size=4))
    assert checkpoints.newest(run.last).epochs >= 1
    shutil.move(tmp_path / "elsewhere", pictures)
    fit(pictures, run, dataclasses.replace(RECIPE, batch_size=4))
    assert len(run.read_log()) == 4
