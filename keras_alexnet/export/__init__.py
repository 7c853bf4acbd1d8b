"""Export trained networks to files for other programs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "exporting": ["export"],
        "formats": ["FORMATS"],
    },
)
