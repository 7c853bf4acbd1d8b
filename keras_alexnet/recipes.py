"""Every number that decides a result, in named recipes (paper sections 4 and 5).

A recipe is data: which network is trained, on which views, by which update rule. A run folder keeps the recipe it was
made with, so that its result can be made again.
"""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
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


BALANCES = ("none", "repeat")

# Groups of flags
_NETWORK = "the network"
_PICTURES = "the pictures"
_AUGMENTATION = "augmentation"
_LEARNING = "learning"
_DATA = "the data"
_RUN = "the run"
_DEVICES = "devices and precision"

_MEANS = ("color", "image", "architecture", "network")


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
    dropout_form: str = setting(
        "inverted",
        "inverted: units that are kept are scaled up in training; paper: all are scaled down at test time, which is "
        "another training (4.2)",
        _NETWORK,
        choices=("inverted", "paper"),
    )
    crop_size: int = setting(
        227, "height and width of the network's input, pixels; 224 as printed gives the same maps", _PICTURES, ("size",)
    )
    resize_size: int = setting(256, "shorter side of a picture before it is cropped, pixels (2)", _PICTURES, ("side",))
    mean: str = setting(
        "color",
        "what is subtracted: color, the mean color of the training set; image, its mean image (2); architecture, "
        "what the authors of the network subtract and divide by, for weights of theirs; or network, the same inside "
        "the network, which then takes pixel values of 0 to 255",
        _PICTURES,
        choices=_MEANS,
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
    lighting_until: int | None = setting(
        None, "last epoch with PCA lighting, as the authors turned it off; to the end if not given", _AUGMENTATION
    )
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
    head_learning_rate_factor: float = setting(
        1.0,
        "what the learning rate of the last layer is multiplied by, for a new one on learned layers (ours)",
        _LEARNING,
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
    bias_divide_after: tuple[int, ...] | None = setting(
        None,
        "epochs after which the learning rate of biases is divided by ten; none: never; not given: when that of the "
        "weights is (5)",
        _LEARNING,
    )
    divide_layer_after: tuple[str, ...] = setting(
        (), "layers whose learning rate is divided by ten once more, and after which epoch: conv1:67", _LEARNING
    )
    freeze_layer_after: tuple[str, ...] = setting(
        (), "layers that stop learning, and after which epoch: conv1:72", _LEARNING
    )
    schedule: str = setting(
        "divided",
        "divided: by ten, by --patience or --divide-after (5); cosine: falls to zero over all steps (ours); "
        "exponential: falls to --final-learning-rate, as in later runs of the authors",
        _LEARNING,
        choices=("divided", "cosine", "exponential"),
    )
    final_learning_rate: float | None = setting(
        None, "learning rate after the last step, for --schedule exponential", _LEARNING
    )
    warmup_steps: int = setting(0, "steps over which the learning rate grows from zero (ours)", _LEARNING)
    clip_norm: float | None = setting(
        None, "largest norm of all gradients together; longer ones are scaled (ours)", _LEARNING
    )
    balance: str = setting(
        "none",
        "how uneven classes are sampled: none, as they are; repeat, pictures of rare classes more often (ours)",
        _LEARNING,
        choices=BALANCES,
    )
    stop_after: int | None = setting(
        None, "end the training after this many epochs without a lower validation error; the best is kept", _LEARNING
    )

    def __post_init__(self):
        unknown = sorted(set(self.augmentation) - set(AUGMENTATIONS))
        if unknown:
            raise ValueError(f"`augmentation` must be of {', '.join(AUGMENTATIONS)}. Received: {', '.join(unknown)}")
        if {"crop", "resized_crop"} <= set(self.augmentation):
            raise ValueError("`augmentation` must have either crop or resized_crop. Received: both")
        _check_choice("mean", self.mean, _MEANS)
        _check_choice("lighting", self.lighting, ("text", "source"))
        _check_choice("decay_into", self.decay_into, ("velocity", "weights"))
        _check_choice("schedule", self.schedule, ("divided", "cosine", "exponential"))
        _check_choice("balance", self.balance, BALANCES)
        if self.stop_after is not None and self.stop_after < 1:
            raise ValueError(f"`stop_after` must be at least 1. Received: {self.stop_after}")
        _check_choice("dropout_form", self.dropout_form, ("inverted", "paper"))
        for name in ("crop_size", "batch_size", "epochs", "learning_rate", "patience"):
            if not getattr(self, name) > 0:
                raise ValueError(f"`{name}` must be more than zero. Received: {getattr(self, name)}")
        for name in (
            "weight_decay",
            "warmup_steps",
            "bias_learning_rate_factor",
            "head_learning_rate_factor",
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
        self._check_schedule()
        if self.resize_size < self.crop_size:
            raise ValueError(
                "`resize_size` must be at least `crop_size`. "
                f"Received: resize_size={self.resize_size}, crop_size={self.crop_size}"
            )

    def _check_schedule(self):
        for name in ("divide_after", "bias_divide_after"):
            if any(epoch < 1 for epoch in getattr(self, name) or ()):
                raise ValueError(f"`{name}` must be numbers of epochs, from 1. Received: {getattr(self, name)}")
        if self.lighting_until is not None and self.lighting_until < 0:
            raise ValueError(f"`lighting_until` must be at least zero. Received: {self.lighting_until}")
        layers_and_epochs((*self.divide_layer_after, *self.freeze_layer_after))
        if self.bias_divide_after is not None and self.schedule != "divided":
            raise ValueError(f'`bias_divide_after` needs `schedule="divided"`. Received: {self.schedule!r}')
        if (self.schedule == "exponential") != (self.final_learning_rate is not None):
            raise ValueError(
                '`final_learning_rate` and `schedule="exponential"` need each other. '
                f"Received: final_learning_rate={self.final_learning_rate}, schedule={self.schedule!r}"
            )
        if self.final_learning_rate is not None and not self.final_learning_rate > 0:
            raise ValueError(f"`final_learning_rate` must be more than zero. Received: {self.final_learning_rate}")

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

    def error_name(self) -> str:
        """Return the name of the error by which the best epoch is chosen: with sampling by class, each class counts."""
        return "val_top1_error" if self.balance == "none" else "val_mean_class_error"

    def is_over(self, rows: Sequence[Mapping[str, float]]) -> bool:
        """Return whether a training with this log has ended: after all epochs, or after `stop_after` without a gain.

        Args:
            rows: One mapping per finished epoch, with `error_name()` where there is a validation split.

        Example:
            >>> rows = [{"val_top1_error": error} for error in (0.5, 0.4, 0.4, 0.4)]
            >>> Recipe(stop_after=2).is_over(rows), Recipe(stop_after=3).is_over(rows)
            (True, False)
        """
        errors = [row[self.error_name()] for row in rows if self.error_name() in row]
        waited = len(errors) - 1 - errors.index(min(errors)) if errors else 0
        return len(rows) >= self.epochs or (self.stop_after is not None and waited >= self.stop_after)


@dataclasses.dataclass(frozen=True)
class Options:
    """What a run is beside its recipe: which data, which machine, which draw of the random numbers."""

    dataset: str = setting(
        "petals",
        "petals (drawn flowers), drawn (pictures by formula), an image classification set of TFDS by name, or a folder "
        "of pictures, also zipped, or a CSV file of files and labels",
        _DATA,
    )
    data_dir: str | None = setting(None, "where TFDS keeps its data; else TFDS_DATA_DIR, else TFDS's default", _DATA)
    class_names: str | None = setting(
        None, "file with a name for each class: one per line in order, or lines of a class and its name", _DATA
    )
    validation_share: float = setting(
        0.1,
        "share of the pictures for validation, where the data have no split of their own",
        _DATA,
        ("validation_set",),
    )
    test_share: float = setting(
        0.1, "share of the pictures for the test, where the data have no split of their own; 0 for none", _DATA
    )
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
    checkpoint_path: str | None = setting(
        None, "folder in which this run's checkpoints get a folder of their own; else last/ in the run folder", _RUN
    )
    checkpoint_steps: int | None = setting(
        None, "save a checkpoint every N steps within an epoch, too", _RUN, ("snapshot_step",)
    )
    checkpoint_epochs: int | None = setting(
        None,
        "save a checkpoint every N epochs; else as often as saving takes less than a twentieth of the time, and after "
        "the first, the last and each best epoch",
        _RUN,
        ("snapshot_epoch",),
    )
    max_checkpoints: int = setting(2, "how many checkpoints are kept", _RUN)
    tensorboard_verbose: int = setting(
        0,
        "for TensorBoard after each epoch: 0 losses and errors; histograms of 1 gradients, 2 weights, 3 outputs",
        _RUN,
    )
    max_minutes: float | None = setting(
        None, "end the training in this time; settings that follow from the data are planned for it", _RUN
    )
    quick: bool = setting(False, "a first look: two minutes of training, on small crops", _RUN)
    recover: bool | None = setting(
        None,
        "when training diverges or stays at chance, go back and divide the learning rate by three, up to three times; "
        "on where the settings follow from the data and no --learning-rate is given",
        _RUN,
    )
    weights: str | None = setting(
        None,
        "weights to start from: imagenet, caffe or torchvision, a file, or a run folder, and the settings follow from "
        "them; drawn, for convolutions that learned from drawn pictures, as small sets do by default; or none",
        _RUN,
    )
    head: str = setting(
        "auto",
        "last layer of --weights: kept; new, with random weights for other classes; or auto, new where it must be",
        _RUN,
        choices=("auto", "kept", "new"),
    )

    def __post_init__(self):
        _check_choice("precision", self.precision, ("auto", "float32", "mixed_bfloat16", "mixed_float16"))
        _check_choice("strategy", self.strategy, ("mirrored", "multiworker"))
        _check_choice("head", self.head, ("auto", "kept", "new"))
        for name in (
            "steps_per_epoch",
            "devices",
            "virtual_devices",
            "checkpoint_steps",
            "checkpoint_epochs",
            "max_checkpoints",
        ):
            if getattr(self, name) is not None and getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be at least 1. Received: {getattr(self, name)}")
        if self.max_minutes is not None and not self.max_minutes > 0:
            raise ValueError(f"`max_minutes` must be more than zero. Received: {self.max_minutes}")
        if self.tensorboard_verbose not in (0, 1, 2, 3):
            raise ValueError(f"`tensorboard_verbose` must be 0, 1, 2 or 3. Received: {self.tensorboard_verbose}")


def layers_and_epochs(texts: Iterable[str]) -> list[tuple[str, int]]:
    """Return the layers and the epochs of a setting such as `freeze_layer_after`.

    Raises:
        ValueError: If a text is not a layer, a colon and the number of an epoch, from 1.

    Example:
        >>> layers_and_epochs(("conv1:67", "conv2:70"))
        [('conv1', 67), ('conv2', 70)]
    """
    pairs = []
    for text in texts:
        layer, _, epoch = text.rpartition(":")
        if not layer or not epoch.isdecimal() or int(epoch) < 1:
            raise ValueError(
                f"Expected a layer and the number of an epoch, from 1, such as conv1:67. Received: {text!r}"
            )
        pairs.append((layer, int(epoch)))
    return pairs


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

# The authors' run 145, by the notes in their layer-params-145.cfg. Biases end at 0.02, so they were never divided. Of
# conv1 they are here, with its weights: the notes do not tell, but the file of run 149, at this stage, has 0.002.
SOURCE = Recipe(
    architecture="source",
    dropout_form="paper",
    crop_size=224,
    mean="image",
    lighting="source",
    lighting_until=67,
    epochs=91,
    bias_learning_rate_factor=2.0,
    divide_after=(25, 51, 79),
    bias_divide_after=(),
    divide_layer_after=("conv1:67",),
    freeze_layer_after=("conv1:72",),
)

# Their runs 155 to 158 with an exponential schedule, for all layers and the biases. The notes do not give the number
# of epochs; 90 is the paper's.
SOURCE_EXPONENTIAL = dataclasses.replace(
    SOURCE,
    schedule="exponential",
    learning_rate=0.02,
    final_learning_rate=0.000005,
    epochs=90,
    lighting_until=61,
    divide_after=(),
    bias_divide_after=None,
    divide_layer_after=(),
    freeze_layer_after=("conv1:74",),
)

RECIPES = {
    "text": Recipe(),
    "source": SOURCE,
    "source_2010": dataclasses.replace(  # layer-params-145-2010. Its biases end at 0.002, in all layers
        SOURCE,
        lighting_until=68,
        epochs=93,
        divide_after=(23, 51, 78),
        bias_divide_after=(78,),  # inferred: the notes do not tell; after two divisions, other runs still have 0.02
        divide_layer_after=("conv1:68",),
    ),
    "source_half": dataclasses.replace(  # layer-params-145-half, of 2010. Biases end at 0.02, but for conv1 and conv2
        SOURCE,
        architecture="source_half",
        lighting_until=66,
        epochs=96,
        divide_after=(20, 48, 79),  # 79 is inferred, from run 145: the notes have no third division, the file has
        divide_layer_after=("conv1:66",),
    ),
    "source_155": SOURCE_EXPONENTIAL,
    "source_156": dataclasses.replace(
        SOURCE_EXPONENTIAL, final_learning_rate=0.00001, freeze_layer_after=("conv1:72",)
    ),
    "source_157": dataclasses.replace(
        SOURCE_EXPONENTIAL, learning_rate=0.04, lighting_until=62, freeze_layer_after=("conv1:73",)
    ),
    "source_158": dataclasses.replace(
        SOURCE_EXPONENTIAL,
        learning_rate=0.04,
        final_learning_rate=0.000002,
        lighting_until=63,
        freeze_layer_after=("conv1:77",),
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
    "tflearn": Recipe(  # of the listing for Flowers-17, which goes on for 1000 epochs, on pictures squashed to squares
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
    "drawn": Recipe(  # ours, for the pictures that kernels are learned from; few passes, so little dropout
        initial_weights="zero_biases",
        dropout=0.2,
        crop_size=131,
        resize_size=148,
        lighting="source",
        batch_size=64,
        epochs=4,
        warmup_steps=50,
        clip_norm=5.0,
        schedule="cosine",
    ),
}

PURPOSES = {  # what each recipe is for, for --help
    "text": "the paper's text, for 1.2 million pictures",
    "source": "the authors' own code, for 1.2 million pictures",
    "source_2010": "the same on ImageNet 2010, by the log of that run",
    "source_half": "the authors' half network (section 3.2), by the log of its run",
    "source_155": "the authors' exponential schedule, 0.02 to 0.000005",
    "source_156": "the same, 0.02 to 0.00001",
    "source_157": "the same, 0.04 to 0.000005",
    "source_158": "the same, 0.04 to 0.000002",
    "caffe": "Caffe's replication (bvlc_alexnet)",
    "torchvision": "torchvision's training of its AlexNet",
    "tflearn": "the tflearn listing of many tutorials, for Oxford Flowers 17",
    "flowers": "ours for Flowers-102, 1,020 training pictures",
    "ablation": "ours for comparing networks with several seeds",
    "figure_1": "the four-layer network of figure 1 on CIFAR-10, with ReLU",
    "figure_1_tanh": "the same with tanh",
    "petals": "ours for the drawn flowers, a few minutes on two cores",
    "drawn": "ours for the drawn pictures that kernels are learned from",
}

# How many training pictures a recipe was made for. With less than a hundredth of them it is likely to fail.
MADE_FOR = {
    **dict.fromkeys(("text", "source", "caffe", "torchvision"), 1_200_000),
    **dict.fromkeys(("figure_1", "figure_1_tanh"), 50_000),
    "tflearn": 1_224,
    **dict.fromkeys(("flowers", "ablation"), 1_020),
    "petals": 640,
    "drawn": 25_600,
}
FEW = 0.01

# Any other data set gets settings that follow from its pictures: see training.defaults.
DEFAULT_RECIPES = {"petals": "petals", "drawn": "drawn", "oxford_flowers102": "flowers"}


def too_few_pictures(name: str, pictures: int) -> str | None:
    """Return a line if a recipe was made for many more training pictures than there are, None otherwise.

    Args:
        name: Name of the recipe.
        pictures: Number of training pictures.

    Example:
        >>> too_few_pictures("text", 600)[:70]
        'The recipe text was made for about 1,200,000 training pictures, and wi'
        >>> too_few_pictures("flowers", 600) is None
        True
    """
    if pictures >= FEW * MADE_FOR[name]:
        return None
    return (
        f"The recipe {name} was made for about {MADE_FOR[name]:,} training pictures, and with so few the network may "
        f"learn nothing. Received: {pictures:,}. Leave --recipe out, and the settings follow from the pictures."
    )
