import math

import numpy as np
import pytest

from keras_alexnet.evaluation.chance import chance_error, chance_loss, has_exploded, training_warning


def test_chance_is_the_entropy_of_the_classes():
    shares = np.array([0.5, 0.25, 0.25])
    assert chance_loss([8, 4, 4]) == pytest.approx(-(shares * np.log(shares)).sum())
    assert chance_loss([3, 0]) == 0


def test_chance_predicts_the_most_frequent_class():
    assert chance_error([8, 4, 4]) == pytest.approx(0.5)


def test_a_loss_far_above_chance_has_exploded():
    assert not has_exploded(0.9, chance_loss([1000, 5]))  # single mistakes are expensive when chance is so low
    assert has_exploded(1.1, chance_loss([1000, 5]))
    assert not has_exploded(2.4, chance_loss([1300] + [3] * 9), classes=10)  # near ln(10), as before training
    assert has_exploded(4.0, chance_loss([1300] + [3] * 9), classes=10)
    assert has_exploded(math.inf, 1.0)


def test_a_network_whose_error_fell_for_a_while_has_learned_something():
    rows = [{"loss": 1.1, "top1_error": error} for error in (0.67, 0.67, 0.2, 0.3, 0.67, 0.67)]
    assert training_warning(rows, [1, 1, 1]) is None
    stuck = [row | {"top1_error": 0.67} for row in rows]
    assert training_warning(stuck, [1, 1, 1]).startswith("The network learned nothing")


def test_smoothed_labels_have_a_higher_loss_of_chance():
    counts, smoothing = np.array([1000, 20]), 0.1
    labels = np.eye(2)[np.repeat([0, 1], counts)] * (1 - smoothing) + smoothing / 2
    expected = -(labels * np.log(labels.mean(axis=0))).sum(axis=1).mean()
    assert chance_loss(counts, smoothing) == pytest.approx(expected)
    perfect = -(labels * np.log(labels)).sum(axis=1).mean()
    rows = [{"loss": perfect, "top1_error": 0.018}] * 6
    assert "learned nothing" in training_warning(rows, counts)
    assert training_warning(rows, counts, smoothing) is None
