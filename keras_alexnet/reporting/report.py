"""The report of a run: one self-contained HTML page with its results."""

import base64
import dataclasses
import functools
import importlib.resources
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import jinja2
from PIL import Image

from keras_alexnet import runs
from keras_alexnet.data.identity import identity_of
from keras_alexnet.evaluation.chance import chance_loss, training_warning
from keras_alexnet.evaluation.top_k import has_top5
from keras_alexnet.files import write_text
from keras_alexnet.plotting import figures
from keras_alexnet.recipes import Recipe
from keras_alexnet.reporting.tables import between, start_name, value_text
from keras_alexnet.text import percent
from keras_alexnet.weights import names

LISTED_CLASSES = 5  # classes to list at either end
LISTED = 50  # misclassified pictures, or pairs of identical ones, in a table
PER_INCH = 100  # pixels on the page per inch of a figure; files have more, so that small text is sharp
QUALITY = 60  # of photographs; keeps a report of two splits under a megabyte
PAPER = {"10_views": (0.375, 0.170), "1_view": (0.390, 0.183)}  # top-1 and top-5 error: table 1; section 6 for one crop
EVALUATION_FIGURES = ("confusion.png", "right.jpg", "wrong.jpg", "neighbors.jpg")  # after the name of the pictures
ORDER = ("test", "validation")  # of the splits; others follow by name


def write(run: runs.Run) -> Path:
    """Write `report.html` into a run's folder from the files that exist; missing parts are left out.

    The page embeds its figures and loads nothing else.

    Returns:
        Path of the page.

    Source: section 6.
    """
    page = _template().render(contents(run))
    write_text(run.report, page)
    return run.report


@functools.cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": percent, "between": between}
    file = importlib.resources.files("keras_alexnet.reporting").joinpath("report.html.jinja")
    return environment.from_string(file.read_text(encoding="utf-8"))


def contents(run: runs.Run) -> dict[str, Any]:
    """Return the variables of the template."""
    from keras_alexnet.evaluation import neighbors  # loads TensorFlow, if it is not there already

    log, classes = run.read_log(), len(run.read_classes())
    evaluations = _evaluations(run)
    return {
        "name": run.name,
        "provenance": run.read_provenance(),
        "data": _data_in_words(run.read_data(), classes),
        "classes": classes,
        "start": _start_in_words(run.read_options().weights),
        "show_top5": has_top5(classes),
        "chance": chance_loss([1] * classes),  # of guessing evenly: the evaluated classes may have other shares
        "epochs": len(log),
        "warning": training_warning(log, class_counts(run), run.read_recipe().label_smoothing),
        "recoveries": [runs.describe_recovery(recovery) for recovery in run.read_recoveries()],
        "evaluations": evaluations,
        "mistakes": _mistakes(run),
        "listed": LISTED,
        "searched": neighbors.MAX_COMPARED,
        "copies": run.read_duplicates(),
        "ensembles": _from_files(run, "ensemble"),
        "figures": _figures(run, [each["stem"] for each in evaluations]),
        "settings": _settings(run.read_recipe()),
        "paper": PAPER,
        "views_text": {"1_view": "one crop", "10_views": f"{run.read_recipe().averaged_views} crops"},
    }


def class_counts(run: runs.Run) -> Sequence[int]:
    """Return the number of training pictures of each class, up to a factor; equal numbers if they were not counted."""
    counts = run.read_results().get("class_counts")
    return counts or [1] * len(run.read_classes())


def _data_in_words(recorded: str | Mapping[str, Any], classes: int) -> str:
    """Describe the data in `recipe.json`, which are fields, or a sentence in version 0.1.0."""
    if isinstance(recorded, str):
        return recorded
    return identity_of(recorded).describe(classes)


def _start_in_words(weights: str | None) -> str:
    known = {None: "random weights", names.DRAWN: "kernels that were learned from drawn pictures"}
    return known.get(weights) or f"the weights of {start_name(weights)}"


def _mistakes(run: runs.Run) -> dict[str, list[dict[str, str | float]]]:
    """Return the misclassified pictures of each evaluated split."""
    rows = run.read_mistakes()
    return {
        stem: [row | {"probability": float(row["probability"])} for row in rows if row["split"] == stem]
        for stem in dict.fromkeys(row["split"] for row in rows)
    }


def _figures(run: runs.Run, stems: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the figures that `run_figures.draw` wrote, by name. Other files in the folder are ignored."""
    names = ["curves.png", "kernels.png"]
    for stem in stems:
        names += [f"{stem}-{kind}" for kind in EVALUATION_FIGURES]
    paths = [run.figures / name for name in names]
    return {path.stem: figure(path) for path in paths if path.is_file()}


def figure(path: Path) -> dict[str, Any]:
    """Return the attributes of an image element for a figure's file: its content, description and size on the page.

    The content is converted to WebP, which is half the size.
    """
    packed = io.BytesIO()
    with Image.open(path) as image:
        drawing = image.format == "PNG"
        image.convert("RGB").save(packed, "WEBP", lossless=drawing, quality=100 if drawing else QUALITY)
        description = figures.description(image)
        dpi, _ = image.info.get("dpi", (PER_INCH, PER_INCH))  # missing if another program saved the file
        width, height = (round(pixels / (dpi or PER_INCH) * PER_INCH) for pixels in image.size)
    source = f"data:image/webp;base64,{base64.b64encode(packed.getvalue()).decode()}"
    return {"src": source, "alt": description, "width": width, "height": height}


def _evaluations(run: runs.Run) -> list[dict[str, Any]]:
    """Return the results of all splits, test first. In older runs they may be only in `results.json`."""
    evaluations = _from_files(run, "evaluation")
    stems = {each["stem"] for each in evaluations}
    for split, numbers in run.summary()["results"].items():
        if numbers and split not in stems:
            evaluations.append(_evaluation(split, {"runs": [run.name], "pictures": None, "classes": []} | numbers))
    return sorted(evaluations, key=_position)


def _from_files(run: runs.Run, kind: str) -> list[dict[str, Any]]:
    """Return the results of one kind, "evaluation" or "ensemble", test first."""
    found = run.read_evaluations(kind)
    return sorted((_evaluation(stem, numbers) for stem, numbers in found.items()), key=_position)


def _position(evaluation: Mapping[str, Any]) -> tuple[int, str]:
    stem = evaluation["stem"]
    return ORDER.index(stem) if stem in ORDER else len(ORDER), stem


def _evaluation(stem: str, numbers: Mapping[str, Any]) -> dict[str, Any]:
    """Return the numbers of a split, and its hardest and easiest classes."""
    classes = sorted((row for row in numbers["classes"] if row["pictures"]), key=lambda row: -row["top1_error"])
    half = len(classes) // 2  # no class is in both lists
    hardest, easiest = min(LISTED_CLASSES, len(classes) - half), min(LISTED_CLASSES, half)
    views = [key for key in ("10_views", "1_view") if key in numbers]
    return {
        "stem": stem,
        "networks": len(numbers["runs"]),
        "pictures": numbers["pictures"],
        "by_views": {key: numbers[key] for key in views},
        "best": numbers[views[0]],
        "best_views": views[0],
        "hardest": classes[:hardest],
        "easiest": classes[::-1][:easiest],
    }


def _settings(recipe: Recipe) -> list[dict[str, str]]:
    """Return each setting of a recipe: its name, its value, the paper's value, and a description."""
    paper = Recipe()
    return [
        {
            "name": field.name,
            "value": value_text(getattr(recipe, field.name)),
            "paper": value_text(getattr(paper, field.name)),
            "help": field.metadata["help"],
        }
        for field in dataclasses.fields(Recipe)
    ]
