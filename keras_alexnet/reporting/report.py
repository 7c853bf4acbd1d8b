"""A run's report: one page that shows what lies in its folder, to open in any browser or to send to somebody."""

import base64
import dataclasses
import importlib.resources
import io
import math

import jinja2
from PIL import Image

from keras_alexnet.files import atomic_write
from keras_alexnet.plotting import figures
from keras_alexnet.recipes import Recipe
from keras_alexnet.reporting.tables import between, percent

SHOWN = 5  # classes at either end
PER_INCH = 100  # pixels of the page to an inch of a figure; files have more, so that small type is sharp
QUALITY = 60  # of photographs: a report of two splits is then under a megabyte
PAPER = {"10_views": (0.375, 0.170), "1_view": (0.390, 0.183)}  # top-1 and top-5 error: table 1, and section 6 for one
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
    template = (
        importlib.resources.files("keras_alexnet.reporting").joinpath("report.html.jinja").read_text(encoding="utf-8")
    )
    page = environment.from_string(template).render(contents(run))
    path = run.folder / "report.html"
    with atomic_write(path) as temporary:
        temporary.write_text(page, encoding="utf-8")
    return path


def contents(run):
    """What the page shows, as the template names it."""
    account = run.read_json("recipe.json")
    return {
        "name": run.folder.name,
        "account": account,
        "classes": len(run.read_classes()),
        "chance": math.log(len(run.read_classes())),
        "epochs": len(run.read_log()),
        "evaluations": _evaluations(run, "evaluation"),
        "ensembles": _evaluations(run, "ensemble"),
        "figures": {path.stem: figure(path) for path in _figure_files(run)},
        "settings": _settings(account["recipe"]),
        "paper": PAPER,
    }


def _figure_files(run):
    return sorted(path for path in run.figures.glob("[!.]*") if path.suffix in figures.FORMATS)


def figure(path):
    """A figure's file as the attributes of an image element: its contents, its description and its size on the page.

    The contents become WebP, which has drawings and photographs in half the bytes.
    """
    packed = io.BytesIO()
    with Image.open(path) as image:
        drawing = image.format == "PNG"
        image.convert("RGB").save(packed, "WEBP", lossless=drawing, quality=100 if drawing else QUALITY)
        description = figures.description(image)
        width, height = (round(pixels / image.info["dpi"][0] * PER_INCH) for pixels in image.size)
    source = f"data:image/webp;base64,{base64.b64encode(packed.getvalue()).decode()}"
    return {"src": source, "alt": description, "width": width, "height": height}


def _evaluations(run, kind):
    """What was measured of a kind, "evaluation" or "ensemble", the tests first."""
    files = {path.stem.removeprefix(f"{kind}-"): path for path in run.folder.glob(f"{kind}-*.json")}
    stems = sorted(files, key=lambda stem: (ORDER.index(stem) if stem in ORDER else len(ORDER), stem))
    return [_evaluation(stem, run.read_json(files[stem].name)) for stem in stems]


def _evaluation(stem, numbers):
    """The numbers of a split, and the classes that were hardest and easiest."""
    classes = sorted((row for row in numbers["classes"] if row["pictures"]), key=lambda row: -row["top1_error"])
    hardest, easiest = min(SHOWN, -(-len(classes) // 2)), min(SHOWN, len(classes) // 2)  # no class is both
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


def _settings(recipe):
    """Each setting of a recipe: its name, value, the paper's value, and what it is."""
    paper = dataclasses.asdict(Recipe())
    helps = {field.name: field.metadata["help"] for field in dataclasses.fields(Recipe)}
    return [
        {"name": name, "value": _said(value), "paper": _said(paper.get(name, "")), "help": helps.get(name, "")}
        for name, value in recipe.items()
    ]


def _said(value):
    return ", ".join(map(str, value)) or "none" if isinstance(value, list | tuple) else str(value)
