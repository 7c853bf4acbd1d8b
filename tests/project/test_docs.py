"""README, guides and reference: complete, consistent with the code, and with working commands and links."""

import dataclasses
import functools
import importlib
import importlib.util
import inspect
import json
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import keras_alexnet
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.weights import names

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")
GUIDES = sorted((ROOT / "docs").glob("*.md"))
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "CHANGELOG.md", "SECURITY.md", "tutorials/README.md")]
PAGES += GUIDES
CHAPTERS = sorted(path.stem for path in (ROOT / "tutorials" / "source").glob("*.py"))
every_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


def extension(name):
    """A module of docs/_ext."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "docs" / "_ext" / f"{name}.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def accidental_lists(text):
    """Lines within a paragraph that Markdown takes for the first item of a list, such as "+ 1) / 2"."""
    found, before, fenced = [], "", False
    for line in text.splitlines():
        fenced ^= line.lstrip().startswith(("```", ":::"))
        item = re.match(r"(?:[-+*]|1[.)]) +\S", line)
        if item and not fenced and re.match(r"[^\s|#<>:`]", before) and not re.match(r"(?:[-+*]|\d+[.)]) ", before):
            found.append(line)
        before = line
    return found


# The reference


def library_modules():
    yield keras_alexnet.__name__, keras_alexnet
    for found in pkgutil.walk_packages(keras_alexnet.__path__, "keras_alexnet."):
        yield found.name, importlib.import_module(found.name)


def public_objects(module):
    """Public functions and classes that a module defines, as Python itself sees them."""
    for name, thing in vars(module).items():
        is_defined = inspect.isfunction(inspect.unwrap(thing)) or inspect.isclass(thing) if callable(thing) else False
        if is_defined and thing.__module__ == module.__name__ and not name.startswith("_"):
            yield name, thing


@pytest.fixture(scope="module")
def reference(tmp_path_factory):
    folder = tmp_path_factory.mktemp("reference")
    extension("reference").write(folder)
    return {path.stem: path.read_text(encoding="utf-8") for path in folder.glob("*.md")}


def test_the_reference_has_every_public_function_and_class(reference):
    shown = "\n".join(reference.values())
    listed = set(re.findall(r"^\.\. auto(?:function|class):: (\S+)$", shown, re.MULTILINE))
    expected = {f"{name}.{own}" for name, module in library_modules() for own, _ in public_objects(module)}
    assert expected - listed == set()
    assert listed - expected == set()


def test_the_page_of_a_folder_begins_with_its_public_names(reference):
    for name, module in library_modules():
        for public in getattr(module, "__all__", ()):
            page = reference[name.partition(".")[2] or "index"]
            assert f"`{public}" in page.partition("## By module")[0]


def test_a_public_name_links_to_the_module_that_defines_it(reference):
    assert "`describe <keras_alexnet.models.summary.describe>`" in reference["index"].partition("## By module")[0]


def test_public_names_come_before_those_used_inside_the_library(reference):
    for name, _ in library_modules():
        first, divider, rest = reference[name.partition(".")[2] or "index"].partition("## Used inside the library")
        offered = getattr(importlib.import_module(name.rpartition(".")[0] or name), "__all__", ())
        if divider:
            assert set(re.findall(r"^\.\. auto(?:function|class)::.*\.(\w+)$", first, re.MULTILINE)) <= set(offered)
            assert set(re.findall(r"^\.\. auto(?:function|class)::.*\.(\w+)$", rest, re.MULTILINE)).isdisjoint(offered)


def as_napoleon_reads(text):
    napoleon = pytest.importorskip("sphinx.ext.napoleon")
    return str(napoleon.GoogleDocstring(text, napoleon.Config(napoleon_use_ivar=True)))


def test_napoleon_takes_words_before_a_colon_for_a_type():
    """The reason for `as_restructured_text`."""
    assert ":rtype:" in as_napoleon_reads("Give two.\n\nReturns:\n    Two things: this and that.\n")


def test_a_colon_in_returns_does_not_make_a_type():
    returns = "Returns:\n    Two things: this\n    and that.\n\n    A second paragraph: too.\n"
    text = f"Give two.\n\n{returns}\nRaises:\n    OSError: If not.\n"
    read = as_napoleon_reads(extension("docstrings").as_restructured_text(text))
    assert ":rtype:" not in read
    assert ":returns: Two things: this\n    and that.\n\n    A second paragraph: too." in read
    assert ":raises OSError: If not." in read


def test_no_docstring_of_the_library_has_a_misread_type():
    translate = extension("docstrings").as_restructured_text
    documented = [
        (f"{name}.{own}", inspect.getdoc(thing))
        for name, module in library_modules()
        for own, thing in public_objects(module)
    ]
    assert len(documented) > 80
    assert [name for name, text in documented if ":rtype:" in as_napoleon_reads(translate(text))] == []


def test_the_signature_of_a_layer_is_that_of_its_constructor():
    pytest.importorskip("sphinx")
    shown = extension("docstrings").signature_of("class", keras_alexnet.LocalResponseNormalization, "(*args, **kwargs)")
    assert shown.startswith("(window: int = 5, k: float = 2.0, ")


def test_a_default_that_is_no_literal_is_left_out_of_a_signature():
    pytest.importorskip("sphinx")
    shown = extension("docstrings").signature_of
    assert shown("function", None, "(a: dict=<factory>)") == "(a: dict=...)"
    assert shown("function", None, "(a: F = <function run.<locals>.<lambda> at 0x7f>)") == "(a: F = ...)"
    assert shown("class", None, None) is None


# The chapters in the site


def test_tables_that_a_cell_prints_become_tables():
    table = "| a | b |\n|---|---|\n| 1 | 2 |\n"
    printed = {"output_type": "stream", "name": "stdout", "text": f"before\n{table}after\n".splitlines(keepends=True)}
    before, shown, after = extension("chapters").with_tables(printed)
    assert (before["text"], after["text"]) == ("before\n", "after\n")
    assert shown["data"] == {"text/markdown": table}


def test_other_outputs_stay_as_they_are():
    printed = {"output_type": "stream", "name": "stdout", "text": ["a | b\n"]}
    assert [part["text"] for part in extension("chapters").with_tables(printed)] == ["a | b\n"]
    picture = {"output_type": "display_data", "data": {"image/png": "..."}}
    assert extension("chapters").with_tables(picture) == [picture]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_chapter_has_a_thumbnail_on_both_front_pages(chapter):
    assert (ROOT / "docs" / "pictures" / f"{chapter}.png").exists()
    assert f'<a href="tutorials/{chapter}.ipynb"><img src="docs/pictures/{chapter}.png"' in README
    assert f":img-top: pictures/{chapter}.png" in (ROOT / "docs" / "index.md").read_text(encoding="utf-8")


# README and the guides


def test_readme_is_a_front_page():
    assert len(README.splitlines()) <= 120


@every_page
def test_code_fits_a_small_laptop(page):
    """84 columns at 1280 pixels. Longer lines wrap."""
    blocks = re.findall(r"^```\w+\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    assert [line for block in blocks for line in block.splitlines() if len(line) > 84] == []


@every_page
def test_no_line_of_a_paragraph_begins_a_list(page):
    assert accidental_lists(page.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize("path", sorted((ROOT / "tutorials").glob("**/source/*.py")), ids=lambda path: path.stem)
def test_no_line_of_a_paragraph_of_a_chapter_begins_a_list(path):
    cells = path.read_text(encoding="utf-8").split("# %%")
    prose = [re.sub(r"^# ?", "", cell, flags=re.MULTILINE) for cell in cells if cell.startswith(" [markdown]")]
    assert [line for cell in prose for line in accidental_lists(cell)] == []


def test_lines_that_begin_a_list_are_found():
    assert accidental_lists("as wide as (n\n+ 2p - k) / s") == ["+ 2p - k) / s"]
    assert accidental_lists("5 x 5 x (96 +\n1) = 2425") == ["1) = 2425"]
    assert accidental_lists("A list:\n\n- one\n- two\n  lines\n- three\n\n```\na\n- b\n```\n5 -\n2 = 3") == []


@every_page
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text) + re.findall(r'(?:src|href)="([^"]+)"', text)
    relative = [target for target in targets if "://" not in target and not target.startswith("reference/")]
    assert [target for target in relative if not (page.parent / target).exists()] == []


def prose(path):
    """The text of a page, or that of a chapter without its code."""
    text = path.read_text(encoding="utf-8")
    if path.suffix != ".ipynb":
        return text
    cells = [cell for cell in json.loads(text)["cells"] if cell["cell_type"] == "markdown"]
    return "\n\n".join("".join(cell["source"]) for cell in cells)


@functools.cache
def anchors(path):
    headings = re.findall(r"^#+ (.+)$", prose(path), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@every_page
def test_anchors_in_links_exist(page):
    links = re.findall(r"\]\(([^)#\s]*\.(?:md|ipynb))#([^)]+)\)", page.read_text(encoding="utf-8"))
    assert [(target, anchor) for target, anchor in links if anchor not in anchors(page.parent / target)] == []


@every_page
def test_files_of_the_repository_that_a_page_names_exist(page):
    """Except in the changelog, which mentions removed files."""
    if page.name != "CHANGELOG.md":
        names = re.findall(
            r"`((?:keras_alexnet|scripts|tests|docs|tutorials)/[\w./-]+)`", page.read_text(encoding="utf-8")
        )
        assert [name for name in names if not (ROOT / name).exists()] == []


def commands(page):
    """Commands of a page, with continued lines and commands inside text in one line each."""
    text = page.read_text(encoding="utf-8").replace("\\\n", " ")
    inside = [" ".join(code.split()) for code in re.findall(r"`((?:python scripts/)?[a-z_]+\.py [^`]+)`", text)]
    return inside + re.findall(r"^ *python scripts/.*$", text, re.MULTILINE)


@functools.cache
def flags(script):
    """Flags that `--help` of a script lists."""
    command = f"keras_alexnet.commands.{script}"
    module = importlib.import_module(command if importlib.util.find_spec(command) else script)
    return set(re.findall(r"--[\w-]+", module.build_parser().format_help()))


@every_page
def test_flags_of_commands_exist(page):
    for command in commands(page):
        script = re.search(r"(\w+)\.py", command)[1]
        given = set(re.findall(r"(?<= )--[\w-]+", re.split(" #| -- ", command)[0]))
        assert not given or given <= flags(script), command


@every_page
def test_imports_in_examples_work(page):
    for block in re.findall(r"```python\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL):
        exec("\n".join(line for line in block.splitlines() if re.match(r"(import|from) ", line)), {})


def test_the_example_of_the_readme_runs(tmp_path, monkeypatch, capsys):
    """With few hidden units instead of the published network."""
    small = dataclasses.replace(ARCHITECTURES["caffe"], hidden=(32, 16))
    monkeypatch.setitem(ARCHITECTURES, "caffe", small)
    keras_alexnet.build("caffe").save(tmp_path / "published.keras")
    monkeypatch.setattr(names, "locate", lambda *_: tmp_path / "published.keras")
    classes = {str(n): [f"n{n:08}", f"class {n}"] for n in range(1000)}
    (tmp_path / "imagenet_class_index.json").write_text(json.dumps(classes))
    monkeypatch.setenv("KERAS_ALEXNET_WEIGHTS", str(tmp_path))
    Image.fromarray(np.zeros((300, 400, 3), np.uint8)).save(tmp_path / "cat.jpg")
    monkeypatch.chdir(tmp_path)
    (block,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    exec(block, {})
    assert capsys.readouterr().out.count("class ") == 5


def test_the_script_for_smaller_copies_keeps_every_picture(tmp_path, monkeypatch, capsys):
    page = (ROOT / "docs" / "speed.md").read_text(encoding="utf-8")
    (script,) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    folder = tmp_path / "my_pictures" / "cat"
    folder.mkdir(parents=True)
    gray = np.full((600, 400), 32_768, np.uint16)
    Image.fromarray(gray).save(folder / "deep.png")
    for name in ("a.gif", "b.tiff", "c.BMP", "d.jpg"):
        Image.fromarray(np.uint8(gray >> 8)).save(folder / name)
    (folder / "broken.png").write_text("no picture")
    monkeypatch.chdir(tmp_path)
    exec(script, {})
    assert re.fullmatch(r"left out: .*broken\.png.*\n", capsys.readouterr().out)
    copies = sorted((tmp_path / "my_small_pictures" / "cat").iterdir())
    assert [path.name for path in copies] == ["a.gif.jpg", "b.tiff.jpg", "c.BMP.jpg", "d.jpg.jpg", "deep.png.jpg"]
    for path in copies:
        with Image.open(path) as copy:
            assert (copy.mode, copy.size) == ("RGB", (256, 384))
            assert np.abs(np.asarray(copy, int) - 128).max() <= 2
