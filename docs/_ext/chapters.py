"""Add files outside docs/ to the site: the built chapters, and pages from the root of the repository.

Sphinx finds sources under its own folder only. A symbolic link would not do: links inside the files would break.
"""

import json
import pathlib
import re
import shutil

ROOT = pathlib.Path(__file__).resolve().parents[2]
PAGES = {  # by their place in the repository: their name in the site
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "SECURITY.md": "project/security.md",
    "results/README.md": "project/all_runs.md",
    "tutorials/README.md": "tutorials/index.md",
}
TABLE = re.compile(r"(?:^\|.*\|[ ]*\n)+", re.MULTILINE)


def copy_chapters(out: pathlib.Path) -> None:
    """Copy the notebooks, and convert printed Markdown tables to real tables.

    The solutions of exercises are in no list of pages; their chapters link to them.
    """
    _empty(out)
    (out / "solutions").mkdir()
    chapters = ROOT / "tutorials"
    for path in sorted([*chapters.glob("*.ipynb"), *chapters.glob("solutions/*.ipynb")]):
        notebook = json.loads(path.read_text(encoding="utf-8").replace("](../docs/", "](../"))
        notebook["metadata"]["orphan"] = path.parent != chapters
        for cell in notebook["cells"]:
            if cell["cell_type"] == "code":
                cell["outputs"] = [part for output in cell["outputs"] for part in with_tables(output)]
        (out / path.relative_to(chapters)).write_text(json.dumps(notebook), encoding="utf-8")


def with_tables(output: dict) -> list[dict]:
    """Split the printed output of a notebook into plain text and Markdown tables. Other outputs do not change.

    Example:
        >>> printed = "a table:\\n| a |\\n|---|\\n| 1 |\\n"
        >>> [part["output_type"] for part in with_tables({"output_type": "stream", "text": [printed]})]
        ['stream', 'display_data']
    """
    if output["output_type"] != "stream":
        return [output]
    text, parts, end = "".join(output["text"]).rstrip("\n") + "\n", [], 0
    for table in TABLE.finditer(text):
        parts += [output | {"text": text[end : table.start()]}, _markdown(table[0])]
        end = table.end()
    return [part for part in [*parts, output | {"text": text[end:]}] if part.get("text") != ""]


def _markdown(table):
    return {"output_type": "display_data", "metadata": {}, "data": {"text/markdown": table}}


def copy_pages(docs: pathlib.Path) -> None:
    """Copy pages of the repository, with links to the pages of the site."""
    _empty(docs / "project")
    for source, name in PAGES.items():
        text = (ROOT / source).read_text(encoding="utf-8")
        text = text.replace("](docs/", "](../").replace("](../docs/", "](../")
        (docs / name).write_text(text, encoding="utf-8")


def _link_to_pages(app, name, source):
    for place, page in PAGES.items():
        source[0] = source[0].replace(f"](../{place}", f"](/{page}")
    source[0] = source[0].replace("](../tutorials/", "](/tutorials/")


def _empty(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)


def _copy(app, config):
    docs = pathlib.Path(app.srcdir)
    copy_chapters(docs / "tutorials")
    copy_pages(docs)


def setup(app):
    """Copy the files before Sphinx searches for sources."""
    app.connect("config-inited", _copy)
    app.connect("source-read", _link_to_pages)
