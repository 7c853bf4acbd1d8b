import numpy as np
import pytest
from sklearn.linear_model import RidgeClassifier
from sklearn.neighbors import NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from keras_alexnet.data.drawings.petals import CLASS_NAMES, draw, draw_one


@pytest.fixture(scope="module")
def flowers():
    return draw(400, seed=7)


def accuracy(classifier, features, labels):
    """Learn from the first 300 and return the accuracy on the rest."""
    classifier.fit(features[:300], labels[:300])
    return classifier.score(features[300:], labels[300:])


def linear():
    return make_pipeline(StandardScaler(), RidgeClassifier(100))


def color_histograms(images):
    """Fractions of 64 colors."""
    levels = images // 64
    colors = levels[..., 0] * 16 + levels[..., 1] * 4 + levels[..., 2]
    return np.stack([np.bincount(image.ravel(), minlength=64) for image in colors]) / colors[0].size


def edge_histograms(images):
    """Edge strength in 8 directions in each of 8 x 8 cells of a gray picture."""
    gray = images.mean(axis=-1, dtype=np.float32).reshape(-1, 128, 2, 128, 2).mean(axis=(2, 4))
    down, across = np.gradient(gray, axis=(1, 2))
    direction = ((np.arctan2(down, across) + np.pi) / (2 * np.pi) * 8).astype(int) % 8
    strength = np.hypot(down, across)
    cells = [
        np.where(direction == d, strength, 0).reshape(-1, 8, 16, 8, 16).mean(axis=(2, 4)).reshape(-1, 64)
        for d in range(8)
    ]
    return np.sqrt(np.concatenate(cells, axis=1))


def test_images_and_labels(flowers):
    images, labels = flowers
    assert images.shape == (400, 256, 256, 3)
    assert images.dtype == np.uint8
    assert labels.dtype == np.int64
    assert len(set(CLASS_NAMES)) == len(CLASS_NAMES) >= 8


def test_species_are_balanced_and_shuffled(flowers):
    labels = flowers[1]
    counts = np.bincount(labels, minlength=len(CLASS_NAMES))
    assert counts.tolist() == [40] * len(CLASS_NAMES)
    assert labels[:10].tolist() != labels[10:20].tolist()


def test_same_seed_same_flowers_and_longer_draws_begin_the_same():
    images, labels = draw(17, seed=3)
    more_images, more_labels = draw(23, seed=3)
    np.testing.assert_array_equal(images, more_images[:17])
    np.testing.assert_array_equal(labels, more_labels[:17])


def test_pictures_do_not_depend_on_numpy_global_state():
    np.random.seed(0)  # noqa: NPY002 - the legacy global state is what must not matter
    first = draw(2, seed=1)[0]
    np.random.seed(1)  # noqa: NPY002
    np.testing.assert_array_equal(first, draw(2, seed=1)[0])


def test_no_flower_is_drawn_twice(flowers):
    others = draw(20, seed=8)[0]
    everything = np.concatenate([flowers[0], others])
    assert len({image.tobytes() for image in everything}) == 420


def test_nothing_to_draw():
    images, labels = draw(0)
    assert images.shape == (0, 256, 256, 3)
    assert labels.shape == (0,)


@pytest.mark.slow
def test_color_alone_does_not_identify_the_species(flowers):
    images, labels = flowers
    mean_color = images.mean(axis=(1, 2))
    assert accuracy(NearestCentroid(), mean_color, labels) < 0.2
    assert accuracy(linear(), color_histograms(images), labels) < 0.35


@pytest.mark.slow
def test_shape_identifies_the_species(flowers):
    images, labels = flowers
    assert accuracy(linear(), edge_histograms(images), labels) > 0.6


@pytest.mark.parametrize("label", range(len(CLASS_NAMES)))
def test_light_position_and_background_vary(label):
    images = np.stack([draw_one(label, seed) for seed in range(8)]).astype(float)
    np.testing.assert_array_equal(images[3], draw_one(label, 3))
    corners = images[:, :32, :32].mean(axis=(1, 2, 3))
    assert np.ptp(corners) > 20
    assert images.std(axis=0).mean() > 30


@pytest.mark.parametrize("label", range(len(CLASS_NAMES)))
def test_the_flower_contrasts_with_its_background(label):
    for seed in range(5):
        image = draw_one(label, seed).astype(float)
        middle, border = image[64:192, 64:192], image[:, [0, 1, -2, -1]]
        assert middle.std() > 0.9 * border.std()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: draw(-1), "`count`.*Received: -1"),
        (lambda: draw(1, seed=-2), "`seed`.*Received: -2"),
        (lambda: draw_one(0, seed=-2), "`seed`.*Received: -2"),
        (lambda: draw_one(len(CLASS_NAMES)), "`label` must be 0 to 9.*Received: 10"),
        (lambda: draw_one(-1), "`label`.*Received: -1"),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
