# %% [markdown]
# # 6.1 Qualitative evaluations
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 6.1, figures 3 and 4 | `features.py`, `panels.py`, `figures.py` | a minute, drawn flowers |
#
# **The paper says:** the first layer learns edges, frequencies and blobs of color, and the two columns share the work:
# one learns kernels without color, the other colored ones, whatever the seed. Pictures whose 4096 numbers of fc7 lie
# near each other are alike, though their pixels are not.
#
# **Predict first.** (1) What do kernels look like before training? (2) Are the two columns alike in our run? (3)
# Nearest neighbours by pixels: how often of the same species, ten being there?

# %%
# %matplotlib inline
import keras
import numpy as np
from matplotlib import pyplot as plt

from keras_alexnet import ARCHITECTURES, PaperSGD, build, figure_1, runs
from keras_alexnet.data.drawings import petals
from keras_alexnet.evaluation import features
from keras_alexnet.experiments import tables
from keras_alexnet.plotting import figures, panels

# %% [markdown]
# ## Kernels
#
# The first layer has 96 kernels of 11 x 11 pixels and three colors: small pictures. These are of our recorded run on
# Flowers-102, 1020 training pictures:

# %%
recorded = plt.imread("../results/flowers-0/figures/kernels.png")[..., :3]
figure = figures.sheet(8, 3, "The 96 kernels of the first layer, learned on Flowers-102: mostly blobs of color")
figures.bare(figure.subplots()).imshow(recorded)
figure

# %% [markdown]
# And these, the first 32 of another network, have learned nothing:

# %%
keras.utils.set_random_seed(0)
untrained = features.first_kernels(build(include_top=False))
figures.kernels(untrained[..., :32], towers=1)

# %% [markdown]
# How colored is a kernel? Split the three weights of each pixel into a grey part (their mean) and what is left. The
# share of the squares that is left is the color. Noise has 2/3, since two of three directions are color.


# %%
def colorfulness(kernels):
    grey = kernels.mean(axis=2, keepdims=True)
    return ((kernels - grey) ** 2).sum(axis=(0, 1, 2)) / (kernels**2).sum(axis=(0, 1, 2))


assert np.allclose(features.colorfulness(untrained), colorfulness(untrained), atol=1e-5)
print(f"untrained kernels: {colorfulness(untrained).mean():.3f}, {2 / 3:.3f} expected")
print(
    f"second column more colored than the first in {features.specialization(untrained):.0%} of all pairs; alike is 50 %"
)
assert abs(colorfulness(untrained).mean() - 2 / 3) < 0.02

# %% [markdown]
# `features.specialization` compares the columns: 50 % where they are alike, 0 or 100 % where one has all the color. In
# the authors' network the columns are apart in every run. And in ours? The record has no weights, but the picture of
# the kernels is enough: white gaps tell where they are, and a weight of zero is mid-grey.


# %%
def spans(white):
    """Where each stretch begins and ends that is not white."""
    return np.flatnonzero(np.diff(np.r_[True, white, True].astype(int))).reshape(-1, 2)


white = (recorded > 0.98).all(axis=2)
white[:, :36] = True  # the names of the columns
down, across = spans(white.all(axis=1)), spans(white.all(axis=0))
tiles = [recorded[y + 3 : end - 3, x + 3 : stop - 3] - 0.5 for y, end in down for x, stop in across]
first, second = np.split(np.array([colorfulness(tile[..., None])[0] for tile in tiles]), 2)
print(f"color of the recorded kernels: {first.mean():.2f} in the first column, {second.mean():.2f} in the second")
print(f"the second column's are more colored in {(second[:, None] > first).mean():.0%} of all pairs")
assert len(tiles) == 96

# %% [markdown]
# So our columns are not alike. There are blobs of color in both, and the few edges of dark and light are in the second.
# But that is one run. Here are all on record that learned photographs of flowers from random weights, by network. The
# halves of random kernels would lie 0.05 from 1/2 in the mean:

# %%
rows = [runs.summary(run) for run in runs.find("../results")]
print(tables.specialization(rows))
shares = {"with groups": [], "without groups": []}
for row in rows:
    if row["dataset"].startswith("oxford_flowers102") and not row["weights"]:
        convolutions = ARCHITECTURES[row["recipe"]["architecture"]].convolutions.values()
        has_groups = any(each.groups > 1 for each in convolutions)
        shares["with groups" if has_groups else "without groups"].append(row["specialization"])
for name, values in shares.items():
    distances = np.abs(np.array(values) - 0.5)
    print(f"{name}: {len(values)} runs, on average {distances.mean():.2f} from 1/2, at most {distances.max():.2f}")
assert min(shares["with groups"]) < 0.3 and max(shares["with groups"]) > 0.7

# %% [markdown]
# Without groups nothing tells the halves apart, and they lie where halves of random kernels do. With groups the mean is
# twice that, though runs of one seed start alike and are not as many witnesses. Some go far, and to either side, as the
# paper says ("modulo a renumbering of the GPUs"). So on so few pictures the columns part in some runs; in most they are
# alike, unlike those of the authors' figure 3.
#
# ## A network to ask
#
# AlexNet itself learns too slowly for a chapter. So the paper's small network of section 3.1 learns 500 drawn flowers
# of 32 pixels, for half a minute. Its last maps, 4 x 4 x 64, stand for fc7.


# %%
def small(pictures):
    return pictures.reshape(len(pictures), 32, 8, 32, 8, 3).mean(axis=(2, 4)).astype("float32") - 128


(pictures, labels), (others, truth) = petals.draw(500, seed=0), petals.draw(100, seed=1)
keras.utils.set_random_seed(0)
model = build(figure_1(), classes=10)
model.compile(PaperSGD(0.003), "sparse_categorical_crossentropy", jit_compile=False)
model.fit(small(pictures), labels, batch_size=16, epochs=15, verbose=0)
probabilities = model.predict(small(others), verbose=0)
right = probabilities.argmax(axis=1) == truth
print(f"right: {right.mean():.0%} of 100 new flowers; chance is 10 %")
assert right.mean() > 0.2

# %% [markdown]
# Its own 32 kernels, of 5 x 5 pixels:

# %%
figures.kernels(features.first_kernels(model), towers=1)

# %% [markdown]
# ## Right and wrong
#
# The two it is most sure of and right, and the two it is most sure of and wrong. In the paper's figure 4 an error often
# makes sense. Those of a network that has learned for half a minute are cruder, and it is as sure of them.

# %%
sure = np.argsort(-probabilities.max(axis=1), kind="stable")
chosen = [*sure[right[sure]][:2], *sure[~right[sure]][:2]]
shown = [others[n][::2, ::2] for n in chosen]
panels.predictions(shown, probabilities[chosen], petals.CLASS_NAMES, truth[chosen])

# %% [markdown]
# ## Neighbours in what the network sees, and in pixels
#
# The last layer before the classifier gives each picture a vector: 4096 numbers in AlexNet, 1024 here. Euclidean
# distance between two vectors, in NumPy:

# %%
last = features.activations(model, "flatten")
known, asked = last.predict(small(pictures), verbose=0), last.predict(small(others), verbose=0)
distances = np.sqrt(((asked[:, None] - known[None]) ** 2).sum(axis=-1))
by_hand = np.argsort(distances, axis=1)[:, :5]
by_features = features.nearest(asked, known, count=5)
assert (by_features == by_hand).mean() > 0.99
by_pixels = features.nearest(small(others).reshape(100, -1), small(pictures).reshape(500, -1), count=5)

same = {
    name: (labels[found] == truth[:, None]).mean() for name, found in (("features", by_features), ("pixels", by_pixels))
}
print(f"neighbours of the same species: {same['features']:.0%} by features, {same['pixels']:.0%} by pixels")
assert same["features"] > same["pixels"]

# %%
queries = [chosen[1], int(np.flatnonzero(truth == 7)[0])]
found = [[pictures[n][::2, ::2] for n in by_features[query]] for query in queries]
small_queries = [others[query][::2, ::2] for query in queries]
panels.neighbors(small_queries, found, truth[queries], labels[by_features[queries]], petals.CLASS_NAMES)

# %% [markdown]
# And the same flowers' neighbours by pixels: what they share is the light and the place, not the species.

# %%
found = [[pictures[n][::2, ::2] for n in by_pixels[query]] for query in queries]
panels.neighbors(small_queries, found, truth[queries], labels[by_pixels[queries]], petals.CLASS_NAMES)

# %% [markdown]
# The paper's remark that short binary codes would be faster than Euclidean distance in 4096 dimensions became a field
# of its own: embeddings, and indexes of their neighbours.
#
# For runs of your own, `fit.py` and `evaluate.py` draw all of these into the run's `report.html`.
#
# ## Exercises
#
# 1. What is the colorfulness of a kernel that is red against green, with no weight on blue?
# 2. How many bytes are the fc7 vectors of 1.2 million pictures, in float32?
#
# <details><summary>Answers</summary>
#
# 1. 1: the mean of +1, -1 and 0 is 0, so nothing of it is grey.
# 2. 4096 x 4 x 1.2 million: 19.7 GB.
#
# </details>

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert colorfulness(np.array([1.0, -1.0, 0.0]).reshape(1, 1, 3, 1))[0] == 1
assert round(4096 * 4 * 1_200_000 / 1e9, 1) == 19.7
