"""compare_versions.py: two versions of the library, each with its own files."""

import subprocess

import pytest

import compare_versions
from compare_versions import ROOT, Version, check_out


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository whose fit.py prints its version, and fails in the second one."""
    root = tmp_path / "repository"
    (root / "scripts").mkdir(parents=True)
    git = ["git", "-C", root, "-c", "user.name=a", "-c", "user.email=a@example.org"]
    subprocess.run([*git, "init", "-q"], check=True)
    for version, program in (("first", "print('first')"), ("second", "raise SystemExit('no such flag')")):
        (root / "scripts" / "fit.py").write_text(program)
        subprocess.run([*git, "add", "."], check=True)
        subprocess.run([*git, "commit", "-qm", version], check=True)
    monkeypatch.setattr(compare_versions, "ROOT", root)
    return root


def test_a_version_runs_its_own_files(repository, tmp_path):
    (tmp_path / "work").mkdir()
    first = Version(check_out("HEAD~", tmp_path / "old"), tmp_path / "work")
    assert first.run(first.root / "scripts" / "fit.py") == "first\n"
    with pytest.raises(ValueError, match=r"^A program failed\. Received: .*fit\.py --help: no such flag$"):
        Version(repository, tmp_path / "work").script("fit", "--help")


def test_an_unknown_commit_is_one_line(repository, capsys):
    with pytest.raises(SystemExit) as stop:
        compare_versions.main(["no-such-commit"])
    assert stop.value.code == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line == "compare_versions.py: Expected a commit of this repository. Received: no-such-commit"


needs_git = pytest.mark.skipif(not (ROOT / ".git").exists(), reason="needs a git checkout")


@needs_git
def test_both_versions_are_measured_in_turn(capsys):
    compare_versions.main(["HEAD", "--only", "help", "--repeats", "2"])
    out = capsys.readouterr().out
    row = next(line for line in out.splitlines() if line.startswith("| help, fit.py --help, s"))
    assert "this version: 0." in row
    assert "earlier: 0." in row
    assert "Medians of 2 rounds" in out


@pytest.mark.slow
def test_each_export_runs_without_the_library(tmp_path):
    version = Version(ROOT, tmp_path / "work")
    compare_versions.prepare(version, ["exports"])
    for form in compare_versions.FORMATS:
        assert version.worker("file", f"network.{form}", "2") > 0
    assert version.worker("training", "2", "float32") > 0
    assert 100 < version.worker("memory", "2", "float32") < 10_000
