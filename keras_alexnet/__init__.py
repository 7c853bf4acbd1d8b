"""AlexNet in Keras: the network of Krizhevsky, Sutskever and Hinton (2012) and its variants.

Example:
    >>> import keras_alexnet
    >>> keras_alexnet.build().count_params()
    60965224

Public names are loaded on first use, so importing the package is fast and does not import Keras. Import the package
before `keras.models.load_model` to register its layers with Keras.
"""

import importlib

import lazy_loader
import wrapt

__version__ = "0.2.0"

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
    modules = (
        "evaluation.metrics",
        "models.layers",
        "models.normalization",
        "training.losses",
        "training.optimizers",
    )
    for module in modules:
        importlib.import_module(f"{__name__}.{module}")
