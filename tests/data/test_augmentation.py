"""Augmentation of one image, eagerly and inside tf.data."""

import numpy as np
import pytest
import tensorflow as tf
from scipy import ndimage

from keras_alexnet.data import augmentation
from keras_alexnet.data.augmentation import resample

# of the eigenvalues of ImageNet's pixels, pixel values, from the authors' code
ROOTS = np.array([19.72, 37.09, 121.78])
AXES = np.linalg.qr(np.random.default_rng(0).normal(size=(3, 3)))[0]


def eagerly(function, image, seeds):
    return np.stack([function(tf.constant(image), tf.constant(seed)).numpy() for seed in seeds])


def in_tf_data(function, image, seeds):
    seeds = tf.data.Dataset.from_tensor_slices(np.array(seeds))
    return np.stack([*seeds.map(lambda seed: function(tf.constant(image), seed)).as_numpy_iterator()])


def light(form):
    return lambda image, seed: augmentation.lighting(image, seed, ROOTS**2, AXES, form)


@pytest.fixture(params=[eagerly, in_tf_data])
def apply(request):
    return request.param


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 256, (12, 15, 3), dtype=np.uint8)


@pytest.fixture
def places():
    """An image in which every pixel holds its position: column, row, 1."""
    rows, columns = np.mgrid[:64, :80]
    return np.stack([columns, rows, np.ones_like(rows)], axis=-1).astype(np.float32)


RANDOM = {
    "random_crop": lambda image, seed: augmentation.random_crop(image, 8, seed),
    "mirror": augmentation.mirror,
    "vertical_flip": augmentation.vertical_flip,
    "lighting_text": light("text"),
    "lighting_source": light("source"),
    "affine": lambda image, seed: augmentation.affine(image, seed, 25.0, 0.2, 0.1),
    "noise": augmentation.noise,
    "random_resized_crop": lambda image, seed: augmentation.random_resized_crop(image, 8, seed),
}


SEEDS = {  # of a picture with the seed (7, 3), computed before seeds followed names
    tf.int32: {
        "crop": (805153700, 1932699433),
        "mirror": (1390180105, -798836593),
        "lighting": (-78175912, 1427746290),
        "vertical_flip": (-79379527, 151832449),
        "rotation": (-1125242481, 1551654478),
        "scaling": (-1034819538, -1088519210),
        "translation": (932056477, -1559166183),
        "noise": (400147718, 584668866),
        "resized_crop": (918943345, -1661478617),
    },
    tf.int64: {  # as in training
        "crop": (8300880858537896868, -3430977040392882423),
        "mirror": (6132123626752123224, 652115407142175673),
        "lighting": (6664305240871676303, -4675154404757608402),
        "vertical_flip": (-6696567764082094691, 2511133658859554054),
        "rotation": (-7135996322099366287, 4824905964717095071),
        "scaling": (1836047886925291658, -6389713309000387728),
        "translation": (-6374023118060384023, 113051940091964578),
        "noise": (1834905835721851915, 8755051849395871840),
        "resized_crop": (-8352119599639279385, -6380597820475979319),
    },
}


def seed_of(name, seed):
    return tuple(augmentation.seed_of(name, seed).numpy().tolist())


@pytest.mark.parametrize("dtype", SEEDS)
def test_seeds_of_archived_recipes_stay_the_same(dtype):
    assert {name: seed_of(name, tf.constant((7, 3), dtype)) for name in SEEDS[dtype]} == SEEDS[dtype]


def test_a_new_name_has_a_seed_of_its_own():
    new = [seed_of("blur", (7, 3)), seed_of("cutout", (7, 3)), seed_of("blur", (7, 4))]
    assert len({*new, *SEEDS[tf.int32].values()}) == 12
    assert seed_of("blur", (7, 3)) == new[0]


@pytest.mark.parametrize("name", RANDOM)
def test_seed_decides(name, image):
    seeds = [(seed, 1) for seed in range(20)]
    once = eagerly(RANDOM[name], image, seeds)
    np.testing.assert_array_equal(once, eagerly(RANDOM[name], image, seeds))
    np.testing.assert_allclose(once, in_tf_data(RANDOM[name], image, seeds), rtol=1e-5, atol=1e-4)
    assert any((result != once[0]).any() for result in once[1:])


@pytest.mark.slow
def test_crop_reaches_each_of_33_offsets():
    row, column = np.mgrid[:256, :256].astype(np.uint8)
    places = np.stack([row, column, row], axis=-1)
    seeds = [(seed, 0) for seed in range(500)]
    crops = in_tf_data(lambda image, seed: augmentation.random_crop(image, 224, seed), places, seeds)
    assert crops.shape == (500, 224, 224, 3)
    assert crops.dtype == np.uint8
    for axis in (0, 1):
        assert set(crops[:, 0, 0, axis]) == set(range(33))
    for crop in crops[:20]:
        top, left, _ = map(int, crop[0, 0])
        np.testing.assert_array_equal(crop, places[top : top + 224, left : left + 224])


@pytest.mark.parametrize(("function", "axis"), [(augmentation.mirror, 1), (augmentation.vertical_flip, 0)])
def test_half_are_flipped(function, axis, apply, image):
    results = apply(function, image, [(0, seed) for seed in range(100)])
    flipped = [np.array_equal(result, np.flip(image, axis)) for result in results]
    as_it_was = [np.array_equal(result, image) for result in results]
    assert sum(flipped) + sum(as_it_was) == 100
    assert 35 < sum(flipped) < 65


@pytest.mark.parametrize(("side", "size", "offset"), [(256, 224, 16), (256, 227, 14), (9, 9, 0)])
def test_central_crop(apply, side, size, offset):
    resized = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    (crop,) = apply(lambda image, _: augmentation.central_crop(image, size), resized, [(0, 0)])
    np.testing.assert_array_equal(crop, resized[offset : offset + size, offset : offset + size])


def test_ten_crops_in_order(apply, image):
    (ten,) = apply(lambda image, _: augmentation.ten_crops(image, 10), image, [(0, 0)])
    corners = [image[:10, :10], image[:10, 5:], image[2:, :10], image[2:, 5:], image[1:11, 2:12]]
    np.testing.assert_array_equal(ten, [*corners, *(corner[:, ::-1] for corner in corners)])


@pytest.mark.parametrize(("form", "stds"), [("text", 0.1 * ROOTS**2 / 255), ("source", 0.1 * ROOTS / 1.1)])
def test_lighting_moves_along_the_color_axes(form, stds):
    shifts = in_tf_data(light(form), np.zeros((2, 3, 3), np.float32), [(seed, 0) for seed in range(600)])
    assert (shifts == shifts[:, :1, :1]).all()  # one draw an image
    draws = shifts[:, 0, 0] @ AXES
    np.testing.assert_allclose(draws.std(axis=0), stds, rtol=0.1)
    np.testing.assert_allclose(draws.mean(axis=0), 0, atol=4 * stds.max() / np.sqrt(600))
    assert np.abs(np.corrcoef(draws.T) - np.eye(3)).max() < 0.12


@pytest.mark.parametrize(("form", "scale"), [("text", 1), ("source", 1.1)])
def test_lighting_keeps_the_picture(form, scale, image):
    (lit,), (black,) = (eagerly(light(form), picture, [(3, 1)]) for picture in (image, np.zeros_like(image)))
    np.testing.assert_allclose(lit - black, image / scale, atol=1e-4)


@pytest.mark.parametrize("form", ["text", "source"])
def test_lighting_subtracts_the_mean_first(form, image):
    mean = np.float32([120.0, 110.0, 100.0])
    at_once = augmentation.lighting(image, (0, 1), ROOTS**2, AXES, form, mean_color=mean)
    apart = augmentation.lighting(tf.cast(image, tf.float32) - mean, (0, 1), ROOTS**2, AXES, form)
    np.testing.assert_allclose(at_once, apart, atol=1e-4)


def test_unknown_form_of_lighting_is_refused(image):
    with pytest.raises(ValueError, match="Received: 'pca'"):
        augmentation.lighting(image, (0, 0), ROOTS**2, AXES, "pca")


def motion(result):
    """Return where a result took its pixels from: a 2 x 2 matrix, and the position that the center came from."""
    height, width = result.shape[:2]
    inner = np.mgrid[height // 3 : 2 * height // 3, width // 3 : 2 * width // 3][::-1].reshape(2, -1).T
    centered = inner - [(width - 1) / 2, (height - 1) / 2]
    taken = result[inner[:, 1], inner[:, 0], :2]
    solution, residuals, *_ = np.linalg.lstsq(np.column_stack([centered, np.ones(len(inner))]), taken, rcond=None)
    assert residuals.max() < 0.01
    return solution[:2].T, solution[2]


@pytest.mark.slow
def test_rotation_within_its_limit(places):
    results = in_tf_data(
        lambda image, seed: augmentation.affine(image, seed, rotation=25.0), places, [(s, 0) for s in range(60)]
    )
    matrices, centers = zip(*map(motion, results), strict=True)
    np.testing.assert_allclose([matrix @ matrix.T for matrix in matrices], np.tile(np.eye(2), (60, 1, 1)), atol=1e-3)
    np.testing.assert_allclose(centers, np.tile([39.5, 31.5], (60, 1)), atol=1e-2)
    angles = np.degrees([np.arctan2(matrix[1, 0], matrix[0, 0]) for matrix in matrices])
    assert -25 <= angles.min() < -20
    assert 20 < angles.max() <= 25


def test_scaling_within_its_limit(places):
    results = in_tf_data(
        lambda image, seed: augmentation.affine(image, seed, scaling=0.2), places, [(s, 0) for s in range(60)]
    )
    factors = []
    for matrix, center in map(motion, results):
        np.testing.assert_allclose(matrix, matrix[0, 0] * np.eye(2), atol=1e-4)
        np.testing.assert_allclose(center, [39.5, 31.5], atol=1e-2)
        factors.append(1 / matrix[0, 0])
    assert 0.8 <= min(factors) < 0.83
    assert 1.17 < max(factors) <= 1.2001


@pytest.mark.slow
def test_translation_within_its_limit(places):
    moved = eagerly(
        lambda image, seed: augmentation.affine(image, seed, translation=0.1), places, [(s, 0) for s in range(60)]
    )
    shifts = []
    for matrix, center in map(motion, moved):
        np.testing.assert_allclose(matrix, np.eye(2), atol=1e-4)
        shifts.append((center - [39.5, 31.5]) / [80, 64])
    assert (np.abs(shifts).max(axis=0) <= 0.1001).all()
    assert (np.abs(shifts).max(axis=0) > 0.09).all()


@pytest.mark.parametrize(
    "cut",
    [
        augmentation.central_crop,
        augmentation.ten_crops,
        lambda image, size: augmentation.random_crop(image, size, (0, 1)),
    ],
)
def test_a_crop_that_does_not_fit_is_refused(cut):
    with pytest.raises(ValueError, match=r"Received: size=100, an image of shape \(120, 90, 3\)"):
        cut(np.zeros((120, 90, 3), np.uint8), 100)


@pytest.mark.parametrize("smallest", [0.08, 0.5])
def test_resized_crop_within_its_limits(smallest):
    """Every pixel holds its position, so the part's width and height follow from the distances between pixels."""
    places = np.stack(np.meshgrid(np.arange(600), np.arange(400), indexing="xy"), axis=-1)
    places = np.concatenate([places, np.ones((400, 600, 1))], axis=-1).astype(np.float32)
    parts = in_tf_data(
        lambda image, seed: augmentation.random_resized_crop(image, 50, seed, smallest),
        places,
        [(seed, 0) for seed in range(200)],
    )
    assert parts.shape == (200, 50, 50, 3)
    sides = 50 * (parts[:, 30, 30, :2] - parts[:, 20, 20, :2]) / 10  # width, height
    shares, ratios = sides.prod(axis=1) / (600 * 400), sides[:, 0] / sides[:, 1]
    assert 0.94 * smallest < shares.min() < smallest + 0.07
    assert 0.8 < shares.max() <= 1
    assert 0.74 < ratios.min() < 0.8
    assert 1.25 < ratios.max() < 1.35
    np.testing.assert_allclose(parts[..., 2], 1, atol=1e-5)


def test_affine_without_limits_changes_nothing(image):
    np.testing.assert_allclose(augmentation.affine(image, (0, 0)), image, atol=1e-3)


def test_affine_fills_with_the_picture(places):
    turned = augmentation.affine(places, (1, 0), 25.0, 0.2, 0.1).numpy()
    assert turned.shape == places.shape
    np.testing.assert_allclose(turned[..., 2], 1, atol=1e-4)  # no black corners


def test_affine_takes_the_pixels_that_scipy_takes(image):
    inverse, offset = np.float32([[0.9, 0.6], [-0.5, 1.2]]), np.float32([-2.5, 3.0])  # x before y
    expected = [
        ndimage.affine_transform(plane, inverse[::-1, ::-1], offset[::-1], order=1, mode="reflect")
        for plane in np.moveaxis(image.astype(float), -1, 0)
    ]
    np.testing.assert_allclose(resample(image, inverse, offset), np.stack(expected, axis=-1), atol=1e-3)


def test_noise(apply):
    (noisy,) = apply(augmentation.noise, np.full((100, 100, 3), 100, np.uint8), [(5, 6)])
    assert noisy.mean() == pytest.approx(100, abs=0.3)
    assert noisy.std() == pytest.approx(8, abs=0.2)


def test_color_is_added_to_batches_too(image):
    batch = np.stack([image, image[::-1]])
    np.testing.assert_allclose(augmentation.add_color(batch, [1.0, -2.0, 3.5]), batch + np.array([1.0, -2.0, 3.5]))
