"""Matplotlib figures from arrays, without a network."""
