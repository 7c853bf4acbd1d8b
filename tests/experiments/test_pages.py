"""The pages that show archived runs, and the archive of this repository itself."""

import json
import re
import shlex
from pathlib import Path

import pytest
from scipy import stats

import archive as script
from keras_alexnet.commands import _fit_settings, fit
from keras_alexnet.experiments import ablations, archive, page, tables
from keras_alexnet.recipes import RECIPES, Options, Recipe

ROOT = Path(__file__).parents[2]
RESULTS = ROOT / "results"
RECORDS = archive.read(RESULTS)
ROWS = archive.rows(RESULTS)


# Numbers and marks


def row(name, seed, errors, recipe=RECIPES["ablation"], weights=None, training=(), ensembles=None):
    """A tested run with one crop."""
    top1, top5 = errors
    return {
        "run": f"{name}-{seed}",
        "dataset": "oxford_flowers102",
        "weights": weights,
        "seed": seed,
        "recipe": dict(vars(recipe)),
        "training_errors": list(training),
        "results": {"validation": {}, "test": {"1_view": {"top1_error": top1, "top5_error": top5}}},
        "ensembles": ensembles or {},
    }


def test_errors_and_accuracies_are_means_over_seeds():
    both = {"runs": ["a-0", "a-1"], "1_view": {"top1_error": 0.125, "top5_error": 0.0625}}
    found = page.numbers([row("a", 0, (0.5, 0.25), ensembles={"test": both}), row("a", 1, (0.25, 0.25))])
    assert found["a, test, one crop, top-1 error"] == "37.5"
    assert found["a, test, one crop, top-1 accuracy"] == "62.5"
    assert found["a, test, one crop, top-5 error"] == "25.0"
    assert found["ensemble with a-0, test, one crop, top-1 error"] == "12.5"
    assert not [name for name in found if "ten crops" in name or "validation" in name]


def test_differences_are_paired_by_seed():
    """Compare with scipy's paired test."""
    whole, half, tuned = (0.5, 0.6, 0.7), (0.6, 0.8, 0.75), (0.4, 0.45, 0.6)
    changed = next(each.recipe for each in ablations.ABLATIONS if each.name == "half")
    rows = [row("ablation", seed, (error, 0.25)) for seed, error in enumerate(whole)]
    rows += [row("ablation_half", seed, (error, 0.25), changed) for seed, error in enumerate(half)]
    rows += [row("tuned", seed, (error, 0.25), weights="a/best.keras") for seed, error in enumerate(tuned)]
    found = page.numbers(rows)
    for name, errors in (("half", half), ("tuned", tuned)):
        test = stats.ttest_rel([100 * error for error in errors], [100 * error for error in whole])
        low, high = test.confidence_interval(0.95)
        mean = sum(errors) / 3 - sum(whole) / 3
        assert found[f"{name}, top-1 difference"] == f"{100 * mean:+.1f} ({low:+.1f} to {high:+.1f})"
        assert found[f"{name}, top-1 points"] == f"{abs(100 * mean):.1f}"
    assert found["half, top-5 difference"].startswith("+0.0 ")


def test_the_ratio_of_figure_1_is_the_range_over_seeds():
    rows = []
    for seed, slow in enumerate((6, 4)):
        rows.append(row("fast", seed, (0.5, 0.5), RECIPES["figure_1"], training=(0.75, 0.25)))
        rows.append(row("slow", seed, (0.5, 0.5), RECIPES["figure_1_tanh"], training=(0.75,) * (slow - 1) + (0.25,)))
    assert page.numbers(rows)["figure 1, ratio"] == "2.0 to 3.0"


def test_marked_places_are_filled_and_the_rest_is_kept():
    text = "a <!-- archive: x -->old<!-- /archive --> b <!-- other --> <!-- archive: y --><!-- /archive -->\n"
    filled = page.fill(text, {"x": "1.5", "y": "2 (1 to 3)", "z": "0"})
    assert filled == (
        "a <!-- archive: x -->1.5<!-- /archive --> b <!-- other --> <!-- archive: y -->2 (1 to 3)<!-- /archive -->\n"
    )
    assert page.fill(filled, {"x": "1.5", "y": "2 (1 to 3)"}) == filled


def test_a_table_has_empty_lines_around_it():
    marked = "<!-- archive: t -->\n| old |\n<!-- /archive -->"
    filled = page.fill(marked, {"t": "| a |\n|---|"})
    assert filled == "<!-- archive: t -->\n\n| a |\n|---|\n\n<!-- /archive -->"
    assert page.fill(filled, {"t": "| a |\n|---|"}) == filled


@pytest.fixture
def repository(tmp_path):
    """The pages of a repository, each with an old number."""
    for name in page.PAGES:
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{name}: <!-- archive: flowers, test, ten crops, top-1 error -->0.0<!-- /archive -->\n")
    return tmp_path


def test_all_pages_are_written(repository):
    assert page.write_numbers(repository, ROWS) == [repository / name for name in page.PAGES]
    assert page.write_numbers(repository, ROWS) == []
    errors = [
        each["evaluations"]["test"]["10_views"]["top1_error"] for each in RECORDS if each["run"][:8] == "flowers-"
    ]
    mean = f"-->{100 * sum(errors) / len(errors):.1f}<!--"
    assert all(mean in (repository / name).read_text() for name in page.PAGES)


def test_an_unknown_number_is_named_and_nothing_is_written(repository):
    last = repository / page.PAGES[-1]
    last.write_text("<!-- archive: flowers, test, ten views, top-1 error -->?<!-- /archive -->")
    before = {name: (repository / name).read_text() for name in page.PAGES}
    with pytest.raises(ValueError, match=r"flowers, test, ten crops, top-1 error.*Received: flowers, test, ten views"):
        page.write_numbers(repository, ROWS)
    assert {name: (repository / name).read_text() for name in page.PAGES} == before


def test_the_script_writes_no_other_page_for_another_folder(tmp_path, capsys, monkeypatch):
    """The numbers in README are those of this repository's archive."""
    monkeypatch.setattr(page, "write_numbers", lambda *_: pytest.fail("wrote pages"))
    (tmp_path / "runs.jsonl").write_bytes((RESULTS / "runs.jsonl").read_bytes())
    script.main(["--folder", str(tmp_path), "--pages"])
    assert capsys.readouterr().out == f"Wrote {tmp_path / 'README.md'}\n"


# The archive of this repository


def test_the_page_of_all_runs_is_up_to_date():
    assert (RESULTS / "README.md").read_text(encoding="utf-8") == page.page(ROWS)


@pytest.mark.parametrize("name", page.PAGES)
def test_the_numbers_on_a_page_are_up_to_date(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    assert page.MARKED.search(text)
    assert page.fill(text, page.numbers(ROWS)) == text


@pytest.mark.parametrize("name", page.PAGES)
def test_a_mark_begins_no_line_of_a_sentence(name):
    """Markdown takes such a line for HTML and shows its links and stars as they are."""
    text = (ROOT / name).read_text(encoding="utf-8")
    assert re.findall(r"^ *<!-- /?archive.*-->.+$", text, re.MULTILINE) == []


def test_lines_are_sorted_and_every_run_has_one():
    names = [record["run"] for record in RECORDS]
    assert names == sorted(set(names))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: record["run"])
def test_an_archived_run_is_reproduced_by_its_command(record):
    """If a recipe has changed, the note of the run has the command of today."""
    todays = re.findall(r"`(python scripts/fit\.py [^`]+)`", record.get("note", ""))
    (python, name, *arguments) = shlex.split(todays[0] if todays else record["command"])
    recipe, options = _fit_settings.new_run_settings(fit.build_parser().parse_args(arguments))
    assert (python, name) == ("python", "scripts/fit.py")
    assert recipe == Recipe.from_dict(record["recipe"])
    made_with = Options(**record["options"])
    for each in ("dataset", "seed", "weights", "steps_per_epoch", "deterministic"):
        assert getattr(options, each) == getattr(made_with, each)


def test_all_test_errors_are_those_of_the_official_split():
    for record in RECORDS:
        if record["options"]["dataset"] == "oxford_flowers102" and "test" in record["evaluations"]:
            assert record["evaluations"]["test"]["pictures"] == 6149


def cells_with(call):
    """The built chapters' code cells that contain a call, as pairs of the match and what the cell shows."""
    found = []
    for path in sorted((ROOT / "tutorials").glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
            if cell["cell_type"] == "code" and (match := re.search(call, "".join(cell["source"]))):
                shown = [out.get("text") or out["data"].get("text/markdown", "") for out in cell["outputs"]]
                found.append(pytest.param(match, "".join(map("".join, shown)), id=f"{path.stem}-{cell['id']}"))
    return found


@pytest.mark.parametrize(("call", "shown"), cells_with(r"Markdown\(tables\.(\w+)\(rows\)\)"))
def test_a_table_in_a_chapter_is_that_of_today(call, shown):
    assert shown == getattr(tables, call[1])(ROWS)


@pytest.mark.slow
@pytest.mark.parametrize(("call", "shown"), cells_with(r"ablations\.describe\(rows, "))
def test_the_ablations_in_a_chapter_are_those_of_today(call, shown):
    known = "\n".join(ablations.describe(ROWS, name) for name in ablations.differences(ROWS)).splitlines()
    lines = [line for line in shown.splitlines() if line.startswith(("top-1 error: ", "top-5 error: "))]
    assert lines
    assert [line for line in lines if line not in known] == []
