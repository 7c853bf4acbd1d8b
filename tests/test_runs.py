import pytest

from keras_alexnet.runs import Run


def test_log_comes_back_as_numbers(tmp_path):
    run = Run.create(tmp_path / "run")
    assert run.read_log() == []
    rows = [{"epoch": 1, "loss": 0.1 + 0.2}, {"epoch": 2, "loss": 1e-30}]
    run.write_log(rows)
    assert run.read_log() == rows  # to the last bit: the schedule is computed from it


def test_classes_keep_their_order(tmp_path):
    run = Run.create(tmp_path / "run")
    run.write_classes(("tulip", "daisy", "bird of paradise"))
    assert run.read_classes() == ("tulip", "daisy", "bird of paradise")


def test_next_free_counts_up(tmp_path):
    assert Run.next_free(tmp_path, "petals") == tmp_path / "petals-1"
    Run.create(tmp_path / "petals-1")
    assert Run.next_free(tmp_path, "petals") == tmp_path / "petals-2"
    assert Run.next_free(tmp_path, "/some/where/my flowers/").name == "my flowers-1"


def test_existing_folder_is_not_written_over(tmp_path):
    with pytest.raises(ValueError, match=f"--resume {tmp_path}"):
        Run.create(tmp_path)


def test_no_run_is_not_opened(tmp_path):
    with pytest.raises(ValueError, match=f"Received: {tmp_path}"):
        Run.open(tmp_path)
