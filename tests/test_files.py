import pytest

from keras_alexnet.files import written_aside


def write_half(path):
    with written_aside(path) as aside:
        aside.write_text("half of the ne")
        raise OSError("disk full")


def test_failed_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("old")
    with pytest.raises(OSError, match="full"):
        write_half(path)
    assert [file.name for file in tmp_path.iterdir()] == ["log.csv"]
    assert path.read_text() == "old"


def test_ending_stays_for_writers_that_go_by_it(tmp_path):
    with written_aside(tmp_path / "best.keras") as aside:
        assert aside.suffix == ".keras"
        aside.write_text("new")
    assert (tmp_path / "best.keras").read_text() == "new"
