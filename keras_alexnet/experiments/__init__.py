"""This repository's archived runs: the archive and its tables."""
