"""`scripts/fit.py`: its defaults, and one clear line for each wrong input."""

import dataclasses
import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
import types
from pathlib import Path
from unittest import mock

import keras
import numpy as np
import pytest
from small_pictures import save_classes

from keras_alexnet.commands import _fit_settings, evaluate, fit
from keras_alexnet.data import datasets
from keras_alexnet.files import LockedError, locked
from keras_alexnet.recipes import RECIPES, Options
from keras_alexnet.runs import Run
from keras_alexnet.training import time_planning, trainer
from keras_alexnet.training.callbacks import CheckpointWriter

SCRIPT = Path(__file__).parents[2] / "scripts" / "fit.py"


@pytest.fixture
def pictures(tmp_path):
    """Two classes of ten pictures each."""
    return save_classes(tmp_path / "pictures", size=(18, 18), a=10, b=10)


TOY = shlex.split(
    "--architecture figure_1 --size 16 --side 18 --batch-size 4 --epochs 1 --steps-per-epoch 1 --learning-rate 0.001"
)


FOR_FEW = ("flowers", "ablation", "petals", "tflearn")  # recipes; 16 pictures are more than 1 % of theirs


def chosen(*argv):
    return _fit_settings.new_run_settings(fit.build_parser().parse_args(argv))


def test_the_recipe_follows_the_data():
    assert chosen()[0] == RECIPES["petals"]
    assert chosen("--dataset", "oxford_flowers102")[0] == RECIPES["flowers"]
    assert chosen("--dataset", "oxford_flowers102:flipped")[0] == RECIPES["flowers"]
    assert chosen("--dataset", "cifar10")[0] is None  # it follows from the pictures
    assert chosen("--dataset", "cifar10", "--recipe", "source")[0] == RECIPES["source"]


def test_a_relative_folder_is_stored_as_an_absolute_one(pictures, monkeypatch):
    monkeypatch.chdir(pictures.parent)
    assert chosen("--dataset", "pictures")[1].dataset == str(pictures)
    assert chosen("--weights", "pictures")[1].weights == str(pictures)
    assert chosen("--data-dir", "not_yet_there")[1].data_dir == str(pictures.parent / "not_yet_there")


def test_a_relative_path_may_name_the_folder_of_a_resumed_run(pictures, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run = Run.create(tmp_path / "run")
    stored = {"recipe": RECIPES["text"], "options": chosen("--dataset", "pictures", "--checkpoint-path", "kept")[1]}
    run.write_json("recipe.json", {name: dataclasses.asdict(each) for name, each in stored.items()})
    line = ["--resume", "run", "--dataset", "pictures", "--checkpoint-path", "kept"]
    assert _fit_settings.resumed_settings(fit.build_parser().parse_args(line), run)[1] == stored["options"]
    moved = fit.build_parser().parse_args(["--resume", "run", "--dataset", "run"])
    assert _fit_settings.resumed_settings(moved, run)[1].dataset == str(tmp_path / "run")
    other = fit.build_parser().parse_args(["--resume", "run", "--checkpoint-path", "run"])
    with pytest.raises(ValueError, match=r"checkpoint_path=.*/kept\. Received: .*/run"):
        _fit_settings.resumed_settings(other, run)


def test_a_run_is_not_resumed_with_other_pictures(pictures, tmp_path):
    """Or pictures for testing might have been trained on."""
    data, run = datasets.load(str(pictures)), Run.create(tmp_path / "run")
    run.write_json("recipe.json", {"data": data.identity.as_json()})
    run.write_classes(data.class_names)
    fit._check_same_pictures(run, data)
    moved = pictures.rename(tmp_path / "moved")
    fit._check_same_pictures(run, datasets.load(str(moved)))
    shutil.copy(moved / "a" / "0.png", moved / "a" / "new.png")
    with pytest.raises(ValueError, match=r"\(train 16, validation 2, test 2\): restore them.*Received: changed"):
        fit._check_same_pictures(run, datasets.load(str(moved)))
    run.write_classes(["a", "rose"])
    with pytest.raises(ValueError, match=r"the classes in .*classes\.txt.*, as 'b' is in only one of them"):
        fit._check_same_pictures(run, datasets.load(str(moved)))


def test_a_run_is_not_written_among_the_pictures(pictures, monkeypatch, capsys):
    monkeypatch.chdir(pictures)
    with pytest.raises(SystemExit) as stop:
        fit.main(["--dataset", ".", *TOY])
    assert stop.value.code == 2
    assert "must not be inside the folder of pictures" in capsys.readouterr().err
    assert sorted(path.name for path in pictures.iterdir()) == ["a", "b"]


def test_checkpoints_are_not_written_among_the_pictures(pictures, tmp_path, capsys):
    line = ["--dataset", str(pictures), "--run", str(tmp_path / "run"), "--checkpoint-path", str(pictures / "kept")]
    with pytest.raises(SystemExit) as stop:
        fit.main([*line, *TOY])
    assert stop.value.code == 2
    assert "The folder of --checkpoint-path must not be inside the folder of pictures" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_a_run_that_stopped_early_says_so_and_is_not_made_longer(tmp_path, capsys):
    run = Run.create(tmp_path / "run")
    recipe = dataclasses.replace(RECIPES["petals"], epochs=9, stop_after=1)
    run.write_json("recipe.json", {"recipe": dataclasses.asdict(recipe)})
    run.write_log([{"epoch": n, "learning_rate": 0.1, "loss": 1.0, "val_top1_error": n / 10} for n in (1, 2)])
    fit._say_how_it_continues(run, recipe, epochs=1)  # the second has no checkpoint and is trained again
    assert capsys.readouterr().out == ""
    fit._say_how_it_continues(run, recipe, epochs=2)
    assert capsys.readouterr().out == "This run is finished: --stop-after 1 ended it after 2 epochs.\n"
    with pytest.raises(ValueError, match=r"ended by --stop-after 1.*--weights .*run.* Received: --epochs 20"):
        fit._say_how_it_continues(run, dataclasses.replace(recipe, epochs=20), epochs=2)


def test_the_batch_of_a_data_set_can_be_divided_among_the_replicas():
    arguments, data = fit.build_parser().parse_args([]), mock.Mock(identity=mock.Mock(source="petals"))
    settings = _fit_settings.new_run_settings(arguments)
    assert _fit_settings.fill_in_settings(*settings, data, arguments, None, replicas=3)[0].batch_size == 15


def test_a_name_of_weights_is_not_a_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for name in ("imagenet", "drawn"):
        (tmp_path / name).mkdir()
        assert chosen("--weights", name)[1].weights == name


def test_an_unknown_flag_names_the_nearest(capsys):
    with pytest.raises(SystemExit) as stop:
        fit.main(["--batchsize", "3"])
    assert stop.value.code == 2
    assert "did you mean --batch-size" in capsys.readouterr().err


def test_flags_change_the_recipe():
    assert chosen("--batch-size", "64", "--learning-rate", "0.1")[0].batch_size == 64


def test_the_list_of_epochs_for_biases_may_be_empty():
    settings = ("--recipe", "text", "--divide-after", "3", "5")
    assert chosen(*settings)[0].bias_divide_after is None
    assert chosen(*settings, "--bias-divide-after")[0].bias_divide_after == ()
    assert chosen(*settings, "--bias-divide-after", "4", "5")[0].bias_divide_after == (4, 5)
    assert chosen("--freeze-layer-after", "conv1:7", "conv2:9")[0].freeze_layer_after == ("conv1:7", "conv2:9")


def test_help_answers_without_tensorflow():
    code = "from keras_alexnet.commands import fit; fit.main(['--help'])"
    watch = "import atexit, sys; atexit.register(lambda: print('tensorflow' in sys.modules));"
    answer = subprocess.run([sys.executable, "-c", watch + code], capture_output=True, text=True, check=True)
    assert "--bias-learning-rate-factor" in answer.stdout
    assert answer.stdout.endswith("False\n")


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (["--recipe", "txt"], "Did you mean text"),
        (["--architecture", "papre"], "Did you mean paper"),
        (["--batch-size", "0"], "Received: 0"),
        (["--freeze-layer-after", "conv9:1"], "must name layers of conv1, conv2, conv3, fc4. Received: conv9:1"),
        (["--divide-layer-after", "conv1"], "such as conv1:67. Received: 'conv1'"),
        (["--devices", "9"], "Received: devices=9"),
        (["--strategy", "one_weird_trick"], "set KERAS_BACKEND to jax, or choose another strategy. Received"),
        (["--strategy", "towers", "--devices", "3"], "use --virtual-devices=2 to try it on the CPU. Received: 3"),
        (["--size", "7"], "at least 8"),
        (["--resume", ""], "Expected a value after --resume: is a shell variable not set? Received: nothing"),
        (["--dataset="], "Received: --dataset="),
        (["--resume", "nowhere", "--run", "new"], "--resume makes no new run: leave out --run. Received: --run new"),
        (["--resume", "nowhere"], "Received: nowhere"),
        (["--weights", "nowhere.keras"], "nowhere.keras"),
        (["--weights", "drawn"], "fit the architectures paper, source"),
        (
            ["--batch-size", "500"],
            "use a smaller --batch-size, or leave out both --batch-size and --recipe. Received: batch size",
        ),
        (["--batch-size", "17"], "--recipe. Received: batch size 17, 16 pictures"),  # of 20 with the validation split
        (["--batch-size", "4", "--steps-per-epoch", "5"], "--batch-size or --steps-per-epoch. Received: 16 pictures"),
        (
            ["--noise-std", "3"],
            "--noise-std needs the augmentation noise: add --augmentation crop mirror lighting noise. Received:",
        ),
        (
            ["--smallest-area", "0.5", "--augmentation", "crop", "mirror"],
            "add --augmentation mirror resized_crop. Received",
        ),
        (
            ["--recipe", "text", "--rotation", "9"],
            "add --augmentation crop mirror lighting rotation. Received: --rotation",
        ),
        (["--recipe", "text", "--batch-size", "21"], "use a smaller --batch-size"),
        (["--class-names", "nowhere.txt"], "must exist. Received: nowhere.txt"),
        (["--test-share", "0.6", "--validation-share", "0.4"], "together less than 1"),
        (["--test-share", "-0.1"], "must be at least 0"),
        (["--initial-weights", "xavier"], "Received: 'xavier'"),
        (["--mixed-share", "0.5"], "--mixed-share needs --mixup or --cutmix. Received: --mixed-share 0.5"),
        (["--mixup", "0.01"], "--mixup must be 0, or from 0.05 to 100. Received: 0.01"),
    ],
)
def test_wrong_input_is_one_line_and_leaves_nothing(argv, expected, pictures, tmp_path, capsys):
    run = [] if "--resume" in argv else ["--run", str(tmp_path / "runs" / "run")]
    with pytest.raises(SystemExit) as stop:
        fit.main(["--dataset", str(pictures), *run, *TOY, *argv])
    error = capsys.readouterr().err.splitlines()[-1]
    assert stop.value.code == 2
    assert error.startswith("fit.py: ")
    assert expected in error
    assert not (tmp_path / "runs").exists()


def test_a_wrong_setting_is_refused_before_pictures_are_read(pictures, tmp_path, capsys):
    with pytest.raises(SystemExit):
        fit.main(["--dataset", str(pictures), "--run", str(tmp_path / "run"), "--epochs", "0"])
    told = capsys.readouterr()
    assert "--epochs must be more than zero. Received: 0" in told.err
    assert not told.out


def test_run_folder_that_exists_is_left_alone(pictures, tmp_path, capsys):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "notes.txt").write_text("mine")
    with pytest.raises(SystemExit):
        fit.main(["--dataset", str(pictures), "--run", str(tmp_path / "run"), *TOY])
    assert "already exists" in capsys.readouterr().err
    assert [path.name for path in (tmp_path / "run").iterdir()] == ["notes.txt"]


@pytest.mark.slow
def test_trains_a_folder_and_refuses_to_resume_with_another_recipe(pictures, tmp_path, capsys):
    run = tmp_path / "run"
    fit.main(["--dataset", str(pictures), "--run", str(run), *TOY])
    told = capsys.readouterr().out
    assert f"Report: {run / 'report.html'}" in told
    assert told.splitlines()[-2:] == [
        f"Next: python scripts/evaluate.py {run} --split test",
        f"      python scripts/predict.py {run} PICTURES",
    ]
    assert "top5" not in told  # of two classes
    results = json.loads((run / "results.json").read_text())
    assert set(results) == {"class_counts", "epochs", "seconds", "specialization"}
    assert results["class_counts"] == [8, 8]
    best = keras.models.load_model(run / "best.keras").get_layer("conv1").get_weights()[0]
    np.testing.assert_allclose(np.load(run / "kernels.npz")["conv1"], best, rtol=1e-3, atol=1e-7)
    with pytest.raises(SystemExit) as stop:
        fit.main(["--resume", str(run), "--learning-rate", "0.5"])
    assert stop.value.code == 2
    assert "learning_rate=0.001. Received: 0.5" in capsys.readouterr().err
    with pytest.raises(SystemExit) as stop:
        fit.main(["--resume", str(run), "--recipe", "source"])
    assert stop.value.code == 2
    assert "architecture=figure_1. Received: source" in capsys.readouterr().err


def test_a_deterministic_run_keeps_its_backend(tmp_path, monkeypatch, capsys):
    run = Run.create(tmp_path / "run")
    run.write_json("recipe.json", {"backend": "jax"})
    with pytest.raises(ValueError, match=r"set KERAS_BACKEND=jax\. Received: KERAS_BACKEND=tensorflow$"):
        fit._compare_backends(run, Options(deterministic=True))
    fit._compare_backends(run, Options())
    assert capsys.readouterr().out.startswith("The run began on jax and continues on tensorflow: ")
    run.write_json("recipe.json", {})  # as version 0.1.0 wrote it
    fit._compare_backends(run, Options(deterministic=True))
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_an_interrupted_run_is_resumed_with_flags_that_may_change(pictures, tmp_path, monkeypatch, capsys):
    flags = ["--dataset", str(pictures), *TOY, "--epochs", "2", "--deterministic"]
    fit.main([*flags, "--run", str(tmp_path / "whole")])
    end = CheckpointWriter.on_train_batch_end

    def interrupt(self, batch, logs=None):
        os.kill(os.getpid(), signal.SIGINT)
        end(self, batch, logs)

    with monkeypatch.context() as patched:
        patched.setattr(CheckpointWriter, "on_train_batch_end", interrupt)
        with pytest.raises(SystemExit) as stop:
            fit.main([*flags, "--run", str(tmp_path / "run")])
    assert stop.value.code == 130
    assert f"--resume {tmp_path / 'run'}" in capsys.readouterr().out
    fit.main(["--resume", str(tmp_path / "run"), "--checkpoint-steps", "1"])
    assert (tmp_path / "run" / "log.csv").read_text() == (tmp_path / "whole" / "log.csv").read_text()


@pytest.mark.slow
def test_a_zipped_folder_with_names_of_its_own(pictures, tmp_path, monkeypatch, capsys):
    """With no test split and a duplicate picture: the run's files, and evaluation with the given class names."""
    shutil.copy(pictures / "a" / "0.png", pictures / "a" / "copy.png")
    shutil.make_archive(str(tmp_path / "letters"), "zip", pictures.parent, "pictures")
    (tmp_path / "names.txt").write_text("zeta\nbeta\n")  # not in alphabetical order
    monkeypatch.chdir(tmp_path)
    flags = ["--dataset", "letters.zip", "--data-dir", "data", "--class-names", "names.txt", "--test-share", "0"]
    fit.main([*flags, "--validation-share", "0.3", *TOY])
    assert "letters.zip: 2 classes; train 15, validation 6 pictures (70 : 30 : 0 by class, seed 0)" in (
        told := capsys.readouterr().out
    )
    assert "--split test" not in told
    run = Run.open("runs/letters-1")
    assert run.read_classes() == ("zeta", "beta")
    assert run.read_json("duplicates.json")["files"] == 1
    data = run.read_data()
    assert (data["validation_share"], data["test_share"], data["copies"]) == (0.3, 0, 1)
    assert {row["class"] for row in run.read_mistakes()} <= {"zeta", "beta"}
    monkeypatch.chdir("data")
    evaluate.main([str(tmp_path / run.folder), "--split", "validation", "--views", "1"])
    assert "6 pictures of the validation split" in capsys.readouterr().out


@pytest.mark.slow
def test_a_nan_loss_is_one_line(pictures, tmp_path, capsys):
    flags = ["--steps-per-epoch", "4", "--learning-rate", "1e9"]
    with pytest.raises(SystemExit) as stop:
        fit.main(["--dataset", str(pictures), "--run", str(tmp_path / "run"), *TOY, *flags])
    assert stop.value.code == 2
    told = capsys.readouterr().err.split("\r")[-1]  # what stands behind the bar's last return to the margin
    assert told.startswith("fit.py: The loss is NaN or infinite: ")
    assert told.count("\n") == 1


@pytest.mark.slow
def test_terminated_run_can_be_resumed(pictures, tmp_path):
    run = tmp_path / "run"
    flags = [*TOY, "--epochs", "2000"]
    process = subprocess.Popen(
        [sys.executable, SCRIPT, "--dataset", pictures, "--run", run, *flags], stdout=subprocess.PIPE, text=True
    )
    while not (run / "last").exists():
        assert process.poll() is None
        time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 143
    assert f"--resume {run}" in output
    rows = len((run / "log.csv").read_text().splitlines())
    process = subprocess.Popen([sys.executable, SCRIPT, "--resume", run], stdout=subprocess.DEVNULL)
    while len((run / "log.csv").read_text().splitlines()) <= rows:
        assert process.poll() is None
        time.sleep(0.1)
    process.kill()
    process.wait()


@pytest.mark.slow
def test_two_workers_write_one_run(pictures, tmp_path):
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(2)]
    addresses = [f"127.0.0.1:{each.getsockname()[1]}" for each in sockets]  # of ports that are free now
    for each in sockets:
        each.close()
    run, workers = tmp_path / "run", []
    for n in range(2):
        place = {"cluster": {"worker": addresses}, "task": {"type": "worker", "index": n}}
        command = [sys.executable, SCRIPT, "--dataset", pictures, "--strategy", "multiworker", "--run", run, *TOY]
        environment = os.environ | {"TF_CONFIG": json.dumps(place)}
        workers.append(
            subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        )
    (first, errors), (second, more_errors) = (worker.communicate(timeout=300) for worker in workers)
    assert [worker.returncode for worker in workers] == [0, 0], (first, errors)
    assert (errors, more_errors) == ("", "")  # nothing of TensorFlow's about workers that start and end
    assert f"Report: {run / 'report.html'}" in first
    assert "Report" not in second
    assert [path.name for path in tmp_path.iterdir() if path.name != "pictures"] == ["run"]
    assert len((run / "log.csv").read_text().splitlines()) == 1 + 1
    assert len(list(run.glob("tensorboard/train/events*.tfevents*"))) == 1


@pytest.mark.slow
def test_a_run_that_begins_in_two_towers_continues_on_one_device(pictures, tmp_path):
    """It leaves the log of a run on one device, with dropout, as the masks are the same; and the plain network."""

    def train(*flags):
        done = subprocess.run([sys.executable, SCRIPT, *flags], capture_output=True, text=True)
        return done.returncode, done.stderr

    divided, alone = tmp_path / "divided", tmp_path / "alone"
    flags = shlex.split("--size 67 --side 76 --batch-size 4 --steps-per-epoch 2 --learning-rate 0.001 --weights none")
    flags = ["--dataset", str(pictures), *flags, "--no-recover", "--precision", "float32", "--divide-after", "9"]
    towers = ["--strategy", "towers", "--virtual-devices", "2"]
    assert train(*flags, "--run", divided, "--epochs", "1", *towers) == (0, "")
    assert json.loads((divided / "recipe.json").read_text())["devices"] == 2
    assert train("--resume", divided, "--epochs", "2", "--strategy", "mirrored", "--devices", "1") == (0, "")
    assert train(*flags, "--run", alone, "--epochs", "2") == (0, "")
    logs = [Run(folder).read_log() for folder in (divided, alone)]
    assert [row["epoch"] for row in logs[0]] == [1, 2]
    for row, other in zip(*logs, strict=True):
        assert row == pytest.approx(other, abs=1e-3)
    import keras

    kernels = [keras.models.load_model(folder / "best.keras").get_layer("conv2").kernel for folder in (divided, alone)]
    np.testing.assert_allclose(*kernels, atol=1e-4)
    status, error = train(*flags, "--run", tmp_path / "none", *towers, "--architecture", "half")
    assert (status, "without groups" in error.splitlines()[-1]) == (2, True)
    assert not (tmp_path / "none").exists()


@pytest.mark.slow
def test_weights_for_other_classes_get_a_new_head_unless_it_must_be_kept(pictures, tmp_path, capsys):
    fit.main(["--dataset", str(pictures), "--run", str(tmp_path / "two"), *TOY])
    (pictures / "a").rename(pictures / "c")
    save_classes(pictures, size=(18, 18), c=10, b=10, d=10)
    flags = ["--dataset", str(pictures), "--run", str(tmp_path / "three"), *TOY]
    flags += ["--weights", str(tmp_path / "two" / "best.keras")]
    capsys.readouterr()
    with pytest.raises(SystemExit) as stop:
        fit.main([*flags, "--head", "kept"])
    assert stop.value.code == 2
    assert "fc4" in capsys.readouterr().err
    assert not (tmp_path / "three").exists()
    fit.main(flags)
    assert "fc4: new" in capsys.readouterr().out


@pytest.mark.slow
def test_a_run_that_has_finished_can_be_trained_longer(pictures, tmp_path, capsys):
    run = tmp_path / "run"
    fit.main(["--dataset", str(pictures), "--run", str(run), *TOY])
    capsys.readouterr()
    fit.main(["--resume", str(run)])
    assert "is finished. To train it for more than 1 epoch, add --epochs N" in capsys.readouterr().out
    fit.main(["--resume", str(run), "--epochs", "3"])
    assert len((run / "log.csv").read_text().splitlines()) == 1 + 3


@pytest.mark.slow
def test_a_training_that_diverged_ends_with_status_1(pictures, tmp_path, capsys):
    flags = [*TOY, *shlex.split("--recipe text --steps-per-epoch 4 --epochs 2 --learning-rate 1 --precision float32")]
    status = fit.main(["--dataset", str(pictures), "--run", str(tmp_path / "run"), *flags])
    assert status == 1
    assert "Training diverged" in capsys.readouterr().out


def test_a_longer_cosine_schedule_is_announced(small_run, capsys):
    recipe = small_run.read_recipe()
    fit._say_how_it_continues(small_run, dataclasses.replace(recipe, epochs=5), epochs=2)
    assert capsys.readouterr().out == ""
    fit._say_how_it_continues(small_run, dataclasses.replace(recipe, epochs=9, schedule="cosine"), epochs=2)
    assert (
        "The cosine schedule now ends after epoch 9, so the learning rate first rises again" in capsys.readouterr().out
    )


def test_a_run_that_another_process_trains_keeps_its_number_of_epochs(small_run, pictures):
    recipe = small_run.read_recipe()
    longer, data = dataclasses.replace(recipe, epochs=recipe.epochs + 1), datasets.load(str(pictures))
    with locked(small_run.folder), pytest.raises(LockedError):
        trainer.fit(longer, data, small_run, small_run.read_options())
    assert small_run.read_recipe() == recipe


@pytest.mark.parametrize(("recipe", "is_warned_of"), [(name, name not in FOR_FEW) for name in RECIPES])
def test_a_recipe_for_many_more_pictures_gives_a_warning(recipe, is_warned_of, capsys):
    data = types.SimpleNamespace(splits={"train": range(16)})
    arguments = fit.build_parser().parse_args(["--recipe", recipe])
    assert (
        _fit_settings.fill_in_settings(*_fit_settings.new_run_settings(arguments), data, arguments, None)[0]
        == RECIPES[recipe]
    )
    told = capsys.readouterr().out
    assert (f"The recipe {recipe} is for about " in told) == is_warned_of
    assert ("Received: 16. Leave out --recipe" in told) == is_warned_of


def test_an_early_end_is_announced(small_run, capsys):
    recipe, options = small_run.read_recipe(), Options(max_minutes=3)
    fit._say_why_it_ended(small_run, recipe, options)
    assert capsys.readouterr().out == ""
    fit._say_why_it_ended(small_run, dataclasses.replace(recipe, epochs=9), options)
    told = capsys.readouterr().out
    assert "ended after 2 of 9 epochs: another would take longer than 3 minutes in total (--max-minutes)" in told
    assert f"--resume {small_run.folder}" in told
    rows = [*small_run.read_log(), small_run.read_log()[-1] | {"epoch": 3}]
    small_run.write_log(rows)
    fit._say_why_it_ended(small_run, dataclasses.replace(recipe, epochs=9, stop_after=1), options)
    assert "no lower validation error since epoch 2 (--stop-after)" in capsys.readouterr().out


def test_checkpoints_of_another_run_are_left_alone(pictures, tmp_path, capsys):
    (tmp_path / "saved" / "run").mkdir(parents=True)
    (tmp_path / "saved" / "run" / "epoch-00001.json").write_text("theirs")
    flags = ["--dataset", str(pictures), "--run", str(tmp_path / "run"), "--checkpoint-path", str(tmp_path / "saved")]
    with pytest.raises(SystemExit) as stop:
        fit.main([*flags, *TOY])
    assert stop.value.code == 2
    assert f"Received: {tmp_path / 'saved' / 'run'}" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()
    assert (tmp_path / "saved" / "run" / "epoch-00001.json").read_text() == "theirs"


def test_a_folder_of_checkpoints_without_any_does_not_prevent_another_try(pictures, tmp_path, monkeypatch, capsys):
    def fail(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr("keras_alexnet.training.checkpoints.atomic_write", fail)  # of the first network
    flags = ["--dataset", str(pictures), "--run", str(tmp_path / "run"), "--checkpoint-path", str(tmp_path / "saved")]
    with pytest.raises(SystemExit):
        fit.main([*flags, *TOY])
    assert "the disk is full" in capsys.readouterr().err
    assert [*tmp_path.glob("run")] == [*(tmp_path / "saved").iterdir()] == []


def test_flag_names_of_tflearn():
    _, options = chosen("--snapshot-step", "7", "--snapshot-epoch", "2", "--tensorboard-verbose", "2")
    assert (options.checkpoint_steps, options.checkpoint_epochs, options.tensorboard_verbose) == (7, 2, 2)


def test_quick_is_two_minutes_unless_other_minutes_are_given():
    assert chosen("--quick")[1].max_minutes == 2
    assert chosen("--quick", "--max-minutes", "5")[1].max_minutes == 5


def test_with_a_time_limit_the_settings_follow_from_the_pictures():
    assert chosen("--quick")[0] is None
    assert chosen("--dataset", "oxford_flowers102", "--max-minutes", "5")[0] is None


@pytest.mark.slow
def test_a_learning_rate_is_proposed_and_nothing_is_written(pictures, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    assert fit.main(["--dataset", str(pictures), *TOY, "--find-learning-rate"]) == 0
    told = capsys.readouterr().out
    broken, proposed = re.search(r"Training diverges at ([\d.e-]+)\. Try --learning-rate ([\d.e-]+)", told).groups()
    assert float(proposed) == pytest.approx(float(broken) / 10, rel=0.1)
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_a_run_that_another_process_trains_is_left_alone(pictures, tmp_path, capsys):
    """The other process has created the folder and its lock, but no files yet."""
    run = tmp_path / "run"
    run.mkdir()
    with locked(run), pytest.raises(SystemExit) as stop:
        fit.main(["--dataset", str(pictures), "--run", str(run), *TOY])
    assert stop.value.code == 2
    assert "Another process" in capsys.readouterr().err
    assert run.is_dir()


def test_a_missing_environment_is_one_line():
    """As when the environment is not activated: another Python, without the packages."""
    answer = subprocess.run([sys.executable, "-S", "-E", SCRIPT, "--help"], capture_output=True, text=True)
    assert answer.returncode == 1
    assert answer.stderr.count("\n") == 1
    assert "Run `make install`" in answer.stderr


@pytest.mark.parametrize(
    ("flags", "recovers"),
    [
        ([], True),
        (["--learning-rate", "0.01"], False),
        (["--no-recover"], False),
        (["--learning-rate", "0.01", "--recover"], True),
        (["--recipe", "petals"], None),
    ],
)
def test_training_recovers_unless_its_rate_or_recipe_is_given(flags, recovers, pictures, monkeypatch):
    monkeypatch.setattr(time_planning, "images_per_second", lambda *_: 100.0)
    arguments = fit.build_parser().parse_args(["--dataset", str(pictures), *flags])
    _, options = _fit_settings.fill_in_settings(
        *_fit_settings.new_run_settings(arguments), datasets.load(str(pictures)), arguments, None
    )
    assert options.recover is recovers


@pytest.mark.parametrize(
    ("flags", "problem"),
    [
        ("--schedule cosine --divide-after 30", "--divide-after needs --schedule divided. Received: "),
        ("--recipe source_155 --patience 5", "--patience needs --schedule divided. Received: "),
        ("--quick --recipe flowers", "leave out --recipe, or use --max-minutes"),
    ],
)
def test_flags_without_effect_are_refused(flags, problem, pictures):
    arguments = fit.build_parser().parse_args(["--dataset", str(pictures), *flags.split()])
    with pytest.raises(ValueError, match=problem):
        _fit_settings.new_run_settings(arguments)


@pytest.mark.parametrize(
    ("dataset", "flags", "weights"),
    [
        ("oxford_flowers102", [], "drawn"),
        ("oxford_flowers102:flipped", [], "drawn"),
        ("oxford_flowers102", ["--weights", "none"], None),
        ("oxford_flowers102", ["--recipe", "flowers"], None),
        ("oxford_flowers102", ["--initial-weights", "text"], None),
        ("oxford_flowers102", ["--architecture", "half"], None),
        ("petals", [], None),
        ("drawn:25600", [], None),
    ],
)
def test_flowers_start_from_drawn_pictures_unless_asked_otherwise(dataset, flags, weights, capsys):
    source = "tfds" if "flowers" in dataset else dataset.partition(":")[0]
    data = types.SimpleNamespace(identity=types.SimpleNamespace(source=source), splits={"train": range(6149)})
    arguments = fit.build_parser().parse_args(["--dataset", dataset, *flags])
    _, options = _fit_settings.fill_in_settings(*_fit_settings.new_run_settings(arguments), data, arguments, None)
    assert options.weights == weights
    assert ("kernels trained on drawn pictures" in capsys.readouterr().out) == (weights == "drawn")


@pytest.mark.parametrize(
    "flags",
    [
        *("--seed 1", "--test-share 0.2", "--precision float32", "--steps-per-epoch 3", "--deterministic"),
        *("--head new", "--checkpoint-path other", "--batch-size 8", "--learning-rate 0.1", "--recipe flowers"),
    ],
)
def test_a_resumed_run_keeps_what_decides_its_result(flags, tmp_path):
    run = Run.create(tmp_path / "run")
    fields = {"recipe": dataclasses.asdict(RECIPES["petals"]), "options": dataclasses.asdict(Options())}
    run.write_json("recipe.json", fields)

    def resume(flags):
        arguments = fit.build_parser().parse_args(["--resume", str(run.folder), *flags.split()])
        return _fit_settings.resumed_settings(arguments, run)

    with pytest.raises(ValueError, match="A resumed run keeps its settings: "):
        resume(flags)
    recipe, options = resume("--devices 2 --max-checkpoints 5 --max-minutes 3 --epochs 99")
    assert (recipe.epochs, options.devices, options.max_checkpoints, options.max_minutes) == (99, 2, 5, 3)


@pytest.mark.slow
def test_a_run_continues_where_its_pictures_have_moved_to(pictures, tmp_path, capsys):
    run = tmp_path / "run"
    fit.main(["--dataset", str(pictures), "--run", str(run), *TOY, "--epochs", "1"])
    moved = pictures.rename(tmp_path / "moved")
    with pytest.raises(SystemExit) as left:
        fit.main(["--resume", str(run), "--epochs", "2"])
    assert left.value.code == 2
    assert f"pass their new place as --dataset. Received: {pictures}\n" in capsys.readouterr().err
    fit.main(["--resume", str(run), "--epochs", "2", "--dataset", str(moved)])
    assert len(Run(run).read_log()) == 2
    evaluate.main([str(run), "--views", "1"])  # without --dataset
    assert (run / "evaluation-test.json").exists()


def test_an_error_that_one_answer_for_every_picture_would_have_is_told():
    """30 cats and one dog: 3.2 % errors may be a network that knows no dogs."""
    classes = [{"class": "dog", "pictures": 1}, {"class": "cat", "pictures": 30}]
    always_cat, better = ({"top1_error": wrong / 31, "mean_class_error": wrong / 2} for wrong in (1, 0))
    told = fit._no_better_than_one_answer(classes, always_cat)
    assert told.startswith(
        "This is no better than cat as the answer for every picture, with an error of 3.2 %. The mean "
    )
    assert told.endswith("per-class error is 50.0 %.")
    assert fit._no_better_than_one_answer(classes, better) is None
    assert fit._no_better_than_one_answer(classes[1:], better) is None  # 0 % is the error of any answer here
