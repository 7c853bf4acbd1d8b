"""The parts of `scripts/compare_accuracy.py` and `scripts/try_default.py`."""
