"""The baselines of compare_accuracy.py: torchvision's network in PyTorch, and that of Keras tutorials, both with Adam.

Both use crops and horizontal flips and keep the weights of the epoch with the lowest validation error. TensorFlow and
PyTorch are imported inside functions, because the workers of the DataLoader import this module.
"""

import dataclasses
import pathlib
import typing
from collections.abc import Iterator

import numpy as np
from PIL import Image

if typing.TYPE_CHECKING:
    import keras
    import torch

MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet, from torchvision's documentation
WORKERS = 2  # of the DataLoader


@dataclasses.dataclass(frozen=True)
class Training:
    """The settings of a run.

    Attributes:
        folder: Folder with `train`, `validation` and `test`, each with one folder per class.
        epochs: Number of passes over the training pictures.
        learning_rate: Learning rate of Adam.
        seed: Seed of the initial weights, the order and the crops.
        batch_size: Pictures in a step.
        crop_size: Height and width of the crops in pixels.
        resize_size: Shorter side of the pictures that they are taken from.
    """

    folder: pathlib.Path
    epochs: int
    learning_rate: float
    seed: int
    batch_size: int
    crop_size: int
    resize_size: int

    def class_names(self) -> list[str]:
        """Return the names of the classes, sorted."""
        return sorted(path.name for path in (self.folder / "train").iterdir())


def torchvision_alexnet(classes: int) -> "torch.nn.Module":
    """Build torchvision's AlexNet, the network of Krizhevsky 2014 without normalization.

    Args:
        classes: Number of classes. With 1000 it has 61,100,840 parameters.
    """
    from torch import nn

    def convolution(inputs: int, outputs: int, size: int, **options: int) -> list[nn.Module]:
        return [nn.Conv2d(inputs, outputs, size, **options), nn.ReLU(inplace=True)]

    return nn.Sequential(
        *convolution(3, 64, 11, stride=4, padding=2),
        nn.MaxPool2d(3, stride=2),
        *convolution(64, 192, 5, padding=2),
        nn.MaxPool2d(3, stride=2),
        *convolution(192, 384, 3, padding=1),
        *convolution(384, 256, 3, padding=1),
        *convolution(256, 256, 3, padding=1),
        nn.MaxPool2d(3, stride=2),
        nn.AdaptiveAvgPool2d((6, 6)),
        nn.Flatten(),
        nn.Dropout(),
        nn.Linear(256 * 6 * 6, 4096),
        nn.ReLU(inplace=True),
        nn.Dropout(),
        nn.Linear(4096, 4096),
        nn.ReLU(inplace=True),
        nn.Linear(4096, classes),
    )


class Crops:
    """Labelled pictures of one split for a DataLoader: random crops and horizontal flips, or the central crop.

    Args:
        training: Names the folder and the sizes.
        split: `train`, `validation` or `test`.
    """

    def __init__(self, training: Training, split: str):
        names = training.class_names()
        self.files = [
            (path, label)
            for label, name in enumerate(names)
            for path in sorted((training.folder / split / name).iterdir())
        ]
        self.training, self.is_random = training, split == "train"

    def __len__(self) -> int:
        return len(self.files)

    def __getitem__(self, index: int) -> "tuple[torch.Tensor, int]":
        import torch

        path, label = self.files[index]
        with Image.open(path) as file:
            picture = file.convert("RGB")
        scale = self.training.resize_size / min(picture.size)
        picture = picture.resize([round(scale * length) for length in picture.size], Image.Resampling.BILINEAR)
        size = self.training.crop_size
        spare = torch.tensor([length - size + 1 for length in picture.size])
        left, top = ((torch.rand(2) * spare).long() if self.is_random else spare // 2).tolist()
        pixels = np.asarray(picture.crop((left, top, left + size, top + size)), np.float32) / 255
        if self.is_random and torch.rand(()) < 0.5:
            pixels = pixels[:, ::-1]
        standardized = (pixels - np.float32(MEAN)) / np.float32(STD)  # (height, width, 3)
        return torch.from_numpy(np.ascontiguousarray(standardized.transpose(2, 0, 1))), label  # (3, height, width)

    def batches(self) -> "Iterator[tuple[torch.Tensor, torch.Tensor]]":
        """Return a DataLoader, shuffled for training, whose worker processes stay between epochs."""
        import torch

        return torch.utils.data.DataLoader(
            self,
            self.training.batch_size,
            shuffle=self.is_random,
            num_workers=WORKERS if self.is_random else 0,
            persistent_workers=self.is_random,
            multiprocessing_context="spawn" if self.is_random else None,
        )


class PyTorch:
    """torchvision's AlexNet with Adam and cross-entropy.

    Args:
        training: What to train.
    """

    def __init__(self, training: Training):
        import torch

        torch.manual_seed(training.seed)
        self.training = training
        self.network = torchvision_alexnet(len(training.class_names()))
        self.splits = {split: Crops(training, split).batches() for split in ("train", "validation", "test")}

    def fit(self) -> float:
        """Train, go back to the weights of the best epoch, and return its validation error."""
        import torch

        optimizer = torch.optim.Adam(self.network.parameters(), self.training.learning_rate)
        best, weights = np.inf, {}
        for _ in range(self.training.epochs):
            self.network.train()
            for pictures, labels in self.splits["train"]:
                optimizer.zero_grad()
                torch.nn.functional.cross_entropy(self.network(pictures), labels).backward()
                optimizer.step()
            error = self.error("validation")
            if error < best:
                best, weights = error, {name: value.clone() for name, value in self.network.state_dict().items()}
        self.network.load_state_dict(weights)
        return best

    def error(self, split: str) -> float:
        """Return the top-1 error of central crops."""
        import torch

        self.network.eval()
        with torch.inference_mode():
            wrong = [(self.network(pictures).argmax(1) != labels).numpy() for pictures, labels in self.splits[split]]
        return float(np.concatenate(wrong).mean())


def tutorial_alexnet(classes: int, training: Training) -> "keras.Model":
    """Build the AlexNet of Keras tutorials: raw pixels, augmentation layers, and Keras's default initializers.

    Args:
        classes: Number of classes.
        training: Gives the sizes.
    """
    import keras
    from keras import layers

    from benchmarks.baselines import convolutions_and_poolings

    return keras.Sequential(
        [
            layers.Input((training.resize_size, training.resize_size, 3)),
            layers.RandomCrop(training.crop_size, training.crop_size),
            layers.RandomFlip("horizontal"),
            layers.Rescaling(1 / 255),
            *convolutions_and_poolings(),
            layers.Flatten(),
            layers.Dense(4096, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(4096, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(classes, activation="softmax"),
        ]
    )


class Keras:
    """The AlexNet of Keras tutorials with Adam and `image_dataset_from_directory`.

    Args:
        training: What to train.
    """

    def __init__(self, training: Training):
        import keras

        keras.utils.set_random_seed(training.seed)
        self.training = training
        self.network = tutorial_alexnet(len(training.class_names()), training)
        self.network.compile(
            keras.optimizers.Adam(training.learning_rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
        )

    def fit(self) -> float:
        """Train, go back to the weights of the best epoch, and return its validation error."""
        import keras

        keep = keras.callbacks.EarlyStopping(
            "val_accuracy", patience=self.training.epochs, mode="max", restore_best_weights=True
        )
        history = self.network.fit(
            self.pictures("train"),
            validation_data=self.pictures("validation"),
            epochs=self.training.epochs,
            callbacks=[keep],
            shuffle=False,  # the data set shuffles
            verbose=0,
        )
        return 1 - max(history.history["val_accuracy"])

    def error(self, split: str) -> float:
        """Return the top-1 error with the evaluation crops of `RandomCrop`."""
        return 1 - self.network.evaluate(self.pictures(split), verbose=0)[1]

    def pictures(self, split: str) -> "typing.Any":
        """Return the batches of one split, resized and cropped to a square once."""
        import keras

        size = self.training.resize_size
        pictures = keras.utils.image_dataset_from_directory(
            self.training.folder / split,
            batch_size=self.training.batch_size,
            image_size=(size, size),
            crop_to_aspect_ratio=True,
            shuffle=split == "train",
            seed=self.training.seed,
            verbose=False,
        )
        return pictures.cache() if split != "train" else pictures


BASELINES = {"PyTorch": PyTorch, "Keras": Keras}
