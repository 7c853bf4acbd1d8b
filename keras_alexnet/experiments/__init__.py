"""This repository's archived runs: copying runs into the archive, and what the archived runs show together."""
