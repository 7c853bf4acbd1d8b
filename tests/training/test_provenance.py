"""How a run was made."""

import subprocess

from keras_alexnet.training import provenance


def test_the_commit_is_not_that_of_another_repository(tmp_path, monkeypatch):
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "mine"], check=True)
    installed = tmp_path / ".venv" / "runs.py"
    installed.parent.mkdir()
    installed.write_text("")
    monkeypatch.setattr(provenance, "__file__", str(installed))
    assert provenance._commit() is None
    subprocess.run([*git, "add", str(installed)], check=True)
    assert len(provenance._commit()) == 40
