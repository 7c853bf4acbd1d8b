"""The archive of runs: what a line has, and that no archived run is lost."""

import dataclasses
import json

import pytest

import archive as script
from keras_alexnet import runs
from keras_alexnet.experiments import archive
from keras_alexnet.recipes import Options, Recipe

RECIPE = {
    "recipe": dataclasses.asdict(Recipe(batch_size=32)),
    "options": dataclasses.asdict(Options(seed=3)),
    "data": "petals: 2 classes",
    "command": "python scripts/fit.py --batch-size 32 --seed 3 --run runs/petals-1",
    "date": "2026-01-02",
}
ONE_VIEW = {"top1_error": 0.25, "top5_error": 0.125}
TEST = {
    "runs": ["petals-1"],
    "1_view": ONE_VIEW,
    "classes": [
        {"class": "lily, orange", "pictures": 3, "top1_error": 1 / 3},
        {"class": "égaré \u2028", "pictures": 0, "top1_error": None},
    ],
}
LOG = "epoch,loss,top1_error\n1,2.302585092994046,0.9\n2,nan,1e-05\n"


@pytest.fixture
def finished(tmp_path):
    """A finished run, among whose files are some that are not archived."""
    run = runs.Run.create(tmp_path / "runs" / "petals-1")
    run.write_json("recipe.json", RECIPE)
    run.write_json("results.json", {"epochs": 2, "seconds": 61, "specialization": 0.75})
    run.write_json("evaluation-test.json", TEST)
    run.write_json("ensemble-validation.json", TEST | {"runs": ["petals-1", "petals-2"]})
    (run.folder / "log.csv").write_text(LOG)
    for name in ("best.keras", "report.html", "kernels.npz", "exercise-1.json"):
        (run.folder / name).write_text(name)
    return run


@pytest.fixture
def results(tmp_path):
    return tmp_path / "results"


def line_of(results):
    (line,) = (results / "runs.jsonl").read_text(encoding="utf-8").rstrip("\n").split("\n")
    return json.loads(line)


def test_a_line_has_the_settings_the_log_and_the_results(finished, results):
    assert archive.add(finished, results) == results / "runs.jsonl"
    line = line_of(results)
    assert {key: line[key] for key in RECIPE} == json.loads(json.dumps(RECIPE))
    assert line["run"] == "petals-1"
    assert line["results"] == {"epochs": 2, "seconds": 61, "specialization": 0.75}
    assert line["evaluations"]["test"]["1_view"] == ONE_VIEW
    assert line["evaluations"]["test"]["classes"]["top1_error"] == [1 / 3, None]
    assert line["ensembles"]["validation"]["runs"] == ["petals-1", "petals-2"]
    assert line["log"]["top1_error"] == [0.9, 1e-05]
    assert [path.name for path in results.iterdir()] == ["runs.jsonl"]


def test_an_archived_run_is_read_as_it_was(finished, results):
    archive.add(finished, results)
    (read,) = archive.read(results)
    assert read["evaluations"] == {"test": TEST}
    assert read["ensembles"] == {"validation": TEST | {"runs": ["petals-1", "petals-2"]}}
    assert read["recoveries"] == []
    assert (
        ",".join(read["log"][0]) + "\n" + "".join(",".join(map(str, row.values())) + "\n" for row in read["log"]) == LOG
    )


def test_an_archived_run_has_the_summary_of_its_folder(finished, results):
    """A folder of runs can be read in place of an archive."""
    archive.add(finished, results)
    archived, in_folder = (json.dumps(archive.rows(folder)) for folder in (results, finished.folder.parent))
    assert archived == in_folder
    assert json.loads(archived)[0]["results"]["test"] == TEST


def test_folders_of_pictures_are_named_without_their_paths(finished, results):
    train, test = "/home/a b/pets", '/mnt/other \\ "pets"'
    command = f"python scripts/fit.py --dataset '{train}' --run runs/petals-1"
    options = RECIPE["options"] | {"dataset": train}
    identity = {"source": "folder", "name": train, "digest": "5b85"}
    changed = {"data": identity, "options": options, "command": command}
    finished.write_json("recipe.json", RECIPE | changed)
    finished.write_json("evaluation-test.json", TEST | {"data": f"{test}: 2 classes", "data_name": test})
    archive.add(finished, results)
    line = line_of(results)
    assert line["data"] == identity | {"name": "pets"}
    assert line["options"]["dataset"] == "pets"
    assert line["command"] == "python scripts/fit.py --dataset 'pets' --run runs/petals-1"
    assert line["evaluations"]["test"]["data"] == 'other \\ "pets": 2 classes'
    assert line["evaluations"]["test"]["data_name"] == 'other \\ "pets"'
    archive.add(finished, results)  # the same run again loses nothing


def test_other_files_and_folders_of_the_user_are_named_without_their_paths(finished, results):
    paths = {
        "weights": "/home/alice/runs/petals-1/best.keras",
        "data_dir": "/home/alice/tfds",
        "checkpoint_path": "/scratch/alice",
        "class_names": "/home/alice/names.txt",
    }
    command = f"python scripts/fit.py --weights {paths['weights']} --data-dir {paths['data_dir']}"
    finished.write_json("recipe.json", RECIPE | {"options": RECIPE["options"] | paths, "command": command})
    archive.add(finished, results)
    line = line_of(results)
    published = RECIPE["options"] | {"weights": "/home/alice/caffe.npy"}
    finished.write_json("recipe.json", RECIPE | {"options": published})
    archive.add(finished, results, replace=True)
    assert line_of(results)["options"]["weights"] == "caffe.npy"
    assert {name: line["options"][name] for name in paths} == {
        "weights": "petals-1/best.keras",
        "data_dir": "tfds",
        "checkpoint_path": "alice",
        "class_names": "names.txt",
    }
    assert line["command"] == "python scripts/fit.py --weights petals-1/best.keras --data-dir tfds"


def test_other_paths_that_begin_like_the_folder_stay(finished, results):
    command = "python scripts/fit.py --dataset /data/pics --run /data/pics-runs/a"
    identity = {"source": "folder", "name": "/data/pics", "digest": "5b85"}
    finished.write_json("recipe.json", RECIPE | {"data": identity, "command": command})
    archive.add(finished, results)
    assert line_of(results)["command"] == "python scripts/fit.py --dataset pics --run /data/pics-runs/a"


def test_a_run_without_epochs_and_evaluations_is_archived(finished, results):
    for name in ("log.csv", "evaluation-test.json", "ensemble-validation.json"):
        (finished.folder / name).unlink()
    archive.add(finished, results)
    (row,) = archive.rows(results)
    assert (row["log"], row["results"], row["ensembles"]) == ([], {"validation": {}, "test": {}}, {})


def test_lines_are_sorted_by_name_and_rows_by_date(finished, results):
    for name, date in (("b", "2026-01-04"), ("a", "2026-01-03"), ("c", "2026-01-05")):
        finished.write_json("recipe.json", RECIPE | {"date": date})
        finished = runs.Run(finished.folder.rename(finished.folder.with_name(name)))
        archive.add(finished, results)
    assert [record["run"] for record in archive.read(results)] == ["a", "b", "c"]
    assert [row["run"] for row in archive.rows(results)] == ["c", "b", "a"]


def test_results_of_version_0_1_0_are_archived_as_evaluations(finished, results):
    finished.write_json("results.json", {"epochs": 2, "validation_1_view": ONE_VIEW})
    archive.add(finished, results)
    line = line_of(results)
    assert line["results"] == {"epochs": 2}
    assert line["evaluations"]["validation"] == {"1_view": ONE_VIEW}


def test_another_evaluation_is_added_to_the_line(finished, results):
    archive.add(finished, results)
    finished.write_json("evaluation-validation.json", {"1_view": ONE_VIEW})
    archive.add(finished, results)
    assert set(line_of(results)["evaluations"]) == {"validation", "test"}


@pytest.mark.parametrize(
    ("name", "content", "part"),
    [
        ("recipe.json", json.dumps(RECIPE | {"date": "2026-01-03"}), "date"),
        ("evaluation-test.json", json.dumps(TEST | {"1_view": {}}), "evaluations test"),
        ("evaluation-test.json", None, "evaluations test"),
        ("ensemble-validation.json", None, "ensembles validation"),
        ("log.csv", LOG + "3,0.5,0.5\n", "log"),
    ],
)
def test_other_results_replace_an_archived_run_only_on_demand(finished, results, name, content, part):
    archive.add(finished, results)
    before = (results / "runs.jsonl").read_bytes()
    if content is None:
        (finished.folder / name).unlink()
    else:
        (finished.folder / name).write_text(content)
    with pytest.raises(ValueError, match=rf"--replace\. Received: petals-1, which differs in {part}$"):
        archive.add(finished, results)
    assert (results / "runs.jsonl").read_bytes() == before
    archive.add(finished, results, replace=True)
    assert (results / "runs.jsonl").read_bytes() != before


def test_a_failure_keeps_the_archive(finished, results, monkeypatch):
    def fail(*_):
        raise OSError("no space left")

    archive.add(finished, results)
    before = (results / "runs.jsonl").read_bytes()
    finished.write_json("evaluation-validation.json", {"1_view": ONE_VIEW})
    monkeypatch.setattr("keras_alexnet.files.os.replace", fail)
    with pytest.raises(OSError, match="no space left"):
        archive.add(finished, results)
    assert (results / "runs.jsonl").read_bytes() == before
    assert [path.name for path in results.iterdir()] == ["runs.jsonl"]


def test_a_folder_of_runs_is_no_archive(finished):
    """Otherwise the archive would hide the runs."""
    with pytest.raises(ValueError, match="must not contain run folders"):
        archive.add(finished, finished.folder.parent)
    assert not (finished.folder.parent / "runs.jsonl").exists()


def test_a_run_that_is_not_finished_is_refused(finished, results):
    (finished.folder / "results.json").unlink()
    with pytest.raises(ValueError, match="finished run"):
        archive.add(finished, results)
    assert not results.exists()


@pytest.mark.parametrize("line", ["", "half a li", "[]", '{"run": "a"}', '{"run": "a", "log": {}, "recipe": {}}'])
def test_a_damaged_line_is_named_and_kept(finished, results, line):
    archive.add(finished, results)
    with (results / "runs.jsonl").open("a") as file:
        file.write(f"{line}\n")
    before = (results / "runs.jsonl").read_bytes()
    for use in (archive.rows, lambda folder: archive.add(finished, folder)):
        with pytest.raises(ValueError, match=r"an archived run in each line\. Received: .*runs\.jsonl, line 2: "):
            use(results)
    assert (results / "runs.jsonl").read_bytes() == before


def test_the_script_archives_a_run(finished, results, capsys):
    script.main([str(finished.folder), "--folder", str(results)])
    assert capsys.readouterr().out == f"Archived {finished.folder} in {results / 'runs.jsonl'}\n"
    assert line_of(results)["run"] == "petals-1"


def test_the_script_replaces_an_archived_run_only_with_a_flag(finished, results, capsys):
    arguments = [str(finished.folder), "--folder", str(results)]
    script.main(arguments)
    finished.write_json("results.json", {"epochs": 1})
    with pytest.raises(SystemExit) as left:
        script.main(arguments)
    assert left.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1
    script.main([*arguments, "--replace"])
    assert line_of(results)["results"] == {"epochs": 1}


def test_the_script_without_anything_to_do_is_one_line(capsys):
    with pytest.raises(SystemExit) as left:
        script.main([])
    assert left.value.code == 2
    assert capsys.readouterr().err == "archive.py: Expected a run folder to archive, or --pages. Received: neither\n"
