# %% [markdown]
# # 3.5 Overall architecture: solutions
#
# Exercise 3 of [chapter 3.5](../3_5_overall_architecture.ipynb): change the plain Keras network into torchvision's, and
# compare its number of parameters with `one_weird_trick`.

# %%
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import keras
import numpy as np

from keras_alexnet import ARCHITECTURES, build

L = keras.layers

# %%
kernels = {1: (64, 11, 4), 2: (192, 5, 1), 3: (384, 3, 1)}
kernels |= {4: (256, 3, 1), 5: (256, 3, 1)}
layers = [L.Input((224, 224, 3)), L.ZeroPadding2D(2)]
for number, (filters, width, step) in kernels.items():
    edge = "valid" if number == 1 else "same"
    layers.append(L.Conv2D(filters, width, step, edge, activation="relu"))
    if number in (1, 2, 5):
        layers.append(L.MaxPooling2D(3, 2))
layers.append(L.Flatten())
for _ in range(2):
    layers += [L.Dropout(0.5), L.Dense(4096, "relu")]
plain = keras.Sequential([*layers, L.Dense(1000, "softmax")])
print(f"{plain.count_params():,} parameters")

# %% [markdown]
# The same count is not yet the same network. With the same weights, do both give the same probabilities?

# %%
keras.utils.set_random_seed(0)
library = build("one_weird_trick")
plain.set_weights(library.get_weights())
picture = np.random.default_rng(0).normal(size=(1, 224, 224, 3))
a, b = (each.predict(picture, verbose=0) for each in (plain, library))
print(f"largest difference {np.abs(a - b).max():.1e}")
assert plain.count_params() == library.count_params() == 61_100_840
assert np.abs(a - b).max() < 0.01 * (a.max() - a.min())
assert ARCHITECTURES["one_weird_trick"].dropout_before
