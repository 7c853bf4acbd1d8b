"""Identical files are found, reported before training, and kept in one split."""

import shutil

import numpy as np
import pytest
from small_pictures import save_classes, save_picture

from keras_alexnet.data import datasets, duplicates


@pytest.fixture
def pets(tmp_path):
    return save_classes(tmp_path / "pets", cat=12, dog=12)


def test_groups_of_the_same_bytes(tmp_path):
    random = np.random.default_rng(0)
    long = random.bytes(20_000)
    contents = {
        "a": long,
        "same-end": random.bytes(10) + long[10:],
        "same-size": random.bytes(20_000),
        "b": b"short",
        "copy-of-a": long,
        "copy-of-b": b"short",
        "empty": b"",
        "empty-too": b"",
        "third-a": long,
    }
    for name, text in contents.items():
        (tmp_path / name).write_bytes(text)
    paths = [str(tmp_path / name) for name in [*contents, "missing"]]
    groups = [[path.rpartition("/")[2] for path in group] for group in duplicates.identical(paths)]
    assert sorted(groups) == [["a", "copy-of-a", "third-a"], ["b", "copy-of-b"]]


def test_a_training_picture_in_the_test_split_is_reported_before_training(pets, capsys):
    for n in range(5):
        shutil.copytree(pets, pets.parent / "splits" / "train", dirs_exist_ok=True)
        save_picture(pets.parent / "splits" / "test" / ("cat", "dog")[n % 2] / f"new-{n}.png", 9000 + n)
        shutil.copy(pets / "cat" / f"{n}.png", pets.parent / "splits" / "test" / "cat" / f"copy-{n}.png")
    dataset = datasets.load(str(pets.parent / "splits"), validation_share=0)
    (line,) = capsys.readouterr().err.splitlines()
    assert line == (
        "5 of 10 test pictures are also training pictures, so the test error will be too low: "
        + ", ".join(f"train/cat/{n}.png = test/cat/copy-{n}.png" for n in dataset_order(dataset)[:3])
        + ", ..."
    )
    assert dataset.copies.as_json()["files"] == 5
    assert sorted(dataset.copies.trained_on["test"]) == [
        (f"train/cat/{n}.png", f"test/cat/copy-{n}.png") for n in range(5)
    ]
    assert dataset.copies.two_labels == []


def dataset_order(dataset):
    """Numbers of the copies in the order of the report."""
    return [int(copy.removesuffix(".png").rpartition("-")[2]) for _, copy in dataset.copies.trained_on["test"]]


def test_a_picture_in_two_classes_is_reported(pets, capsys):
    shutil.copy(pets / "cat" / "3.png", pets / "dog" / "rex.png")
    dataset = datasets.load(str(pets))
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "1 picture in two classes, probably by mistake: cat/3.png = dog/rex.png"
    assert dataset.copies.as_json() | {"sizes": None} == {
        "files": 1,
        "trained_on": {},
        "two_labels": [("cat/3.png", "dog/rex.png")],
        "sizes": None,
    }


@pytest.mark.parametrize("seed", range(4))
def test_a_random_split_keeps_copies_together(pets, seed, capsys):
    for n in range(12):
        shutil.copy(pets / "cat" / f"{n}.png", pets / "cat" / f"copy-of-{n}.png")
    dataset = datasets.load(str(pets), seed=seed)
    split_of = {
        path.rpartition("/")[2]: split for split, own in dataset.paths.items() for path in own if "/cat/" in path
    }
    assert all(split_of[f"{n}.png"] == split_of[f"copy-of-{n}.png"] for n in range(12))
    assert set(split_of.values()) == {"train", "validation", "test"}
    assert capsys.readouterr().err == ""
    assert dataset.identity.copies == dataset.copies.count == 12


def test_a_validation_split_off_official_training_pictures_keeps_copies_together(pets):
    for n in range(12):
        shutil.copy(pets / "cat" / f"{n}.png", pets / "cat" / f"copy-of-{n}.png")
    save_classes(pets.parent / "splits" / "test", cat=1, dog=1)
    for n, name in enumerate(("cat", "dog")):
        save_picture(pets.parent / "splits" / "test" / name / "0.png", 9000 + n)
    pets.rename(pets.parent / "splits" / "train")
    for seed in range(4):
        dataset = datasets.load(str(pets.parent / "splits"), seed=seed, validation_share=0.4)
        assert dataset.copies.trained_on == {}
        assert len(dataset.splits["validation"]) >= 9


def test_pictures_are_in_the_order_of_their_paths(pets):
    dataset = datasets.load(str(pets))
    for split, own in dataset.splits.items():
        for (picture, label), path in zip(own.as_numpy_iterator(), dataset.paths[split], strict=True):
            with open(path, "rb") as file:
                assert picture == file.read()
            assert dataset.class_names[label] == path.split("/")[-2]
