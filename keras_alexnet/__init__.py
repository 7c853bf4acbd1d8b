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

import wrapt

# The public names, by the module each is loaded from.
_PUBLIC = {
    "architectures": ("ARCHITECTURES", "figure_1"),
    "description": ("describe",),
    "imagenet": ("decode_predictions", "preprocess_input"),
    "layers": ("GroupedConv2D", "LocalResponseNormalization", "SpatialResponseNormalization"),
    "metrics": ("TopKError",),
    "model": ("build",),
    "optimizers": ("PaperSGD",),
    "recipes": ("RECIPES", "Recipe"),
    "topology": ("Architecture",),
}
_MODULE_OF = {name: module for module, names in _PUBLIC.items() for name in names}

__all__ = sorted(_MODULE_OF)


def __getattr__(name):
    """Load a public name on first use (PEP 562)."""
    if name not in _MODULE_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULE_OF[name]}"), name)


def __dir__():
    return sorted({*globals(), *__all__})


@wrapt.when_imported("keras")
def _register(_):
    """Make what a saved network consists of known to Keras, as soon as there is a Keras to know it."""
    for module in ("layers", "metrics", "optimizers"):
        importlib.import_module(f"{__name__}.{module}")
