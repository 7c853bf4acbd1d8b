"""Figures from arrays. Nothing here knows a network."""
