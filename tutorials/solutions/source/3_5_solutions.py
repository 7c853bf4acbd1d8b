# %% [markdown]
# # 3.5 Overall architecture: solutions
#
# The exercises of [chapter 3.5](../3_5_overall_architecture.ipynb) that write code or train something.
#
# ## Exercise 2
#
# `dataclasses.replace(ARCHITECTURES["paper"], hidden=(1024, 1024))` is a network too. What share of the parameters is left?

# %%
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import dataclasses

import keras
import numpy as np

from keras_alexnet import ARCHITECTURES, build
from keras_alexnet.data.drawings import petals
from keras_alexnet.models import layer_costs, sketch

L = keras.layers

# %%
paper = ARCHITECTURES["paper"]
narrow = dataclasses.replace(paper, name="narrow", hidden=(1024, 1024))
counts = [
    sum(cost.parameters for cost in layer_costs(sketch(net)))
    for net in (narrow, paper)
]
print(f"{counts[0]:,} of {counts[1]:,} parameters, {counts[0] / counts[1]:.0%}")
assert round(100 * counts[0] / counts[1]) == 23

# %% [markdown]
# ## Exercise 3
#
# Change the plain Keras network into torchvision's, and compare its number of parameters with `one_weird_trick`.

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

# %%
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
off = np.abs(a - b).max() / (a.max() - a.min())
print(f"largest difference {off:.2%} of the range of probabilities")
assert plain.count_params() == library.count_params() == 61_100_840
assert off < 0.01
assert ARCHITECTURES["one_weird_trick"].dropout_before

# %% [markdown]
# ## Exercise 4
#
# Two layers of 3 x 3 see as many pixels as one of 5 x 5. Train a small network of each kind on 200 drawn flowers. Which one
# learns them better, and with how many parameters?


# %%
def shrink(pictures):  # (n, 256, 256, 3) -> (n, 32, 32, 3)
    blocks = pictures.reshape(len(pictures), 32, 8, 32, 8, 3)
    return blocks.mean(axis=(2, 4)).astype("float32") - 128


pictures, labels = petals.draw(200, seed=0)
inputs = shrink(pictures) / 128


# %%
def network(width, layers):
    keras.utils.set_random_seed(0)
    model = keras.Sequential([L.Input((32, 32, 3))])
    for _ in range(2):
        for _ in range(layers):
            model.add(L.Conv2D(24, width, padding="same", activation="relu"))
        model.add(L.MaxPooling2D(3, 2))
    model.add(L.Flatten())
    model.add(L.Dense(10, "softmax"))
    return model


# %%
loss, losses, counts = "sparse_categorical_crossentropy", {}, {}
for name, model in {"5 x 5": network(5, 1), "3 x 3": network(3, 2)}.items():
    model.compile(keras.optimizers.SGD(0.01, 0.9), loss, jit_compile=False)
    log = model.fit(inputs, labels, 16, epochs=9, verbose=0).history
    losses[name] = log["loss"]
    convolutions = [each for each in model.layers if "conv" in each.name]
    counts[name] = sum(each.count_params() for each in convolutions)
    print(f"{name}: {counts[name]:,} parameters in convolutions", end=", ")
    print(f"loss {log['loss'][0]:.2f} at first, then {log['loss'][-1]:.2f}")
assert all(each[-1] < each[0] for each in losses.values())

# %% [markdown]
# One training of each says little about which is better. That both learn, and what they cost, is certain. The first layer
# sees only three colors, and there two layers of 3 x 3 have more weights than one of 5 x 5. From the second on they have 28 %
# fewer.
