"""From labeled pictures to batches: the network inputs and their reproducibility."""

import os
import subprocess
import sys

import numpy as np
import pytest
import tensorflow as tf

from keras_alexnet.data import augmentation, balancing, datasets, inputs, pipeline
from keras_alexnet.data.statistics import Statistics
from keras_alexnet.recipes import Recipe
from keras_alexnet.recipes.recipe import AUGMENTATIONS

RESIZE_SIZE, CROP_SIZE, COUNT = 16, 11, 20


def recipe(**settings):
    return Recipe(resize_size=RESIZE_SIZE, crop_size=CROP_SIZE, batch_size=6, **settings)


@pytest.fixture(scope="module")
def images():
    rng = np.random.default_rng(0)
    colors = rng.integers(40, 200, (COUNT, 1, 1, 3)) + rng.integers(-40, 40, (COUNT, RESIZE_SIZE, RESIZE_SIZE, 1))
    return np.uint8(colors + rng.integers(-10, 10, (COUNT, RESIZE_SIZE, RESIZE_SIZE, 3)))


@pytest.fixture
def resized(images):
    return pipeline.resize_pictures(tf.data.Dataset.from_tensor_slices((images, np.arange(COUNT))), RESIZE_SIZE)


@pytest.fixture(scope="module")
def statistics(images):
    pixels = images.reshape(-1, 3).astype(float)
    return Statistics(images.mean(axis=0, dtype=np.float32), *map(np.float32, np.linalg.eigh(np.cov(pixels.T))))


def seen(*arguments, **options):
    """Return all crops of a training stream, and all labels."""
    crops, labels = zip(*pipeline.training_batches(*arguments, **options).as_numpy_iterator(), strict=True)
    return np.concatenate(crops), np.concatenate(labels)


@pytest.mark.slow
def test_pictures_are_decoded_once(images):
    decoded = []

    def decode(picture):
        decoded.append(1)
        return picture

    pictures = tf.data.Dataset.from_tensor_slices((images, np.arange(COUNT)))
    counted = pictures.map(
        lambda image, label: (tf.ensure_shape(tf.numpy_function(decode, [image], tf.uint8), (16, 16, 3)), label)
    )
    resized = pipeline.resize_pictures(counted, RESIZE_SIZE)
    seen(resized, Statistics.measure(resized), recipe(), 0, range(4))
    assert len(decoded) == COUNT


def test_set_too_large_for_memory_is_streamed(images, statistics, monkeypatch):
    monkeypatch.setattr(pipeline, "_capacity", lambda side: 8)
    resized = pipeline.resize_pictures(tf.data.Dataset.from_tensor_slices((images, np.arange(COUNT))), RESIZE_SIZE)
    assert "Cache" not in type(resized).__name__
    crops, labels = seen(resized, statistics, recipe(), 0, range(2, 4))
    assert len(set(labels[:18])) == 18  # without repetition
    assert (labels[:18] != labels[18:]).any()
    again, _ = seen(resized, statistics, recipe(), 0, range(3, 4))
    np.testing.assert_array_equal(crops[18:], again)


@pytest.mark.parametrize(
    "names",
    [
        ("resized_crop",),
        pytest.param(("crop", "mirror"), marks=pytest.mark.slow),
        pytest.param(("vertical_flip", "rotation"), marks=pytest.mark.slow),
    ],
)
def test_crops_of_files_equal_crops_of_resized_pictures(statistics, names):
    """For a data set too large for memory: equal to within a pixel; rotation decodes the whole picture here too."""
    waves = np.sin(np.mgrid[:64, :96].sum(axis=0) / 15)[None, ..., None] * np.linspace(60, 120, 6)[:, None, None, None]
    files = [tf.io.encode_jpeg(np.uint8(wave.repeat(3, axis=-1) + 127.5), quality=95) for wave in waves]
    split = tf.data.Dataset.from_tensor_slices((files, np.arange(6)))
    made = recipe(augmentation=names)
    expected, labels = seen(pipeline.resize_pictures(split, RESIZE_SIZE), statistics, made, 0, range(3))
    crops, same_labels = seen(split, statistics, made, 0, range(3))
    np.testing.assert_array_equal(labels, same_labels)
    assert np.abs(crops - expected).mean() < (1e-3 if "crop" not in names else 6)
    assert np.abs(crops - expected[::-1]).mean() > 12


def test_mean_size_counts_bytes_of_files_and_of_images(images):
    pngs = [tf.io.encode_png(image) for image in images]
    split = tf.data.Dataset.from_tensor_slices((pngs, np.arange(COUNT)))
    assert pipeline._mean_size(split) == np.mean([len(png.numpy()) for png in pngs])
    assert pipeline._mean_size(pipeline.resize_pictures(split, RESIZE_SIZE)) == RESIZE_SIZE * RESIZE_SIZE * 3


def test_capacity_is_inverse_to_the_size():
    assert 0 < pipeline._capacity(1) < 2**50
    assert pipeline._capacity(10) == pytest.approx(4 * pipeline._capacity(40), abs=4)


def test_shapes_and_length(resized, statistics):
    batches = pipeline.training_batches(resized, statistics, recipe(), 0, range(5))
    assert len(batches) == 5 * 3
    crops, labels = batches.element_spec
    assert (crops.shape, crops.dtype) == ((6, CROP_SIZE, CROP_SIZE, 3), tf.float32)
    assert labels.shape == (6,)
    assert sum(1 for _ in batches) == 15


@pytest.mark.parametrize(
    "settings",
    [
        pytest.param({}, marks=pytest.mark.slow),
        {"mean": "image", "lighting": "source"},
        {"augmentation": ("crop", "mirror", "vertical_flip", "rotation", "scaling", "translation", "noise")},
        {"augmentation": ("resized_crop", "mirror")},
    ],
)
def test_epoch_repeats_from_its_number(resized, statistics, settings):
    made = recipe(**settings)
    crops, labels = seen(resized, statistics, made, 7, range(4))
    epochs = np.split(crops, 4)
    tf.random.set_seed(5)  # another program's
    resumed, resumed_labels = seen(resized, statistics, made, 7, range(2, 4))
    np.testing.assert_array_equal(resumed, crops[36:])
    np.testing.assert_array_equal(resumed_labels, labels[36:])
    assert all((epochs[0] != epoch).any() for epoch in epochs[1:])
    assert (seen(resized, statistics, made, 8, range(4))[1] != labels).any()


def test_epochs_order_the_same_images_differently(images, statistics):
    resized = tf.data.Dataset.from_tensor_slices((images[:18], np.arange(18)))
    _, labels = seen(resized, statistics, recipe(), 0, range(3))
    epochs = np.split(labels, 3)
    assert [sorted(epoch) for epoch in epochs] == [[*range(18)]] * 3
    assert len({tuple(epoch) for epoch in epochs}) == 3


def test_left_out_pictures_change_from_epoch_to_epoch(resized, statistics):
    _, labels = seen(resized, statistics, recipe(), 0, range(20))
    assert {len(set(epoch)) for epoch in np.split(labels, 20)} == {18}
    assert set(labels) == set(range(COUNT))


def test_steps_per_epoch_shortens_epochs(resized, statistics):
    whole, _ = seen(resized, statistics, recipe(), 0, range(2))
    short, _ = seen(resized, statistics, recipe(), 0, range(2), steps_per_epoch=2)
    np.testing.assert_array_equal(short, np.concatenate([whole[:12], whole[18:30]]))


@pytest.mark.parametrize(("batch_size", "steps"), [(21, None), (6, 4)])
def test_too_few_pictures_are_refused(resized, statistics, batch_size, steps):
    made = Recipe(resize_size=RESIZE_SIZE, crop_size=CROP_SIZE, batch_size=batch_size)
    with pytest.raises(ValueError, match=r"Received: 20 pictures"):
        pipeline.training_batches(resized, statistics, made, 0, range(1), steps)


def test_without_augmentation_crops_are_central_minus_the_mean(resized, images, statistics):
    crops, labels = seen(resized, statistics, recipe(augmentation=()), 0, range(1))
    expected = images[labels, 2:13, 2:13] - images.mean(axis=(0, 1, 2))
    np.testing.assert_allclose(crops, expected, atol=1e-3)


def test_centre_of_the_mean_image_is_subtracted_from_every_crop(resized, images, statistics):
    """As in the authors' code, the center of the mean image is subtracted from every crop, not the cropped part."""
    crops, labels = seen(resized, statistics, recipe(augmentation=("crop",), mean="image"), 0, range(1))
    crops = crops + images.mean(axis=0)[2:13, 2:13]
    for crop, label in zip(crops, labels, strict=True):
        places = [(top, left) for top in range(6) for left in range(6)]
        cuts = [images[label, top : top + CROP_SIZE, left : left + CROP_SIZE] for top, left in places]
        assert min(np.abs(crop - cut).max() for cut in cuts) < 1e-3


def test_mean_and_std_of_the_architecture(resized, images, statistics):
    """torchvision's constants, on pixels of 0 to 1; in training, and in evaluation without statistics."""
    made = recipe(augmentation=(), architecture="one_weird_trick", mean="architecture")
    crops, labels = seen(resized, statistics, made, 0, range(1))
    expected = (images[:, 2:13, 2:13] / 255 - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225]
    np.testing.assert_allclose(crops, expected[labels], atol=1e-5)
    batches = pipeline.evaluation_batches(resized, None, made, batch_size=COUNT)
    np.testing.assert_allclose(next(iter(batches))[0], expected, atol=1e-5)


@pytest.mark.slow
def test_lighting_comes_before_the_std(resized, statistics):
    usual, scaled = ({}, {"architecture": "one_weird_trick", "mean": "architecture"})
    moved = []
    for settings in (usual, scaled):
        plain, lit = (
            seen(resized, statistics, recipe(augmentation=names, **settings), 0, range(1))[0]
            for names in ((), ("lighting",))
        )
        moved.append((lit - plain)[:, 0, 0])
    np.testing.assert_allclose(moved[1] * [58.395, 57.12, 57.375], moved[0], atol=1e-3)


@pytest.mark.parametrize("lighting", ["text", "source"])
def test_lighting_is_the_same_if_the_network_subtracts_the_mean(resized, statistics, lighting):
    """torchvision's constants again: the lighting of the source also divides, but not the mean."""
    outside, inside = (
        seen(resized, statistics, recipe(architecture="one_weird_trick", mean=mean, lighting=lighting), 0, range(1))[0]
        for mean in ("architecture", "network")
    )
    mean, std = (255 * np.array(numbers) for numbers in ([0.485, 0.456, 0.406], [0.229, 0.224, 0.225]))
    np.testing.assert_allclose((inside - mean) / std, outside, atol=1e-4)


@pytest.mark.slow
def test_lighting_follows_the_recipe(resized, images, statistics):
    def moves(**settings):
        made = recipe(augmentation=("lighting",), **settings)
        plain, _ = seen(resized, statistics, recipe(augmentation=()), 0, range(40))
        lit, _ = seen(resized, statistics, made, 0, range(40))
        return ((lit * (1.1 if made.lighting == "source" else 1) - plain)[:, 0, 0] @ statistics.eigenvectors).std(
            axis=0
        )

    np.testing.assert_allclose(moves(), 0.1 * statistics.eigenvalues / 255, rtol=0.15)
    np.testing.assert_allclose(moves(lighting="source"), 0.1 * np.sqrt(statistics.eigenvalues), rtol=0.15)


@pytest.mark.slow
@pytest.mark.parametrize("epochs", [range(first, 4) for first in range(4)], ids=str)
def test_lighting_ends_after_the_epoch_that_the_recipe_names(resized, statistics, epochs):
    """From the third epoch on, crops are those of a recipe without it; nothing else changes."""
    names = ("crop", "mirror", "lighting")
    received, labels = seen(resized, statistics, recipe(augmentation=names, lighting_until=2), 5, epochs)
    size = len(received) // len(epochs)
    for number, epoch in enumerate(epochs):
        same = recipe(augmentation=names if epoch < 2 else names[:2])
        crops, own_labels = seen(resized, statistics, same, 5, range(epoch, epoch + 1))
        np.testing.assert_array_equal(received[number * size :][:size], crops)
        np.testing.assert_array_equal(labels[number * size :][:size], own_labels)


@pytest.mark.slow
def test_lighting_that_ended_is_continued_within_an_epoch(resized, statistics):
    made = recipe(augmentation=("crop", "lighting"), lighting_until=2)
    whole, _ = seen(resized, statistics, made, 5, range(4))
    for epoch in (1, 2):
        rest, _ = seen(resized, statistics, made, 5, range(epoch, 4), first_step=2)
        np.testing.assert_array_equal(rest, whole[-len(rest) :])
        assert len(rest) == len(whole) // 4 * (4 - epoch) - 2 * made.batch_size
        stream = pipeline.training_batches(resized, statistics, made, 5, range(epoch, 4), first_step=2)
        assert len(stream) * made.batch_size == len(rest)


GOLDEN = {  # mean, std, and the first pixel of a crop, computed before seeds followed names
    ("crop",): (21.986225, 73.866776, [-5.0, -27.0, 92.0]),
    ("mirror",): (18.556475, 74.057076, [26.0, 119.0, -69.0]),
    ("lighting",): (18.464312, 74.062355, [26.032921, 118.826477, -69.135880]),
    ("vertical_flip",): (18.556475, 74.057076, [88.0, 12.0, -52.0]),
    ("rotation",): (20.234062, 47.431790, [67.156464, 42.414551, 12.863976]),
    ("scaling",): (22.527044, 45.568985, [17.202950, 31.828690, 25.886726]),
    ("translation",): (18.845873, 59.117096, [26.243538, 115.342224, -48.317695]),
    ("noise",): (18.255152, 75.092590, [24.545708, 116.717789, -77.784485]),
    ("resized_crop",): (25.003288, 48.226960, [35.661148, 75.363632, 122.057846]),
    ("crop", "mirror", "lighting", "vertical_flip", "rotation", "scaling", "translation", "noise"): (
        18.736645,
        48.739500,
        [-23.005096, -28.915001, 110.842491],
    ),
}


def golden_crop(names):
    image = np.random.default_rng(0).integers(0, 256, (16, 16, 3), dtype=np.uint8)
    axes = np.float32([100, 400, 900]), np.eye(3, dtype=np.float32)
    statistics = Statistics(np.full((16, 16, 3), 100, np.float32), *axes)
    return inputs.augmented_crop(tf.constant(image), (7, 3), statistics, recipe(augmentation=names)).numpy()


@pytest.mark.parametrize("names", GOLDEN, ids="+".join)
def test_random_numbers_of_archived_recipes_stay_the_same(names):
    mean, std, first_pixel = GOLDEN[names]
    crop = golden_crop(names)
    np.testing.assert_allclose([crop.mean(), crop.std(), *crop[0, 0]], [mean, std, *first_pixel], atol=1e-3)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_every_name_of_the_table_changes_crops(resized, statistics, name):
    plain, changed = (seen(resized, statistics, recipe(augmentation=names), 0, range(1))[0] for names in ((), (name,)))
    assert (plain != changed).any()


@pytest.mark.parametrize("names", [("resized_crop",), ("resized_crop", "rotation")], ids="+".join)
def test_crops_cut_from_larger_pictures_are_sharper(names):
    """Stripes of two pixels turn gray in a copy of a quarter of the size, but not in small parts of the picture."""
    side = 4 * RESIZE_SIZE
    rows = np.uint8(255 * (np.arange(side) // 2 % 2))[:, None, None]
    pictures = tf.data.Dataset.from_tensors((np.tile(rows, (1, side, 3)), 0)).repeat(6)
    contrasts = []
    for cut_from in (None, side):
        made = recipe(augmentation=names, rotation=0.0, smallest_area=0.02, cut_from=cut_from, mean="architecture")
        crops, _ = seen(pipeline.resize_pictures(pictures, made.training_size), None, made, 0, range(4))
        assert crops.shape[1:] == (CROP_SIZE, CROP_SIZE, 3)
        contrasts.append(crops.std(axis=(1, 2, 3)).max())
    assert contrasts[0] < 20
    assert contrasts[1] > 80


@pytest.fixture
def with_grey(monkeypatch):
    """Add an augmentation by a function and a line of the table, here in front of the others, which are reversed."""
    names = {"grey": {"share": "dropout"}, **dict(reversed(AUGMENTATIONS.items()))}
    monkeypatch.setattr("keras_alexnet.recipes.recipe.AUGMENTATIONS", names)
    monkeypatch.setattr(inputs, "AUGMENTATIONS", names)

    def grey(image, seed, share):
        drawn = tf.random.stateless_uniform((), seed)
        return tf.cond(drawn < share, lambda: tf.repeat(image[..., :1], 3, axis=-1), lambda: image)

    monkeypatch.setattr(augmentation, "grey", grey, raising=False)


def test_new_names_and_another_order_change_no_other_random_numbers(with_grey):
    for names, (mean, std, first_pixel) in GOLDEN.items():
        crop = golden_crop(names)
        np.testing.assert_allclose([crop.mean(), crop.std(), *crop[0, 0]], [mean, std, *first_pixel], atol=1e-3)


def test_a_new_augmentation_is_a_function_and_a_line_of_the_table(resized, images, statistics, with_grey):
    crops, labels = seen(resized, statistics, recipe(augmentation=("grey",)), 0, range(4))
    crops, colored = crops + images.mean(axis=(0, 1, 2)), images[labels, 2:13, 2:13]
    are_grey = np.ptp(crops, axis=-1).max(axis=(1, 2)) < 1e-3
    np.testing.assert_allclose(crops[~are_grey], colored[~are_grey], atol=1e-3)
    np.testing.assert_allclose(crops[are_grey], colored[are_grey][..., :1].repeat(3, axis=-1), atol=1e-3)
    assert 0.25 < are_grey.mean() < 0.75  # the recipe's dropout is 0.5


@pytest.mark.parametrize("mean", ["color", "image"])
def test_evaluation_batches_have_all_pictures_in_order(resized, images, statistics, mean):
    batches = pipeline.evaluation_batches(resized, statistics, recipe(mean=mean), batch_size=8)
    crops, labels = zip(*batches.as_numpy_iterator(), strict=True)
    assert [len(batch) for batch in crops] == [8, 8, 4]
    assert np.concatenate(labels).tolist() == [*range(COUNT)]
    subtracted = images.mean(axis=(0, 1, 2)) if mean == "color" else images.mean(axis=0)[2:13, 2:13]
    np.testing.assert_allclose(np.concatenate(crops), images[:, 2:13, 2:13] - subtracted, atol=1e-3)


def test_ten_crops_of_each_picture(resized, images, statistics):
    batches = pipeline.evaluation_batches(resized, statistics, recipe(), 8, views=10)
    crops = np.concatenate([crops for crops, _ in batches.as_numpy_iterator()])
    assert crops.shape == (COUNT, 10, CROP_SIZE, CROP_SIZE, 3)
    mean = images.mean(axis=(0, 1, 2))
    np.testing.assert_allclose(crops[:, 0], images[:, :CROP_SIZE, :CROP_SIZE] - mean, atol=1e-3)
    np.testing.assert_allclose(crops[:, 9], images[:, 2:13, 2:13][:, :, ::-1] - mean, atol=1e-3)


def test_crops_are_flipped_only_if_training_crops_were(resized, images, statistics):
    batches = pipeline.evaluation_batches(resized, statistics, recipe(augmentation=("crop",)), 8, views=10)
    crops = np.concatenate([crops for crops, _ in batches.as_numpy_iterator()])
    assert crops.shape == (COUNT, 5, CROP_SIZE, CROP_SIZE, 3)
    np.testing.assert_allclose(crops[:, 4], images[:, 2:13, 2:13] - images.mean(axis=(0, 1, 2)), atol=1e-3)


def test_five_views_are_refused(resized, statistics):
    with pytest.raises(ValueError, match=r"Received: 5"):
        pipeline.evaluation_batches(resized, statistics, recipe(), 8, views=5)


FIT = """
import keras, numpy as np, tensorflow as tf
from keras_alexnet.data import pipeline
from keras_alexnet.data.statistics import Statistics
from keras_alexnet.recipes import Recipe
if DEVICES == 2:
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    scope = strategy.scope
else:
    import contextlib
    scope = contextlib.nullcontext
images = np.random.default_rng(0).integers(0, 256, (20, 16, 16, 3), dtype=np.uint8)
resized = pipeline.resize_pictures(tf.data.Dataset.from_tensor_slices((images, np.arange(20) % 2)), 16)
statistics = Statistics.measure(resized)
recipe = Recipe(resize_size=16, crop_size=11, batch_size=6)
with scope():
    keras.utils.set_random_seed(0)
    layers = keras.Input((11, 11, 3)), keras.layers.Rescaling(0.01), keras.layers.Flatten(), keras.layers.Dense(2)
    model = keras.Sequential(layers)
    model.compile("sgd", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
history = model.fit(
    pipeline.training_batches(resized, statistics, recipe, 0, range(3)),
    validation_data=pipeline.evaluation_batches(resized, statistics, recipe, 6),
    epochs=3, steps_per_epoch=3, verbose=0,
).history
print(history["loss"] + history["val_loss"])
"""


def fitted(backend, devices):
    environment = os.environ | {"KERAS_BACKEND": backend}
    command = [sys.executable, "-c", FIT.replace("DEVICES", str(devices))]
    result = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)
    return eval(result.stdout.strip().splitlines()[-1])


@pytest.mark.slow
def test_keras_fit_takes_the_batches_on_two_devices_and_on_jax():
    """Losses agree; sums in another order leave a difference of 1e-5."""
    expected = fitted("tensorflow", 1)
    assert len(expected) == 6
    np.testing.assert_allclose(fitted("tensorflow", 2), expected, rtol=1e-4)
    pytest.importorskip("jax")
    assert np.isfinite(fitted("jax", 1)).all()


@pytest.mark.realdata
def test_flowers_become_batches():
    flowers = datasets.load("oxford_flowers102")
    resized = pipeline.resize_pictures(flowers.splits["train"], 256)
    statistics = Statistics.measure(resized.take(200))
    assert statistics.mean_image.shape == (256, 256, 3)
    assert statistics.mean_color == pytest.approx([119, 102, 80], abs=8)
    (crops, labels), *_ = pipeline.training_batches(resized.take(64), statistics, Recipe(batch_size=64), 0, range(1))
    assert crops.shape == (64, 227, 227, 3)
    assert np.abs(np.mean(crops)) < 15
    assert len(set(labels.numpy())) > 30


class TestBalancedSampling:
    """Twelve pictures, of which the last three are of the rare class; each has its number as its pixels."""

    RECIPE = Recipe(crop_size=16, resize_size=18, batch_size=4, augmentation=("crop",), mean="architecture")
    COUNTS = (9, 3)

    @pytest.fixture
    def pictures(self):
        images = np.arange(12, dtype=np.uint8)[:, None, None, None] * np.ones((1, 18, 18, 3), np.uint8)
        return tf.data.Dataset.from_tensor_slices((images, np.int64([0] * 9 + [1] * 3)))

    def labels(self, pictures, repeats, epochs=range(40), **rest):
        batches = pipeline.training_batches(pictures, None, self.RECIPE, 0, epochs, repeats=repeats, **rest)
        return np.array([label for _, label in batches])

    def test_rare_classes_are_repeated_up_to_a_limit(self):
        assert balancing.repeats_by_class([100, 90, 34, 1, 0]).tolist() == [1, 1, 3, 10, 10]

    def test_classes_are_counted(self, pictures):
        assert balancing.count_labels(pictures, 3).tolist() == [9, 3, 0]

    def test_balanced_classes_are_sampled_equally_and_the_epoch_length_is_the_same(self, pictures):
        labels = self.labels(pictures, balancing.repeats_by_class(self.COUNTS))
        assert labels.shape == (40 * 3, 4)
        assert labels.mean() == pytest.approx(0.5, abs=0.05)
        assert self.labels(pictures, None).mean() == pytest.approx(0.25)

    def test_repeats_of_one_change_nothing(self, pictures):
        np.testing.assert_array_equal(self.labels(pictures, [1, 1]), self.labels(pictures, None))

    def test_an_interrupted_epoch_continues(self, pictures):
        repeats = balancing.repeats_by_class(self.COUNTS)
        whole = self.labels(pictures, repeats, range(4))
        np.testing.assert_array_equal(self.labels(pictures, repeats, range(2, 4), first_step=1), whole[2 * 3 + 1 :])

    def test_repeated_pictures_have_crops_of_their_own(self):
        """One picture whose shades show the position of a crop among 64."""
        recipe = Recipe(crop_size=11, resize_size=18, batch_size=4, augmentation=("crop",), mean="architecture")
        image = np.arange(18 * 18, dtype=np.uint8).reshape(1, 18, 18, 1) * np.ones((1, 1, 1, 3), np.uint8)
        pictures = tf.data.Dataset.from_tensor_slices((np.repeat(image, 4, 0), np.int64([0, 0, 0, 1])))
        batches = pipeline.training_batches(pictures, None, recipe, 0, range(8), repeats=[1, 3])
        rare = [crop[0, 0, 0] for crops, labels in batches for crop, label in zip(crops, labels, strict=True) if label]
        assert len({float(corner) for corner in rare}) > len(rare) / 2

    def test_all_pictures_of_a_class_are_sampled_equally_often(self, pictures):
        """12 of 18 in each of 300 epochs: 200 times each of the first nine, 600 times each of the others."""
        batches = pipeline.training_batches(pictures, None, self.RECIPE, 0, range(300), repeats=[1, 3])
        numbers = np.concatenate([np.rint(crops[:, 0, 0, 0] + 123.68) for crops, _ in batches]).astype(int)
        counts = np.bincount(numbers, minlength=12)
        np.testing.assert_allclose(counts[:9], 200, atol=40)
        np.testing.assert_allclose(counts[9:], 600, atol=60)

    def test_more_pictures_than_fit_into_memory_are_refused(self, pictures, monkeypatch):
        monkeypatch.setattr(pipeline, "_capacity", lambda size: 11)
        with pytest.raises(ValueError, match=r"none as `balance`\. Received: 12 training pictures"):
            self.labels(pictures, [1, 3])


def test_the_epochs_with_lighting_are_as_many_as_the_recipe_says():
    """Quickly what the slow tests compare pixel by pixel."""
    for first, until, expected in ((0, 2, 2), (1, 2, 1), (3, 2, 0), (0, None, 4), (0, 9, 4)):
        lit, unlit = pipeline._with_and_without_lighting(range(first, 4), until)
        assert (len(lit), [*lit, *unlit]) == (expected, [*range(first, 4)])


@pytest.mark.parametrize(("balance", "seen"), [("none", [100, 50, 5]), ("repeat", [100, 100, 50])])
def test_counts_as_seen_are_those_of_the_sampled_pictures(balance, seen):
    """Twice and ten times as often, the limit."""
    assert balancing.counts_as_seen([100, 50, 5], Recipe(balance=balance)).tolist() == seen


# Wrong arguments


def pairs(convert=lambda image, label: (image, label)):
    pictures = np.zeros((COUNT, RESIZE_SIZE, RESIZE_SIZE, 3), np.uint8)
    return tf.data.Dataset.from_tensor_slices((pictures, np.arange(COUNT))).map(convert)


PLAIN = recipe(mean="architecture", augmentation=("crop",))
every_reader = pytest.mark.parametrize(
    "read",
    [
        lambda pictures: pipeline.resize_pictures(pictures, RESIZE_SIZE),
        lambda pictures: pipeline.training_batches(pictures, None, PLAIN, 0, range(1)),
        lambda pictures: pipeline.evaluation_batches(pictures, None, PLAIN, 6),
    ],
    ids=["resize_pictures", "training_batches", "evaluation_batches"],
)


@every_reader
@pytest.mark.parametrize("pictures", [[1, 2], np.zeros((2, 16, 16, 3), np.uint8), None, "petals"], ids=repr)
def test_pictures_must_be_a_dataset_of_tensorflow(read, pictures):
    with pytest.raises(TypeError, match=r"^`\w+` must be a tf\.data\.Dataset, such as .*Received: \w+=.+$"):
        read(pictures)


@every_reader
@pytest.mark.parametrize(
    "change",
    [
        lambda split: split.batch(2),
        lambda split: split.map(lambda image, label: image),
        lambda split: split.map(lambda image, label: {"image": image, "label": label}),
        lambda split: split.map(lambda image, label: (image, label, label)),
        lambda split: split.map(lambda image, label: (image, tf.one_hot(label, COUNT))),
        lambda split: split.map(lambda image, label: (image, tf.cast(label, tf.float32))),
        lambda split: split.map(lambda image, label: (tf.cast(image, tf.float32) / 255, label)),
        lambda split: split.map(lambda image, label: (image[..., :1], label)),
    ],
    ids=["batches", "no labels", "mapping", "weights", "one-hot", "float labels", "float pictures", "gray"],
)
def test_pictures_must_be_single_and_labeled(read, change):
    with pytest.raises(ValueError, match=r"^`\w+` must consist of pairs of a picture, .*Received: .*TensorSpec"):
        read(change(pairs()))


@pytest.mark.parametrize(
    ("change", "length"), [(lambda split: split.filter(lambda *_: True), "unknown"), (lambda s: s.repeat(), "infinite")]
)
def test_the_length_of_the_training_pictures_must_be_known(change, length):
    for read in (
        lambda split: pipeline.resize_pictures(split, RESIZE_SIZE),
        lambda split: pipeline.training_batches(split, None, PLAIN, 0, range(1)),
    ):
        with pytest.raises(ValueError, match=rf"must be known: use .*Received: a data set of {length} length"):
            read(change(pairs()))


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"recipe": "flowers"}, TypeError, r"`recipe` must be a Recipe, .*Received: recipe='flowers'"),
        ({"epochs": 3}, TypeError, r"`epochs` must be a range, .*Received: epochs=3"),
        ({"seed": "0"}, ValueError, r"`seed` must be an integer\. Received: seed='0'"),
        ({"steps_per_epoch": 0}, ValueError, r"`steps_per_epoch` must be an integer of at least 1"),
        ({"steps_per_epoch": 1.5}, ValueError, r"`steps_per_epoch` must be an integer of at least 1"),
        ({"first_step": 9}, ValueError, r"`first_step` must be from 0 to 3\. Received: first_step=9"),
        ({"recipe": recipe(label_smoothing=0.1, mean="architecture")}, ValueError, r"`classes` must be .*=None"),
        ({"recipe": recipe()}, TypeError, r"`statistics` must be .*Statistics\.measure, .*Received: statistics=None"),
        ({"recipe": recipe(mean="network")}, TypeError, r"`statistics` must be .*, which this recipe needs"),
        (
            {"recipe": recipe(), "statistics": np.zeros(3)},
            TypeError,
            r"`statistics` must be .*Received: statistics=arr",
        ),
    ],
)
def test_wrong_arguments_of_training_batches(settings, error, message):
    arguments = {"statistics": None, "recipe": PLAIN, "seed": 0, "epochs": range(1)}
    with pytest.raises(error, match=message):
        pipeline.training_batches(pairs(), **arguments | settings)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"recipe": "flowers"}, TypeError, r"`recipe` must be a Recipe, .*Received: recipe='flowers'"),
        ({"batch_size": 0}, ValueError, r"`batch_size` must be an integer of at least 1\. Received: batch_size=0"),
        ({"batch_size": "6"}, ValueError, r"`batch_size` must be an integer of at least 1\. Received: batch_size='6'"),
        ({"recipe": recipe()}, TypeError, r"`statistics` must be .*Statistics\.measure, .*Received: statistics=None"),
    ],
)
def test_wrong_arguments_of_evaluation_batches(settings, error, message):
    arguments = {"statistics": None, "recipe": PLAIN, "batch_size": 6}
    with pytest.raises(error, match=message):
        pipeline.evaluation_batches(pairs(), **arguments | settings)


@pytest.mark.parametrize("size", [0, -1, "16", 16.0])
def test_the_resize_size_must_be_an_integer_of_at_least_1(size):
    with pytest.raises(ValueError, match=rf"`resize_size` must be an integer .*Received: resize_size={size!r}"):
        pipeline.resize_pictures(pairs(), size)


@pytest.mark.parametrize("read", [Statistics.measure, lambda pictures: balancing.count_labels(pictures, 3)])
def test_what_is_measured_must_be_a_dataset_of_tensorflow(read):
    with pytest.raises(TypeError, match=r"`pictures` must be a tf\.data\.Dataset .*Received: pictures=\[1, 2\]"):
        read([1, 2])
