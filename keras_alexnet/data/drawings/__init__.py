"""Data sets that are drawn, so that they need no download."""
