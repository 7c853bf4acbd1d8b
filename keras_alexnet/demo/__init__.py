"""The page of `demo.py`, which looks into trained networks with a picture of your own."""
