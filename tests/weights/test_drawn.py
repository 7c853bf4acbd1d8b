"""The kernels in the package are loaded only into the convolutions of networks that fit."""

import dataclasses

import keras
import numpy as np
import pytest
from foreign_weights import HIDDEN, SIDE

from keras_alexnet.models.alexnet import build
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.weights import drawn, formats, loading

pytestmark = pytest.mark.any_backend

SHAPES = {1: (11, 11, 3, 96), 2: (5, 5, 48, 256), 3: (3, 3, 256, 384), 4: (3, 3, 192, 384), 5: (3, 3, 192, 256)}  # 3.5


def network(name="paper", **options):
    row = dataclasses.replace(ARCHITECTURES[name], hidden=HIDDEN)
    return build(row, **{"input_shape": (SIDE, SIDE, 3), "classes": 4} | options)


@pytest.fixture(scope="module")
def kernels(tmp_path_factory):
    """A file of random numbers with the sizes of the paper's convolutions."""
    random, path = np.random.default_rng(0), tmp_path_factory.mktemp("kernels") / "kernels.npz"
    arrays = {f"conv{n}/kernel": random.normal(0, 0.05, shape) for n, shape in SHAPES.items()}
    arrays |= {f"conv{n}/bias": random.normal(0, 0.1, shape[-1]) for n, shape in SHAPES.items()}
    np.savez(path, **{name: array.astype(np.float16) for name, array in arrays.items()})
    return path


@pytest.fixture
def packaged(kernels, monkeypatch):
    monkeypatch.setattr(drawn, "FILE", kernels)
    with np.load(kernels) as arrays:
        return dict(arrays)


def dense_weights(model):
    return [array for layer in model.layers if isinstance(layer, keras.layers.Dense) for array in layer.get_weights()]


@pytest.mark.parametrize("name", ["paper", "source", "caffenet"])
def test_convolutions_are_those_of_the_file_and_dense_layers_those_of_the_seed(name, packaged):
    keras.utils.set_random_seed(3)
    plain = network(name)
    keras.utils.set_random_seed(3)
    started = network(name, weights="drawn")
    for n in SHAPES:
        kernel, bias = started.get_layer(f"conv{n}").get_weights()
        np.testing.assert_array_equal(kernel, packaged[f"conv{n}/kernel"].astype(np.float32))
        np.testing.assert_array_equal(bias, packaged[f"conv{n}/bias"].astype(np.float32))
        assert not np.array_equal(kernel, plain.get_layer(f"conv{n}").get_weights()[0])
    assert len(dense_weights(started)) == 6
    for before, after in zip(dense_weights(plain), dense_weights(started), strict=True):
        np.testing.assert_array_equal(before, after)


def test_building_from_them_prints_nothing(packaged, capsys):
    network(weights="drawn")
    assert capsys.readouterr().out == ""


def test_without_its_top_a_network_of_any_size_starts_from_them(packaged):
    model = build(include_top=False, weights="drawn", pooling="avg")
    np.testing.assert_array_equal(model.get_layer("conv5").get_weights()[1], packaged["conv5/bias"])


def kernel_shapes(row):
    inputs = [3, *(each.filters for each in row.convolutions.values())]
    of_each = zip(row.convolutions.items(), inputs, strict=False)
    return {n: (each.kernel, each.kernel, width // each.groups, each.filters) for (n, each), width in of_each}


def test_which_networks_have_these_convolutions():
    fitting = {name for name, row in ARCHITECTURES.items() if drawn.fits(row)}
    assert fitting == {name for name, row in ARCHITECTURES.items() if kernel_shapes(row) == SHAPES}
    assert {"paper", "source", "caffe", "caffenet", "no_normalization", "no_overlap"} <= fitting


@pytest.mark.parametrize("name", ["half", "single_tower", "no_conv4", "one_weird_trick", "tflearn"])
def test_other_networks_are_refused_with_the_names_of_those_that_fit(name, packaged):
    with pytest.raises(ValueError, match=rf"'drawn' fit .*paper, source, caffe.*: .*Received: architecture='{name}'"):
        network(name, weights="drawn")


def test_a_file_of_convolutions_says_which_layers_it_leaves(kernels):
    lines = loading.load(network(), kernels)
    assert [line.partition(":")[0] for line in lines] == [*(f"conv{n}" for n in SHAPES), "fc6, fc7, fc8"]
    assert lines[-1] == "fc6, fc7, fc8: new; the file has convolutions only"


def test_a_file_with_some_dense_layers_is_refused(kernels, tmp_path):
    with np.load(kernels) as arrays:
        np.savez(tmp_path / "some.npz", **arrays, **{"fc8/kernel": np.ones((4, 4)), "fc8/bias": np.ones(4)})
    with pytest.raises(ValueError, match="fc6/bias, fc6/kernel, fc7/bias, fc7/kernel is missing"):
        loading.load(network(), tmp_path / "some.npz")


def test_convolutions_of_a_network_to_a_file_and_back(tmp_path):
    model, other = network(), network(classes=7, input_shape=(99, 99, 3))
    model.save(tmp_path / "trained.keras")
    count = drawn.extract(tmp_path / "trained.keras", tmp_path / "kernels.npz")
    assert count == sum(np.prod(shape) + shape[-1] for shape in SHAPES.values()) == 2_334_080
    assert (tmp_path / "kernels.npz").stat().st_size < 8e6
    assert set(formats.read(tmp_path / "kernels.npz").arrays) == {
        f"conv{n}/{kind}" for n in SHAPES for kind in ("kernel", "bias")
    }
    loading.load(other, tmp_path / "kernels.npz")
    for n in SHAPES:
        for array, expected in zip(*(each.get_layer(f"conv{n}").get_weights() for each in (other, model)), strict=True):
            np.testing.assert_array_equal(array, expected.astype(np.float16).astype(np.float32))


def test_the_bytes_of_the_file_depend_on_the_weights_alone(kernels, tmp_path):
    drawn.extract(kernels, tmp_path / "once.npz")
    drawn.extract(kernels, tmp_path / "twice.npz")
    assert (tmp_path / "once.npz").read_bytes() == (tmp_path / "twice.npz").read_bytes()


def test_weights_beyond_float16_are_refused(tmp_path):
    np.savez(tmp_path / "large.npz", **{"conv1/kernel": np.array([1e6], np.float32), "conv1/bias": np.zeros(1)})
    with pytest.raises(ValueError, match=r"fit into float16\. Received: .*large\.npz"):
        drawn.extract(tmp_path / "large.npz", tmp_path / "kernels.npz")
    assert not (tmp_path / "kernels.npz").exists()


def test_the_file_of_the_package_starts_every_fitting_network():
    assert drawn.FILE.stat().st_size < 8e6
    model = network("caffe", weights="drawn")
    kernels = model.get_layer("conv1").get_weights()[0]
    assert 0.005 < kernels.std() < 0.5
    gray = np.abs(kernels.mean(axis=2)).mean(axis=(0, 1)) / np.abs(kernels).mean(axis=(0, 1, 2))
    assert gray.min() < 0.3 < 0.9 < gray.max()  # some kernels see colors, others edges
