"""The first `fit` warns once about pictures that were divided by 255, and nothing else changes."""

import dataclasses
import functools
import inspect
import warnings

import keras
import numpy as np
import pytest

from keras_alexnet.models import pixels
from keras_alexnet.models.alexnet import build
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.models.preprocessing import preprocess_input

DIVIDED = np.random.default_rng(0).random((8, 8, 8, 3), dtype="float32")
LABELS = np.arange(8) % 2
COMPILED = keras.backend.backend() == "jax"


def build_small(name="figure_1", **arguments):
    """A network with fast steps: figure 1's at its smallest size."""
    convolutions = {n: dataclasses.replace(row, filters=4) for n, row in ARCHITECTURES["figure_1"].convolutions.items()}
    row = dataclasses.replace(ARCHITECTURES[name], convolutions=convolutions, hidden=(), smallest_size=8)
    if row.initial_weights != "figure_1":
        row = dataclasses.replace(row, initial_weights="figure_1", norm=None, pool_rounding="same", top_size=None)
    model = build(row, input_shape=(8, 8, 3), classes=2, **arguments)
    model.compile("sgd", "sparse_categorical_crossentropy", jit_compile=COMPILED)
    return model


@functools.cache
def built():
    model = build_small()
    weights = model.get_weights()
    pixels.unwatch(model)
    model.fit(DIVIDED, LABELS, batch_size=4, verbose=0)  # Keras takes random numbers the first time
    return model, weights


def network():
    """A network as `build_small` returns it, one for all tests: they share its compiled step."""
    model, weights = built()
    model.set_weights(weights)
    pixels.watch_first_fit(model)
    return model


class Batches(keras.utils.PyDataset):
    def __init__(self, pictures):
        super().__init__()
        self.pictures = pictures

    def __len__(self):
        return 2

    def __getitem__(self, index):
        half = slice(4 * index, 4 * index + 4)
        return self.pictures[half], LABELS[half]


def dataset(pictures):
    tf = pytest.importorskip("tensorflow")
    return tf.data.Dataset.from_tensor_slices((pictures, LABELS)).shuffle(8).batch(4).prefetch(1)


def map_tensors(batches):
    return (tuple(map(keras.ops.convert_to_tensor, batches[n])) for n in range(2))


FORMS = {
    "array": lambda pictures: {"x": pictures, "y": LABELS, "batch_size": 4},
    "tensor": lambda pictures: {"x": keras.ops.convert_to_tensor(pictures), "y": LABELS, "batch_size": 4},
    "tf.data": lambda pictures: {"x": dataset(pictures)},
    "generator": lambda pictures: {"x": (Batches(pictures)[n] for n in range(2)), "steps_per_epoch": 2},
    "PyDataset": lambda pictures: {"x": Batches(pictures)},
    "generator of tensors": lambda pictures: {"x": map_tensors(Batches(pictures)), "steps_per_epoch": 2},
}
every_form = pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
quietly = pytest.mark.filterwarnings("ignore:`shuffle=True` was passed:UserWarning")  # Keras says so of a dataset


@quietly
@every_form
def test_a_warning_about_divided_pictures_appears_once(form):
    model = network()
    with pytest.warns(UserWarning, match=r"divided by 255.*preprocess_input.*Received: values from") as told:
        model.fit(**form(DIVIDED), verbose=0)
    assert len([each for each in told if "255" in str(each.message)]) == 1
    model.fit(**form(DIVIDED), verbose=0)  # a second warning would be an error here


@pytest.mark.any_backend
@quietly
@every_form
def test_pixel_values_up_to_255_are_right(form):
    network().fit(**form(255 * DIVIDED - 120), verbose=0)


@pytest.mark.slow
@quietly
@every_form
def test_looking_changes_no_number(form):
    weights = []
    for watched in (True, False):
        model = network()
        if not watched:
            pixels.unwatch(model)
        keras.utils.set_random_seed(1)
        with warnings.catch_warnings(action="ignore"):
            model.fit(**form(DIVIDED), epochs=2, verbose=0)
        weights.append(model.get_weights())
    for one, other in zip(*weights, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.any_backend
def test_an_empty_batch_is_not_divided():
    assert not pixels.seem_divided(np.zeros((0, 8, 8, 3), "float32"))
    assert preprocess_input(np.zeros((0, 8, 8, 3), "float32")).shape == (0, 8, 8, 3)


@pytest.mark.any_backend
def test_a_mask_of_zeros_and_ones_is_not_divided():
    mask = np.tile(np.eye(8, dtype="float32")[None, :, :, None], (2, 1, 1, 3))
    assert not pixels.seem_divided(mask)
    assert pixels.seem_divided(mask / 2)


@pytest.mark.any_backend
def test_a_network_that_subtracts_itself_says_so():
    model = build_small(include_preprocessing=True)
    with pytest.warns(UserWarning, match="subtracts the mean itself: do not divide"):
        model.fit(DIVIDED, LABELS, verbose=0)


@pytest.mark.any_backend
@pytest.mark.parametrize("name", ["one_weird_trick", "tflearn"])
def test_networks_that_expect_small_numbers_are_left_alone(name):
    model = build_small(name)
    assert "fit" not in vars(model)
    model.fit(DIVIDED, LABELS, verbose=0)


@pytest.mark.any_backend
def test_small_numbers_are_wrong_for_any_network_that_prepares_pictures_itself():
    with pytest.warns(UserWarning, match="do not divide"):
        build_small("one_weird_trick", include_preprocessing=True).fit(DIVIDED, LABELS, verbose=0)


@pytest.mark.any_backend
@pytest.mark.parametrize("pictures", [np.zeros_like(DIVIDED), np.full_like(DIVIDED, np.nan), (DIVIDED > 0.5) * 1])
def test_ambiguous_pictures_are_ignored(pictures):
    network().fit(pictures, LABELS, verbose=0)


@pytest.mark.any_backend
def test_pictures_that_came_prepared_are_right():
    network().fit(preprocess_input((255 * DIVIDED).astype("uint8")), LABELS, verbose=0)


@pytest.mark.any_backend
def test_pictures_that_were_divided_before_they_are_prepared():
    with pytest.warns(UserWarning, match="seem to have been divided by 255: pass pixel values 0 to 255"):
        preprocess_input(DIVIDED)
    with pytest.warns(UserWarning, match="Received: values from"):
        preprocess_input(DIVIDED[0], "one_weird_trick")
    preprocess_input(np.zeros((1, 8, 8, 3)))


@pytest.mark.slow
def test_the_network_stays_a_plain_keras_model(tmp_path):
    """Keras's method is restored after the first call, and copies and files are those of a plain model."""
    model = build_small()
    assert "fit" in vars(model)
    assert type(model) is type(keras.Model(model.input, model.output))
    assert "validation_data" in inspect.signature(model.fit).parameters
    model.save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    assert "fit" not in vars(loaded)
    assert "fit" not in vars(keras.models.clone_model(model))
    model.fit(255 * DIVIDED, LABELS, verbose=0)
    assert "fit" not in vars(model)
