"""Mixed pictures and soft labels, beside NumPy and the distributions of SciPy."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from keras_alexnet.data import mixing, pipeline
from keras_alexnet.data.statistics import Statistics
from keras_alexnet.recipes import Recipe

CLASSES, SIZE = 4, 20
LABELS = np.array([0, 1, 2, 3, 0, 1])
IMAGES = np.random.default_rng(0).normal(size=(6, SIZE, SIZE, 3)).astype("float32")
ONE_HOT = np.eye(CLASSES, dtype="float32")[LABELS]


def soft(seed=0, **settings):
    images, labels = mixing.soft_batch(IMAGES, LABELS, (seed, 1), Recipe(**settings), CLASSES)
    return np.asarray(images), np.asarray(labels)


def own_share(labels):
    """The share of the first picture: its label is 0, that of the last picture is 1."""
    assert labels[0, 2:] == pytest.approx(0)
    return labels[0, 0]


def test_label_smoothing_spreads_a_fraction_over_all_classes():
    images, labels = soft(label_smoothing=0.2)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_allclose(labels, 0.8 * ONE_HOT + 0.05, rtol=1e-6)


def test_mixup_averages_pictures_and_labels_in_the_same_share():
    images, labels = soft(mixup=1.0)
    share = own_share(labels)
    assert 0 < share < 1
    np.testing.assert_allclose(labels, share * ONE_HOT + (1 - share) * ONE_HOT[::-1], rtol=1e-5)
    np.testing.assert_allclose(images, share * IMAGES + (1 - share) * IMAGES[::-1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("alpha", [0.2, 1.0, 3.0])
def test_shares_have_a_beta_distribution(alpha):
    shares = [own_share(soft(seed, mixup=alpha)[1]) for seed in range(300)]
    assert stats.kstest(shares, stats.beta(alpha, alpha).cdf).pvalue > 0.001


@pytest.mark.parametrize("seed", range(20))
def test_cutmix_pastes_a_rectangle_and_shares_labels_like_the_area(seed):
    images, labels = soft(seed, cutmix=1.0)
    pasted = (images != IMAGES).all(axis=(0, 3))  # (height, width); the middle pictures are each other's pair
    np.testing.assert_array_equal(images, np.where(pasted[..., None], IMAGES[::-1], IMAGES))
    rows, columns = pasted.any(axis=1), pasted.any(axis=0)
    np.testing.assert_array_equal(pasted, rows[:, None] & columns)
    assert all(np.count_nonzero(np.diff(axis.astype(int), prepend=0) == 1) <= 1 for axis in (rows, columns))
    assert own_share(labels) == pytest.approx(1 - pasted.mean(), abs=1e-6)


def test_centers_of_pasted_parts_are_uniform_and_their_areas_follow_the_distribution():
    sizes, centers = [], []
    for seed in range(400):
        pasted = (soft(seed, cutmix=1.0)[0] != IMAGES).all(axis=(0, 3))
        rows = np.flatnonzero(pasted.any(axis=1))
        sizes.append(pasted.mean())
        if rows.size and rows[0] > 0 and rows[-1] < SIZE - 1:  # not cut off
            centers.append(rows.mean())
    draws, generator = [], np.random.default_rng(0)
    for _ in range(20_000):
        half = np.sqrt(1 - generator.random()) / 2
        low, high = (np.clip(generator.random(2) + sign * half, 0, 1) for sign in (-1, 1))
        draws.append(np.prod(high - low))
    assert np.mean(sizes) == pytest.approx(np.mean(draws), abs=0.04)
    assert np.mean(centers) == pytest.approx((SIZE - 1) / 2, abs=1)


def test_one_of_both_is_used_at_random():
    batches = [soft(seed, mixup=1.0, cutmix=1.0)[0] for seed in range(100)]
    pasted = [np.logical_or(images == IMAGES, images == IMAGES[::-1]).all() for images in batches]
    assert 0.3 < np.mean(pasted) < 0.7


def test_a_share_of_the_batches_is_mixed():
    changed = [(soft(seed, mixup=1.0, mixed_share=0.25)[0] != IMAGES).any() for seed in range(200)]
    assert 0.15 < np.mean(changed) < 0.35
    images, labels = soft(mixup=1.0, mixed_share=0.0, label_smoothing=0.1)
    np.testing.assert_array_equal(images, IMAGES)
    np.testing.assert_allclose(labels, 0.9 * ONE_HOT + 0.025, rtol=1e-6)


def test_whether_a_batch_is_mixed_does_not_depend_on_how():
    batches = [soft(seed, mixup=1.0, cutmix=1.0, mixed_share=0.5)[0] for seed in range(100)]
    pasted = [np.logical_or(images == IMAGES, images == IMAGES[::-1]).all() for images in batches]
    mixed = [(images != IMAGES).any() for images in batches]
    assert 0.3 < np.mean([how for how, is_mixed in zip(pasted, mixed, strict=True) if is_mixed]) < 0.7


class TestBatches:
    RECIPE = Recipe(crop_size=67, resize_size=70, batch_size=4, mixup=0.5, cutmix=1.0, label_smoothing=0.1)

    def batches(self, epochs, **rest):
        pictures = np.random.default_rng(0).integers(0, 256, (10, 70, 70, 3), "uint8")
        data = tf.data.Dataset.from_tensor_slices((pictures, np.arange(10) % CLASSES))
        statistics = Statistics.measure(data)
        return list(
            pipeline.training_batches(
                data, statistics, self.RECIPE, 3, epochs, classes=CLASSES, **rest
            ).as_numpy_iterator()
        )

    def test_labels_are_distributions(self):
        for images, labels in self.batches(range(2)):
            assert images.shape == (4, 67, 67, 3)
            assert labels.shape == (4, CLASSES)
            np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-5)

    def test_an_interrupted_run_gets_the_same_batches(self):
        whole = self.batches(range(3))
        rest = self.batches(range(1, 3), first_step=1)
        assert len(rest) == 3
        for expected, found in zip(whole[3:], rest, strict=True):
            for one, other in zip(expected, found, strict=True):
                np.testing.assert_array_equal(one, other)

    def test_batches_differ_in_how_they_are_mixed(self):
        labels = [batch[1] for batch in self.batches(range(3))]
        assert len({round(float(its.max()), 5) for its in labels}) > 3
