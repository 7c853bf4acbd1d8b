# %% [markdown]
# # 3.2 Training on multiple GPUs: solutions
#
# The exercises of [chapter 3.2](../3_2_training_on_multiple_gpus.ipynb) that write code or train something.
#
# ## Exercise 3
#
# Write a convolution in any number of groups with `keras.ops.conv`, and compare it with `GroupedConv2D` in four groups.

# %%
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from keras_alexnet import ARCHITECTURES, PaperSGD, build, figure_1
from keras_alexnet.data.drawings import petals
from keras_alexnet.models import GroupedConv2D

random = np.random.default_rng(0)


# %%
def grouped(maps, kernel, groups):
    """maps (batch, y, x, channels), kernel (h, w, channels / groups, f)."""
    parts = np.split(maps, groups, -1), np.split(kernel, groups, -1)
    pairs = zip(*parts, strict=True)
    done = [keras.ops.conv(m, k, padding="same") for m, k in pairs]
    return np.concatenate(done, axis=-1)


maps = random.normal(size=(2, 13, 13, 16)).astype("float32")
layer = GroupedConv2D(8, 3, padding="same", groups=4, use_bias=False)
by_library = layer(maps)
by_hand = grouped(maps, np.array(layer.kernel), 4)
print(f"kernel {tuple(layer.kernel.shape)}, output {by_hand.shape}")
assert np.allclose(by_hand, by_library, atol=1e-5)

# %% [markdown]
# ## Exercise 4
#
# In the authors' network 150 the towers never communicate before the classifier. Build its convolutions, with `groups=2` in
# conv3 and `norm=None`, and show that nothing crosses. What changes if you keep the text's normalization?

# %%
paper = ARCHITECTURES["paper"]
rows = dict(paper.convolutions)
rows[3] = dataclasses.replace(rows[3], groups=2)
apart = dataclasses.replace(paper, name="apart", norm=None, convolutions=rows)
before = random.random((1, 15, 15, 96)).astype("float32")
after = before.copy()
after[..., :48] += 1  # the first tower


# %%
def crosses(net):
    """Return whether tower 2 of conv5 changes with tower 1 of conv1."""
    model = build(net, include_top=False, input_shape=(67, 67, 3))
    first, last = model.get_layer("relu1"), model.get_layer("conv5")
    behind = keras.Model(first.output, last.output)
    change = np.abs(np.array(behind(after)) - np.array(behind(before)))
    return bool(change[..., 128:].max() > 0)


normed = dataclasses.replace(apart, name="with norm", norm=paper.norm)
for net in (dataclasses.replace(paper, norm=None), apart, normed):
    print(f"{net.name}: tower 2 of conv5 changes: {crosses(net)}")
assert crosses(paper) and not crosses(apart) and crosses(normed)

# %% [markdown]
# The text's normalization windows of five channels reach over the boundary between the towers, channels 48 and 49 of
# conv1 and 128 and 129 of conv2. In the authors' code they do not.

# %% [markdown]
# ## Exercise 5
#
# Split the batch by hand: train chapter 1's small network on 192 drawn flowers, once with batches of 32, and once with two
# halves of 16 whose gradients are averaged. Are the weights the same?


# %%
def shrink(pictures):  # (n, 256, 256, 3) -> (n, 32, 32, 3)
    blocks = pictures.reshape(len(pictures), 32, 8, 32, 8, 3)
    return blocks.mean(axis=(2, 4)).astype("float32") - 128


pictures, labels = petals.draw(192, seed=0)
inputs, loss = shrink(pictures), keras.losses.SparseCategoricalCrossentropy()


# %%
def gradients(model, part):
    with tf.GradientTape() as tape:
        error = loss(labels[part], model(inputs[part]))
    return tape.gradient(error, model.trainable_variables)


# %%
def train(parts, steps=24):
    keras.utils.set_random_seed(0)
    model, optimizer = build(figure_1(), classes=10), PaperSGD(0.003)
    start = model.get_weights()
    for n in range(steps):
        batch = np.split(np.arange(32) + 32 * (n % 6), parts)
        found = [gradients(model, part) for part in batch]
        means = [sum(each) / parts for each in zip(*found, strict=True)]
        optimizer.apply(means, model.trainable_variables)
    return start, model.get_weights()


# %%
start, whole = train(1)
_, halved = train(2)
moved = max(np.abs(a - b).max() for a, b in zip(start, whole, strict=True))
off = max(np.abs(a - b).max() for a, b in zip(halved, whole, strict=True))
print(f"the weights moved by up to {moved:.1e} and differ by {off:.1e}")
assert off < moved / 50

# %% [markdown]
# They are, up to rounding errors, which grow with every step. The loss is a mean over the batch, so its gradient is the
# mean of the gradients of two equal halves. With halves of different sizes each must be weighted by its share of the pictures.
