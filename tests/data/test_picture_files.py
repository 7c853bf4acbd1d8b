"""Which paths are folders of pictures, which files are pictures, and that finding out needs no TensorFlow."""

import pathlib
import subprocess
import sys

import pytest

from keras_alexnet.data import picture_files


@pytest.fixture
def folder(tmp_path):
    for name in (
        "daisy/b.png",
        "daisy/A.JPG",
        "daisy/notes.txt",
        "rose/deeper/c.webp",
        "rose/d.heic",
        ".thumbnails/e.png",
        "daisy/.hidden.png",
        "__MACOSX/daisy/b.png",
        ".DS_Store",
    ):
        (tmp_path / "folder" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "folder" / name).write_text("a file")
    return tmp_path / "folder"


def test_pictures_of_a_folder_without_hidden_ones(folder, capsys):
    found = picture_files.picture_files([folder])
    assert [file.relative_to(folder).as_posix() for file in found] == [
        "daisy/A.JPG",
        "daisy/b.png",
        "rose/deeper/c.webp",
    ]
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(": 1 .txt, 1 .heic; convert photographs to JPEG or PNG to use them")


def test_files_given_by_name_are_taken_whatever_their_names(folder):
    file = folder / "daisy" / "notes.txt"
    assert picture_files.picture_files([file, folder / "rose"]) == [file, folder / "rose" / "deeper" / "c.webp"]


def test_links_out_of_a_folder_are_passed_over(folder, tmp_path):
    (tmp_path / "secret.png").write_text("a file")
    (folder / "daisy" / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "daisy" / "inside.png").symlink_to(folder / "daisy" / "b.png")
    names = [file.name for file in picture_files.picture_files([folder / "daisy"])]
    assert names == ["A.JPG", "b.png", "inside.png"]


def test_paths_without_pictures_are_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="nowhere, which does not exist"):
        picture_files.picture_files([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"Expected pictures \(\.jpg.*Received: .*empty$"):
        picture_files.picture_files([tmp_path / "empty"])
    (folder / "rose" / "deeper" / "c.webp").unlink()
    with pytest.raises(ValueError, match=r"Received: .*rose with 1 \.heic$"):
        picture_files.picture_files([folder / "rose"])


def test_names_of_tfds_are_no_folders():
    for name in ("cifar10", "oxford_flowers102:flipped", "imagenet_resized/64x64", "imagenet2012:5.1.0", "cifar 10"):
        assert picture_files.dataset_folder(name) is None


def test_a_folder_is_found_before_a_name(folder, monkeypatch):
    monkeypatch.chdir(folder)
    for name in ("x", "y"):
        (folder / "cifar10" / name).mkdir(parents=True)
    assert picture_files.dataset_folder("cifar10") == pathlib.Path("cifar10")


def test_a_flat_folder_is_refused(folder):
    with pytest.raises(ValueError, match=r"Expected layout: .*daisy with 0 class folders, and 2 picture files beside"):
        picture_files.dataset_folder(folder / "daisy")


@pytest.mark.parametrize(
    "name", ["./nowhere", "/no/such/folder", "~/no/such/folder", "a/b/c", "nowhere/", "folder/nowhere"]
)
def test_a_path_that_does_not_exist_is_refused(name, folder, monkeypatch):
    monkeypatch.chdir(folder.parent)
    with pytest.raises(
        ValueError, match=rf"does not exist\. Expected layout: .*FOLDER/daisy/1\.jpg.* Received: {name}$"
    ):
        picture_files.dataset_folder(name)


@pytest.mark.parametrize(("name", "advice"), [("photos.zip", "unpack it first"), ("photo.jpg", "one folder per class")])
def test_a_file_in_place_of_a_folder_is_refused(name, advice, tmp_path):
    (tmp_path / name).write_text("a file")
    with pytest.raises(ValueError, match=rf"must be a folder of pictures: .*{advice}.* Received: .*{name}, a file$"):
        picture_files.dataset_folder(str(tmp_path / name))


def test_a_wrong_path_is_refused_before_tensorflow_is_imported():
    code = (
        "import sys; from keras_alexnet.data import picture_files\n"
        "try: picture_files.dataset_folder('/no/such/folder')\n"
        "except ValueError: print('tensorflow' in sys.modules)"
    )
    result = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert result.stdout == "False\n"
