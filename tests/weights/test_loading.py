"""Weights of other frameworks give the same outputs as there, and no file is loaded partially."""

import dataclasses
import functools

import foreign_weights
import h5py
import keras
import numpy as np
import pytest
from foreign_weights import CAFFE_STEPS, CAFFENET_STEPS, CLASSES, HIDDEN, SIDE
from small_networks import ZEROS

from keras_alexnet.models.alexnet import build
from keras_alexnet.models.architectures import ARCHITECTURES
from keras_alexnet.weights import formats, loading, names
from keras_alexnet.weights.keras import read_keras

LAYERS = ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"]


def build_small(name, changes=(), **options):
    row = dataclasses.replace(ARCHITECTURES[name], hidden=HIDDEN, **dict(changes))
    options = {"input_shape": (SIDE, SIDE, 3), "classes": CLASSES, "classifier_activation": None} | options
    return build(row, name=f"alexnet_{name}", **options)


@functools.cache
def trained(*name_and_changes, **options):
    """A network with weights of its own. Tests share it and do not change it."""
    return build_small(*name_and_changes, **options)


@functools.cache
def shared(*name_and_changes, **options):
    return build_small(*name_and_changes, initial_weights=ZEROS, **options)


def network(*name_and_changes, **options):
    """A network to load weights into. Tests share it, and each finds zeros in it."""
    model = shared(*name_and_changes, **options)
    model.set_weights([np.zeros_like(array) for array in model.get_weights()])
    return model


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(1).normal(0, 60, (3, SIDE, SIDE, 3)).astype(np.float32)


def assert_answers(model, images, expected):
    received = keras.ops.convert_to_numpy(model(images))
    assert np.abs(expected).max() > 0.5
    np.testing.assert_allclose(received, expected, atol=1e-4 * np.abs(expected).max())


# Round trips


def test_torchvision_state_dict(tmp_path, images):
    torch = pytest.importorskip("torch")
    arrays = foreign_weights.of_torchvision()
    state = {name: torch.tensor(array) for name, array in foreign_weights.state_dict(arrays).items()}
    torch.save(state, tmp_path / "alexnet.pth")
    model = network("one_weird_trick")
    lines = loading.load(model, tmp_path / "alexnet.pth")
    assert [line.split(":")[0] for line in lines] == LAYERS
    assert_answers(model, images, foreign_weights.torchvision_answers(arrays, images))


@pytest.mark.any_backend
def test_safetensors(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    arrays = foreign_weights.of_torchvision()
    safetensors.save_file(foreign_weights.state_dict(arrays), tmp_path / "alexnet.safetensors")
    model = network("one_weird_trick")
    loading.load(model, tmp_path / "alexnet.safetensors")
    by_places = arrays["fc6"][0].reshape(-1, 256, 6, 6).transpose(2, 3, 1, 0)
    expected = {
        "conv1": arrays["conv1"][0].transpose(2, 3, 1, 0),
        "conv5": arrays["conv5"][0].transpose(2, 3, 1, 0),
        "fc6": by_places.reshape(-1, by_places.shape[-1]),
        "fc7": arrays["fc7"][0].T,
    }
    for name, kernel in expected.items():
        np.testing.assert_array_equal(model.get_layer(name).get_weights()[0], kernel)


@pytest.mark.any_backend
def test_keras_file_of_another_network(tmp_path):
    trained("source").save(tmp_path / "source.keras")
    with pytest.raises(ValueError, match=r"step 2 is relu\. .*source\.keras with norm"):
        loading.load(network("paper"), tmp_path / "source.keras")
    assert loading.load(network("source"), tmp_path / "source.keras")


def test_keras_file_with_another_pooling(tmp_path):
    shared("paper").save(tmp_path / "alexnet.keras")
    with pytest.raises(ValueError, match=r"whose step 4 is pool\(window=2, stride=2\).*window=3, stride=2\) there"):
        loading.load(network("no_overlap"), tmp_path / "alexnet.keras")


def test_keras_file_with_another_nonlinearity_in_its_hidden_layers(tmp_path):
    """As `tflearn` had in version 0.1.0. The file itself loads unchanged."""
    old = build_small("tflearn", {"hidden_activation": "tanh"})
    old.save(tmp_path / "old.keras")
    with pytest.raises(ValueError, match=r"alexnet_tflearn, which has relu in fc6\. .*old\.keras with tanh"):
        loading.load(network("tflearn"), tmp_path / "old.keras")
    loaded = keras.models.load_model(tmp_path / "old.keras")
    assert loaded.get_layer("fc7").activation is keras.activations.tanh
    assert loading.load(old, tmp_path / "old.keras")


@pytest.mark.slow
@pytest.mark.parametrize(("file", "own"), [("paper", "inverted"), ("inverted", "paper"), ("paper", "paper")])
def test_a_network_with_another_form_of_dropout_keeps_its_answers(tmp_path, images, file, own):
    """The paper's form halves the inputs of fc7 and fc8 at test time; their kernels are rescaled to compensate."""
    theirs, ours = (
        make("source", (("dropout_form", form),), classifier_activation="softmax")
        for make, form in ((trained, file), (network, own))
    )
    theirs.save(tmp_path / "file.keras")
    lines = loading.load(ours, tmp_path / "file.keras")
    scaled = [line.split(":")[0] for line in lines if "another form of dropout" in line]
    assert scaled == ([] if file == own else ["fc7", "fc8"])
    np.testing.assert_allclose(
        keras.ops.convert_to_numpy(ours(images)), keras.ops.convert_to_numpy(theirs(images)), rtol=1e-5
    )


def test_onnx(tmp_path, images):
    pytest.importorskip("onnxruntime")
    file = foreign_weights.onnx_network(foreign_weights.of_caffe())
    (tmp_path / "alexnet.onnx").write_bytes(file.SerializeToString())
    model = network("caffe")
    lines = loading.load(model, tmp_path / "alexnet.onnx")
    assert lines[0] == "conv1: conv1_w_0, (96, 3, 11, 11) to (11, 11, 3, 96), BGR to RGB"
    assert lines[5] == "fc6: fc6_w_0, (48, 1024) to (1024, 48), inputs from channel by channel to position by position"
    assert lines[-1] == "fc8: fc8_w_0, (10, 40) to (40, 10)"
    assert_answers(model, images, foreign_weights.onnx_answers(file, images))


def test_onnx_of_torchvision(tmp_path):
    """As `torch.onnx.export` writes it, at torchvision's own size."""
    pytest.importorskip("onnxruntime")
    file = foreign_weights.torchvision_onnx(foreign_weights.of_torchvision())
    (tmp_path / "alexnet.onnx").write_bytes(file.SerializeToString())
    model = network("one_weird_trick", input_shape=(224, 224, 3))
    lines = loading.load(model, tmp_path / "alexnet.onnx")
    assert lines[0] == "conv1: features.0.weight, (64, 3, 11, 11) to (11, 11, 3, 64)"
    images = np.random.default_rng(1).normal(0, 60, (2, 224, 224, 3)).astype(np.float32)
    assert_answers(model, images, foreign_weights.onnx_answers(file, images, bgr=False))


@pytest.mark.filterwarnings("ignore")  # of PyTorch's exporter
@pytest.mark.parametrize("options", [{}, {"external_data": False}, {"dynamo": False}], ids=["", "one_file", "old"])
def test_onnx_by_pytorch_itself(tmp_path, options):
    torch = pytest.importorskip("torch")
    pytest.importorskip("onnxscript" if options.get("dynamo", True) else "onnx")
    module = foreign_weights.torchvision_module(foreign_weights.of_torchvision())
    torch.onnx.export(module, (torch.zeros(1, 3, 224, 224),), str(tmp_path / "alexnet.onnx"), **options)
    model = build_small("one_weird_trick", input_shape=(224, 224, 3), weights=tmp_path / "alexnet.onnx")
    images = np.random.default_rng(1).normal(0, 60, (2, 224, 224, 3)).astype(np.float32)
    expected = module(torch.tensor(images).permute(0, 3, 1, 2)).detach().numpy()
    assert_answers(model, images, expected)


@pytest.mark.any_backend
def test_onnx_of_a_wrapped_network(tmp_path):
    pytest.importorskip("onnx")
    arrays = foreign_weights.of_torchvision()
    file = foreign_weights.torchvision_onnx(arrays, prefix="_orig_mod.module.")
    (tmp_path / "alexnet.onnx").write_bytes(file.SerializeToString())
    model = network("one_weird_trick")
    loading.load(model, tmp_path / "alexnet.onnx")
    np.testing.assert_array_equal(model.get_layer("fc8").get_weights()[1], arrays["fc8"][1])


@pytest.mark.any_backend
@pytest.mark.parametrize("old", [False, True], ids=["layer", "layers"])
def test_caffemodel(tmp_path, images, old):
    arrays = foreign_weights.of_caffe()
    (tmp_path / "caffenet.caffemodel").write_bytes(foreign_weights.caffemodel(arrays, old=old))
    model = network("caffenet")
    lines = loading.load(model, tmp_path / "caffenet.caffemodel")
    assert [line.split(":")[0] for line in lines] == LAYERS
    assert_answers(model, images, foreign_weights.caffe_answers(arrays, images))


@pytest.mark.any_backend
def test_arrays_by_name(tmp_path):
    model, other = trained("paper"), network("paper")
    arrays = {variable.path: keras.ops.convert_to_numpy(variable) for variable in model.trainable_variables}
    np.savez(tmp_path / "alexnet.npz", **arrays)
    loading.load(other, tmp_path / "alexnet.npz")
    for variable in other.trainable_variables:
        np.testing.assert_array_equal(keras.ops.convert_to_numpy(variable), arrays[variable.path])


def equal_weights(model, other):
    return all(map(np.array_equal, model.get_weights(), other.get_weights()))


def save_as_keras_2(model, path):
    """Write weights as `save_weights` of Keras 2 does: a group for each layer, and names that end in :0."""
    with h5py.File(path, "w") as root:
        root.attrs["layer_names"] = [layer.name.encode() for layer in model.layers]
        for layer in model.layers:
            names = [f"{layer.name}/{variable.name}:0" for variable in layer.weights]
            group = root.create_group(layer.name)
            group.attrs["weight_names"] = [name.encode() for name in names]
            for name, array in zip(names, layer.get_weights(), strict=True):
                group[name] = array


SAVE = {
    "alexnet.keras": keras.Model.save,
    "alexnet.weights.h5": keras.Model.save_weights,
    "alexnet.weights.json": lambda model, path: model.save_weights(path, max_shard_size=0.004),
    "keras_2_weights.h5": save_as_keras_2,
    "keras_2_weights.hdf5": save_as_keras_2,
    "keras_2_network.h5": keras.Model.save,
}


@pytest.mark.filterwarnings("ignore:You are saving your model as an HDF5 file")  # from absl, as a warning in the log
@pytest.mark.parametrize("name", SAVE)
def test_keras_file(tmp_path, name):
    model, other = trained("paper"), network("paper")
    SAVE[name](model, tmp_path / name)
    assert not equal_weights(model, other)
    loading.load(other, tmp_path / name)
    assert equal_weights(model, other)


@pytest.mark.any_backend
def test_local_layers_without_the_top(tmp_path, capsys):
    base = build("conv_local", include_top=False)
    base.save(tmp_path / "base.keras")
    whole = build("conv_local", classes=3)
    loading.load(whole, tmp_path / "base.keras")
    for layer in base.layers:
        for one, other in zip(layer.get_weights(), whole.get_layer(layer.name).get_weights(), strict=True):
            np.testing.assert_array_equal(one, other)


@pytest.mark.any_backend
def test_a_layer_of_the_same_name_in_another_package(tmp_path):
    @keras.saving.register_keras_serializable("other")
    class LocalResponseNormalization(keras.layers.Layer):
        def call(self, maps):
            return maps

    image = keras.Input((32, 32, 3))
    maps = LocalResponseNormalization()(keras.layers.Conv2D(2, 3, name="conv1")(image))
    keras.Model(image, keras.layers.Dense(2, name="fc2")(keras.layers.Flatten()(maps))).save(tmp_path / "other.keras")
    assert {"conv1/kernel", "fc2/kernel"} <= set(read_keras(tmp_path / "other.keras").arrays)


@pytest.mark.any_backend
def test_network_of_keras_2_is_compared_by_its_layers(tmp_path):
    trained("source").save(tmp_path / "source.h5")
    with pytest.raises(ValueError, match=r"step 2 is relu\. .*source\.h5 with norm"):
        loading.load(network("paper"), tmp_path / "source.h5")


def test_run_folder(small_run):
    trained = keras.models.load_model(small_run.best)
    other = keras.models.clone_model(trained)
    assert not equal_weights(trained, other)
    loading.load(other, small_run.folder)
    assert equal_weights(trained, other)


@pytest.mark.any_backend
def test_run_folder_without_a_network(small_run):
    small_run.best.unlink()
    with pytest.raises(ValueError, match=r"a run with best.keras.* Received: .*small-1"):
        loading.load(network("paper"), small_run.folder)


@pytest.mark.any_backend
def test_a_folder_without_a_run(tmp_path):
    with pytest.raises(ValueError, match=r"A run folder must contain.* Received: "):
        loading.load(network("paper"), tmp_path)


# Another top


@pytest.fixture
def caffe_file(tmp_path):
    path = tmp_path / "alexnet.caffemodel"
    path.write_bytes(foreign_weights.caffemodel(foreign_weights.of_caffe(), CAFFE_STEPS))
    return path


@pytest.mark.any_backend
def test_without_top(caffe_file):
    model = network("caffe", include_top=False)
    assert [line.split(":")[0] for line in loading.load(model, caffe_file)] == LAYERS[:5]
    np.testing.assert_array_equal(model.get_layer("conv5").get_weights()[1], foreign_weights.of_caffe()["conv5"][1])


@pytest.mark.any_backend
def test_a_new_head_is_announced(caffe_file):
    model = network("caffe", classes=3)
    before = model.get_layer("fc8").get_weights()[0]
    lines = loading.load(model, caffe_file, head="auto")
    assert lines[-1] == "fc8: new, for 3 classes; the file has 10"
    np.testing.assert_array_equal(model.get_layer("fc8").get_weights()[0], before)
    np.testing.assert_array_equal(model.get_layer("fc7").get_weights()[1], foreign_weights.of_caffe()["fc7"][1])


@pytest.mark.any_backend
def test_a_new_head_may_have_as_many_classes_as_the_old_one(caffe_file):
    model, old = network("caffe", classes=10), foreign_weights.of_caffe()["fc8"][1]
    before = model.get_layer("fc8").get_weights()
    assert loading.load(model, caffe_file, head="new")[-1] == "fc8: new, for 10 classes; the file has 10"
    np.testing.assert_array_equal(model.get_layer("fc8").get_weights()[0], before[0])
    loading.load(model, caffe_file, head="auto")
    np.testing.assert_array_equal(model.get_layer("fc8").get_weights()[1], old)


@pytest.mark.any_backend
def test_no_new_head_unless_asked_for(caffe_file):
    with pytest.raises(
        ValueError, match=r"fc8 expects 3 classes: .* --head new, .*\. Received: 10 classes in .*\.caffemodel"
    ):
        loading.load(network("caffe", classes=3), caffe_file)


# Refusals


def changed(arrays, name, kernel):
    return arrays | {name: (kernel, arrays[name][1])}


def renamed(arrays):
    return {"conv9" if name == "conv2" else name: pair for name, pair in arrays.items()}


def with_nan(arrays):
    kernel = arrays["fc7"][0].copy()
    kernel[3, 4] = np.nan
    return changed(arrays, "fc7", kernel)


SPOILT = {
    "missing": (lambda arrays: {k: v for k, v in arrays.items() if k != "fc8"}, "fc8_b_0, fc8_w_0 is missing"),
    "renamed": (renamed, "conv2_b_0, conv2_w_0 is missing and conv9_b_0, conv9_w_0 is unexpected"),
    "transposed": (
        lambda arrays: changed(arrays, "fc6", np.ascontiguousarray(arrays["fc6"][0].T)),
        r"fc6 expects shape \(48, 1024\)\. .*Received: fc6_w_0 with \(1024, 48\)",
    ),
    "other axes": (
        lambda arrays: changed(arrays, "conv3", np.ascontiguousarray(arrays["conv3"][0].transpose(2, 3, 1, 0))),
        r"conv3 expects shape \(384, 256, 3, 3\)\. .*Received: conv3_w_0 with \(3, 3, 256, 384\)",
    ),
    "not finite": (with_nan, "fc7 expects finite numbers. Received: fc7_w_0"),
}


@pytest.mark.any_backend
@pytest.mark.parametrize(("spoil", "message"), SPOILT.values(), ids=SPOILT)
def test_a_damaged_file_changes_nothing(tmp_path, spoil, message):
    pytest.importorskip("onnx")
    file = foreign_weights.onnx_network(spoil(foreign_weights.of_caffe()))
    (tmp_path / "alexnet.onnx").write_bytes(file.SerializeToString())
    model = network("caffe")
    before = model.get_weights()
    with pytest.raises(ValueError, match=message) as error:
        loading.load(model, tmp_path / "alexnet.onnx")
    assert "\n" not in str(error.value)
    for one, another in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(one, another)


@pytest.mark.any_backend
def test_extra_array(tmp_path):
    model = trained("paper")
    arrays = {variable.path: keras.ops.convert_to_numpy(variable) for variable in model.trainable_variables}
    np.savez(tmp_path / "alexnet.npz", **arrays, **{"conv6/kernel": np.zeros(3, np.float32)})
    with pytest.raises(ValueError, match="nothing is missing and conv6/kernel is unexpected"):
        loading.load(model, tmp_path / "alexnet.npz")


@pytest.mark.any_backend
@pytest.mark.parametrize("old", [True, False])
def test_a_caffe_network_that_normalizes_within_channels(old, tmp_path):
    path = tmp_path / "alexnet.caffemodel"
    arrays = foreign_weights.of_caffe()
    path.write_bytes(foreign_weights.caffemodel(arrays, CAFFE_STEPS, old, is_within_channels=True))
    with pytest.raises(ValueError, match=r"whose step 3 is norm\(window=5, .* with spatial norm there"):
        loading.load(network("caffe"), path)


@pytest.mark.any_backend
def test_integers_are_not_weights(tmp_path):
    model = trained("paper")
    arrays = {variable.path: keras.ops.convert_to_numpy(variable) for variable in model.trainable_variables}
    np.savez(tmp_path / "alexnet.npz", **arrays | {"conv1/bias": np.arange(96)})
    with pytest.raises(ValueError, match=r"conv1 expects floating-point numbers\. Received: conv1/bias of int64"):
        loading.load(model, tmp_path / "alexnet.npz")


@pytest.mark.any_backend
@pytest.mark.parametrize(("steps", "place"), [(CAFFENET_STEPS, "pool"), (CAFFE_STEPS[2:], "norm")])
def test_file_of_another_architecture(tmp_path, steps, place):
    """Caffe's two networks have arrays of the same shapes."""
    path = tmp_path / "alexnet.caffemodel"
    path.write_bytes(foreign_weights.caffemodel(foreign_weights.of_caffe(), steps))
    with pytest.raises(
        ValueError, match=rf"alexnet_caffe, whose step \d .* --architecture .* Received: {path} with {place}"
    ):
        loading.load(network("caffe"), path)


@pytest.mark.any_backend
@pytest.mark.parametrize("path", [None, 3, b"a.npz", {}])
def test_a_path_must_be_text_or_a_path(path):
    for read in (lambda path: loading.load(keras.Sequential(), path), formats.read, names.locate):
        with pytest.raises(TypeError, match=r"`(path|weights)` must be a path, .*Received: \w+="):
            read(path)


@pytest.mark.any_backend
@pytest.mark.parametrize("model", ["alexnet", None, "a.keras"])
def test_weights_are_loaded_into_a_keras_model(model):
    with pytest.raises(TypeError, match=r"`model` must be a keras\.Model, such as .*Received: model="):
        loading.load(model, "a.npz")


@pytest.mark.any_backend
@pytest.mark.parametrize("name", ["imagenet", "caffe", "drawn"])
def test_names_of_published_weights_are_no_files(name):
    with pytest.raises(ValueError, match=rf"use the path that weights\.locate\('{name}'\) returns\. Received: {name}"):
        loading.load(keras.Sequential(), name)
