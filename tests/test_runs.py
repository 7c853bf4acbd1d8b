import concurrent.futures
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from keras_alexnet import files
from keras_alexnet.files import PARTIAL
from keras_alexnet.recipes import Options
from keras_alexnet.runs import INSIDE, MISTAKE_COLUMNS, Run, describe_recovery


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


def test_class_names_do_not_depend_on_the_locale(tmp_path):
    code = f"import keras_alexnet.runs as r; r.Run(r.pathlib.Path({str(tmp_path)!r})).write_classes(['\\u73ab'])"
    ascii_only = os.environ | {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    subprocess.run([sys.executable, "-c", code], check=True, env=ascii_only)
    assert (tmp_path / "classes.txt").read_bytes() == b"\xe7\x8e\xab\n"
    assert Run(tmp_path).read_classes() == ("\u73ab",)


def test_next_free_counts_up(tmp_path):
    assert Run.next_free(tmp_path, "petals") == tmp_path / "petals-1"
    Run.create(tmp_path / "petals-1")
    assert Run.next_free(tmp_path, "petals") == tmp_path / "petals-2"
    assert Run.next_free(tmp_path, "/some/where/my flowers/").name == "my flowers-1"
    for name in ("v1.5 pets.zip", "v1.5 pets.tar.gz", "v1.5 pets.csv"):
        (tmp_path / name).write_text("")
        assert Run.next_free(tmp_path, str(tmp_path / name)).name == "v1.5 pets-1"
    assert Run.next_free(tmp_path, "imagenet_resized/64x64:0.1.0").name == "imagenet_resized-64x64-0.1.0-1"


def test_an_existing_folder_is_not_overwritten(tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(ValueError, match=f"--resume {tmp_path}"):
        Run.create(tmp_path)


def test_a_file_is_not_a_run_folder(tmp_path):
    (tmp_path / "run").write_text("mine")
    with pytest.raises(ValueError, match="already exists"):
        Run.create(tmp_path / "run")


def test_a_run_killed_at_its_beginning_can_begin_again(tmp_path):
    (tmp_path / f"{PARTIAL}4711-recipe.json").write_text("")
    assert Run.create(tmp_path).folder == tmp_path


@pytest.mark.parametrize("name", [".git/keep", ".env", "notes.txt"])
def test_a_folder_with_files_of_the_user_is_refused_and_left_alone(name, tmp_path):
    (tmp_path / "run" / name).parent.mkdir(parents=True)
    (tmp_path / "run" / name).write_text("mine")
    with pytest.raises(ValueError, match="already exists"):
        Run.create(tmp_path / "run")
    Run(tmp_path / "run").discard()
    assert (tmp_path / "run" / name).read_text() == "mine"


def test_discard_removes_what_the_run_wrote_and_the_folders_made_for_it(tmp_path):
    run = Run.create(tmp_path / "a" / "b" / "run")
    run.write_classes(["daisy"])
    run.write_json("recipe.json", {})
    for kind in ("train", "histograms"):
        run.tensorboard.joinpath(kind).mkdir(parents=True)
        run.tensorboard.joinpath(kind, "events.out.tfevents.1").write_text("")
    run.discard()
    assert list(tmp_path.iterdir()) == []


def test_discard_keeps_a_folder_that_was_there_and_files_of_others(tmp_path):
    run = Run.create(tmp_path)
    run.write_json("recipe.json", {})
    (tmp_path / "notes.txt").write_text("mine")
    run.last.mkdir()
    (run.last / "notes.txt").write_text("mine too")
    run.discard()
    assert {path.name for path in tmp_path.rglob("*")} == {"notes.txt", "last"}


def test_a_folder_without_a_run_is_not_opened(tmp_path):
    with pytest.raises(ValueError, match=f"Received: {tmp_path}"):
        Run.open(tmp_path)


def test_json_that_is_broken_is_named(tmp_path):
    (tmp_path / "recipe.json").write_text("{")
    with pytest.raises(ValueError, match=r"Expected a JSON file\. Received: .*recipe\.json: "):
        Run(tmp_path).read_json("recipe.json")


def test_a_run_is_extended_but_never_shortened(tmp_path):
    run = Run.create(tmp_path / "run")
    run.write_json("recipe.json", {"recipe": {"epochs": 5}, "options": {"dataset": "/old/pets", "seed": 3}})
    epochs = []
    for asked in (9, 3):
        run.update(asked, Options(dataset="/old/pets"))
        epochs.append(run.read_json("recipe.json")["recipe"]["epochs"])
    assert epochs == [9, 9]


def test_a_resumed_run_has_the_new_place_of_its_pictures(tmp_path):
    run = Run.create(tmp_path / "run")
    run.write_json("recipe.json", {"recipe": {"epochs": 5}, "options": {"dataset": "/old/pets", "seed": 3}})
    run.update(5, Options(dataset="/new/pets", data_dir="/new/tfds", seed=4))
    assert run.read_json("recipe.json")["options"] == {"dataset": "/new/pets", "data_dir": "/new/tfds", "seed": 3}


@pytest.mark.parametrize("text", ["epoch,loss\n1\n", "epoch;loss\n1;2\n", "epoch,loss\none,2\n"])
def test_a_damaged_log_is_named(text, tmp_path):
    (tmp_path / "log.csv").write_text(text)
    with pytest.raises(ValueError, match=r"^Expected a log\.csv written by fit\.py\. Received: .*log\.csv"):
        Run(tmp_path).read_log()


def test_a_log_from_a_spreadsheet_is_read(tmp_path):
    (tmp_path / "log.csv").write_bytes(b"\xef\xbb\xbfepoch,loss\r\n1,0.5\r\n")
    assert Run(tmp_path).read_log() == [{"epoch": 1, "loss": 0.5}]


@pytest.mark.parametrize("numbers", [[], 3])
def test_a_file_that_is_no_evaluation_is_named(numbers, tmp_path):
    Run(tmp_path).write_json("evaluation-test.json", numbers)
    with pytest.raises(ValueError, match=r"^Expected the result of an evaluation\. Received: .*evaluation-test\.json$"):
        Run(tmp_path).read_evaluations("evaluation")


def test_a_list_of_mistakes_from_a_spreadsheet_is_named(tmp_path):
    run = Run(tmp_path)
    run.write_classes(["daisy"])
    run.write_mistakes("test", [dict.fromkeys(MISTAKE_COLUMNS[1:], "x")])
    assert [row["split"] for row in run.read_mistakes()] == ["test"]
    path = tmp_path / "mistakes.csv"
    path.write_text(path.read_text().replace(",", ";"))
    with pytest.raises(ValueError, match=r"remove the file, and it is written again\. Received: .*split;picture"):
        run.read_mistakes()


@pytest.mark.parametrize("text", ["daisy\nrose\n", "daisy\nrose", "daisy\r\nrose\r\n"])
def test_class_names_may_be_saved_by_an_editor(text, tmp_path):
    (tmp_path / "classes.txt").write_bytes(text.encode())
    assert Run(tmp_path).read_classes() == ("daisy", "rose")


def test_links_in_a_circle_do_not_lead_out_of_a_run(tmp_path):
    (tmp_path / "recipe.json").write_text("{}")
    (tmp_path / "one").symlink_to("two")
    (tmp_path / "two").symlink_to("one")
    assert Run.open(tmp_path).folder == tmp_path


def test_a_file_near_another_recipe_json_is_not_of_a_run(tmp_path):
    (tmp_path / "recipe.json").write_text('{"title": "soup"}')
    assert Run.containing(tmp_path / "best.keras") is None
    (tmp_path / "classes.txt").write_text("daisy\n")
    assert Run.containing(tmp_path / "best.keras") == Run(tmp_path)
    assert Run.containing(tmp_path / "last" / "epoch-00002.keras") == Run(tmp_path)
    assert Run.containing(tmp_path / "of_another_run.keras") is None


def test_a_missing_file_of_class_names_is_replaced_by_those_of_the_run(tmp_path):
    run = Run.create(tmp_path / "run")
    run.write_classes(["daisy", "rose"])
    (tmp_path / "names.txt").write_text("Bellis\nRosa\n")
    run.write_json("recipe.json", {"options": {"dataset": "petals", "class_names": str(tmp_path / "names.txt")}})
    assert run.read_options().class_names == str(tmp_path / "names.txt")
    (tmp_path / "names.txt").unlink()
    assert run.read_options().class_names == str(run.classes)


def test_a_damaged_copy_of_a_network_has_no_run(tmp_path):
    file, content = tmp_path / "copy.keras", bytes(range(256)) * 40
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(f"{INSIDE}recipe.json", content)
    packed = bytearray(file.read_bytes())
    packed[100:120] = bytes(20)
    file.write_bytes(packed)
    with Run.from_network(file) as run:
        assert run is None


def test_a_folder_that_cannot_be_created_is_one_line(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match=r"cannot be created: choose another `run`\. Received: .*file/run: "):
        Run.create(tmp_path / "file" / "run")
    assert os.listdir(tmp_path) == ["file"]


@pytest.mark.skipif(not files.CAN_LOCK, reason="this system has no locks")
def test_two_evaluations_at_the_same_time_keep_both_lists_of_mistakes(tmp_path, monkeypatch):
    run, read = Run.create(tmp_path / "run"), Run.read_mistakes
    run.write_classes(["daisy"])

    def slowly(self):
        rows = read(self)
        self.write_json("recipe.json", {})  # training may replace it meanwhile
        time.sleep(0.2)  # for the other to read the same
        return rows

    monkeypatch.setattr(Run, "read_mistakes", slowly)
    row = dict.fromkeys(MISTAKE_COLUMNS[1:], "x")
    with concurrent.futures.ThreadPoolExecutor() as pool:
        list(pool.map(lambda stem: run.write_mistakes(stem, [row]), ("test", "other-test")))
    assert {each["split"] for each in read(run)} == {"test", "other-test"}


@pytest.mark.parametrize(
    ("epochs", "steps", "place"),
    [(0, 0, "the initial weights"), (3, 0, "the end of epoch 3"), (3, 20, "step 20 of epoch 4")],
)
def test_a_recovery_says_where_it_went_back_to(epochs, steps, place):
    """Checkpoints count finished epochs, so step 20 after three of them is one of the fourth."""
    recovery = {"epoch": 5, "step": 7, "reason": "the loss was nan", "learning_rate": 0.01}
    sentence = describe_recovery(recovery | {"back_to_epochs": epochs, "back_to_steps": steps})
    assert sentence.startswith(f"In epoch 5, step 7 the loss was nan: went back to {place}, with a learning rate of ")


@pytest.mark.parametrize("folder", [None, 3, b"a", Run(Path("a"))])
def test_a_run_folder_must_be_a_path(folder):
    for make in (Run.create, Run.open):
        with pytest.raises(TypeError, match=r"`folder` must be a path, .*Received: folder="):
            make(folder)
