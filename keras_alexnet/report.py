"""A run's report: one page that shows what lies in its folder, to open in any browser or to send to somebody."""

import base64
import dataclasses
import importlib.resources
import io

import jinja2
from PIL import Image

from keras_alexnet.files import written_aside
from keras_alexnet.recipes import Recipe
from keras_alexnet.tables import between, percent

SHOWN = 5  # classes at either end
PIXEL_RATIO = 1.6  # of a figure to the page, so that small type is sharp on fine screens
PAPER = {"1_view": (0.390, 0.183), "10_views": (0.375, 0.170)}  # top-1 and top-5 error: table 1, and section 6 for one
ORDER = ("test", "validation")  # of the splits; others follow by name


def write(run):
    """Writes `report.html` into a run's folder, from the files that are there: what is missing is left out.

    The page holds its figures and asks for nothing else, from this machine or another.

    Args:
        run: A `runs.Run`.

    Returns:
        Path of the page.

    Source: section 6.
    """
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    environment.filters |= {"percent": percent, "between": between}
    template = importlib.resources.files("keras_alexnet").joinpath("report.html.jinja").read_text(encoding="utf-8")
    page = environment.from_string(template).render(contents(run))
    path = run.folder / "report.html"
    with written_aside(path) as aside:
        aside.write_text(page, encoding="utf-8")
    return path


def contents(run):
    """What the page shows, as the template names it."""
    account = run.read_json("recipe.json")
    return {
        "name": run.folder.name,
        "account": account,
        "classes": len(run.read_classes()),
        "epochs": len(run.read_log()),
        "evaluations": [_evaluation(run, path) for path in _evaluation_files(run)],
        "figures": {path.stem: figure(path) for path in sorted(run.figures.glob("*.png"))},
        "settings": _settings(account["recipe"]),
        "paper": PAPER,
    }


def figure(path):
    """A PNG file as the attributes of an image element: its contents, its description and its size on the page.

    The contents become WebP, which has photographs in a fifth of the bytes.
    """
    packed = io.BytesIO()
    with Image.open(path) as image:
        image.convert("RGB").save(packed, "WEBP", quality=88)
        description = image.info.get("Description", path.stem)
        width, height = (round(pixels / PIXEL_RATIO) for pixels in image.size)
    source = f"data:image/webp;base64,{base64.b64encode(packed.getvalue()).decode()}"
    return {"src": source, "alt": description, "width": width, "height": height}


def _evaluation_files(run):
    """The run's evaluations, the tests first."""
    files = run.folder.glob("evaluation-*.json")
    return sorted(files, key=lambda path: (ORDER.index(_stem(path)) if _stem(path) in ORDER else len(ORDER), path.name))


def _stem(path):
    return path.stem.removeprefix("evaluation-")


def _evaluation(run, path):
    """The numbers of a split, and the classes that were hardest and easiest."""
    numbers = run.read_json(path.name)
    classes = sorted((row for row in numbers["classes"] if row["pictures"]), key=lambda row: -row["top1_error"])
    shown = min(SHOWN, len(classes) // 2)
    views = [key for key in ("10_views", "1_view") if key in numbers]
    return {
        "stem": _stem(path),
        "pictures": numbers["pictures"],
        "data": numbers["data"],
        "split": numbers["split"],
        "by_views": {key: numbers[key] for key in views},
        "best": numbers[views[0]],
        "best_views": views[0],
        "hardest": classes[:shown],
        "easiest": classes[::-1][:shown],
    }


def _settings(recipe):
    """Each setting of a recipe: its name, value, the paper's value, and what it is."""
    paper = dataclasses.asdict(Recipe())
    helps = {field.name: field.metadata["help"] for field in dataclasses.fields(Recipe)}
    return [
        {"name": name, "value": _said(value), "paper": _said(paper.get(name, "")), "help": helps.get(name, "")}
        for name, value in recipe.items()
    ]


def _said(value):
    return ", ".join(value) if isinstance(value, list | tuple) else str(value)
