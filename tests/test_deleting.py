"""Deleting and overwriting affects only files of this program: tested with many file names.

The names are those that the program gives, changed as people and other programs change them: hidden, copied, backed up,
in another folder, with another ending. What the program itself makes is not among them.
"""

import contextlib
import itertools
import os
import re
import subprocess
import sys

import pytest

from keras_alexnet.experiments import archive
from keras_alexnet.files import PARTIAL, atomic_write, check_new, remove_partial_files, temporary_folder
from keras_alexnet.runs import Run
from keras_alexnet.training import checkpoints

OWN = [
    *("recipe.json", "classes.txt", "statistics.npz", "log.csv", "best.keras", "report.html", "results.json"),
    *("evaluation-test.json", "figures/curves.png", f"{PARTIAL}4194305-log.csv"),
    *("last/epoch-00001.keras", "last/epoch-00001.json", "last/epoch-00001-step-00000002.keras"),
    "tensorboard/train/events.out.tfevents.1.host.2.v2",
]
CHANGES = [
    lambda folder, name: f"{folder}.{name}",
    lambda folder, name: f"{folder}.~lock.{name}#",
    lambda folder, name: f"{folder}.{name}.swp",
    lambda folder, name: f"{folder}{name}~",
    lambda folder, name: f"{folder}{name}.bak",
    lambda folder, name: f"{folder}{name}.2024.txt",
    lambda folder, name: f"{folder}copy of {name}",
    lambda folder, name: f"{folder}my_{name}",
    lambda folder, name: f"{folder}{name.upper()}",
    lambda folder, name: f"{folder}{name.replace('.', ' (1).', 1)}",
    lambda folder, name: f"{folder}mine/{name}",
    lambda folder, name: f"mine/{folder}{name}",
    lambda folder, name: f"{folder}.git/{name}",
    lambda folder, name: f"{folder}épreuve {name}",
]
OTHERS = [
    *("notes.txt", "last/notes.txt", "last/epoch-notes.txt", "last/epoch-1.keras", "last/epoch-00001.txt"),
    *("last/epochs.json", "tensorboard/notes.txt", "tensorboard/train/notes.md", "tensorboard/events.out.txt", ".env"),
    *("figures/mine.png", "last/epoch-00001/weights.h5", ".gitignore", "last/best.keras", "partial-log.csv"),
]


def split(path):
    folder, _, name = path.rpartition("/")
    return f"{folder}/" if folder else "", name


def is_own(path):
    """Whether the program may have written this path in a run, judging by name and folder."""
    folder, name = split(path)
    return (
        path in OWN
        or name.startswith(PARTIAL)  # says itself that it is half of a file of this program
        or (folder == "last/" and re.fullmatch(r"epoch-\d{5}(-step-\d{8})?\.(keras|json)", name))
        or re.fullmatch(r"tensorboard/(train|validation|histograms)/events\.out\.tfevents\.\S+", path)
    )


NAMES = [
    path
    for path in dict.fromkeys([*OTHERS, *(change(*split(own)) for change, own in itertools.product(CHANGES, OWN))])
    if not is_own(path)
]


def fill(folder, names=NAMES):
    """Write files that are the user's, each with its name in it."""
    for name in names:
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"mine: {name}")


def lost(folder, names=NAMES):
    """Names of the user's files that are missing or changed."""
    return [n for n in names if not (folder / n).is_file() or (folder / n).read_text() != f"mine: {n}"]


def write_own(folder):
    for name in OWN:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text("ours")


def discard(folder):
    Run(folder).discard()


def discard_of_a_folder_it_made(folder):
    Run(folder, created=(folder.parent, folder)).discard()


def save_checkpoints(folder):
    """Five of them, of which two are kept."""
    import keras

    image = keras.Input((2,))
    model = keras.Model(image, keras.layers.Dense(1)(image))
    for epoch in range(1, 6):
        checkpoints.save(folder / "last", model, epoch, kept=2)


def fail_to_write(folder):
    for name in OWN:
        with contextlib.suppress(OSError), atomic_write(folder / name) as temporary:
            temporary.write_text("half")
            raise OSError("disk full")


def end_at_once(folder):
    """As on a second signal while a file and a folder are being written."""
    program = f"""
from keras_alexnet.files import atomic_write, exit_at_once, temporary_folder
with temporary_folder({str(folder)!r}) as half, atomic_write({str(folder / "log.csv")!r}) as temporary:
    (half / "model.onnx").write_text("half")
    temporary.write_text("half")
    exit_at_once(143)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 143


def make_a_temporary_folder(folder):
    with temporary_folder(folder) as half:
        (half / "notes.txt").write_text("half")


@pytest.mark.parametrize(
    "act",
    [
        *(discard, discard_of_a_folder_it_made, remove_partial_files, save_checkpoints, fail_to_write, end_at_once),
        make_a_temporary_folder,
    ],
)
def test_files_of_the_user_are_kept(act, tmp_path):
    folder = tmp_path / "runs" / "run"
    fill(folder)
    write_own(folder)
    act(folder)
    assert len(NAMES) > 150
    assert lost(folder) == []


def test_what_is_discarded_is_what_the_program_made(tmp_path):
    write_own(tmp_path)
    Run(tmp_path).discard()
    kept = {path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*") if path.is_file()}
    assert kept == {"report.html", "results.json", "evaluation-test.json", "figures/curves.png"}


def test_a_folder_with_any_file_of_the_user_is_no_new_run(tmp_path):
    for number, name in enumerate([*NAMES, "classes.txt"]):
        folder = tmp_path / str(number)
        fill(folder, [name])
        with pytest.raises(ValueError, match="already exists"):
            Run.create(folder)
        assert lost(folder, [name]) == []


def test_archiving_a_run_keeps_all_other_files(tmp_path):
    source, results = tmp_path / "runs" / "petals-1", tmp_path / "results"
    write_own(source)
    Run(source).write_json("recipe.json", {"recipe": {}, "options": {}})
    for name in ("results.json", "evaluation-test.json"):
        Run(source).write_json(name, {})
    (source / "log.csv").unlink()
    names = [name for name in NAMES if not name.endswith("/recipe.json")]  # else it is a folder of run folders
    fill(results, names)
    before = {path: path.read_bytes() for path in source.rglob("*") if path.is_file()}
    for replace in (False, True):
        archive.add(Run(source), results, replace)
        assert lost(results, names) == []
    assert {path: path.read_bytes() for path in source.rglob("*") if path.is_file()} == before


def test_a_file_that_exists_is_not_written(tmp_path):
    fill(tmp_path)
    for name in NAMES:
        with pytest.raises(ValueError, match=r"another name with --out\. Received: "):
            check_new(tmp_path / name, "--out")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(ValueError, match="already exists"):
        check_new(tmp_path / "link", "--out")
    check_new(tmp_path / "new", "--out")


def test_a_link_is_removed_and_not_what_it_leads_to(tmp_path):
    folder, elsewhere = tmp_path / "run", tmp_path / "elsewhere"
    fill(elsewhere, ["epoch-00001.keras", "notes.txt"])
    (folder / "last").mkdir(parents=True)
    (folder / "tensorboard").symlink_to(elsewhere, target_is_directory=True)
    (folder / "last" / "epoch-00001.keras").symlink_to(elsewhere / "notes.txt")
    (folder / f"{PARTIAL}1-log.csv").symlink_to(elsewhere / "notes.txt")
    Run(folder).discard()
    assert lost(elsewhere, ["epoch-00001.keras", "notes.txt"]) == []
    assert os.path.isdir(elsewhere)
