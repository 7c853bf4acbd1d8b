# %% [markdown]
# # 3.4 Overlapping pooling: solutions
#
# The exercises of [chapter 3.4](../3_4_overlapping_pooling.ipynb) that write code or train something.
#
# ## Exercise 3
#
# Write `pool` without a loop, with `np.lib.stride_tricks.sliding_window_view`.

# %%
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from keras_alexnet import PaperSGD, build, figure_1
from keras_alexnet.data.drawings import petals


# %%
def pool(numbers, window, step, combine=np.max):
    shape = (window, window)
    views = np.lib.stride_tricks.sliding_window_view(numbers, shape)
    return combine(views[::step, ::step], axis=(2, 3))


random = np.random.default_rng(0)
numbers = random.normal(size=(13, 13)).astype("float32")
by_keras = keras.layers.MaxPooling2D(3, 2)(numbers[None, :, :, None])
print("13 x 13 ->", pool(numbers, 3, 2).shape)
assert np.array_equal(pool(numbers, 3, 2), by_keras[0, :, :, 0])
five = np.arange(25.0).reshape(5, 5)
assert pool(five, 3, 2).tolist() == [[12, 14], [22, 24]]

# %% [markdown]
# ## Exercise 4
#
# Where does the gradient of a maximum go? Send a gradient of 1 for each window back to the numbers, and compare it with
# TensorFlow's.


# %%
def back(numbers, window, step):
    """Return the gradient of the sum of all maxima."""
    gradient = np.zeros_like(numbers)
    starts = range(0, len(numbers) - window + 1, step)
    for y in starts:
        for x in starts:
            part = numbers[y : y + window, x : x + window]
            place = np.unravel_index(part.argmax(), part.shape)
            gradient[y + place[0], x + place[1]] += 1
    return gradient


# %%
batch = tf.constant(numbers[None, :, :, None])
with tf.GradientTape() as tape:
    tape.watch(batch)
    total = tf.reduce_sum(keras.layers.MaxPooling2D(3, 2)(batch))
by_tensorflow = tape.gradient(total, batch)[0, :, :, 0]
gradient = back(numbers, 3, 2)
assert np.array_equal(gradient, by_tensorflow)
print(f"{(gradient > 0).sum()} of 169 numbers get a gradient", end=", ")
print(f"one of them {gradient.max():.0f} times")
assert gradient.sum() == 36 and gradient.max() > 1

# %% [markdown]
# Only the largest number of a window learns. Where windows overlap, a number can be the largest of several and collects
# the gradients of all of them.
#
# ## Exercise 5
#
# Train the small network of figure 1 on 200 drawn flowers with windows of 3 and with windows of 2. Which one names more of
# 200 new flowers?


# %%
def shrink(pictures):  # (n, 256, 256, 3) -> (n, 32, 32, 3)
    blocks = pictures.reshape(len(pictures), 32, 8, 32, 8, 3)
    return blocks.mean(axis=(2, 4)).astype("float32") - 128


pictures, labels = petals.draw(200, seed=0)
others, truth = petals.draw(200, seed=1)
train, test = shrink(pictures), shrink(others)


# %%
def right(window, seed):
    keras.utils.set_random_seed(seed)
    net = dataclasses.replace(figure_1(), name="small", pool=(window, 2))
    model = build(net, classes=10)
    loss = "sparse_categorical_crossentropy"
    more = {"metrics": ["accuracy"], "jit_compile": False}
    model.compile(PaperSGD(0.003), loss, **more)
    model.fit(train, labels, batch_size=16, epochs=7, verbose=0)
    return model.evaluate(test, truth, 200, verbose=0)[1]


# %%
found = {w: [right(w, seed) for seed in (0, 1)] for w in (2, 3)}
for window, shares in found.items():
    print(f"windows of {window}:", ", ".join(f"{s:.0%}" for s in shares))
assert min(min(shares) for shares in found.values()) > 0.1

# %% [markdown]
# The two seeds of one network differ by several points, and 200 pictures give each number an interval of 13 points or more.
# The paper's 0.4 points cannot be seen at this scale, whichever wins here.
