"""The networks as data (paper section 3).

`keras_alexnet.build` builds a network from an `Architecture`. To make a variant, replace fields of an architecture:
`dataclasses.replace(ARCHITECTURES["paper"], norm=None)` has no normalization.
"""

import dataclasses
import numbers

from keras_alexnet.arguments import lookup

# What may follow a convolution, besides the activations of Keras
STEPS = ("norm", "spatial_norm", "pool", "average_pool")


@dataclasses.dataclass(frozen=True)
class LowResolution:
    """A second input of a convolution: the blurred and subsampled image, with its own kernels.

    The results are added before the steps that follow the convolution. Both share one bias.

    Attributes:
        kernel: Height and width of the kernels.
        strides: Distance between neighboring windows.
        window: Height and width of the Gaussian that blurs; odd.
        std: Its standard deviation in pixels.
        step: Distance between the sampled pixels.
    """

    kernel: int = 5
    strides: int = 2
    window: int = 9
    std: float = 4.0
    step: int = 4


@dataclasses.dataclass(frozen=True)
class Convolution:
    """One convolutional layer and what follows it, in order.

    Attributes:
        filters: Number of kernels.
        kernel: Height and width of a kernel.
        strides: Distance between neighboring windows.
        padding: Number of zeros on each side, or TensorFlow's "same".
        groups: Number of groups (3.2, 3.5).
        then: The steps after it: "norm", "spatial_norm", "pool", "average_pool", or the name of a Keras activation.
        low_resolution: A second input from the image; None for none.
        is_local: Whether every position has its own kernels and biases. The name of such a layer is `local3` and so
            on; its stride is 1 and its maps keep their size.

    Raises:
        ValueError: If a number is not a positive integer, `groups` does not divide `filters`, or `padding` is unknown.
    """

    filters: int
    kernel: int
    strides: int = 1
    padding: int | str = 0
    groups: int = 1
    then: tuple[str, ...] = ("relu",)
    low_resolution: LowResolution | None = None
    is_local: bool = False

    def __post_init__(self):
        for name in ("filters", "kernel", "strides", "groups"):
            if not isinstance(getattr(self, name), numbers.Integral) or getattr(self, name) < 1:
                raise ValueError(f"`{name}` must be an integer of at least 1. Received: {getattr(self, name)!r}")
        if self.filters % self.groups:
            raise ValueError(f"`groups` must divide `filters`. Received: filters={self.filters}, groups={self.groups}")
        if self.padding != "same" and (not isinstance(self.padding, numbers.Integral) or self.padding < 0):
            raise ValueError(
                f'`padding` must be a number of zeros, 0 for none, or "same". Received: padding={self.padding!r}'
            )
        if isinstance(self.then, str):
            raise ValueError(f"`then` must be a tuple, such as ('relu',). Received: then={self.then!r}")


@dataclasses.dataclass(frozen=True)
class Normalization:
    """The constants of a response normalization (3.3).

    Attributes:
        window: Number of neighbors in the sum, or the height and width of their square; odd.
        k: Number added to the sum.
        alpha: Weight of each square in the sum.
        beta: Exponent.
    """

    window: int = 5
    k: float = 2.0
    alpha: float = 1e-4
    beta: float = 0.75


@dataclasses.dataclass(frozen=True)
class Architecture:
    """One network. Its input is RGB, even if the original network had BGR.

    Attributes:
        name: Its name in `ARCHITECTURES`.
        summary: The origin of the network, in one sentence.
        convolutions: The convolutional layers by number, first to last. Their names are `conv1` and so on.
        hidden: Units of the fully connected layers before the classifier.
        hidden_activation: Their activation, the name of a Keras activation.
        hidden_groups: Number of groups of each of them; the classifier sees all groups.
        dropout: Fraction of the hidden units that is dropped in training (4.2).
        dropout_form: "inverted" to scale the kept units up in training, as frameworks do today; "paper" to scale all
            units down at test time (4.2). The function is the same, but training differs, see
            `models.layers.PaperDropout`.
        dropout_before: Whether dropout applies to the input of each hidden layer instead of its output.
        norm: Constants of "norm", the normalization over channels; None leaves the step out.
        norm_groups: Number of groups of channels for "norm".
        spatial_norm: Constants of "spatial_norm", the normalization within each map; None leaves the step out.
        pool: Size and stride of every pooling (3.4).
        conv_rounding: How the output size of a convolution is rounded: "ceil" (zeros are added at the bottom and on the
            right) or "floor" (the last pixels are dropped).
        pool_rounding: The same for pooling, or TensorFlow's "same".
        top_size: Height and width that maps are averaged to before the fully connected layers; None for no averaging.
        size: Default height and width of the input, in pixels.
        smallest_size: Smallest height and width of the input, in pixels.
        mean: RGB pixel values to subtract from the input.
        std: RGB values to divide by after that.
        initial_weights: Default distributions of the random weights, a name in `INITIAL_WEIGHTS`.
        published: The errors that its authors published, if any.

    Raises:
        ValueError: If there is no convolution, a step, activation, rounding or form of dropout is unknown, the groups
            do not divide the hidden units, a local convolution changes the size of its maps, or zeros from rounding up
            would change the result of a pooling.
    """

    name: str
    summary: str
    convolutions: dict[int, Convolution]
    hidden: tuple[int, ...] = (4096, 4096)
    hidden_activation: str = "relu"
    hidden_groups: int = 1
    dropout: float = 0.5
    dropout_form: str = "inverted"
    dropout_before: bool = False
    norm: Normalization | None = None
    norm_groups: int = 1
    spatial_norm: Normalization | None = None
    pool: tuple[int, int] = (3, 2)
    conv_rounding: str = "ceil"
    pool_rounding: str = "ceil"
    top_size: int | None = None
    size: int = 227
    smallest_size: int = 67
    mean: tuple[float, float, float] = (123.68, 116.779, 103.939)  # of ImageNet's training set of 2012
    std: tuple[float, float, float] = (1.0, 1.0, 1.0)
    initial_weights: str = "source"
    published: str = ""

    def __post_init__(self):
        if not self.convolutions:
            raise ValueError("`convolutions` must have at least one layer. Received: none")
        if self.conv_rounding not in ("ceil", "floor") or self.pool_rounding not in ("ceil", "floor", "same"):
            raise ValueError(
                '`conv_rounding` must be "ceil" or "floor", `pool_rounding` one of these or "same". '
                f"Received: {self.conv_rounding!r}, {self.pool_rounding!r}"
            )
        if self.dropout_form not in ("inverted", "paper"):
            raise ValueError(f'`dropout_form` must be "inverted" or "paper". Received: {self.dropout_form!r}')
        if self.hidden_groups < 1 or any(units % self.hidden_groups for units in self.hidden):
            raise ValueError(
                "`hidden_groups` must divide the units of each hidden layer. "
                f"Received: hidden_groups={self.hidden_groups}, hidden={self.hidden}"
            )
        if not _is_activation(self.hidden_activation):
            raise ValueError(
                "`hidden_activation` must be the name of a Keras activation, such as 'relu'. "
                f"Received: hidden_activation={self.hidden_activation!r}"
            )
        for n, row in self.convolutions.items():
            self._check_steps(n, row.then)
            if row.is_local and row.low_resolution:
                raise ValueError(
                    f"A convolution with `is_local` cannot have `low_resolution`. Received: conv{n} with both"
                )
            if row.is_local and (row.strides, row.padding, row.groups) != (1, row.kernel // 2, 1):
                raise ValueError(
                    "A convolution with `is_local` must keep the size of its maps and have one group. "
                    f"Received: conv{n} with strides={row.strides}, padding={row.padding}, groups={row.groups}"
                )

    def _check_steps(self, n, steps):
        unknown = [step for step in steps if step not in STEPS and not _is_activation(step)]
        if unknown:
            raise ValueError(
                f"`then` must have the steps {', '.join(STEPS)}, or names of Keras activations such as relu, tanh or "
                f"sigmoid. Received: conv{n} then {', '.join(map(str, unknown))}"
            )
        if self.pool_rounding == "ceil" and _zeros_matter(steps):
            raise ValueError(
                '`pool_rounding="ceil"` adds zeros, which change the result of a pooling unless it is a maximum and a '
                '"relu" comes before it, or after it without a normalization between them: use "floor" or "same". '
                f"Received: conv{n} then {', '.join(steps)}"
            )


def _zeros_matter(steps):
    """Return whether zeros at the edges change the result of a pooling, because what it reads may be negative."""
    if "average_pool" in steps:
        return True
    if "pool" not in steps or "relu" in steps[: steps.index("pool")]:
        return False
    behind = steps[steps.index("pool") :]
    between = behind[: behind.index("relu")] if "relu" in behind else behind
    return "relu" not in behind or "norm" in between or "spatial_norm" in between


def _is_activation(name):
    if name in ("relu", "tanh", "sigmoid"):
        return True
    import keras  # only when needed: importing it takes seconds, and the architectures in this file do not need it

    try:
        return isinstance(name, str) and callable(keras.activations.get(name))
    except ValueError:
        return False


# The pictures of the published errors
_2012_ONE, _2012_TEN = (f"the validation pictures of 2012, {views}" for views in ("center crop", "ten crops"))
_2010_TEN = "the test pictures of 2010, ten crops"

_PAPER = Architecture(
    name="paper",
    summary="the network of the paper's text",
    convolutions={
        1: Convolution(96, 11, strides=4, then=("relu", "norm", "pool")),  # 55 55 96, 27 27 96
        2: Convolution(256, 5, padding=2, groups=2, then=("relu", "norm", "pool")),  # 27 27 256, 13 13 256
        3: Convolution(384, 3, padding=1),  # 13 13 384
        4: Convolution(384, 3, padding=1, groups=2),  # 13 13 384
        5: Convolution(256, 3, padding=1, groups=2, then=("relu", "pool")),  # 13 13 256, 6 6 256
    },
    norm=Normalization(),
)

_SOURCE = Architecture(
    name="source",
    summary="the network of the authors' own code (layers-145), which produced the published results",
    convolutions={
        1: Convolution(96, 11, strides=4, then=("norm", "pool", "relu")),  # 55 55 96, 27 27 96
        2: Convolution(256, 5, padding=2, groups=2, then=("relu", "norm", "spatial_norm", "pool")),  # 27 27, 13 13
        3: Convolution(384, 3, padding=1),  # 13 13 384
        4: Convolution(384, 3, padding=1, groups=2),  # 13 13 384
        5: Convolution(256, 3, padding=1, groups=2, then=("pool", "relu")),  # 13 13 256, 6 6 256
    },
    norm=Normalization(alpha=2e-5),  # 1e-4 over the window
    norm_groups=2,  # each GPU normalized its own channels
    spatial_norm=Normalization(k=1.0, alpha=4e-5),  # 1e-3 over the 25 places
    size=224,
    published=f"top-1 40.66 %, top-5 18.21 % error on {_2012_TEN}; 37.47 % and 17.00 % on {_2010_TEN}",
)

_CAFFE = dataclasses.replace(
    _PAPER,
    name="caffe",
    summary="Caffe's replication of the paper (bvlc_alexnet)",
    norm=Normalization(k=1.0, alpha=2e-5),  # 1e-4 over the window
    conv_rounding="floor",
    mean=(122.679, 116.669, 104.007),  # of Caffe's mean image
    initial_weights="caffe",
    published=f"top-1 42.9 %, top-5 19.8 % error on {_2012_ONE}",
)

_CAFFENET = dataclasses.replace(
    _CAFFE,
    name="caffenet",
    summary="Caffe's reference network (bvlc_reference_caffenet), with pooling before normalization",
    convolutions={
        1: Convolution(96, 11, strides=4, then=("relu", "pool", "norm")),  # 55 55 96, 27 27 96
        2: Convolution(256, 5, padding=2, groups=2, then=("relu", "pool", "norm")),  # 27 27 256, 13 13 256
        3: Convolution(384, 3, padding=1),  # 13 13 384
        4: Convolution(384, 3, padding=1, groups=2),  # 13 13 384
        5: Convolution(256, 3, padding=1, groups=2, then=("relu", "pool")),  # 13 13 256, 6 6 256
    },
    initial_weights="caffenet",
    published=f"top-1 42.6 %, top-5 19.6 % error on {_2012_ONE}",
)

_ONE_WEIRD_TRICK = Architecture(
    name="one_weird_trick",
    summary="the single tower of 'One weird trick' (Krizhevsky 2014), as in torchvision",
    convolutions={
        1: Convolution(64, 11, strides=4, padding=2, then=("relu", "pool")),  # 55 55 64, 27 27 64
        2: Convolution(192, 5, padding=2, then=("relu", "pool")),  # 27 27 192, 13 13 192
        3: Convolution(384, 3, padding=1),  # 13 13 384
        4: Convolution(256, 3, padding=1),  # 13 13 256
        5: Convolution(256, 3, padding=1, then=("relu", "pool")),  # 13 13 256, 6 6 256
    },
    dropout_before=True,
    conv_rounding="floor",
    pool_rounding="floor",
    top_size=6,
    size=224,
    mean=(123.675, 116.28, 103.53),  # 0.485, 0.456, 0.406 on 0 to 1
    std=(58.395, 57.12, 57.375),  # 0.229, 0.224, 0.225 on 0 to 1
    initial_weights="torch",
    published=f"top-1 43.478 %, top-5 20.934 % error on {_2012_ONE}",
)

_SINGLE_TOWER = dataclasses.replace(
    _PAPER,
    name="single_tower",
    summary="the paper's network without groups, as in most re-implementations",
    convolutions={
        1: Convolution(96, 11, strides=4, then=("relu", "norm", "pool")),  # 55 55 96, 27 27 96
        2: Convolution(256, 5, padding=2, then=("relu", "norm", "pool")),  # 27 27 256, 13 13 256
        3: Convolution(384, 3, padding=1),  # 13 13 384
        4: Convolution(384, 3, padding=1),  # 13 13 384
        5: Convolution(256, 3, padding=1, then=("relu", "pool")),  # 13 13 256, 6 6 256
    },
)

_HALF = dataclasses.replace(
    _PAPER,
    name="half",
    summary="the paper's baseline on one GPU (3.2): half the kernels, except in conv5 and the fully connected layers",
    convolutions={
        1: Convolution(48, 11, strides=4, then=("relu", "norm", "pool")),  # 55 55 48, 27 27 48
        2: Convolution(128, 5, padding=2, then=("relu", "norm", "pool")),  # 27 27 128, 13 13 128
        3: Convolution(192, 3, padding=1),  # 13 13 192
        4: Convolution(192, 3, padding=1),  # 13 13 192
        5: Convolution(256, 3, padding=1, then=("relu", "pool")),  # 13 13 256, 6 6 256
    },
)

# The paper's own ablations. The names say which part is missing.

_NO_NORMALIZATION = dataclasses.replace(
    _PAPER, name="no_normalization", summary="the paper's network without response normalization (3.3)", norm=None
)

_NO_OVERLAP = dataclasses.replace(
    _PAPER,
    name="no_overlap",
    summary="the paper's network with non-overlapping pooling to maps of the same sizes (3.4)",
    pool=(2, 2),
    pool_rounding="floor",
)

# conv2 and conv5 are left in: what follows would see maps of another size or number. Without conv3, the only layer that
# reads both towers, the towers do not meet before fc6.
_NO_CONV3, _NO_CONV4 = (
    dataclasses.replace(
        _PAPER,
        name=f"no_conv{removed}",
        summary=f"the paper's network without conv{removed}, one of its middle layers (7)",
        convolutions={n: row for n, row in _PAPER.convolutions.items() if n != removed},
    )
    for removed in (3, 4)
)

# The authors' own experiments, which match the configuration files in their code exactly. Each changes `source`; the
# numbers are those of their files, layers/layers-N.cfg and layers/layer-params-N.cfg. One run each.

_SOURCE_HALF = dataclasses.replace(
    _SOURCE,
    name="source_half",
    summary="the authors' baseline on one GPU (145-half): one tower of `source`, with conv5 as wide as two",
    convolutions={
        1: Convolution(48, 11, strides=4, then=("norm", "pool", "relu")),  # 55 55 48, 27 27 48
        2: Convolution(128, 5, padding=2, then=("relu", "norm", "spatial_norm", "pool")),  # 27 27 128, 13 13 128
        3: Convolution(192, 3, padding=1),  # 13 13 192
        4: Convolution(192, 3, padding=1),  # 13 13 192
        5: Convolution(256, 3, padding=1, then=("pool", "relu")),  # 13 13 256, 6 6 256
    },
    norm_groups=1,
    published=f"top-1 39.17 %, top-5 18.23 % error on {_2010_TEN}",
)

_SOURCE_NO_OVERLAP = dataclasses.replace(
    _SOURCE,
    name="source_no_overlap",
    summary="the authors' run with non-overlapping pooling (147); padding differs so that fc6 sees maps of 6 x 6",
    convolutions=_SOURCE.convolutions
    | {  # 28 28 96 after pool1
        2: dataclasses.replace(_SOURCE.convolutions[2], padding=1),  # 26 26 256, 13 13 256
        5: dataclasses.replace(_SOURCE.convolutions[5], padding=0),  # 11 11 256, 6 6 256
    },
    pool=(2, 2),
    published=f"top-1 41.06 %, top-5 18.51 % error on {_2012_TEN}",
)

_SOURCE_NO_NORMALIZATION = dataclasses.replace(
    _SOURCE,
    name="source_no_normalization",
    summary="the authors' run without normalization (148), neither over channels nor within maps",
    norm=None,
    spatial_norm=None,
    published=f"top-1 42.03 %, top-5 19.36 % error on {_2012_TEN}",
)

_SOURCE_NORM5 = dataclasses.replace(
    _SOURCE,
    name="source_norm5",
    summary="the authors' run with a third normalization, after conv5 (149)",
    convolutions=_SOURCE.convolutions
    | {5: dataclasses.replace(_SOURCE.convolutions[5], then=("norm", "pool", "relu"))},
    published="none: the authors' notes on this run end before it finished",
)

_SOURCE_NO_COMMUNICATION = dataclasses.replace(
    _SOURCE,
    name="source_no_communication",
    summary="the authors' run with towers that join only in the classifier, and are wider in conv2 and fc6 (150)",
    convolutions=_SOURCE.convolutions
    | {
        2: dataclasses.replace(_SOURCE.convolutions[2], filters=320),  # 27 27 320, 13 13 320
        3: dataclasses.replace(_SOURCE.convolutions[3], groups=2),  # 13 13 384
    },
    hidden=(8192, 4096),
    hidden_groups=2,
    published=f"top-1 41.83 %, top-5 19.33 % error on {_2012_TEN}",
)

# The same change to the network of the text
_NO_COMMUNICATION = dataclasses.replace(
    _PAPER,
    name="no_communication",
    summary="the paper's network with towers that join only in the classifier, and are wider in conv2 and fc6 (3.2)",
    convolutions=_PAPER.convolutions
    | {
        2: dataclasses.replace(_PAPER.convolutions[2], filters=320),  # 27 27 320, 13 13 320
        3: dataclasses.replace(_PAPER.convolutions[3], groups=2),  # 13 13 384
    },
    hidden=_SOURCE_NO_COMMUNICATION.hidden,
    hidden_groups=_SOURCE_NO_COMMUNICATION.hidden_groups,
)

_SOURCE_CONV6 = dataclasses.replace(
    _SOURCE,
    name="source_conv6",
    summary="the authors' network with a sixth convolution, after the last pooling (146): the starred rows of table 2",
    convolutions=_SOURCE.convolutions | {6: Convolution(256, 3, padding=1)},  # 6 6 256
    initial_weights="source_conv6",
    published=(
        f"top-1 39.10 %, top-5 16.88 % error on {_2012_TEN}, pre-trained on 2012 without conv6 and then on the release "
        "of fall 2009; 38.99 % and 16.62 %, pre-trained on both and then on the release of fall 2011"
    ),
)

_SOURCE_LOW_RESOLUTION = dataclasses.replace(
    _SOURCE_CONV6,
    name="source_low_resolution",
    summary="an earlier network of the authors, with conv6, whose conv2 also sees a low-resolution image (141)",
    convolutions=_SOURCE_CONV6.convolutions
    | {
        1: dataclasses.replace(_SOURCE.convolutions[1], filters=64),  # 55 55 64, 27 27 64
        2: dataclasses.replace(_SOURCE.convolutions[2], low_resolution=LowResolution()),  # 27 27 256, 13 13 256
    },
    initial_weights="source_low_resolution",
    published=(
        f"top-1 39.56 %, top-5 17.21 % error on {_2012_TEN}, and 35.67 % and 15.49 % on {_2010_TEN}, both pre-trained "
        "on 2012 and then on the release of fall 2009; none from random weights, which overfitted"
    ),
)

# The example in tflearn's own repository differs from the code in tutorials: tanh in fc6 and fc7, 224 pixels, and 17
# outputs. Some copies keep 1000 outputs with one-hot labels of 17 classes, which cannot train because the shapes of
# labels and outputs do not match. Pass `classes=17`.
_TFLEARN = Architecture(
    name="tflearn",
    summary=(
        "the tflearn code of many tutorials, for Oxford Flowers 17: build it with classes=17, since 1000 outputs "
        "cannot train on one-hot labels of 17 classes; the example in tflearn's own repository has tanh in fc6 and "
        "fc7 and an input of 224 pixels"
    ),
    convolutions={
        1: Convolution(96, 11, strides=4, padding="same", then=("relu", "pool", "norm")),  # 57 57 96, 29 29 96
        2: Convolution(256, 5, padding=2, then=("relu", "pool", "norm")),  # 29 29 256, 15 15 256
        3: Convolution(384, 3, padding=1),  # 15 15 384
        4: Convolution(384, 3, padding=1),  # 15 15 384
        5: Convolution(256, 3, padding=1, then=("relu", "pool", "norm")),  # 15 15 256, 8 8 256
    },
    norm=Normalization(window=11, k=1.0),
    pool_rounding="same",
    mean=(0.0, 0.0, 0.0),
    std=(255.0, 255.0, 255.0),
    initial_weights="tflearn",
)


_CIFAR10_MEAN = (125.31, 122.95, 113.87)  # of the training pictures


def figure_1(nonlinearity: str = "relu") -> Architecture:
    """Return the four-layer network for CIFAR-10 of figure 1, with a given nonlinearity.

    The paper does not describe it. This is the network that the authors published for CIFAR-10, with three
    convolutional layers and one fully connected layer (cuda-convnet's layers-18pct), without its normalization layers,
    because figure 1 had no regularization.

    Args:
        nonlinearity: Name of a Keras activation, such as "relu", "tanh" or "sigmoid".

    Example:
        >>> figure_1("tanh").convolutions[1].then
        ('pool', 'tanh')

    Source: section 3.1, figure 1.
    """
    return Architecture(
        name="figure_1" if nonlinearity == "relu" else f"figure_1_{nonlinearity}",
        summary=f"the four-layer network for CIFAR-10 of figure 1, with {nonlinearity}",
        convolutions={
            1: Convolution(32, 5, padding=2, then=("pool", nonlinearity)),  # 32 32 32, 16 16 32
            2: Convolution(32, 5, padding=2, then=(nonlinearity, "average_pool")),  # 16 16 32, 8 8 32
            3: Convolution(64, 5, padding=2, then=(nonlinearity, "average_pool")),  # 8 8 64, 4 4 64
        },
        hidden=(),
        pool_rounding="same",  # at 32 pixels the same as rounding up, as cuda-convnet does
        size=32,
        smallest_size=8,
        mean=_CIFAR10_MEAN,
        initial_weights="figure_1",
    )


_CONV_LOCAL = Architecture(
    name="conv_local",
    summary="the four-layer network for CIFAR-10 of section 3.3, without normalization (layers-conv-local-13pct)",
    convolutions={
        1: Convolution(64, 5, padding=2, then=("relu", "pool")),  # 24 24 64, 12 12 64
        2: Convolution(64, 5, padding=2, then=("relu", "pool")),  # 12 12 64, 6 6 64
        3: Convolution(32, 3, padding=1, is_local=True),  # 6 6 32
        4: Convolution(32, 3, padding=1, is_local=True),  # 6 6 32
    },
    hidden=(),
    size=24,
    smallest_size=8,
    mean=_CIFAR10_MEAN,
    initial_weights="conv_local",
    published="13 % error on the test pictures of CIFAR-10, ten crops",
)

_CONV_LOCAL_NORM = dataclasses.replace(
    _CONV_LOCAL,
    name="conv_local_norm",
    summary="the four-layer network for CIFAR-10 of section 3.3, with normalization (layers-conv-local-11pct)",
    convolutions=_CONV_LOCAL.convolutions
    | {n: dataclasses.replace(_CONV_LOCAL.convolutions[n], then=("relu", "norm", "pool")) for n in (1, 2)},
    norm=Normalization(k=1.0, alpha=2e-4),  # 1e-3 over the window
    published="11 % error on the test pictures of CIFAR-10, ten crops",
)


ARCHITECTURES = {
    row.name: row
    for row in (
        _PAPER,
        _SOURCE,
        _CAFFE,
        _CAFFENET,
        _ONE_WEIRD_TRICK,
        _SINGLE_TOWER,
        _HALF,
        _NO_NORMALIZATION,
        _NO_OVERLAP,
        _NO_CONV3,
        _NO_CONV4,
        _NO_COMMUNICATION,
        _SOURCE_HALF,
        _SOURCE_NO_OVERLAP,
        _SOURCE_NO_NORMALIZATION,
        _SOURCE_NORM5,
        _SOURCE_NO_COMMUNICATION,
        _SOURCE_CONV6,
        _SOURCE_LOW_RESOLUTION,
        _TFLEARN,
        _CONV_LOCAL,
        _CONV_LOCAL_NORM,
        figure_1(),
        figure_1("tanh"),
    )
}


def usual_resize_size(crop_size: int) -> int:
    """Return the shorter side of a picture before a crop of this size, if nothing else is known.

    It is 256 for crops of 224 and 227 pixels, as in the paper, Caffe and torchvision, and in proportion for smaller
    ones.

    Args:
        crop_size: Height and width of the crop in pixels.

    Example:
        >>> usual_resize_size(224), usual_resize_size(131)
        (256, 148)
    """
    return max(256, crop_size) if crop_size >= 224 else round(crop_size * 256 / 227)


def get(architecture: str | Architecture) -> Architecture:
    """Return an architecture by its name, or the architecture itself.

    Raises:
        ValueError: If there is none of this name, or it is neither. The message lists the most similar names.

    Example:
        >>> get("paper").hidden, get(get("paper")).hidden
        ((4096, 4096), (4096, 4096))
    """
    if isinstance(architecture, str):
        return lookup(ARCHITECTURES, architecture, "architecture")
    if not isinstance(architecture, Architecture):
        raise ValueError(f"`architecture` must be a name or an `Architecture`. Received: architecture={architecture!r}")
    return architecture
