"""Load weights of other frameworks and of Keras files into a network."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "formats": ["read"],
        "loading": ["load"],
        "names": ["locate"],
    },
)
