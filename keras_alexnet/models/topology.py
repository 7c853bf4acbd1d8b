"""What a network of this family consists of (paper section 3): the columns of the table in `architectures`."""

import dataclasses


@dataclasses.dataclass(frozen=True)
class Convolution:
    """One convolutional layer and what follows it, in order.

    Attributes:
        filters: Number of kernels.
        kernel: Side of a kernel.
        strides: Step between neighbouring outputs.
        padding: Zeros on each side, or "same" as TensorFlow means it.
        groups: Into how many columns the layer falls (3.2, 3.5).
        then: The steps behind it: "norm", "spatial_norm", "pool", "average_pool", or a nonlinearity by Keras's name.
    """

    filters: int
    kernel: int
    strides: int = 1
    padding: int | str = 0
    groups: int = 1
    then: tuple[str, ...] = ("relu",)


@dataclasses.dataclass(frozen=True)
class Normalization:
    """The constants of a response normalization (3.3), `alpha` on the plain sum of squares."""

    window: int = 5
    k: float = 2.0
    alpha: float = 1e-4
    beta: float = 0.75


@dataclasses.dataclass(frozen=True)
class Architecture:
    """One network on record. Its input is RGB, whatever the order of the colors was in the original.

    Attributes:
        name: What it is called here.
        summary: One sentence: whose network it is.
        convolutions: The convolutional layers by number, first to last; their names are `conv1` and so on.
        hidden: Units of the fully connected layers before the classifier.
        hidden_activation: Their nonlinearity, by Keras's name.
        dropout: Share of the hidden units that is silenced in training (4.2). The others are doubled then, which comes
            to the same as the paper's halving at test time.
        dropout_before: Whether it falls on the input of each hidden layer, or else on its output.
        norm: Constants of "norm", the normalization over channels; None leaves the step out.
        norm_groups: Into how many columns the channels fall for "norm".
        spatial_norm: Constants of "spatial_norm", the normalization within each map; None leaves the step out.
        pool: Size and stride of every pooling (3.4).
        conv_rounding: How an uneven output size of a convolution is rounded: "ceil" (zeros join at bottom and right)
            or "floor" (the last pixels are dropped).
        pool_rounding: The same for the poolings, or "same" as TensorFlow means it.
        top_size: Side that maps are averaged to before the fully connected layers; None leaves them as they are.
        size: Side of the input by default, pixels.
        smallest_size: Side of the smallest input, pixels.
        mean: Grey levels, RGB, that are subtracted from the pixels.
        std: What red, green and blue are then divided by.
        initial_weights: Where it starts by default, a name in `INITIAL_WEIGHTS`.

    Raises:
        ValueError: If there is no convolution, a rounding is unknown, or zeros that join where sizes are rounded up
            would change what a pooling gives.
    """

    name: str
    summary: str
    convolutions: dict[int, Convolution]
    hidden: tuple[int, ...] = (4096, 4096)
    hidden_activation: str = "relu"
    dropout: float = 0.5
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

    def __post_init__(self):
        if not self.convolutions:
            raise ValueError("`convolutions` must have one layer or more. Received: none")
        if self.conv_rounding not in ("ceil", "floor") or self.pool_rounding not in ("ceil", "floor", "same"):
            raise ValueError(
                '`conv_rounding` must be "ceil" or "floor", `pool_rounding` one of these or "same". '
                f"Received: {self.conv_rounding!r}, {self.pool_rounding!r}"
            )
        for n, row in self.convolutions.items():
            harmless = "average_pool" not in row.then and ("pool" not in row.then or "relu" in row.then)
            if self.pool_rounding == "ceil" and not harmless:
                raise ValueError(
                    '`pool_rounding="ceil"` joins zeros, which change all but a maximum beside a "relu": '
                    f'take "floor" or "same". Received: conv{n} then {", ".join(row.then)}'
                )
