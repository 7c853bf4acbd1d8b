# %% [markdown]
# # 1 Introduction
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 1 | all of it | a minute, drawn flowers |
#
# **The paper says:** to learn thousands of objects from millions of pictures one needs a model of large capacity, and
# prior knowledge of what pictures are like. Convolutional networks have both. Now, in 2012, there are labelled pictures
# enough to train one, and GPUs fast enough.
#
# **Predict first.** (1) How many multiplications does the network take for one picture? (2) How many in training, over
# 90 passes of 1.2 million pictures? (3) A small network has seen 50 drawn flowers of each of ten species. In how many
# of ten new ones is it right?

# %%
# %matplotlib inline
import keras
import numpy as np
from sklearn.datasets import load_sample_image

from keras_alexnet import PaperSGD, build, decode_predictions, figure_1
from keras_alexnet.data import decoding
from keras_alexnet.data.drawings import petals
from keras_alexnet.models.summary import describe, layer_costs, sketch
from keras_alexnet.plotting import figures, panels

# %% [markdown]
# ## From a picture to five labels
#
# A classifier is a function from pixels to one probability a class. Here is a network in three lines of NumPy: weigh
# all pixels, once for each class, and make the sums into shares. It has not learned anything yet.


# %%
def softmax(logits):
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def small(pictures):
    return pictures.reshape(len(pictures), 32, 8, 32, 8, 3).mean(axis=(2, 4)).astype("float32") - 128


pictures, labels = petals.draw(500, seed=0)
new, truth = petals.draw(100, seed=1)
weights = np.random.default_rng(0).normal(0, 1e-3, (32 * 32 * 3, 10))
guess = softmax(small(new).reshape(100, -1) @ weights)
print(f"right: {(guess.argmax(axis=1) == truth).mean():.0%} of 100")

# %% [markdown]
# Keras's softmax is the same function:

# %%
logits = small(new).reshape(100, -1) @ weights
assert np.allclose(keras.ops.softmax(logits), guess, atol=1e-6)
assert np.allclose(guess.sum(axis=1), 1)

# %% [markdown]
# Now one that learns: the paper's small network of section 3.1, with the paper's update rule, on 500 drawn flowers of
# 32 pixels. It takes some seconds. The real one, `python scripts/fit.py --dataset oxford_flowers102`, takes longer;
# [chapter 6](6_0_results.ipynb) has its errors.

# %%
keras.utils.set_random_seed(0)
model = build(figure_1(), classes=10)
model.compile(PaperSGD(0.003), "sparse_categorical_crossentropy", jit_compile=False)
before = (model.predict(small(new), verbose=0).argmax(axis=1) == truth).mean()
model.fit(small(pictures), labels, batch_size=16, epochs=15, verbose=0)
probabilities = model.predict(small(new), verbose=0)
after = (probabilities.argmax(axis=1) == truth).mean()
print(f"right: {before:.0%} before training, {after:.0%} after; chance is 10 %")
assert 0.2 < after < 0.5

# %%
for _, name, share in decode_predictions(probabilities[:1], 5, petals.CLASS_NAMES)[0]:
    print(f"{name:12}{share:.1%}")
panels.predictions([picture[::2, ::2] for picture in new[:8]], probabilities[:8], petals.CLASS_NAMES, truth[:8])

# %% [markdown]
# A picture goes in, five labels come out, and after so few flowers the first is wrong more often than right.
#
# Now a photograph: a dahlia, which scikit-learn brings along. The network knows ten species of drawn flowers, and this
# is none of them.

# %%
photograph = decoding.resize(load_sample_image("flower.jpg"), 256).numpy()[None]
said = model.predict(small(photograph), verbose=0)
panels.predictions([photograph[0, ::2, ::2]], said, petals.CLASS_NAMES)

# %% [markdown]
# It cannot say that it does not know: the shares sum to 1, so it names what looks most like it. The paper's network
# does the same, with 1000 classes, and learned them from 1.2 million photographs.
#
# ## Why 2012
#
# Three things came together.
#
# - **Data.** Sets before had tens of thousands of pictures (Caltech-101, CIFAR). ImageNet has 15 million, labelled by
#   people over the net, in 22,000 categories.
# - **GPUs.** The network is trained in five to six days on two GTX 580.
# - **The network.** Deep, convolutional, with ReLUs and dropout: each had been known, or nearly; here they are
#   together, at a size nobody had trained.
#
# How much work is that?

# %%
costs = layer_costs(sketch("paper"))
forward = sum(cost.multiply_adds for cost in costs)
training = 3 * 2 * forward * 1_200_000 * 90  # back takes twice as much as forward; an addition each
rate = training / (5.5 * 24 * 3600) / 1e12
print(f"{forward:,} multiply-adds for one picture")
print(f"{training:.1e} operations in training; in five and a half days {rate:.2f} trillion a second")
print(f"a processor with 0.1 trillion a second takes {training / 1e11 / 3600 / 24:.0f} days")
could = 2 * 512 * 2 * 1.544e9 / 1e12  # two GTX 580: cores, two operations a cycle, cycles a second
print(f"two GTX 580 could do {could:.1f} trillion: the authors used {rate / could:.0%} of it")
assert 0.25 < rate / could < 0.4

# %% [markdown]
# The authors' code used about a third of what there was. Their library, cuda-convnet, was part of the achievement.
#
# ## A network of parts that you know
#
# The whole network, as the library has it. Every row gets its chapter.

# %%
print(describe("paper"))

# %%
shares = {cost.name: cost.multiply_adds / forward for cost in costs if cost.multiply_adds}
largest = max(shares, key=shares.get)
figure = figures.sheet(6, 2.4, f"Work by layer: {largest} does {shares[largest]:.0%} of all multiply-adds, most of any")
axes = figure.subplots()
axes.bar(list(shares), list(shares.values()), color="black")
axes.set(ylabel="share of the work")
figure

# %% [markdown]
# ## A map
#
# | section of the paper | chapter | code |
# |---|---|---|
# | 2 The dataset | [2](2_0_the_dataset.ipynb) | `datasets.py`, `decoding.py`, `petals.py` |
# | 3.1 ReLU nonlinearity | [3.1](3_1_relu_nonlinearity.ipynb) | `architectures.py`: `figure_1` |
# | 3.2 Training on multiple GPUs | [3.2](3_2_training_on_multiple_gpus.ipynb) | `layers.py`, `distribution.py` |
# | 3.3 Local response normalization | [3.3](3_3_local_response_normalization.ipynb) | `layers.py` |
# | 3.4 Overlapping pooling | [3.4](3_4_overlapping_pooling.ipynb) | `blocks.py` |
# | 3.5 Overall architecture | [3.5](3_5_overall_architecture.ipynb) | `architectures.py`, `model.py` |
# | 4.1 Data augmentation | [4.1](4_1_data_augmentation.ipynb) | `augment.py`, `pipeline.py` |
# | 4.2 Dropout | [4.2](4_2_dropout.ipynb) | `blocks.py` |
# | 5 Details of learning | [5](5_0_details_of_learning.ipynb) | `optimizers.py`, `initial_weights.py`, `training.py` |
# | 6 Results | [6](6_0_results.ipynb) | `evaluation.py`, `measures.py` |
# | 6.1 Qualitative evaluations | [6.1](6_1_qualitative_evaluations.ipynb) | `features.py`, `panels.py` |
# | 7 Discussion | [7](7_0_discussion.ipynb) | `description.py` |
#
# ## Exercises
#
# 1. How many pictures a second did the authors train on, by their own five and a half days?
# 2. A linear classifier on 224 x 224 pixels and 1000 classes: has it more parameters than AlexNet?
#
# <details><summary>Answers</summary>
#
# 1. 90 times 1.2 million over 475,200 seconds: 227 a second.
# 2. Yes: 150,528 x 1000, 2.5 times as many. Sharing weights over places is what makes a deep network affordable.
#
# </details>

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert round(90 * 1_200_000 / (5.5 * 24 * 3600)) == 227
assert 224 * 224 * 3 == 150_528 and round(150_528 * 1000 / 60_965_224, 1) == 2.5
