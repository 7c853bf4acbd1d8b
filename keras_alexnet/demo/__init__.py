"""A page to look into trained networks with a picture of one's own: what `demo.py` shows."""
