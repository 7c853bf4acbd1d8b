import pytest

import archive as script
from keras_alexnet.experiments import archive
from keras_alexnet.runs import Run


@pytest.fixture
def finished(tmp_path):
    """A finished run, each file of which contains its own name."""
    run = Run.create(tmp_path / "runs" / "petals-1")
    names = ("recipe.json", "results.json", "evaluation-test.json", "log.csv", "best.keras", "report.html")
    for name in (*names, "ensemble-test.json", "exercise-1.json", "kernels.npz"):
        (run.folder / name).write_text(name)
    run.figures.mkdir()
    for name in ("curves.png", "kernels.png", "test-confusion.png"):
        (run.figures / name).write_text(name)
    return run


def files_in(folder):
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_network_is_not_archived(finished, tmp_path):
    archived = archive.archive_run(finished, tmp_path / "results")
    small = {"recipe.json", "results.json", "evaluation-test.json", "ensemble-test.json", "log.csv"}
    assert files_in(archived.folder) == small | {"kernels.npz", "figures/curves.png", "figures/kernels.png"}
    assert archived.folder == tmp_path / "results" / "petals-1"
    assert (archived.folder / "log.csv").read_text() == "log.csv"
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["petals-1"]


def test_an_older_archived_run_is_replaced(finished, tmp_path):
    archive.archive_run(finished, tmp_path / "results")
    (finished.folder / "evaluation-test.json").unlink()
    archived = archive.archive_run(finished, tmp_path / "results")
    assert not (archived.folder / "evaluation-test.json").exists()
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["petals-1"]


@pytest.mark.parametrize("step", ["copyfile", "rename"])
def test_a_failure_keeps_the_older_archived_run(finished, tmp_path, monkeypatch, step):
    archived = archive.archive_run(finished, tmp_path / "results")
    before = files_in(archived.folder)
    (finished.folder / "log.csv").write_text("another log")

    def fail(source, target, *_):
        if step == "copyfile" or source.name == "new":
            raise OSError("no space left")
        return original(source, target)

    original = type(tmp_path).rename
    place = archive.shutil if step == "copyfile" else type(tmp_path)
    monkeypatch.setattr(place, step, fail)
    with pytest.raises(OSError, match="no space left"):
        archive.archive_run(finished, tmp_path / "results")
    assert files_in(archived.folder) == before
    assert (archived.folder / "log.csv").read_text() == "log.csv"
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["petals-1"]


@pytest.mark.parametrize("name", ["notes.txt", "figures/mine.png", "best.keras", "copy/log.csv", "curves.png"])
def test_a_folder_with_other_files_is_not_replaced(finished, tmp_path, name):
    archived = archive.archive_run(finished, tmp_path / "results")
    (archived.folder / name).parent.mkdir(exist_ok=True)
    (archived.folder / name).write_text("mine")
    with pytest.raises(ValueError, match=r"move the other files away\. Received: "):
        archive.archive_run(finished, tmp_path / "results")
    assert (archived.folder / name).read_text() == "mine"


def test_a_file_in_place_of_the_archived_run_is_kept(finished, tmp_path):
    (tmp_path / "results").mkdir()
    (tmp_path / "results" / "petals-1").write_text("mine")
    with pytest.raises(ValueError, match=r"move this file away\. Received: .*petals-1"):
        archive.archive_run(finished, tmp_path / "results")
    assert (tmp_path / "results" / "petals-1").read_text() == "mine"


def test_a_run_does_not_replace_itself(finished, tmp_path):
    with pytest.raises(ValueError, match="already in the archive"):
        archive.archive_run(finished, tmp_path / "runs")
    assert (finished.folder / "best.keras").exists()


def test_a_run_that_is_not_finished_is_refused(finished, tmp_path):
    (finished.folder / "results.json").unlink()
    with pytest.raises(ValueError, match="finished run"):
        archive.archive_run(finished, tmp_path / "results")


def test_large_files_are_refused(finished, tmp_path):
    (finished.figures / "curves.png").write_bytes(bytes(400_000))
    with pytest.raises(ValueError, match="Received: 400"):
        archive.archive_run(finished, tmp_path / "results")
    assert not (tmp_path / "results").exists()


def test_the_script_archives_a_run(finished, tmp_path, capsys):
    script.main([str(finished.folder), "--folder", str(tmp_path / "results")])
    assert capsys.readouterr().out == f"Archived {tmp_path / 'results' / 'petals-1'}\n"
    assert (tmp_path / "results" / "petals-1" / "log.csv").exists()


def test_the_script_without_anything_to_do_is_one_line(capsys):
    with pytest.raises(SystemExit) as left:
        script.main([])
    assert left.value.code == 2
    assert capsys.readouterr().err == "archive.py: Expected a run folder to archive, or --readme. Received: neither\n"
