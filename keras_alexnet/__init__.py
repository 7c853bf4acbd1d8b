"""AlexNet in Keras: the network of Krizhevsky, Sutskever and Hinton (2012), and its relatives on record.

Example:
    >>> import keras_alexnet
    >>> keras_alexnet.build().count_params()
    60965224

A public name loads its module, and with it Keras, on first use, so that importing the package costs nothing and a
script's `--help` answers at once. `import keras_alexnet` is also all that `keras.models.load_model` needs to open a
saved network; but for checkpoints of several workers, which `--resume` alone reads.
"""

import importlib

import lazy_loader
import wrapt

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "evaluation": ["TopKError"],
        "models": [
            "ARCHITECTURES",
            "Architecture",
            "Convolution",
            "GroupedConv2D",
            "LocalResponseNormalization",
            "Normalization",
            "SpatialResponseNormalization",
            "build",
            "decode_predictions",
            "describe",
            "figure_1",
            "preprocess_input",
        ],
        "recipes": ["RECIPES", "Recipe"],
        "training": ["PaperSGD"],
    },
)


@wrapt.when_imported("keras")
def _register(_):
    """Register the classes of saved networks with Keras as soon as Keras is imported."""
    for module in ("evaluation.metrics", "models.layers", "training.optimizers"):
        importlib.import_module(f"{__name__}.{module}")
