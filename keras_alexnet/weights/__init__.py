"""Weights of other frameworks into a network."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "loading": ["fetch", "load"],
    },
)
