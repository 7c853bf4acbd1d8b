"""Archives are unpacked once and completely, and nothing is written outside the cache."""

import bz2
import gzip
import io
import os
import pathlib
import stat
import tarfile
import types
import zipfile

import pytest
from small_pictures import save_classes

from keras_alexnet.data import archives, datasets, sources
from keras_alexnet.files import PARTIAL, locked


@pytest.fixture
def pets(tmp_path):
    return save_classes(tmp_path / "pets", cat=4, dog=4)


def zipped(folder, file, prefix="", **extra):
    """Write a zip file of a folder."""
    with zipfile.ZipFile(file, "w") as archive:
        for path in sorted(folder.rglob("*")):
            archive.write(path, f"{prefix}{path.relative_to(folder).as_posix()}")
        for name, contents in extra.items():
            archive.writestr(name, contents)
    return file


def tree(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("prefix", ["", "pets/", "data/pets/"])
def test_a_zipped_folder_with_and_without_a_folder_around_it(pets, prefix, tmp_path):
    file = zipped(pets, tmp_path / "pets.zip", prefix)
    files = sources.find(file, tmp_path / "data")
    assert files.class_names == ("cat", "dog")
    assert len(files.entries) == 8
    assert all(path.startswith(str(tmp_path / "data" / "keras_alexnet")) for path, _ in files.entries)


@pytest.mark.parametrize("ending", ["tar", "tar.gz", "tgz", "tar.bz2", "tar.xz"])
def test_a_tar_file(pets, ending, tmp_path):
    kind = {"gz": "gz", "tgz": "gz", "bz2": "bz2", "xz": "xz"}.get(ending.rpartition(".")[2], "")
    with tarfile.open(tmp_path / f"pets.{ending}", f"w:{kind}") as archive:
        archive.add(pets, "./pets")
    assert len(sources.find(tmp_path / f"pets.{ending}", tmp_path / "data").entries) == 8


def test_it_is_unpacked_once(pets, tmp_path, capsys):
    file = zipped(pets, tmp_path / "pets.zip")
    (tmp_path / "copy.zip").write_bytes(file.read_bytes())
    first = archives.unpack(file, tmp_path / "data")
    assert capsys.readouterr().err.count("Unpacking") == 1
    assert archives.unpack(tmp_path / "copy.zip", tmp_path / "data") == first
    assert capsys.readouterr().err == ""


def test_other_contents_have_another_folder(pets, tmp_path):
    first = archives.unpack(zipped(pets, tmp_path / "pets.zip"), tmp_path / "data")
    (pets / "cat" / "0.png").unlink()
    second = archives.unpack(zipped(pets, tmp_path / "pets.zip"), tmp_path / "data")
    assert first != second
    assert len(tree(second)) == len(tree(first)) - 1


def test_the_identity_is_that_of_the_folder(pets, tmp_path):
    zipped_identity = datasets.load(str(zipped(pets, tmp_path / "pets.zip")), tmp_path / "data").identity
    folder_identity = datasets.load(str(pets)).identity
    assert zipped_identity.name == str(tmp_path / "pets.zip")
    assert zipped_identity.digest == folder_identity.digest


def test_system_files_are_left_out(pets, tmp_path, capsys):
    extra = {"__MACOSX/cat/._0.png": "", "cat/.DS_Store": "", "dog/Thumbs.db": "", "dog/._1.png": "", "notes.txt": "x"}
    files = sources.find(zipped(pets, tmp_path / "pets.zip", **extra), tmp_path / "data")
    assert len(files.entries) == 8
    assert [file.name for file in files.others] == ["notes.txt"]
    assert {path.name for path in files.root.rglob("*") if path.is_file()} == {f"{n}.png" for n in range(4)} | {
        "notes.txt"
    }


def test_names_with_backslashes_are_folders(pets, tmp_path):
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for path in sorted(pets.glob("*/*")):
            archive.write(path, f"pets\\{path.parent.name}\\{path.name}")
    assert sources.find(tmp_path / "pets.zip", tmp_path / "data").class_names == ("cat", "dog")


def test_folders_with_backslashes_are_no_files(pets, tmp_path):
    """As some Windows programs write them; Python would write slashes."""
    with zipfile.ZipFile(tmp_path / "pets.zip", "w") as archive:
        for name in ("pets\\", "pets\\cat\\", "pets\\dog\\"):
            info = zipfile.ZipInfo("name")
            info.filename = name
            archive.writestr(info, b"")
        for file in sorted(pets.rglob("*.png")):
            info = zipfile.ZipInfo("name")
            info.filename = "\\".join(("pets", *file.relative_to(pets).parts))
            archive.writestr(info, file.read_bytes())
    assert len(sources.find(tmp_path / "pets.zip", tmp_path / "data").entries) == 8


@pytest.mark.parametrize(("encoding", "is_known"), [("utf-8", True), ("gbk", False)])
def test_names_of_unknown_encoding(pets, encoding, is_known, tmp_path, monkeypatch, capsys):
    """Without the flag that says that they are in UTF-8."""
    monkeypatch.setattr(zipfile.ZipInfo, "_encodeFilenameFlags", lambda info: (info.filename.encode(encoding), 0))
    with zipfile.ZipFile(tmp_path / "old.zip", "w") as archive:
        for file in sorted(pets.rglob("*.png")):
            archive.write(file, file.relative_to(pets).as_posix().replace("cat", "玫瑰"))
    found = sources.find(tmp_path / "old.zip", tmp_path / "data")
    told = capsys.readouterr().err
    assert ("玫瑰" in found.class_names) == is_known
    assert ("does not say how its names are encoded" in told) != is_known


def test_messages_name_the_archive_and_not_the_cache(pets, tmp_path):
    with pytest.raises(ValueError, match=r"Received: .*/cat\.zip with 0 class folders and 4 pictures") as told:
        sources.find(zipped(pets / "cat", tmp_path / "cat.zip"), tmp_path / "data")
    assert "keras_alexnet/" not in str(told.value)


@pytest.mark.parametrize(
    "name",
    ["../escaped.png", "/escaped.png", "cat/../../escaped.png", "..\\escaped.png", "C:/escaped.png", "C:\\escaped.png"],
)
def test_names_that_lead_out_are_refused(pets, name, tmp_path):
    file = zipped(pets, tmp_path / "pets.zip", **{name: "x"})
    before = tree(tmp_path)
    with pytest.raises(ValueError, match=r"lead out of its folder\. Received: .*escaped"):
        archives.unpack(file, tmp_path / "data")
    assert tree(tmp_path) == sorted([*before, "data", "data/keras_alexnet"])
    assert not os.path.exists("/escaped.png")


def test_a_folder_that_cannot_be_renamed_is_an_error(pets, tmp_path, monkeypatch):
    def fail(path, target):
        raise PermissionError(13, "in use")

    monkeypatch.setattr(pathlib.Path, "rename", fail)
    with pytest.raises(PermissionError, match="in use"):
        archives.unpack(zipped(pets, tmp_path / "pets.zip"), tmp_path / "data")
    assert os.listdir(tmp_path / "data" / "keras_alexnet") == []


def test_links_are_not_unpacked(pets, tmp_path):
    with zipfile.ZipFile(zipped(pets, tmp_path / "pets.zip"), "a") as archive:
        link = zipfile.ZipInfo("cat/link.png")
        link.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(link, "/etc/passwd")
    with tarfile.open(tmp_path / "pets.tar", "w") as archive:
        archive.add(pets, ".")
        for kind, name in ((tarfile.SYMTYPE, "cat/link.png"), (tarfile.LNKTYPE, "dog/link.png")):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            archive.addfile(info)
    for name in ("pets.zip", "pets.tar"):
        folder = archives.unpack(tmp_path / name, tmp_path / "data")
        assert not any(path.name == "link.png" for path in folder.rglob("*"))
        assert len(sources.find(tmp_path / name, tmp_path / "data").entries) == 8


def test_an_archive_that_grows_too_much_is_refused(pets, tmp_path, monkeypatch):
    monkeypatch.setattr(archives, "FREE_UNPACKED_BYTES", 10_000)
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("cat/1.png", bytes(5_000_000))
    with tarfile.open(tmp_path / "bomb.tgz", "w:gz") as archive:
        info = tarfile.TarInfo("cat/1.png")
        info.size = 5_000_000
        archive.addfile(info, io.BytesIO(bytes(info.size)))
    for name in ("bomb.zip", "bomb.tgz"):
        with pytest.raises(ValueError, match=rf"more than 200 times its size: .*Received: .*{name}$"):
            archives.unpack(tmp_path / name, tmp_path / "data")
    assert tree(tmp_path / "data") == ["keras_alexnet"]


def cut(contents):
    return contents[: len(contents) // 2]


def flipped(contents):
    middle = contents.index(b"IDAT") + 20
    return contents[:middle] + bytes([contents[middle] ^ 0xFF]) + contents[middle + 1 :]


@pytest.mark.parametrize("name", ["pets.zip", "pets.tar.gz"])
@pytest.mark.parametrize("damage", [cut, lambda _: b"", lambda _: b"no archive" * 100], ids=["cut", "empty", "text"])
def test_a_damaged_archive_leaves_nothing(pets, name, damage, tmp_path):
    if name.endswith(".zip"):
        zipped(pets, tmp_path / name)
    else:
        with tarfile.open(tmp_path / name, "w:gz") as archive:
            archive.add(pets, ".")
    (tmp_path / name).write_bytes(damage((tmp_path / name).read_bytes()))
    with pytest.raises(ValueError, match=rf"cannot be unpacked\. Received: .*{name}: ") as told:
        archives.unpack(tmp_path / name, tmp_path / "data")
    assert "\n" not in str(told.value)
    assert tree(tmp_path / "data") == ["keras_alexnet"]


def without_last_header(contents):
    """The header of the last file in a tar file is destroyed."""
    start = contents.rindex(b"ustar") - 257
    return contents[:start] + b"?" * 512 + contents[start + 512 :]


@pytest.mark.parametrize("kind", ["", "gz", "bz2"])
def test_a_damaged_header_in_a_tar_file_is_found(pets, kind, tmp_path):
    """Python's `tarfile` takes it for the end of the archive."""
    with tarfile.open(tmp_path / "whole.tar", "w", format=tarfile.USTAR_FORMAT) as archive:
        archive.add(pets, ".")
    contents = without_last_header((tmp_path / "whole.tar").read_bytes())
    packed = {"": lambda plain: plain, "gz": gzip.compress, "bz2": bz2.compress}[kind](contents)
    file = tmp_path / f"pets.tar{kind and f'.{kind}'}"
    file.write_bytes(packed)
    with pytest.raises(ValueError, match=r"cannot be unpacked\. Received: .*: damaged after [\d,]+ bytes"):
        archives.unpack(file, tmp_path / "data")
    assert tree(tmp_path / "data") == ["keras_alexnet"]


def test_damage_that_the_compression_finds(pets, tmp_path):
    with tarfile.open(tmp_path / "pets.tar.bz2", "w:bz2") as archive:
        archive.add(pets, ".")
    contents = bytearray((tmp_path / "pets.tar.bz2").read_bytes())
    contents[len(contents) // 2] ^= 0xFF
    (tmp_path / "pets.tar.bz2").write_bytes(contents)
    with pytest.raises(ValueError, match=r"cannot be unpacked\. Received: .*pets\.tar\.bz2: "):
        archives.unpack(tmp_path / "pets.tar.bz2", tmp_path / "data")


def test_a_changed_byte_is_found(pets, tmp_path):
    file = zipped(pets, tmp_path / "pets.zip")
    file.write_bytes(flipped(file.read_bytes()))
    with pytest.raises(ValueError, match=r"Bad CRC-32"):
        archives.unpack(file, tmp_path / "data")


def test_what_a_killed_process_left_is_removed_and_other_files_are_not(pets, tmp_path):
    cache = tmp_path / "data" / "keras_alexnet"
    for name in ("1234", "new", "locked"):
        (cache / f"{PARTIAL}{name}" / "files").mkdir(parents=True)
        if name != "new":
            os.utime(cache / f"{PARTIAL}{name}", (0, 0))
    (cache / "mine.txt").write_text("mine")
    with locked(cache / f"{PARTIAL}locked"):
        folder = archives.unpack(zipped(pets, tmp_path / "pets.zip"), tmp_path / "data")
    left = {"mine.txt", folder.name, f"{PARTIAL}new", f"{PARTIAL}locked"}
    assert {path.name for path in cache.iterdir()} == left


def test_where_nothing_can_be_locked_the_folders_of_running_processes_stay(pets, tmp_path, monkeypatch):
    """As on Windows."""
    monkeypatch.setattr(archives, "CAN_LOCK", False)
    cache = tmp_path / "data" / "keras_alexnet"
    running, ended = f"{PARTIAL}{os.getppid()}-a", f"{PARTIAL}{2**31 - 1}-b"
    for name in (running, ended):
        (cache / name / "files").mkdir(parents=True)
        os.utime(cache / name, (0, 0))
    folder = archives.unpack(zipped(pets, tmp_path / "pets.zip"), tmp_path / "data")
    assert {path.name for path in cache.iterdir()} == {folder.name, running}


def test_the_cache_is_in_the_tfds_folder_or_in_the_home_folder(pets, tmp_path, monkeypatch):
    file = zipped(pets, tmp_path / "pets.zip")
    monkeypatch.setenv("TFDS_DATA_DIR", str(tmp_path / "tfds"))
    assert archives.unpack(file).parent == tmp_path / "tfds" / "keras_alexnet"
    monkeypatch.delenv("TFDS_DATA_DIR")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    assert archives.unpack(file).parent == tmp_path / "cache" / "keras_alexnet"


def test_advice_does_not_name_paths_inside_an_archive(pets, tmp_path):
    file = zipped(pets, tmp_path / "all.zip", "pets/", **{"cover.jpg": b""})
    with pytest.raises(ValueError, match=r"Received: .*all\.zip .*\(unpack it and use pets\)$"):
        sources.find(str(file), tmp_path / "data")


def test_a_full_disk_is_noticed_before_it_is_full(pets, tmp_path, monkeypatch):
    file = zipped(pets, tmp_path / "pets.zip")
    monkeypatch.setattr(archives.shutil, "disk_usage", lambda folder: types.SimpleNamespace(free=500))
    with pytest.raises(OSError, match=r"not enough space to unpack .*pets\.zip: free some.*Received: 0 MiB in"):
        archives.unpack(file, tmp_path / "data")
    assert not [path for path in (tmp_path / "data").rglob("*") if path.is_file()]
