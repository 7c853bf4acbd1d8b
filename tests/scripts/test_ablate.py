"""The script that trains the ablations which are not archived."""

import json
import os
import shlex
from pathlib import Path

import pytest
from small_pictures import save_splits

import ablate
from keras_alexnet.commands import _fit_settings, fit
from keras_alexnet.experiments import ablations, archive
from keras_alexnet.recipes import RECIPES

RESULTS = Path(__file__).parents[2] / "results"
KNOWN = ablate.experiments()


@pytest.mark.parametrize("each", ablations.ABLATIONS, ids=lambda each: each.name)
def test_flags_give_the_recipe_of_the_ablation(each):
    recipe, options = _fit_settings.new_run_settings(fit.build_parser().parse_args(shlex.split(KNOWN[each.name].flags)))
    assert recipe == each.recipe
    assert (options.dataset, options.weights) == (ablations.DATASET, None)


def test_the_networks_with_and_without_normalization_have_the_same_settings():
    plain, normalized = (KNOWN[name].flags for name in ("conv_local", "conv_local_norm"))
    assert plain.replace("conv_local", "conv_local_norm") == normalized
    recipe, options = _fit_settings.new_run_settings(fit.build_parser().parse_args(shlex.split(plain)))
    assert recipe.weight_decay == RECIPES["conv_local"].weight_decay
    assert options.validation_share == 0.2


def missing(*words):
    arguments = ablate.build_parser().parse_args(words)
    return [(experiment.name, seed, folder.as_posix()) for experiment, seed, folder in ablate._missing(arguments)]


def test_archived_and_finished_runs_are_skipped(tmp_path):
    archived = {record["run"] for record in archive.read(RESULTS)}
    assert {"ablation_half-0", "ablation_half-1", "ablation_half-2"} <= archived
    flags = ["--folder", str(RESULTS), "--runs", str(tmp_path)]
    assert missing("half", "--seeds", "3", *flags) == []
    (tmp_path / "ablation_half-100").mkdir()
    (tmp_path / "ablation_half-100" / "evaluation-test.json").write_text("{}")
    seeds = {seed for _, seed, _ in missing("half", "--seeds", "102", *flags)}
    assert 100 not in seeds
    assert 101 in seeds


def test_one_seed_of_every_ablation_comes_before_the_next(tmp_path):
    found = missing("half", "ablation", "half", "--seeds", "2", "--folder", str(tmp_path), "--runs", "runs")
    names = ["ablation_half-0", "ablation-0", "ablation_half-1", "ablation-1"]
    assert [folder for *_, folder in found] == [f"runs/{name}" for name in names]


@pytest.mark.parametrize(
    ("words", "message"),
    [(["halb"], "Received: halb"), (["--seeds", "0"], "--seeds 0 --jobs 1"), (["--jobs", "0"], "--seeds 3 --jobs 0")],
)
def test_wrong_input_is_one_line(words, message, capsys):
    with pytest.raises(SystemExit) as left:
        ablate.main(words)
    assert left.value.code == 2
    error = capsys.readouterr().err
    assert message in error
    assert error.count("\n") == 1


def test_a_failed_training_is_reported_and_the_others_go_on(tmp_path, monkeypatch, capsys):
    tiny = ablate.Experiment("tiny", f"--dataset {tmp_path / 'nowhere'}")
    monkeypatch.setattr(ablate, "experiments", lambda: {"tiny": tiny})
    status = ablate.main(["--seeds", "2", "--runs", str(tmp_path), "--folder", str(tmp_path)])
    *lines, last = capsys.readouterr().out.splitlines()
    assert status == 1
    assert lines == [f"{tmp_path / f'tiny-{n}'}: failed, see {tmp_path / f'tiny-{n}.txt'}" for n in (0, 1)]
    assert last == "0 of 2 runs are finished."
    assert "nowhere" in (tmp_path / "tiny-0.txt").read_text()


@pytest.mark.slow
def test_runs_are_trained_and_tested_and_then_skipped(tmp_path, monkeypatch, capsys):
    pictures = save_splits(tmp_path / "pictures", 18, train=(9, 9), validation=(4, 4), test=(3, 3))
    flags = f"--dataset {pictures} --recipe figure_1 --crop-size 16 --resize-size 18 --batch-size 8 --epochs 1"
    monkeypatch.setattr(ablate, "experiments", lambda: {"tiny": ablate.Experiment("tiny", flags, views=10)})
    words = ["--seeds", "2", "--jobs", "2", "--runs", str(tmp_path / "runs"), "--folder", str(tmp_path)]
    assert ablate.main(words) == 0
    assert capsys.readouterr().out.endswith("2 of 2 runs are finished.\n")
    for seed in (0, 1):
        tested = json.loads((tmp_path / "runs" / f"tiny-{seed}" / "evaluation-test.json").read_text())
        assert (tested["pictures"], "10_views" in tested) == (6, True)
    assert ablate.main(words) == 0
    assert capsys.readouterr().out == "0 of 0 runs are finished.\n"


def test_ctrl_c_does_not_reach_the_trainings_themselves(tmp_path, monkeypatch):
    """A terminal sends it to all processes of its session; with the signal of `stop` it would be their second."""
    for name in ("fit.py", "evaluate.py"):
        (tmp_path / name).write_text("import os\nprint(os.getsid(0))\n")
    monkeypatch.setattr(ablate, "SCRIPTS", tmp_path)
    (tmp_path / "runs" / "tiny-0").mkdir(parents=True)
    (tmp_path / "runs" / "tiny-0" / "results.json").touch()
    assert ablate.Trainings(jobs=1).run((ablate.Experiment("tiny", ""), 0, tmp_path / "runs" / "tiny-0"))
    sessions = (tmp_path / "runs" / "tiny-0.txt").read_text().split()
    assert len({*sessions, str(os.getsid(0))}) == len(sessions) + 1 == 3


def test_a_run_that_learned_nothing_is_tested_as_well(tmp_path, monkeypatch):
    """Otherwise the mean over seeds would be of those that learned."""
    made = 'import pathlib, sys\nfolder = pathlib.Path(sys.argv[sys.argv.index("--run") + 1])\nfolder.mkdir()\n'
    (tmp_path / "fit.py").write_text(f'{made}(folder / "results.json").touch()\nsys.exit(1)\n')
    (tmp_path / "evaluate.py").write_text('print("tested")\n')
    monkeypatch.setattr(ablate, "SCRIPTS", tmp_path)
    assert ablate.Trainings(jobs=1).run((ablate.Experiment("tiny", ""), 0, tmp_path / "runs" / "tiny-0"))
    assert (tmp_path / "runs" / "tiny-0.txt").read_text() == "tested\n"


def test_trainings_share_the_cores_and_go_on_where_they_stopped(tmp_path, monkeypatch):
    for name in ("fit.py", "evaluate.py"):
        (tmp_path / name).write_text('import os, sys\nprint(os.environ["OMP_NUM_THREADS"], *sys.argv[1:])\n')
    monkeypatch.setattr(ablate, "SCRIPTS", tmp_path)
    monkeypatch.setattr(ablate, "available_cores", lambda: 8)
    (tmp_path / "runs" / "tiny-0").mkdir(parents=True)
    (tmp_path / "runs" / "tiny-0" / "recipe.json").touch()
    ablate.Trainings(jobs=2).run((ablate.Experiment("tiny", ""), 0, tmp_path / "runs" / "tiny-0"))
    assert (tmp_path / "runs" / "tiny-0.txt").read_text() == f"4 --resume {tmp_path / 'runs' / 'tiny-0'}\n"


def test_a_stopped_queue_leaves_no_files(tmp_path):
    trainings = ablate.Trainings(jobs=1)
    trainings.stop()
    assert not trainings.run((ablate.Experiment("tiny", ""), 0, tmp_path / "runs" / "tiny-0"))
    assert not (tmp_path / "runs").exists()
