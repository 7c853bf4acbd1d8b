# %% [markdown]
# # 3.3 Local response normalization: solutions
#
# The exercises of [chapter 3.3](../3_3_local_response_normalization.ipynb) that write code or train something.
#
# ## Exercise 3
#
# Train `build("paper", input_shape=(67, 67, 3), classes=10, initial_weights="zero_biases")` on 160 drawn flowers with
# `PaperSGD(0.01, global_clipnorm=5.0)`, for 15 epochs. What does norm1 multiply by before and after? (With the paper's
# biases of 1, this network would need more pictures to learn anything.)

# %%
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import keras
import numpy as np

from keras_alexnet import PaperSGD, build, preprocess_input
from keras_alexnet.data.drawings import petals
from keras_alexnet.models import LocalResponseNormalization

# %%
pictures, labels = petals.draw(160, seed=0)
inputs = preprocess_input(pictures[:, 94:161, 94:161])  # (160, 67, 67, 3)
keras.utils.set_random_seed(0)
zero = {"initial_weights": "zero_biases"}
model = build("paper", input_shape=(67, 67, 3), classes=10, **zero)
loss = "sparse_categorical_crossentropy"
optimizer = PaperSGD(0.01, global_clipnorm=5.0)
model.compile(optimizer, loss, jit_compile=False)
norm1 = model.get_layer("norm1")
probe = keras.Model(model.input, [norm1.input, norm1.output])


# %%
def mean_factor():
    before, after = probe.predict(inputs[:16], verbose=0)
    active = before > 0
    return (after[active] / before[active]).mean()


# %%
at_start = mean_factor()
losses = model.fit(inputs, labels, 32, epochs=15, verbose=0).history["loss"]
at_end = mean_factor()
print(f"loss {losses[0]:.2f} in the first epoch, {losses[-1]:.2f} in the last")
print(f"norm1 multiplies by {at_start:.3f} before, {at_end:.3f} after")
print(f"a constant would be {2**-0.75:.3f}")
assert losses[-1] < losses[0] - 0.5
assert abs(at_start - 2**-0.75) < 0.02 and at_end < at_start - 0.01

# %% [markdown]
# Normalization acts on large activations, and they have begun to grow. In the network of the chapter, which learned from
# 921,600 crops, norm1 multiplies by 0.42.
#
# ## Exercise 4
#
# Write the layer without a loop over channels: the sum over a window is a difference of two running sums.


# %%
def normalize(a, n=5, k=2.0, alpha=1e-4, beta=0.75):
    edge = [(0, 0)] * (a.ndim - 1)
    padded = np.pad(a**2, [*edge, (n // 2 + 1, n // 2)])
    sums = padded.cumsum(axis=-1)  # of all channels up to here
    energy = sums[..., n:] - sums[..., :-n]
    return a / (k + alpha * energy) ** beta


random = np.random.default_rng(0)
activations = random.gamma(1.0, 40.0, (2, 6, 6, 96))
by_library = LocalResponseNormalization()(activations.astype("float32"))
off = np.abs(normalize(activations) / by_library - 1).max()
print(f"{activations.shape[-1]} channels, all within 0.01 % of the library's")
assert off < 1e-4

# %% [markdown]
# ## Exercise 5
#
# Find the gradient: how does the loss change with one input, when it changes all outputs of its window? Check it by moving
# one input.
#
# With $d_i = k + \alpha \sum a_j^2$ and the gradient $g_i$ for output $i$, it is
# $g_j\, d_j^{-\beta} - 2 \alpha \beta\, a_j \sum_i g_i\, a_i\, d_i^{-\beta - 1}$, summed over the windows that contain $j$.


# %%
def window_sums(values, n=5):
    edge = [(0, 0)] * (values.ndim - 1)
    sums = np.pad(values, [*edge, (n // 2 + 1, n // 2)]).cumsum(axis=-1)
    return sums[..., n:] - sums[..., :-n]


def gradient(a, g, k=2.0, alpha=1e-4, beta=0.75):
    d = k + alpha * window_sums(a**2)
    others = window_sums(g * a * d ** (-beta - 1))
    return g * d**-beta - 2 * alpha * beta * a * others


# %%
g, moved = random.normal(size=activations.shape), activations.copy()
moved[0, 1, 2, 40] += 1e-4
change = (g * (normalize(moved) - normalize(activations))).sum() / 1e-4
by_formula = gradient(activations, g)[0, 1, 2, 40]
print(f"by formula {by_formula:.6f}, by moving it {change:.6f}")
assert np.isclose(by_formula, change, rtol=1e-4)

# %% [markdown]
# A window that contains channel $j$ belongs to a channel that is in the window of $j$, so the same sums serve again.
