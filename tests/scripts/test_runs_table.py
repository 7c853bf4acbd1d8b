import dataclasses
import os
from pathlib import Path

import pytest

import runs as script
from keras_alexnet import runs
from keras_alexnet.recipes import Options, Recipe
from keras_alexnet.reporting import tables


def errors(top1, top5):
    return {"top1_error": top1, "top5_error": top5}


@pytest.fixture
def folder(tmp_path):
    """Three runs: one judged, one on record, one just begun."""
    for age, (name, recipe) in enumerate(
        (("judged", Recipe()), ("record", Recipe(batch_size=32)), ("begun", Recipe(batch_size=32, epochs=3)))
    ):
        run = runs.Run.create(tmp_path / name)
        account = {"recipe": dataclasses.asdict(recipe), "options": dataclasses.asdict(Options())}
        account |= {"date": "2026-01-02", "command": f"python scripts/fit.py --run {name}"}
        run.write_json("recipe.json", account)
        os.utime(run.folder / "recipe.json", (age, age))
    judged, record, _ = (runs.Run(tmp_path / name) for name in ("judged", "record", "begun"))
    judged.write_json("evaluation-test.json", {"1_view": errors(0.5, 0.2), "10_views": errors(0.45, 0.15)})
    judged.write_json("evaluation-validation.json", {"1_view": errors(0.4, 0.1)})
    judged.write_log([{"epoch": n} for n in range(90)])
    record.write_json("results.json", {"epochs": 90, "validation_10_views": errors(0.3, 0.05)})
    return tmp_path


def test_newest_first_with_what_differs(folder):
    rows = [line.split("  ") for line in tables.runs([runs.summary(run) for run in runs.find(folder)]).splitlines()]
    header, _, begun, record, judged = ([cell.strip() for cell in row if cell.strip()] for row in rows)
    assert header == ["run", "date", "data", "epochs", "batch_size", "validation", "test"]
    assert begun == ["begun", "2026-01-02", "petals", "0 of 3", "32"]
    assert record == ["record", "2026-01-02", "petals", "0 of 90", "32", "30.0 %, 5.0 %"]
    assert judged == ["judged", "2026-01-02", "petals", "90 of 90", "128", "40.0 %, 10.0 %", "45.0 %, 15.0 %"]


def test_script(folder, capsys):
    script.main([str(folder)])
    assert capsys.readouterr().out.count("petals") == 3


def test_record_in_markdown(folder):
    script.main([str(folder), "--readme"])
    page = (folder / "README.md").read_text()
    table = [line for line in page[page.index("## All runs") :].splitlines() if line.startswith("|")]
    header, _, begun, judged, record = ([cell.strip() for cell in line.strip("|").split("|")] for line in table)
    assert header[3:] == ["validation, one view", "validation, ten", "test, one view", "test, ten"]
    assert begun[3:] == [""] * 4
    assert judged[1:] == [
        "`python scripts/fit.py --run judged`",
        "2026-01-02",
        "40.0, 10.0",
        "",
        "50.0, 20.0",
        "45.0, 15.0",
    ]
    assert record[0] == "[record](record)"


def test_the_page_of_results_is_up_to_date():
    results = Path(__file__).parents[2] / "results"
    rows = [runs.summary(run) for run in runs.find(results)]
    assert (results / "README.md").read_text() == script.page(rows)


def test_a_folder_without_runs_is_one_line(tmp_path, capsys):
    with pytest.raises(SystemExit) as left:
        script.main([str(tmp_path)])
    assert left.value.code == 2
    assert capsys.readouterr().err == f"runs.py: Expected a folder with run folders in it. Received: {tmp_path}\n"
