"""Imports: the order of the library's folders, and the cost of importing the package."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import keras_alexnet

LIBRARY = Path(keras_alexnet.__file__).parent

# A room of the library, a folder or a module at its root, imports only from its own and from those of the rows above.
ROWS = (
    {"arguments", "machine", "text"},
    {"files", "invocation", "recipes"},
    {"command_line", "interrupts", "plotting", "runs"},
    {"models"},
    {"weights"},
    {"data"},
    {"evaluation"},
    {"demo", "export", "reporting"},
    {"training"},
    {"experiments"},
    {"commands"},
)
ROW = {room: n for n, rooms in enumerate(ROWS) for room in rooms}
BACKEND_FREE = ("models", "weights", "plotting", "experiments")  # none of their modules imports TensorFlow
# A network is built with weights, which know its layers: the one import that runs the other way, inside a function.
UPWARD = {("models", "weights")}
MODULES = sorted(path.relative_to(LIBRARY) for path in LIBRARY.rglob("*.py") if path.name != "__init__.py")


def imported(module):
    """Names of all imports anywhere in a module: `keras.layers`, `keras_alexnet.models.alexnet.build`."""
    for node in ast.walk(ast.parse((LIBRARY / module).read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def room(module):
    return module.parts[0].removesuffix(".py")


@pytest.mark.parametrize("module", MODULES, ids=str)
def test_imports_run_one_way(module):
    others = {name.split(".")[1] for name in imported(module) if name.startswith("keras_alexnet.")} - {room(module)}
    upward = {other for other in others if ROW[other] >= ROW[room(module)]}
    assert {other for other in upward if (room(module), other) not in UPWARD} == set()


@pytest.mark.parametrize("module", [module for module in MODULES if room(module) in BACKEND_FREE], ids=str)
def test_model_side_does_not_import_tensorflow(module):
    packages = {name.split(".")[0] for name in imported(module)}
    assert module.name == "fusion.py" or packages.isdisjoint({"tensorflow", "tensorflow_datasets"})


def test_public_names_exist():
    assert [name for name in keras_alexnet.__all__ if not hasattr(keras_alexnet, name)] == []
    assert set(keras_alexnet.__all__) <= set(dir(keras_alexnet))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="attribute alexnet"):
        keras_alexnet.alexnet  # noqa: B018


def loaded_after(statements, backend):
    """The heavy packages that a new interpreter has loaded after these statements."""
    report = "; import sys; print(*sorted({'jax', 'keras', 'tensorflow', 'torch'} & set(sys.modules)))"
    environment = os.environ | {"KERAS_BACKEND": backend}
    command = [sys.executable, "-c", statements + report]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.split()


def test_importing_the_package_loads_nothing():
    assert loaded_after("import keras_alexnet", "tensorflow") == []


@pytest.mark.slow
def test_a_network_on_jax_loads_no_tensorflow():
    pytest.importorskip("jax")
    sketch = "from keras_alexnet.models.summary import sketch; sketch().compile(keras_alexnet.PaperSGD())"
    assert loaded_after(f"import keras_alexnet; {sketch}", "jax") == ["jax", "keras"]
