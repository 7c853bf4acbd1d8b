"""scripts/export.py, as its user sees it."""

import json

import numpy as np
import pytest

import export


def leave(words):
    with pytest.raises(SystemExit) as left:
        export.main([str(word) for word in words])
    return left.value.code


def test_run_to_onnx(small_run, capsys):
    onnxruntime = pytest.importorskip("onnxruntime")
    export.main([str(small_run.folder), "--to", "onnx"])
    checked, done = capsys.readouterr().out.splitlines()
    assert checked.startswith("checked on photographs and noise: differs by ")
    assert done.endswith(f" -> {small_run.folder / 'best.onnx'}, best.onnx.json")
    said = json.loads((small_run.folder / "best.onnx.json").read_text())
    assert said["classes"] == list(small_run.read_classes())
    assert said["mean"] == [128.0, 128.0, 128.0]
    session = onnxruntime.InferenceSession(small_run.folder / "best.onnx")
    (answer,) = session.run(None, {"image": np.zeros((1, 67, 67, 3), np.uint8)})
    assert answer.sum() == pytest.approx(1, abs=1e-5)


def test_file_with_names(small_run, tmp_path):
    pytest.importorskip("onnxruntime")
    alone = tmp_path / "alone.keras"
    alone.write_bytes(small_run.best.read_bytes())
    (tmp_path / "names.txt").write_text("a\nb\nc\n")
    export.main(
        [str(alone), "--to", "onnx", "--out", str(tmp_path / "it.onnx"), "--classes", str(tmp_path / "names.txt")]
    )
    said = json.loads((tmp_path / "it.onnx.json").read_text())
    assert said["classes"] == ["a", "b", "c"]
    assert said["mean"] == [123.68, 116.779, 103.939]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (["{folder}/nowhere.keras", "--to", "onnx"], "which is not there"),
        (["{folder}/figures", "--to", "onnx"], "Expected a run folder"),
        (["{folder}", "--to", "coreml"], "invalid choice: 'coreml'"),
        (["{folder}", "--to", "onnx", "--out", "{folder}/recipe.json"], "Expected a new name for the file"),
        (["{folder}", "--to", "onnx", "--out", "{folder}/none/best.onnx"], "No such file or directory"),
        (["{folder}", "--to", "onnx", "--classes", "{folder}/recipe.json"], "Expected 3 names"),
    ],
)
def test_wrong_input_is_one_line(small_run, capsys, wrong, message):
    small_run.figures.mkdir(exist_ok=True)
    before = sorted(small_run.folder.iterdir())
    assert leave([word.format(folder=small_run.folder) for word in wrong]) == 2
    error = capsys.readouterr().err
    assert error.startswith("export.py: ")
    assert message in error
    assert error.count("\n") == 1
    assert sorted(small_run.folder.iterdir()) == before
