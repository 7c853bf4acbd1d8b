"""From pictures to batches: data sets, decoding, augmentation, statistics (paper sections 2 and 4.1)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "datasets": ["Dataset", "from_options", "load"],
        "identity": ["DataIdentity", "may_share_training_pictures"],
        "statistics": ["Statistics"],
        "pipeline": ["evaluation_batches", "training_batches"],
    },
)
