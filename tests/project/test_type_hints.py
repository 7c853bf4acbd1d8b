"""Ruff checks return types. Its rule for arguments includes private functions, so this test checks public ones."""

import ast
import pathlib

import pytest

ROOT = pathlib.Path(__file__).parents[2]
FILES = sorted([*(ROOT / "keras_alexnet").rglob("*.py"), *(ROOT / "scripts").rglob("*.py")])


def public_functions(tree):
    """Functions and methods without an underscore, but not those inside functions."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            yield from public_functions(node)
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and not node.name.startswith("_"):
            yield node


def arguments_without_a_type(source):
    for function in public_functions(ast.parse(source)):
        arguments = function.args
        for argument in (*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs, arguments.vararg):
            if argument and argument.annotation is None and argument.arg not in ("self", "cls"):
                yield f"{function.name}({argument.arg})"


def test_an_argument_without_a_type_is_found():
    source = "class A:\n    def f(self, x, *, y: int): ...\n    def _g(self, z): ...\ndef h(*n): ..."
    assert list(arguments_without_a_type(source)) == ["f(x)", "h(n)"]


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.relative_to(ROOT).as_posix())
def test_every_argument_of_a_public_function_has_a_type(file):
    assert list(arguments_without_a_type(file.read_text())) == []
