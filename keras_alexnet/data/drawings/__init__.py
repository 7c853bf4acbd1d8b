"""Data sets that the library draws, without a download."""
