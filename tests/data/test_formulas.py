"""Pictures by formula: dependence on the seed, balance, and distinguishable classes."""

import numpy as np
import pytest
from sklearn.neighbors import NearestCentroid

from keras_alexnet.data.drawings import formulas, fractals, outlines, textures
from keras_alexnet.data.drawings.formulas import CLASS_NAMES, FAMILIES, draw_one, pictures

FIRST_OF_FAMILY = [CLASS_NAMES.index(f"{family}_00") for family in FAMILIES]


def drawn(count, seed):
    images, labels = zip(*pictures(count, seed), strict=True)
    return np.stack(images), np.array(labels)


def test_images_and_labels():
    image, label = next(pictures(1))
    assert (image.shape, image.dtype, type(label)) == ((148, 148, 3), np.uint8, int)
    assert len(set(CLASS_NAMES)) == len(CLASS_NAMES) == 256


def test_every_256_pictures_have_each_class_once_in_another_order():
    labels = list(formulas._labels(600, 3))
    assert len(labels) == 600
    assert sorted(labels[:256]) == sorted(labels[256:512]) == list(range(256))
    assert labels[:256] != labels[256:512]


def test_same_seed_same_pictures_and_longer_draws_begin_the_same():
    images, labels = drawn(12, seed=3)
    more_images, more_labels = drawn(20, seed=3)
    np.testing.assert_array_equal(images, more_images[:12])
    np.testing.assert_array_equal(labels, more_labels[:12])
    assert not np.array_equal(images, drawn(12, seed=4)[0])


def test_a_picture_depends_on_seed_class_and_number_alone():
    np.random.seed(0)  # noqa: NPY002 - the legacy global state is what must not matter
    pairs = [(label, number) for label in FIRST_OF_FAMILY for number in (0, 7)]
    first = {pair: draw_one(pair[0], 5, pair[1]) for pair in pairs}
    formulas._scene.cache_clear()
    np.random.seed(1)  # noqa: NPY002
    for label, number in reversed(pairs):
        np.testing.assert_array_equal(draw_one(label, 5, number), first[label, number])
    assert len({image.tobytes() for image in first.values()}) == len(pairs)


@pytest.mark.parametrize("label", FIRST_OF_FAMILY, ids=list(FAMILIES))
def test_pictures_of_a_class_vary_and_show_something(label):
    images = np.stack([draw_one(label, 1, number) for number in range(12)]).astype(float)
    assert images.mean(axis=(1, 2)).std(axis=0).min() > 8  # light and colors, in pixel values
    assert np.median(images.std(axis=(1, 2)).mean(axis=-1)) > 12
    assert images.std(axis=0).mean() > 25


def looks(images):
    """Frequencies and the fraction of each of 27 colors: features without code of the library."""
    gray = images.mean(axis=-1, dtype=np.float32)
    gray = (gray - gray.mean(axis=(1, 2), keepdims=True)) / (gray.std(axis=(1, 2), keepdims=True) + 1)
    spectrum = np.abs(np.fft.fft2(gray))[:, :74, :74]
    rows = np.hypot(*np.mgrid[:74, :74]).astype(int)
    bands = np.stack([np.log(spectrum[:, rows == r].mean(axis=1) + 1) for r in range(1, 60, 3)], axis=1)
    colors = images.astype(int) // 86 @ np.array([9, 3, 1])
    histograms = np.stack([np.bincount(image.ravel(), minlength=27) for image in colors]) / colors[0].size
    return np.concatenate([bands, 3 * np.sqrt(histograms)], axis=1)


@pytest.mark.slow
def test_a_classifier_can_distinguish_the_classes():
    labels = np.repeat(np.arange(0, 256, 16), 9)  # 16 classes of all families
    features = looks(np.stack([draw_one(label, 2, number) for number, label in enumerate(labels)]))
    held_out = np.arange(len(labels)) % 9 >= 6
    nearest = NearestCentroid().fit(features[~held_out], labels[~held_out])
    accuracy = nearest.score(features[held_out], labels[held_out])
    assert accuracy > 3 / 16  # chance is 1 / 16


@pytest.mark.parametrize("kind", textures.KINDS)
def test_textures_are_gray_levels(kind):
    for seed in range(6):
        rng = np.random.default_rng(seed)
        levels = kind(rng)(textures.plane(rng), rng)
        assert levels.shape == (148, 148)
        assert -1e-6 < levels.min() < levels.max() < 1 + 1e-6


def test_paint_puts_the_first_color_at_0_and_the_last_at_1():
    levels = np.zeros((148, 148))
    levels[0], levels[1] = 1, 0.5
    image = np.asarray(textures.paint(levels, np.array([[10, 20, 30], [50, 60, 70], [250, 240, 230]])))
    np.testing.assert_array_equal(image[[2, 0], 5], [[10, 20, 30], [250, 240, 230]])
    np.testing.assert_allclose(image[1, 5], [50, 60, 70], atol=3)


def test_points_of_a_fractal_lie_on_the_attractor_of_its_maps():
    """A picture of the whole is made of smaller copies of itself, one for each map."""
    points, maps = fractals.attractor(np.random.default_rng(4))(np.random.default_rng(0))
    assert len(points) == len(maps) == fractals.PARALLEL * fractals.KEPT
    np.testing.assert_allclose(
        [points.mean().real, points.mean().imag, np.mean(np.abs(points) ** 2)], [0, 0, 1], atol=1e-3
    )
    assert set(maps) == set(range(maps.max() + 1))
    z = points.reshape(fractals.KEPT, fractals.PARALLEL)
    chosen = maps.reshape(z.shape)
    before, after = z[:-1].ravel(), z[1:].ravel()
    for number in set(maps):
        own = chosen[1:].ravel() == number
        x, y = before[own].astype(complex), after[own].astype(complex)
        terms = np.stack([x, x.conj(), np.ones_like(x)], axis=1)
        fitted, *_ = np.linalg.lstsq(terms, y, rcond=None)  # y = a x + b conj(x) + c
        np.testing.assert_allclose(terms @ fitted, y, atol=1e-3)
        assert np.abs(fitted[:2]).sum() < 1.05  # brings points together


@pytest.mark.parametrize("kind", outlines.KINDS)
def test_outlines_go_around_their_centre_once(kind):
    for seed in range(10):
        form = kind(np.random.default_rng(seed))
        first, second = form(np.random.default_rng(0)), form(np.random.default_rng(1))
        turns = np.angle(np.append(first[1:], first[0]) / first).sum() / (2 * np.pi)
        assert turns == pytest.approx(1, abs=1e-6)
        assert 0 < np.abs(first - second).mean() < 0.35


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: pictures(-1), "`count`.*Received: -1"),
        (lambda: pictures(1, seed=-2), "`seed`.*Received: -2"),
        (lambda: draw_one(0, seed=-2), "`seed` and `index`.*Received: seed=-2"),
        (lambda: draw_one(0, index=-3), "`seed` and `index`.*index=-3"),
        (lambda: draw_one(256), "`label` must be 0 to 255.*Received: 256"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
