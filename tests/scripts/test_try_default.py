"""Typical small data sets, and the table of runs with the defaults."""

import csv
import shlex

import numpy as np
import pytest
from PIL import Image

import try_default
from comparisons import everyday_sets

LARGE = {"four_thousand_pixels", "thousand_classes", "digits"}


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


@pytest.mark.slow
@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.slow if name in LARGE else ()) for name in everyday_sets.SETS]
)
def test_a_data_set_is_drawn_once_and_reproducibly(name, tmp_path):
    folder = everyday_sets.make(name, tmp_path / "a")
    again = everyday_sets.make(name, tmp_path / "b")
    assert files(folder) == files(again)
    first, last = files(folder)[0], files(folder)[-1]
    for file in (first, last):
        np.testing.assert_array_equal(np.asarray(Image.open(folder / file)), np.asarray(Image.open(again / file)))
    (folder / first).unlink()
    assert first not in files(everyday_sets.make(name, tmp_path / "a"))  # it is there, and so it is left


def test_a_folder_with_the_name_of_a_drawn_set_is_refused(tmp_path, capsys):
    name = next(iter(everyday_sets.SETS))
    with pytest.raises(SystemExit):
        try_default.main(["--work", str(tmp_path), "--folders", f"mine/{name}"])
    assert f"rename a folder. Received: {name} twice" in capsys.readouterr().err


def test_classes_differ_in_shape():
    """By the fraction of the picture's center that each shape covers, on white."""
    random = np.random.default_rng(0)
    covered = {
        shape: np.mean(
            [(np.asarray(everyday_sets.draw(shape, 0.5, 32, random, plain=True)) < 250).mean() for _ in "12345"]
        )
        for shape in everyday_sets.SHAPES
    }
    assert len({round(share, 3) for share in covered.values()}) == len(covered)
    assert covered["disc"] > covered["ring"] > 0


@pytest.mark.slow
def test_the_table_is_continued(tmp_path, capsys):
    flags = shlex.split("--architecture figure_1 --crop-size 16 --resize-size 18 --epochs 2")
    argv = ["--work", str(tmp_path), "--sets", "two_by_twenty", "--seeds", "1"]
    try_default.main([*argv, "--", *flags])
    with (tmp_path / "table.csv").open(newline="") as file:
        (row,) = csv.DictReader(file)
    assert (row["set"], row["seed"], row["epochs"], row["classes"]) == ("two_by_twenty", "0", "2", "2")
    assert 0 <= float(row["test_error"]) <= 1
    assert row["tested"] == "40"  # new pictures, not the four of the test split
    assert "| two_by_twenty |" in (tmp_path / "table.md").read_text()
    before = (tmp_path / "table.csv").read_text()
    try_default.main([*argv, "--", *flags])
    assert (tmp_path / "table.csv").read_text() == before
