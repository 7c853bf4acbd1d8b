"""A recipe: the network, the preprocessing and the update rule (paper sections 4 and 5)."""

import dataclasses
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from keras_alexnet.recipes.fields import (
    AT_LEAST_ONE,
    LESS_THAN_ONE,
    NOT_NEGATIVE,
    POSITIVE,
    Rule,
    as_plain_values,
    check_fields,
    setting,
)

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

_BETA = Rule("0, or from 0.05 to 100", lambda value: value == 0 or 0.05 <= value <= 100)  # TensorFlow's draws underflow
_EPOCHS = Rule("numbers of epochs, from 1", lambda epochs: all(epoch >= 1 for epoch in epochs))

# Groups of flags
_NETWORK = "network"
_PICTURES = "preprocessing"
_AUGMENTATION = "augmentation"
_LEARNING = "optimization"


@dataclasses.dataclass(frozen=True)
class Recipe:
    """The settings that affect the result of a run. The defaults are the paper's, except for the initial weights, the
    crop size and the form of dropout (see docs/differences.md); settings of our own are marked.

    Raises:
        ValueError: If a setting is invalid. The names of the network and of its initial weights are checked when it is
            built.

    Example:
        >>> Recipe(batch_size=64).learning_rate
        0.01
    """

    architecture: str = setting("paper", "network, such as paper, source or caffe; docs/networks.md has all", _NETWORK)
    initial_weights: str | None = setting(
        None,
        "initial weights, such as text, source or caffe (default: those of the network); with text, as in the paper, "
        "activations shrink from layer to layer",
        _NETWORK,
    )
    dropout: float = setting(
        0.5, "fraction of the hidden units that is dropped in training (4.2)", _NETWORK, rule=LESS_THAN_ONE
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
        rule=POSITIVE,
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
        "scale of PCA lighting along each principal component: the eigenvalue (text) or its square root (source) (4.1)",
        _AUGMENTATION,
        choices=("text", "source"),
    )
    lighting_std: float = setting(
        0.1, "std of PCA lighting, multiplied by that scale (4.1)", _AUGMENTATION, rule=NOT_NEGATIVE
    )
    lighting_until: int | None = setting(
        None,
        "last epoch with PCA lighting, which the authors turned off (default: the last epoch)",
        _AUGMENTATION,
        rule=NOT_NEGATIVE,
    )
    rotation: float = setting(
        25.0, "largest rotation to either side in degrees (ours)", _AUGMENTATION, rule=NOT_NEGATIVE
    )
    scaling: float = setting(0.4, "largest change of size, as a fraction (ours)", _AUGMENTATION, rule=LESS_THAN_ONE)
    translation: float = setting(
        0.1, "largest translation, as a fraction of the picture (ours)", _AUGMENTATION, rule=LESS_THAN_ONE
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
        8.0, "std of the pixel noise, on pixel values 0 to 255 (ours)", _AUGMENTATION, rule=NOT_NEGATIVE
    )
    mixup: float = setting(
        0.0,
        "mix pictures in pairs, with weights drawn from Beta(X, X); 0 for none (ours)",
        _AUGMENTATION,
        rule=_BETA,
    )
    cutmix: float = setting(
        0.0,
        "paste a rectangle of another picture into each picture; its area is drawn from Beta(X, X); 0 for none (ours)",
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
        0.0, "fraction of every label that is spread over all classes (ours)", _AUGMENTATION, rule=LESS_THAN_ONE
    )
    batch_size: int = setting(128, "global batch size, over all devices (5)", _LEARNING, rule=POSITIVE)
    epochs: int = setting(90, "passes over the training images (5)", _LEARNING, rule=POSITIVE)
    learning_rate: float = setting(0.01, "learning rate of the first epoch (5)", _LEARNING, ("lr",), rule=POSITIVE)
    bias_learning_rate_factor: float = setting(
        1.0, "factor of the learning rate of biases; 2 in the authors' code (5)", _LEARNING, rule=NOT_NEGATIVE
    )
    head_learning_rate_factor: float = setting(
        1.0,
        "factor of the learning rate of the last layer, for a new layer on pretrained ones (ours)",
        _LEARNING,
        rule=NOT_NEGATIVE,
    )
    momentum: float = setting(0.9, "momentum (5)", _LEARNING, rule=LESS_THAN_ONE)
    weight_decay: float = setting(0.0005, "weight decay, on kernels only (5)", _LEARNING, ("decay",), rule=NOT_NEGATIVE)
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
        rule=POSITIVE,
    )
    divisions: int = setting(
        3, "maximum number of divisions of the learning rate by ten (5)", _LEARNING, rule=NOT_NEGATIVE
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
        None, "learning rate after the last step, for --schedule exponential", _LEARNING, rule=POSITIVE
    )
    warmup_steps: int = setting(
        0, "warm-up steps, over which the learning rate rises from zero (ours)", _LEARNING, rule=NOT_NEGATIVE
    )
    clip_norm: float | None = setting(None, "clip the gradients to this global norm (ours)", _LEARNING, rule=POSITIVE)
    balance: str = setting(
        "none",
        "sampling of unbalanced classes: repeat, sample pictures of rare classes more often; none, as they are (ours)",
        _LEARNING,
        choices=("none", "repeat"),
    )
    stop_after: int | None = setting(
        None, "stop after this many epochs without a lower validation error", _LEARNING, rule=AT_LEAST_ONE
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
        as_plain_values(self)
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
                "`cut_from` must be at least `resize_size`, and needs resized_crop as `augmentation` and a mean color. "
                f"Received: cut_from={self.cut_from}, resize_size={self.resize_size}, augmentation="
                f"{', '.join(self.augmentation)}, mean={self.mean!r}"
            )

    def _check_schedule(self):
        layers_and_epochs((*self.divide_layer_after, *self.freeze_layer_after))
        if self.bias_divide_after is not None and self.schedule != "divided":
            raise ValueError(f"`bias_divide_after` needs divided as `schedule`. Received: {self.schedule!r}")
        if (self.schedule == "exponential") != (self.final_learning_rate is not None):
            raise ValueError(
                "`final_learning_rate` and exponential as `schedule` need each other. "
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


def check_augmentations(recipe: Recipe, given: Mapping[str, Any]) -> None:
    """Check that no given setting belongs to an augmentation that the recipe does not have.

    Args:
        recipe: The recipe with the given settings.
        given: The given settings by name.

    Raises:
        ValueError: If one has no effect.
    """
    for augmentation, parameters in AUGMENTATIONS.items():
        if augmentation not in recipe.augmentation and (unused := sorted(given.keys() & {*parameters.values()})):
            kept = [name for name in recipe.augmentation if (name, augmentation) != ("crop", "resized_crop")]
            raise ValueError(
                f"`{unused[0]}` needs the augmentation {augmentation}: add `augmentation` "
                f"{' '.join([*kept, augmentation])}. Received: `{unused[0]}` with "
                f"{', '.join(recipe.augmentation) or 'no augmentation'}"
            )


def check_batch_size(batch_size: int | None, pictures: int) -> None:
    """Check that a batch is no larger than the training set.

    Args:
        batch_size: The batch size; None if it is to be chosen.
        pictures: The number of training pictures, or of all if it is not known how many will be trained on.

    Raises:
        ValueError: If it is larger.
    """
    if batch_size and batch_size > pictures:
        raise ValueError(
            "The batch is larger than the training set: use a smaller `batch_size`, or leave out both `batch_size` and "
            f"`recipe`. Received: batch size {batch_size}, {pictures} pictures"
        )


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
