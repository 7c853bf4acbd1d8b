"""PyTorch files from practice: checkpoints of training scripts, and wrapped networks."""

import argparse

import numpy as np
import pytest

from keras_alexnet.weights import formats, pytorch

STATE = {"features.0.weight": np.ones((2, 3, 1, 1), np.float32), "classifier.6.bias": np.zeros(2, np.float32)}
CHECKPOINTS = {
    "state dict alone": (lambda state: state),
    "imagenet example": (lambda state: {"epoch": 90, "arch": "alexnet", "state_dict": state, "optimizer": {}}),
    "tutorial": (lambda state: {"epoch": 3, "model_state_dict": state, "loss": 0.5}),
    "torchvision scripts": (lambda state: {"model": state, "args": argparse.Namespace(lr=0.1), "epoch": 3}),
}
PREFIXES = {
    "module.features.0.weight": "features.0.weight",
    "features.module.0.weight": "features.0.weight",
    "_orig_mod.features.0.weight": "features.0.weight",
    "_orig_mod.module.classifier.6.bias": "classifier.6.bias",
    "module._orig_mod.features.module.0.weight": "features.0.weight",
    "modules.0.weight": "modules.0.weight",
}


@pytest.mark.parametrize("wrap", CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_state_dict_in_a_checkpoint(wrap):
    assert pytorch.state_dict_of(wrap(STATE)) is STATE


@pytest.mark.parametrize("saved", [[1], None, {"state_dict": 3}, {"epoch": 3}])
def test_other_objects_have_no_state_dict(saved):
    assert pytorch.state_dict_of(saved) is saved


@pytest.mark.parametrize(("name", "expected"), PREFIXES.items())
def test_names_without_wrappers(name, expected):
    assert pytorch.without_wrappers(name) == expected


def test_arrays_with_one_name_are_refused():
    with pytest.raises(ValueError, match="it contains an array twice"):
        pytorch.by_torchvision_names({"module.features.0.bias": 1, "features.0.bias": 2})


def test_safetensors_of_a_wrapped_network(tmp_path):
    safetensors = pytest.importorskip("safetensors.numpy")
    safetensors.save_file({f"module.{name}": array for name, array in STATE.items()}, tmp_path / "alexnet.safetensors")
    assert formats.read(tmp_path / "alexnet.safetensors").arrays.keys() == STATE.keys()


@pytest.mark.parametrize("file", ["alexnet.pth", "alexnet.pt", "model_best.pth.tar"])
@pytest.mark.parametrize("wrap", CHECKPOINTS.values(), ids=CHECKPOINTS)
def test_checkpoint_file(tmp_path, file, wrap):
    torch = pytest.importorskip("torch")
    state = {f"module.{name}": torch.nn.Parameter(torch.tensor(array)) for name, array in STATE.items()}
    torch.save(wrap(state), tmp_path / file)
    received = formats.read(tmp_path / file).arrays
    assert received.keys() == STATE.keys()
    for name, array in STATE.items():
        np.testing.assert_array_equal(received[name], array)


class Hostile:
    """Create a file when unpickled."""

    def __init__(self, path):
        self.path = str(path)

    def __reduce__(self):
        return open, (self.path, "w")


@pytest.mark.parametrize("key", ["state_dict", "args", "optimizer"])
def test_code_anywhere_in_a_checkpoint_is_refused(tmp_path, key):
    torch = pytest.importorskip("torch")
    saved = {"model": {"features.0.weight": torch.ones(2)}, key: argparse.Namespace(x=Hostile(tmp_path / "trace"))}
    torch.save(saved, tmp_path / "alexnet.pth")
    with pytest.raises(ValueError, match=r"a PyTorch state dict, undamaged and without code.*more than tensors"):
        formats.read(tmp_path / "alexnet.pth")
    assert not (tmp_path / "trace").exists()
