"""Valid contents of a folder of class folders, and messages for others."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from keras_alexnet.data import datasets, decoding, image_folder, readable, splitting


def picture(path, seed=0, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (8, 10, 3), dtype=np.uint8)).save(path, **options)
    return path


@pytest.fixture
def pets(tmp_path):
    for name in ("cat", "dog"):
        for number in range(3):
            picture(tmp_path / "pets" / name / f"{number}.png", number + 10 * (name == "dog"))
    return tmp_path / "pets"


def read(folder):
    """The names of the classes, and the pictures that can be read by split."""
    files = image_folder.find(folder)
    return files.class_names, readable.read(files)


def names(pictures):
    return ["/".join(entry.path.split("/")[-2:]) for entry in pictures]


def test_classes_are_sorted_and_labels_count_them(pets):
    class_names, splits = read(pets)
    assert class_names == ("cat", "dog")
    assert [*splits] == ["all"]
    assert names(splits["all"]) == ["cat/0.png", "cat/1.png", "cat/2.png", "dog/0.png", "dog/1.png", "dog/2.png"]
    assert [entry.label for entry in splits["all"]] == [0, 0, 0, 1, 1, 1]


def test_extensions_in_any_case_at_any_depth(pets):
    for name in ("a.JPG", "b.jpeg", "c.GIF", "deeper/down/d.bmp", "e.WebP"):
        picture(pets / "cat" / name)
    for name in ("notes.txt", ".hidden.png", ".thumbnails/f.png"):
        path = pets / "cat" / name
        path.parent.mkdir(exist_ok=True)
        path.write_text("no picture")
    (pets / ".git").mkdir()
    _, splits = read(pets)
    assert names(splits["all"])[3:8] == ["cat/a.JPG", "cat/b.jpeg", "cat/c.GIF", "down/d.bmp", "cat/e.WebP"]
    assert len(splits["all"]) == 11


def test_pictures_that_tensorflow_misreads_are_rewritten(pets):
    turned = Image.Exif()
    turned[0x0112] = 6
    picture(pets / "cat" / "turned.jpg", exif=turned)
    picture(pets / "cat" / "upright.jpg")
    picture(pets / "cat" / "bitmap.bmp")
    picture(pets / "cat" / "first.gif")
    Image.new("RGBA", (10, 8)).save(pets / "cat" / "see-through.png")
    rewritten = [entry for entry in read(pets)[1]["all"] if entry.needs_rewriting]
    assert names(rewritten) == ["cat/bitmap.bmp", "cat/first.gif", "cat/see-through.png", "cat/turned.jpg"]


def test_links_that_lead_out_are_not_followed(pets, tmp_path):
    outside = picture(tmp_path / "outside" / "cow" / "0.png")
    (pets / "cat" / "link.png").symlink_to(outside)
    (pets / "cow").symlink_to(outside.parent, target_is_directory=True)
    (pets / "cat" / "within.png").symlink_to(pets / "dog" / "0.png")
    class_names, splits = read(pets)
    assert class_names == ("cat", "dog")
    assert names(splits["all"])[:4] == ["cat/0.png", "cat/1.png", "cat/2.png", "cat/within.png"]


def test_ignored_links_are_counted_and_named_if_classes_are_missing(pets, tmp_path, capsys):
    (pets / "cat" / "more").symlink_to(pets / "dog", target_is_directory=True)
    (pets / "cow").symlink_to(picture(tmp_path / "outside" / "cow" / "0.png").parent, target_is_directory=True)
    read(pets)
    assert capsys.readouterr().err == "Ignored 2 other files: 2 symbolic links\n"
    shutil.rmtree(pets / "dog")
    with pytest.raises(ValueError, match=r"1 class folder \(symbolic links are ignored: more, cow\)|links are.*cow"):
        image_folder.find(pets)


def test_links_in_a_circle_are_ignored(pets, capsys):
    (pets / "loop").symlink_to("loop")
    (pets / "cat" / "itself").symlink_to(".")
    assert len(read(pets)[1]["all"]) == 6
    assert capsys.readouterr().err == "Ignored 2 other files: 2 symbolic links\n"


def test_names_that_are_not_unicode(pets):
    (pets / "cat" / "0.png").rename(os.fsdecode(os.fsencode(pets / "cat") + b"/L\xf6we.png"))
    with pytest.raises(ValueError, match=r"in UTF-8: rename this one\. Received: b'.*/cat/L\\xf6we\.png'"):
        image_folder.find(pets)


@pytest.mark.parametrize("name", ["گل\u200cگل", "red\u3000rose", "\U0001f468\u200d\U0001f469"])
def test_names_in_any_script(pets, name):
    (pets / "cat").rename(pets / name)
    assert set(read(pets)[0]) == {name, "dog"}


@pytest.mark.parametrize("name", ["red\nrose", "red\x1b[2Jrose", "red\u202erose", "red\u2028rose"])
def test_names_that_control_a_terminal_are_refused(pets, name):
    (pets / "cat").rename(pets / name)
    with pytest.raises(ValueError, match=r"without control characters and line ends: rename it\. Received: '"):
        image_folder.find(pets)


@pytest.mark.parametrize("others", [["eval"], ["test", "extra"], ["val", "test", "unlabeled"]])
def test_a_split_folder_of_another_name_is_refused_whatever_the_classes_are_called(tmp_path, others):
    for split in ("train", *others):
        for name in ("class1", "class2"):
            picture(tmp_path / "data" / split / name / "0.png")
    if "unlabeled" in others:
        shutil.rmtree(tmp_path / "data" / "unlabeled")
        picture(tmp_path / "data" / "unlabeled" / "0.png")
    with pytest.raises(ValueError, match="next to a train folder with class folders: move or rename the others"):
        image_folder.find(tmp_path / "data")


@pytest.mark.parametrize("names", [("training_set", "test_set"), ("seg_train", "seg_test")])
def test_splits_inside_folders_of_the_same_name(tmp_path, names):
    """As in two well-known sets of Kaggle."""
    for split in names:
        for name in ("cat", "dog"):
            picture(tmp_path / "data" / split / split / name / "0.png")
    files = image_folder.find(tmp_path / "data")
    assert files.class_names == ("cat", "dog")
    assert {split: len(own) for split, own in files.splits.items()} == {"train": 2, "test": 2}
    picture(tmp_path / "data" / "seg_pred" / "seg_pred" / "0.png")
    with pytest.raises(ValueError, match=r"move or rename the others\. Received: .*seg_pred"):
        image_folder.find(tmp_path / "data")


def test_folders_of_their_own_names_are_otherwise_as_deep_as_others(tmp_path):
    for path in ("cat/cat/0.png", "dog/2024/0.png", "train/train/0.png", "bus/0.png"):
        picture(tmp_path / "data" / path)
    assert image_folder.find(tmp_path / "data").class_names == ("bus", "cat", "dog", "train")


def test_pictures_beside_a_nested_split_are_not_lost(tmp_path):
    for path in ("train/train/cat/0.png", "train/train/dog/0.png", "train/8.png", "test/test/cat/0.png"):
        picture(tmp_path / "data" / path)
    with pytest.raises(ValueError, match="with 1 class folder and 1 picture outside"):
        image_folder.find(tmp_path / "data")


def test_16_bits_of_which_few_are_used_are_told(pets, capsys):
    for number, highest in enumerate((4095, 2000)):
        values = np.uint16([[0, highest]]).repeat(2, 0)
        Image.fromarray(values).save(pets / "cat" / f"{number}.png")
    read(pets)
    assert "values up to 4095 of 65535, so 16 of 256 gray levels are used" in capsys.readouterr().err
    Image.fromarray(np.array([[0, 60_000]], ">u2")).save(pets / "dog" / "0.tif")  # big-endian
    read(pets)
    assert "gray levels" not in capsys.readouterr().err


def test_a_table_beside_a_flat_train_folder_is_named(tmp_path):
    picture(tmp_path / "data" / "train" / "0.png")
    picture(tmp_path / "data" / "test" / "1.png")
    (tmp_path / "data" / "train" / "_classes.csv").write_text("filename,cat,dog\n")  # of Roboflow, one column a class
    (tmp_path / "data" / "labels.csv").write_text("id,label\n")
    with pytest.raises(ValueError, match=r"if labels.csv has their labels, use \S*data.labels\.csv\)$"):
        image_folder.find(tmp_path / "data")


def test_splits_without_train_are_refused(tmp_path):
    for split in ("val", "test"):
        for name in ("c", "d"):
            picture(tmp_path / "data" / split / name / "0.png")
    with pytest.raises(ValueError, match=r"must include a train folder: .*data with test with c, d; val with c, d"):
        image_folder.find(tmp_path / "data")


@pytest.mark.parametrize("folders", [("2026-05-01", "2026-05-02"), ("cam1", "cam2")])
def test_dated_and_numbered_folders_in_every_class_are_no_classes(tmp_path, folders):
    for name in ("cat", "dog"):
        for folder in folders:
            picture(tmp_path / "data" / name / folder / "0.png")
    assert read(tmp_path / "data")[0] == ("cat", "dog")


def test_numbered_folds_of_the_same_classes_are_refused(tmp_path):
    for fold in ("fold1", "Fold_2"):
        for name in ("class_1", "class_2"):
            picture(tmp_path / "data" / fold / name / "0.png")
    with pytest.raises(ValueError, match="not folders of other classes: name the outer folders train, validation"):
        image_folder.find(tmp_path / "data")


def test_a_class_inside_another_one_is_refused(tmp_path):
    for path in ("cat/0.png", "dog/0.png", "more/Cat/0.png", "more/1/0.png"):
        picture(tmp_path / "data" / path)
    with pytest.raises(
        ValueError, match=r"named like other classes.* move or rename them\. Received: \S+: more with Cat$"
    ):
        image_folder.find(tmp_path / "data")


def test_a_data_set_two_folders_down_is_named(tmp_path):
    for name in ("cat", "dog"):
        picture(tmp_path / "data" / "archive" / "images" / name / "0.png")
    with pytest.raises(ValueError, match=r"did you mean \S*archive.images\?\)$"):
        image_folder.find(tmp_path / "data")


def test_a_test_folder_without_classes(pets, tmp_path):
    shutil.copytree(pets, tmp_path / "data" / "train")
    for number in range(2):
        picture(tmp_path / "data" / "test" / f"{number}.png")
    with pytest.raises(ValueError, match=r"none for test, and 2 outside of class folders: move them away"):
        image_folder.find(tmp_path / "data")


def test_a_class_must_keep_a_training_picture(tmp_path):
    """A random tenth of the training pictures is taken for validation, and copies stay together."""
    for number, name in enumerate("abcde"):
        for file in ("train/{}/0.png", "train/{}/1.png", "test/{}/0.png"):
            picture(tmp_path / file.format(name), number + 10 * file.startswith("test"))
    with pytest.raises(ValueError, match=r"a training picture after a part.*Received: none left in [a-e]$"):
        datasets.load(str(tmp_path))


@pytest.mark.parametrize("validation", ["validation", "val", "valid"])
def test_folders_for_the_splits(pets, tmp_path, validation):
    for name in ("test", validation, "train"):
        shutil.copytree(pets, tmp_path / "splits" / name)
    class_names, splits = read(tmp_path / "splits")
    assert class_names == ("cat", "dog")
    assert [*splits] == ["train", "validation", "test"]
    assert {len(pictures) for pictures in splits.values()} == {6}


def test_train_may_be_a_class(pets):
    shutil.copytree(pets / "cat", pets / "train")
    assert read(pets)[0] == ("cat", "dog", "train")


def test_two_validation_folders(pets, tmp_path):
    for name in ("train", "val", "validation"):
        shutil.copytree(pets, tmp_path / "splits" / name)
    with pytest.raises(ValueError, match=r"Received: .*splits with train, val, validation"):
        read(tmp_path / "splits")


def test_class_missing_in_train_is_refused(pets, tmp_path):
    for name in ("train", "test"):
        shutil.copytree(pets, tmp_path / "splits" / name)
    picture(tmp_path / "splits" / "test" / "cow" / "0.png")
    with pytest.raises(ValueError, match=r"Received: .*test/cow"):
        read(tmp_path / "splits")


def test_a_class_in_capital_letters_is_named(pets, tmp_path):
    for name in ("train", "test"):
        shutil.copytree(pets, tmp_path / "splits" / name)
    (tmp_path / "splits" / "test" / "cat").rename(tmp_path / "splits" / "test" / "Cat")
    with pytest.raises(ValueError, match=r"Received: .*test/Cat \(train has cat\)$"):
        read(tmp_path / "splits")


def test_accents_of_macos_and_other_systems_are_the_same(tmp_path):
    composed, decomposed = "Caf\u00e9", "Cafe\u0301"
    for split, name in (("train", composed), ("test", decomposed)):
        for number, each in enumerate((name, "bar")):
            picture(tmp_path / split / each / "0.png", number)
    class_names, splits = read(tmp_path)
    assert class_names == (composed, "bar")
    assert [entry.label for entry in splits["test"]] == [0, 1]


def test_flat_folder_of_pictures_is_refused_with_a_sketch(tmp_path):
    picture(tmp_path / "0.png")
    with pytest.raises(
        ValueError,
        match=r"two class folders\. Expected layout: .*/daisy/1\.jpg.* with 0 class folders and 1 picture outside",
    ):
        read(tmp_path)


def test_one_class_folder_is_refused(pets):
    shutil.rmtree(pets / "dog")
    with pytest.raises(ValueError, match=r"two class folders\. Expected layout: .* with 1 class folder$"):
        read(pets)


def test_empty_class_folder(pets):
    (pets / "cow").mkdir()
    with pytest.raises(ValueError, match=r"with none in cow$"):
        read(pets)


def test_empty_split(pets, tmp_path):
    shutil.copytree(pets, tmp_path / "splits" / "train")
    (tmp_path / "splits" / "test").mkdir()
    with pytest.raises(ValueError, match=r"with none for test$"):
        read(tmp_path / "splits")


def test_more_than_one_percent_unreadable_is_refused(pets):
    (pets / "cat" / "0.png").write_bytes((pets / "cat" / "1.png").read_bytes()[:100])
    (pets / "dog" / "text.jpg").write_text("no picture")
    with pytest.raises(
        ValueError, match=r"1 %.*Received: 2 of 7 pictures: .*cat/0.png \(.*dog/text.jpg \(cannot identify"
    ):
        read(pets)


def test_fewer_unreadable_pictures_are_named_and_left_out(pets, capsys):
    for number in range(3, 100):
        picture(pets / "cat" / f"{number}.bmp", number)
    whole = picture(pets / "dog" / "cut.jpg").read_bytes()
    (pets / "dog" / "cut.jpg").write_bytes(whole[: len(whole) // 2])
    _, splits = read(pets)
    assert len(splits["all"]) == 103
    message = capsys.readouterr().err
    assert "1 of 104 pictures" in message
    assert "cut.jpg (" in message
    assert message.count("\n") == 2


def test_split_is_stratified_and_seeded():
    pictures = [
        readable.Picture(f"{label}/{number}", label, False, 1)
        for label, count in enumerate((10, 3, 57))
        for number in range(count)
    ]
    splits = splitting.stratified(pictures, ("a", "b", "c"), seed=1)
    counts = {split: np.bincount([entry.label for entry in splits[split]]).tolist() for split in splits}
    assert counts == {"train": [8, 1, 45], "validation": [1, 1, 6], "test": [1, 1, 6]}
    assert sorted(entry.path for split in splits.values() for entry in split) == sorted(
        entry.path for entry in pictures
    )
    assert splitting.stratified(pictures, ("a", "b", "c"), seed=1) == splits
    assert splitting.stratified(pictures, ("a", "b", "c"), seed=2) != splits


def test_class_too_small_to_split():
    pictures = [readable.Picture(f"{number}", number // 3, False, 1) for number in range(5)]
    with pytest.raises(ValueError, match=r"Received: 2 in dog"):
        splitting.stratified(pictures, ("cat", "dog"), seed=0)


def test_other_files_are_counted_in_one_line(pets, capsys):
    for name in ("cat/a.HEIC", "cat/b.heic", "notes.txt", ".DS_Store", "cat/.thumbnails/c.png", "__MACOSX/cat/d.png"):
        (pets / name).parent.mkdir(parents=True, exist_ok=True)
        (pets / name).write_text("no picture")
    picture(pets / "stray.png")
    class_names, splits = read(pets)
    assert class_names == ("cat", "dog")
    assert len(splits["all"]) == 6
    (line,) = capsys.readouterr().err.splitlines()
    assert line.endswith(": 2 .heic, 1 .txt, 1 .png; convert .heic to JPEG to use them")


def damaged_jpeg(path):
    """Write a JPEG with bytes between its data and its end, which decoders pass over."""
    whole = picture(path, quality=90).read_bytes()
    path.write_bytes(whole[:-2] + bytes(65) + whole[-2:])


def test_damaged_jpegs_are_reported_once_and_then_decoded_silently(pets, capfd):
    damaged_jpeg(pets / "cat" / "damaged.jpg")
    _, splits = read(pets)
    (line,) = capfd.readouterr().err.splitlines()
    assert line.startswith("Using 1 of 7 pictures with damaged JPEG data: ")
    assert line.endswith("/cat/damaged.jpg")
    (entry,) = (entry for entry in splits["all"] if entry.path.endswith("damaged.jpg"))
    assert entry.needs_rewriting
    decoding.decode(decoding.rewrite((pets / "cat" / "damaged.jpg").read_bytes()))
    assert capfd.readouterr().err == ""


def test_size_is_that_of_the_file(pets):
    entry = read(pets)[1]["all"][0]
    assert entry.size == (pets / "cat" / "0.png").stat().st_size
