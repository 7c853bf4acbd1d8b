# %% [markdown]
# # 5 Details of learning: solutions
#
# Exercise 3 of [chapter 5](../5_0_details_of_learning.ipynb): add Nesterov momentum to `walk`, which computes the
# gradient at `weights + momentum * velocity`. At its best rate, is it better than momentum 0.9 in this valley?

# %%
import numpy as np

STEEPNESS, BOTTOM = np.array([1.0, 100.0]), np.array([8.0, 1.0])


def final_loss(rate, nesterov, momentum=0.9):
    weights = velocity = np.zeros(2)
    for _ in range(60):
        ahead = weights + momentum * velocity if nesterov else weights
        velocity = momentum * velocity - rate * STEEPNESS * (ahead - BOTTOM)
        weights = weights + velocity
    return (STEEPNESS * (weights - BOTTOM) ** 2).sum() / 2


# %%
rates = np.arange(1, 51) / 1000
best = {}
for name, nesterov in (("momentum", False), ("Nesterov", True)):
    losses = [final_loss(rate, nesterov) for rate in rates]
    best[name] = min(losses)
    rate = rates[int(np.argmin(losses))]
    print(f"{name}: best rate {rate:.3f}, final loss {best[name]:.1e}")
assert best["Nesterov"] < best["momentum"]

# %% [markdown]
# Nesterov's looks ahead and damps the swings across the valley. The loss ends about a tenth as high.

# %%
assert round(best["Nesterov"] / best["momentum"], 1) == 0.1
