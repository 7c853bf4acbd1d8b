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
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=f"--resume {tmp_path}"):
        Run.create(tmp_path)


def test_a_file_is_no_run_folder(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(ValueError, match="which exists"):
        Run.create(tmp_path / "run")


def test_a_run_killed_at_its_beginning_can_begin_again(tmp_path):
    for name in ("classes.txt", ".recipe.4711.json"):
        (tmp_path / name).write_text("")
    assert Run.create(tmp_path).folder == tmp_path


def test_no_run_is_not_opened(tmp_path):
    with pytest.raises(ValueError, match=f"Received: {tmp_path}"):
        Run.open(tmp_path)


def test_json_that_is_broken_is_named(tmp_path):
    (tmp_path / "recipe.json").write_text("{")
    with pytest.raises(ValueError, match=r"Expected a JSON file\. Received: .*recipe\.json: "):
        Run(tmp_path).read_json("recipe.json")
