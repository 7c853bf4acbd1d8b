"""Top-1 and top-5 error, also where classes tie or the network says nothing."""

import keras
import numpy as np
import pytest
from sklearn.metrics import top_k_accuracy_score

from keras_alexnet.evaluation.metrics import TopKError


def error(k, labels, scores, **kwargs):
    metric = TopKError(k)
    metric.update_state(np.array(labels), np.array(scores, "float32"), **kwargs)
    return float(metric.result())


@pytest.mark.parametrize("k", [1, 3, 5, 9])
def test_is_that_of_scikit_learn(k):
    generator = np.random.default_rng(0)
    labels, scores = generator.integers(0, 10, 50), generator.random((50, 10))
    expected = 1 - top_k_accuracy_score(labels, scores, k=k, labels=range(10))
    assert error(k, labels, scores) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("k", "scores", "expected"),
    [
        (1, [0.6, 0.2, 0.1, 0.1], 0),
        (1, [0.2, 0.6, 0.1, 0.1], 1),
        (2, [0.2, 0.6, 0.1, 0.1], 0),
        (1, [0.25, 0.25, 0.25, 0.25], 1),  # a network that says nothing
        (3, [0.25, 0.25, 0.25, 0.25], 1),
        (1, [0.4, 0.4, 0.1, 0.1], 1),  # a tie counts against it
        (2, [0.4, 0.4, 0.1, 0.1], 0),
        (1, [np.nan] * 4, 1),
        (3, [np.nan] * 4, 1),
        (1, [0.6, np.nan, 0.1, 0.1], 1),
        (4, [0.1, 0.2, 0.3, 0.4], 0),  # every class is among four
        (5, [0.1, 0.2, 0.3, 0.4], 0),
    ],
)
def test_one_image_of_class_zero(k, scores, expected):
    assert error(k, [0], [scores]) == expected


def test_batches_are_averaged_by_image():
    metric = TopKError(1)
    metric.update_state(np.array([0, 0, 0]), np.array([[0.9, 0.1]] * 3))
    metric.update_state(np.array([[0]]), np.array([[0.1, 0.9]]))
    assert float(metric.result()) == 0.25
    metric.reset_state()
    assert float(metric.result()) == 0


def test_weights_of_images():
    assert error(1, [0, 0], [[0.9, 0.1], [0.1, 0.9]], sample_weight=np.array([3.0, 1.0])) == 0.25


def test_config_makes_the_metric_again():
    config = TopKError(3, name="again").get_config()
    assert TopKError.from_config(config).get_config() == config
    assert TopKError(5).name == "top5_error"


def test_serves_in_fit_and_comes_back_from_a_file(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[TopKError(1), TopKError(5)])
    x, labels = np.random.default_rng(0).random((8, 4)), np.arange(8) % 6
    model.fit(x, labels, verbose=0)
    expected = model.evaluate(x, labels, verbose=0, return_dict=True)
    assert {"top1_error", "top5_error"} <= set(expected)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(x, labels, verbose=0, return_dict=True) == pytest.approx(expected)
