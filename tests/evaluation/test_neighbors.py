import numpy as np
import pytest

from keras_alexnet.data import datasets
from keras_alexnet.evaluation import neighbors
from keras_alexnet.evaluation.classifier import Classifier


def test_a_training_picture_is_its_own_nearest_neighbor(small_run):
    classifier = Classifier.from_run(small_run)
    split = neighbors.training_split(small_run)
    training = neighbors.TrainingPictures.read(split, classifier)
    assert training.pictures.shape == (12, 76, 76, 3)
    for n in (0, 7):
        pictures, labels = training.nearest(training.descriptors[n], count=3)
        assert len(pictures) == len(labels) == 3
        np.testing.assert_array_equal(pictures[0], training.pictures[n])
        assert labels[0] == training.labels[n]


@pytest.mark.slow
def test_no_more_pictures_are_read_than_asked_for(small_run):
    split = neighbors.training_split(small_run)
    training = neighbors.TrainingPictures.read(split, Classifier.from_run(small_run), most=5)
    assert len(training.labels) == 5
    assert len(training.nearest(training.descriptors[0], count=9)[1]) == 5


def test_nothing_is_downloaded(small_run, tmp_path):
    made_with = small_run.read_json("recipe.json")
    made_with["options"] |= {"dataset": "cifar10:3.0.2", "data_dir": str(tmp_path)}
    small_run.write_json("recipe.json", made_with)
    assert not datasets.is_available(small_run.read_options(), None)
    with pytest.raises(ValueError, match=r"prepared on this machine\. Received: cifar10"):
        neighbors.training_split(small_run)
    assert list(tmp_path.glob("cifar10*")) == []


def test_pictures_that_are_gone_are_named(small_run, tmp_path):
    made_with = small_run.read_json("recipe.json")
    made_with["options"]["dataset"] = str(tmp_path / "gone")
    small_run.write_json("recipe.json", made_with)
    with pytest.raises(ValueError, match="gone"):
        neighbors.training_split(small_run)
