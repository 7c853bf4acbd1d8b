"""`build(include_preprocessing=True)`: the input has pixel values 0 to 255, and everything else stays the same."""

import dataclasses
import functools

import keras
import numpy as np
import pytest
from keras import ops
from small_networks import ZEROS

from keras_alexnet.models.alexnet import build
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.models.preprocessing import preprocess_input
from keras_alexnet.models.summary import layer_costs, sketch
from keras_alexnet.training.optimizers import PaperSGD

SHAPE, CLASSES = (67, 67, 3), 4
PICTURES = np.random.default_rng(0).integers(0, 256, (4, *SHAPE), np.uint8)


def network(name="caffe", **arguments):
    row = dataclasses.replace(ARCHITECTURES[name], hidden=(24, 16))
    return build(row, **{"input_shape": SHAPE, "classes": CLASSES, "name": f"alexnet_{name}"} | arguments)


def numbers(tensor):
    return ops.convert_to_numpy(ops.cast(tensor, "float32"))


@functools.cache
def pair_of(name):
    """A network without and with preprocessing, with the same weights."""
    outside, inside = network(name), network(name, include_preprocessing=True, initial_weights=ZEROS)
    inside.set_weights(outside.get_weights())
    return outside, inside


@pytest.fixture
def pair():
    return pair_of("caffe")


@pytest.mark.parametrize(
    "name",
    [
        *("caffe", "source_low_resolution"),
        *(pytest.param(name, marks=pytest.mark.slow) for name in ("one_weird_trick", "tflearn")),
    ],
)
def test_answers_are_those_for_preprocessed_pictures(name):
    """Compare with an explicit `(pixels - mean) / std`."""
    row = ARCHITECTURES[name]
    outside, inside = pair_of(name)
    expected = numbers(outside((PICTURES - np.float32(row.mean)) / np.float32(row.std)))
    assert np.ptp(expected, axis=0).max() > 1e-6
    np.testing.assert_allclose(numbers(inside(PICTURES)), expected, atol=1e-5)
    np.testing.assert_allclose(numbers(inside(PICTURES.astype("float32"))), expected, atol=1e-5)


def test_a_mean_alone_is_subtracted_to_the_last_bit(pair):
    outside, inside = pair
    np.testing.assert_array_equal(numbers(inside(PICTURES)), numbers(outside(preprocess_input(PICTURES, "caffe"))))


def test_the_default_has_no_such_layer(pair):
    outside, inside = pair
    names = [layer.name for layer in inside.layers]
    assert names[:3] == ["image", "preprocessing", "conv1"]
    assert [layer.name for layer in outside.layers] == [name for name in names if name != "preprocessing"]
    assert inside.count_params() == outside.count_params()


@pytest.mark.slow
@pytest.mark.any_backend
def test_half_precision_subtracts_in_float32(pair):
    """In bfloat16 a mean of 122.679 would be 122.5."""
    keras.config.set_dtype_policy("mixed_bfloat16")
    mixed = network(include_preprocessing=True)
    prepared = keras.Model(mixed.input, mixed.get_layer("preprocessing").output)
    np.testing.assert_array_equal(numbers(prepared(PICTURES)), preprocess_input(PICTURES, "caffe"))
    mixed.set_weights(pair[0].get_weights())
    np.testing.assert_allclose(numbers(mixed(PICTURES)), numbers(pair[1](PICTURES)), atol=0.03)


def test_any_size_without_the_top():
    maps = network(include_top=False, input_shape=None, include_preprocessing=True)
    assert maps.output_shape == (None, None, None, 256)
    assert numbers(maps(PICTURES)).shape == (4, 1, 1, 256)


@pytest.mark.any_backend
def test_sketch_and_costs_know_it():
    assert "preprocessing" in [cost.name for cost in layer_costs(sketch("paper", include_preprocessing=True))]


def test_gray_pictures_are_refused():
    with pytest.raises(ValueError, match=r"needs an input of three channels.*Received: input_shape=\(67, 67, 1\)"):
        sketch("paper", input_shape=(67, 67, 1), include_preprocessing=True)


# Files


@pytest.mark.parametrize("file", ["net.keras", "net.weights.h5"])
@pytest.mark.parametrize("saved", [0, 1], ids=["outside", "inside"])
def test_weights_pass_between_the_two_kinds(pair, tmp_path, file, saved):
    model, other = pair[saved], pair[1 - saved]
    model.save(tmp_path / file) if file.endswith(".keras") else model.save_weights(tmp_path / file)
    for inside in (False, True):
        again = network(weights=tmp_path / file, include_preprocessing=inside, initial_weights=ZEROS)
        for array, expected in zip(again.get_weights(), other.get_weights(), strict=True):
            np.testing.assert_array_equal(array, expected)


@pytest.mark.slow
def test_a_saved_network_gives_the_same_answers(pair, tmp_path):
    pair[1].save(tmp_path / "net.keras")
    loaded = keras.models.load_model(tmp_path / "net.keras")
    np.testing.assert_array_equal(numbers(loaded(PICTURES)), numbers(pair[1](PICTURES)))


@pytest.mark.slow
@pytest.mark.any_backend
def test_a_file_of_it_is_predicted_with_pixels_as_they_are(pair, tmp_path):
    tf = pytest.importorskip("tensorflow")
    from keras_alexnet.evaluation.classifier import Classifier  # here: the other tests load no TensorFlow on JAX

    for name, model in zip(("outside", "inside"), pair, strict=True):
        model.save(tmp_path / f"{name}.keras")
    square = tf.data.Dataset.from_tensors((np.random.default_rng(1).integers(0, 256, (76, 76, 3), np.uint8), 0))
    answers = []
    for name in ("outside", "inside"):
        classifier = Classifier.open(tmp_path / f"{name}.keras")
        ((images, _),) = classifier.batches(square).as_numpy_iterator()
        answers.append(numbers(classifier.model(images)))
    np.testing.assert_allclose(*answers, atol=1e-6)


# Training


@pytest.mark.slow
def test_fine_tuning_trains_the_same_layers(pair, tmp_path, capsys):
    pair[0].save(tmp_path / "net.keras")
    model = network(weights=tmp_path / "net.keras", classes=3, include_preprocessing=True)
    assert "fc8: new, for 3 classes; the file has 4" in capsys.readouterr().out
    frozen = model.get_layer("conv1").get_weights()[0]
    for layer in model.layers[:-1]:
        layer.trainable = False
    model.compile(PaperSGD(0.01), "sparse_categorical_crossentropy", jit_compile=keras.backend.backend() == "jax")
    head = model.get_layer("fc8").get_weights()[0]
    model.fit(PICTURES, np.array([0, 1, 2, 0]), batch_size=4, verbose=0)
    assert np.abs(model.get_layer("fc8").get_weights()[0] - head).max() > 0
    np.testing.assert_array_equal(model.get_layer("conv1").get_weights()[0], frozen)
