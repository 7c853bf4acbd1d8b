"""Evaluating networks, and looking at what they have learned (paper section 6)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "classifier": ["Classifier"],
        "metrics": ["TopKError"],
    },
)
