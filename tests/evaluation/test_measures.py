import math

import numpy as np
import pytest
from sklearn.metrics import log_loss, top_k_accuracy_score

from keras_alexnet.evaluation import metrics


@pytest.fixture
def said():
    """Probabilities of 400 pictures over 12 classes that are right more often than not, and the labels."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 12, 400)
    logits = random.normal(size=(400, 12)) + 1.5 * np.eye(12)[labels]
    return np.float32(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)), labels


@pytest.mark.parametrize("k", [1, 5])
def test_top_k_error_is_scikit_learns(said, k):
    accuracy = top_k_accuracy_score(said[1], said[0], k=k, labels=range(12))
    assert metrics.top_k_error(*said, k) == pytest.approx(1 - accuracy)
    assert metrics.measure(*said)[f"top{k}_error"] == pytest.approx(1 - accuracy)


def test_negative_log_likelihood_is_scikit_learns(said):
    expected = log_loss(said[1], said[0].astype(float) / said[0].sum(axis=1, keepdims=True, dtype=float))
    assert metrics.measure(*said)["negative_log_likelihood"] == pytest.approx(expected, rel=1e-6)


def test_ties_and_nan_are_errors():
    equal, nan = np.full((1, 10), 0.1), np.full((1, 10), np.nan)
    assert [metrics.top_k_error(each, np.array([3]), 5) for each in (equal, nan)] == [1, 1]


def test_impossible_is_not_infinite():
    assert 80 < metrics.negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([1])) < 90
    assert 80 < metrics.negative_log_likelihood(np.array([[np.nan, np.nan]]), np.array([1])) < 90


@pytest.mark.parametrize(("wrong", "pictures"), [(0, 10), (10, 10), (3, 10), (2500, 6149)])
def test_interval_is_wilsons(wrong, pictures):
    z, share = 1.959963984540054, wrong / pictures
    middle = share + z * z / (2 * pictures)
    half = z * math.sqrt(share * (1 - share) / pictures + z * z / (4 * pictures**2))
    expected = [(middle - half) / (1 + z * z / pictures), (middle + half) / (1 + z * z / pictures)]
    assert metrics.interval(wrong, pictures) == pytest.approx(expected, abs=1e-9)


def test_mean_of_classes_weighs_every_class_alike():
    probabilities = np.eye(2)[[0, 0, 0, 0]]
    assert metrics.measure(probabilities, np.array([0, 0, 0, 1]))["mean_class_error"] == 0.5


def test_class_errors_name_every_class():
    rows = metrics.class_errors(np.eye(3)[[0, 1, 1]], np.array([0, 0, 1]), ("rose", "daisy", "tulip"))
    assert rows == [
        {"class": "rose", "pictures": 2, "top1_error": 0.5},
        {"class": "daisy", "pictures": 1, "top1_error": 0.0},
        {"class": "tulip", "pictures": 0, "top1_error": None},
    ]
