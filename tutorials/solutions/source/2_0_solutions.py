# %% [markdown]
# # 2 The dataset: solutions
#
# Exercise 2 of [chapter 2](../2_0_the_dataset.ipynb): one network is right on 600 of 1020 validation pictures, another
# on 620 of the same pictures. Is the second better? Write a test that uses the pictures on which only one of the two is
# right.

# %%
import numpy as np
from scipy.stats import binomtest


# %%
def mcnemar(first, second):
    """Return how probable so uneven a split is, if neither is better."""
    only_first = int((first & ~second).sum())
    only_second = int((second & ~first).sum())
    trial = binomtest(only_first, only_first + only_second)
    return only_first, only_second, trial.pvalue


# %% [markdown]
# The answer depends on how often the two disagree, which the counts 600 and 620 do not say. Here are both extremes of a
# family: networks that agree on nearly all pictures, and networks that hardly agree.


# %%
def pair_of_networks(only_first):
    """Two networks that are right on 600 and on 620 of 1020 pictures."""
    first, second = np.zeros(1020, bool), np.zeros(1020, bool)
    first[:600] = True
    second[only_first : 600 + 20 + only_first] = True
    return first, second


for only_first in (0, 30, 180, 400):
    first, second = pair_of_networks(only_first)
    assert (first.sum(), second.sum()) == (600, 620)
    a, b, p = mcnemar(first, second)
    print(f"only the first {a:3}, only the second {b:3}: p = {p:.2g}")

# %% [markdown]
# With 0 against 20 or 30 against 50 the second network is probably better; with 180 against 200 we cannot tell.

# %%
assert mcnemar(*pair_of_networks(0))[2] < 0.001
assert round(mcnemar(*pair_of_networks(30))[2], 2) == 0.03
assert round(mcnemar(*pair_of_networks(180))[2], 1) == 0.3
