"""The files that list dependencies agree with each other and with the code."""

import ast
import importlib.metadata
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
OWN = canonicalize_name(PROJECT["name"])


def requirements(lines):
    """Requirements by name; this project's own extras are followed."""
    found = {}
    for requirement in map(Requirement, lines):
        name = canonicalize_name(requirement.name)
        if name == OWN:
            found |= requirements(line for extra in requirement.extras for line in EXTRAS[extra])
        else:
            found[name] = requirement
    return found


CORE = requirements(PROJECT["dependencies"])
INSTALLED_BY_MAKE = CORE | requirements(EXTRAS["dev"])
DECLARED = INSTALLED_BY_MAKE | requirements(line for lines in EXTRAS.values() for line in lines)


def constraints():
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    return [line for line in lines if not line.startswith("#")]


def conda_lines():
    """The entries under `dependencies:` in environment.yml, without the dashes."""
    text = (ROOT / "environment.yml").read_text(encoding="utf-8")
    return re.findall(r"^  - (.+)$", text.split("dependencies:")[1], re.MULTILINE)


def test_constraints_are_exact_versions():
    assert [line for line in constraints() if not re.fullmatch(r"[A-Za-z0-9._-]+==[0-9][0-9a-z.]*", line)] == []


def test_constraints_satisfy_pyproject():
    pins = {canonicalize_name(name): version for name, version in (line.split("==") for line in constraints())}
    assert set(DECLARED) - set(pins) == set()
    assert {name: pins[name] for name, need in DECLARED.items() if pins[name] not in need.specifier} == {}


def test_conda_gets_what_make_installs():
    *conda, last = conda_lines()
    names = {canonicalize_name(re.match(r"[\w.-]+", line)[0]) for line in conda}
    assert names == INSTALLED_BY_MAKE.keys() - {"playwright"} | {"python", "pip"}
    assert last.startswith('pip: ["-e .[browser]"]')


def test_every_conda_package_has_a_remark():
    assert [line for line in conda_lines()[:-1] if not re.search(r"  # \w", line)] == []


def test_python_is_the_same_everywhere():
    assert f"python{PROJECT['requires-python']}" in conda_lines()[0]
    assert "(3, 11) <= sys.version_info" in (ROOT / "Makefile").read_text(encoding="utf-8")


# Imports of the code

IN_THE_PROJECT = (
    {"keras_alexnet"}
    | {path.stem for path in [*ROOT.glob("scripts/**/*.py"), *ROOT.glob("tests/**/*.py")]}
    | {"benchmarks", "comparisons"}
)
BY_NAME = {"import_module", "importorskip"}  # functions that import what their first argument names
DISTRIBUTIONS = importlib.metadata.packages_distributions()  # PIL is in pillow, sklearn in scikit-learn


def imported_names(tree):
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and not node.level:
            yield node.module
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", None) in BY_NAME:
            yield from (name.value for name in node.args[:1] if isinstance(name, ast.Constant))


def third_party(tree):
    """Distributions that a piece of code imports from, by name."""
    packages = {name.split(".")[0] for name in imported_names(tree)} - sys.stdlib_module_names - IN_THE_PROJECT
    return {canonicalize_name(DISTRIBUTIONS.get(package, [package])[0]) for package in packages}


def source_files(*folders):
    files = [path for folder in folders for path in sorted((ROOT / folder).rglob("*.py"))]
    return [pytest.param(path, id=str(path.relative_to(ROOT))) for path in files]


@pytest.mark.parametrize("path", source_files("keras_alexnet", "scripts", "tests", "tutorials/source"))
def test_every_import_is_declared(path):
    undeclared = third_party(ast.parse(path.read_text(encoding="utf-8"))) - DECLARED.keys()
    assert not undeclared, "declare it in pyproject.toml, environment.yml and constraints.txt"


@pytest.mark.parametrize("path", source_files("keras_alexnet"))
def test_a_plain_install_imports_every_module(path):
    """Extras are imported inside the function that needs them."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    tree.body = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    assert third_party(tree) <= CORE.keys()


def test_every_slow_test_is_in_a_group_of_the_makefile():
    groups = re.search(r"^SLOW \?= (.*)$", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)[1].split()
    slow = {
        path for path in (ROOT / "tests").rglob("test_*.py") if "pytest.mark.slow" in path.read_text(encoding="utf-8")
    }
    folders = {path.relative_to(ROOT / "tests").parts[0] for path in slow}
    assert {"rest" if folder.endswith(".py") else folder for folder in folders} <= set(groups)


def test_a_program_beside_the_checkout_imports_the_package(tmp_path):
    """A folder of the same name comes first on its path. It is no package, and must not hide the installed one."""
    (tmp_path / "keras_alexnet").mkdir()
    program = tmp_path / "program.py"
    program.write_text("import keras_alexnet\nprint(keras_alexnet.__version__)\n")
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run([sys.executable, program], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
