"""The commands, one module each. `keras-alexnet NAME` and `python scripts/NAME.py` run `main` of the module NAME."""
