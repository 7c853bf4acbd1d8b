"""Classes of pictures, from the folders that they are in."""

from keras_alexnet.evaluation.predictions import label_of

NAMES = ("daisy", "rose")


def test_a_picture_may_be_deep_in_the_folder_of_its_class(tmp_path):
    for folder in ("daisy/2025/05", "rose/2026", "other"):
        (tmp_path / folder).mkdir(parents=True)
    assert label_of(tmp_path / "daisy/2025/05/a.jpg", NAMES) == 0
    assert label_of(tmp_path / "rose/2026/a.jpg", NAMES) == 1
    assert label_of(tmp_path / "other/a.jpg", NAMES) is None


def test_other_folders_above_do_not_count(tmp_path):
    """Such as the home folder of a user called Rose."""
    (tmp_path / "rose/photos").mkdir(parents=True)
    assert label_of(tmp_path / "rose/photos/a.jpg", NAMES) is None
    assert label_of(tmp_path / "rose/a.jpg", NAMES) == 1
