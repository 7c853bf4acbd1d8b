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


def setting(default: Any, help: str, alias: str | None = None) -> Any:
    """Declare a field with the words that explain it on the command line, and its name until version 0.1.0."""
    return dataclasses.field(default=default, metadata={"help": help, "alias": alias})


@dataclasses.dataclass(frozen=True)
class Recipe:
    """What decides the result of a run. The defaults are the paper's; what is ours says so.

    Raises:
        ValueError: If a setting makes no sense.

    Example:
        >>> RECIPES["text"].batch_size
        128
    """

    architecture: str = setting("paper", "the network, a name in ARCHITECTURES")
    initial_weights: str | None = setting(None, "where the weights start, else as the architecture has it; text fades")
    dropout: float = setting(0.5, "share of the hidden units silenced in training (4.2)")
    crop_size: int = setting(
        227, "height and width of what the network sees, pixels; the text's 224 gives the same maps", alias="size"
    )
    resize_size: int = setting(256, "shorter side of a picture before it is cropped, pixels (2)", alias="side")
    mean: str = setting(
        "color",
        "what is subtracted: color, one grey level a channel, or image, one a pixel (2), both of the training set; or "
        "architecture, what the network's authors subtract and divide by, for weights of theirs",
    )
    augmentation: tuple[str, ...] = setting(("crop", "mirror", "lighting"), "what happens to a view (4.1)")
    lighting: str = setting("text", "deviation of the lighting noise: the eigenvalue (text) or its root (source) (4.1)")
    lighting_std: float = setting(0.1, "strength of the lighting noise (4.1)")
    rotation: float = setting(25.0, "ours: largest angle of a rotation to either side, degrees")
    scaling: float = setting(0.4, "ours: largest change of size by scaling, as a share")
    translation: float = setting(0.1, "ours: largest move by translation, as a share of the side")
    noise_std: float = setting(8.0, "ours: deviation of the noise, grey levels")
    batch_size: int = setting(128, "images a step, over all devices together (5)")
    epochs: int = setting(90, "times that every training image is seen (5)")
    learning_rate: float = setting(0.01, "learning rate of the first epoch (5)")
    bias_learning_rate_factor: float = setting(1.0, "how much faster biases learn; 2 in the authors' code (5)")
    momentum: float = setting(0.9, "share of the velocity that is kept (5)")
    weight_decay: float = setting(0.0005, "weight decay, on kernels alone (5)", alias="decay")
    decay_into: str = setting("velocity", "where the decay goes: velocity, as in the paper, or weights, beside it (5)")
    patience: int = setting(5, "ours: epochs without a new best before the learning rate is divided by ten")
    divisions: int = setting(3, "times that the learning rate is divided by ten at most (5)")
    divide_after: tuple[int, ...] = setting(
        (), "epochs after which it is divided by ten whatever the error, as the authors did by hand; else by patience"
    )

    def __post_init__(self):
        unknown = sorted(set(self.augmentation) - set(AUGMENTATIONS))
        if unknown:
            raise ValueError(f"`augmentation` must be of {', '.join(AUGMENTATIONS)}. Received: {', '.join(unknown)}")
        _check_choice("mean", self.mean, ("color", "image", "architecture"))
        _check_choice("lighting", self.lighting, ("text", "source"))
        _check_choice("decay_into", self.decay_into, ("velocity", "weights"))
        for name in ("crop_size", "batch_size", "epochs", "learning_rate", "patience"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be more than zero. Received: {getattr(self, name)}")
        for name in ("weight_decay", "bias_learning_rate_factor", "lighting_std", "divisions", "rotation", "noise_std"):
            if not getattr(self, name) >= 0:
                raise ValueError(f"`{name}` must be at least zero. Received: {getattr(self, name)}")
        for name in ("dropout", "momentum", "scaling", "translation"):
            if not 0 <= getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 0 and less than 1. Received: {getattr(self, name)}")
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
        new_names = {field.metadata["alias"]: field.name for field in dataclasses.fields(cls)}
        return cls(
            **{
                new_names.get(name, name): tuple(value) if isinstance(value, list) else value
                for name, value in fields.items()
            }
        )


@dataclasses.dataclass(frozen=True)
class Options:
    """What a run is beside its recipe: which data, which machine, which draw of the random numbers."""

    dataset: str = setting("petals", "petals, the name of any TFDS image classification set, or a folder of folders")
    data_dir: str | None = setting(None, "where TFDS keeps its data; else TFDS_DATA_DIR, else its own default")
    seed: int = setting(0, "of the initial weights, the order of the images, their views and the dropout")
    precision: str = setting("auto", "float32, mixed_bfloat16, mixed_float16, or auto: the fastest of the first two")
    steps_per_epoch: int | None = setting(None, "end every epoch after so many batches")
    devices: int | None = setting(None, "how many devices train; all GPUs if not given")
    virtual_devices: int | None = setting(None, "split the CPU in so many devices, to rehearse")
    strategy: str = setting("mirrored", "of tf.distribute: mirrored, or multiworker on several machines (TF_CONFIG)")
    deterministic: bool = setting(False, "the same numbers to the last bit, again and resumed; somewhat slower")
    checkpoint_steps: int | None = setting(None, "save so often within an epoch; it is saved after each in any case")
    weights: str | None = setting(None, "a file with weights of the same network to start from")
    head: str = setting("kept", "of --weights: kept, or new to start the last layer anew for other classes")

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
    "source": Recipe(  # the authors' layer-params-145, but that they never divided the learning rate of biases
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

DEFAULT_RECIPES = {"petals": "petals", "oxford_flowers102": "flowers"}  # any other data set: "text"
