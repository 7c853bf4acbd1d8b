"""The parts of `scripts/benchmark.py` and `scripts/profile_step.py`."""
