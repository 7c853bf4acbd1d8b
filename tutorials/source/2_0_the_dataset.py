# %% [markdown]
# # 2 The dataset
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 2 | `data/`, `evaluation/metrics.py` | half a minute, drawn flowers |
#
# **The paper says:** ImageNet has over 15 million pictures in about 22,000 categories. The contest, ILSVRC, uses 1000 of
# them: 1.2 million pictures for training, 50,000 for validation and 150,000 for testing. Pictures of any size become 256
# x 256 pixels; the mean is subtracted, and nothing else is done. Results are reported as top-1 and top-5 errors.
#
# **Predict first.** (1) How much of a picture of 500 x 700 pixels is cut away? (2) What does the mean of all training
# pictures look like? (3) A network that guesses among 1000 classes: what are its two errors?
#
# To read beside it: [the paper](https://proceedings.neurips.cc/paper_files/paper/2012/hash/c399862d3b9d6b76c8436e924a68c45b-Abstract.html),
# [the authors' code](https://github.com/computerhistory/AlexNet-Source-Code),
# [each claim of this section](../docs/paper_ledger.md#2-the-dataset) and how it came out here,
# and a [glossary](../docs/glossary.md) in English and Chinese.

# %%
# %matplotlib inline
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import pathlib
import tempfile

import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from keras_alexnet import TopKError
from keras_alexnet.data import Statistics, decoding, load
from keras_alexnet.data.drawings import petals
from keras_alexnet.evaluation import metrics
from keras_alexnet.plotting import figures

# %% [markdown]
# ## From any size to 256 x 256
#
# Two steps: resize the picture so that its shorter side has 256 pixels, then cut out the central square. As an example
# we put two drawn flowers side by side, which makes a wide picture. (The titles say height x width.)

# %%
flowers = petals.draw_one(0, 1), petals.draw_one(7, 1)[:, :103]
wide = Image.fromarray(np.hstack(flowers)).resize((700, 500))
ratio = 256 / min(wide.size)
resized = wide.resize([round(side * ratio) for side in wide.size])
wide, resized = np.asarray(wide), np.asarray(resized)
left = (resized.shape[1] - 256) // 2
crop = resized[:, left : left + 256]  # (256, 256, 3)

# %%
words = "A wide picture, resized to a shorter side of 256, and its center"
figure = figures.sheet(8, 2.6, words)
steps = {"original": wide, "resized": resized, "central crop": crop}
for axes, name in zip(figure.subplots(1, 3), steps, strict=True):
    height, width = steps[name].shape[:2]
    figures.bare(axes).imshow(steps[name], extent=(0, width, height, 0))
    axes.set(title=f"{name}: {height} x {width}", xlim=(0, 700), ylim=(500, 0))
figure

# %% [markdown]
# The library's `decoding.resize` crops first and resizes afterwards. The result is the same within a fraction of a pixel,
# and nothing is resized only to be cut away. The two resizing methods weight their pixels differently, so we compare the
# mean difference.

# %%
by_library = decoding.resize(wide, 256).numpy()
difference = np.abs(by_library.astype(float) - crop).mean()
print(f"mean difference: {difference:.2f}, on a scale of 0 to 255")
columns = resized.shape[1]
print(f"cut away: {1 - 256 / columns:.0%} of {columns} columns")
assert difference < 3

# %% [markdown]
# ## The mean image and the mean color
#
# The paper subtracts "the mean activity over the training set from each pixel", which can mean an image or a color. The
# authors' code subtracts an image, the mean of all training pictures. It is a blur: here, a reddish cloud of petals on
# green. Most other implementations subtract the mean color, three numbers. To show negative numbers, the two pictures
# on the right have 128 added, so zero is gray.

# %%
pictures, labels = petals.draw(160, seed=1)  # (160, 256, 256, 3)
dataset = tf.data.Dataset.from_tensor_slices((pictures, labels))
statistics = Statistics.measure(dataset)
mean_image = pictures.mean(axis=0)  # (256, 256, 3)
mean_color = pictures.reshape(-1, 3).mean(axis=0)  # (3,)
assert np.allclose(statistics.mean_image, mean_image, atol=1e-3)
assert np.allclose(statistics.mean_color, mean_color, atol=1e-2)
print("mean color:", mean_color.round(1))

# %%
one = pictures[0].astype(float)
shown = {"a picture": one, "mean image": mean_image}
shown["minus the mean image"] = one - mean_image + 128
shown["minus the mean color"] = one - mean_color + 128
words = "A picture, the mean of 160, and the picture minus it; gray is zero"
figure = figures.sheet(8, 2.4, words)
parts = zip(figure.subplots(1, 4), shown.items(), strict=True)
for axes, (name, picture) in parts:
    visible = np.clip(picture, 0, 255).astype("uint8")[::2, ::2]
    figures.bare(axes).imshow(visible)
    axes.set_title(name, size=10)
figure

# %% [markdown]
# The paper does nothing else to the pixels: they keep their scale, which is 0 to 255 before the mean is subtracted.
# Dividing them by 255 seems harmless, but it is not: [chapter 5](5_0_details_of_learning.ipynb) shows what it does to the
# signal.
#
# ## How errors are counted
#
# A prediction is a top-1 error if the most probable class is wrong, and a top-5 error if the correct class is not among
# the five most probable ones. ImageNet needs the second count because many pictures show several things but have only
# one label. Below are three pictures and six classes. The *rank* of a class is 1 if it is the most probable.

# %%
scores = np.array(
    [
        [0.5, 0.2, 0.1, 0.1, 0.06, 0.04],
        [0.1, 0.3, 0.22, 0.18, 0.15, 0.05],
        [0.0, 0.0, 0.2, 0.3, 0.4, 0.1],
    ]
)
correct = np.array([0, 2, 0])
of_correct = scores[np.arange(3), correct][:, None]
ranks = (scores > of_correct).sum(axis=1) + 1
print("rank of the correct class:", ranks)

# %%
for k in (1, 2, 5):
    by_hand = (ranks > k).mean()
    metric = TopKError(k)
    metric.update_state(correct, scores)
    by_library = float(metric.result())
    print(f"top-{k} error: {by_hand:.0%} by hand, {by_library:.0%} by library")

# %% [markdown]
# The two differ for top-5: in the third picture the correct class has probability 0, and so has another class. By hand
# we ranked it fifth. The library ranks tied classes ahead of the correct one, so a network that gives all classes the
# same probability is always wrong. Keras's metric counts such a network as perfect:

# %%
equal = np.full((8, 6), 1 / 6, np.float32)
truth = np.arange(8) % 6
theirs = keras.metrics.SparseTopKCategoricalAccuracy(k=1)
theirs.update_state(truth, equal)
ours = metrics.top_k_error(equal, truth, 1)
print(f"Keras: {1 - float(theirs.result()):.0%} errors, library: {ours:.0%}")
assert float(theirs.result()) == 1.0 and ours == 1.0

# %% [markdown]
# Guessing among 1000 classes is wrong for 99.9 % (top-1) and 99.5 % (top-5) of the pictures:

# %%
random = np.random.default_rng(0)
guesses = random.random((20_000, 1000), dtype=np.float32)
truth = random.integers(0, 1000, 20_000)
for k in (1, 5):
    error = metrics.top_k_error(guesses, truth, k)
    low, high = metrics.interval(round(error * 20_000), 20_000)
    print(f"top-{k}: {error:.2%}, 95 % interval {low:.2%} to {high:.2%}")
    assert low < 1 - k / 1000 < high

# %% [markdown]
# The *95 % interval* says how far a result may be off because the test pictures were chosen by chance: of 100 such
# intervals, about 95 contain the true error. With ILSVRC's 150,000 test pictures, a difference of half a point between
# two papers is more than the choice of the test pictures explains (whether another seed would change as much is another
# question, see [chapter 8](8_0_the_authors_lab_notebook.ipynb)); with 1000 pictures it means nothing. The first two
# counts below are those of Flowers-102, the data set of most of our archived runs: photographs of 102 species of flowers,
# 1020 for training, 1020 for validation and 6149 for testing.

# %%
for count in (1020, 6149, 150_000):
    low, high = metrics.interval(round(0.375 * count), count)
    print(f"37.5 % error on {count:>7,} pictures: {low:.1%} to {high:.1%}")

# %% [markdown]
# ## The data sets that `fit.py` knows
#
# There are three kinds: `petals`, drawn flowers that need no download; the name of any image classification data set in
# TensorFlow Datasets, such as `oxford_flowers102`, `cifar10` or `imagenet2012`; and a folder with one folder per class.

# %%
names = ", ".join(petals.CLASS_NAMES)
figure = figures.sheet(8, 3.6, f"Petals, one drawn flower of each of: {names}")
for n, axes in enumerate(figure.subplots(2, 5).flat):
    figures.bare(axes).imshow(petals.draw_one(n, seed=5)[::2, ::2])
    axes.set_title(petals.CLASS_NAMES[n], size=10)
print(load("petals").describe())
figure

# %%
with tempfile.TemporaryDirectory() as folder:
    for label, name in enumerate(petals.CLASS_NAMES[:3]):
        of_class = pathlib.Path(folder, name)
        of_class.mkdir()
        for n in range(10):
            picture = petals.draw_one(label, n)[:, : 200 + n]
            Image.fromarray(picture).save(of_class / f"{n}.png")
    data = load(folder)
    words = data.describe().replace(folder, "my_flowers")
    print(words.replace("; ", ";\n"))
assert data.class_names == petals.CLASS_NAMES[:3]

# %% [markdown]
# ## What you predicted
#
# 1. 29 %: the square keeps 500 of the 700 columns. (After resizing, 256 of 358, since a size is a whole number.)
# 2. A blur without edges, since no two pictures have theirs at the same place.
# 3. 99.9 % and 99.5 %.
#
# ## Exercises
#
# 1. What happens to a picture of 100 x 400 pixels, and to an object at its left end?
# 2. One network is right on 600 of 1020 validation pictures, another on 620 of the same pictures. Is the second better?
#    Write code: a test that uses the pictures on which only one of the two is right.
# 3. Write code: compute the mean image while you hold one picture at a time, and compare it with `Statistics.measure`.
# 4. Train something: chapter 1's small network on 50, 150 and 450 flowers, with the same number of steps each time. How many
#    of 100 new flowers does it name?
#
# <details><summary>Answers</summary>
#
# 1. It is enlarged to 256 x 1024; three quarters of it are cut away, and the object with them.
# 2. The two counts alone do not tell. Their intervals overlap, but that proves nothing, because both networks saw the
#    *same* pictures. McNemar's test looks only at the pictures on which exactly one network is right. If neither were
#    better, each of these would be a toss of a coin: `scipy.stats.binomtest(first, first + second)`. With 30 pictures
#    for the first network and 50 for the second, p is 0.03: the second is probably better. With 180 and 200, p is 0.3:
#    we cannot tell. Both cases are 600 against 620.
# 3. The mean of the first n pictures is the mean before, moved towards the new picture by 1/n of the difference.
# 4. With few flowers it learns these by heart; with more it names more new ones, for the same work.
#
# </details>
#
# Solutions in code, to run and to change: [2_0_solutions](solutions/2_0_solutions.ipynb).

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
from scipy.stats import binomtest

narrow = np.zeros((100, 400, 3), np.uint8)
assert decoding.resize(narrow, 256).shape == (256, 256, 3)
assert metrics.interval(600, 1020)[1] > metrics.interval(620, 1020)[0]
assert round(binomtest(30, 80).pvalue, 2) == 0.03
assert round(binomtest(180, 380).pvalue, 1) == 0.3
assert 50 - 30 == 200 - 180 == 620 - 600
