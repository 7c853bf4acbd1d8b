"""The chapters: built from their source as it is now, in the form that the reader is promised."""

import hashlib
import json
import re
from pathlib import Path

import pytest

import build_tutorials as script

ROOT = Path(__file__).parents[1]
BUILT = sorted((ROOT / "tutorials").glob("*.ipynb"))


def cells(path, kind):
    return [cell for cell in json.loads(path.read_text(encoding="utf-8"))["cells"] if cell["cell_type"] == kind]


def prose(path):
    return "\n\n".join("".join(cell["source"]) for cell in cells(path, "markdown"))


def test_every_chapter_is_built_from_its_source():
    assert script.out_of_step() == []


def test_a_changed_a_missing_and_an_orphaned_chapter_are_out_of_step(tmp_path):
    (tmp_path / "source").mkdir()
    for name in ("kept", "changed", "missing"):
        (tmp_path / "source" / f"{name}.py").write_text("# %%\n1 + 1\n")
    of_source = hashlib.sha256(b"# %%\n1 + 1\n").hexdigest()
    for name, kept in (("kept", of_source), ("changed", "another"), ("orphaned", of_source)):
        (tmp_path / f"{name}.ipynb").write_text(json.dumps({"metadata": {"source": kept}}))
    assert script.out_of_step(tmp_path) == ["changed", "missing", "orphaned"]


def test_an_unknown_chapter_is_one_line(capsys):
    with pytest.raises(SystemExit) as stop:
        script.main(["3_9_nothing"])
    assert stop.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


@pytest.mark.parametrize("path", BUILT, ids=lambda path: path.stem)
class TestChapter:
    def test_is_small(self, path):
        assert path.stat().st_size <= 300 * 1024
        code = [[line for line in "".join(cell["source"]).splitlines() if line.strip()] for cell in cells(path, "code")]
        assert len(code) <= 15
        assert [lines[0] for lines in code if len(lines) > 15] == []

    def test_has_the_form(self, path):
        text = prose(path)
        for part in (
            "# ",
            "| in the paper |",
            "**The paper says:**",
            "**Predict first.**",
            "## Exercises",
            "<details>",
        ):
            assert part in text
        assert any("assert " in "".join(cell["source"]) for cell in cells(path, "code"))

    def test_differs_in_nothing_between_two_builds(self, path):
        notebook = json.loads(path.read_text(encoding="utf-8"))
        assert [cell["id"] for cell in notebook["cells"]] == [f"cell-{n + 1}" for n in range(len(notebook["cells"]))]
        assert all(cell["execution_count"] is None for cell in cells(path, "code"))
        assert "execution" not in {key for cell in notebook["cells"] for key in cell["metadata"]}

    def test_outputs_are_neither_errors_nor_warnings(self, path):
        outputs = [output for cell in cells(path, "code") for output in cell["outputs"]]
        assert {output["output_type"] for output in outputs} <= {"stream", "execute_result", "display_data"}
        assert {output.get("name", "stdout") for output in outputs} == {"stdout"}

    def test_every_picture_has_an_alternative_text(self, path):
        outputs = [output for cell in cells(path, "code") for output in cell["outputs"] if "data" in output]
        shown = [(kind, output["metadata"]) for output in outputs for kind in output["data"] if "image/" in kind]
        assert shown
        assert all(len(metadata[kind]["alt"]) > 20 for kind, metadata in shown)

    def test_links_lead_somewhere(self, path):
        targets = re.findall(r"\]\(([^)#]+)\)", prose(path))
        assert [target for target in targets if "://" not in target and not (path.parent / target).exists()] == []

    def test_the_table_of_chapters_has_it(self, path):
        for page in ("tutorials/README.md", "README.md"):
            assert path.stem in (ROOT / page).read_text(encoding="utf-8")
