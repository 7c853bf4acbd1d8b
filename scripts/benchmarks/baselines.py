"""The baselines of benchmark.py: the same network in plain Keras and PyTorch, the same crops with Pillow.

TensorFlow and PyTorch are imported where they are used: the workers of the DataLoader import this module.
"""

import contextlib
import functools
import importlib.util
import typing
from collections.abc import Callable, Sequence

import numpy as np
from PIL import Image

from keras_alexnet.recipes import Recipe

if typing.TYPE_CHECKING:
    import keras
    import tensorflow as tf
    import torch

    from keras_alexnet.data.statistics import Statistics

CLASSES = 1000
LEARNING_RATE, MOMENTUM, DECAY = 0.01, 0.9, 0.0005  # section 5
WORKERS = 2  # of the DataLoader
HAS_PYTORCH = importlib.util.find_spec("torch") is not None
NO_PYTORCH = "PyTorch, which is not installed (pip install torch)"
HAS_ONNX_RUNTIME = all(importlib.util.find_spec(name) for name in ("onnx", "onnxruntime"))
ONNX_PROVIDERS = ("CUDAExecutionProvider", "CPUExecutionProvider")
NO_ONNX_RUNTIME = "ONNX Runtime, which is not installed (pip install onnx onnxruntime)"


def final_side(size: int) -> int:
    """Return the height and width of the last maps, such as 6 for a crop of 227 pixels.

    Raises:
        ValueError: If a convolution or a pooling would leave pixels over. Frameworks differ in what they do with them.
    """
    side, rest = divmod(size - 67, 32)  # 67 leaves one place; 32 is the product of the strides
    if side < 0 or rest:
        raise ValueError(f"`--size` must be 67 and any number of times 32, as 227 is. Received: {size}")
    return side + 1


def response_normalization(x: "tf.Tensor") -> "tf.Tensor":
    """Normalize with TensorFlow's own operation, which takes only float32 on the CPU."""
    import tensorflow as tf

    return tf.cast(tf.nn.lrn(tf.cast(x, tf.float32), depth_radius=2, bias=2.0, alpha=1e-4, beta=0.75), x.dtype)


def keras_networks(model: "keras.Model") -> "dict[str, Callable[[], keras.Model]]":
    """Return functions that build the network in Keras, by their setting."""
    return {f"jit_compile={jit!r}": functools.partial(keras_network, model, jit) for jit in (False, "auto")}


def keras_network(model: "keras.Model", jit_compile: bool | str = False) -> "keras.Model":
    """Build the network in plain Keras: `Conv2D(groups=2)`, `tf.nn.lrn`, `SGD`.

    Args:
        model: The network whose input shape and weights are copied.
        jit_compile: As in `keras.Model.compile`.

    Returns:
        A compiled model.
    """
    import keras
    from keras import layers

    network = keras.Sequential(
        [
            layers.Input(model.input_shape[1:]),
            *convolutions_and_poolings(),
            layers.Flatten(),
            layers.Dense(4096, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(4096, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(CLASSES, activation="softmax", dtype="float32"),
        ]
    )
    network.set_weights(model.get_weights())
    optimizer = keras.optimizers.SGD(LEARNING_RATE, momentum=MOMENTUM, weight_decay=DECAY)
    network.compile(optimizer, loss="sparse_categorical_crossentropy", jit_compile=jit_compile)
    return network


def convolutions_and_poolings() -> "list[keras.layers.Layer]":
    """Return the layers up to the last pooling in plain Keras: `Conv2D(groups=2)` and `tf.nn.lrn`."""
    from keras import layers

    return [
        layers.Conv2D(96, 11, strides=4, activation="relu"),
        layers.Lambda(response_normalization),
        layers.MaxPooling2D(3, strides=2),
        layers.Conv2D(256, 5, padding="same", groups=2, activation="relu"),
        layers.Lambda(response_normalization),
        layers.MaxPooling2D(3, strides=2),
        layers.Conv2D(384, 3, padding="same", activation="relu"),
        layers.Conv2D(384, 3, padding="same", groups=2, activation="relu"),
        layers.Conv2D(256, 3, padding="same", groups=2, activation="relu"),
        layers.MaxPooling2D(3, strides=2),
    ]


def pytorch_networks(model: "keras.Model", precision: str, threads: int) -> "dict[str, Callable[[], PyTorchNetwork]]":
    """Return functions that build the network in PyTorch, by their setting."""
    formats = ("contiguous", "channels_last")
    return {name: functools.partial(PyTorchNetwork, model, name, precision, threads) for name in formats}


class PyTorchNetwork:
    """The same network in PyTorch, run eagerly, on a GPU where there is one.

    Args:
        model: The network whose input shape and weights are copied.
        memory_format: "contiguous" or "channels_last".
        precision: "float32" or "bfloat16".
        threads: Number of threads.
    """

    def __init__(self, model: "keras.Model", memory_format: str, precision: str, threads: int):
        import torch

        torch.set_num_threads(threads)
        formats = {"contiguous": torch.contiguous_format, "channels_last": torch.channels_last}
        self.format = formats[memory_format]
        self.network = pytorch_layers(final_side(model.input_shape[1]))
        copy_weights(model, self.network)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.network.to(self.device, memory_format=self.format)
        parameters = self.network.parameters()
        self.optimizer = torch.optim.SGD(parameters, LEARNING_RATE, momentum=MOMENTUM, weight_decay=DECAY)
        autocast = functools.partial(torch.autocast, self.device.type, torch.bfloat16)
        self.precision = autocast if precision == "bfloat16" else contextlib.nullcontext

    def tensors(self, images: np.ndarray, labels: np.ndarray) -> "tuple[torch.Tensor, torch.Tensor]":
        """Return a NumPy batch `(batch, size, size, 3)` and its labels in the layout of this network."""
        import torch

        images = torch.from_numpy(images).permute(0, 3, 1, 2)  # (batch, 3, size, size)
        images = images.contiguous(memory_format=self.format)
        return images.to(self.device), torch.from_numpy(labels).to(self.device)

    def train_on_batch(self, images: "torch.Tensor", labels: "torch.Tensor") -> float:
        """Take one step and return the loss."""
        import torch

        self.network.train()
        self.optimizer.zero_grad()
        with self.precision():
            loss = torch.nn.functional.cross_entropy(self.network(images), labels)
        loss.backward()
        self.optimizer.step()
        return loss.item()

    def predict_on_batch(self, images: "torch.Tensor") -> np.ndarray:
        """Return the probabilities, of shape `(batch, classes)`."""
        import torch

        self.network.eval()
        with torch.inference_mode(), self.precision():
            return self.network(images).softmax(-1).float().cpu().numpy()


class ExportedNetwork:
    """An exported network. It takes uint8 images, `(batch, size, size, 3)`, and subtracts the mean itself."""


class OnnxNetwork(ExportedNetwork):
    """The network as this library exports it to ONNX, in ONNX Runtime, on a GPU where it finds one.

    Args:
        model: The network.
    """

    def __init__(self, model: "keras.Model"):
        import onnxruntime

        from keras_alexnet.export import onnx

        file = onnx.convert(model).SerializeToString()
        providers = [name for name in ONNX_PROVIDERS if name in onnxruntime.get_available_providers()]
        self.session = onnxruntime.InferenceSession(file, providers=providers)

    def predict_on_batch(self, images: np.ndarray) -> np.ndarray:
        """Return the probabilities, of shape `(batch, classes)`, for uint8 images."""
        return self.session.run(["probabilities"], {"image": images})[0]


def pytorch_layers(side: int) -> "torch.nn.Sequential":
    """Build the network up to the logits. PyTorch divides alpha by the window of 5, so it is five times ours."""
    from torch import nn

    return nn.Sequential(
        nn.Conv2d(3, 96, 11, stride=4),
        nn.ReLU(inplace=True),
        nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(96, 256, 5, padding=2, groups=2),
        nn.ReLU(inplace=True),
        nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0),
        nn.MaxPool2d(3, stride=2),
        nn.Conv2d(256, 384, 3, padding=1),
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 384, 3, padding=1, groups=2),
        nn.ReLU(inplace=True),
        nn.Conv2d(384, 256, 3, padding=1, groups=2),
        nn.ReLU(inplace=True),
        nn.MaxPool2d(3, stride=2),
        nn.Flatten(),
        nn.Linear(256 * side * side, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(4096, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(4096, CLASSES),
    )


def copy_weights(model: "keras.Model", network: "torch.nn.Sequential") -> None:
    """Copy the weights of a Keras network into a PyTorch one, whose axes have another order."""
    import torch

    ours = [layer for layer in model.layers if layer.weights]
    theirs = [layer for layer in network if hasattr(layer, "weight")]
    side = final_side(model.input_shape[1])
    for layer, other in zip(ours, theirs, strict=True):
        kernel, bias = layer.get_weights()
        if kernel.ndim == 4:
            kernel = kernel.transpose(3, 2, 0, 1)
        elif len(kernel) == 256 * side * side:  # fc6: flattened from (side, side, 256) there, (256, side, side) here
            kernel = kernel.reshape(side, side, 256, -1).transpose(3, 2, 0, 1).reshape(-1, len(kernel))
        else:
            kernel = kernel.T
        with torch.no_grad():
            other.weight.copy_(torch.from_numpy(np.ascontiguousarray(kernel)))
            other.bias.copy_(torch.from_numpy(bias))


class PillowCrops:
    """Random training crops of picture files, read with Pillow: a data set for a DataLoader.

    It does what torchvision's transforms do, in fewer passes over the pixels: 0.1 ms per picture instead of 0.4.

    Args:
        paths: The files.
        labels: One integer per file.
        statistics: Statistics of the files.
        recipe: Gives `resize_size`, `crop_size` and `lighting_std`.
    """

    def __init__(self, paths: Sequence[str], labels: Sequence[int], statistics: "Statistics", recipe: Recipe):
        self.paths, self.labels = paths, labels
        self.mean = statistics.mean_color
        self.axes = statistics.eigenvectors * (statistics.eigenvalues / 255 * recipe.lighting_std)
        self.resize_size, self.crop_size = recipe.resize_size, recipe.crop_size

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> "tuple[torch.Tensor, int]":
        import torch

        random = np.random.default_rng()
        top, left = random.integers(self.resize_size - self.crop_size + 1, size=2)
        crop = self.resized(index)[top : top + self.crop_size, left : left + self.crop_size]
        if random.random() < 0.5:
            crop = crop[:, ::-1]
        planes = torch.from_numpy(np.ascontiguousarray(crop.transpose(2, 0, 1))).float()  # (3, height, width)
        color = np.float32(self.axes @ random.normal(size=3)) - self.mean
        return planes.add_(torch.from_numpy(color)[:, None, None]), self.labels[index]

    def resized(self, index: int) -> np.ndarray:
        """Resize the shorter side to `resize_size` and return the central square."""
        with Image.open(self.paths[index]) as file:
            image = file.convert("RGB")
        side = self.resize_size
        scale = side / min(image.size)
        width, height = (round(scale * length) for length in image.size)
        image = image.resize((width, height), Image.Resampling.BILINEAR)
        left, top = (width - side) // 2, (height - side) // 2
        return np.asarray(image.crop((left, top, left + side, top + side)))


def pillow_loader(crops: PillowCrops, batch_size: int) -> "torch.utils.data.DataLoader":
    """Return a shuffled PyTorch DataLoader with worker processes that stay between epochs."""
    import torch

    return torch.utils.data.DataLoader(
        crops,
        batch_size,
        shuffle=True,
        drop_last=True,
        num_workers=WORKERS,
        persistent_workers=True,
        multiprocessing_context="spawn",  # a fork of a process with TensorFlow's threads may hang
    )
