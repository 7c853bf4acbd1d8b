"""Every number that decides a result, in named recipes (paper sections 4 and 5).

A recipe is data: which network is trained, on which views, by which update rule. A run folder keeps the recipe it was
made with, so that its result can be made again.
"""

import dataclasses
from typing import Any

# What can happen to a training picture, in the order in which it happens. A new name needs a function of that name in
# data/augmentation.py. It gets a crop with pixel values of 0 to 255, a seed, and the arguments given here. Each takes
# the value of a setting of the recipe. Seeds follow names, so a new name changes no other augmentation.
AUGMENTATIONS: dict[str, dict[str, str]] = {
    "rotation": {"rotation": "rotation"},
    "scaling": {"scaling": "scaling"},
    "translation": {"translation": "translation"},
    "resized_crop": {},  # in place of "crop"
    "crop": {},
    "vertical_flip": {},
    "mirror": {},
    "lighting": {"form": "lighting", "std": "lighting_std"},
    "noise": {"std": "noise_std"},
}


def setting(
    default: Any, help: str, group: str, aliases: tuple[str, ...] = (), choices: tuple[str, ...] | None = None
) -> Any:
    """Declare a field and its flag on the command line.

    Args:
        default: The default.
        help: What it is, for `--help`.
        group: Title of the group of flags that it belongs to.
        aliases: Other names of the flag, such as those until version 0.1.0.
        choices: The values that it can have, where there are few.
    """
    return dataclasses.field(
        default=default, metadata={"help": help, "group": group, "aliases": aliases, "choices": choices}
    )


# Groups of flags
_NETWORK = "the network"
_PICTURES = "the pictures"
_AUGMENTATION = "augmentation"
_LEARNING = "learning"
_DATA = "the data"
_RUN = "the run"
_DEVICES = "devices and precision"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What decides the result of a run. The defaults are the paper's; what is ours says so.

    Raises:
        ValueError: If a setting makes no sense.

    Example:
        >>> RECIPES["text"].batch_size
        128
    """

    architecture: str = setting("paper", "name in ARCHITECTURES, see keras_alexnet.describe", _NETWORK)
    initial_weights: str | None = setting(
        None, "initial weights by name, else the architecture's own; the signal fades with text", _NETWORK
    )
    dropout: float = setting(0.5, "share of the hidden units that are dropped in training (4.2)", _NETWORK)
    crop_size: int = setting(
        227, "height and width of the network's input, pixels; 224 as printed gives the same maps", _PICTURES, ("size",)
    )
    resize_size: int = setting(256, "shorter side of a picture before it is cropped, pixels (2)", _PICTURES, ("side",))
    mean: str = setting(
        "color",
        "what is subtracted: color, the mean color of the training set; image, its mean image (2); or architecture, "
        "what the authors of the network subtract and divide by, for weights of theirs",
        _PICTURES,
        choices=("color", "image", "architecture"),
    )
    augmentation: tuple[str, ...] = setting(
        ("crop", "mirror", "lighting"), f"augmentations, of {', '.join(AUGMENTATIONS)} (4.1)", _AUGMENTATION
    )
    lighting: str = setting(
        "text",
        "std of the PCA lighting: the eigenvalue (text) or its square root (source) (4.1)",
        _AUGMENTATION,
        choices=("text", "source"),
    )
    lighting_std: float = setting(0.1, "strength of the PCA lighting (4.1)", _AUGMENTATION)
    rotation: float = setting(25.0, "largest rotation to either side, degrees (ours)", _AUGMENTATION)
    scaling: float = setting(0.4, "largest change of size, as a share (ours)", _AUGMENTATION)
    translation: float = setting(0.1, "largest translation, as a share of the picture (ours)", _AUGMENTATION)
    noise_std: float = setting(8.0, "std of the pixel noise, of 0 to 255 (ours)", _AUGMENTATION)
    batch_size: int = setting(128, "images per step, over all devices together (5)", _LEARNING)
    epochs: int = setting(90, "passes over the training images (5)", _LEARNING)
    learning_rate: float = setting(0.01, "learning rate of the first epoch (5)", _LEARNING, ("lr",))
    bias_learning_rate_factor: float = setting(
        1.0, "what the learning rate of biases is multiplied by; 2 in the authors' code (5)", _LEARNING
    )
    momentum: float = setting(0.9, "momentum (5)", _LEARNING)
    weight_decay: float = setting(0.0005, "weight decay, on kernels only (5)", _LEARNING, ("decay",))
    decay_into: str = setting(
        "velocity",
        "where the weight decay goes: into the velocity as in the paper, or into the weights (decoupled)",
        _LEARNING,
        choices=("velocity", "weights"),
    )
    patience: int = setting(
        5, "epochs without a lower validation error before the learning rate is divided by ten (ours)", _LEARNING
    )
    divisions: int = setting(3, "how often the learning rate is divided by ten at most (5)", _LEARNING)
    divide_after: tuple[int, ...] = setting(
        (),
        "epochs after which it is divided by ten whatever the error, as the authors did; else by patience",
        _LEARNING,
    )
    schedule: str = setting(
        "divided",
        "divided: by ten, by --patience or --divide-after (5); cosine: falls to zero over all steps (ours)",
        _LEARNING,
        choices=("divided", "cosine"),
    )
    warmup_steps: int = setting(0, "steps over which the learning rate grows from zero (ours)", _LEARNING)
    clip_norm: float | None = setting(
        None, "largest norm of all gradients together; longer ones are scaled (ours)", _LEARNING
    )

    def __post_init__(self):
        unknown = sorted(set(self.augmentation) - set(AUGMENTATIONS))
        if unknown:
            raise ValueError(f"`augmentation` must be of {', '.join(AUGMENTATIONS)}. Received: {', '.join(unknown)}")
        _check_choice("mean", self.mean, ("color", "image", "architecture"))
        _check_choice("lighting", self.lighting, ("text", "source"))
        _check_choice("decay_into", self.decay_into, ("velocity", "weights"))
        _check_choice("schedule", self.schedule, ("divided", "cosine"))
        for name in ("crop_size", "batch_size", "epochs", "learning_rate", "patience"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be more than zero. Received: {getattr(self, name)}")
        for name in (
            "weight_decay",
            "warmup_steps",
            "bias_learning_rate_factor",
            "lighting_std",
            "divisions",
            "rotation",
            "noise_std",
        ):
            if not getattr(self, name) >= 0:
                raise ValueError(f"`{name}` must be at least zero. Received: {getattr(self, name)}")
        for name in ("dropout", "momentum", "scaling", "translation"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 0 and less than 1. Received: {getattr(self, name)}")
        if self.clip_norm is not None and not self.clip_norm > 0:
            raise ValueError(f"`clip_norm` must be more than zero. Received: {self.clip_norm}")
        if any(epoch < 1 for epoch in self.divide_after):
            raise ValueError(f"`divide_after` must be numbers of epochs, from 1. Received: {self.divide_after}")
        if self.resize_size < self.crop_size:
            raise ValueError(
                "`resize_size` must be at least `crop_size`. "
                f"Received: resize_size={self.resize_size}, crop_size={self.crop_size}"
            )

    @classmethod
    def of(cls, fields: dict[str, Any]) -> "Recipe":
        """Return the recipe that was read from JSON, where tuples have become lists.

        Settings that an older recipe does not have get their default, and settings that were renamed their new name.

        Example:
            >>> Recipe.of({"augmentation": ["crop"], "size": 131}).crop_size
            131
        """
        new_names = {alias: field.name for field in dataclasses.fields(cls) for alias in field.metadata["aliases"]}
        return cls(
            **{
                new_names.get(name, name): tuple(value) if isinstance(value, list) else value
                for name, value in fields.items()
            }
        )


@dataclasses.dataclass(frozen=True)
class Options:
    """What a run is beside its recipe: which data, which machine, which draw of the random numbers."""

    dataset: str = setting(
        "petals", "petals (drawn flowers), an image classification set of TFDS by name, or a folder of pictures", _DATA
    )
    data_dir: str | None = setting(None, "where TFDS keeps its data; else TFDS_DATA_DIR, else TFDS's default", _DATA)
    seed: int = setting(0, "seed of initial weights, order of the images, augmentation and dropout", _RUN)
    precision: str = setting(
        "auto",
        "precision policy; auto is mixed_bfloat16 where the hardware multiplies bfloat16, else float32",
        _DEVICES,
        choices=("auto", "float32", "mixed_bfloat16", "mixed_float16"),
    )
    steps_per_epoch: int | None = setting(None, "end every epoch after this many batches", _RUN)
    devices: int | None = setting(None, "how many devices train; all GPUs if not given", _DEVICES)
    virtual_devices: int | None = setting(None, "split the CPU into this many devices, to rehearse", _DEVICES)
    strategy: str = setting(
        "mirrored",
        "of tf.distribute: mirrored, or multiworker on several machines (TF_CONFIG)",
        _DEVICES,
        choices=("mirrored", "multiworker"),
    )
    deterministic: bool = setting(False, "compute the same numbers to the last bit every time; slower", _RUN)
    checkpoint_steps: int | None = setting(
        None, "save every N steps within an epoch; after each epoch in any case", _RUN
    )
    weights: str | None = setting(None, "file with weights of the same network to start from", _RUN)
    head: str = setting(
        "kept",
        "last layer of --weights: kept, or new to start it from random weights for other classes",
        _RUN,
        choices=("kept", "new"),
    )

    def __post_init__(self):
        _check_choice("precision", self.precision, ("auto", "float32", "mixed_bfloat16", "mixed_float16"))
        _check_choice("strategy", self.strategy, ("mirrored", "multiworker"))
        _check_choice("head", self.head, ("kept", "new"))
        for name in ("steps_per_epoch", "devices", "virtual_devices", "checkpoint_steps"):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received: {getattr(self, name)}")


def _check_choice(name, value, choices):
    if value not in choices:
        raise ValueError(f"`{name}` must be {' or '.join(choices)}. Received: {value!r}")


FIGURE_1 = Recipe(  # without regularization of any kind; the learning rate, the best of 0.001 to 0.03, is ours
    architecture="figure_1",
    crop_size=32,
    resize_size=32,
    augmentation=(),
    weight_decay=0.0,
    learning_rate=0.003,
    epochs=16,
    divisions=0,
)

RECIPES = {
    "text": Recipe(),
    "source": Recipe(  # the authors' layer-params-145; they divided the learning rate of biases in some runs only
        architecture="source", crop_size=224, mean="image", lighting="source", bias_learning_rate_factor=2.0
    ),
    "caffe": Recipe(  # of bvlc_alexnet: rates divided each 100,000 batches of 256, which are 20 epochs of ImageNet
        architecture="caffe",
        mean="image",
        augmentation=("crop", "mirror"),
        batch_size=256,
        bias_learning_rate_factor=2.0,
        divide_after=(20, 40, 60, 80),
    ),
    "torchvision": Recipe(  # of its references/classification, for AlexNet; there the decay is on biases as well
        architecture="one_weird_trick",
        crop_size=224,
        mean="architecture",
        augmentation=("resized_crop", "mirror"),
        batch_size=256,
        weight_decay=0.0001,
        divide_after=(30, 60),
    ),
    "tflearn": Recipe(  # of its example for Flowers-17, which goes on for 1000 epochs, on pictures squashed to squares
        architecture="tflearn",
        resize_size=227,
        mean="architecture",
        augmentation=(),
        batch_size=64,
        learning_rate=0.001,
        weight_decay=0.0,
        divisions=0,
    ),
    "flowers": Recipe(  # ours, for 1020 training pictures: small views, so many epochs an hour, and more variety
        crop_size=131,
        resize_size=148,
        augmentation=("crop", "mirror", "lighting", "vertical_flip", "rotation", "scaling", "translation"),
        lighting="source",
        lighting_std=0.2,
        batch_size=32,
        epochs=240,
        learning_rate=0.0025,
        weight_decay=0.005,
        patience=15,  # after an empty --divide-after
        divide_after=(200, 224),
    ),
    "ablation": Recipe(  # ours: views small enough for many seeds on two cores, and a schedule that no error moves
        crop_size=131,
        resize_size=148,
        lighting="source",
        batch_size=32,
        epochs=36,
        learning_rate=0.0025,  # at 0.01 the network stays at chance
        divide_after=(30,),
    ),
    "figure_1": FIGURE_1,
    "figure_1_tanh": dataclasses.replace(FIGURE_1, architecture="figure_1_tanh", learning_rate=0.03, epochs=60),
    "petals": Recipe(  # ours, for some minutes on two cores: small views, small steps
        crop_size=99,
        resize_size=112,
        dropout=0.2,
        batch_size=16,
        epochs=16,
        learning_rate=0.001,
        patience=6,
    ),
}

PURPOSES = {  # what each recipe is for, for --help
    "text": "the paper's text, for 1.2 million pictures",
    "source": "the authors' own code, for 1.2 million pictures",
    "caffe": "Caffe's replication (bvlc_alexnet)",
    "torchvision": "torchvision's training of its AlexNet",
    "tflearn": "tflearn's example for Oxford Flowers 17",
    "flowers": "ours for Flowers-102, 1,020 training pictures",
    "ablation": "ours for comparing networks with several seeds",
    "figure_1": "the four-layer network of figure 1 on CIFAR-10, with ReLU",
    "figure_1_tanh": "the same with tanh",
    "petals": "ours for the drawn flowers, a few minutes on two cores",
}

# Any other data set gets settings that follow from its pictures: see training.defaults.
DEFAULT_RECIPES = {"petals": "petals", "oxford_flowers102": "flowers"}
