"""The networks: architectures, layers, initial weights (paper section 3)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "alexnet": ["build"],
        "architectures": ["ARCHITECTURES", "Architecture", "Convolution", "LowResolution", "Normalization", "figure_1"],
        "initializers": ["INITIAL_WEIGHTS"],
        "layers": [
            "AdaptiveAveragePooling2D",
            "GaussianSubsampling",
            "GroupedConv2D",
            "GroupedDense",
            "GroupedFlatten",
            "LocallyConnected2D",
            "PaperDropout",
        ],
        "normalization": ["LocalResponseNormalization", "SpatialResponseNormalization"],
        "preprocessing": ["decode_predictions", "preprocess_input"],
        "summary": ["describe", "differences", "layer_costs", "setting_words", "sketch", "training_flops"],
    },
)
