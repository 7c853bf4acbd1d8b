"""All settings that affect a result, as named recipes (paper sections 4 and 5).

A recipe is data: the network, the preprocessing and the update rule. A run folder stores its recipe, so that the result
can be reproduced.
"""

import dataclasses
import math
import numbers
import types
import typing
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, NamedTuple

# The augmentations, in the order in which they are applied. A new name needs a function of that name in
# data/augmentation.py. The function takes a crop with pixel values 0 to 255, a seed, and the arguments listed here,
# each with the value of a recipe setting. Seeds follow names, so a new name does not change the other augmentations.
AUGMENTATIONS: dict[str, dict[str, str]] = {
    "rotation": {"rotation": "rotation"},
    "scaling": {"scaling": "scaling"},
    "translation": {"translation": "translation"},
    "resized_crop": {"smallest_area": "smallest_area"},  # in place of "crop"
    "crop": {},
    "vertical_flip": {},
    "mirror": {},
    "lighting": {"form": "lighting", "std": "lighting_std"},
    "noise": {"std": "noise_std"},
}


class Rule(NamedTuple):
    """The values that a setting may have.

    Attributes:
        words: Completes the error message "`name` must be".
        allows: Returns whether a value is allowed.
    """

    words: str
    allows: Callable[[Any], bool]


_POSITIVE = Rule("more than zero", lambda value: value > 0)
_NOT_NEGATIVE = Rule("at least zero", lambda value: value >= 0)
_AT_LEAST_ONE = Rule("at least 1", lambda value: value >= 1)
_BETA = Rule("0, or from 0.05 to 100", lambda value: value == 0 or 0.05 <= value <= 100)  # TensorFlow's draws underflow
_LESS_THAN_ONE = Rule("at least 0 and less than 1", lambda value: 0 <= value < 1)
_EPOCHS = Rule("numbers of epochs, from 1", lambda epochs: all(epoch >= 1 for epoch in epochs))


def setting(
    default: Any,
    help: str,
    group: str,
    aliases: tuple[str, ...] = (),
    choices: tuple[str, ...] | None = None,
    rule: Rule | None = None,
) -> Any:
    """Declare a field and its flag on the command line.

    Args:
        default: The default value.
        help: Description for `--help`.
        group: Title of its group of flags.
        aliases: Other names of the flag, such as those of version 0.1.0.
        choices: The allowed values, if there are few.
        rule: The allowed values, if they follow a rule. A default of None is always allowed.
    """
    metadata = {"help": help, "group": group, "aliases": aliases, "choices": choices, "rule": rule}
    return dataclasses.field(default=default, metadata=metadata)


def check_fields(dataclass: "type[Recipe | Options]", values: Mapping[str, Any]) -> None:
    """Check each setting by itself.

    Args:
        dataclass: `Recipe` or `Options`.
        values: Some or all of its settings by name.

    Raises:
        ValueError: If a value is none of its choices or breaks its rule.
    """
    for field in dataclasses.fields(dataclass):
        if field.name not in values:
            continue
        value, choices, rule = values[field.name], field.metadata["choices"], field.metadata["rule"]
        if value is None and field.default is None:
            continue
        if choices and value not in choices:
            raise ValueError(f"`{field.name}` must be {' or '.join(choices)}. Received: {value!r}")
        _check_type(field, value)
        if rule and not rule.allows(value):
            raise ValueError(f"`{field.name}` must be {rule.words}. Received: {value}")


def _check_type(field, value):
    """Check that a number is a number, and a tuple no single value."""
    kind = next((kind for kind in (int, float, tuple) if _is_of(field.type, kind)), None)
    is_number = isinstance(value, numbers.Real) and not isinstance(value, bool)
    if kind is int and not (is_number and isinstance(value, numbers.Integral)):
        raise ValueError(f"`{field.name}` must be an integer. Received: {value!r}")
    if kind is float and not is_number:
        raise ValueError(f"`{field.name}` must be a number. Received: {value!r}")
    if kind is tuple and not isinstance(value, (tuple, list)):
        raise ValueError(f"`{field.name}` must be a tuple, such as ({value!r},). Received: {value!r}")


def _is_of(declared, kind):
    """Return whether a declared type, such as `tuple[int, ...] | None`, is this kind, or one of its alternatives is."""
    alternatives = typing.get_args(declared) if isinstance(declared, types.UnionType) else (declared,)
    return any((typing.get_origin(each) or each) is kind for each in alternatives)


# Groups of flags
_NETWORK = "network"
_PICTURES = "preprocessing"
_AUGMENTATION = "augmentation"
_LEARNING = "optimization"
_DATA = "data"
_RUN = "training run"
_DEVICES = "devices and precision"

STRATEGIES = {  # how devices share a training run, and the backends of Keras that have it
    "mirrored": ("tensorflow", "jax"),
    "multiworker": ("tensorflow",),
    "one_weird_trick": ("jax",),
    "towers": ("tensorflow",),
}


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The settings that affect the result of a run. The defaults are the paper's, except for the initial weights, the
    crop size and the form of dropout (see docs/differences.md); settings of our own are marked.

    Raises:
        ValueError: If a setting is invalid. The names of the network and of its initial weights are checked when it is
            built.

    Example:
        >>> RECIPES["text"].batch_size
        128
    """

    architecture: str = setting("paper", "network, such as paper, source or caffe; docs/networks.md has all", _NETWORK)
    initial_weights: str | None = setting(
        None,
        "initial weights, such as text, source or caffe (default: those of the network); with text, as in the paper, "
        "activations shrink from layer to layer",
        _NETWORK,
    )
    dropout: float = setting(
        0.5, "fraction of the hidden units that is dropped in training (4.2)", _NETWORK, rule=_LESS_THAN_ONE
    )
    dropout_form: str = setting(
        "inverted",
        "inverted: scale the kept units up in training; paper: scale all units down at test time, which trains "
        "differently (4.2)",
        _NETWORK,
        choices=("inverted", "paper"),
    )
    crop_size: int = setting(
        227,
        "height and width of the network's input in pixels; 224, as in the paper, gives maps of the same sizes",
        _PICTURES,
        ("size",),
        rule=_POSITIVE,
    )
    resize_size: int = setting(256, "shorter side of a picture before cropping, in pixels (2)", _PICTURES, ("side",))
    mean: str = setting(
        "color",
        "what to subtract: color, the mean color of the training set; image, its mean image (2); architecture, the "
        "mean and scale of the network's authors, for their weights; or network, the same as the first layer of the "
        "network, which then takes pixel values 0 to 255",
        _PICTURES,
        choices=("color", "image", "architecture", "network"),
    )
    augmentation: tuple[str, ...] = setting(
        ("crop", "mirror", "lighting"), f"augmentations, any of {', '.join(AUGMENTATIONS)} (4.1)", _AUGMENTATION
    )
    lighting: str = setting(
        "text",
        "std of PCA lighting along each axis: the eigenvalue (text) or its square root (source) (4.1)",
        _AUGMENTATION,
        choices=("text", "source"),
    )
    lighting_std: float = setting(0.1, "strength of PCA lighting (4.1)", _AUGMENTATION, rule=_NOT_NEGATIVE)
    lighting_until: int | None = setting(
        None,
        "last epoch with PCA lighting, which the authors turned off (default: the last epoch)",
        _AUGMENTATION,
        rule=_NOT_NEGATIVE,
    )
    rotation: float = setting(
        25.0, "largest rotation to either side in degrees (ours)", _AUGMENTATION, rule=_NOT_NEGATIVE
    )
    scaling: float = setting(0.4, "largest change of size, as a fraction (ours)", _AUGMENTATION, rule=_LESS_THAN_ONE)
    translation: float = setting(
        0.1, "largest translation, as a fraction of the picture (ours)", _AUGMENTATION, rule=_LESS_THAN_ONE
    )
    smallest_area: float = setting(
        0.08,
        "smallest crop of resized_crop, as a fraction of the picture's area (ours)",
        _AUGMENTATION,
        rule=Rule("more than 0 and at most 1", lambda value: 0 < value <= 1),
    )
    cut_from: int | None = setting(
        None,
        "shorter side of the pictures that resized_crop cuts from, in pixels; small parts of larger pictures are "
        "sharper (ours; default: --resize-size)",
        _AUGMENTATION,
    )
    noise_std: float = setting(
        8.0, "std of the pixel noise, on pixel values 0 to 255 (ours)", _AUGMENTATION, rule=_NOT_NEGATIVE
    )
    mixup: float = setting(
        0.0,
        "average pictures in pairs, in shares from Beta(X, X); 0 for none (ours)",
        _AUGMENTATION,
        rule=_BETA,
    )
    cutmix: float = setting(
        0.0,
        "paste a part of another picture into each, of an area from Beta(X, X); 0 for none (ours)",
        _AUGMENTATION,
        rule=_BETA,
    )
    mixed_share: float = setting(
        1.0,
        "fraction of the batches with --mixup or --cutmix (ours)",
        _AUGMENTATION,
        rule=Rule("from 0 to 1", lambda value: 0 <= value <= 1),
    )
    label_smoothing: float = setting(
        0.0, "fraction of every label that is spread over all classes (ours)", _AUGMENTATION, rule=_LESS_THAN_ONE
    )
    batch_size: int = setting(128, "global batch size, over all devices (5)", _LEARNING, rule=_POSITIVE)
    epochs: int = setting(90, "passes over the training images (5)", _LEARNING, rule=_POSITIVE)
    learning_rate: float = setting(0.01, "learning rate of the first epoch (5)", _LEARNING, ("lr",), rule=_POSITIVE)
    bias_learning_rate_factor: float = setting(
        1.0, "factor of the learning rate of biases; 2 in the authors' code (5)", _LEARNING, rule=_NOT_NEGATIVE
    )
    head_learning_rate_factor: float = setting(
        1.0,
        "factor of the learning rate of the last layer, for a new layer on pretrained ones (ours)",
        _LEARNING,
        rule=_NOT_NEGATIVE,
    )
    momentum: float = setting(0.9, "momentum (5)", _LEARNING, rule=_LESS_THAN_ONE)
    weight_decay: float = setting(
        0.0005, "weight decay, on kernels only (5)", _LEARNING, ("decay",), rule=_NOT_NEGATIVE
    )
    no_weight_decay: tuple[str, ...] = setting((), "layers without weight decay, such as conv1", _LEARNING)
    decay_into: str = setting(
        "velocity",
        "add the weight decay to the velocity, as in the paper, or to the weights (decoupled)",
        _LEARNING,
        choices=("velocity", "weights"),
    )
    patience: int = setting(
        5,
        "divide the learning rate by ten after this many epochs without a lower validation error (ours)",
        _LEARNING,
        rule=_POSITIVE,
    )
    divisions: int = setting(
        3, "maximum number of divisions of the learning rate by ten (5)", _LEARNING, rule=_NOT_NEGATIVE
    )
    divide_after: tuple[int, ...] = setting(
        (),
        "divide the learning rate by ten after these epochs, as the authors did, instead of by --patience",
        _LEARNING,
        rule=_EPOCHS,
    )
    bias_divide_after: tuple[int, ...] | None = setting(
        None,
        "divide the learning rate of biases by ten after these epochs; never if the list is empty (default: together "
        "with that of the weights) (5)",
        _LEARNING,
        rule=_EPOCHS,
    )
    divide_layer_after: tuple[str, ...] = setting(
        (), "divide the learning rate of a layer by ten once more after an epoch, such as conv1:67", _LEARNING
    )
    freeze_layer_after: tuple[str, ...] = setting((), "freeze a layer after an epoch, such as conv1:72", _LEARNING)
    schedule: str = setting(
        "divided",
        "divided: divide by ten, by --patience or --divide-after (5); cosine: decay to zero over all steps (ours); "
        "exponential: decay to --final-learning-rate, as in later runs of the authors",
        _LEARNING,
        choices=("divided", "cosine", "exponential"),
    )
    final_learning_rate: float | None = setting(
        None, "learning rate after the last step, for --schedule exponential", _LEARNING, rule=_POSITIVE
    )
    warmup_steps: int = setting(
        0, "warm-up steps, over which the learning rate rises from zero (ours)", _LEARNING, rule=_NOT_NEGATIVE
    )
    clip_norm: float | None = setting(None, "clip the gradients to this global norm (ours)", _LEARNING, rule=_POSITIVE)
    balance: str = setting(
        "none",
        "sampling of unbalanced classes: repeat, sample pictures of rare classes more often; none, as they are (ours)",
        _LEARNING,
        choices=("none", "repeat"),
    )
    stop_after: int | None = setting(
        None, "stop after this many epochs without a lower validation error", _LEARNING, rule=_AT_LEAST_ONE
    )
    keep: str = setting(
        "best",
        "network to save as best.keras: best, of the epoch with the lowest validation error; last, of the last epoch "
        "(ours; default: last with automatic settings, unless --stop-after, --patience, --divide-after or another "
        "--schedule is given; else best)",
        _LEARNING,
        choices=("best", "last"),
    )

    def __post_init__(self):
        check_fields(type(self), vars(self))
        unknown = sorted(set(self.augmentation) - set(AUGMENTATIONS))
        if unknown:
            raise ValueError(
                f"`augmentation` must be any of {', '.join(AUGMENTATIONS)}. Received: {', '.join(unknown)}"
            )
        if {"crop", "resized_crop"} <= set(self.augmentation):
            raise ValueError("`augmentation` must have either crop or resized_crop. Received: both")
        self._check_cut_from()
        self._check_schedule()
        if self.resize_size < self.crop_size:
            raise ValueError(
                "`resize_size` must be at least `crop_size`. "
                f"Received: resize_size={self.resize_size}, crop_size={self.crop_size}"
            )

    def _check_cut_from(self):
        if self.cut_from is None:
            return
        if self.cut_from < self.resize_size or "resized_crop" not in self.augmentation or self.mean == "image":
            raise ValueError(
                "`cut_from` must be at least `resize_size`, and needs `resized_crop` and a mean color. Received: "
                f"cut_from={self.cut_from}, resize_size={self.resize_size}, augmentation="
                f"{', '.join(self.augmentation)}, mean={self.mean!r}"
            )

    def _check_schedule(self):
        layers_and_epochs((*self.divide_layer_after, *self.freeze_layer_after))
        if self.bias_divide_after is not None and self.schedule != "divided":
            raise ValueError(f'`bias_divide_after` needs `schedule="divided"`. Received: {self.schedule!r}')
        if (self.schedule == "exponential") != (self.final_learning_rate is not None):
            raise ValueError(
                '`final_learning_rate` and `schedule="exponential"` need each other. '
                f"Received: final_learning_rate={self.final_learning_rate}, schedule={self.schedule!r}"
            )

    @classmethod
    def from_dict(cls, fields: dict[str, Any]) -> "Recipe":
        """Return the recipe for fields read from JSON, where tuples are lists.

        Missing settings, as in older recipes, get their defaults. Renamed settings get their new names.

        Example:
            >>> Recipe.from_dict({"augmentation": ["crop"], "size": 131}).crop_size
            131
        """
        new_names = {alias: field.name for field in dataclasses.fields(cls) for alias in field.metadata["aliases"]}
        return cls(
            **{
                new_names.get(name, name): tuple(value) if isinstance(value, list) else value
                for name, value in fields.items()
            }
        )

    @property
    def training_size(self) -> int:
        """Height and width of the resized pictures that training crops are cut from, in pixels."""
        return self.cut_from or self.resize_size

    @property
    def has_soft_labels(self) -> bool:
        """Whether the labels in training are distributions over the classes."""
        return bool(self.mixup or self.cutmix or self.label_smoothing)

    @property
    def averaged_views(self) -> str:
        """The number of views that predictions are averaged over, in words; without flips there are no mirror images.

        Example:
            >>> Recipe().averaged_views, Recipe(augmentation=("crop",)).averaged_views
            ('ten', 'five')
        """
        return "ten" if "mirror" in self.augmentation else "five"

    def error_name(self) -> str:
        """Return the name of the error that selects the best epoch: the mean per-class error with balancing."""
        return "val_top1_error" if self.balance == "none" else "val_mean_class_error"

    def is_over(self, rows: Sequence[Mapping[str, float]]) -> bool:
        """Return whether a run with this log is over: after all epochs, or `stop_after` epochs without improvement.

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
    """The settings of a run outside its recipe: data, devices, checkpoints and seed."""

    dataset: str = setting(
        "petals",
        "petals (drawn flowers), drawn (formula-driven pictures), the name of a TFDS image classification data set, a "
        "folder of pictures, a zip or tar file of one, or a CSV file of files and labels",
        _DATA,
    )
    data_dir: str | None = setting(
        None,
        "folder where TFDS stores its data and where zip and tar files are unpacked (default: TFDS_DATA_DIR, or else "
        "TFDS's default, and XDG_CACHE_HOME or ~/.cache for the files)",
        _DATA,
    )
    class_names: str | None = setting(
        None, "file of class names: one per line in order, or lines of a class and its name", _DATA
    )
    validation_share: float = setting(
        0.1,
        "fraction of the pictures for validation, if the data have no split of their own",
        _DATA,
        ("validation_set",),
    )
    test_share: float = setting(
        0.1, "fraction of the pictures for testing, if the data have no split of their own; 0 for none", _DATA
    )
    seed: int = setting(
        0,
        "seed of the random splits, the initial weights, the order of the images, augmentation and dropout",
        _RUN,
        rule=Rule(f"from 0 to {2**32 - 1}", lambda value: 0 <= value < 2**32),  # as NumPy has them
    )
    precision: str = setting(
        "auto",
        "precision policy; auto is mixed_bfloat16 on hardware that multiplies bfloat16, else float32",
        _DEVICES,
        choices=("auto", "float32", "mixed_bfloat16", "mixed_float16"),
    )
    steps_per_epoch: int | None = setting(None, "end every epoch after this many batches", _RUN, rule=_AT_LEAST_ONE)
    devices: int | None = setting(
        None, "number of devices to train on (default: all GPUs)", _DEVICES, rule=_AT_LEAST_ONE
    )
    virtual_devices: int | None = setting(
        None, "split the CPU into this many devices, to try training on several", _DEVICES, rule=_AT_LEAST_ONE
    )
    strategy: str = setting(
        "mirrored",
        "how devices share the work: mirrored, each has a part of the batch; multiworker, the same on several machines "
        "(TF_CONFIG); one_weird_trick, on JAX, each also has a part of the fully connected layers; towers, on "
        "TensorFlow, each of two has half of the network (3.2)",
        _DEVICES,
        choices=tuple(STRATEGIES),
    )
    deterministic: bool = setting(False, "make results reproducible bit for bit; slower", _RUN)
    checkpoint_path: str | None = setting(
        None,
        "folder for the checkpoints, in a subfolder with the name of the run (default: last/ in the run folder)",
        _RUN,
    )
    checkpoint_steps: int | None = setting(
        None, "also save a checkpoint every N steps within an epoch", _RUN, ("snapshot_step",), rule=_AT_LEAST_ONE
    )
    checkpoint_epochs: int | None = setting(
        None,
        "save a checkpoint every N epochs (default: after the first and the last, with --keep best also after each "
        "best one, and after others if saving takes less than 3% of the time)",
        _RUN,
        ("snapshot_epoch",),
        rule=_AT_LEAST_ONE,
    )
    max_checkpoints: int = setting(
        2, "number of checkpoints to keep: the newest, and earlier ones in case it is damaged", _RUN, rule=_AT_LEAST_ONE
    )
    tensorboard_verbose: int = setting(
        0,
        "what to write for TensorBoard after each epoch: 0 writes losses and errors; 1 adds histograms of gradients, "
        "2 of weights, 3 of layer outputs",
        _RUN,
        rule=Rule("0, 1, 2 or 3", lambda value: value in (0, 1, 2, 3)),
    )
    max_minutes: float | None = setting(
        None,
        "stop training after this time; the program plans the number of epochs for it",
        _RUN,
        rule=Rule("a number of more than zero", lambda value: 0 < value < math.inf),
    )
    quick: bool = setting(False, "a quick try: two minutes of training on small crops", _RUN)
    recover: bool | None = setting(
        None,
        "if training diverges or stays at chance, go back and divide the learning rate by three, up to three times "
        "(default: yes, except with --recipe or --learning-rate)",
        _RUN,
    )
    weights: str | None = setting(
        None,
        "weights to start from: imagenet, caffe, torchvision, a file or a run folder, which also determine the "
        "settings; drawn, convolutions trained on drawn pictures (default for small data sets); or none",
        _RUN,
    )
    head: str = setting(
        "auto",
        "last layer of --weights: kept; new, with random weights; or auto, new if it is known to be for other classes",
        _RUN,
        choices=("auto", "kept", "new"),
    )

    def __post_init__(self):
        if not self.dataset:
            raise ValueError("`dataset` must be the name of a data set or a path. Received: an empty text")
        check_fields(type(self), vars(self))


def layers_and_epochs(texts: Iterable[str]) -> list[tuple[str, int]]:
    """Parse a setting such as `freeze_layer_after` into layers and epochs.

    Raises:
        ValueError: If a text is not a layer, a colon and an epoch, from 1.

    Example:
        >>> layers_and_epochs(("conv1:67", "conv2:70"))
        [('conv1', 67), ('conv2', 70)]
    """
    pairs = []
    for text in texts:
        layer, _, epoch = text.rpartition(":")
        if not layer or not epoch.isdecimal() or int(epoch) < 1:
            raise ValueError(f"Expected a layer and an epoch, counted from 1, such as conv1:67. Received: {text!r}")
        pairs.append((layer, int(epoch)))
    return pairs


FIGURE_1 = Recipe(  # without regularization of any kind; the learning rate, the fastest we tried, is ours
    architecture="figure_1",
    crop_size=32,
    resize_size=32,
    augmentation=(),
    weight_decay=0.0,
    learning_rate=0.003,
    epochs=16,
    divisions=0,
)

# The four-layer network of section 3.3, from layer-params-conv-local-11pct.cfg. The authors trained about 300 epochs
# on four fifths of the training pictures, until the validation error stopped falling, for 150 more on all of them, and
# for 10 each with a tenth and a hundredth of the learning rate. Here the split stays as it is.
CONV_LOCAL = Recipe(
    architecture="conv_local",
    crop_size=24,
    resize_size=32,
    mean="image",
    augmentation=("crop", "mirror"),
    epochs=470,
    learning_rate=0.001,
    bias_learning_rate_factor=2.0,
    weight_decay=0.004,
    no_weight_decay=("conv1", "conv2"),
    divide_after=(450, 460),
)

# The authors' run 145, from the notes in their layer-params-145.cfg. The learning rate of the biases ends at 0.02, so
# it was never divided. Here that of conv1 is divided with the rate of its weights: the notes do not say so, but the
# file of run 149 has 0.002 at this stage.
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

# The authors' runs 155 to 158, with an exponential schedule for all layers and biases. The notes do not give the number
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
    "source_2010": dataclasses.replace(  # layer-params-145-2010. Biases end at 0.002, in all layers
        SOURCE,
        lighting_until=68,
        epochs=93,
        divide_after=(23, 51, 78),
        bias_divide_after=(78,),  # inferred: the notes do not say; after two divisions, other runs still have 0.02
        divide_layer_after=("conv1:68",),
    ),
    "source_half": dataclasses.replace(  # layer-params-145-half, of 2010. Biases end at 0.02, except in conv1 and conv2
        SOURCE,
        architecture="source_half",
        lighting_until=66,
        epochs=96,
        divide_after=(20, 48, 79),  # 79 is inferred from run 145: the third division is in the file, not in the notes
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
    "caffe": Recipe(  # bvlc_alexnet: divided every 100,000 batches of 256, which are 20 epochs of ImageNet
        architecture="caffe",
        mean="image",
        augmentation=("crop", "mirror"),
        batch_size=256,
        bias_learning_rate_factor=2.0,
        divide_after=(20, 40, 60, 80),
    ),
    "torchvision": Recipe(  # references/classification, for AlexNet; there weight decay applies to biases as well
        architecture="one_weird_trick",
        crop_size=224,
        mean="architecture",
        augmentation=("resized_crop", "mirror"),
        batch_size=256,
        weight_decay=0.0001,
        divide_after=(30, 60),
    ),
    "tflearn": Recipe(  # the code for Flowers-17, which trains for 1000 epochs on pictures squashed to squares
        architecture="tflearn",
        resize_size=227,
        mean="architecture",
        augmentation=(),
        batch_size=64,
        learning_rate=0.001,
        weight_decay=0.0,
        divisions=0,
    ),
    "flowers": Recipe(  # ours, for 1020 training pictures: small crops for many epochs per hour, more augmentation
        crop_size=131,
        resize_size=148,
        augmentation=("crop", "mirror", "lighting", "vertical_flip", "rotation", "scaling", "translation"),
        lighting="source",
        lighting_std=0.2,
        batch_size=32,
        epochs=240,
        learning_rate=0.0025,
        weight_decay=0.005,
        patience=15,  # used only if --divide-after is passed without values
        divide_after=(200, 224),
    ),
    "ablation": Recipe(  # ours: crops small enough for many seeds on two cores, and a fixed schedule
        crop_size=131,
        resize_size=148,
        lighting="source",
        batch_size=32,
        epochs=36,
        learning_rate=0.0025,  # at 0.01 the network stays at chance
        divide_after=(30,),
    ),
    "conv_local": CONV_LOCAL,
    "conv_local_norm": dataclasses.replace(CONV_LOCAL, architecture="conv_local_norm"),
    "figure_1": FIGURE_1,
    "figure_1_tanh": dataclasses.replace(FIGURE_1, architecture="figure_1_tanh", learning_rate=0.03, epochs=60),
    "petals": Recipe(  # ours, for a few minutes on two cores: small crops, small steps
        crop_size=99,
        resize_size=112,
        dropout=0.2,
        batch_size=16,
        epochs=16,
        learning_rate=0.001,
        patience=6,
    ),
    "drawn": Recipe(  # ours, to pretrain kernels; few epochs, so little dropout
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

PURPOSES = {  # of each recipe, for --help
    "text": "the paper's text, for 1.2 million pictures",
    "source": "the authors' own code, for 1.2 million pictures",
    "source_2010": "the same for ImageNet 2010, from the log of that run",
    "source_half": "the authors' half network (section 3.2), from the log of its run",
    "source_155": "the authors' exponential schedule, learning rate from 0.02 to 0.000005",
    "source_156": "the same, 0.02 to 0.00001",
    "source_157": "the same, 0.04 to 0.000005",
    "source_158": "the same, 0.04 to 0.000002",
    "caffe": "Caffe's replication (bvlc_alexnet)",
    "torchvision": "torchvision's training of its AlexNet",
    "tflearn": "the tflearn code of many tutorials, for Oxford Flowers 17",
    "flowers": "ours, for Flowers-102 with 1,020 training pictures",
    "ablation": "ours, to compare networks with several seeds",
    "conv_local": "the authors' four-layer network of section 3.3 for CIFAR-10 (13 % errors in the paper)",
    "conv_local_norm": "the same with normalization (11 % in the paper)",
    "figure_1": "the four-layer network of figure 1 on CIFAR-10, with ReLU",
    "figure_1_tanh": "the same with tanh",
    "petals": "ours, for the drawn flowers; a few minutes on two cores",
    "drawn": "ours, to pretrain kernels on drawn pictures",
}

# The number of training pictures that each recipe is for.
MADE_FOR = {
    **dict.fromkeys(("text", "source", "caffe", "torchvision", "source_2010", "source_half"), 1_200_000),
    **dict.fromkeys(("source_155", "source_156", "source_157", "source_158"), 1_200_000),
    **dict.fromkeys(("figure_1", "figure_1_tanh", "conv_local", "conv_local_norm"), 50_000),
    "tflearn": 1_224,
    **dict.fromkeys(("flowers", "ablation"), 1_020),
    "petals": 640,
    "drawn": 25_600,
}
MIN_DATA_SHARE = 0.01  # of these; with fewer pictures a recipe is likely to fail

# For any other data set, `training.defaults` chooses the settings from the pictures.
DEFAULT_RECIPES = {"petals": "petals", "drawn": "drawn", "oxford_flowers102": "flowers"}


def too_few_pictures(name: str, pictures: int) -> str | None:
    """Return a warning if a recipe is for many more training pictures than there are, None otherwise.

    Args:
        name: Name of the recipe.
        pictures: Number of training pictures.

    Example:
        >>> too_few_pictures("text", 600)[:70]
        'The recipe text is for about 1,200,000 training pictures; with so few '
        >>> too_few_pictures("flowers", 600) is None
        True
    """
    if pictures >= MIN_DATA_SHARE * MADE_FOR[name]:
        return None
    return (
        f"The recipe {name} is for about {MADE_FOR[name]:,} training pictures; with so few the network may learn "
        f"nothing. Received: {pictures:,}. Leave out --recipe to let the program choose the settings."
    )
