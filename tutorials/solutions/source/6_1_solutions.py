# %% [markdown]
# # 6.1 Qualitative evaluations: solutions
#
# The exercises of [chapter 6.1](../6_1_qualitative_evaluations.ipynb) that write code or train something.
#
# ## Exercise 3
#
# Retrieve by the *cosine* of the angle between features instead of their distance. Does it change how often the neighbors
# are of the same species? (To save time, the network sees 250 flowers eight times.)

# %%
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import keras
import numpy as np

from keras_alexnet import PaperSGD, build, figure_1
from keras_alexnet.data.drawings import petals
from keras_alexnet.evaluation import features


# %%
def shrink(pictures):  # (n, 256, 256, 3) -> (n, 32, 32, 3)
    blocks = pictures.reshape(len(pictures), 32, 8, 32, 8, 3)
    return blocks.mean(axis=(2, 4)).astype("float32") - 128


pictures, labels = petals.draw(250, seed=0)
others, truth = petals.draw(100, seed=1)
train, test = shrink(pictures), shrink(others)


# %%
def learn(pictures):
    keras.utils.set_random_seed(0)
    model = build(figure_1(), classes=10)
    loss = "sparse_categorical_crossentropy"
    model.compile(PaperSGD(0.003), loss, jit_compile=False)
    model.fit(pictures, labels, batch_size=16, epochs=8, verbose=0)
    return model


def vectors(model, pictures):
    last = features.activations(model, "flatten")
    return last.predict(pictures, batch_size=100, verbose=0)  # (n, 1024)


# %%
def unit(vectors):
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


model = learn(train)
known, asked = vectors(model, train), vectors(model, test)
# By hand: the largest cosines. For vectors of length 1 they are the nearest.
cosines = unit(asked) @ unit(known).T  # (100, 250)
by_hand = np.argsort(-cosines, axis=1)[:, :5]
by_cosine = features.nearest(unit(asked), unit(known), count=5)
by_distance = features.nearest(asked, known, count=5)
assert (by_hand == by_cosine).mean() > 0.98

# %%
shares = {}
for name, found in (("distance", by_distance), ("cosine", by_cosine)):
    shares[name] = (labels[found] == truth[:, None]).mean()
    print(f"by {name}: {shares[name]:.0%} of the same species")
assert min(shares.values()) > 0.12  # by chance 0.1

# %% [markdown]
# The cosine ignores how strongly a picture excites the features, and asks only which ones. Whether that is better depends
# on the network; with 100 pictures a few points either way mean nothing.
#
# ## Exercise 4
#
# Compute `features.specialization` with two loops over the kernels of both towers. Try it on kernels of which the second
# tower has all the color.

# %%
random = np.random.default_rng(0)
kernels = random.normal(size=(11, 11, 3, 96))
gray = kernels[..., :48].mean(axis=2, keepdims=True)
split = kernels.copy()
split[..., :48] = gray  # the first tower without color


def specialization(kernels):
    colors = features.colorfulness(kernels)
    pairs = [b > a for a in colors[:48] for b in colors[48:]]
    return np.mean(pairs)


# %%
for name, each in (("random", kernels), ("split", split)):
    print(f"{name}: {specialization(each):.2f}")
    assert np.isclose(specialization(each), features.specialization(each))
assert specialization(split) == 1

# %% [markdown]
# ## Exercise 5
#
# Train the network on *gray* flowers, where the three colors of a pixel are their mean. What becomes of the color of its
# kernels, and does it name new gray flowers?


# %%
def without_color(pictures):
    return np.broadcast_to(pictures.mean(-1, keepdims=True), pictures.shape)


# %%
in_grey, color = learn(without_color(train)), {}
cases = ("color", model, test), ("gray", in_grey, without_color(test))
for name, each, new in cases:
    color[name] = features.colorfulness(features.first_kernels(each))
    right = each.predict(new, batch_size=100, verbose=0).argmax(1) == truth
    print(f"{name}: {right.mean():.0%} right", end=", ")
    print(f"color of the kernels {color[name].mean():.4f}")
assert color["gray"].mean() < 0.01 < color["color"].mean()

# %% [markdown]
# The three inputs of a pixel are equal, so the three weights get the same gradient, and what grows is gray. The little color
# that is left is what the kernels started with.
