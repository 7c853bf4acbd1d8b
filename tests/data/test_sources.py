"""Names of data sets, and one-line errors for wrong input before TensorFlow is imported."""

import os
import pathlib
import shutil
import subprocess
import sys

import numpy as np
import pytest
from PIL import Image
from small_pictures import save_classes, save_picture

from keras_alexnet.data import flowers17, sources
from keras_alexnet.data.splitting import Shares
from keras_alexnet.recipes import Options


@pytest.fixture
def pets(tmp_path):
    return save_classes(tmp_path / "pets", cat=4, dog=4)


def test_names_of_tfds_are_not_paths():
    for name in ("cifar10", "oxford_flowers102:flipped", "imagenet_resized/64x64", "imagenet2012:5.1.0", "cifar 10"):
        assert sources.dataset_path(name) is None


def test_a_folder_with_the_name_of_the_drawn_flowers_is_not_taken_silently_for_them(pets, monkeypatch, capsys):
    monkeypatch.chdir(pets.rename(pets.with_name("petals")).parent)
    assert sources.find("petals") is None
    assert capsys.readouterr().err.endswith("For the folder of this name, use ./petals\n")
    assert sources.find("./petals").class_names == ("cat", "dog")
    assert capsys.readouterr().err == ""


def test_a_folder_is_found_before_a_name(pets, monkeypatch):
    monkeypatch.chdir(pets.parent)
    pets.rename("cifar10")
    assert sources.dataset_path("cifar10") == pathlib.Path("cifar10")
    assert len(sources.find("cifar10").entries) == 8


@pytest.mark.parametrize(
    "name",
    [
        "./nowhere",
        "/no/such/folder",
        "~/no/such/folder",
        "a/b/c",
        "nowhere/",
        "pets/nowhere",
        "nowhere.csv",
        "no.tar.gz",
    ],
)
def test_a_path_that_does_not_exist_is_refused(name, pets, monkeypatch):
    monkeypatch.chdir(pets.parent)
    with pytest.raises(
        ValueError, match=rf"does not exist\. Expected layout: .*FOLDER/daisy/1\.jpg.* Received: {name}$"
    ):
        sources.dataset_path(name)


@pytest.mark.parametrize(("name", "advice"), [("photos.7z", "unpack it first"), ("photo.jpg", "one folder per class")])
def test_a_file_of_another_kind_is_refused(name, advice, tmp_path):
    (tmp_path / name).write_text("a file")
    with pytest.raises(
        ValueError,
        match=rf"must be a folder of pictures, .*{advice}.* Received: .*{name}, which is another kind of file$",
    ):
        sources.dataset_path(str(tmp_path / name))


def test_a_flat_folder_is_refused(pets):
    with pytest.raises(ValueError, match=r"Expected layout: .*cat with 0 class folders and 4 pictures outside"):
        sources.find(pets / "cat")


def test_a_flat_folder_with_a_csv_file_names_it(pets):
    (pets / "cat" / "labels.csv").write_text("file,label\n")
    with pytest.raises(ValueError, match=r"if labels\.csv has their labels, use .*/cat/labels\.csv\)$"):
        sources.find(pets / "cat")


def test_a_folder_of_pictures_beside_a_csv_file_names_it(pets):
    shutil.rmtree(pets / "dog")
    (pets / "labels.csv").write_text("file,label\n")
    with pytest.raises(ValueError, match=r"1 class folder \(if labels\.csv has their labels, use "):
        sources.find(pets)


def test_a_name_with_a_tilde_that_is_no_home_folder(pets, monkeypatch):
    monkeypatch.chdir(pets.parent)
    pets.rename("~backup of pets")
    assert sources.find("~backup of pets").class_names == ("cat", "dog")
    with pytest.raises(ValueError, match="does not exist"):
        sources.find("~nobody-of-this-name/pets")


def test_a_path_that_is_not_in_utf_8_is_refused(tmp_path):
    folder = os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9")
    os.mkdir(folder)
    with pytest.raises(ValueError, match=r"must be in UTF-8\. Received: b'.*/caf\\xe9'$"):
        sources.find(folder)


def test_a_folder_around_the_class_folders_names_the_inner_one(pets):
    with pytest.raises(ValueError, match=r"1 class folder \(did you mean .*/pets\?\)$"):
        sources.find(pets.parent)


def test_two_classes_with_the_same_pictures_are_refused(pets):
    for n, file in enumerate(sorted((pets / "cat").iterdir())):
        (pets / "dog" / f"{n}.png").write_bytes(file.read_bytes())
    with pytest.raises(ValueError, match=r"exactly the same pictures: .*Received: cat and dog in .*/pets$"):
        sources.find(pets)


def test_a_class_with_one_picture_is_refused_unless_nothing_is_split_off(pets):
    for n in (1, 2, 3):
        (pets / "dog" / f"{n}.png").unlink()
    with pytest.raises(ValueError, match=r"at least 3 .*train, validation and test: .* Received: 1 in dog$"):
        sources.find(pets)
    with pytest.raises(ValueError, match=r"at least 2 .*train and validation: .* Received: 1 in dog$"):
        sources.find(pets, shares=Shares(0.1, 0))
    assert len(sources.find(pets, shares=Shares(0, 0)).entries) == 5


def test_a_training_folder_with_one_picture_of_a_class_is_refused_if_validation_is_taken_from_it(tmp_path):
    """The random part for validation would sometimes leave none to train on."""
    save_classes(tmp_path / "train", cat=4, dog=1)
    save_classes(tmp_path / "test", cat=1, dog=1)
    with pytest.raises(ValueError, match=r"at least 2 .*train and validation: .* Received: 1 in dog$"):
        sources.find(tmp_path)
    assert len(sources.find(tmp_path, shares=Shares(0, 0.1)).entries) == 7
    save_classes(tmp_path / "validation", cat=1, dog=1)
    assert len(sources.find(tmp_path).entries) == 9


def test_class_folders_that_hold_folders_of_classes_are_refused(pets):
    (pets.parent / "all").mkdir()
    pets.rename(pets.parent / "all" / "animals")
    for n, name in enumerate(("rose", "tulip")):
        save_picture(pets.parent / "all" / "plants" / name / "1.png", 5000 + n)
    with pytest.raises(ValueError, match=r"folders of other classes: .*Received: .*all: animals with cat, dog; plants"):
        sources.find(pets.parent / "all")


def test_splits_with_other_names_are_reported(pets):
    for n, name in enumerate(("cat", "dog")):
        save_picture(pets.parent / "all" / "set_b" / name / "1.png", 5000 + n)
    pets.rename(pets.parent / "all" / "set_a")
    with pytest.raises(ValueError, match=r"name the outer folders train, validation and test if they are splits"):
        sources.find(pets.parent / "all")


@pytest.mark.parametrize("other", ["annotations", "test1"])
def test_a_folder_next_to_train_that_is_not_a_split_is_reported(other, pets):
    save_picture(pets.parent / "all" / other / "1.png", 5000)
    pets.rename(pets.parent / "all" / "train")
    with pytest.raises(ValueError, match=rf"Only validation and test folders .* with {other}; train with cat, dog$"):
        sources.find(pets.parent / "all")


@pytest.mark.parametrize("inner", [("images",), ("2024-05-01", "2024-05-02"), ("part1", "part2")])
def test_folders_inside_a_class_are_allowed_if_they_are_not_classes(inner, tmp_path):
    for n, name in enumerate(("cat", "dog") * 4):
        save_picture(tmp_path / name / inner[n // 2 % len(inner)] / f"{n}.png", n)
    assert sources.find(tmp_path).class_names == ("cat", "dog")


def test_a_class_with_a_picture_beside_its_folders_is_allowed(pets):
    for n in range(3):
        save_picture(pets / "dog" / ("young", "old")[n % 2] / f"{n}.png", 5000 + n)
    assert len(sources.find(pets).entries) == 11


def test_a_class_of_photographs_in_heic_only_says_what_to_do(pets):
    for file in (pets / "dog").iterdir():
        file.rename(file.with_suffix(".HEIC"))
    with pytest.raises(ValueError, match=r"none in dog; ignored: 4 \.heic; convert \.heic to JPEG to use them$"):
        sources.find(pets)


@pytest.mark.parametrize("names", [("Train", "Test"), ("training", "testing")])
def test_other_spellings_of_splits(names, pets):
    for n in range(4):
        save_picture(pets.parent / "splits" / names[1] / ("cat", "dog")[n % 2] / f"{n}.png", 5000 + n)
    pets.rename(pets.parent / "splits" / names[0])
    assert {name: len(own) for name, own in sources.find(pets.parent / "splits").splits.items()} == {
        "train": 8,
        "test": 4,
    }


@pytest.mark.parametrize("shares", [Shares(-0.1, 0.1), Shares(0.5, 0.5)])
def test_impossible_shares_are_refused(shares):
    with pytest.raises(ValueError, match=r"together less than 1\. Received: validation_share="):
        sources.find("petals", shares=shares)


# Oxford Flowers 17


@pytest.fixture(scope="module")
def original(tmp_path_factory):
    """The folder of the original archive with small pictures: those of a class have its color."""
    folder = tmp_path_factory.mktemp("flowers")
    (folder / "jpg").mkdir()
    for n in range(1360):
        Image.new("RGB", (8, 8), (15 * (n // 80), n % 80, n % 7)).save(folder / "jpg" / f"image_{n + 1:04}.jpg")
    (folder / "jpg" / "files.txt").write_text("image_0001.jpg\n")
    return folder


@pytest.mark.parametrize("place", [".", "jpg"])
def test_flowers_17_are_recognized_by_their_layout(original, place):
    files = sources.find(original / place)
    assert files.class_names[:3] == ("daffodil", "snowdrop", "lily-valley")
    assert len(files.class_names) == 17
    assert np.bincount([label for _, label in files.entries]).tolist() == [80] * 17
    labels = {pathlib.Path(path).name: label for path, label in files.entries}
    found = [labels[f"image_{number:04}.jpg"] for number in (1, 80, 81, 1280, 1281, 1360)]
    assert [files.class_names[n] for n in found] == ["daffodil", "daffodil", "snowdrop", "windflower", "pansy", "pansy"]
    assert [file.name for file in files.others] == ["files.txt"]


def test_a_folder_with_other_numbers_is_not_flowers_17(original, tmp_path):
    for file in sorted((original / "jpg").iterdir())[1:]:
        (tmp_path / file.name).symlink_to(file)
    assert flowers17.find(tmp_path) is None


@pytest.mark.parametrize("place", ["oxford_flowers17", "downloads/manual/oxford_flowers17"])
def test_flowers_17_are_found_by_name(original, place, tmp_path, monkeypatch):
    (tmp_path / place).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / place).symlink_to(original)
    assert len(sources.find("oxford_flowers17", tmp_path).entries) == 1360
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path))
    assert len(sources.find("oxford_flowers17").entries) == 1360


def test_missing_flowers_17_say_where_to_put_the_file(tmp_path):
    with pytest.raises(
        ValueError, match=r"get 17flowers\.tgz from https://www\.robots\.ox\.ac\.uk.* Received: "
    ) as told:
        sources.find("oxford_flowers17", tmp_path)
    assert str(tmp_path / "oxford_flowers17") in str(told.value)


def test_wrong_input_is_reported_before_tensorflow_is_imported(pets):
    for n in (1, 2, 3):
        (pets / "dog" / f"{n}.png").unlink()
    code = (
        "import sys; from keras_alexnet.commands import fit\n"
        f"try: fit.main(['--dataset', {str(pets)!r}])\n"
        "except SystemExit as stop: print(stop.code, 'tensorflow' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout == "2 False\n"
    assert result.stderr.endswith("Received: 1 in dog\n")
    assert result.stderr.count("\n") == 1


def test_pictures_that_have_moved_are_named(tmp_path):
    options = Options(dataset=str(tmp_path / "old" / "pets"))
    with pytest.raises(ValueError, match=r"pass their new place as `dataset`\. Received: .*old/pets$"):
        sources.options_for(options)
    (tmp_path / "pets").mkdir()
    assert sources.options_for(options, str(tmp_path / "pets")).dataset == str(tmp_path / "pets")
    assert sources.options_for(Options(dataset="cifar10")).dataset == "cifar10"
