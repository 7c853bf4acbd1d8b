"""Evaluate networks, classify pictures, and inspect what a network has learned (paper section 6)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "classifier": ["Classifier"],
        "evaluate": ["Evaluation", "evaluate_run", "evaluate_runs"],
        "metrics": ["TopKError"],
    },
)
