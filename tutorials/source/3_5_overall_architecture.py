# %% [markdown]
# # 3.5 Overall architecture
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 3.5, figure 2 | `model.py`, `architectures.py`, `description.py` | a minute, no data |
#
# **The paper says:** five convolutional layers and three fully connected ones, "60 million parameters and 650,000
# neurons". Each layer reads the one before it; the kernels of layers 2, 4 and 5 see only the maps of their own GPU.
#
# **Predict first.** (1) Which layer has the most parameters? (2) Which one does the most work? (3) With the printed 224
# pixels, kernels of 11 and steps of 4, how wide is the first map?

# %%
# %matplotlib inline
import dataclasses

import numpy as np

from keras_alexnet import ARCHITECTURES, build, describe
from keras_alexnet.models.summary import layer_costs, sketch
from keras_alexnet.plotting import diagrams, figures

# %% [markdown]
# ## A convolution is a sliding window
#
# One kernel looks at one window of the picture at a time: it multiplies, adds, and moves on. The same few weights are
# used at every place. That is all that *weight sharing* means.


# %%
def slide(picture, kernel, stride=1):
    side, out = len(kernel), (len(picture) - len(kernel)) // stride + 1
    windows = [[picture[y * stride :, x * stride :][:side, :side] for x in range(out)] for y in range(out)]
    return (np.array(windows) * kernel).sum(axis=(2, 3))


picture = np.zeros((9, 9))
picture[:, 5:] = 1.0  # dark on the left, light on the right
edge = np.array([[-1.0, 0.0, 1.0]] * 3)
found = slide(picture, edge)
shown = {"picture": picture, "kernel": edge, "map": found}
figure = figures.sheet(7, 2.4, "A sliding window: a picture with one edge, a kernel, and the map, large at the edge")
for axes, (name, numbers) in zip(figure.subplots(1, 3), shown.items(), strict=True):
    axes.imshow(numbers, cmap="gray")
    axes.set(xticks=[], yticks=[], title=f"{name}, {numbers.shape[0]} x {numbers.shape[1]}")
figure

# %% [markdown]
# Keras does the same, for many kernels and channels at once.

# %%
import keras

by_keras = keras.ops.conv(picture[None, :, :, None], edge[:, :, None, None], padding="valid")
assert np.allclose(by_keras[0, :, :, 0], found)

# %% [markdown]
# ## How wide is a map? How many numbers does a layer learn?
#
# A window of $k$ pixels on a side of $n$, with $p$ zeros at each end and a step of $s$, fits $\lfloor (n + 2p - k) / s
# \rfloor + 1$ times. A layer of $f$ kernels over $c$ channels, of which each kernel sees $c / g$, learns $f \cdot (k^2
# c / g + 1)$ numbers: the weights, and one bias a kernel.

# %%
size, channels, by_formula = 227, 3, {}
for n, row in ARCHITECTURES["paper"].convolutions.items():
    size = (size + 2 * row.padding - row.kernel) // row.strides + 1
    by_formula[f"conv{n}"] = row.filters * (row.kernel**2 * channels // row.groups + 1)
    print(f"conv{n}: {size} x {size} x {row.filters}, {by_formula[f'conv{n}']:,} parameters")
    size, channels = ((size - 3) // 2 + 1 if "pool" in row.then else size), row.filters
for name, inputs, units in (("fc6", size * size * channels, 4096), ("fc7", 4096, 4096), ("fc8", 4096, 1000)):
    by_formula[name] = units * (inputs + 1)
    print(f"{name}: {inputs} numbers in, {units} out, {by_formula[name]:,} parameters")

costs = {cost.name: cost for cost in layer_costs(sketch("paper"))}
assert all(costs[name].parameters == number for name, number in by_formula.items())
assert sum(by_formula.values()) == 60_965_224

# %% [markdown]
# Many posts print 62,378,344 instead. That network has no groups: every kernel sees every channel. Both counts are
# right, for two networks.

# %%
single = {cost.name: cost.parameters for cost in layer_costs(sketch("single_tower"))}
assert sum(single.values()) == 62_378_344
for name in ("conv2", "conv4", "conv5"):
    print(f"{name}: {by_formula[name]:,} with two groups, {single[name]:,} without")

# %% [markdown]
# ## Where the parameters are, and where the work is
#
# A fully connected layer uses each weight once an image. A convolution uses each weight once a *place*. So the two
# halves of the network cost in opposite ways.

# %%
names = list(by_formula)
parameters = np.array([costs[name].parameters for name in names])
work = np.array([costs[name].multiply_adds for name in names])
share = parameters[5:].sum() / parameters.sum(), work[:5].sum() / work.sum()
said = f"fully connected layers hold {share[0]:.0%} of the parameters, convolutions do {share[1]:.0%} of the work"
figure = figures.sheet(8, 2.8, f"Bars by layer: {said}")
axes = figure.subplots()
axes.bar(np.arange(8) - 0.2, parameters / parameters.sum(), 0.4, color="black", label="parameters")
axes.bar(np.arange(8) + 0.2, work / work.sum(), 0.4, color="white", ec="black", hatch="//", label="multiply-adds")
axes.set_xticks(range(8), names)
axes.set(ylabel="share of the network", title=f"{parameters.sum():,} parameters, {work.sum():,} multiply-adds an image")
axes.legend(frameon=False)
assert names[parameters.argmax()] == "fc6" and names[work.argmax()] == "conv2"
figure

# %% [markdown]
# fc6 has the most parameters, conv2 does the most work. Section 1 remarks that each convolutional layer holds no more
# than 1 % of the parameters. Nearly so: conv3 and conv4 are a little above.

# %%
for name in names[:5]:
    print(f"{name}: {costs[name].parameters / parameters.sum():.2%}")
assert [name for name in names[:5] if costs[name].parameters > 0.01 * parameters.sum()] == ["conv3", "conv4"]

# %% [markdown]
# ## 224 or 227? 253,440 or 290,400?
#
# The text prints 224 pixels. $(224 - 11) / 4$ is not whole. In the authors' code sizes round **up** and zeros join at
# the bottom and right; most others feed 227. Both give 55 x 55 maps, and that is what the library does.
#
# The text also counts the neurons of each layer, 253,440 of them in the first. Let us count ourselves.

# %%
printed = {"conv1": 253_440, "conv2": 186_624, "conv3": 64_896, "conv4": 64_896, "conv5": 43_264}
assert sketch("paper", input_shape=(224, 224, 3)).get_layer("conv1").output.shape[1:] == costs["conv1"].shape
for name, number in printed.items():
    ours = int(np.prod(costs[name].shape))
    print(f"{name}: {' x '.join(map(str, costs[name].shape))} = {ours:,}; the paper has {number:,}")
    assert (ours == number) == (name != "conv1")
assert int(np.prod(costs["conv1"].shape)) == 290_400

# %% [markdown]
# Only the first number is off: 55 x 55 x 96 is 290,400. The rest of the paper's row is exact. And the 650,000 neurons?

# %%
units = 4096 + 4096 + 1000
for first in (printed["conv1"], 290_400):
    total = first - printed["conv1"] + sum(printed.values()) + units
    print(f"with {first:,} in conv1: {total:,} neurons")
assert round(total, -4) == 660_000

# %% [markdown]
# The printed row adds up to 622,312. With the true first number there are 659,272, nearer to what the paper says.
#
# ## Receptive fields
#
# How much of the picture does one number of a map depend on? Walk back through the layers: a window of $k$ over outputs
# that are $j$ pixels apart adds $(k - 1) j$ pixels. This also says why two 3 x 3 layers are like one 5 x 5, with fewer
# weights and a nonlinearity between.


# %%
def fields(windows):
    """The field in pixels behind each layer, from (name, kernel, step)."""
    field, jump, seen = 1, 1, {}
    for name, kernel, step in windows:
        field, jump = field + (kernel - 1) * jump, jump * step
        seen[name] = field
    return seen


walk = [("conv1", 11, 4), ("pool1", 3, 2), ("conv2", 5, 1), ("pool2", 3, 2), ("conv3", 3, 1), ("conv4", 3, 1)]
print(fields([*walk, ("conv5", 3, 1), ("pool5", 3, 2)]))
assert fields([("a", 3, 1), ("b", 3, 1)])["b"] == fields([("a", 5, 1)])["a"] == 5
print(f"over 256 channels: two 3 x 3 have {2 * 9 * 256**2:,} weights, one 5 x 5 has {25 * 256**2:,}")

# %% [markdown]
# Is that formula true of the network itself? Change one pixel after the other along a row and see which ones the middle
# number of conv2 notices.

# %%
model = build("paper", include_top=False, input_shape=(131, 131, 3))
to_conv2 = keras.Model(model.input, model.get_layer("conv2").output)
rows = np.repeat(np.random.default_rng(0).normal(0, 50, (1, 131, 131, 3)), 132, axis=0).astype("float32")
rows[np.arange(1, 132), 65, np.arange(131)] += 500.0  # picture n has pixel n - 1 of the middle row changed
maps = to_conv2.predict(rows, batch_size=33, verbose=0)
middle = maps.shape[1] // 2
noticed = np.flatnonzero(np.abs(maps[1:, middle, middle] - maps[0, middle, middle]).max(axis=-1) > 1e-6)
print(f"pixels {noticed.min()} to {noticed.max()}, which is {np.ptp(noticed) + 1} of them")
assert np.ptp(noticed) + 1 == fields(walk)["conv2"]  # the normalization looks at channels, not at places

# %% [markdown]
# ## Figure 2, to scale

# %%
diagrams.network(diagrams.maps(sketch("paper", input_shape=(224, 224, 3))))

# %% [markdown]
# Grey lines stay within a column; the thick ones of conv3 and the fully connected layers cross. Fully connected layers
# look thin here because they have no width: fc6 alone holds more than half of all parameters.
#
# ## The networks on record

# %%
for name in ARCHITECTURES:
    found = layer_costs(sketch(name))
    parameters, work = sum(cost.parameters for cost in found), sum(cost.multiply_adds for cost in found)
    print(f"{name:18}{parameters:>12,} parameters {work / 1e6:>8.1f} million multiply-adds")
print("\n" + describe("source").split("\n\n")[-1])

# %% [markdown]
# ## Exercises
#
# 1. What would fc6 cost if the last pooling were left out?
# 2. `dataclasses.replace(ARCHITECTURES["paper"], hidden=(1024, 1024))` is a network too. What share of the parameters
#    is left?

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
small = dataclasses.replace(ARCHITECTURES["paper"], name="small_head", hidden=(1024, 1024))
left = sum(cost.parameters for cost in layer_costs(sketch(small))) / 60_965_224
unpooled = 13 * 13 * 256 * 4096 + 4096
assert round(unpooled / by_formula["fc6"], 1) == 4.7
print(f"1. {unpooled:,} parameters in fc6 instead of {by_formula['fc6']:,}. 2. {left:.0%} are left.")

# %% [markdown]
# <details><summary>Answers</summary>
#
# 1. fc6 would see 13 x 13 x 256 numbers instead of 6 x 6 x 256: 4.7 times as many parameters.
# 2. The cell above has the share. The convolutions keep theirs; the fully connected layers shrink.
#
# </details>
