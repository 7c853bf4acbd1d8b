"""The package from a wheel, without this checkout, as other projects install it."""

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
IMAGES = "images = numpy.random.default_rng(0).uniform(-120, 130, (2, 67, 67, 3))\n"

SAVES = f"""
import keras_alexnet, numpy
{IMAGES}
for architecture, weights in (("paper", "drawn"), ("source", None)):
    model = keras_alexnet.build(architecture, input_shape=(67, 67, 3), classes=3, weights=weights)
    model.save(architecture + ".keras")
    numpy.save(architecture + ".npy", model.predict(images, verbose=0))
print(keras_alexnet.__file__)
"""

LOADS = f"""
import keras_alexnet, keras, numpy
{IMAGES}
for architecture in ("paper", "source"):
    model = keras.saving.load_model(architecture + ".keras")
    numpy.testing.assert_array_equal(model.predict(images, verbose=0), numpy.load(architecture + ".npy"))
"""


def pip(*arguments):
    subprocess.run([sys.executable, "-m", "pip", "--quiet", *map(str, arguments)], check=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """Build from a copy, since setuptools would write files to the checkout and use old ones from there."""
    folder = tmp_path_factory.mktemp("wheel")
    source = shutil.copytree(ROOT / "keras_alexnet", folder / "source" / "keras_alexnet").parent
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, source)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def python(wheel, tmp_path_factory):
    """An environment with the wheel; all other packages come from the current environment."""
    folder = tmp_path_factory.mktemp("elsewhere")
    venv.create(folder, symlinks=True)
    python = folder / "bin" / "python"
    pip("--python", python, "install", "--no-deps", "--no-index", wheel)
    # A path in a .pth file lends the packages there, but not this checkout, which another .pth file there names.
    (site_packages,) = folder.glob("lib/python3*/site-packages")
    (site_packages / "borrowed.pth").write_text(sysconfig.get_path("purelib"), encoding="utf-8")
    return python


def test_wheel_holds_the_package_and_its_license(wheel):
    files = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    paths = (path for path in (ROOT / "keras_alexnet").rglob("*") if path.is_file() and path.suffix != ".pyc")
    assert files == {path.relative_to(ROOT).as_posix() for path in paths}
    assert "keras_alexnet/weights/drawn.npz" in files
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in zipfile.ZipFile(wheel).namelist())


def test_wheel_builds_predicts_saves_and_loads(python, tmp_path):
    def run(code):
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        command = [python, "-c", code]
        return subprocess.run(command, cwd=tmp_path, env=environment, check=True, stdout=subprocess.PIPE, text=True)

    place = Path(run(SAVES).stdout.strip())
    assert place.is_relative_to(python.parents[1])
    run(LOADS)
