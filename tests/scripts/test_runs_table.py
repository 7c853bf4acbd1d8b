import dataclasses
import os

import pytest

import archive
from keras_alexnet import runs
from keras_alexnet.commands import runs as script
from keras_alexnet.experiments import archive as from_archive
from keras_alexnet.recipes import RECIPES, Options, Recipe
from keras_alexnet.reporting import tables


def errors(top1, top5):
    return {"top1_error": top1, "top5_error": top5}


@pytest.fixture
def folder(tmp_path):
    """Three runs: one evaluated, one archived, one just started."""
    for age, (name, recipe) in enumerate(
        (("evaluated", Recipe()), ("archived", Recipe(batch_size=32)), ("started", Recipe(batch_size=32, epochs=3)))
    ):
        run = runs.Run.create(tmp_path / name)
        provenance = {"recipe": dataclasses.asdict(recipe), "options": dataclasses.asdict(Options())}
        provenance |= {"date": "2026-01-02", "command": f"python scripts/fit.py --run {name}"}
        run.write_json("recipe.json", provenance)
        os.utime(run.folder / "recipe.json", (age, age))
    evaluated, archived = (runs.Run(tmp_path / name) for name in ("evaluated", "archived"))
    evaluated.write_json("evaluation-test.json", {"1_view": errors(0.5, 0.2), "10_views": errors(0.45, 0.15)})
    evaluated.write_json("evaluation-validation.json", {"1_view": errors(0.4, 0.1)})
    evaluated.write_log([{"epoch": n} for n in range(90)])
    archived.write_json("results.json", {"epochs": 90, "seconds": 1260, "validation_10_views": errors(0.3, 0.05)})
    return tmp_path


def rows_of(folder):
    return from_archive.rows(folder)


def test_runs_are_listed_newest_first(folder):
    rows = [line.split("  ") for line in tables.runs(rows_of(folder)).splitlines()]
    header, _, started, archived, evaluated = ([cell.strip() for cell in row if cell.strip()] for row in rows)
    assert header == ["date", "run", "data", "epochs", "validation", "test"]
    assert started == ["2026-01-02", "started", "petals", "0 of 3"]
    assert archived == ["2026-01-02", "archived", "petals", "0 of 90", "30.0, 5.0"]
    assert evaluated == ["2026-01-02", "evaluated", "petals", "90 of 90", "40.0, 10.0", "45.0, 15.0"]


def test_an_evaluation_goes_before_the_results_of_the_training(folder):
    runs.Run(folder / "archived").write_json("evaluation-validation.json", {"10_views": errors(0.2, 0.04)})
    assert "20.0, 4.0" in tables.runs(rows_of(folder))


def test_top5_is_left_out_with_five_classes_or_fewer(folder):
    numbers = {"10_views": errors(0.35, 0), "classes": [{"class": str(n)} for n in range(5)]}
    runs.Run(folder / "started").write_json("evaluation-test.json", numbers)
    line = next(line for line in tables.runs(rows_of(folder)).splitlines() if "started" in line)
    assert line.split()[-1] == "35.0"


def test_the_list_fits_a_hundred_columns():
    numbers = {"10_views": errors(0.999, 0.888)}
    row = {
        "run": "a_run_with_a_name_that_nobody_would_type-12",
        "date": "2026-01-02",
        "dataset": "/home/somebody/pictures/of many flowers in the garden/",
        "epochs": "1000 of 1000",
        "results": {"validation": numbers, "test": numbers},
        "weights": None,
        "recipe": dataclasses.asdict(RECIPES["flowers"]),
    }
    other = row | {"recipe": dataclasses.asdict(RECIPES["torchvision"])}
    lines = tables.runs([row, other]).splitlines() + tables.settings([row, other]).splitlines()
    assert max(map(len, lines)) <= 100
    assert not [line for line in lines if line.endswith((" mean", " lighting"))]  # a name without its value
    assert "a_run_with_a_name_…d_type-12" in lines[2]
    assert "of many flo…garden" in lines[2]


def test_the_script_lists_runs_alone(folder, capsys):
    script.main([str(folder)])
    output = capsys.readouterr().out
    assert output.count("petals") == 3
    assert "batch_size" not in output
    assert not (folder / "README.md").exists()


def test_a_run_that_cannot_be_read_does_not_hide_the_others(folder, capsys):
    (folder / "soup").mkdir()
    (folder / "soup" / "recipe.json").write_text('{"title": "soup"}')
    with pytest.raises(SystemExit) as left:
        script.main([str(folder)])
    assert left.value.code == 2
    output = capsys.readouterr()
    assert output.out.count("petals") == 3
    assert output.err.startswith("runs.py: Expected a recipe.json and results written by fit.py. Received: ")
    with pytest.raises(ValueError, match="soup"):
        rows_of(folder)


def test_settings_that_differ_are_listed_on_demand(folder, capsys):
    script.main([str(folder), "--settings"])
    settings = capsys.readouterr().out.partition("\n\n")[2]
    assert settings.splitlines() == [
        "started",
        "  batch_size 32, epochs 3",
        "archived",
        "  batch_size 32, epochs 90",
        "evaluated",
        "  batch_size 128, epochs 90",
    ]


def test_settings_are_not_written_as_python():
    recipes = (Recipe(), Recipe(augmentation=(), initial_weights="text"))
    rows = [
        {"run": "a", "weights": start, "recipe": dataclasses.asdict(r)}
        for start, r in zip((None, "drawn"), recipes, strict=True)
    ]
    text = tables.settings(rows)
    assert text.splitlines()[1] == "  weights none, initial_weights default, augmentation crop + mirror + lighting"
    assert text.splitlines()[3] == "  weights drawn, initial_weights text, augmentation none"


def test_the_page_of_results_has_all_runs(folder):
    archive.main(["--folder", str(folder), "--pages"])
    text = (folder / "README.md").read_text()
    table = [line for line in text[text.index("## All runs") :].splitlines() if line.startswith("|")]
    header, _, archived, evaluated, started = ([cell.strip() for cell in line.strip("|").split("|")] for line in table)
    assert header[3:] == [
        "minutes",
        "validation, one crop",
        "validation, ten crops",
        "test, one crop",
        "test, ten crops",
    ]
    assert started[3:] == [""] * 5
    assert evaluated[1:] == [
        "`python scripts/fit.py --run evaluated`",
        "2026-01-02",
        "",
        "40.0, 10.0",
        "",
        "50.0, 20.0",
        "45.0, 15.0",
    ]
    assert (archived[0], archived[3]) == ("archived", "21")


def test_a_folder_without_runs_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        script.main([str(tmp_path)])
    assert left.value.code == 2
    assert capsys.readouterr().err == f"runs.py: Expected a folder that contains run folders. Received: {tmp_path}\n"
