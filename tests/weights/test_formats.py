"""Weight files are read as data: bad files give one-line errors, and no code is executed."""

import json
import pickle
import sys
import zipfile

import foreign_weights
import h5py
import keras
import numpy as np
import pytest

from keras_alexnet.weights import caffe, conventions, formats
from keras_alexnet.weights import onnx as onnx_files

pytestmark = pytest.mark.any_backend

ARRAYS = {"conv1": (np.ones((2, 3, 1, 1), np.float32), np.ones(2, np.float32))}


def written(path):
    """A small valid file of any format."""
    if path.suffix == ".pth":
        torch = pytest.importorskip("torch")
        torch.save({"features.0.weight": torch.ones(2, 3, 1, 1)}, path)
    elif path.suffix == ".safetensors":
        pytest.importorskip("safetensors.numpy").save_file(foreign_weights.state_dict(ARRAYS), path)
    elif path.suffix == ".onnx":
        pytest.importorskip("onnx")
        path.write_bytes(foreign_weights.onnx_network(ARRAYS, ["conv1"]).SerializeToString())
    elif path.suffix == ".caffemodel":
        path.write_bytes(foreign_weights.caffemodel(ARRAYS, ["conv1"]))
    elif path.suffix == ".npz":
        np.savez(path, **{"conv1/kernel": ARRAYS["conv1"][0]})
    elif path.suffix == ".h5":
        with h5py.File(path, "w") as root:
            layer = root.create_group("layers/conv2d/vars")
            layer.attrs["name"] = "conv1"
            layer["0"] = ARRAYS["conv1"][0]
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("config.json", json.dumps({"module": "os", "class_name": "system", "config": "true"}))
            archive.write(written(path.with_name("model.weights.h5")), "model.weights.h5")
    return path


ENDINGS = ("pth", "safetensors", "onnx", "caffemodel", "npz", "weights.h5", "keras")


@pytest.mark.parametrize("ending", ENDINGS)
def test_whole_file(tmp_path, ending):
    file = formats.read(written(tmp_path / f"alexnet.{ending}"))
    kernel, _ = file.convention.names("conv1")
    np.testing.assert_array_equal(file.arrays[kernel], ARRAYS["conv1"][0])


@pytest.mark.parametrize("ending", ["keras", "weights.h5"])
def test_keras_file_in_bfloat16(tmp_path, ending):
    image = keras.Input((2, 2, 3))
    model = keras.Model(image, keras.layers.Conv2D(2, 1, name="conv1", dtype="bfloat16")(image))
    path = tmp_path / f"alexnet.{ending}"
    model.save_weights(path) if ending == "weights.h5" else model.save(path)
    array = formats.read(path).arrays["conv1/kernel"]
    assert array.dtype == np.float32
    np.testing.assert_array_equal(array, keras.ops.convert_to_numpy(keras.ops.cast(model.weights[0], "float32")))


def test_safetensors_in_bfloat16(tmp_path):
    pytest.importorskip("safetensors")
    header = json.dumps({"features.0.bias": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    halves = np.array([0x3F80, 0xC000], "<u2")  # 1 and -2: the upper halves of their float32
    content = len(header).to_bytes(8, "little") + header + halves.tobytes()
    (tmp_path / "alexnet.safetensors").write_bytes(content)
    assert formats.read(tmp_path / "alexnet.safetensors").arrays["features.0.bias"].tolist() == [1.0, -2.0]


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_truncated_file(tmp_path, ending):
    path = written(tmp_path / f"alexnet.{ending}")
    path.write_bytes(path.read_bytes()[:-9])
    assert_refused(path, rf"Expected an? \w.*, undamaged and without code\. Received: {path}: .")


@pytest.mark.parametrize("ending", ENDINGS)
def test_text_under_a_wrong_name(tmp_path, ending):
    if ending == "pth":
        pytest.importorskip("torch")
    path = tmp_path / f"alexnet.{ending}"
    path.write_text("<!doctype html>\nnot found\n")
    assert_refused(path, f"Received: {path}: .")


def assert_refused(path, message):
    with pytest.raises(ValueError, match=message) as error:
        formats.read(path)
    assert "\n" not in str(error.value)


def test_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"alexnet\.onnx"):
        formats.read(tmp_path / "alexnet.onnx")


def test_unknown_ending(tmp_path):
    assert_refused(tmp_path / "alexnet.pkl", r"\.pth .*\.npz.*Received: .*alexnet\.pkl")


def test_a_misspelled_name():
    assert_refused("imagnet", r"Did you mean imagenet\? Received: imagnet, which does not exist$")


@pytest.mark.parametrize(
    ("ending", "package", "extra"),
    [("pth", "torch", "torch"), ("onnx", "onnx", "weights"), ("safetensors", "safetensors", "weights")],
)
def test_a_missing_package_is_reported(tmp_path, monkeypatch, ending, package, extra):
    path = tmp_path / f"alexnet.{ending}"
    path.touch()
    for name in [name for name in sys.modules if name.startswith(f"{package}.")] + [package]:
        monkeypatch.setitem(sys.modules, name, None)
    assert_refused(path, rf"needs the package {package}.*pip install 'keras-alexnet\[{extra}\]'")


# Hostile files


class Hostile:
    """Create a file when unpickled."""

    def __init__(self, trace):
        self.trace = trace

    def __reduce__(self):
        return open, (str(self.trace), "w")


@pytest.fixture
def trace(tmp_path):
    """The file that must not be created."""
    path = tmp_path / "trace"
    yield path
    assert not path.exists()


@pytest.mark.parametrize("protocol", [2, pickle.DEFAULT_PROTOCOL])  # PyTorch's own, and Python's
def test_pickle_as_state_dict(tmp_path, trace, protocol):
    pytest.importorskip("torch")
    (tmp_path / "alexnet.pth").write_bytes(pickle.dumps(Hostile(trace), protocol))
    assert_refused(tmp_path / "alexnet.pth", "a PyTorch state dict, undamaged and without code.*more than tensors")


def test_code_in_state_dict(tmp_path, trace):
    torch = pytest.importorskip("torch")
    torch.save({"features.0.weight": Hostile(trace)}, tmp_path / "alexnet.pth")
    assert_refused(tmp_path / "alexnet.pth", "a PyTorch state dict, undamaged and without code.*more than tensors")


def test_whole_module_instead_of_state_dict(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save(torch.nn.Conv2d(3, 2, 1), tmp_path / "alexnet.pth")
    assert_refused(tmp_path / "alexnet.pth", "a PyTorch state dict")


def test_other_values_than_tensors(tmp_path):
    torch = pytest.importorskip("torch")
    torch.save({"epoch": 3, "weights": {}}, tmp_path / "alexnet.pth")
    assert_refused(tmp_path / "alexnet.pth", r"not a state dict from torch\.save\(model\.state_dict\(\), file\)")


def test_pickled_array_in_archive(tmp_path, trace):
    np.savez(tmp_path / "alexnet.npz", **{"conv1/kernel": np.array([Hostile(trace)], object)})
    assert_refused(tmp_path / "alexnet.npz", "a NumPy archive of arrays, undamaged and without code")


def test_pickle_that_circulates_is_refused_with_what_to_take(tmp_path, trace):
    np.save(tmp_path / "bvlc_alexnet.npy", np.array({"conv1": Hostile(trace)}, object))
    assert_refused(tmp_path / "bvlc_alexnet.npy", "pickle.*use bvlcalexnet-12.onnx or bvlc_alexnet.caffemodel")


def onnx_with_data_elsewhere(path, location):
    """An ONNX network whose first kernel is in another file."""
    onnx = pytest.importorskip("onnx")
    network = foreign_weights.onnx_network(ARRAYS, ["conv1"])
    kernel = network.graph.initializer[0]
    kernel.ClearField("raw_data")
    kernel.data_location = onnx.TensorProto.EXTERNAL
    kernel.external_data.add(key="location", value=str(location))
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(network.SerializeToString())
    return path


@pytest.mark.parametrize("location", ["../secret", "{outside}", "beside.bin", "./alexnet.onnx.data", "../own/x.data"])
def test_onnx_with_data_in_another_file(tmp_path, location):
    (tmp_path / "secret").write_bytes(bytes(24))
    path = onnx_with_data_elsewhere(tmp_path / "own" / "alexnet.onnx", location.format(outside=tmp_path / "secret"))
    (path.parent / "beside.bin").write_bytes(bytes(24))
    assert_refused(path, r"its data are in another file than alexnet\.onnx\.data: .*external_data=False")


def test_onnx_with_the_data_file_that_pytorch_writes(tmp_path):
    path = onnx_with_data_elsewhere(tmp_path / "alexnet.onnx", "alexnet.onnx.data")
    kernel = np.arange(6, dtype=np.float32).reshape(ARRAYS["conv1"][0].shape)
    (tmp_path / "alexnet.onnx.data").write_bytes(kernel.tobytes())
    np.testing.assert_array_equal(formats.read(path).arrays["conv1_w_0"], kernel)


def test_onnx_whose_data_file_is_truncated_or_missing(tmp_path):
    path = onnx_with_data_elsewhere(tmp_path / "alexnet.onnx", "alexnet.onnx.data")
    assert_refused(path, "an ONNX network, undamaged and without code")
    (tmp_path / "alexnet.onnx.data").write_bytes(bytes(8))
    assert_refused(path, "an ONNX network, undamaged and without code")


def test_onnx_whose_data_file_is_a_link(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(24))
    path = onnx_with_data_elsewhere(tmp_path / "alexnet.onnx", "alexnet.onnx.data")
    (tmp_path / "alexnet.onnx.data").symlink_to(tmp_path / "secret")
    assert_refused(path, "its data are in another file")


def test_hdf5_with_data_in_another_file(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(24))
    with h5py.File(tmp_path / "alexnet.weights.h5", "w") as root:
        layer = root.create_group("layers/conv2d/vars")
        layer.attrs["name"] = "conv1"
        layer.create_dataset("0", (6,), np.float32, external=[(tmp_path / "secret", 0, 24)])
    assert_refused(tmp_path / "alexnet.weights.h5", "its data are in another file")


@pytest.mark.parametrize("place", ["layers", "layers/conv2d/vars/0"])
def test_hdf5_whose_names_are_links_to_another_file(tmp_path, place):
    written(tmp_path / "secret.weights.h5")
    with h5py.File(tmp_path / "alexnet.weights.h5", "w") as root:
        if place != "layers":
            root.create_group("layers/conv2d/vars").attrs["name"] = "conv1"
        root[place] = h5py.ExternalLink(tmp_path / "secret.weights.h5", place)
    assert_refused(tmp_path / "alexnet.weights.h5", "its data are in another file")


def test_hdf5_with_link_to_another_file_has_nothing(tmp_path):
    written(tmp_path / "secret.weights.h5")
    with h5py.File(tmp_path / "alexnet.weights.h5", "w") as root:
        root.create_group("layers")["conv2d"] = h5py.ExternalLink(tmp_path / "secret.weights.h5", "layers/conv2d")
    assert formats.read(tmp_path / "alexnet.weights.h5").arrays == {}


def sharded(folder, *names):
    """A `.weights.json` next to a weight file, with these shard names."""
    written(folder / "alexnet_00000.weights.h5")
    index = {"metadata": {"total_size": 1}, "weight_map": {f"/layers/{n}/vars": name for n, name in enumerate(names)}}
    (folder / "alexnet.weights.json").write_text(json.dumps(index))
    return folder / "alexnet.weights.json"


def test_sharded_weights(tmp_path):
    arrays = formats.read(sharded(tmp_path, "alexnet_00000.weights.h5")).arrays
    np.testing.assert_array_equal(arrays["conv1/kernel"], ARRAYS["conv1"][0])


@pytest.mark.parametrize(
    "name", ["../secret_00000.weights.h5", "{outside}/alexnet_00000.weights.h5", "other.weights.h5"]
)
def test_only_its_own_shards_are_read(tmp_path, name):
    (tmp_path / "own").mkdir()
    written(tmp_path / "secret_00000.weights.h5")
    written(tmp_path / "own" / "other.weights.h5")
    path = sharded(tmp_path / "own", "alexnet_00000.weights.h5", name.format(outside=tmp_path))
    assert_refused(path, "a Keras file of sharded weights.* is not one of its shards")


def test_shard_that_is_a_link(tmp_path):
    path = sharded(tmp_path, "alexnet_00000.weights.h5", "alexnet_00001.weights.h5")
    (tmp_path / "alexnet_00001.weights.h5").symlink_to(written(tmp_path / "secret.weights.h5"))
    assert_refused(path, r"alexnet_00001\.weights\.h5 is not one of its shards")


def test_missing_shard(tmp_path):
    assert_refused(sharded(tmp_path, "alexnet_00001.weights.h5"), "Keras file of sharded weights.*alexnet_00001")


def test_weights_of_keras_2_with_data_in_another_file(tmp_path):
    (tmp_path / "secret").write_bytes(bytes(24))
    with h5py.File(tmp_path / "alexnet.h5", "w") as root:
        root.attrs["layer_names"] = [b"conv1"]
        root.create_dataset("conv1/conv1/kernel:0", (6,), np.float32, external=[(tmp_path / "secret", 0, 24)])
    assert_refused(tmp_path / "alexnet.h5", "its data are in another file")


@pytest.mark.parametrize("place", ["conv1", "conv1/conv1/kernel:0"])
def test_weights_of_keras_2_whose_names_are_links_have_nothing(tmp_path, place):
    with h5py.File(tmp_path / "secret.h5", "w") as root:
        root["conv1/conv1/kernel:0"] = ARRAYS["conv1"][0]
    with h5py.File(tmp_path / "alexnet.h5", "w") as root:
        root.attrs["layer_names"] = [b"conv1"]
        root[place] = h5py.ExternalLink(tmp_path / "secret.h5", place)
    assert formats.read(tmp_path / "alexnet.h5").arrays == {}


def test_a_rate_of_dropout_is_the_share_that_is_dropped():
    """With a rate other than one half, what is kept differs from what is dropped."""
    layers = [("fc6", None, True), ("drop6", 0.25, False), ("fc7", None, True), ("fc8", None, True)]
    assert conventions.input_scales(layers) == {"fc7": 0.75}


def test_a_caffe_network_in_double_precision():
    """A BlobProto of caffe.proto by hand: the shape (2, 3) in field 7, and six packed doubles in field 8."""
    numbers = np.arange(6, dtype="<f8") / 3
    blob = bytes([7 << 3 | 2, 4, 1 << 3, 2, 1 << 3, 3]) + bytes([8 << 3 | 2, 48]) + numbers.tobytes()
    np.testing.assert_array_equal(caffe._array(memoryview(blob)), numbers.reshape(2, 3))


def test_constants_that_an_onnx_network_leaves_out_are_those_of_the_standard():
    """Operator LRN: alpha 0.0001, beta 0.75, bias 1.0; the size is required."""
    onnx = pytest.importorskip("onnx")
    node = onnx.helper.make_node("LRN", ["x"], ["y"], size=5)
    assert onnx_files._constants(onnx, node) == (5, 1.0, 1e-4 / 5, 0.75)
