"""Top-1 and top-5 error, including ties and NaN, and the other metrics of an evaluation."""

import math
import re

import keras
import numpy as np
import pytest
from sklearn.metrics import log_loss, top_k_accuracy_score

from keras_alexnet.evaluation import metrics
from keras_alexnet.evaluation.metrics import TopKError


def error(k, labels, scores, **kwargs):
    metric = TopKError(k)
    metric.update_state(np.array(labels), np.array(scores, "float32"), **kwargs)
    return float(metric.result())


@pytest.mark.parametrize("k", [1, 3, 5, 9])
def test_error_is_that_of_scikit_learn(k):
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
        (1, [0.25, 0.25, 0.25, 0.25], 1),  # a network that cannot tell
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


def test_images_may_have_weights():
    assert error(1, [0, 0], [[0.9, 0.1], [0.1, 0.9]], sample_weight=np.array([3.0, 1.0])) == 0.25


def test_config_makes_the_metric_again():
    config = TopKError(3, name="again").get_config()
    assert TopKError.from_config(config).get_config() == config
    assert TopKError(5).name == "top5_error"


@pytest.mark.slow
def test_works_in_fit_and_loads_from_a_file(tmp_path):
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(6, activation="softmax")])
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=[TopKError(1), TopKError(5)])
    x, labels = np.random.default_rng(0).random((8, 4)), np.arange(8) % 6
    model.fit(x, labels, verbose=0)
    expected = model.evaluate(x, labels, verbose=0, return_dict=True)
    assert {"top1_error", "top5_error"} <= set(expected)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.evaluate(x, labels, verbose=0, return_dict=True) == pytest.approx(expected)


ONE_HOT = r"Labels must be integers.*one-hot.*Received: labels of shape "


@pytest.mark.parametrize("batch", [1, 3])
def test_one_hot_labels_are_refused(batch):
    labels, scores = np.eye(4)[[2] * batch], np.full((batch, 4), 0.25)
    with pytest.raises(ValueError, match=ONE_HOT):
        metrics.top_k_error(scores, labels, 1)


@pytest.mark.parametrize("labels", [np.eye(3), np.eye(3, dtype="int32"), 0.5 * np.eye(3) + 0.5 / 3])
def test_the_most_probable_class_of_soft_labels_counts(labels):
    scores = np.array([[0.6, 0.3, 0.1], [0.6, 0.3, 0.1], [0.6, 0.3, 0.1]])
    for k, expected in ((1, 2 / 3), (2, 1 / 3)):
        metric = TopKError(k)
        metric.update_state(labels, scores)
        assert float(metric.result()) == pytest.approx(expected)
    metric = metrics.MeanClassError(3)
    metric.update_state(labels, scores)
    assert float(metric.result()) == pytest.approx(2 / 3)


@pytest.mark.parametrize("shape", [(2, 2), (2, 1, 1), (1, 3), (1, 2, 4), (2, 5)])
def test_labels_of_other_shapes_are_refused(shape):
    with pytest.raises(ValueError, match=re.escape(f"Received: labels of shape {shape}")):
        TopKError(1).update_state(np.zeros(shape, "int32"), np.full((2, 4), 0.25))


def test_labels_that_are_no_classes_are_wrong():
    metric = TopKError(1)
    metric.update_state(np.array([3, -1, 4, 10]), np.tile(np.float32([0.1, 0.2, 0.3, 0.4]), (4, 1)))
    assert float(metric.result()) == pytest.approx(3 / 4)


@pytest.mark.parametrize("label", [-1, 4])
def test_labels_of_arrays_must_be_classes(label):
    with pytest.raises(ValueError, match=rf"from 0 to 3, .*Received: labels from .*{label}"):
        metrics.top_k_error(np.full((2, 4), 0.25), np.array([0, label]), k=1)


@pytest.mark.parametrize("metric", [TopKError(1), metrics.MeanClassError(2)])
def test_lists_of_labels_and_scores(metric):
    metric.update_state([[0], [1]], [[0.9, 0.1], [0.8, 0.2]])
    assert float(metric.result()) == pytest.approx(0.5)


def test_one_hot_labels_in_fit():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy", metrics=[TopKError(1)])
    images, labels = np.random.default_rng(0).random((32, 4)), np.eye(3)[np.arange(32) % 3]
    error = model.evaluate(images, labels, verbose=0, return_dict=True)["top1_error"]
    expected = (model.predict(images, verbose=0).argmax(axis=1) != np.arange(32) % 3).mean()
    assert error == pytest.approx(expected)


@pytest.mark.parametrize("k", [0, -1, 1.5, True, None, "5"])
def test_k_must_be_an_integer_of_at_least_1(k):
    with pytest.raises(ValueError, match=re.escape(f"`k` must be an integer of at least 1. Received: k={k!r}")):
        TopKError(k)
    with pytest.raises(ValueError, match="Received: k="):
        metrics.top_k_error(np.eye(3), np.arange(3), k)


def test_k_may_be_an_integer_of_numpy():
    assert TopKError(np.int64(3)).get_config()["k"] == 3


@pytest.mark.parametrize("make", [lambda: TopKError(1), lambda: metrics.MeanClassError(2)])
@pytest.mark.parametrize("shape", [(), (2,), (2, 2, 2)])
def test_scores_must_be_one_row_per_image(make, shape):
    with pytest.raises(ValueError, match=rf"shape \(batch, classes\)\. Received: .* {re.escape(str(shape))}$"):
        make().update_state(np.array([0, 1]), np.ones(shape, "float32"))


@pytest.mark.parametrize("make", [lambda: TopKError(1), lambda: metrics.MeanClassError(2)])
@pytest.mark.parametrize("labels", [1, 3])
def test_every_image_needs_one_label(make, labels):
    with pytest.raises(ValueError, match=f"one label per row of scores. Received: {labels} labels for 2 rows"):
        make().update_state(np.zeros(labels, int), np.ones((2, 2), "float32"))


@pytest.mark.parametrize("k", [1, 5])
def test_every_image_of_a_network_of_one_class_is_right(k):
    assert error(k, [[0], [0]], [[1], [1]]) == metrics.top_k_error(np.ones((2, 1)), np.zeros(2, int), k) == 0


@pytest.mark.parametrize("classes", [0, -1, "2", 1.5, None, True])
def test_classes_must_be_an_integer_of_at_least_1(classes):
    with pytest.raises(
        ValueError, match=rf"`classes` must be an integer of at least 1\. Received: classes={classes!r}"
    ):
        metrics.MeanClassError(classes)


def test_mean_class_error_needs_its_number_of_classes():
    with pytest.raises(ValueError, match=r"scores of 2 classes\. Received: shape \(4, 3\)"):
        metrics.MeanClassError(2).update_state(np.zeros(4, int), np.ones((4, 3)))


# Arrays that hold a whole data set


def class_errors(probabilities, labels):
    return metrics.class_errors(probabilities, labels, ("a", "b", "c"))


def top_1_error(probabilities, labels):
    return metrics.top_k_error(probabilities, labels, 1)


every_function = pytest.mark.parametrize(
    "function", [top_1_error, metrics.negative_log_likelihood, class_errors, metrics.measure]
)


@every_function
@pytest.mark.parametrize("as_column", [False, True])
def test_lists_and_columns_of_labels(function, as_column):
    shares, labels = np.float32([[5, 3, 2], [1, 6, 3], [3, 4, 3]]) / 10, np.array([0, 1, 2])
    given = labels[:, None] if as_column else labels
    assert function(shares, given.tolist()) == function(shares, labels)
    assert function(shares.astype(float).tolist(), given) == function(shares.astype(float), labels)


@every_function
@pytest.mark.parametrize(
    ("shape", "labels", "message"),
    [
        ((3,), [0, 1, 2], r"shape \(batch, classes\)\. Received: scores of shape \(3,\)"),
        ((1, 3, 3), [0, 1, 2], r"shape \(batch, classes\)\. Received: scores of shape \(1, 3, 3\)"),
        ((3, 3), [0, 1], "one label per row of scores. Received: 2 labels for 3 rows"),
        ((3, 3), [0], "one label per row of scores. Received: 1 labels for 3 rows"),
        ((3, 3), 0, r"of shape \(batch,\) or .* Received: labels of shape \(\)"),
        ((3, 3), [0.0, 1.0, 2.0], r"use labels\.astype\(int\) .* Received: labels of float64"),
        ((3, 3), [True, False, True], r"must be integers.* Received: labels of bool"),
        ((3, 3), ["a", "b", "c"], r"must be integers.* Received: labels of <U1"),
        ((3, 3), [0, 1, -1], "from 0 to 2, .* Received: labels from -1 to 1"),
        ((0, 3), [], "at least one picture. Received: none"),
    ],
)
def test_wrong_arrays_are_refused(function, shape, labels, message):
    with pytest.raises(ValueError, match=message):
        function(np.full(shape, 1 / 3), labels)


def test_class_errors_need_one_name_per_class():
    with pytest.raises(ValueError, match=r"one name per class, 3\. Received: 2 names"):
        metrics.class_errors(np.eye(3), np.arange(3), ("rose", "daisy"))


@pytest.mark.parametrize(("wrong", "pictures"), [(5, 3), (-1, 3), (0, 0), (float("nan"), 3)])
def test_an_interval_needs_a_fraction(wrong, pictures):
    with pytest.raises(ValueError, match=rf"Received: wrong={wrong}, pictures={pictures}"):
        metrics.interval(wrong, pictures)


@pytest.fixture
def outputs():
    """Probabilities for 400 pictures and 12 classes, right more often than not, and the labels."""
    random = np.random.default_rng(1)
    labels = random.integers(0, 12, 400)
    logits = random.normal(size=(400, 12)) + 1.5 * np.eye(12)[labels]
    return np.float32(np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)), labels


@pytest.mark.parametrize("k", [1, 5])
def test_top_k_error_is_that_of_scikit_learn(outputs, k):
    accuracy = top_k_accuracy_score(outputs[1], outputs[0], k=k, labels=range(12))
    assert metrics.top_k_error(*outputs, k) == pytest.approx(1 - accuracy)
    assert metrics.measure(*outputs)[f"top{k}_error"] == pytest.approx(1 - accuracy)


def test_negative_log_likelihood_is_that_of_scikit_learn(outputs):
    expected = log_loss(outputs[1], outputs[0].astype(float) / outputs[0].sum(axis=1, keepdims=True, dtype=float))
    assert metrics.measure(*outputs)["negative_log_likelihood"] == pytest.approx(expected, rel=1e-6)


def test_ties_and_nan_are_errors():
    equal, nan = np.full((1, 10), 0.1), np.full((1, 10), np.nan)
    assert [metrics.top_k_error(each, np.array([3]), 5) for each in (equal, nan)] == [1, 1]


def test_log_likelihood_of_the_impossible_is_finite():
    assert 80 < metrics.negative_log_likelihood(np.array([[1.0, 0.0]]), np.array([1])) < 90
    assert 80 < metrics.negative_log_likelihood(np.array([[np.nan, np.nan]]), np.array([1])) < 90


@pytest.mark.parametrize(("wrong", "pictures"), [(0, 10), (10, 10), (3, 10), (2500, 6149)])
def test_interval_is_that_of_wilson(wrong, pictures):
    z, share = 1.959963984540054, wrong / pictures
    middle = share + z * z / (2 * pictures)
    half = z * math.sqrt(share * (1 - share) / pictures + z * z / (4 * pictures**2))
    expected = [(middle - half) / (1 + z * z / pictures), (middle + half) / (1 + z * z / pictures)]
    assert metrics.interval(wrong, pictures) == pytest.approx(expected, abs=1e-9)


def test_mean_class_error_weighs_every_class_alike():
    probabilities = np.eye(2)[[0, 0, 0, 0]]
    assert metrics.measure(probabilities, np.array([0, 0, 0, 1]))["mean_class_error"] == 0.5


def test_class_errors_name_every_class():
    rows = metrics.class_errors(np.eye(3)[[0, 1, 1]], np.array([0, 0, 1]), ("rose", "daisy", "tulip"))
    assert rows == [
        {"class": "rose", "pictures": 2, "top1_error": 0.5},
        {"class": "daisy", "pictures": 1, "top1_error": 0.0},
        {"class": "tulip", "pictures": 0, "top1_error": None},
    ]


def test_mean_class_error_counts_each_class_the_same():
    random = np.random.default_rng(0)
    labels = random.choice(4, 50, p=(0.7, 0.2, 0.1, 0))
    scores = random.random((50, 4)).astype("float32")
    metric = metrics.MeanClassError(classes=4)
    for part in (slice(20), slice(20, 50)):
        metric.update_state(labels[part], scores[part])
    wrong = scores.argmax(axis=1) != labels
    assert float(metric.result()) == pytest.approx(np.mean([wrong[labels == n].mean() for n in range(3)]))
    again = metrics.MeanClassError.from_config(metric.get_config())
    assert float(again.result()) == 0


def wilson(wrong, pictures, z=1.959963984540054):
    share, whole = wrong / pictures, 1 + z * z / pictures
    half = z * math.sqrt(share * (1 - share) / pictures + z * z / (4 * pictures**2))
    return [(share + z * z / (2 * pictures) + sign * half) / whole for sign in (-1, 1)]


def test_each_error_of_an_evaluation_has_its_own_interval():
    """The label is the first of six classes in a picture, the third in two, and the last in one."""
    shares = np.float32([[6, 5, 4, 3, 2, 1], [4, 6, 5, 3, 2, 1], [4, 6, 5, 3, 2, 1], [1, 6, 5, 4, 3, 2]]) / 21
    measured = metrics.measure(shares, np.zeros(4, int))
    assert (measured["top1_error"], measured["top5_error"]) == (0.75, 0.25)
    assert measured["top1_interval"] == pytest.approx(wilson(3, 4))
    assert measured["top5_interval"] == pytest.approx(wilson(1, 4))
