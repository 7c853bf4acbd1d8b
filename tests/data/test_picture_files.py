"""Picture files and ignored files."""

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
        "daisy/@eaDir/a.png/SYNOPHOTO_THUMB_M.png",
        "$RECYCLE.BIN/c.png",
        "daisy/._b.png",
        "daisy/Thumbs.db",
        "rose/desktop.ini",
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
    assert line.endswith(": 1 .txt, 1 .heic; convert .heic to JPEG to use them")


def test_files_given_by_name_may_have_any_extension(folder):
    file = folder / "daisy" / "notes.txt"
    assert picture_files.picture_files([file, folder / "rose"]) == [file, folder / "rose" / "deeper" / "c.webp"]


def test_links_out_of_a_folder_are_ignored(folder, tmp_path, capsys):
    (tmp_path / "secret.png").write_text("a file")
    (folder / "daisy" / "link.png").symlink_to(tmp_path / "secret.png")
    (folder / "daisy" / "inside.png").symlink_to(folder / "daisy" / "b.png")
    names = [file.name for file in picture_files.picture_files([folder / "daisy"])]
    assert names == ["A.JPG", "b.png", "inside.png"]
    assert capsys.readouterr().err == "Ignored 2 other files: 1 .txt, 1 symbolic link\n"


def test_paths_without_pictures_are_refused(folder, tmp_path):
    with pytest.raises(ValueError, match="nowhere, which does not exist"):
        picture_files.picture_files([tmp_path / "nowhere"])
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match=r"Expected pictures \(\.jpg.*Received: .*empty$"):
        picture_files.picture_files([tmp_path / "empty"])
    (folder / "rose" / "deeper" / "c.webp").unlink()
    with pytest.raises(ValueError, match=r"Received: .*rose with 1 \.heic; convert \.heic to JPEG to use them$"):
        picture_files.picture_files([folder / "rose"])
