"""Runs that are killed at any moment and resume exactly.

Each life of a run is a process, forked from one that has TensorFlow imported. Networks are tiny, with dropout.
"""

import dataclasses
import functools
import json
import multiprocessing
import os
import signal
import socket
import time

import keras
import numpy as np
import pytest
from small_pictures import save_splits

from keras_alexnet.models.architectures import ARCHITECTURES, Architecture, Convolution
from keras_alexnet.recipes import Options, Recipe
from keras_alexnet.runs import Run
from keras_alexnet.training import checkpoints, strategies

TOY = Architecture(
    name="toy",
    summary="AlexNet's layers, of few units",
    convolutions={n: Convolution(8, 3, padding=1, then=("relu", "pool")[: 2 - n % 2]) for n in range(1, 6)},
    hidden=(16, 16),
    initial_weights="torch",
    smallest_size=8,
)
RECIPE = Recipe(
    architecture="toy", crop_size=16, resize_size=18, batch_size=8, epochs=3, learning_rate=0.001, patience=1
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Two classes that differ in color: 24 training pictures, three steps of 8 per epoch, and 8 validation pictures."""
    counts = {"train": (12, 12), "validation": (4, 4), "test": (1, 1)}
    return save_splits(tmp_path_factory.mktemp("survival") / "pictures", **counts)


def train(pictures, folder, recipe, options, devices, worker):
    """Run or resume training in a separate process."""
    from keras_alexnet.data import datasets
    from keras_alexnet.training import trainer

    ARCHITECTURES["toy"] = TOY
    signal.signal(signal.SIGTERM, lambda *_: os._exit(143))  # as fit.py does
    folder.mkdir(exist_ok=True)
    options = Options(dataset=str(pictures), precision="float32", deterministic=True, **options)
    if worker:
        os.environ["TF_CONFIG"] = worker
    strategy = strategies.create_strategy(virtual_devices=devices, kind="multiworker" if worker else "mirrored")
    trainer.fit(recipe, datasets.load(str(pictures)), Run(folder), options, strategy)


def start(pictures, folder, recipe=RECIPE, devices=None, worker=None, life=train, **options):
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["keras_alexnet.training.trainer"])
    process = context.Process(target=life, args=(pictures, folder, recipe, options, devices, worker))
    process.start()
    return process


def finish(process):
    process.join(120)
    assert process.exitcode == 0


def state(folder):
    """Everything that must be equal: the log, and all weights of the best network and of the last checkpoint."""
    last = checkpoints.newest(folder / "last")
    weights = keras.models.load_model(folder / "best.keras").get_weights()
    model = last.load()
    return (folder / "log.csv").read_text(), last.seeds, [*weights, *(np.array(v) for v in model.variables)]


def assert_same(folder, unbroken):
    (log, seeds, weights), (expected_log, expected_seeds, expected) = state(folder), unbroken
    assert (log, seeds) == (expected_log, expected_seeds)
    for one, other in zip(weights, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.fixture(scope="module")
def unbroken(pictures, tmp_path_factory):
    folder = tmp_path_factory.mktemp("unbroken") / "run"
    finish(start(pictures, folder))
    return state(folder)


def asides(folder):
    return {path.name for path in (folder / "last").glob(".*")}


def saves(folder):
    return {path.name for path in (folder / "last").glob("epoch-*.json")}


def kill(process, folder, random, while_saving):
    """Kill after some progress, while a checkpoint is being written or at any moment. Return whether it was killed."""
    before, seen, wanted = saves(folder), set(), int(random.integers(1, 3))
    delay = random.uniform(0, 0.02 if while_saving else 0.3)
    while process.is_alive():
        seen |= saves(folder) - before
        if len(seen) >= wanted and (asides(folder) or not while_saving):
            time.sleep(delay)
            process.kill()
            process.join()
            return process.exitcode == -signal.SIGKILL
        time.sleep(0.001)
    return False


def live_and_die(pictures, folder, random, kills):
    """Kill and resume one run. Return the number of kills, and of those with a partial checkpoint."""
    killed, half_written = 0, 0
    while True:
        process = start(pictures, folder, checkpoint_steps=1)
        if killed < kills and kill(process, folder, random, while_saving=killed % 2 == 0):
            killed, half_written = killed + 1, half_written + bool(asides(folder))
        else:
            finish(process)
            return killed, half_written


@pytest.mark.slow
def test_a_killed_and_resumed_run_equals_an_uninterrupted_one(pictures, unbroken, tmp_path):
    killed, _ = live_and_die(pictures, tmp_path / "run", np.random.default_rng(0), kills=2)
    assert killed == 2
    assert_same(tmp_path / "run", unbroken)
    assert not list((tmp_path / "run").rglob(".*.*"))  # nothing half written is left


@pytest.mark.slow
def test_thirty_kills(pictures, unbroken, tmp_path):
    """Kill until 30 kills are survived, of which at least 15 left a partial checkpoint."""
    killed = half_written = runs = 0
    while killed < 30 or half_written < 15:
        folder = tmp_path / f"run-{runs}"
        died, half = live_and_die(pictures, folder, np.random.default_rng(runs), kills=10)
        assert_same(folder, unbroken)
        killed, half_written, runs = killed + died, half_written + half, runs + 1
    print(f"{killed} kills survived, {half_written} with a checkpoint half written, in {runs} runs")


def terminate(process, folder):
    """Send SIGTERM after the first epoch. Return the exit status and the seconds until the exit."""
    while not saves(folder):
        assert process.is_alive()
        time.sleep(0.01)
    started = time.perf_counter()
    os.kill(process.pid, signal.SIGTERM)
    process.join(60)
    return process.exitcode, time.perf_counter() - started


@pytest.mark.slow
def test_sigterm_stops_within_seconds(pictures, tmp_path):
    recipe = dataclasses.replace(RECIPE, epochs=200)
    process = start(pictures, tmp_path / "run", recipe)
    status, seconds = terminate(process, tmp_path / "run")
    assert status == 143
    assert seconds < 10


def stop_at(event, *life):
    """A process that gets a stop signal in the first step of training or of validation."""
    from keras_alexnet.training.callbacks import CheckpointWriter

    saved = getattr(CheckpointWriter, event)

    def stop_and_save(self, batch, logs=None):
        self.stop.signal = signal.SIGTERM
        saved(self, batch, logs)

    setattr(CheckpointWriter, event, stop_and_save)
    train(*life)


@pytest.mark.slow
@pytest.mark.parametrize(("event", "steps"), [("on_train_batch_end", 1), ("on_test_batch_end", 3)])
def test_a_stop_saves_within_the_epoch(pictures, unbroken, tmp_path, event, steps):
    """In a validation the epoch's steps are behind it, and are not done again."""
    folder = tmp_path / "run"
    process = start(pictures, folder, life=functools.partial(stop_at, event))
    process.join(120)
    assert process.exitcode == 143
    stopped = checkpoints.newest(folder / "last")
    assert (stopped.epochs, stopped.steps) == (0, steps)
    assert not (folder / "log.csv").exists()
    finish(start(pictures, folder))
    assert_same(folder, unbroken)


def without_validation(life, *arguments):
    from keras_alexnet.data import datasets

    load = datasets.load

    def load_without_validation(name):
        data = load(name)
        return dataclasses.replace(data, splits={split: data.splits[split] for split in ("train", "test")})

    datasets.load = load_without_validation
    life(*arguments)


@pytest.mark.slow
def test_a_stop_in_the_last_step_without_validation(pictures, tmp_path):
    options = {"recipe": dataclasses.replace(RECIPE, epochs=2, schedule="cosine"), "steps_per_epoch": 1}
    whole = functools.partial(without_validation, train)
    finish(start(pictures, tmp_path / "unbroken", life=whole, **options))
    stopping = functools.partial(without_validation, functools.partial(stop_at, "on_train_batch_end"))
    process = start(pictures, tmp_path / "run", life=stopping, **options)
    process.join(120)
    assert process.exitcode == 143
    finish(start(pictures, tmp_path / "run", life=whole, **options))
    assert_same(tmp_path / "run", state(tmp_path / "unbroken"))


@pytest.mark.slow
def test_stopped_again_and_again_by_sigterm(pictures, unbroken, tmp_path):
    """At any moment after training starts, the exit status is that of a stop, and nothing is lost."""
    folder, random, stops = tmp_path / "run", np.random.default_rng(0), 0
    for _ in range(12):
        before = set(folder.rglob("*tfevents*"))
        process = start(pictures, folder)
        while process.is_alive() and not set(folder.rglob("*tfevents*")) - before:
            time.sleep(0.01)
        time.sleep(random.uniform(0, 3))
        process.terminate()
        process.join(60)
        if process.exitcode == 0:
            break
        assert process.exitcode == 143
        stops += 1
    finish(start(pictures, folder))
    assert_same(folder, unbroken)
    assert stops > 0


@pytest.mark.slow
def test_two_replicas_are_resumed_exactly(pictures, tmp_path):
    finish(start(pictures, tmp_path / "whole", devices=2))
    process = start(pictures, tmp_path / "killed", devices=2, checkpoint_steps=1)
    assert kill(process, tmp_path / "killed", np.random.default_rng(1), while_saving=True)
    finish(start(pictures, tmp_path / "killed", devices=2))
    one, other = state(tmp_path / "killed"), state(tmp_path / "whole")
    np.testing.assert_allclose(numbers(one[0]), numbers(other[0]), rtol=1e-6)  # sums of the replicas are joined sooner
    assert one[1] == other[1]
    for a, b in zip(one[2], other[2], strict=True):
        np.testing.assert_array_equal(a, b)


def start_two_workers(pictures, folder, recipe):
    """On free loopback ports."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    places = ({"cluster": {"worker": addresses}, "task": {"type": "worker", "index": n}} for n in range(2))
    return [start(pictures, folder, recipe, worker=json.dumps(place)) for place in places]


def numbers(log):
    return [[float(value) for value in row.split(",")] for row in log.splitlines()[1:]]


@pytest.mark.slow
def test_two_workers_train_as_one_process_and_resume_after_one_was_lost(pictures, tmp_path):
    """Without dropout, which every worker draws for its own share of the batch."""
    recipe = dataclasses.replace(RECIPE, dropout=0.0)
    finish(start(pictures, tmp_path / "one", recipe))
    folder = tmp_path / "run"
    workers = start_two_workers(pictures, folder, recipe)
    while not saves(folder):
        assert all(each.is_alive() for each in workers)
        time.sleep(0.01)
    workers[1].kill()
    workers[0].join(60)
    assert workers[0].exitcode == 1  # it has noticed
    assert len(numbers((folder / "log.csv").read_text())) < RECIPE.epochs
    for each in start_two_workers(pictures, folder, recipe):
        finish(each)
    np.testing.assert_allclose(numbers(state(folder)[0]), numbers(state(tmp_path / "one")[0]), atol=1e-4)


@pytest.mark.slow
def test_the_second_process_on_a_run_is_refused(pictures, tmp_path):
    from keras_alexnet.files import locked

    folder = tmp_path / "run"
    folder.mkdir()
    with locked(folder):
        process = start(pictures, folder)
        process.join(60)
    assert process.exitcode == 1
    assert not list(folder.iterdir())
