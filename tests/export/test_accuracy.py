"""The top-1 errors of a network and of its export are measured on the same pictures."""

import numpy as np
import pytest
from PIL import Image

from keras_alexnet.data import datasets
from keras_alexnet.evaluation.classifier import Classifier
from keras_alexnet.export import accuracy
from keras_alexnet.models.alexnet import build
from keras_alexnet.recipes import Recipe

SIZE = 67


def test_errors_of_both():
    """Of five pictures, the network gets one wrong and the export three. The shade of a picture is its number."""
    pictures = np.uint8(np.arange(5)[:, None, None, None] * np.ones((2, 2, 3)))
    batches = [(pictures[:3], np.array([0, 1, 2])), (pictures[3:], np.array([0, 0]))]

    def answering(*classes):
        return lambda images: np.eye(3)[np.array(classes)[images[:, 0, 0, 0]]]

    measured = accuracy.measure(answering(0, 1, 2, 0, 1), answering(0, 1, 1, 1, 1), batches)
    assert (measured.pictures, measured.network, measured.export) == (5, 0.2, 0.6)


@pytest.mark.parametrize(("network", "export", "passes"), [(0.5, 0.51, True), (0.5, 0.52, False), (0.5, 0.2, True)])
def test_limit(network, export, passes):
    measured = accuracy.Accuracy(100, network, export)
    if passes:
        measured.check("int8")
    else:
        with pytest.raises(
            ValueError, match=r"at most 1 point higher.*Received: int8 weights with 52\.0 % instead of 50"
        ):
            measured.check("int8")


def test_one_of_few_pictures_may_change():
    accuracy.Accuracy(10, 0.1, 0.2).check("int8")
    with pytest.raises(ValueError, match="on 10 pictures"):
        accuracy.Accuracy(10, 0.1, 0.3).check("int8")


def test_crops_and_labels(tmp_path):
    """The crops are the centers of the resized pictures, and the labels positions among the network's outputs."""
    shades = {"apple": 50, "pear": 200}
    for split in ("train", "validation", "test"):
        for name, shade in shades.items():
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            picture = np.zeros((SIZE + 9, SIZE + 9, 3), np.uint8)
            picture[4:-5, 4:-5] = shade
            Image.fromarray(picture).save(folder / "1.png")
    data = datasets.load(tmp_path)
    model = build(input_shape=(SIZE, SIZE, 3), classes=2)
    classifier = Classifier(model, ("pear", "apple"), Recipe(crop_size=SIZE, resize_size=SIZE + 9, mean="architecture"))
    ((images, labels),) = accuracy.labeled_crops(classifier, data)
    assert (images.shape, images.dtype) == ((2, SIZE, SIZE, 3), np.uint8)
    assert {int(label): set(image.ravel().tolist()) for image, label in zip(images, labels, strict=True)} == {
        1: {50},
        0: {200},
    }
