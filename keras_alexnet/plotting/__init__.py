"""Matplotlib figures from arrays. Nothing here needs a network."""
