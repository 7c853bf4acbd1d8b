# %% [markdown]
# # 3.5 Overall architecture
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 3.5, figure 2 | `models/` | a minute, drawn flowers |
#
# **The paper says:** five convolutional layers and three fully connected ones, with (in the abstract) "60 million
# parameters and 650,000 neurons". Each layer reads the one before it; the kernels of layers 2, 4 and 5 see only the maps
# on their own GPU.
#
# **Predict first.** (1) Which layer has the most parameters? (2) Which one does the most work? (3) With the printed 224
# pixels, kernels of 11 and steps of 4, how wide is the first map?
#
# To read beside it: [the paper](https://proceedings.neurips.cc/paper_files/paper/2012/hash/c399862d3b9d6b76c8436e924a68c45b-Abstract.html),
# [the authors' code](https://github.com/computerhistory/AlexNet-Source-Code),
# [each claim of this section](../docs/paper_ledger.md#35-overall-architecture) and how it came out here,
# and a [glossary](../docs/glossary.md) in English and Chinese.

# %%
# %matplotlib inline
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import dataclasses

import keras
import numpy as np
import tensorflow as tf

from keras_alexnet import ARCHITECTURES, build, preprocess_input
from keras_alexnet.data.drawings import petals
from keras_alexnet.models import describe, layer_costs, sketch
from keras_alexnet.plotting import diagrams, figures

# %% [markdown]
# ## A convolution is a sliding window
#
# One kernel looks at one window of the picture at a time: it multiplies, adds, and moves on. The same few weights are
# used at every place. This is all that *weight sharing* means.


# %%
def slide(picture, kernel, stride=1):
    width = len(kernel)
    places = range((len(picture) - width) // stride + 1)
    windows = [
        [picture[y * stride :, x * stride :][:width, :width] for x in places]
        for y in places
    ]
    return (np.array(windows) * kernel).sum(axis=(2, 3))


picture = np.zeros((9, 9))
picture[:, 5:] = 1.0  # dark on the left, light on the right
kernel = np.array([[-1.0, 0.0, 1.0]] * 3)
response = slide(picture, kernel)  # (7, 7)

# %%
words = "A picture with one edge, a kernel, and the map, bright at the edge"
figure = figures.sheet(7, 2.4, words)
shown = {"picture": picture, "kernel": kernel, "map": response}
for axes, (name, numbers) in zip(
    figure.subplots(1, 3), shown.items(), strict=True
):
    axes.imshow(numbers, cmap="gray")
    axes.set(xticks=[], yticks=[], title=f"{name}, {numbers.shape}")
figure

# %% [markdown]
# Keras does the same, for many kernels and channels at once.

# %%
batch, kernels = picture[None, :, :, None], kernel[:, :, None, None]
by_keras = keras.ops.conv(batch, kernels, padding="valid")
assert np.allclose(by_keras[0, :, :, 0], response)

# %% [markdown]
# ## How wide is a map? How many numbers does a layer learn?
#
# A window of $k$ pixels, on an input of $n$ pixels with $p$ zeros added at each end, with steps of $s$, fits
# $\lfloor (n + 2p - k) / s \rfloor + 1$ times. A layer with $f$ kernels over $c$ channels in $g$ groups has kernels that
# see $c / g$ channels each. It learns $f \cdot (k^2 c / g + 1)$ numbers: the weights, and one bias per kernel.

# %%
size, channels, by_formula = 227, 3, {}
for n, row in ARCHITECTURES["paper"].convolutions.items():
    size = (size + 2 * row.padding - row.kernel) // row.strides + 1
    weights = row.kernel**2 * channels // row.groups
    by_formula[f"conv{n}"] = row.filters * (weights + 1)
    print(f"conv{n}: {size} x {size} x {row.filters}", end=", ")
    print(f"{by_formula[f'conv{n}']:,} parameters")
    if "pool" in row.then:
        size = (size - 3) // 2 + 1
    channels = row.filters

# %%
inputs = size * size * channels
for name, units in (("fc6", 4096), ("fc7", 4096), ("fc8", 1000)):
    by_formula[name] = units * (inputs + 1)
    print(f"{name}: {inputs} in, {units} out", end=", ")
    print(f"{by_formula[name]:,} parameters")
    inputs = units

costs = {cost.name: cost for cost in layer_costs(sketch("paper"))}
for name, number in by_formula.items():
    assert costs[name].parameters == number
assert sum(by_formula.values()) == 60_965_224

# %% [markdown]
# ## The network in plain Keras
#
# Written out, without the library, from bottom to top. The sizes of the maps are in the comments.

# %%
L = keras.layers


def conv(filters, kernel, groups=1, padding="same", strides=1):
    more = {"groups": groups, "padding": padding, "activation": "relu"}
    return L.Conv2D(filters, kernel, strides, **more)


def norm(x):
    return tf.nn.lrn(x, 2, bias=2.0, alpha=1e-4, beta=0.75)


def hidden():
    return [L.Dense(4096, "relu"), L.Dropout(0.5)]


# %%
stage_1 = [conv(96, 11, padding="valid", strides=4)]  # (55, 55, 96)
stage_1 += [L.Lambda(norm), L.MaxPooling2D(3, 2)]  # (27, 27, 96)
stage_2 = [conv(256, 5, groups=2)]  # (27, 27, 256)
stage_2 += [L.Lambda(norm), L.MaxPooling2D(3, 2)]  # (13, 13, 256)
stage_3 = [conv(384, 3)]  # (13, 13, 384)
stage_4 = [conv(384, 3, groups=2)]  # (13, 13, 384)
stage_5 = [conv(256, 3, groups=2), L.MaxPooling2D(3, 2)]  # (6, 6, 256)
image = [L.Input((227, 227, 3))]
features = [*image, *stage_1, *stage_2, *stage_3, *stage_4, *stage_5]
head = [L.Flatten(), *hidden(), *hidden(), L.Dense(1000, "softmax")]
plain = keras.Sequential([*features, *head])
plain.count_params()

# %% [markdown]
# Is it the library's network? It has the same number of parameters, and with the same weights it gives the same 1000
# probabilities for one picture.

# %%
keras.utils.set_random_seed(0)
library = build("paper")
plain.set_weights(library.get_weights())
flower = preprocess_input(petals.draw_one(0, 0)[None, 14:241, 14:241])
a, b = plain.predict(flower, verbose=0), library.predict(flower, verbose=0)
print(f"probabilities from {a.min():.6f} to {a.max():.6f}")
off = np.abs(a - b).max() / (a.max() - a.min())
print(f"largest difference {off:.2%} of that range")
assert plain.count_params() == library.count_params() == 60_965_224
assert off < 0.01

# %% [markdown]
# The paper says that ReLU follows *every* fully connected layer. The last one cannot be meant, since it feeds the softmax:
# this library, Caffe and torchvision have no ReLU there.

# %%
kernels = [weight.shape for weight in plain.weights if weight.ndim == 4]
print("depths of the kernels:", [shape[2] for shape in kernels])
assert [shape[2] for shape in kernels] == [3, 48, 256, 192, 192]

# %% [markdown]
# The depths 48, 256, 192 and 192 are those that the paper prints for layers 2 to 5: half of the maps before, except in
# conv3, which sees all 256.
#
# The same in PyTorch (not run here, so that the chapter needs Keras alone). Its `alpha` is divided by the window size, so
# that the paper's 0.0001 becomes 0.0005 ([chapter 3.3](3_3_local_response_normalization.ipynb)):
#
# ```python
# nn.Sequential(
#     nn.Conv2d(3, 96, 11, stride=4), nn.ReLU(),
#     nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0),
#     nn.MaxPool2d(3, 2),
#     nn.Conv2d(96, 256, 5, padding=2, groups=2), nn.ReLU(),
#     nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0),
#     nn.MaxPool2d(3, 2),
#     nn.Conv2d(256, 384, 3, padding=1), nn.ReLU(),
#     nn.Conv2d(384, 384, 3, padding=1, groups=2), nn.ReLU(),
#     nn.Conv2d(384, 256, 3, padding=1, groups=2), nn.ReLU(),
#     nn.MaxPool2d(3, 2), nn.Flatten(),
#     nn.Linear(9216, 4096), nn.ReLU(), nn.Dropout(0.5),
#     nn.Linear(4096, 4096), nn.ReLU(), nn.Dropout(0.5),
#     nn.Linear(4096, 1000),  # logits: the loss has the softmax
# )
# ```
#
# The class `AlexNet` that most posts print is another network: torchvision's, which follows a paper of 2014 ("One weird
# trick"). It has 64, 192, 384, 256 and 256 kernels (that paper prints 384 for the fourth layer, its code has 256), no
# groups, and a padding of two pixels. It also has no normalization, and dropout *before* the fully connected layers;
# Krizhevsky's code of 2014 (cuda-convnet2) has the normalization, and the dropout behind them. The library calls it
# `one_weird_trick`.
#
# Many posts also print 62,378,344 parameters. That network has no groups: every kernel sees every channel. Both counts
# are right, for two networks.

# %%
single = {cost.name: cost for cost in layer_costs(sketch("single_tower"))}
assert sum(cost.parameters for cost in single.values()) == 62_378_344
for name in ("conv2", "conv4", "conv5"):
    print(f"{name}: {by_formula[name]:,} with two groups", end=", ")
    print(f"{single[name].parameters:,} without")
torchvisions = ARCHITECTURES["one_weird_trick"].convolutions.values()
kernels = [row.filters for row in torchvisions]
assert kernels == [64, 192, 384, 256, 256]

# %% [markdown]
# ## Where the parameters are, and where the work is
#
# A fully connected layer uses each weight once per picture. A convolution uses each weight once per *place*. So most
# parameters are in one part of the network, and most of the work is in the other.

# %%
names = list(by_formula)
parameters = np.array([costs[name].parameters for name in names])
work = np.array([costs[name].multiply_adds for name in names])
held = parameters[5:].sum() / parameters.sum()
done = work[:5].sum() / work.sum()
print(f"{parameters.sum():,} parameters, {held:.0%} fully connected")
print(f"{work.sum():,} multiply-adds, {done:.0%} in convolutions")
assert names[parameters.argmax()] == "fc6"
assert names[work.argmax()] == "conv2"

# %%
words = "fc6 has the most parameters, conv2 does the most work"
figure = figures.sheet(8, 2.8, f"Bars by layer: {words}")
axes = figure.subplots()
left, right = np.arange(8) - 0.2, np.arange(8) + 0.2
axes.bar(left, parameters / parameters.sum(), 0.4, color="black")
axes.bar(right, work / work.sum(), 0.4, fc="white", ec="black", hatch="//")
axes.set_xticks(range(8), names)
axes.set(ylabel="share of the network", title=words)
axes.legend(["parameters", "multiply-adds"], frameon=False)
figure

# %% [markdown]
# Section 1 remarks that each convolutional layer has no more than 1 % of the parameters. That is nearly true: conv3 and
# conv4 have a little more.

# %%
shares = dict(zip(names, parameters / parameters.sum(), strict=True))
print(", ".join(f"{name} {shares[name]:.2%}" for name in names[:5]))
above = [name for name in names[:5] if shares[name] > 0.01]
assert above == ["conv3", "conv4"]

# %% [markdown]
# ## 224 or 227? 253,440 or 290,400?
#
# The paper prints 224 pixels, but $(224 - 11) / 4$ is not a whole number. In the authors' code sizes are rounded **up**,
# and zeros are added at the bottom and on the right; most others use 227. Both give maps of 55 x 55, and the library
# builds both.
#
# The paper also prints the number of neurons in each layer, 253,440 of them in the first. Let us count.

# %%
printed = {"conv1": 253_440, "conv2": 186_624, "conv3": 64_896}
printed |= {"conv4": 64_896, "conv5": 43_264}
at_224 = sketch("paper", input_shape=(224, 224, 3))
assert at_224.get_layer("conv1").output.shape[1:] == costs["conv1"].shape
for name, number in printed.items():
    ours = int(np.prod(costs[name].shape))
    shape = " x ".join(map(str, costs[name].shape))
    print(f"{name}: {shape} = {ours:,}; the paper: {number:,}")
    assert (ours == number) == (name != "conv1")

# %% [markdown]
# Only the first number is wrong: 55 x 55 x 96 is 290,400. The rest of the paper's list is exact. And the 650,000 neurons?

# %%
units = sum(printed.values()) + 4096 + 4096 + 1000
corrected = units - printed["conv1"] + 55 * 55 * 96
print(f"as printed {units:,}, with 290,400 in conv1 {corrected:,}")
assert (units, corrected) == (622_312, 659_272) and 55 * 48 * 96 == 253_440

# %% [markdown]
# The printed list adds up to 622,312. With the correct first number it is 659,272, closer to what the paper says. And
# 253,440 is 55 x 48 x 96: perhaps the 48 maps of one tower, which figure 2 prints beside the 55, were taken for a side.
#
# ## Receptive fields
#
# How much of the picture does one number of a map depend on? Walk through the layers: a window of $k$ over inputs that
# are $j$ pixels apart adds $(k - 1) j$ pixels. This also explains why two 3 x 3 layers are like one 5 x 5 layer, with
# fewer weights and a nonlinearity between them.


# %%
def fields(windows):
    """Return the field in pixels behind each (name, kernel, step)."""
    field, jump, result = 1, 1, {}
    for name, kernel, step in windows:
        field, jump = field + (kernel - 1) * jump, jump * step
        result[name] = field
    return result


walk = [("conv1", 11, 4), ("pool1", 3, 2), ("conv2", 5, 1)]
rest = [("pool2", 3, 2), ("conv3", 3, 1), ("conv4", 3, 1), ("conv5", 3, 1)]
for name, field in fields([*walk, *rest, ("pool5", 3, 2)]).items():
    print(f"{name}: {field} pixels")

# %%
two, one = fields([("a", 3, 1), ("b", 3, 1)]), fields([("a", 5, 1)])
assert two["b"] == one["a"] == 5
print("over 256 channels:", end=" ")
print(f"two 3 x 3 have {2 * 9 * 256**2:,} weights", end=", ")
print(f"one 5 x 5 has {25 * 256**2:,}")

# %% [markdown]
# Is the formula true of the network itself? Change one pixel after the other along a row, and see which ones change the
# middle number of conv2.

# %%
model = build("paper", include_top=False, input_shape=(131, 131, 3))
to_conv2 = keras.Model(model.input, model.get_layer("conv2").output)

# %%
one = np.random.default_rng(0).normal(0, 50, (1, 131, 131, 3))
rows = np.repeat(one, 132, axis=0).astype("float32")
changed = np.arange(131)
rows[changed + 1, 65, changed] += 500.0  # in picture n + 1, pixel n
maps = to_conv2.predict(rows, batch_size=33, verbose=0)
middle = maps[:, maps.shape[1] // 2, maps.shape[2] // 2]  # (132, 256)
change = np.abs(middle[1:] - middle[0]).max(axis=-1)
noticed = np.flatnonzero(change > 1e-6)
count = np.ptp(noticed) + 1
print(f"pixels {noticed.min()} to {noticed.max()}: {count} of them")
# The normalization looks at channels, not at places, and adds nothing.
assert count == fields(walk)["conv2"]

# %% [markdown]
# ## Figure 2, to scale

# %%
diagrams.network(diagrams.maps(sketch("paper", input_shape=(224, 224, 3))))

# %% [markdown]
# The half of the network on each GPU is a *tower* (the paper says *column*). Thin gray lines stay within a tower; the
# thick orange ones, into conv3 and the fully connected layers, cross. Fully connected layers are drawn upright: their
# height is the number of units, on the scale of the channels. fc6 alone has more than half of all parameters.
#
# ## The networks in the library

# %%
print(f"{'network':24}{'parameters':>12}{'million multiply-adds':>24}")
for name in ARCHITECTURES:
    found = layer_costs(sketch(name))
    total = sum(cost.parameters for cost in found)
    multiply_adds = sum(cost.multiply_adds for cost in found) / 1e6
    print(f"{name:24}{total:>12,}{multiply_adds:>24.1f}")

# %% [markdown]
# All are counted with 1000 classes, also those for CIFAR-10: `figure_1` and `conv_local`, with their variants.
#
# How does the authors' own network differ from that of the text?

# %%
print(describe("source").split("\n\n")[-1])

# %% [markdown]
# A word on `tflearn`, the network that many tutorials reprint. tflearn pads every layer and puts the normalization after
# the pooling. There are two versions: the listing of most tutorials has ReLU in fc6 and fc7 and reads 227 pixels; the
# example in tflearn's own repository has tanh there, reads 224 pixels and ends in 17 classes, for Flowers-17. The
# network here is the listing. Some copies keep 1000 outputs with one-hot labels of 17 classes, which cannot train: the
# shapes of labels and outputs do not match.
#
# ## What you predicted
#
# 1. fc6: 38 million, 62 % of all parameters.
# 2. conv2, with 31 % of the work.
# 3. 54 by the formula, which rounds down. The authors' code rounds up, to 55.

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert round(100 * shares["fc6"]) == 62
assert round(by_formula["fc6"] / 1e6) == 38
assert round(100 * work[1] / work.sum()) == 31
assert (224 - 11) // 4 + 1 == 54 and -(-(224 - 11) // 4) + 1 == 55

# %% [markdown]
# ## Exercises
#
# 1. How many parameters would fc6 have if the last pooling were left out?
# 2. Write code: `dataclasses.replace(ARCHITECTURES["paper"], hidden=(1024, 1024))` is a network too. What share of the
#    parameters is left?
# 3. Write code: change the plain Keras network above into torchvision's, and compare its number of parameters with
#    `one_weird_trick`.
# 4. Train something: two small networks on 200 drawn flowers of 32 pixels, one with layers of 5 x 5, one with two layers of
#    3 x 3 in place of each (24 kernels a layer, pixels divided by 128, SGD with rate 0.01 and momentum 0.9, nine
#    epochs). Do both learn them, and with how many parameters?
#
# <details><summary>Answers</summary>
#
# 1. fc6 would see 13 x 13 x 256 numbers instead of 6 x 6 x 256: 4.7 times as many parameters.
# 2. 23 %. The convolutions keep theirs; the fully connected layers shrink.
# 3. With 224 pixels, `ZeroPadding2D(2)` before conv1, the five numbers of kernels, no groups, no normalization, and
#    `Dropout` before each `Dense(4096)`, it is 61,100,840.
# 4. Both do. Between layers of equal width two of 3 x 3 have 28 % fewer weights; on three colors they have more.
#
# </details>
#
# Solutions in code, to run and to change: [3_5_solutions](solutions/3_5_solutions.ipynb).

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
paper = ARCHITECTURES["paper"]
small = dataclasses.replace(paper, name="small", hidden=(1024, 1024))
left = sum(cost.parameters for cost in layer_costs(sketch(small)))
assert round(100 * left / 60_965_224) == 23
unpooled = 13 * 13 * 256 * 4096 + 4096
assert round(unpooled / by_formula["fc6"], 1) == 4.7
torchvision = sketch("one_weird_trick")
assert sum(c.parameters for c in layer_costs(torchvision)) == 61_100_840
