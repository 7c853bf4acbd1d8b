# %% [markdown]
# # 4.1 Data augmentation: solutions
#
# The exercises of [chapter 4.1](../4_1_data_augmentation.ipynb) that write code or train something.
#
# ## Exercise 4
#
# Write `ten_crops` in five lines of NumPy, and compare it with the library's.

# %%
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import keras
import numpy as np

from keras_alexnet import PaperSGD, build, figure_1
from keras_alexnet.data import augmentation
from keras_alexnet.data.drawings import petals


# %%
def ten_crops(picture, size=224):
    last, middle = len(picture) - size, (len(picture) - size) // 2
    places = [(0, 0), (0, last), (last, 0), (last, last), (middle, middle)]
    five = [picture[y : y + size, x : x + size] for y, x in places]
    return np.stack(five + [crop[:, ::-1] for crop in five])


# %%
flower = petals.draw_one(3, 0)
ours, library = ten_crops(flower), augmentation.ten_crops(flower, 224).numpy()
print(ours.shape)
assert np.array_equal(ours, library)

# %% [markdown]
# ## Exercise 5
#
# How alike are the crops of one picture? Compute what share of its pixels a crop has in common with another one, on average
# over all pairs of places.

# %%
places = np.arange(33)
apart = np.abs(places[:, None] - places)  # of every pair of places
common = (224 - apart).mean() / 224  # on one axis
print(f"{apart.mean():.1f} pixels apart on each axis", end=", ")
least = (192 / 224) ** 2
print(f"{common**2:.0%} of the pixels in common, at least {least:.0%}")
assert round(common**2, 2) == 0.90 and apart.max() == 32

# %% [markdown]
# Two crops of one picture share 90 % of their pixels on average. "2048 times" as many pictures are not 2048 times as much
# to learn from.
#
# ## Exercise 6
#
# Train the small network of figure 1 on 150 drawn flowers, as they are and with a random half mirrored in each epoch. How
# do the errors on the same flowers and on new ones compare?


# %%
def shrink(pictures):  # (n, 256, 256, 3) -> (n, 32, 32, 3)
    blocks = pictures.reshape(len(pictures), 32, 8, 32, 8, 3)
    return blocks.mean(axis=(2, 4)).astype("float32") - 128


pictures, labels = petals.draw(150, seed=0)
others, truth = petals.draw(200, seed=1)
train, test = shrink(pictures), shrink(others)


# %%
def errors(mirror, epochs=12):
    keras.utils.set_random_seed(0)
    random, model = np.random.default_rng(0), build(figure_1(), classes=10)
    loss = "sparse_categorical_crossentropy"
    more = {"metrics": ["accuracy"], "jit_compile": False}
    model.compile(PaperSGD(0.003), loss, **more)
    for _ in range(epochs):
        chosen = random.random(150) < (0.5 if mirror else 0)
        seen = np.where(chosen[:, None, None, None], train[:, :, ::-1], train)
        model.fit(seen, labels, batch_size=16, verbose=0)
    pairs = (train, labels), (test, truth)
    return [1 - model.evaluate(*pair, 200, verbose=0)[1] for pair in pairs]


# %%
found = {"as they are": errors(False), "half mirrored": errors(True)}
for name, (same, new) in found.items():
    print(f"{name}: error {same:.0%} on these flowers, {new:.0%} on new ones")
assert all(same < new for same, new in found.values())

# %% [markdown]
# In both, the errors on new flowers are higher: that gap is overfitting. Whether mirror images narrow it cannot be told
# from one training of each. Try more seeds and more epochs.
