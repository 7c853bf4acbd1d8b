"""Class names from a user's file: accepted formats, and one-line errors for others."""

import pytest
from small_pictures import save_classes

from keras_alexnet.data import class_names, datasets

SYNSETS = ("n01440764", "n02012849", "n03126707")


def read(tmp_path, text, classes=SYNSETS):
    (tmp_path / "names.txt").write_text(text, encoding="utf-8")
    return class_names.read(tmp_path / "names.txt", classes)


def test_a_name_on_each_line(tmp_path):
    assert read(tmp_path, "tench\n\nwading bird\ncrane\n") == ("tench", "wading bird", "crane")


@pytest.mark.parametrize("separator", [" ", "\t", ",", ";", ", "])
def test_lines_of_a_class_and_its_name_in_any_order(tmp_path, separator):
    lines = (("n03126707", "derrick"), ("n00000001", "other"), ("n01440764", "tench, Tinca"), ("n02012849", "stork"))
    text = "".join(f"{synset}{separator}{name}\n" for synset, name in lines)
    assert read(tmp_path, text) == ("tench, Tinca", "stork", "derrick")


@pytest.mark.parametrize("separator", ["\t", ",", ";", ", ", " "])
def test_names_in_quotes(tmp_path, separator):
    text = "".join(f'{synset}{separator}"{name}, ""{name}"""\n' for synset, name in zip(SYNSETS, "abc", strict=True))
    assert read(tmp_path, text) == ('a, "a"', 'b, "b"', 'c, "c"')
    assert read(tmp_path, 'a\n"b, ""B"""\n"c"\n') == ("a", 'b, "B"', "c")
    assert read(tmp_path, '"n,1",a\n"n,2","b, B"\n', ("n,1", "n,2")) == ("a", "b, B")


def test_names_with_a_quote_keep_it(tmp_path):
    assert read(tmp_path, '5" nail\n6" nail\nscrew\n') == ('5" nail', '6" nail', "screw")
    text = '{},5" nail\n{},6" nail\n{},screw\n'.format(*SYNSETS)
    assert read(tmp_path, text) == ('5" nail', '6" nail', "screw")
    text = '{},"Big" dog\n{},a "dog"\n{},"" dog\n'.format(*SYNSETS)
    assert read(tmp_path, text) == ('"Big" dog', 'a "dog"', '"" dog')


def test_names_of_a_run_may_look_like_pairs(tmp_path):
    """Two classes of the same name, as `read` wrote them."""
    classes = ("a", "b", "c")
    (tmp_path / "classes.txt").write_text("crane (a)\na (b)\nb\n")
    (tmp_path / "recipe.json").touch()
    assert class_names.read(tmp_path / "classes.txt", classes) == ("crane (a)", "a (b)", "b")


def test_numbers_of_a_csv_file(tmp_path):
    assert read(tmp_path, "10,ten\n2,two\n", ("2", "10")) == ("two", "ten")


def test_two_classes_of_the_same_name_get_different_names(tmp_path):
    text = "n01440764 tench\nn02012849 crane\nn03126707 crane\n"
    assert read(tmp_path, text) == ("tench", "crane (n02012849)", "crane (n03126707)")


def test_classes_that_have_the_names_keep_them(tmp_path):
    assert read(tmp_path, "dog\ncat\n", ("cat", "dog")) == ("cat", "dog")
    assert read(tmp_path, "n2 dog\nn1 cat\nn3 cow\n", ("cat", "dog")) == ("cat", "dog")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("tench\ncrane\n", r"for the 3 classes \(n01440764, n02012849, n03126707\).* with 2 lines$"),
        ("", r"with 0 lines$"),
        ("n01440764 tench\nn03126707 crane\nn00000001 other\n", r"names\.txt with none for n02012849$"),
        ("tench\ncr\x1bane\nstork\n", r"without control characters"),
    ],
)
def test_other_files_are_refused(tmp_path, text, message):
    with pytest.raises(ValueError, match=message):
        read(tmp_path, text)


def test_a_missing_file_and_one_that_is_not_text(tmp_path):
    with pytest.raises(ValueError, match=r"must exist\. Received: .*nowhere\.txt$"):
        class_names.read(tmp_path / "nowhere.txt", SYNSETS)
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(ValueError, match=r"must be text in UTF-8"):
        class_names.read(tmp_path / "picture.png", SYNSETS)


def test_data_sets_get_the_names(tmp_path):
    folder = save_classes(tmp_path / "data", n02012849=4, n01440764=4)
    (tmp_path / "words.txt").write_text("n01440764 tench\nn02012849 crane\n")
    named = datasets.load(str(folder), names_file=str(tmp_path / "words.txt"))
    plain = datasets.load(str(folder))
    assert named.class_names == ("tench", "crane")
    assert plain.class_names == ("n01440764", "n02012849")
    assert named.identity == plain.identity
    (tmp_path / "ten.txt").write_text("".join(f"flower {n}\n" for n in range(10)))
    assert datasets.load("petals", names_file=str(tmp_path / "ten.txt")).class_names[9] == "flower 9"


@pytest.mark.parametrize("classes", [["0", "1", "10", "2"], ["0.0", "1.0", "10.0", "2.0"]])
def test_names_of_numbers_are_in_their_order(tmp_path, classes):
    """The folders, and labels with a decimal point, are in alphabetical order."""
    (tmp_path / "names.txt").write_text("zero\none\ntwo\nten\n")
    assert class_names.read(tmp_path / "names.txt", classes) == ("zero", "one", "ten", "two")
