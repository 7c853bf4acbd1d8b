"""Build the chapters: run tutorials/source/NAME.py and save it with its outputs as tutorials/NAME.ipynb.

Solutions of exercises, in tutorials/solutions/source, are built in the same way.

python scripts/build_tutorials.py                    build all chapters and solutions
python scripts/build_tutorials.py 4_2_dropout        build one chapter
python scripts/build_tutorials.py --check            list the chapters that are out of date; build nothing
"""

import _command  # noqa: F401  first, so that Ctrl-C leaves no traceback from here on

# isort: split
import json
import os
import pathlib
import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from keras_alexnet.command_line import Parser, one_line_errors, say
from keras_alexnet.commands.__main__ import run
from keras_alexnet.files import atomic_write, digest

if TYPE_CHECKING:
    import nbformat

TUTORIALS = pathlib.Path(__file__).resolve().parents[1] / "tutorials"
SOLUTIONS = TUTORIALS / "solutions"
CELL_LIMIT = 400  # seconds, for a busy machine; a whole chapter takes about 60 on two idle cores
# How a sum is divided among threads changes its last digits, and a training enlarges them.
ONE_THREAD = {"TF_NUM_INTRAOP_THREADS": "1", "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}

# This cell runs after a chapter's first cell and is removed afterwards. It saves the description of each figure as its
# alternative text, and figures with color pictures as JPEG, which is much smaller. Drawings have twice the resolution
# of the page, so that they are sharp on high-resolution screens.
DESCRIBE_FIGURES = """
from functools import partial
from io import BytesIO
from matplotlib.figure import Figure
from PIL import Image as _Image

def _shown(kind, figure):
    pictures = any(image.get_array().ndim == 3 for axes in figure.axes for image in axes.images)
    if pictures != (kind == "jpeg"):
        return None
    drawn, packed = BytesIO(), BytesIO()
    figure.savefig(drawn, format="png", dpi=80 if pictures else 160)
    drawing = _Image.open(drawn).convert("RGB")
    if pictures:
        drawing.save(packed, "JPEG", quality=75)
    else:
        drawing.quantize(64).save(packed, "PNG", optimize=True)
    return packed.getvalue(), {"alt": figure.get_label(), "width": round(80 * figure.get_figwidth())}

for _kind in ("png", "jpeg"):
    _formatter = get_ipython().display_formatter.formatters[f"image/{_kind}"]
    _formatter.enabled = True
    _formatter.for_type(Figure, partial(_shown, _kind))
"""


def sources(folder: pathlib.Path = TUTORIALS) -> dict[str, pathlib.Path]:
    """Return the source file of each chapter by name, in the order of the paper."""
    return {path.stem: path for path in sorted((folder / "source").glob("*.py"))}


def out_of_step(folder: pathlib.Path = TUTORIALS) -> list[str]:
    """Return the names of chapters that were not built from their current source or have no source."""
    written = {name: digest(path) for name, path in sources(folder).items()}
    built = {
        path.stem: json.loads(path.read_text(encoding="utf-8"))["metadata"].get("source")
        for path in folder.glob("*.ipynb")
    }
    return sorted(name for name in written | built if written.get(name) != built.get(name))


def build(source: pathlib.Path) -> "nbformat.NotebookNode":
    """Run a chapter and return its notebook. The result is reproducible: fixed cell ids, no timings, no warnings."""
    import jupytext  # with the extra `tutorials`
    from nbclient import NotebookClient

    notebook, of_source = jupytext.read(source), digest(source)
    first = next(n for n, cell in enumerate(notebook.cells) if cell.cell_type == "code")
    hook = {"cell_type": "code", "metadata": {}, "source": DESCRIBE_FIGURES, "outputs": [], "execution_count": None}
    notebook.cells.insert(first + 1, type(notebook.cells[first])(hook))
    NotebookClient(
        notebook,
        timeout=CELL_LIMIT,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        resources={"metadata": {"path": source.parents[1]}},
    ).execute(env=os.environ | ONE_THREAD | {"KERAS_BACKEND": "tensorflow", "PYTHONWARNINGS": "ignore"})
    del notebook.cells[first + 1]
    widgets = notebook.metadata.get("widgets", {}).get("application/vnd.jupyter.widget-state+json", {"state": {}})
    for n, cell in enumerate(notebook.cells, 1):
        cell["id"] = f"cell-{n}"
        if cell.cell_type == "code":
            _settle(cell, widgets["state"])
    notebook.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "source": of_source,
    }
    return notebook


def _settle(cell, widgets):
    """Remove the parts of a cell that differ between builds, and add the alternative text for the site."""
    cell.execution_count = None
    shown = [still for output in cell.outputs for still in _still(output, widgets)]
    cell.outputs = [output for output in shown if output.get("name") != "stderr"]
    for output in cell.outputs:
        if "execution_count" in output:
            output.execution_count = None
        for shown in output.get("metadata", {}).values():
            output.data.pop("text/plain", None)
            cell.metadata["mystnb"] = {"image": {"alt": shown["alt"], "width": f"{shown['width']}px"}}


def _still(output, widgets):
    """Return an output, or the pictures of a slider instead of the slider, which has a random id."""
    view = output.get("data", {}).get("application/vnd.jupyter.widget-view+json")
    if view is None:
        return [output]
    children = [widgets[child.removeprefix("IPY_MODEL_")] for child in widgets[view["model_id"]]["state"]["children"]]
    return [type(output)(still) for child in children for still in child["state"].get("outputs", [])]


def main(argv: Sequence[str] | None = None) -> int:
    """Build or check chapters. The exit status is 0 on success, 1 if a chapter is out of date, 2 for wrong input."""
    parser = Parser(prog="build_tutorials.py", description=__doc__)
    parser.add_argument("chapters", nargs="*", metavar="NAME", help="the chapters to build (default: all)")
    parser.add_argument("--check", action="store_true", help="list the chapters that are out of date; build nothing")
    arguments = parser.parse_args(argv)
    written = sources() | sources(SOLUTIONS)
    with one_line_errors(parser):
        for name in set(arguments.chapters) - set(written):
            raise ValueError(f"Expected the name of a chapter: {', '.join(written)}. Received: {name}")
    if arguments.check:
        names = out_of_step() + out_of_step(SOLUTIONS)
        say(f"Out of date: {', '.join(names)}" if names else "All chapters are up to date.")
        return int(bool(names))
    for name in arguments.chapters or written:
        _write(written[name])
    return 0


def _write(source):
    import jupytext

    start = time.monotonic()
    notebook = build(source)
    built = source.parents[1] / f"{source.stem}.ipynb"
    with atomic_write(built) as temporary:
        jupytext.write(notebook, temporary, fmt="ipynb")
    say(f"{built.name}: {time.monotonic() - start:.0f} s, {built.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    run(main)
