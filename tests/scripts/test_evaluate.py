import pathlib
import shutil

import pytest
from small_pictures import save_classes

from keras_alexnet.commands import evaluate
from keras_alexnet.evaluation.classifier import Classifier


def leave(arguments):
    with pytest.raises(SystemExit) as left:
        evaluate.main([str(argument) for argument in arguments])
    return left.value.code


@pytest.mark.slow
def test_evaluates_a_run(small_run, capsys):
    evaluate.main([str(small_run.folder)])
    output = capsys.readouterr().out
    numbers = small_run.read_json("evaluation-test.json")
    assert "12 pictures of the test split" in output
    assert f"{100 * numbers['10_views']['top1_error']:.1f} %" in output
    assert "hardest classes: " in output
    assert "top-5" not in output  # of three classes
    assert f"{100 * numbers['10_views']['top1_error']:.1f} %" in (small_run.folder / "report.html").read_text()


@pytest.mark.slow
def test_evaluates_runs_and_their_ensemble(small_run, tmp_path, capsys, monkeypatch):
    other = shutil.copytree(small_run.folder, tmp_path / "other")
    loaded, load = [], Classifier.from_run
    monkeypatch.setattr(Classifier, "from_run", lambda run: (loaded.append(run.name), load(run))[1])
    evaluate.main([str(small_run.folder), str(other), "--views", "1"])
    assert loaded == ["small-1", "other"]  # once each, also for the figures
    rows = [line.split("  ")[0] for line in capsys.readouterr().out.splitlines() if " % (" in line]
    assert rows == ["small-1", "other", "ensemble of 2"]
    together, alone = (small_run.read_json(f"{name}-test.json") for name in ("ensemble", "evaluation"))
    assert together["runs"] == ["small-1", "other"]
    assert together["1_view"]["top1_error"] == alone["1_view"]["top1_error"]


def test_a_run_folder_that_cannot_be_written_is_refused_first(small_run, capsys, monkeypatch):
    monkeypatch.setattr(evaluate.os, "access", lambda path, mode: False)
    assert leave([small_run.folder]) == 2
    assert "it must be writable: copy it to another place. Received: " in capsys.readouterr().err


def test_a_run_without_a_network_is_one_line(small_run, capsys):
    small_run.best.unlink()
    before = sorted(small_run.folder.iterdir())
    assert leave([small_run.folder]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert sorted(small_run.folder.iterdir()) == before


def test_pictures_that_cannot_be_read_are_one_line(small_run, tmp_path, capsys):
    for name in small_run.read_classes():
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for n in range(3):
            (tmp_path / "pictures" / name / f"{n}.jpg").write_text(f"no picture, but {name}")
    assert leave([small_run.folder, "--dataset", tmp_path / "pictures"]) == 2
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "Received: 9 of 9 pictures" in error


@pytest.mark.slow
def test_evaluates_on_other_pictures(small_run, capsys):
    folder = f"{small_run.read_options().dataset}/validation"
    evaluate.main([str(small_run.folder), "--dataset", folder, "--split", "all", "--views", "1"])
    assert "12 pictures of the all split" in capsys.readouterr().out
    assert small_run.read_json("evaluation-validation-all.json")["pictures"] == 12
    figures = {path.name for path in small_run.figures.iterdir()}
    assert "validation-all-confusion.png" in figures
    assert "validation-all-neighbors.jpg" not in figures  # these pictures were not in training


@pytest.mark.slow
def test_its_own_pictures_are_recognized_under_a_relative_path(small_run, monkeypatch):
    folder = pathlib.Path(small_run.read_options().dataset)
    monkeypatch.chdir(folder.parent)
    evaluate.main([str(small_run.folder), "--dataset", folder.name, "--views", "1"])
    assert small_run.read_json("evaluation-test.json")["pictures"] == 12


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["{folder}/nowhere"], "A run folder must contain"),
        (["{folder}", "--split", "dev"], "Received: dev"),
        (["{folder}", "--dataset", "petals"], "not in both: <b>rose & co, bellflower"),
        (["{folder}", "--views", "5"], "choose from 1, 10"),
    ],
)
def test_wrong_input_is_one_line(small_run, capsys, wrong, message):
    assert leave([word.format(folder=small_run.folder) for word in wrong]) == 2
    error = capsys.readouterr().err
    assert error.startswith("evaluate.py: ")
    assert error.count("\n") == 1
    assert message in error


def test_all_pictures_of_another_folder_need_no_splits(small_run, tmp_path, capsys):
    folder = save_classes(tmp_path / "new", **dict.fromkeys(small_run.read_classes(), 1))
    evaluate.main([str(small_run.folder), "--dataset", str(folder), "--split", "all", "--views", "1"])
    assert "3 pictures of the all split" in capsys.readouterr().out
    evaluate.main(
        [str(small_run.folder), "--dataset", small_run.read_options().dataset, "--split", "all", "--views", "1"]
    )
    assert "36 pictures of the all split" in capsys.readouterr().out
