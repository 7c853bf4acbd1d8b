"""The default beside the AlexNets that people write: which trainings there are, and what the table says."""

import contextlib
import json

import numpy as np
import pytest
from PIL import Image
from small_pictures import save_classes

import compare_accuracy
from comparisons import baselines, row_table

KEY = {"set": "animals", "epochs": "20", "contender": "Keras"}


def row(rate, seed, validation_error, test_error=0.5, seconds=60.0, **others):
    numbers = {"validation_error": validation_error, "test_error": test_error, "seconds": seconds}
    return KEY | {"rate": rate, "seed": seed, **{name: str(value) for name, value in numbers.items()}, **others}


def test_the_best_rate_has_the_lowest_validation_error_of_the_first_seed():
    rows = [row("3e-05", "0", 0.4), row("0.0001", "0", 0.3), row("0.0003", "0", 0.3), row("0.0003", "1", 0.1)]
    assert compare_accuracy.best_rate(rows) == "0.0001"


def test_three_rates_are_tried_and_the_best_one_is_trained_with_all_seeds():
    rows, asked = [row("3e-05", "0", 0.4)], []
    for rate, seed in compare_accuracy._still_to_train(rows, KEY, 3):
        asked.append((rate, seed))
        rows.append(row(rate, seed, {"0.0001": 0.5, "0.0003": 0.2}[rate]))
    assert asked == [("0.0001", "0"), ("0.0003", "0"), ("0.0003", "1"), ("0.0003", "2")]
    assert not list(compare_accuracy._still_to_train(rows, KEY, 3))


def test_folders_of_the_same_name_are_refused(tmp_path, capsys):
    with pytest.raises(SystemExit):
        compare_accuracy.main(["--work", str(tmp_path), "--epochs", "1", "--sets", "a/pictures", "b/pictures"])
    assert capsys.readouterr().err.endswith("rename a folder. Received: pictures twice\n")


@pytest.mark.parametrize("contender", compare_accuracy.OURS)
def test_our_trainings_have_one_rate(contender):
    ours = KEY | {"contender": contender}
    rows, asked = [], []
    for rate, seed in compare_accuracy._still_to_train(rows, ours, 2):
        asked.append((rate, seed))
        rows.append(row(rate, seed, 0.5) | ours)
    assert asked == [("", "0"), ("", "1")]


def test_the_summary_has_means_over_the_seeds_at_the_best_rate():
    rows = [row("3e-05", "0", 0.4, 0.9, 600.0), row("0.0001", "0", 0.3, 0.2, 60.0), row("0.0001", "1", 0.6, 0.4, 120.0)]
    (line,) = compare_accuracy.summary(rows)
    assert line == ["animals", "20", "Keras", "0.0001", "2", "30.0 (20.0 to 40.0)", "", "1.5"]


def test_the_table_names_the_machine_and_escapes_cells():
    table = row_table.markdown(["a", "b"], [["1|2", "3"]]).splitlines()
    assert table[:3] == ["| a    | b   |", "|------|-----|", "| 1\\|2 | 3   |"]
    assert "cores" in table[-1]


def training(folder, epochs=1):
    return baselines.Training(folder, epochs, 1e-4, seed=0, batch_size=4, crop_size=67, resize_size=75)


@pytest.fixture
def folder(tmp_path):
    """Two classes of six pictures in three splits."""
    for split in ("train", "validation", "test"):
        save_classes(tmp_path / "pictures" / split, cats=6, dogs=6)
    return tmp_path / "pictures"


def test_the_network_in_pytorch_is_torchvisions():
    torch = pytest.importorskip("torch")
    network = baselines.torchvision_alexnet(1000)
    assert sum(parameter.numel() for parameter in network.parameters()) == 61_100_840  # torchvision's documentation
    assert network(torch.zeros(1, 3, 67, 67)).shape == (1, 1000)


def test_crops_are_random_in_training_only(folder):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    train, test = (baselines.Crops(training(folder), split) for split in ("train", "test"))
    assert len(train) == len(test) == 12
    assert [label for _, label in test] == [0] * 6 + [1] * 6
    assert train[0][0].shape == (3, 67, 67)
    assert len({train[0][0].numpy().tobytes() for _ in range(20)}) > 2
    assert len({test[0][0].numpy().tobytes() for _ in range(5)}) == 1


@pytest.mark.slow
@pytest.mark.parametrize("name", baselines.BASELINES)
def test_the_baselines_learn_which_class_is_dark(name, tmp_path):
    if name == "PyTorch":
        pytest.importorskip("torch")
    random = np.random.default_rng(0)
    for split in ("train", "validation", "test"):
        for label, darkest in {"dark": 0, "light": 150}.items():
            (tmp_path / split / label).mkdir(parents=True)
            for number in range(8):
                pixels = random.integers(darkest, darkest + 100, (75, 75, 3), dtype=np.uint8)
                Image.fromarray(pixels).save(tmp_path / split / label / f"{number}.png")
    baseline = baselines.BASELINES[name](training(tmp_path, epochs=25))
    assert baseline.fit() == 0
    assert baseline.error("test") == 0


@pytest.mark.slow
def test_the_table_is_continued(folder, tmp_path):
    arguments = ["--work", str(tmp_path / "work"), "--sets", str(folder), "--epochs", "1", "--contenders", "Keras"]
    compare_accuracy.main([*arguments, "--seeds", "1"])
    before = row_table.read(tmp_path / "work" / "table.csv")
    assert [line["rate"] for line in before] == list(compare_accuracy.RATES)
    compare_accuracy.main([*arguments, "--seeds", "2"])
    after = row_table.read(tmp_path / "work" / "table.csv")
    assert after[:3] == before
    assert [line["seed"] for line in after[3:]] == ["1"]


@pytest.mark.slow
def test_our_trainings_start_from_drawn_pictures_and_from_random_weights(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(compare_accuracy, "temporary_folder", lambda work: contextlib.nullcontext(work))
    for contender, weights in {"keras_alexnet": "drawn", "keras_alexnet_random": None}.items():
        work = tmp_path / contender
        arguments = ["--work", str(work), "--sets", str(folder), "--epochs", "1", "--contenders", contender]
        work.mkdir()
        compare_accuracy.main([*arguments, "--seeds", "1"])
        assert json.loads((work / "run" / "recipe.json").read_text())["options"]["weights"] == weights
