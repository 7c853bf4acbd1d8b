"""Train networks: update rule, schedule, checkpoints, devices (paper section 5)."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach(
    __name__,
    submod_attrs={
        "choosing": ["choose"],
        "optimizers": ["PaperSGD"],
        "strategies": ["create_strategy"],
        "trainer": ["compiled_model", "fit"],
    },
)
