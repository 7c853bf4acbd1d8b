"""Data sets by name and by folder: splits, labels, order, identity, and messages about wrong names."""

import urllib.error

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from small_pictures import save_splits

from keras_alexnet.data import datasets, decoding
from keras_alexnet.data import tfds as catalog
from keras_alexnet.data.drawings import formulas, petals
from keras_alexnet.recipes import Options

tfds = pytest.importorskip("tensorflow_datasets")

TOY_SPLITS = {
    "complete": {"train": 40, "validation": 7, "test": 5},
    "no_validation": {"train": 40, "test": 5},
    "no_test": {"train": 40, "validation": 7},
    "secret_test": {"train": 40, "validation": 7, "test": 5},
    "train_only": {"train": 40, "extra": 9},
    "no_train": {"test": 5},
}


class ToyPictures(tfds.core.GeneratorBasedBuilder):
    """Gray pictures, each of the value of its number; official splits as the configuration's name says."""

    VERSION = tfds.core.Version("1.0.0")
    BUILDER_CONFIGS = [tfds.core.BuilderConfig(name=name, description=name) for name in [*TOY_SPLITS, "no_label"]]  # noqa: RUF012

    def _info(self):
        features = {
            "image": tfds.features.Image(shape=(4, 4, 3)),
            "label": tfds.features.ClassLabel(names=["even", "odd"]),
        }
        if self.builder_config.name == "no_label":
            del features["label"]
        keys = ("image", "label") if "label" in features else None
        return tfds.core.DatasetInfo(builder=self, features=tfds.features.FeaturesDict(features), supervised_keys=keys)

    def _split_generators(self, _):
        return {split: self._generate_examples(split, count) for split, count in self._splits().items()}

    def _splits(self):
        return TOY_SPLITS[self.builder_config.name]

    def _generate_examples(self, split, count):
        secret = split == "test" and self.builder_config.name == "secret_test"
        for number in range(count):
            yield number, {"image": np.full((4, 4, 3), number, np.uint8), "label": -1 if secret else number % 2}


@pytest.fixture(scope="module")
def toy_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tfds")


@pytest.fixture(scope="module")
def toys(toy_folder):
    """Prepared toy pictures by the name of their splits."""

    def load(config, seed=0):
        tfds.builder(f"toy_pictures/{config.split(':')[0]}", data_dir=toy_folder).download_and_prepare()
        return datasets.load(f"toy_pictures/{config}", toy_folder, seed)

    return load


@pytest.fixture
def offline(monkeypatch):
    def urlopen(*_, **__):
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr("urllib.request.urlopen", urlopen)


def levels(split):
    """Return the pixel value of each picture."""
    return [int(decoding.decode(picture)[0, 0, 0]) for picture, _ in split]


def sizes(dataset):
    return {split: len(pictures) for split, pictures in dataset.splits.items()}


def test_petals_are_drawn_when_they_are_read(monkeypatch):
    monkeypatch.setattr(datasets, "PETALS_SIZES", {"train": 5, "validation": 3, "test": 2})
    dataset = datasets.load("petals", seed=4)
    assert dataset.class_names == petals.CLASS_NAMES
    assert sizes(dataset) == {"train": 5, "validation": 3, "test": 2}
    drawn = {split: [*dataset.splits[split].as_numpy_iterator()] for split in dataset.splits}
    for split, seed in (("train", 12), ("validation", 13), ("test", 14)):
        pictures, labels = petals.draw(len(drawn[split]), seed)
        np.testing.assert_array_equal([picture for picture, _ in drawn[split]], pictures)
        assert [label for _, label in drawn[split]] == labels.tolist()


def test_description_of_petals():
    assert datasets.load("petals").describe() == (
        "petals: 10 classes; train 640, validation 160, test 160 pictures (drawn with seed 0)"
    )


def test_pictures_by_formula_are_drawn_when_they_are_read():
    dataset = datasets.load("drawn:5", seed=2)
    assert dataset.describe() == "drawn:5: 256 classes; train 5, validation 256, test 256 pictures (drawn with seed 2)"
    for split, seed in (("train", 6), ("validation", 7), ("test", 8)):
        received = [*dataset.splits[split].take(5).as_numpy_iterator()]
        for (image, label), (expected, expected_label) in zip(received, formulas.pictures(5, seed), strict=True):
            np.testing.assert_array_equal(image, expected)
            assert label == expected_label


def test_sizes_of_pictures_by_formula():
    assert sizes(datasets.load("drawn")) == {"train": 25_600, "validation": 1280, "test": 1280}
    assert sizes(datasets.load("drawn:60000")) == {"train": 60_000, "validation": 3000, "test": 3000}


@pytest.mark.parametrize("name", ["drawn:", "drawn:0", "drawn:many", "drawn:-5"])
def test_drawn_needs_a_number_of_pictures(name):
    with pytest.raises(ValueError, match=f"such as drawn:60000. Received: {name}"):
        datasets.load(name)


@pytest.fixture
def folder(tmp_path):
    for label, name in enumerate(("cat", "dog")):
        for number in range(10):
            path = tmp_path / "pets" / name / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(np.full((6, 8, 3), 100 * label + number, np.uint8)).save(path)
    return tmp_path / "pets"


def test_folder_is_split_class_by_class(folder):
    dataset = datasets.load(str(folder), seed=3)
    assert dataset.class_names == ("cat", "dog")
    assert sizes(dataset) == {"train": 16, "validation": 2, "test": 2}
    assert dataset.describe().endswith("(80 : 10 : 10 by class, seed 3)")
    everything = []
    for split in dataset.splits.values():
        found = levels(split)
        assert [int(label) for _, label in split] == [level // 100 for level in found]
        assert levels(split) == found  # the same order again
        everything += found
    assert sorted(everything) == [*range(10), *range(100, 110)]
    assert levels(dataset.splits["train"]) != sorted(levels(dataset.splits["train"]))  # not class by class
    assert levels(datasets.load(str(folder), seed=4).splits["train"]) != levels(dataset.splits["train"])


def test_a_folder_called_drawn_is_preferred(folder, monkeypatch):
    folder.rename(folder.parent / "drawn")
    monkeypatch.chdir(folder.parent)
    assert datasets.load("drawn").class_names == ("cat", "dog")


def test_identity_of_a_folder(folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    relative, absolute = datasets.load("pets", seed=3).identity, datasets.load(str(folder), seed=3).identity
    assert relative == absolute
    assert (absolute.source, absolute.name, absolute.split_seed) == ("folder", str(folder), 3)
    assert absolute.sizes == {"train": 16, "validation": 2, "test": 2}
    assert datasets.load("pets", seed=4).identity.digest == absolute.digest
    (folder / "cat" / "0.png").rename(folder / "cat" / "10.png")
    assert datasets.load("pets", seed=3).identity.digest != absolute.digest


def test_folder_of_splits(folder, tmp_path):
    for split in ("train", "val"):
        (tmp_path / "splits" / split).mkdir(parents=True)
    for name in ("cat", "dog"):
        (folder / name).rename(tmp_path / "splits" / "train" / name)
        (tmp_path / "splits" / "val" / name).mkdir()
        (tmp_path / "splits" / "train" / name / "0.png").rename(tmp_path / "splits" / "val" / name / "0.png")
    dataset = datasets.load(str(tmp_path / "splits"))
    assert sizes(dataset) == {"train": 17, "validation": 1, "test": 2}
    assert sorted(levels(dataset.splits["test"])) == [0, 100]
    assert "validation is taken as test; validation is a tenth of train" in dataset.describe()


def test_exif_orientation_is_applied(folder):
    exif = Image.Exif()
    exif[0x0112] = 6
    for path in folder.glob("*/*.png"):
        path.unlink()
    for level, name in enumerate(("cat", "cat", "cat", "dog", "dog", "dog")):
        Image.fromarray(np.full((6, 8, 3), 40 * level, np.uint8)).save(folder / name / f"{level}.jpg", exif=exif)
    pictures = [
        decoding.decode(picture) for split in datasets.load(str(folder)).splits.values() for picture, _ in split
    ]
    assert [picture.shape for picture in pictures] == [(8, 6, 3)] * 6


def test_error_about_a_truncated_file_is_one_line(tmp_path):
    tfds.builder("toy_pictures/complete", data_dir=tmp_path).download_and_prepare()
    (file,) = tmp_path.rglob("*-test.*record*")
    file.write_bytes(file.read_bytes()[:20])
    with pytest.raises(OSError, match=r"Expected data that can be read\. Received: toy_pictures/complete: .+") as told:
        datasets.load("toy_pictures/complete", tmp_path)
    assert "\n" not in str(told.value)


def test_complete_official_splits(toys):
    dataset = toys("complete")
    assert dataset.class_names == ("even", "odd")
    assert sizes(dataset) == TOY_SPLITS["complete"]
    assert dataset.name == "toy_pictures/complete 1.0.0"
    assert dataset.describe().endswith("(official train, validation, test)")
    identity = dataset.identity
    assert (identity.source, identity.name, identity.version) == ("tfds", "toy_pictures/complete", "1.0.0")
    assert (identity.official, identity.drawn_by_seed) == (("train", "validation", "test"), ())
    assert (identity.split_seed, identity.sizes) == (None, TOY_SPLITS["complete"])
    for split, count in TOY_SPLITS["complete"].items():
        found = levels(dataset.splits[split])
        assert sorted(found) == [*range(count)]
        assert [int(label) for _, label in dataset.splits[split]] == [level % 2 for level in found]
        assert levels(dataset.splits[split]) == found  # the same order again


@pytest.mark.slow
def test_validation_is_the_last_tenth_of_a_permutation(toys, toy_folder):
    dataset = toys("no_validation", seed=5)
    assert sizes(dataset) == {"train": 36, "validation": 4, "test": 5}
    examples = tfds.load("toy_pictures/no_validation", split="train", data_dir=toy_folder)
    official = [int(example["image"][0, 0, 0]) for example in examples]
    last = np.random.default_rng(5).permutation(40)[36:]
    assert levels(dataset.splits["validation"]) == [official[place] for place in sorted(last)]
    assert levels(dataset.splits["train"]) == [official[place] for place in sorted(set(range(40)) - set(last))]
    assert levels(toys("no_validation", seed=6).splits["validation"]) != levels(dataset.splits["validation"])


@pytest.mark.parametrize("config", ["no_test", "secret_test"])
def test_validation_stands_in_for_a_test_without_labels(toys, config):
    dataset = toys(config)
    assert sizes(dataset) == {"train": 36, "validation": 4, "test": 7}
    assert sorted(levels(dataset.splits["test"])) == [*range(7)]
    assert "validation is taken as test; validation is a tenth of train, seed 0" in dataset.describe()


def test_train_alone_gives_all_three(toys):
    dataset = toys("train_only")
    assert sizes(dataset) == {"train": 33, "validation": 3, "test": 4}
    assert sorted(level for split in dataset.splits.values() for level in levels(split)) == [*range(40)]


def test_variants_by_name(toys):
    flipped = toys("complete:flipped")
    assert sizes(flipped) == {"train": 5, "validation": 7, "test": 40}
    assert "flipped" in flipped.describe()
    both = toys("complete:train+validation")
    assert sizes(both) == {"train": 47, "test": 5}
    assert sorted(levels(both.splits["train"])) == sorted([*range(40), *range(7)])


def test_variant_needs_all_three_splits(toys):
    with pytest.raises(ValueError, match=r"Received: train, test"):
        toys("no_validation:flipped")


def test_set_without_train_is_refused(toys):
    with pytest.raises(ValueError, match=r"must have a train split. Received: {'test': 5}"):
        toys("no_train")


def test_set_without_labels_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"Received: toy_pictures, which has image"):
        datasets.load("toy_pictures/no_label", tmp_path)


def test_official_sizes_are_checked(toys, monkeypatch):
    monkeypatch.setitem(catalog.OFFICIAL_SIZES, "toy_pictures", {"train": 41, "validation": 7, "test": 5})
    with pytest.raises(ValueError, match=r"toy_pictures must have {'train': 41.*Received: {'train': 40"):
        toys("complete")


def test_unknown_name(tmp_path):
    with pytest.raises(ValueError, match=r"such as oxford_flowers102.* Received: oxford_flower$") as error:
        datasets.load("oxford_flower", tmp_path)
    assert "\n" not in str(error.value)
    with pytest.raises(ValueError, match=r"such as petals. Received: petal$"):
        datasets.load("petal", tmp_path)


def test_name_that_is_none_of_tfds(tmp_path):
    with pytest.raises(ValueError, match=r"Received: cifar 10$"):
        datasets.load("cifar 10", tmp_path)


@pytest.mark.parametrize(
    ("name", "message"), [("no/such/folder", "does not exist"), ("photos.zip", "cannot be unpacked")]
)
def test_wrong_paths_are_refused_without_asking_tfds(name, message, tmp_path, monkeypatch):
    monkeypatch.setattr(catalog, "read", None)
    (tmp_path / "photos.zip").write_text("an archive")
    with pytest.raises(ValueError, match=message):
        datasets.load(str(tmp_path / name), tmp_path)


@pytest.mark.parametrize("name", ["cifar10:9.9.9", "cifar10/small"])
def test_unknown_version_or_configuration(name, tmp_path):
    with pytest.raises(
        ValueError, match=rf"does not have this version or configuration of cifar10. Received: {name}"
    ) as error:
        datasets.load(name, tmp_path)
    assert "\n" not in str(error.value)


def test_no_network(tmp_path, offline):
    with pytest.raises(ValueError, match=r"Name or service not known") as error:
        datasets.load("oxford_flowers102", tmp_path)
    message = str(error.value)
    assert "\n" not in message
    for part in ("oxford_flowers102 2.1.1", str(tmp_path), "329 MiB", "`data_dir`", "TFDS_DATA_DIR", "petals"):
        assert part in message


def test_set_that_must_be_downloaded_by_hand(tmp_path, offline, capfd):
    with pytest.raises(ValueError, match=r"Received: Manual directory"):
        datasets.load("imagenet2012", tmp_path)


@pytest.mark.realdata
@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("oxford_flowers102", {"train": 1020, "validation": 1020, "test": 6149}),
        ("oxford_flowers102:flipped", {"train": 6149, "validation": 1020, "test": 1020}),
        ("oxford_flowers102:train+validation", {"train": 2040, "test": 6149}),
    ],
)
def test_flowers(name, expected):
    dataset = datasets.load(name)
    assert len(dataset.class_names) == 102
    assert sizes(dataset) == expected
    assert dataset.splits["train"].element_spec == (tf.TensorSpec((), tf.string), tf.TensorSpec((), tf.int64))


@pytest.mark.realdata
def test_flowers_are_all_there():
    train = datasets.load("oxford_flowers102").splits["train"]
    assert np.bincount([int(label) for _, label in train]).tolist() == [10] * 102


def test_the_shares_of_the_options_are_those_of_the_splits(folder):
    options = Options(dataset=str(folder), validation_share=0.1, test_share=0.3)
    assert sizes(datasets.from_options(options)) == {"train": 12, "validation": 2, "test": 6}


def test_the_order_of_a_split_is_that_of_archived_runs(tmp_path):
    """A permutation of the sorted files by the seed, on which the pictures for validation depend."""
    folder = save_splits(tmp_path / "pictures", 8, train=(5, 4), validation=(3, 3), test=(2, 2))
    for seed in (0, 3):
        dataset = datasets.load(str(folder), seed=seed)
        for split, paths in dataset.paths.items():
            files = sorted((folder / split).rglob("*.png"))
            order = np.random.default_rng(seed).permutation(len(files))
            assert [*paths] == [str(files[place]) for place in order]


@pytest.mark.parametrize("name", [None, 3, b"petals", ["petals"]])
def test_a_name_must_be_text_or_a_path(name):
    with pytest.raises(TypeError, match=r"`name` must be a path, .*Received: name="):
        datasets.load(name)


@pytest.mark.parametrize(
    ("setting", "value"), [("seed", "0"), ("seed", -1), ("test_share", "0.1"), ("validation_share", None)]
)
def test_the_seed_and_the_shares_must_be_numbers(setting, value):
    with pytest.raises(ValueError, match=rf"^`{setting}` must be .*Received: {value!r}$"):
        datasets.load("petals", **{setting: value})
