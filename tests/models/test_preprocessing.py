"""Preprocessing of pixels, and decoding of outputs to class names."""

import dataclasses
import json
import pathlib

import keras
import numpy as np
import pytest
from keras import ops
from keras.applications import imagenet_utils

from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.models.preprocessing import decode_predictions, preprocess_input

PICTURES = np.random.default_rng(0).integers(0, 256, (2, 4, 5, 3), "uint8")


@pytest.mark.parametrize("name", ["paper", "source", "single_tower", "half"])
def test_the_paper_subtracts_the_mean(name):
    expected = PICTURES - np.array([123.68, 116.779, 103.939])
    np.testing.assert_allclose(preprocess_input(PICTURES, name), expected, atol=1e-4)


def test_is_that_of_keras_in_rgb():
    """Keras's "caffe" mode is the same subtraction, but in BGR."""
    expected = imagenet_utils.preprocess_input(PICTURES.astype("float32"), mode="caffe", data_format="channels_last")
    np.testing.assert_allclose(preprocess_input(PICTURES), expected[..., ::-1], atol=1e-4)


def test_one_weird_trick_is_that_of_torch():
    expected = imagenet_utils.preprocess_input(PICTURES.astype("float32"), mode="torch", data_format="channels_last")
    np.testing.assert_allclose(preprocess_input(PICTURES, "one_weird_trick"), expected, atol=1e-5)


def test_tflearn_divides_by_255():
    np.testing.assert_allclose(preprocess_input(PICTURES, "tflearn"), PICTURES / 255.0, atol=1e-6)


def test_caffe_keeps_red_first():
    expected = PICTURES - np.array([122.679, 116.669, 104.007])
    np.testing.assert_allclose(preprocess_input(PICTURES, "caffenet"), expected, atol=1e-4)


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_arrays_tensors_and_keras_tensors_alike(name):
    array = preprocess_input(PICTURES, name)
    assert array.dtype == "float32"
    tensor = preprocess_input(ops.convert_to_tensor(PICTURES), name)
    np.testing.assert_allclose(ops.convert_to_numpy(tensor), array, atol=1e-4)
    symbol = keras.Input((4, 5, 3), dtype="uint8")
    model = keras.Model(symbol, preprocess_input(symbol, name))
    np.testing.assert_allclose(ops.convert_to_numpy(model(PICTURES)), array, atol=1e-4)


def test_an_architecture_of_ones_own_has_its_own_mean():
    own = dataclasses.replace(ARCHITECTURES["paper"], mean=(1.0, 2.0, 3.0), std=(2.0, 2.0, 2.0))
    np.testing.assert_allclose(preprocess_input(PICTURES, own), (PICTURES - np.array([1.0, 2.0, 3.0])) / 2)


def test_inside_tf_data_on_any_backend():
    tf = pytest.importorskip("tensorflow")
    pictures = tf.data.Dataset.from_tensors(PICTURES).map(lambda picture: preprocess_input(picture, "one_weird_trick"))
    (received,) = pictures.as_numpy_iterator()
    np.testing.assert_allclose(received, preprocess_input(PICTURES, "one_weird_trick"), atol=1e-5)


def test_images_are_not_changed():
    floats = PICTURES.astype("float32")
    preprocess_input(floats)
    np.testing.assert_array_equal(floats, PICTURES)


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (2, 3, 4, 5), (1, 2, 4, 5, 3)])
def test_images_must_be_rgb(shape):
    with pytest.raises(ValueError, match=r"\(height, width, 3\).*Received: shape=\("):
        preprocess_input(np.zeros(shape))


@pytest.mark.parametrize("batch", [slice(None), 0], ids=["batch", "one image"])
@pytest.mark.parametrize("convert", [np.asarray, ops.convert_to_tensor], ids=["array", "tensor"])
def test_channels_first_as_in_keras_applications(batch, convert):
    images = PICTURES[batch]
    first = preprocess_input(convert(np.moveaxis(images, -1, -3)), "one_weird_trick", data_format="channels_first")
    expected = preprocess_input(images, "one_weird_trick", data_format="channels_last")
    np.testing.assert_allclose(np.moveaxis(ops.convert_to_numpy(first), -3, -1), expected, rtol=1e-6)


def test_data_format_must_be_known():
    with pytest.raises(ValueError, match="Received: data_format='last'"):
        preprocess_input(PICTURES, data_format="last")
    with pytest.raises(ValueError, match=r"shape \(3, height, width\).*Received: shape=\(2, 4, 5, 3\)"):
        preprocess_input(PICTURES, data_format="channels_first")


def test_unknown_architecture():
    with pytest.raises(ValueError, match="Received: 'papper'"):
        preprocess_input(PICTURES, "papper")


# Names of classes

PROBABILITIES = np.array([[0.1, 0.2, 0.7], [0.5, 0.3, 0.2]], "float32")
NAMES = ["daisy", "rose", "tulip"]
BEST = [[("2", "tulip"), ("1", "rose")], [("0", "daisy"), ("1", "rose")]]


def test_most_probable_first():
    decoded = decode_predictions(ops.convert_to_tensor(PROBABILITIES), top=2, class_names=NAMES)
    assert [[each[:2] for each in row] for row in decoded] == BEST
    assert decoded[0][0][2] == pytest.approx(0.7)


@pytest.mark.parametrize("kind", [str, lambda path: path])
def test_names_of_a_file(tmp_path, kind):
    path = tmp_path / "classes.txt"
    path.write_text("\ufeffdaisy\nrose\ntulip\n\n", encoding="utf-8")  # as some editors save it
    decoded = decode_predictions(PROBABILITIES, top=2, class_names=kind(path))
    assert [[each[:2] for each in row] for row in decoded] == BEST


def test_top_may_exceed_the_number_of_classes():
    assert len(decode_predictions(PROBABILITIES, class_names=NAMES)[0]) == 3


@pytest.mark.parametrize("probabilities", [PROBABILITIES[:, :2], PROBABILITIES[0]])
def test_names_must_match_the_classes(probabilities):
    with pytest.raises(ValueError, match=r"\(batch, 3\).*Received: \("):
        decode_predictions(probabilities, class_names=NAMES)


def test_names_of_imagenet_are_those_of_keras(tmp_path, monkeypatch):
    index = tmp_path / "imagenet_class_index.json"
    index.write_text(json.dumps({str(n): [f"n{n:08}", f"thing_{n}"] for n in reversed(range(1000))}))
    monkeypatch.setattr("keras.src.applications.imagenet_utils.CLASS_INDEX", json.loads(index.read_text()))
    probabilities = np.random.default_rng(0).random((2, 1000))
    expected = keras.applications.imagenet_utils.decode_predictions(probabilities, top=3)
    monkeypatch.setenv("KERAS_ALEXNET_WEIGHTS", str(tmp_path))
    assert decode_predictions(probabilities, top=3) == expected


def test_names_of_imagenet_without_a_connection(tmp_path, monkeypatch):
    def get_file(*_, **__):
        raise Exception("URL fetch failure")

    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.setattr(keras.utils, "get_file", get_file)
    with pytest.raises(ValueError, match=r"imagenet_class_index.json as .*Received: URL fetch failure"):
        decode_predictions(np.eye(1000)[[7]])


def test_classes_other_than_imagenets_need_names(monkeypatch):
    monkeypatch.setattr("keras_alexnet.weights.imagenet_classes.imagenet_classes", lambda: [("n0", "thing")] * 1000)
    with pytest.raises(ValueError, match=r"1000.*Pass `class_names`"):
        decode_predictions(PROBABILITIES)


@pytest.mark.parametrize("top", [0, -1, 2.5, True, "5", None])
def test_at_least_one_class_is_asked_for(top):
    with pytest.raises(ValueError, match=rf"`top` must be an integer of at least 1\. Received: top={top!r}"):
        decode_predictions(PROBABILITIES, top=top, class_names=NAMES)


@pytest.mark.parametrize("kind", ["uint8", "int64", "bool"])
def test_one_hot_predictions_of_integers(kind):
    decoded = decode_predictions(np.eye(3, dtype=kind)[[1]], top=1, class_names=NAMES)
    assert decoded == [[("1", "rose", 1.0)]]


def test_lists_of_predictions_and_names_of_numpy():
    ((_, name, _),), _ = decode_predictions(PROBABILITIES.tolist(), 1, np.array(NAMES))
    assert type(name) is str


@pytest.mark.parametrize(
    ("probabilities", "received"),
    [([["daisy", "rose", "tulip"]], "list of <U5"), (1j * PROBABILITIES, "ndarray of complex64"), (None, "NoneType")],
)
def test_predictions_must_be_real_numbers(probabilities, received):
    with pytest.raises(ValueError, match=rf"`probabilities` must be .* real numbers\. Received: {received}"):
        decode_predictions(probabilities, class_names=NAMES)


@pytest.mark.parametrize(
    ("images", "received"),
    [
        ("daisy.jpg", "str of <U9"),
        (pathlib.Path("daisy.jpg"), "PosixPath of object"),
        (np.ones((2, 2, 3)) * 1j, "ndarray of complex128"),
        (None, "NoneType of object"),
    ],
)
def test_images_must_be_real_numbers(images, received):
    with pytest.raises(ValueError, match=rf"`images` must be .* real numbers\. Received: {received}"):
        preprocess_input(images)


def test_a_dataset_of_tensorflow_is_no_image():
    tf = pytest.importorskip("tensorflow")
    with pytest.raises(ValueError, match=r"`images` must be .* real numbers\. Received: \w*Dataset of object"):
        preprocess_input(tf.data.Dataset.from_tensor_slices(np.ones((1, 2, 2, 3))))


@pytest.mark.parametrize("names", [{0: "daisy", 1: "rose", 2: "tulip"}, {"daisy", "rose", "tulip"}, 3])
def test_class_names_need_an_order(names):
    with pytest.raises(ValueError, match=r"`class_names` must be a list in the order of the classes\."):
        decode_predictions(PROBABILITIES, class_names=names)
