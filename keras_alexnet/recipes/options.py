"""The settings of a run outside its recipe: data, devices, checkpoints and seed."""

import dataclasses
import math

from keras_alexnet.recipes.fields import AT_LEAST_ONE, Rule, as_plain_values, check_fields, setting

# Groups of flags
_DATA = "data"
_RUN = "training run"
_DEVICES = "devices and precision"

QUICK_MINUTES = 2.0  # of `Options.quick`
STRATEGIES = {  # how devices share a training run, and the backends of Keras that have it
    "mirrored": ("tensorflow", "jax"),
    "multiworker": ("tensorflow",),
    "one_weird_trick": ("jax",),
    "towers": ("tensorflow",),
}


@dataclasses.dataclass(frozen=True)
class Options:
    """The settings of a run outside its recipe: data, devices, checkpoints and seed."""

    dataset: str = setting(
        "petals",
        "petals (drawn flowers), drawn (formula-driven pictures), the name of an image classification data set of "
        "TensorFlow Datasets (TFDS), a folder of pictures, a zip or tar file of one, or a CSV file of files and labels",
        _DATA,
        metavar="DATA",
    )
    data_dir: str | None = setting(
        None,
        "folder where TFDS stores its data and where zip and tar files are unpacked (default: TFDS_DATA_DIR, or else "
        "TFDS's default, and XDG_CACHE_HOME or ~/.cache for the files)",
        _DATA,
        metavar="FOLDER",
    )
    class_names: str | None = setting(
        None,
        "file of class names: one per line in order, or lines of a class and its name",
        _DATA,
        metavar="FILE",
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
    steps_per_epoch: int | None = setting(None, "end every epoch after this many batches", _RUN, rule=AT_LEAST_ONE)
    devices: int | None = setting(
        None, "number of devices to train on (default: all GPUs)", _DEVICES, rule=AT_LEAST_ONE
    )
    virtual_devices: int | None = setting(
        None,
        "split the CPU into this many devices, to try out training on several devices",
        _DEVICES,
        rule=AT_LEAST_ONE,
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
        metavar="FOLDER",
    )
    checkpoint_steps: int | None = setting(
        None, "also save a checkpoint every N steps within an epoch", _RUN, ("snapshot_step",), rule=AT_LEAST_ONE
    )
    checkpoint_epochs: int | None = setting(
        None,
        "save a checkpoint every N epochs (default: after the first and the last, with --keep best also after each "
        "best one, and after others if saving takes less than 3% of the time)",
        _RUN,
        ("snapshot_epoch",),
        rule=AT_LEAST_ONE,
    )
    max_checkpoints: int = setting(
        2, "number of checkpoints to keep: the newest, and earlier ones in case it is damaged", _RUN, rule=AT_LEAST_ONE
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
        metavar="WEIGHTS",
    )
    head: str = setting(
        "auto",
        "last layer of --weights: kept; new, with random weights; or auto, new if it is known to be for other classes",
        _RUN,
        choices=("auto", "kept", "new"),
    )

    def __post_init__(self):
        as_plain_values(self)
        if not self.dataset:
            raise ValueError("`dataset` must be the name of a data set or a path. Received: an empty text")
        check_fields(type(self), vars(self))
