# %% [markdown]
# # 1 Introduction
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 1 | all of it | a minute, drawn flowers |
#
# **The paper says:** to learn thousands of objects from millions of pictures, a model needs a large capacity and prior
# knowledge of what pictures are like. Convolutional networks have both. In 2012, for the first time, there are enough
# labeled pictures to train a large one, and GPUs that are fast enough.
#
# **Predict first.** (1) How many multiplications does the network need for one picture? (2) How many operations
# (multiplications and additions) does training take, with 1.2 million pictures seen 90 times? (3) A small network has
# seen 50 drawn flowers of each of ten species. Of ten new flowers, how many does it name correctly?
#
# To read beside it: [the paper](https://proceedings.neurips.cc/paper_files/paper/2012/hash/c399862d3b9d6b76c8436e924a68c45b-Abstract.html),
# [the authors' code](https://github.com/computerhistory/AlexNet-Source-Code),
# [each claim of this section](../docs/paper_ledger.md#1-introduction) and how it came out here,
# and a [glossary](../docs/glossary.md) in English and Chinese.

# %%
# %matplotlib inline
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import keras
import numpy as np
from sklearn.datasets import load_sample_image

from keras_alexnet import PaperSGD, build, decode_predictions, describe
from keras_alexnet.data import decoding
from keras_alexnet.data.drawings import petals
from keras_alexnet.models import (
    figure_1,
    layer_costs,
    sketch,
    training_flops,
)
from keras_alexnet.plotting import figures, panels

# %% [markdown]
# ## From a picture to five labels
#
# A classifier is a function from pixels to one probability per class. Here is one in three lines of NumPy. It computes
# one weighted sum of all pixels for each class; these sums are called *logits*. The *softmax* turns them into
# probabilities: positive numbers that add up to 1. This classifier has not learned anything yet.


# %%
def softmax(logits):
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def shrink(pictures):  # (n, 256, 256, 3) -> (n, 32, 32, 3), around zero
    blocks = pictures.reshape(len(pictures), 32, 8, 32, 8, 3)
    return blocks.mean(axis=(2, 4)).astype("float32") - 128


# %%
pictures, labels = petals.draw(500, seed=0)
new, truth = petals.draw(100, seed=1)
weights = np.random.default_rng(0).normal(0, 1e-3, (32 * 32 * 3, 10))
logits = shrink(new).reshape(100, -1) @ weights  # (100, 10)
guess = softmax(logits)
print(f"right: {(guess.argmax(axis=1) == truth).mean():.0%} of 100")

# %% [markdown]
# Keras's softmax is the same function:

# %%
assert np.allclose(keras.ops.softmax(logits), guess, atol=1e-6)
assert np.allclose(guess.sum(axis=1), 1)

# %% [markdown]
# Now a network that learns: the small one of section 3.1, with the paper's update rule, on 500 drawn flowers of 32 x 32
# pixels. It sees every flower 15 times; one pass over the training pictures is called an *epoch*. This takes a few
# seconds. Training AlexNet itself, `python scripts/fit.py --dataset oxford_flowers102`, takes longer; [chapter
# 6](6_0_results.ipynb) shows its errors.

# %%
keras.utils.set_random_seed(0)
model = build(figure_1(), classes=10)
loss = "sparse_categorical_crossentropy"
model.compile(PaperSGD(0.003), loss, jit_compile=False)
before = (model.predict(shrink(new), verbose=0).argmax(axis=1) == truth).mean()
model.fit(shrink(pictures), labels, batch_size=16, epochs=15, verbose=0)
probabilities = model.predict(shrink(new), verbose=0)
after = (probabilities.argmax(axis=1) == truth).mean()
print(f"right: {before:.0%} before training, {after:.0%} after")
assert 0.2 < after < 0.7  # chance is 0.1

# %%
species = petals.CLASS_NAMES
for _, name, share in decode_predictions(probabilities[:1], 5, species)[0]:
    print(f"{name:12}{share:.1%}")
halved = [picture[::2, ::2] for picture in new[:8]]
panels.predictions(halved, probabilities[:8], species, truth[:8])

# %% [markdown]
# A picture goes in and five labels come out. The eight flowers above are a small sample. Over all 100 new flowers the
# network is right far more often than by guessing, which is right for one in ten. On another processor you may get
# another number: rounding errors differ, and they grow with every step of training.
#
# Now a photograph: a dahlia, which comes with scikit-learn. The network knows ten species of drawn flowers, and a dahlia
# is not one of them.

# %%
photograph = decoding.resize(load_sample_image("flower.jpg"), 256).numpy()[None]
answer = model.predict(shrink(photograph), verbose=0)
panels.predictions([photograph[0, ::2, ::2]], answer, species)

# %% [markdown]
# The network cannot answer "none of these": its probabilities add up to 1, so it names the class that fits best. The
# paper's network does the same with 1000 classes, which it learned from 1.2 million photographs.
#
# ## Why 2012
#
# Three things came together.
#
# - **Data.** Earlier data sets had tens of thousands of pictures (Caltech-101, CIFAR). ImageNet has 15 million, which
#   people labeled over the internet, in 22,000 categories.
# - **GPUs.** The network trains in five to six days on two GTX 580 cards. Their memory and the patience of the authors
#   limit its size, says the paper, so faster GPUs and more data would improve it.
# - **The network.** It is deep and convolutional, with ReLUs and dropout. Nearly all of these were known; nobody had
#   combined them at this size.
#
# How much work is training? A *multiply-add* is one multiplication and one addition, so it counts as two operations.
# The backward pass takes about twice as many operations as the forward pass: each layer computes two gradients, one for
# its weights and one for its inputs, and each of them is as much work as the layer itself. (The first layer computes
# only one: nothing learns from the gradient of the pixels.)

# %%
costs = layer_costs(sketch("paper"))
forward = sum(cost.multiply_adds for cost in costs)
training = sum(training_flops(costs).values()) * 1_200_000 * 90
rate = training / (5.5 * 24 * 3600)
print(f"{forward:,} multiply-adds for one picture")
print(f"{training:.1e} operations in training")
print(f"in five and a half days: {rate / 1e12:.2f} trillion a second")
days = training / 1e11 / 3600 / 24
print(f"a processor with 0.1 trillion a second needs {days:.0f} days")

# %%
# Two GTX 580: cores, two operations per cycle, cycles per second
peak = 2 * 512 * 2 * 1.544e9
print(f"two GTX 580 can do {peak / 1e12:.1f} trillion operations a second")
print(f"the authors used {rate / peak:.0%} of that")
assert 0.25 < rate / peak < 0.4

# %% [markdown]
# The authors' code used 30 % of what the hardware could do. A large part of the achievement was their library,
# cuda-convnet.
#
# ## What a convolution assumes
#
# Section 1 says that convolutions make two assumptions about pictures, and that both are mostly right: *locality*, which
# means that pixels depend on pixels nearby, and *stationarity*, which means that the statistics are the same everywhere.
# Here is how much the gray values of two pixels in a photograph have to do with each other, by their distance, and for
# neighbors in its four quarters:

# %%
gray = load_sample_image("china.jpg")[:426].mean(axis=2)  # (426, 640)


def correlation(part, distance):
    pair = part[:, distance:].ravel(), part[:, :-distance].ravel()
    return np.corrcoef(*pair)[0, 1]


by_distance = {n: correlation(gray, n) for n in (1, 4, 16, 64)}
for distance, value in by_distance.items():
    print(f"{distance:2} pixels apart: correlation {value:.2f}")
halves = [np.split(half, 2, axis=1) for half in np.split(gray, 2)]
quarters = [correlation(quarter, 1) for pair in halves for quarter in pair]
print("neighbors, by quarter:", ", ".join(f"{q:.2f}" for q in quarters))
assert by_distance[1] > 0.9 > by_distance[64] and min(quarters) > 0.7

# %% [markdown]
# Both are "mostly" right. The correlation falls with the distance, but slowly: in this photograph it is still 0.67 at
# 64 pixels. And the statistics are not the same everywhere: the quarter with leaves and lattices has a lower number
# than those with sky and roofs.
#
# A convolution is a fully connected layer with these assumptions built in. Most of its connections are missing, and those
# that are left share their weights. Written as one large matrix, for pictures of 6 x 6 pixels and a kernel of 3 x 3:

# %%
kernel = np.arange(1.0, 10.0).reshape(3, 3)
matrix = np.zeros((6, 6, 4, 4))  # from each of 6 x 6 pixels to 4 x 4 units
for y in range(4):
    for x in range(4):
        matrix[y : y + 3, x : x + 3, y, x] = kernel
small = np.random.default_rng(0).normal(size=(6, 6))
connected = np.einsum("ab,abyx->yx", small, matrix)
batch, kernels = small[None, :, :, None], kernel[:, :, None, None]
convolved = keras.ops.conv(batch, kernels, padding="valid")[0, :, :, 0]
assert np.allclose(connected, convolved, atol=1e-5)
print(f"{matrix.size} connections, {np.count_nonzero(matrix)} of them used")
print(f"{np.unique(kernel).size} different weights")

# %% [markdown]
# So a fully connected layer could do whatever a convolution does, and more. The paper says of convolutional networks that
# their "theoretically-best performance is likely to be only slightly worse", and that fewer connections and parameters
# make them easier to train. In practice fewer weights need fewer pictures to learn from.
#
# ## A network of familiar parts
#
# Here is the whole network, as the library builds it. Each part has its own chapter.

# %%
print(describe("paper"))

# %%
work = {c.name: c.multiply_adds / forward for c in costs if c.multiply_adds}
largest = max(work, key=work.get)
words = f"{largest} does the most, {work[largest]:.0%} of all multiply-adds"
figure = figures.sheet(6, 2.4, f"Bars, the share of the work by layer: {words}")
axes = figure.subplots()
axes.bar(list(work), list(work.values()), color="black")
axes.set(ylabel="share of the work")
figure

# %% [markdown]
# ## A map
#
# The code is in `keras_alexnet/`.
#
# | section of the paper | chapter | code |
# |---|---|---|
# | 2 The dataset | [2](2_0_the_dataset.ipynb) | `data/` |
# | 3.1 ReLU nonlinearity | [3.1](3_1_relu_nonlinearity.ipynb) | `models/architectures.py`: `figure_1` |
# | 3.2 Training on multiple GPUs | [3.2](3_2_training_on_multiple_gpus.ipynb) | `models/layers.py`, `training/towers.py` |
# | 3.3 Local response normalization | [3.3](3_3_local_response_normalization.ipynb) | `models/normalization.py` |
# | 3.4 Overlapping pooling | [3.4](3_4_overlapping_pooling.ipynb) | `models/alexnet.py` |
# | 3.5 Overall architecture | [3.5](3_5_overall_architecture.ipynb) | `models/alexnet.py`, `models/architectures.py` |
# | 4.1 Data augmentation | [4.1](4_1_data_augmentation.ipynb) | `data/augmentation.py`, `data/pipeline.py` |
# | 4.2 Dropout | [4.2](4_2_dropout.ipynb) | `models/layers.py` |
# | 5 Details of learning | [5](5_0_details_of_learning.ipynb) | `training/`, `models/initializers.py` |
# | 6 Results | [6](6_0_results.ipynb) | `evaluation/` |
# | 6.1 Qualitative evaluations | [6.1](6_1_qualitative_evaluations.ipynb) | `evaluation/features.py`, `plotting/panels.py` |
# | 7 Discussion | [7](7_0_discussion.ipynb) | `models/summary.py` |
# | not in the paper: the authors' notes | [8](8_0_the_authors_lab_notebook.ipynb) | `experiments/ablations.py` |
#
# ## What you predicted
#
# 1. One picture needs 724 million multiplications, each followed by an addition.
# 2. Training takes about 450,000 trillion operations: nearly three passes' worth of work, for every picture, 90 times.
# 3. Between two and seven, depending on the processor. The network has learned something, but 500 pictures are few.

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert round(forward / 1e6) == 724 and round(training / 1e12, -4) == 450_000
assert 0.2 < after < 0.7

# %% [markdown]
# ## Exercises
#
# 1. How many pictures per second did the authors train on, given five and a half days?
# 2. A linear classifier reads 224 x 224 pixels and has 1000 classes. Does it have more parameters than AlexNet?
# 3. Write code: find the five most probable classes of one picture in NumPy, and compare them with `decode_predictions`.
# 4. Write code: the convolution of a picture of 6 x 6 pixels with a kernel of 3 x 3 and *steps of 2*, as one matrix. How
#    many of its connections are used?
# 5. Train something: the linear classifier of the first cells, on the same 500 flowers (divide `shrink`'s numbers by 128,
#    and use `PaperSGD(0.001)` for 60 epochs). How does it do on new ones?
#
# <details><summary>Answers</summary>
#
# 1. 90 x 1.2 million pictures in 475,200 seconds: 227 per second.
# 2. Yes: 150,528 x 1000, 2.5 times as many. AlexNet's large layers do not read pixels: steps and pooling leave 9216
#    numbers for fc6, and the convolutions before it need only 2.3 million weights, because they use the same ones at all
#    places.
# 3. `np.argsort(-shares)[:5]`.
# 4. 36 of 144: there are 2 x 2 units, and each has nine connections.
# 5. `keras.Sequential([Flatten(), Dense(10, "softmax")])` names most of the 500 and far fewer new ones.
#
# </details>
#
# Solutions in code, to run and to change: [1_0_solutions](solutions/1_0_solutions.ipynb).

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert 5.5 * 24 * 3600 == 475_200
assert round(90 * 1_200_000 / 475_200) == 227
assert 224 * 224 * 3 == 150_528
assert round(150_528 * 1000 / 60_965_224, 1) == 2.5
