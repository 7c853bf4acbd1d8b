"""Who imports whom: the library's order, and what the package costs before it is used."""

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

import keras_alexnet

LIBRARY = Path(keras_alexnet.__file__).parent
MAX_LINES = 250

# A module imports only from the lines above its own.
RANKS = (
    {
        "accounts",
        "caffemodel",
        "canvas",
        "files",
        "fusion",
        "images",
        "initial_weights",
        "keras_file",
        "resampling",
        "topology",
    },
    {"architectures", "augment", "command_line", "measures", "metrics", "recipes", "tables", "weight_files"},
    {"catalog", "checkpoints", "distribution", "faults", "figures", "folders"}
    | {"imagenet", "layers", "optimizers", "petals", "runs"},
    {"ablations", "blocks", "callbacks", "charts", "onnx_network", "views", "weights"},
    {"datasets", "diagrams", "model", "records", "panels", "pipeline"},
    {"classifiers", "description", "network_files", "report"},
    {"evaluation", "exports", "features"},
    {"gallery", "prediction"},
    {"training"},
)
RANK = {module: rank for rank, modules in enumerate(RANKS) for module in modules}
# The data side, and `fusion` where TensorFlow is the backend. All else runs on every backend without TensorFlow loaded.
MAY_IMPORT_TENSORFLOW = {
    "augment",
    "catalog",
    "datasets",
    "distribution",
    "evaluation",
    "faults",
    "features",
    "folders",
    "fusion",
    "gallery",
    "images",
    "network_files",
    "pipeline",
    "prediction",
    "resampling",
    "training",
    "views",
}
MODULES = sorted(path.stem for path in LIBRARY.glob("*.py") if path.stem != "__init__")


def imported(module):
    """Names of all that a module imports, wherever in it: `keras.layers`, `keras_alexnet.model.build`."""
    for node in ast.walk(ast.parse((LIBRARY / f"{module}.py").read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            package = f"keras_alexnet.{node.module or ''}".rstrip(".") if node.level else node.module
            yield from (f"{package}.{alias.name}" for alias in node.names)


def test_every_module_has_a_rank():
    assert set(MODULES) <= set(RANK), "give the new module its place in RANKS"


@pytest.mark.parametrize("module", MODULES)
def test_imports_only_from_ranks_above(module):
    own = {name.split(".")[1] for name in imported(module) if name.startswith("keras_alexnet.")}
    assert {other for other in own if RANK[other] >= RANK[module]} == set()


@pytest.mark.parametrize("module", [module for module in MODULES if module not in MAY_IMPORT_TENSORFLOW])
def test_model_side_does_not_import_tensorflow(module):
    packages = {name.split(".")[0] for name in imported(module)}
    assert packages.isdisjoint({"tensorflow", "tensorflow_datasets"})


@pytest.mark.parametrize("module", MODULES)
def test_module_fits_on_a_few_screens(module):
    assert len((LIBRARY / f"{module}.py").read_text(encoding="utf-8").splitlines()) <= MAX_LINES


def test_public_names_exist():
    assert [name for name in keras_alexnet.__all__ if not hasattr(keras_alexnet, name)] == []
    assert set(keras_alexnet.__all__) <= set(dir(keras_alexnet))


def test_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="has no attribute 'alexnet'"):
        keras_alexnet.alexnet  # noqa: B018


def loaded_after(statements, backend):
    """Which of the heavy packages a fresh interpreter has loaded after these statements."""
    report = "; import sys; print(*sorted({'jax', 'keras', 'tensorflow', 'torch'} & set(sys.modules)))"
    environment = os.environ | {"KERAS_BACKEND": backend}
    command = [sys.executable, "-c", statements + report]
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True).stdout.split()


def test_importing_the_package_loads_nothing():
    assert loaded_after("import keras_alexnet", "tensorflow") == []


def test_a_network_on_jax_loads_no_tensorflow():
    pytest.importorskip("jax")
    build = "keras_alexnet.build(include_top=False, input_shape=(67, 67, 3)).compile(keras_alexnet.PaperSGD())"
    assert loaded_after(f"import keras_alexnet; {build}", "jax") == ["jax", "keras"]
