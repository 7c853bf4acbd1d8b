import contextlib
import errno
import ntpath
import os
import threading
from unittest import mock

import pytest

from keras_alexnet import files
from keras_alexnet.files import atomic_write, locked, relative_path


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


def test_a_folder_that_cannot_be_written_is_named_without_the_partial_file(tmp_path, monkeypatch):
    """On a read-only file system, removing a file that does not exist is an error of its own."""
    read_only = mock.Mock(side_effect=OSError(errno.EROFS, "Read-only file system"))
    monkeypatch.setattr(files.pathlib.Path, "unlink", read_only)
    monkeypatch.setattr(files.pathlib.Path, "write_text", read_only)
    monkeypatch.setattr(files.tempfile, "mkdtemp", read_only)
    with pytest.raises(files.WriteError, match=r"^Could not write .*a\.json; .*Received: .*Read-only file system$"):
        files.write_text(tmp_path / "a.json", "{}")
    with pytest.raises(files.WriteError, match=f"^Could not write {tmp_path}; "), files.temporary_folder(tmp_path):
        pass


def test_the_data_are_on_disk_before_the_file_has_its_name(tmp_path, monkeypatch):
    """Otherwise a power cut may leave an empty file under the name of the old one."""
    events = []
    monkeypatch.setattr(files.os, "fsync", lambda handle: events.append("fsync"))
    replace = os.replace
    monkeypatch.setattr(files.os, "replace", lambda *names: events.append("replace") or replace(*names))
    files.write_text(tmp_path / "a.txt", "new")
    assert events == ["fsync", "replace"]


def test_the_temporary_file_keeps_the_extension(tmp_path):
    with atomic_write(tmp_path / "best.keras") as temporary:
        assert temporary.suffix == ".keras"
        temporary.write_text("new")
    assert (tmp_path / "best.keras").read_text() == "new"


def test_a_path_on_another_drive_stays_as_it_is(monkeypatch):
    monkeypatch.setattr(os.path, "relpath", ntpath.relpath)
    assert relative_path(r"C:\pictures\1.jpg", "C:\\") == r"pictures\1.jpg"
    assert relative_path(r"D:\pictures\1.jpg", "C:\\") == r"D:\pictures\1.jpg"


@pytest.mark.skipif(not files.CAN_LOCK, reason="nothing is locked here")
def test_a_file_system_without_locks_is_no_error(tmp_path, monkeypatch):
    """Lustre without its option, NFS without a lock daemon."""
    for number, expected in (
        (errno.ENOSYS, contextlib.nullcontext()),
        (errno.EIO, pytest.raises(OSError, match="no locks")),
    ):
        monkeypatch.setattr(files.fcntl, "flock", mock.Mock(side_effect=OSError(number, "no locks")))
        with expected, locked(tmp_path):
            pass


def test_a_lock_can_be_waited_for(tmp_path):
    events = []

    def second():
        with locked(tmp_path, wait=True):
            events.append("second")

    with locked(tmp_path):
        waiting = threading.Thread(target=second)
        waiting.start()
        waiting.join(0.2)
        events.append("first")
    waiting.join()
    assert events == ["first", "second"]
