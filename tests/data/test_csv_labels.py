"""CSV files of picture files and labels: accepted formats, and errors with the line number."""

import pathlib
import shutil

import pytest
from small_pictures import save_classes, save_picture

from keras_alexnet.data import csv_labels, datasets, sources

FILES = [f"cat/{n}.png" for n in range(4)] + [f"dog/{n}.png" for n in range(4)]


@pytest.fixture
def table(tmp_path):
    """Write a CSV file next to two folders of four pictures; by default it lists all of them."""
    save_classes(tmp_path / "pictures", cat=4, dog=4)

    def write(text=None, name="labels.csv", encoding="utf-8"):
        lines = "".join(f"{file},{file[:3]}\n" for file in FILES)
        path = tmp_path / "pictures" / name
        path.write_text(lines if text is None else text, encoding=encoding)
        return path

    return write


def labeled(files):
    """The names of the classes of the pictures by their relative paths, split by split."""
    return {
        split: {pathlib.Path(path).relative_to(files.root).as_posix(): files.class_names[n] for path, n in own}
        for split, own in files.splits.items()
    }


EVERY = {"all": {file: file[:3] for file in FILES}}


def test_a_file_without_a_header(table):
    assert labeled(csv_labels.find(table())) == EVERY


@pytest.mark.parametrize(
    "header", ["file,label", "path,class", "Image,Target", "filename,label", "image_id,target", "image_id,breed"]
)
def test_names_of_columns(table, header):
    assert labeled(csv_labels.find(table(f"{header}\n" + table().read_text()))) == EVERY


@pytest.mark.parametrize("delimiter", [";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_other_delimiters_and_the_mark_of_excel(table, delimiter, encoding):
    text = ("file,label\n" + table().read_text()).replace(",", delimiter)
    assert labeled(csv_labels.find(table(text, "labels.tsv", encoding))) == EVERY


def test_the_line_that_tells_excel_the_delimiter(table):
    text = "sep=;\nfile;label;note\n" + "".join(f"{file};{file[:3]};a, b, c, d\n" for file in FILES)
    assert labeled(csv_labels.find(table(text))) == EVERY
    with pytest.raises(ValueError, match="line 3, with 'dog' and no file"):
        csv_labels.find(table("sep=;\nfile;label\n;dog\n"))


@pytest.mark.parametrize("delimiter", [",", ";"])
def test_spaces_before_quotes_and_empty_lines(table, delimiter):
    lines = (f'"{file}"{delimiter} "{file[:3]}"' for file in FILES)
    text = "\n".join(["", f"file{delimiter} label", *lines])
    assert labeled(csv_labels.find(table(text))) == EVERY


def test_paths_from_windows(table):
    assert labeled(csv_labels.find(table(table().read_text().replace("/", "\\")))) == EVERY


def test_columns_in_any_order_among_others_and_names_without_extension(table):
    text = "width,label,image_id,height\n" + "".join(f"10,{file[:3]},{file[:-4]},8\n" for file in FILES)
    assert labeled(csv_labels.find(table(text))) == EVERY


def test_names_without_extension_of_files_with_capital_letters(table):
    path = table("file,label\nphotos/tall,tall\nphotos/wide,wide\n")
    for name in ("tall.JPG", "wide.PNG"):
        save_picture(path.parent / "photos" / name)
    assert labeled(csv_labels.find(path)) == {"all": {"photos/tall.JPG": "tall", "photos/wide.PNG": "wide"}}


def test_a_column_of_splits(table):
    splits = ["train", "TRAIN", "val", "test"] * 2
    text = "split,file,label\n" + "".join(f"{split},{f},{f[:3]}\n" for split, f in zip(splits, FILES, strict=True))
    files = csv_labels.find(table(text))
    assert [*files.splits] == ["train", "validation", "test"]
    assert labeled(files)["validation"] == {"cat/2.png": "cat", "dog/2.png": "dog"}
    assert {split: len(own) for split, own in datasets.load(str(table(text))).splits.items()} == {
        "train": 4,
        "validation": 2,
        "test": 2,
    }


def test_classes_that_are_numbers_are_in_their_order(table):
    text = "".join(f"{file},{number}\n" for file, number in zip(FILES, [10, 9, 2, 10, 9, 2, 10, 9], strict=True))
    files = csv_labels.find(table(text))
    assert files.class_names == ("2", "9", "10")
    assert labeled(files)["all"]["cat/0.png"] == "10"


def test_the_header_of_many_competitions(table):
    files = csv_labels.find(table("id,breed\n" + "".join(f"{file},{file[:3]}\n" for file in FILES)))
    assert files.class_names == ("cat", "dog")


def test_classes_of_the_same_number_have_a_fixed_order(table):
    """That of a set of texts differs from process to process."""
    labels = ["1", "01", "001", "0001", "1", "01", "001", "0001"]
    files = csv_labels.find(table("".join(f"{file},{label}\n" for file, label in zip(FILES, labels, strict=True))))
    assert files.class_names == ("0001", "001", "01", "1")


def test_a_data_set_from_a_csv_file(table):
    dataset = datasets.load(str(table()), seed=3)
    assert dataset.class_names == ("cat", "dog")
    assert {split: len(own) for split, own in dataset.splits.items()} == {"train": 4, "validation": 2, "test": 2}
    assert dataset.describe().endswith("(80 : 10 : 10 by class, seed 3)")
    for split, own in dataset.splits.items():
        assert [dataset.class_names[int(n)] for _, n in own] == [path.split("/")[-2] for path in dataset.paths[split]]


def test_other_labels_are_other_data(table):
    before = datasets.load(str(table())).identity
    after = datasets.load(str(table(table().read_text().replace("cat/0.png,cat", "cat/0.png,dog")))).identity
    assert before.digest != after.digest


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("cat/1.png,cat", "cat/9.png,cat"), r"must exist, .*labels\.csv, line 2: cat/9\.png$"),
        (("/1.png,", "/9.png,"), r"line 2: cat/9\.png, and 1 other line$"),
        (("cat/1.png,cat", ",cat"), r"labels\.csv, line 2, with 'cat' and no file$"),
        (("cat/1.png,cat", "cat/1.png,"), r"labels\.csv, line 2, with 'cat/1\.png' and no label$"),
        (("cat/1.png,cat", "cat/1.png"), r"labels\.csv, line 2, with 'cat/1\.png' and no label$"),
        (("cat/1.png,cat", "cat/0.png,cat"), r"listed once\. Received: .*lines 1 and 2: cat/0\.png$"),
        (("cat/1.png,cat", "dog/../cat/0.png,dog"), r"lines 1 and 2: dog/\.\./cat/0\.png$"),
        (("cat/1.png,cat", "cat/1.heic,cat"), r"; convert it to JPEG\. Received: .*line 2: cat/1\.heic$"),
        (("cat/1.png,cat", "notes.txt,cat"), r"must be pictures \(.*line 2: notes\.txt$"),
        (("cat/1.png,cat", "cat/1.png,ca\x1bt"), r"without control characters"),
        ((",dog", ",cat"), r"at least two classes\. .*labels\.csv with 1$"),
        (("cat/0.png,cat", "picture,kind,weight"), r"first line must be a header.* with picture, kind, weight$"),
        (("cat/0.png,cat", "file,weight,size"), r"first line must be a header"),
        (
            ("cat/0.png,cat\n", "cat/0.png,cat,learn\n"),
            r"must be one of train, validation, test\. .*line 1: 'learn'$",
        ),
        (("cat/0.png,cat\n", "cat/0.png,cat,train\n"), r"with lines without a split, train$"),
    ],
)
def test_wrong_lines_are_named(table, change, message):
    path = table(table().read_text().replace(*change))
    for name in ("cat/1.heic", "notes.txt"):
        (path.parent / name).write_text("no picture")
    with pytest.raises(ValueError, match=message) as told:
        sources.find(path)
    assert "\n" not in str(told.value)


@pytest.mark.parametrize("text", ["", "\n\n", "file,label\n"])
def test_an_empty_file(table, text):
    with pytest.raises(ValueError, match=r"labels\.csv"):
        sources.find(table(text))


def test_a_file_that_is_not_text(table):
    path = table()
    path.write_bytes(b"\xff\xfe\x00c\x00a\x00t")
    with pytest.raises(ValueError, match=r"must be text in UTF-8"):
        sources.find(path)


@pytest.mark.parametrize("header", ["", "file,label\n"])
def test_names_may_be_relative_to_a_folder_beside_the_file(header, table):
    path = table(header + table().read_text(), "train.csv")
    pictures = path.parent / "images"
    pictures.mkdir()
    for name in ("cat", "dog"):
        (path.parent / name).rename(pictures / name)
    assert labeled(csv_labels.find(path)) == {"all": {f"images/{file}": file[:3] for file in FILES}}

    shutil.copytree(pictures, path.parent / "train")  # the folder with the name of the CSV file
    assert labeled(csv_labels.find(path)) == {"all": {f"train/{file}": file[:3] for file in FILES}}
    with pytest.raises(ValueError, match=r"relative to .*pictures"):  # two folders have it, neither with this name
        csv_labels.find(table("file,label\ncat/1.png,cat\ndog/1.png,dog\n"))


def test_files_may_be_in_another_folder(table, tmp_path):
    outside = save_picture(tmp_path / "outside" / "cat.png", 77)
    path = table(table().read_text() + f"../outside/cat.png,cat\n{save_picture(tmp_path / 'dog.png', 78)},dog\n")
    files = sources.find(path)
    assert len(files.entries) == 10
    assert str(outside) in dict(files.entries)
