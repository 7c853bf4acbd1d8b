import pytest

from keras_alexnet.files import atomic_write


def write_half(path):
    with atomic_write(path) as temporary:
        temporary.write_text("half of the ne")
        raise OSError("disk full")


def test_failed_writing_leaves_the_old_file(tmp_path):
    path = tmp_path / "log.csv"
    path.write_text("old")
    with pytest.raises(OSError, match="full"):
        write_half(path)
    assert [file.name for file in tmp_path.iterdir()] == ["log.csv"]
    assert path.read_text() == "old"


def test_the_temporary_file_keeps_the_extension(tmp_path):
    with atomic_write(tmp_path / "best.keras") as temporary:
        assert temporary.suffix == ".keras"
        temporary.write_text("new")
    assert (tmp_path / "best.keras").read_text() == "new"
