"""Write the pages of the API reference: one for each folder of the library, and one for each module.

The pages are made from the listing each time the site is built, so that a module or a function that was added, moved
or renamed is in the right place without further work. What a name does comes from its docstring.
"""

import ast
import importlib
import pathlib
import shutil
from typing import NamedTuple

LIBRARY = pathlib.Path(__file__).resolve().parents[2] / "keras_alexnet"


class Member(NamedTuple):
    """A public function or class of a module, and the first sentence of its docstring."""

    name: str
    is_class: bool
    summary: str


class Module(NamedTuple):
    """A module or folder by its full name, the first paragraph of its docstring, and its public members."""

    name: str
    summary: str
    members: tuple[Member, ...]


def modules(library: pathlib.Path = LIBRARY) -> list[Module]:
    """Read all modules and folders (`__init__`) of the library without importing them."""
    found = []
    for path in sorted(library.rglob("*.py")):
        parts = path.relative_to(library.parent).with_suffix("").parts
        name = ".".join(parts[:-1] if parts[-1] == "__init__" else parts)
        tree = ast.parse(path.read_text(encoding="utf-8"))
        found.append(Module(name, _summary(tree), tuple(_members(tree))))
    return found


def write(out: pathlib.Path) -> None:
    """Write all pages into a folder, replacing existing ones."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    found = modules()
    for module in found:
        inside = [other for other in found if other.name.rpartition(".")[0] == module.name]
        text = _folder_page(module, inside, found) if inside else _module_page(module)
        (out / f"{_page(module.name)}.md").write_text(text, encoding="utf-8")


def _members(tree):
    for node in tree.body:
        if isinstance(node, ast.FunctionDef | ast.ClassDef) and not node.name.startswith("_"):
            yield Member(node.name, isinstance(node, ast.ClassDef), _summary(node))


def _summary(node):
    return " ".join((ast.get_docstring(node) or "").partition("\n\n")[0].split())


def _page(name):
    """Return the page name of a module without the library's name, such as `models.alexnet`; the library is `index`."""
    return name.partition(".")[2] or "index"


def _public(folder):
    """Return the public names of a folder."""
    return set(getattr(importlib.import_module(folder), "__all__", ()))


def _defined_in(folder, name):
    """Return the module that defines a public name of a folder, None for a constant."""
    return getattr(getattr(importlib.import_module(folder), name), "__module__", None)


def _module_page(module):
    """Return a page with public members first, then those used only inside the library."""
    offered = _public(module.name.rpartition(".")[0])
    first = [member for member in module.members if member.name in offered] or module.members
    rest = [member for member in module.members if member not in first]
    parts = [f"# {_page(module.name)}", _directives([f".. automodule:: {module.name}"])]
    parts += [_directives([_directive(module, member) for member in first])] if first else []
    if rest:
        parts += ["## Used inside the library", _directives([_directive(module, member) for member in rest])]
    return "\n\n".join(parts) + "\n"


def _directive(module, member):
    full_name = f"{module.name}.{member.name}"
    return f".. autoclass:: {full_name}\n   :members:" if member.is_class else f".. autofunction:: {full_name}"


def _directives(lines):
    return "```{eval-rst}\n" + "\n\n".join(lines) + "\n```"


def _folder_page(folder, inside, all_modules):
    """Return a page with the public names first, then the modules."""
    title = "Reference" if _page(folder.name) == "index" else _page(folder.name)
    parts = [f"# {title}", folder.summary]
    public = _public(folder.name)
    if public:
        below = [module for module in all_modules if module.name.startswith(f"{folder.name}.")]
        home = {(module.name, member.name): (member, module) for module in below for member in module.members}
        found = {name: home.get((_defined_in(folder.name, name), name)) for name in sorted(public)}
        rows = [_row(*found[name]) if found[name] else (f"`{name}`", "A constant.") for name in found]
        parts += [f"## Public names\n\nImport these from `{folder.name}`.", _table(rows)]
    parts += ["## By module"]
    for module in inside:
        parts += [f"### [{_page(module.name)}]({_page(module.name)}.md)", module.summary]
        parts += [_table([_row(member, module) for member in module.members])] if module.members else []
    pages = "\n".join(_page(module.name) for module in inside)
    return "\n\n".join([*parts, f"```{{toctree}}\n:hidden:\n\n{pages}\n```"]) + "\n"


def _row(member, module):
    return f"{{py:obj}}`{member.name} <{module.name}.{member.name}>`", member.summary


def _table(rows):
    escaped = [f"| {name} | {summary.replace('|', chr(92) + '|')} |" for name, summary in rows]
    return "\n".join(["| name | what it does |", "|---|---|", *escaped])


def setup(app):
    """Write the pages before Sphinx searches for sources."""
    app.connect("config-inited", lambda app, config: write(pathlib.Path(app.srcdir) / "reference"))
