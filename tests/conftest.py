import gc
import itertools
import os
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "tensorflow")  # before Keras is imported, or a user's ~/.keras decides
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")  # errors only
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")  # they take longer than toy networks run
# What JAX has compiled is compiled once, for all processes and for the next time.
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(Path(__file__).parents[1] / ".pytest_cache" / "jax"))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
if "PYTEST_XDIST_WORKER" in os.environ:  # one of several processes: a thread each, or they wait for one another
    for library in ("TF_NUM_INTRAOP", "TF_NUM_INTEROP", "OMP_NUM"):
        os.environ.setdefault(f"{library}_THREADS", "1")


def pytest_collection_finish():
    """Leave everything that has been imported out of the garbage collections during the tests, to save time."""
    gc.freeze()


def pytest_runtest_setup(item):
    """Skip a test if the photographs are missing."""
    if item.get_closest_marker("realdata"):
        folder = os.environ.get("TFDS_DATA_DIR")
        if not folder:
            pytest.skip("TFDS_DATA_DIR is not set: it names the folder that holds oxford_flowers102")
        if not (Path(folder).expanduser() / "oxford_flowers102").is_dir():
            pytest.skip(f"oxford_flowers102 is not under TFDS_DATA_DIR={folder}")


@pytest.fixture(autouse=True)
def _as_if_alone():
    """Give every test the same random numbers and float32, since training sets the precision globally."""
    import keras  # after the environment above

    keras.utils.set_random_seed(0)
    keras.config.set_dtype_policy("float32")
    yield
    keras.config.set_dtype_policy("float32")  # for the fixtures of the next


SPECIES = ("<b>rose & co", "daisy", "tulip")
PROVENANCE = {  # of the small run, beside its recipe and its options
    "data": "pictures: 3 classes",
    "command": "python scripts/fit.py --dataset pictures",
    "commit": None,
    "date": "2026-01-01",
    "machine": "Linux",
    "devices": 1,
    "precision": "float32",
    "backend": "tensorflow",
    "versions": {"keras": "3"},
}


def _small_network(classes):
    """Layers named as AlexNet's, of few units, and without the normalization that takes seconds to compile."""
    from keras import Input, Model, initializers, layers, utils

    utils.set_random_seed(0)  # a fixture of the session is made before a test's seed
    image = Input((67, 67, 3))
    x = layers.ReLU(name="relu1")(layers.Conv2D(96, 11, strides=4, name="conv1")(image))
    x = layers.Flatten()(layers.MaxPooling2D(3, 2, name="pool1")(x))
    x = layers.Dense(32, activation="relu", name="fc6")(x)
    x = layers.Dense(16, activation="relu", name="fc7")(x)
    small = initializers.RandomNormal(stddev=0.003)  # or one class would have all the probability
    return Model(image, layers.Dense(classes, activation="softmax", name="fc8", kernel_initializer=small)(x))


@pytest.fixture(scope="session")
def _small_run(tmp_path_factory):
    """A run folder as training leaves it, of a small network, and the pictures it belongs to."""
    import dataclasses

    import numpy as np
    from small_pictures import save_picture

    from keras_alexnet import recipes
    from keras_alexnet.data.statistics import Statistics
    from keras_alexnet.runs import Run

    folder = tmp_path_factory.mktemp("small")
    places = itertools.product(("train", "validation", "test"), SPECIES, range(4))
    for seed, (split, name, n) in enumerate(places):
        save_picture(folder / "pictures" / split / name / f"{n}.png", seed, (80 + n, 90))
    run = Run.create(folder / "small-1")
    recipe = recipes.Recipe(crop_size=67, resize_size=76, epochs=2, batch_size=4)
    options = recipes.Options(dataset=str(folder / "pictures"))
    settings = {"recipe": dataclasses.asdict(recipe), "options": dataclasses.asdict(options)}
    run.write_json("recipe.json", settings | PROVENANCE)
    run.write_classes(SPECIES)
    rows = [
        {"epoch": n, "learning_rate": 0.01 / n}
        | {f"{prefix}{name}": 1 / n for prefix in ("", "val_") for name in ("loss", "top1_error", "top5_error")}
        for n in (1, 2)
    ]
    run.write_log(rows)
    mean = np.full((76, 76, 3), 128, np.float32)
    Statistics(mean, np.float32([1, 2, 3]), np.eye(3, dtype=np.float32)).save(run.statistics)
    run.write_network(_small_network(len(SPECIES)))
    return run


@pytest.fixture
def small_run(_small_run, tmp_path):
    """A run to write into; its pictures lie beside it."""
    import shutil

    from keras_alexnet.runs import Run

    return Run(shutil.copytree(_small_run.folder, tmp_path / _small_run.folder.name))
