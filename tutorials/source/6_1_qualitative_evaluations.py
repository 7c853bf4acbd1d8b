# %% [markdown]
# # 6.1 Qualitative evaluations
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 6.1, figures 3 and 4 | `evaluation/features.py`, `plotting/` | a minute, drawn flowers |
#
# **The paper says:** the first layer learns edges, frequencies and blobs of color. The two towers (the halves of the
# network, one on each GPU) specialize: the kernels of one are mostly without color, those of the other mostly colored, in
# every run. Pictures whose 4096 numbers in fc7 are close to each other look alike, though their pixels are not close.
#
# **Predict first.** (1) What do kernels look like before training? (2) Do the two towers differ in our run? (3) Take the
# pictures that are nearest by pixels: how often are they of the same species, if there are ten?
#
# To read beside it: [the paper](https://proceedings.neurips.cc/paper_files/paper/2012/hash/c399862d3b9d6b76c8436e924a68c45b-Abstract.html),
# [the authors' code](https://github.com/computerhistory/AlexNet-Source-Code),
# [each claim of this section](../docs/paper_ledger.md#61-qualitative-evaluations) and how it came out here,
# and a [glossary](../docs/glossary.md) in English and Chinese.

# %%
# %matplotlib inline
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import keras
import numpy as np
from IPython.display import Markdown
from matplotlib import pyplot as plt

from keras_alexnet import ARCHITECTURES, PaperSGD, build, figure_1
from keras_alexnet.data.drawings import petals
from keras_alexnet.evaluation import features
from keras_alexnet.experiments import archive, tables
from keras_alexnet.plotting import figures, panels
from keras_alexnet.plotting.players import Player
from keras_alexnet.weights import names

# %% [markdown]
# ## Kernels
#
# The first layer has 96 kernels of 11 x 11 pixels and three colors, so they can be shown as small pictures. These come
# with the library, as numbers. The network learned 256 classes of drawn pictures ([how](../docs/drawn_pictures.md)), and saw
# 921,600 crops of them:

# %%
with_kernels = build(include_top=False, weights="drawn")
drawn = features.first_kernels(with_kernels)  # (11, 11, 3, 96)
figures.kernels(drawn)

# %% [markdown]
# There are edges at many angles, spots, and blobs of color, as in the paper's figure 3. Some are noisy: the paper's network
# saw 108 million crops, more than 100 times as many.
#
# Our archived run on Flowers-102 has other kernels. The archive kept them as a picture only:

# %%
file = "../results/flowers-0-kernels.png"
archived = plt.imread(file)[:, 40:, :3]  # without the names at the left
words = "The 96 kernels of the first layer after Flowers-102, mostly blobs"
figure = figures.sheet(8, 3, words)
figures.bare(figure.subplots()).imshow(archived)
figure

# %% [markdown]
# Most are blobs, and few are edges. This run had 1020 training pictures, and the color of a flower says much about its
# species. In nearly all classes of the drawn pictures the colors are random and say nothing. That may be the reason; we have
# not tested it.
#
# These are the first 32 kernels of a network that has learned nothing:

# %%
keras.utils.set_random_seed(0)
untrained = features.first_kernels(build(include_top=False))
figures.kernels(untrained[..., :32], towers=1)

# %% [markdown]
# How colored is a kernel? Split the three weights of each pixel into a gray part (their mean) and the rest. The color is
# the rest's share of the sum of squares. For random weights it is 2/3, since two of three directions are color.


# %%
def colorfulness(kernels):  # (height, width, 3, kernels) -> (kernels,)
    color = kernels - kernels.mean(axis=2, keepdims=True)
    total = (kernels**2).sum(axis=(0, 1, 2))
    return (color**2).sum(axis=(0, 1, 2)) / total


by_hand = colorfulness(untrained)
assert np.allclose(features.colorfulness(untrained), by_hand, atol=1e-5)
print(f"untrained: {by_hand.mean():.3f}, expected {2 / 3:.3f}")
assert abs(by_hand.mean() - 2 / 3) < 0.02

# %% [markdown]
# `features.specialization` compares the towers: in what share of all pairs is the kernel of the second tower the more
# colored one? It is 50 % if the towers are alike, and 0 or 100 % if one has all the color. In the authors' network the
# towers differ in every run. In their figure 3 the upper 48 kernels, those of GPU 1, are the ones without color, and the
# lower 48, of GPU 2, the colored ones.
#
# What about ours? The next cell reads other weights as well. No weights of the authors' network are public, but Caffe's
# copy of it learned ImageNet in two groups, too. `build("caffe", weights="imagenet")` downloads it, 244 MB; if it is on
# this machine, it is measured here. Any other file that `weights=` reads can be measured in the same way.

# %%
measured = {"untrained": untrained, "drawn pictures": drawn}
caffe = names.choose("imagenet", "caffe").find()  # None if it is not here
if caffe:
    model = build("caffe", include_top=False, weights=caffe)
    measured["ImageNet"] = features.first_kernels(model)
for name, kernels in measured.items():
    first, second = np.split(features.colorfulness(kernels), 2)
    share = features.specialization(kernels)
    print(f"{name}: color {first.mean():.2f} and {second.mean():.2f}", end="")
    print(f"; tower 2 is more colored in {share:.0%} of all pairs")
assert abs(features.specialization(untrained) - 0.5) < 0.1

# %%
words = "Color of each kernel, lowest first: random ones all have about 2/3"
figure = figures.sheet(8, 2.6, f"{words}, learned ones from 0 to 1")
parts = figure.subplots(1, len(measured), sharey=True)
for axes, (name, kernels) in zip(parts, measured.items(), strict=True):
    halves = np.split(features.colorfulness(kernels), 2)
    for tower, style, colors in zip((1, 2), ("-", "--"), halves, strict=True):
        axes.plot(np.sort(colors), style, c="black", label=f"tower {tower}")
    axes.set(title=name, xlabel="kernels, sorted by color", ylim=(0, 1))
parts[0].set_ylabel("share of color")
parts[0].legend(frameon=False, loc="lower right")
figure

# %% [markdown]
# With Caffe's weights on your machine, this draws them as figure 3:

# %%
figures.kernels(measured["ImageNet"]) if caffe else None

# %% [markdown]
# The towers of the drawn network are not alike: tower 1 has more color. But neither is without color, and that is
# one run. Below are all archived runs that learned photographs of flowers from random weights, by network. `fit.py`
# measured the kernels, and the archive kept the share of pairs in which tower 2 is the more colored one. If all kernels
# were random, this share would differ from 1/2 by 0.05 on average.

# %%
rows = archive.rows("../results")
Markdown(tables.specialization(rows))

# %%
shares = {True: [], False: []}  # with groups and without
for row in rows:
    of_flowers = row["dataset"].startswith("oxford_flowers102")
    if of_flowers and row["specialization"] is not None and not row["weights"]:
        net = ARCHITECTURES[row["recipe"]["architecture"]]
        grouped = max(each.groups for each in net.convolutions.values()) > 1
        shares[grouped].append(row["specialization"])
for grouped, values in shares.items():
    apart = np.abs(np.array(values) - 0.5)
    print("with" if grouped else "no", f"groups: {len(values)} runs", end=", ")
    print(f"{apart.mean():.2f} from 1/2 on average, {apart.max():.2f} at most")
assert min(shares[True]) < 0.3 < 0.7 < max(shares[True])

# %% [markdown]
# Without groups the two halves differ little more than halves of random kernels. With groups the mean distance is half
# as large again, though runs with the same seed start alike and do not count as independent. Some runs go far, and to
# either side, as the paper says ("modulo a renumbering of the GPUs"). So with so few pictures the towers specialize in
# some runs; in most they stay alike, unlike those in the paper's figure 3.
#
# ## A small network to examine
#
# AlexNet itself learns too slowly for a chapter. So the paper's small network of section 3.1 learns 500 drawn flowers
# of 32 x 32 pixels, for a few seconds. Its last maps, 4 x 4 x 64, take the place of fc7. After each epoch (each pass
# over the 500 flowers) we keep its kernels.


# %%
def shrink(pictures):  # (n, 256, 256, 3) -> (n, 32, 32, 3)
    blocks = pictures.reshape(len(pictures), 32, 8, 32, 8, 3)
    return blocks.mean(axis=(2, 4)).astype("float32") - 128


pictures, labels = petals.draw(500, seed=0)
others, truth = petals.draw(100, seed=1)
train, test = shrink(pictures), shrink(others)

# %%
keras.utils.set_random_seed(0)
model = build(figure_1(), classes=10)
loss = "sparse_categorical_crossentropy"
model.compile(PaperSGD(0.003), loss, jit_compile=False)
grown = [features.first_kernels(model)]  # each (5, 5, 3, 32)
for _ in range(15):
    model.fit(train, labels, batch_size=16, verbose=0)
    grown.append(features.first_kernels(model))
probabilities = model.predict(test, verbose=0)  # (100, 10)
right = probabilities.argmax(axis=1) == truth
print(f"right: {right.mean():.0%} of 100 new flowers; chance is 10 %")
assert right.mean() > 0.2

# %% [markdown]
# Its 32 kernels, of 5 x 5 pixels, before training and after each epoch. Press *play*, or move the slider. (Where scripts do
# not run, as on GitHub, you see the first frame.)

# %%
words = "32 kernels grow out of noise: plain colors first, then edges"
Player(lambda n: figures.kernels(grown[n], towers=1), 16, words, colors=256)

# %% [markdown]
# After the first epoch most kernels are one plain color. Stripes and edges come later. How far have the weights moved in
# each epoch, compared with their size at the end?

# %%
size = np.linalg.norm(grown[-1])
moved = [np.linalg.norm(step) / size for step in np.diff(grown, axis=0)]
at_start = np.linalg.norm(grown[0]) / size
print("moved:", ", ".join(f"{share:.0%}" for share in moved))
print(f"before training they were {at_start:.1%} as large as at the end")

# %% [markdown]
# ## Right and wrong
#
# The two correct and the two wrong predictions that the network is most sure of. In the paper's figure 4 many errors
# make sense. Those of a network that has learned for a few seconds are cruder, and it is just as sure of them. Under
# each picture is its true species; the orange bar is the probability of that species.

# %%
sure = np.argsort(-probabilities.max(axis=1), kind="stable")
chosen = [*sure[right[sure]][:2], *sure[~right[sure]][:2]]
shown = [others[n][::2, ::2] for n in chosen]
of_chosen = probabilities[chosen], petals.CLASS_NAMES, truth[chosen]
panels.predictions(shown, *of_chosen)

# %% [markdown]
# Of figure 4 the paper says that even an object off the center, such as the mite, is recognized, that most of the five
# labels are reasonable (other cats for the leopard), and that for some pictures (the grille, the cherry) it is not
# clear which object is meant. The first can be tried here: move the flowers down by a few pixels.

# %%
for by in (0, 4, 8):
    moved = np.pad(test, ((0, 0), (by, 0), (0, 0), (0, 0)), "edge")[:, :32]
    named = model.predict(moved, verbose=0).argmax(axis=1)
    print(f"moved by {by} of 32 pixels: {(named == truth).mean():.0%} right")

# %% [markdown]
# ## Neighbors by features and by pixels
#
# The last layer before the classifier gives each picture a vector of *features*: 4096 numbers in AlexNet, 1024 here. We
# compute the Euclidean distance between two vectors, in NumPy, and find the five nearest training pictures of each new
# one:

# %%
last = features.activations(model, "flatten")
known = last.predict(train, verbose=0)  # (500, 1024)
asked = last.predict(test, verbose=0)  # (100, 1024)
distances = ((asked[:, None] - known[None]) ** 2).sum(axis=-1) ** 0.5
by_hand = np.argsort(distances, axis=1)[:, :5]
by_features = features.nearest(asked, known, count=5)
assert (by_features == by_hand).mean() > 0.99

# %%
flat = test.reshape(100, -1), train.reshape(500, -1)
by_pixels = features.nearest(*flat, count=5)
same = [
    (labels[nearest] == truth[:, None]).mean()
    for nearest in (by_features, by_pixels)
]
print("neighbors of the same species:", end=" ")
print(f"{same[0]:.0%} by features, {same[1]:.0%} by pixels")
assert same[0] > same[1]

# %%
queries = [chosen[1], int(np.flatnonzero(truth == 7)[0])]
asked_for = [others[query][::2, ::2] for query in queries]


def show_neighbors(nearest):
    found = [[pictures[n][::2, ::2] for n in nearest[q]] for q in queries]
    species = truth[queries], labels[nearest[queries]], petals.CLASS_NAMES
    return panels.neighbors(asked_for, found, *species)


show_neighbors(by_features)

# %% [markdown]
# The neighbors of the same flowers by pixels share brightness and position, more than the species:

# %%
show_neighbors(by_pixels)

# %% [markdown]
# Distances in 4096 dimensions are slow. The paper proposes to train an autoencoder that compresses the vectors to short
# binary codes, and expects it to find better neighbors than one that reads the pixels. Here is something simpler, without an
# autoencoder: one bit for each number, which says whether it is above its median over the training pictures.

# %%
middle = np.median(known, axis=0)
bits = [(each > middle).astype("float32") for each in (asked, known)]
by_bits = features.nearest(*bits, count=5)
share = (labels[by_bits] == truth[:, None]).mean()
print(f"one bit for each number: {share:.0%} of the same species")
assert share > 0.1  # chance

# %% [markdown]
# The codes need a 32nd of the memory. The idea became a field of its own: embeddings, and indexes that find their neighbors.
#
# For your own runs, `fit.py` and `evaluate.py` draw all of these figures into the run's `report.html`.
#
# ## What you predicted
#
# 1. Like noise: every pixel has a random color.
# 2. Yes, somewhat: in the drawn network tower 2 has less color. In most of our runs on flowers they hardly differ.
# 3. In about one of five cases; by chance it would be one of ten.

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
halves = np.split(features.colorfulness(drawn), 2)
assert halves[1].mean() < halves[0].mean() and 108e6 / 921_600 > 100
assert round(10 * same[1]) == 2
apart = np.abs(np.array(shares[True]) - 0.5)
assert np.median(apart) < 0.1
others_apart = np.abs(np.array(shares[False]) - 0.5)
assert round(apart.mean() / others_apart.mean()) == 2
# The share of pairs among 48 and 48 random numbers, as in a U test
std = ((48 + 48 + 1) / (12 * 48 * 48)) ** 0.5
assert round(std * (2 / np.pi) ** 0.5, 2) == 0.05

# %% [markdown]
# ## Exercises
#
# 1. What is the colorfulness of a kernel that is red against green, with no weight on blue?
# 2. How many bytes do the fc7 vectors of 1.2 million pictures need in float32?
# 3. Write code: retrieve by the *cosine* of the angle between features instead of their distance. Does it change how
#    often the neighbors are of the same species?
# 4. Write code: `features.specialization` with two loops over the kernels of both towers. Try it on kernels of which the
#    second tower has all the color.
# 5. Train something: the small network on *gray* flowers, where the three colors of a pixel are their mean. What becomes of
#    the color of its kernels?
#
# <details><summary>Answers</summary>
#
# 1. 1: the mean of +1, -1 and 0 is 0, so no part of it is gray.
# 2. 4096 x 4 x 1.2 million: 19.7 GB.
# 3. Divide each vector by its length, then use `features.nearest`: for vectors of length 1 the nearest have the largest
#    cosine.
# 4. The share of pairs in which the second tower's kernel is the more colored one; here it is 1.
# 5. It almost disappears: the three weights of a pixel get the same gradient, so what grows is gray.
#
# </details>
#
# Solutions in code, to run and to change: [6_1_solutions](solutions/6_1_solutions.ipynb).

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
red_green = np.array([1.0, -1.0, 0.0]).reshape(1, 1, 3, 1)
assert colorfulness(red_green)[0] == 1
assert round(4096 * 4 * 1_200_000 / 1e9, 1) == 19.7
