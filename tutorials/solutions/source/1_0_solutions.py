# %% [markdown]
# # 1 Introduction: solutions
#
# The exercises of [chapter 1](../1_0_introduction.ipynb) that write code or train something.
#
# ## Exercise 3
#
# Find the five most probable classes in NumPy, and compare them with `decode_predictions`.

# %%
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import keras
import numpy as np

from keras_alexnet import PaperSGD, decode_predictions
from keras_alexnet.data.drawings import petals

# %%
random = np.random.default_rng(0)
logits = random.normal(size=10)
shares = np.exp(logits) / np.exp(logits).sum()
best = np.argsort(-shares)[:5]  # the largest first
by_hand = [(petals.CLASS_NAMES[n], float(shares[n])) for n in best]
for name, share in by_hand:
    print(f"{name:12}{share:.1%}")
(by_library,) = decode_predictions(shares[None], 5, petals.CLASS_NAMES)
assert [name for name, _ in by_hand] == [name for _, name, _ in by_library]
assert np.allclose([s for _, s in by_hand], [s for *_, s in by_library])

# %% [markdown]
# ## Exercise 4
#
# Write the convolution of a picture of 6 x 6 pixels with a kernel of 3 x 3 and *steps of 2* as one matrix. How many of its
# connections are used?

# %%
kernel = np.arange(1.0, 10.0).reshape(3, 3)
matrix = np.zeros((6, 6, 2, 2))  # from each of 6 x 6 pixels to 2 x 2 units
for y in range(2):
    for x in range(2):
        matrix[2 * y : 2 * y + 3, 2 * x : 2 * x + 3, y, x] = kernel

# %%
small = random.normal(size=(6, 6))
connected = np.einsum("ab,abyx->yx", small, matrix)
batch, kernels = small[None, :, :, None], kernel[:, :, None, None]
convolved = keras.ops.conv(batch, kernels, strides=2, padding="valid")
assert np.allclose(connected, convolved[0, :, :, 0], atol=1e-5)
used = np.count_nonzero(matrix)
print(f"{matrix.size} connections, {used} of them used")
assert (matrix.size, used) == (144, 36)

# %% [markdown]
# With larger steps there are fewer units, and each has its nine connections as before.
#
# ## Exercise 5
#
# Train the linear classifier of the chapter's first cell on the same 500 flowers. How does it do on new ones?


# %%
def shrink(pictures):  # (n, 256, 256, 3) -> (n, 32, 32, 3)
    blocks = pictures.reshape(len(pictures), 32, 8, 32, 8, 3)
    return blocks.mean(axis=(2, 4)).astype("float32") - 128


pictures, labels = petals.draw(500, seed=0)
new, truth = petals.draw(100, seed=1)
inputs, others = shrink(pictures) / 128, shrink(new) / 128

# %%
keras.utils.set_random_seed(0)
L = keras.layers
linear = keras.Sequential([L.Flatten(), L.Dense(10, "softmax")])
loss = "sparse_categorical_crossentropy"
more = {"metrics": ["accuracy"], "jit_compile": False}
linear.compile(PaperSGD(0.001), loss, **more)
linear.fit(inputs, labels, batch_size=16, epochs=60, verbose=0)
_, seen = linear.evaluate(inputs, labels, 500, verbose=0)
_, unseen = linear.evaluate(others, truth, 100, verbose=0)
print(f"right: {seen:.0%} of 500 that it learned, {unseen:.0%} of 100 new")
assert seen > unseen + 0.2

# %% [markdown]
# It has one weight for each pixel and class. That is enough to name most of the flowers that it has learned, but it says
# less about a flower that is somewhere else in its picture. The small network of the chapter uses the same kernels at all
# places.
