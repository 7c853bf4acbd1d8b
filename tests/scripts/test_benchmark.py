import argparse
import importlib.util
import json
import os
import time

import numpy as np
import pytest
from PIL import Image

import benchmark
import keras_alexnet
from benchmarks import baselines, frameworks, gpus, measuring, network_speed, worker
from keras_alexnet.models.summary import sketch

SIZE = 67
PIPELINES = ["keras_alexnet", "keras_alexnet, smaller copies", "TensorFlow, decoding only"]
TOY = ["--size", str(SIZE), "--batch-sizes", "2", "--files", "4", "--seconds", "0", "--precisions", "float32"]


@pytest.fixture(scope="module")
def model():
    return keras_alexnet.build(input_shape=(SIZE, SIZE, 3))


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(0, 60, (3, SIZE, SIZE, 3)).astype("float32")


def measured(tmp_path, capsys, *argv):
    """Results of a run: the table, and the measurements by topic and subject."""
    path = tmp_path / "speed.json"
    benchmark.main([*TOY, *argv, "--json", str(path)])
    report = json.loads(path.read_text())
    assert [file.name for file in tmp_path.iterdir()] == ["speed.json"]
    out, err = capsys.readouterr()
    assert err.startswith("Do not run other programs until this ends.\n")
    assert "(1 of " in err
    return out, report["measurements"]


def check(measurement, unit, *contenders):
    """Five rounds of each contender, and the medians and ratios of these."""
    rates = measurement["rates"]
    assert measurement["unit"] == unit
    assert len(rates) == len(contenders)
    assert all(name.startswith(start) for name, start in zip(rates, contenders, strict=True))
    assert all(len(rounds) == 5 and min(rounds) > 0 for rounds in rates.values())
    assert measurement["medians"] == pytest.approx({name: np.median(rounds) for name, rounds in rates.items()})
    first, *others = rates
    expected = {name: np.median(np.divide(rates[first], rates[name])) for name in others}
    assert measurement["ratios"] == pytest.approx(expected)


# The baselines compute what our network computes


@pytest.mark.slow
@pytest.mark.parametrize("jit_compile", [False, "auto"])
def test_the_obvious_keras_network_is_the_same_function(model, images, jit_compile):
    network = baselines.keras_network(model, jit_compile)
    np.testing.assert_allclose(network.predict_on_batch(images), model.predict_on_batch(images), rtol=0, atol=1e-4)
    assert network.count_params() == model.count_params()


@pytest.mark.parametrize("memory_format", ["contiguous", "channels_last"])
def test_the_pytorch_network_is_the_same_function(model, images, memory_format):
    pytest.importorskip("torch")
    network = baselines.PyTorchNetwork(model, memory_format, "float32", threads=2)
    tensor, labels = network.tensors(images, np.arange(3))
    expected = model.predict_on_batch(images)
    np.testing.assert_allclose(network.predict_on_batch(tensor), expected, rtol=0, atol=1e-4)
    assert np.isfinite(network.train_on_batch(tensor, labels))


@pytest.mark.slow
def test_the_network_in_onnx_runtime_is_the_same_function(model):
    pytest.importorskip("onnxruntime")
    pixels = np.random.default_rng(0).integers(0, 256, (3, SIZE, SIZE, 3), np.uint8)
    expected = model.predict_on_batch(pixels.astype("float32"))
    np.testing.assert_allclose(baselines.OnnxNetwork(model).predict_on_batch(pixels), expected, rtol=0, atol=1e-4)


def test_side_of_the_last_maps():
    assert [baselines.final_side(size) for size in (67, 99, 227)] == [1, 2, 6]
    features = sketch(include_top=False, input_shape=(99, 99, 3))
    assert features.output_shape == (None, 2, 2, 256)


def test_crops_of_pillow_have_the_size_and_brightness_of_ours(tmp_path):
    pytest.importorskip("torch")
    from keras_alexnet.data.statistics import Statistics

    path = tmp_path / "gray.jpg"
    Image.new("RGB", (90, 120), (100, 110, 120)).save(path)
    statistics = Statistics(np.full((96, 96, 3), 100, "float32"), np.zeros(3, "float32"), np.eye(3, dtype="float32"))
    crops = baselines.PillowCrops([path], [7], statistics, network_speed.recipe(SIZE))
    crop, label = crops[0]
    assert (crop.numpy().shape, crop.numpy().dtype, label, len(crops)) == ((3, SIZE, SIZE), np.float32, 7, 1)
    np.testing.assert_allclose(crop, np.broadcast_to([[[0.0]], [[10.0]], [[20.0]]], crop.shape), atol=2)


# Turns, medians, the report


def test_contenders_take_turns():
    calls = []
    contenders = {name: (lambda name=name: calls.append(name), 10) for name in "abc"}
    rates = measuring.take_turns(contenders, repeats=5, seconds=0)
    assert "".join(calls) == "abc" * 6  # one round to warm up
    assert {name: len(rounds) for name, rounds in rates.items()} == {"a": 5, "b": 5, "c": 5}


def test_a_turn_lasts_as_long_as_requested(monkeypatch):
    clock = iter(np.arange(0, 100, 0.25))  # a second is four looks at the clock
    monkeypatch.setattr(measuring.time, "perf_counter", lambda: next(clock))
    rates = measuring.take_turns({"a": (lambda: None, 10)}, repeats=5, seconds=1)
    assert rates == {"a": [40.0] * 5}


def test_ratios_are_of_rounds(tmp_path):
    rates = {"ours": [10.0, 20.0, 60.0], "theirs": [5.0, 5.0, 20.0]}
    measurement = measuring.Measurement("training", "batch 64", "images/s", rates)
    assert (measurement.medians, measurement.ratios) == ({"ours": 20.0, "theirs": 5.0}, {"theirs": 3.0})
    (row,) = measurement.rows()
    assert [*row.values()] == ["training, batch 64, images/s", "ours: 20.0", "theirs: 5.00", "3.00"]


def test_the_ratio_of_memory_is_that_of_the_other():
    measurement = measuring.Measurement("memory", "batch 64", "MB", {"ours": [200.0], "theirs": [500.0]})
    assert measurement.ratios == {"theirs": 2.5}


def test_the_report_is_on_disk_after_each_measurement(tmp_path):
    path = tmp_path / "speed.json"
    report = measuring.Report(path)
    assert json.loads(path.read_text())["measurements"] == []
    report.add("lrn", "forward", "images/s", {"ours": [1.0] * 5, "theirs": [2.0] * 5})
    report.leave_out("PyTorch")
    report.leave_out("PyTorch")
    found = json.loads(path.read_text())
    assert [one["topic"] for one in found["measurements"]] == ["lrn"]
    assert found["left_out"] == ["PyTorch"]
    assert {"processor", "cores", "instruction_sets", "versions", "date"} <= found["machine"].keys()
    assert "- Left out: PyTorch" in report.markdown()


# The script, at toy sizes


@pytest.mark.slow
def test_normalization_and_peak(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(network_speed, "PRODUCT_SIDE", 64)
    table, (*normalizations, peak) = measured(tmp_path, capsys, "--only", "lrn", "peak")
    for one in normalizations:
        check(one, "images/s", "keras_alexnet", "tf.nn.lrn")
    assert [one["subject"] for one in normalizations] == [
        "forward, 2 x 15 x 15 x 96",
        "forward and backward, 2 x 15 x 15 x 96",
        "forward, 2 x 7 x 7 x 256",
        "forward and backward, 2 x 7 x 7 x 256",
    ]
    check(peak, "GFLOP/s", "training step", "tf.matmul")
    assert table.count("\n|") == 6  # a rule and five rows under the head


@pytest.mark.slow
def test_training_and_prediction(tmp_path, capsys, monkeypatch):
    trials = [1.0, 2.0] + [2.0, 1.0] * baselines.HAS_PYTORCH  # of Keras the first setting wins, of PyTorch the second
    seconds = iter(trials * 2)
    monkeypatch.setattr(network_speed, "_trial", lambda *_: next(seconds))
    _, measurements = measured(tmp_path, capsys, "--only", "training", "prediction")
    others = ["PyTorch, channels_last"] if baselines.HAS_PYTORCH else []
    for one, more in zip(measurements, ([], ["ONNX Runtime"] * baselines.HAS_ONNX_RUNTIME), strict=True):
        check(one, "images/s", "keras_alexnet", "Keras baseline, jit_compile=False", *others, *more)
    assert [(one["topic"], one["subject"]) for one in measurements] == [
        ("training", "batch 2, float32"),
        ("prediction", "batch 2, float32"),
    ]


@pytest.mark.slow
def test_bfloat16_on_a_processor_without_it(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("keras_alexnet.training.hardware.fastest_precision", lambda: "float32")
    table, (one,) = measured(tmp_path, capsys, "--only", "prediction", "--precisions", "bfloat16")
    check(one, "images/s", "keras_alexnet, bfloat16", "keras_alexnet, float32")
    assert "Left out: baselines in bfloat16" in table


@pytest.mark.slow
def test_input_pipeline(tmp_path, capsys):
    _, (one,) = measured(tmp_path, capsys, "--only", "pipeline")
    others = ["Pillow, DataLoader, 2 workers"] if baselines.HAS_PYTORCH else []
    check(one, "images/s", *PIPELINES, *others)
    assert one["subject"].startswith("4 JPEGs of 500 x 700, ")


@pytest.mark.slow
def test_without_pytorch(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(baselines, "HAS_PYTORCH", False)
    table, (one,) = measured(tmp_path, capsys, "--only", "pipeline")
    check(one, "images/s", *PIPELINES)
    assert "Left out: PyTorch" in table


@pytest.mark.slow  # compiles the whole step with XLA
def test_the_faster_setting_is_taken(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(network_speed, "TRIAL_BATCH", 1)
    _, (one,) = measured(tmp_path, capsys, "--only", "training")
    assert list(one["rates"])[1] in {f"Keras baseline, jit_compile={setting}" for setting in ("False", "'auto'")}


@pytest.mark.slow  # saves the network after each of six epochs
def test_fit(tmp_path, capsys):
    _, (one,) = measured(tmp_path, capsys, "--only", "fit")
    check(one, "images/s", "trainer.fit", "bare training step")


@pytest.mark.parametrize(
    ("argv", "received"),
    [
        (["--repeats", "3"], "3"),
        (["--size", "224"], "224"),
        (["--batch-sizes", "0"], "0"),
        (["--files", "1", "--batch-sizes", "2"], "1 files"),
        (["--json", "no/such/folder/speed.json"], "no/such/folder"),
        (["--only", "speed"], "speed"),
        (["--only", "devices"], "Without --gpu, `--only` accepts training, prediction, lrn"),
        (["--gpu", "--only", "lrn", "training"], "devices, pipeline. Received: lrn"),
    ],
)
def test_wrong_input_is_one_line(argv, received, capsys):
    with pytest.raises(SystemExit) as stop:
        benchmark.main([*TOY, *argv])
    assert stop.value.code == 2
    error = capsys.readouterr().err
    assert error.startswith("benchmark.py: ")
    assert received in error
    assert error.count("\n") == 1


@pytest.mark.slow  # a process for each contender
def test_memory(tmp_path, capsys):
    _, (one,) = measured(tmp_path, capsys, "--only", "memory")
    ours, *others = one["rates"]
    assert ours == "keras_alexnet"
    assert others[:2] == ["Keras baseline, jit_compile=False", "Keras baseline, jit_compile='auto'"]
    weights = 4 * sketch(input_shape=(SIZE, SIZE, 3)).count_params() / 1e6  # MB
    assert all(peak > 3 * weights for (peak,) in one["rates"].values())  # with gradients and velocities


@pytest.mark.slow
def test_exports(tmp_path, capsys):
    pytest.importorskip("onnxruntime")
    _, (one,) = measured(tmp_path, capsys, "--only", "exports")
    check(one, "images/s", "keras_alexnet", "SavedModel", "SavedModel, compiled", "ONNX", "LiteRT")


# Between frameworks


@pytest.mark.slow
def test_tensorflow_beside_jax(tmp_path, capsys):
    pytest.importorskip("jax")
    _, (one,) = measured(tmp_path, capsys, "--only", "jax")
    check(one, "images/s", "keras_alexnet on TensorFlow", "keras_alexnet on JAX")


@pytest.mark.slow  # a dozen processes, each with a network of its own to compile
def test_what_a_machine_with_gpus_measures(tmp_path, monkeypatch, capsys):
    """On the CPU. What is not installed is left out, and what is installed does not fail."""
    monkeypatch.setattr(network_speed, "PRODUCT_SIDE", 256)
    table, measurements = measured(tmp_path, capsys, "--gpu")
    installed = [name for name in ("jax", "torch") if importlib.util.find_spec(name)]
    others = {"jax": ["keras_alexnet on JAX"], "torch": ["keras_alexnet on PyTorch", "PyTorch"]}
    contenders = ["keras_alexnet on TensorFlow", *(each for name in installed for each in others[name])]
    by_topic = {}
    for one in measurements:
        by_topic.setdefault(one["topic"], []).append(one)
    assert list(by_topic) == ["training", "prediction", "exports", "peak", "memory", "devices", "pipeline"]
    assert [one["subject"] for one in by_topic["prediction"]] == ["batch 1, float32", "batch 2, float32"]
    for one in by_topic["training"] + by_topic["prediction"]:
        check(one, "images/s", *contenders)
    (exports,) = by_topic["exports"]
    check(exports, "images/s", contenders[0], "SavedModel", "SavedModel, compiled", "ONNX Runtime")
    for one, name in zip(by_topic["peak"], contenders, strict=True):
        check(one, "GFLOP/s", name, f"matrix product in {name.split()[-1]}")
    (memory,) = by_topic["memory"]
    weights = 4 * sketch(input_shape=(SIZE, SIZE, 3)).count_params() / 1e6  # MB
    assert list(memory["rates"]) == contenders
    assert all(peak > 3 * weights for (peak,) in memory["rates"].values())  # with gradients and velocities
    kinds = [set(one["rates"]) for one in by_topic["devices"]]
    assert {"keras_alexnet on TensorFlow, 1 device", "2 devices, mirrored"} <= kinds[0]
    assert {"2 devices, mirrored", "2 devices, one_weird_trick"} <= kinds[-1] or "jax" not in installed
    assert "process ended" not in table
    assert "Left out: GPUs: nvidia-smi found none" in table


def test_a_contender_that_does_not_start_is_left_out_with_its_reason(tmp_path, monkeypatch):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").touch()
    (tmp_path / "benchmarks" / "worker.py").write_text("raise SystemExit('no memory')")
    monkeypatch.setattr(frameworks, "SCRIPTS", tmp_path)
    report = measuring.Report()
    frameworks.training(benchmark.build_parser().parse_args(["--gpu", *TOY]), report)
    assert report.measurements == []
    ended = "keras_alexnet on TensorFlow, training: its process ended with status 1: no memory"
    assert ended in report.left_out


@pytest.mark.parametrize("precision", network_speed.POLICIES)
def test_the_matrix_product_in_each_precision(precision):
    worker._product(argparse.Namespace(side=8, precision=precision))(2)


def test_a_contender_that_ends_later_does_not_end_the_benchmark(tmp_path, monkeypatch):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").touch()
    (tmp_path / "benchmarks" / "worker.py").write_text(
        "print('ready', flush=True)\ninput()\nprint('done', flush=True)\ninput()\nraise SystemExit('no memory')"
    )
    monkeypatch.setattr(frameworks, "SCRIPTS", tmp_path)
    report = measuring.Report()
    frameworks.jax(benchmark.build_parser().parse_args(TOY), report)
    assert report.measurements == []
    (left_out,) = report.left_out
    assert left_out.startswith("jax, keras_alexnet on TensorFlow")
    assert left_out.endswith("its process ended with status 1: no memory")


def test_a_turn_takes_as_many_steps_as_fill_its_time(tmp_path, monkeypatch):
    (tmp_path / "benchmarks").mkdir()
    (tmp_path / "benchmarks" / "__init__.py").touch()
    (tmp_path / "benchmarks" / "worker.py").write_text(
        "import sys, time\n"
        "print('ready', flush=True)\n"
        "for line in sys.stdin:\n"
        "    time.sleep(0.05 * int(line))\n"
        "    print('done', flush=True)\n"
    )
    monkeypatch.setattr(frameworks, "SCRIPTS", tmp_path)
    with frameworks.Worker({"contender": "tensorflow"}, seconds=0.2) as contender:
        assert 1 <= contender.steps <= 4
        contender()
        ((began, ended),) = contender.turns
        assert ended - began >= 0.05 * contender.steps


def test_utilization_is_that_of_the_turns():
    watch = gpus.Watch()
    watch.samples = {"0": [(1.0, 50), (2.0, 70), (3.0, 0)], "1": [(1.5, 10)]}
    assert watch.means([(0.5, 1.2), (1.9, 2.5)]) == [60]
    assert watch.means([(0.0, 4.0)]) == [40, 10]
    assert watch.means([]) == []


def test_gpus_are_asked_by_nvidia_smi(tmp_path, monkeypatch):
    smi = tmp_path / "nvidia-smi"
    smi.write_text(
        "#!/bin/sh\n"
        'case "$*" in *=name*) printf "A\\nB\\n";;\n'
        '*) while true; do printf "0, 90\\n1, [N/A]\\n"; sleep 0.02; done;; esac\n'
    )
    smi.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    assert gpus.find_gpus() == ["A", "B"]
    assert measuring.machine()["gpus"] == ["A", "B"]
    with gpus.Watch() as watch:
        while len(watch.samples.get("0", ())) < 2:
            time.sleep(0.01)
    assert watch.means([(0, time.perf_counter())]) == [90]
    busy = {"ours": [90.4, 3.0]}
    row = measuring.Measurement("training", "batch 64", "images/s", {"ours": [1.0], "theirs": [2.0]}, busy)
    assert [*next(row.rows()).values()][1:3] == ["ours: 1.00 (GPU 90 %, 3 %)", "theirs: 2.00"]
