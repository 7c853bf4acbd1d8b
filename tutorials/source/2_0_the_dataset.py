# %% [markdown]
# # 2 The dataset
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 2 | `datasets.py`, `decoding.py`, `pipeline.py`, `metrics.py` | half a minute, drawn flowers |
#
# **The paper says:** ImageNet has over 15 million pictures in some 22,000 categories. The contest, ILSVRC, takes 1000
# of them: 1.2 million pictures to train on, 50,000 for validation, 150,000 for the test. Pictures of any size become
# 256 x 256 pixels; the mean is subtracted, and nothing else is done. Results are top-1 and top-5 errors.
#
# **Predict first.** (1) How much of a picture of 500 x 700 pixels is thrown away? (2) What does the mean of all
# training pictures look like? (3) A network that guesses among 1000 classes: what are its two errors?

# %%
# %matplotlib inline
import pathlib
import tempfile

import numpy as np
import tensorflow as tf
from PIL import Image

from keras_alexnet.data import datasets, decoding
from keras_alexnet.data.drawings import petals
from keras_alexnet.data.statistics import Statistics
from keras_alexnet.evaluation import metrics
from keras_alexnet.evaluation.metrics import TopKError
from keras_alexnet.plotting import figures

# %% [markdown]
# ## Any size to 256 x 256
#
# Two steps: the shorter side becomes 256 pixels, then the central square is cut out. Here is a wide picture, made of
# two drawn flowers side by side.

# %%
wide = np.hstack([petals.draw_one(0, 1), petals.draw_one(7, 1)[:, :103]])  # 256 x 359
wide = np.asarray(Image.fromarray(wide).resize((701, 500)))
height, width = wide.shape[:2]
shorter = min(height, width)
scaled = np.asarray(Image.fromarray(wide).resize((round(width * 256 / shorter), round(height * 256 / shorter))))
left = (scaled.shape[1] - 256) // 2
square = scaled[:, left : left + 256]
stages = {"as it came": wide, "shorter side 256": scaled, "central square": square}
figure = figures.sheet(8, 2.6, "A wide picture, scaled so that its shorter side is 256 pixels, and its central square")
for axes, (name, picture) in zip(figure.subplots(1, 3), stages.items(), strict=True):
    figures.bare(axes).imshow(picture, extent=(0, picture.shape[1], 0, picture.shape[0]))
    axes.set(title=f"{name}: {picture.shape[0]} x {picture.shape[1]}", xlim=(0, 701), ylim=(0, 500))
figure

# %% [markdown]
# The library's `decoding.resize` cuts first and scales after, which comes to the same within a fraction of a pixel and
# scales nothing that is thrown away. The two scalers weigh their pixels differently, so we compare by the mean.

# %%
by_library = decoding.resize(wide, 256).numpy()
difference = np.abs(by_library.astype(float) - square).mean()
print(f"mean difference {difference:.2f} grey levels; {1 - 500 / 700:.0%} of a picture of 500 x 700 is thrown away")
assert difference < 3

# %% [markdown]
# ## The mean image, the mean color
#
# The authors subtract the mean of all training pictures, place by place. It is a blur: here a reddish cloud
# of petals on green. Most others subtract its mean, one color.

# %%
pictures, labels = petals.draw(160, seed=1)
statistics = Statistics.measure(tf.data.Dataset.from_tensor_slices((pictures, labels)))
assert np.allclose(statistics.mean_image, pictures.mean(axis=0), atol=1e-3)
assert np.allclose(statistics.mean_color, pictures.reshape(-1, 3).mean(axis=0), atol=1e-2)

one = pictures[0].astype(float)
less = {"a picture": one, "mean image": statistics.mean_image, "less the mean image": one - statistics.mean_image + 128}
less["less the mean color"] = one - statistics.mean_color + 128
figure = figures.sheet(8, 2.4, "A picture, the mean image of 160, and the picture less the mean, grey being zero")
for axes, (name, picture) in zip(figure.subplots(1, 4), less.items(), strict=True):
    figures.bare(axes).imshow(np.clip(picture, 0, 255).astype("uint8")[::2, ::2])
    axes.set_title(name, size=10)
print("mean color:", statistics.mean_color.round(1))
figure

# %% [markdown]
# The paper does nothing else to the pixels: they stay on 0 to 255. Dividing by 255 seems harmless, and is not: [chapter
# 5](5_0_details_of_learning.ipynb) shows what it does to the signal.
#
# ## How errors are counted
#
# A picture is a top-1 error if the most probable class is wrong, and a top-5 error if the right class is not among the
# five most probable. ImageNet needs the second, since many pictures show several things, and have one label.

# %%
scores = np.array(
    [[0.5, 0.2, 0.1, 0.1, 0.06, 0.04], [0.1, 0.3, 0.22, 0.18, 0.15, 0.05], [0.0, 0.0, 0.2, 0.3, 0.4, 0.1]]
)
right = np.array([0, 2, 0])
ranks = [int((row > row[label]).sum()) + 1 for row, label in zip(scores, right, strict=True)]
print("rank of the right class:", ranks)
for k in (1, 2, 5):
    by_hand = np.mean([rank > k for rank in ranks])
    metric = TopKError(k)
    metric.update_state(right, scores)
    print(f"top-{k} error: {by_hand:.0%} by rank, {float(metric.result()):.0%} in the library")

# %% [markdown]
# They differ in top-5: the right class of the third picture has probability 0, and so has another. By rank it is fifth.
# The library counts classes that tie as ahead, so a network that says nothing is wrong. Keras calls such a one perfect:

# %%
import keras

silent, truth = np.full((8, 6), 1 / 6, np.float32), np.arange(8) % 6
theirs = keras.metrics.SparseTopKCategoricalAccuracy(k=1)
theirs.update_state(truth, silent)
ours = metrics.top_k_error(silent, truth, 1)
print(f"equal outputs: Keras counts {1 - float(theirs.result()):.0%} errors, the library {ours:.0%}")
assert float(theirs.result()) == 1.0 and ours == 1.0

# %% [markdown]
# Guessing among 1000 classes is wrong in 99.9 % and 99.5 % of the pictures:

# %%
random = np.random.default_rng(0)
guesses, truth = random.random((20_000, 1000), dtype=np.float32), random.integers(0, 1000, 20_000)
for k in (1, 5):
    error = metrics.top_k_error(guesses, truth, k)
    low, high = metrics.interval(round(error * 20_000), 20_000)
    print(f"top-{k} error of guesses: {error:.2%}, 95 % interval {low:.2%} to {high:.2%}")
    assert low < 1 - k / 1000 < high

# %% [markdown]
# The interval says how far the choice of test pictures moves a result. On ILSVRC's 150,000 test pictures a difference
# of half a point is real; on 1000 pictures it says nothing.

# %%
for count in (1020, 6149, 150_000):
    low, high = metrics.interval(round(0.375 * count), count)
    print(f"an error of 37.5 % on {count:>7,} pictures: {low:.1%} to {high:.1%}")

# %% [markdown]
# ## The data sets that `fit.py` knows
#
# Three kinds: `petals`, drawn flowers that need no download; the name of any image classification set of TensorFlow
# Datasets, such as `oxford_flowers102`, `cifar10` or `imagenet2012`; and a folder of class folders.

# %%
figure = figures.sheet(8, 3.6, f"Petals, one drawn flower of each of ten species: {', '.join(petals.CLASS_NAMES)}")
for n, axes in enumerate(figure.subplots(2, 5).flat):
    figures.bare(axes).imshow(petals.draw_one(n, seed=5)[::2, ::2])
    axes.set_title(petals.CLASS_NAMES[n], size=10)
print(datasets.load("petals").describe())
figure

# %%
with tempfile.TemporaryDirectory() as folder:
    for label, name in enumerate(petals.CLASS_NAMES[:3]):
        (pathlib.Path(folder) / name).mkdir()
        for n in range(10):
            Image.fromarray(petals.draw_one(label, n)[:, : 200 + n]).save(f"{folder}/{name}/{n}.png")
    data = datasets.load(folder)
    print(data.describe().replace(folder, "my_flowers"))
assert data.class_names == petals.CLASS_NAMES[:3]

# %% [markdown]
# ## Exercises
#
# 1. A picture of 100 x 400 pixels: what becomes of it? What of an object at its left end?
# 2. A network is right on 600 of 1020 validation pictures, another on 620. Is the second better?
#
# <details><summary>Answers</summary>
#
# 1. It is enlarged to 256 x 1024, and three quarters of it are cut away, with them the object.
# 2. Nobody knows: the intervals of the two shares overlap by far.
#
# </details>

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert decoding.resize(np.zeros((100, 400, 3), np.uint8), 256).shape == (256, 256, 3)
assert metrics.interval(600, 1020)[1] > metrics.interval(620, 1020)[0]
