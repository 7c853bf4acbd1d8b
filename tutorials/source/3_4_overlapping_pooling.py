# %% [markdown]
# # 3.4 Overlapping pooling
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 3.4 | `models/alexnet.py`, `models/architectures.py` | half a minute, no data |
#
# **The paper says:** windows of $z = 3$ pixels that move by $s = 2$ overlap. Compared with $z = s = 2$ this lowers the
# top-1 error by 0.4 and the top-5 error by 0.3 points, and such networks "find it slightly more difficult to overfit".
#
# **Predict first.** (1) The numbers 0 to 24 in a square of 5 x 5: what does a 3 x 3 maximum with steps of 2 leave? (2)
# How many windows see the number in the middle? (3) A map of 56 pixels: does it have 27 or 28 after pooling?
#
# To read beside it: [the paper](https://proceedings.neurips.cc/paper_files/paper/2012/hash/c399862d3b9d6b76c8436e924a68c45b-Abstract.html),
# [the authors' code](https://github.com/computerhistory/AlexNet-Source-Code),
# [each claim of this section](../docs/paper_ledger.md#34-overlapping-pooling) and how it came out here,
# and a [glossary](../docs/glossary.md) in English and Chinese.

# %%
# %matplotlib inline
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import keras
import numpy as np
from matplotlib.patches import Rectangle

from keras_alexnet import ARCHITECTURES
from keras_alexnet.data.drawings import petals
from keras_alexnet.experiments import ablations, archive
from keras_alexnet.models import layer_costs, sketch
from keras_alexnet.plotting import charts, figures
from keras_alexnet.plotting.players import Player

# %% [markdown]
# ## By hand, on the numbers 0 to 24


# %%
def pool(numbers, window, step, combine=np.max):
    starts = range(0, len(numbers) - window + 1, step)
    return np.array(
        [
            [combine(numbers[y : y + window, x : x + window]) for x in starts]
            for y in starts
        ]
    )


numbers = np.arange(25.0).reshape(5, 5)
largest, mean = pool(numbers, 3, 2), pool(numbers, 3, 2, np.mean)
print(numbers, "maximum:", largest, "average:", mean, sep="\n")

# %%
batch = numbers[None, :, :, None]  # (1, 5, 5, 1)
by_keras = keras.layers.MaxPooling2D(3, 2)(batch)  # (1, 2, 2, 1)
assert np.array_equal(by_keras[0, :, :, 0], largest)
by_keras = keras.layers.AveragePooling2D(3, 2)(batch)
assert np.allclose(by_keras[0, :, :, 0], mean)

# %% [markdown]
# The maximum says *whether* something was found near a place; the average says how much of it there is around. The
# windows overlap by one row and one column: 12, in the middle, is in all four.


# %%
def count_windows(size, window, step):
    """Return how many windows contain each place."""
    counts = np.zeros((size, size), int)
    for y in range(0, size - window + 1, step):
        for x in range(0, size - window + 1, step):
            counts[y : y + window, x : x + window] += 1
    return counts


# %%
overlapping, separate = count_windows(5, 3, 2), count_windows(4, 2, 2)
words = "up to four windows contain a place if they overlap, else one"
figure = figures.sheet(5.5, 2.6, f"Counts of windows: {words}")
shown = {"z = 3, s = 2": overlapping, "z = s = 2": separate}
for axes, title in zip(figure.subplots(1, 2), shown, strict=True):
    figures.bare(axes).imshow(shown[title], cmap="Greys", vmin=0, vmax=8)
    axes.set_title(title)
    for (y, x), count in np.ndenumerate(shown[title]):
        axes.text(x, y, count, ha="center", va="center")
assert overlapping.max() == overlapping[2, 2] == 4
assert separate.max() == separate.min() == 1
figure

# %% [markdown]
# A window of 3 moves over 7 x 7 numbers in steps of 2. Press *play*, or move the slider. The more windows have seen a
# number, the darker it is. (Where scripts do not run, as on GitHub, you see the first frame.)

# %%
digits = np.random.default_rng(0).permutation(49).reshape(7, 7)
pooled = pool(digits, 3, 2)  # (3, 3)
FRAME = {"fill": False, "lw": 3, "clip_on": False}


def write(axes, numbers, shades):
    figures.bare(axes).imshow(shades, cmap="Greys", vmin=0, vmax=8)
    for (y, x), number in np.ndenumerate(numbers):
        if shades[y, x] >= 0:
            axes.text(x, y, number, ha="center", va="center")


# %%
def window(n):
    seen, done = np.zeros((7, 7)), np.full((3, 3), -1)
    for y, x in [divmod(each, 3) for each in range(n + 1)]:
        seen[2 * y :, 2 * x :][:3, :3] += 1
        done[y, x] = 0
    figure = figures.sheet(5.5, 2.6, "")
    left, right = figure.subplots(1, 2)
    write(left, digits, seen)
    left.add_patch(Rectangle((2 * x - 0.5, 2 * y - 0.5), 3, 3, **FRAME))
    write(right, pooled, done)
    return figure


Player(window, 9, "A window of 3 in steps of 2, its maximum beside it")

# %% [markdown]
# 37 and 47 are each the maximum of two windows. Only overlap makes that possible.

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert pooled.tolist() == [[46, 37, 42], [47, 37, 43], [47, 41, 48]]

# %% [markdown]
# ## On a flower
#
# A map of the edges in a picture, pooled in three ways. All halve the width and the height. With the larger,
# overlapping windows thin lines have fewer gaps, and are thicker.

# %%
daisy = petals.draw_one(petals.CLASS_NAMES.index("daisy"), 2)
gray = daisy.mean(axis=2)[:225:2, :225:2]  # (113, 113)
edges = np.abs(np.diff(gray, axis=1))  # (113, 112)
shown = {"edges": edges, "maximum, z = 3": pool(edges, 3, 2)}
shown["maximum, z = 2"] = pool(edges, 2, 2)
shown["average, z = 3"] = pool(edges, 3, 2, np.mean)
words = "Edges of a flower, pooled: the maxima are bright, the average faint"

# %%
figure = figures.sheet(8, 2.4, words)
for axes, name in zip(figure.subplots(1, 4), shown, strict=True):
    figures.bare(axes).imshow(shown[name], cmap="gray", vmin=0, vmax=60)
    height, width = shown[name].shape
    axes.set_title(f"{name}: {height} x {width}", size=9)
figure

# %% [markdown]
# By how much does a map change when the picture moves by one pixel? If a pooled map changes little, the next layer sees
# nearly the same.


# %%
def change(window, combine):
    here = pool(edges[:111, :111], window, 2, combine)
    moved = pool(edges[:111, 1:112], window, 2, combine)
    return np.abs(here - moved).mean() / np.abs(here).mean()


unpooled = np.abs(edges[:, 1:] - edges[:, :-1]).mean() / edges.mean()
print(f"not pooled: the map changes by {unpooled:.0%}")
for z in (2, 3):
    largest, mean = change(z, np.max), change(z, np.mean)
    print(f"z = {z}: maximum {largest:.0%}, average {mean:.0%}")
assert change(3, np.max) < change(2, np.max) < unpooled

# %% [markdown]
# A larger window changes less. With the same maps, windows of 3 must overlap. This may be one reason why overlap helps;
# the paper gives none.
#
# ## Rounding up, rounding down
#
# Three poolings turn 55, 27 and 13 pixels into 27, 13 and 6. With these odd sizes every window is complete. With an even
# size one pixel is left over: Keras drops it (*floor*), the authors' code and Caffe add a window (*ceil*).

# %%
for size in (55, 27, 13, 56, 28):
    floor, ceil = (size - 3) // 2 + 1, -(-(size - 3) // 2) + 1
    print(f"{size}: {floor} rounded down, {ceil} rounded up")
    layer = keras.layers.MaxPooling2D(3, 2)
    assert layer.compute_output_shape((1, size, size, 1))[1] == floor
    assert (floor == ceil) == (size % 2 == 1)

# %%
sizes = {}
for name in ("paper", "no_overlap", "one_weird_trick", "tflearn"):
    net, costs = ARCHITECTURES[name], layer_costs(sketch(name))
    sizes[name] = [c.shape[0] for c in costs if c.name.startswith("pool")]
    window, step = net.pool
    print(
        f"{name:16}window {window}, step {step}, {net.pool_rounding:5}", end=""
    )
    print(f" -> {sizes[name]}")
assert sizes["paper"] == sizes["no_overlap"] == [27, 13, 6]
assert sizes["tflearn"] == [29, 15, 8]

# %% [markdown]
# `no_overlap` is the comparison as the paper describes it: the same maps and the same parameters, with windows of 2
# instead of 3. (The authors' own run also changed the padding: [chapter 8](8_0_the_authors_lab_notebook.ipynb).) The zeros
# that are added when a size is rounded up do not change any maximum that is left after the ReLU, which comes before the
# pooling or directly after it. tflearn's network
# pads every layer ("same") and gets maps of 8 pixels, and so more parameters than any other network here.
#
# ## What overlap is worth
#
# `paper` and `no_overlap` were trained on the 1020 pictures of Flowers-102 with several seeds each: `python
# scripts/fit.py --dataset oxford_flowers102 --recipe ablation`, and `--architecture no_overlap`. Two runs with the same
# seed see the same pictures in the same order, so we look at their difference. Each line has its mean, in brackets the
# 95 % interval of the mean (Student's t over the paired differences), and *p*: how probable a difference at least this
# large is if the change has no effect, corrected for the fourteen changes that this repository tries (Holm's method).
# Then come the paper's number and a verdict: *held up* if the difference has the paper's sign and p is below 0.05,
# whatever its size, *less than 1 point* if the whole interval is within one point of zero, and *cannot tell* otherwise.

# %%
rows = archive.rows("../results")
print(ablations.describe(rows, "no_overlap"))

# %%
paper = {"top-1": 0.4, "top-5": 0.3}
found, shown = {}, {}
for name in paper:
    key = name.replace("-", "") + "_error"
    found[name] = ablations.differences(rows, key)["no_overlap"]
    shown[name] = found[name].mean, found[name].interval, paper[name]
charts.differences(shown)

# %% [markdown]
# Without overlap both errors are higher, as the paper says, and by more than its 0.4 and 0.3. Both differences stand
# after the correction. The paper finds networks with overlap "slightly more difficult to overfit". So here are the
# training errors:

# %%
training = ablations.training_differences(rows)
p = ablations.corrected(training)["no_overlap"]
print(f"training error without overlap: {training['no_overlap']}, p {p:.2g}")
assert max(training["no_overlap"].points) < 0 and p < 0.05

# %% [markdown]
# So it is here, too: without overlap the training error is lower with each seed, and the error on new pictures higher.
# That is what overfitting means.

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
for name, points in paper.items():
    assert found[name].interval[0] > points
    key = name.replace("-", "") + "_error"
    p_values = ablations.corrected(ablations.differences(rows, key))
    assert p_values["no_overlap"] < 0.05

# %% [markdown]
# ## What you predicted
#
# 1. 12, 14, 22 and 24: the last number of each window.
# 2. Four.
# 3. Both exist: 27 in Keras, 28 in Caffe and in the authors' code.
#
# ## Exercises
#
# 1. For which sizes between 50 and 60 does pooling with windows of 3 and steps of 2 leave no pixel over?
# 2. In the network's third pooling, how many of the 13 x 13 numbers are in more than one window?
# 3. Write code: `pool` without a loop, with `np.lib.stride_tricks.sliding_window_view`.
# 4. Write code: where does the gradient of a maximum go? Send a gradient of 1 for each window back to the numbers, and
#    compare it with TensorFlow's.
# 5. Train something: the small network of figure 1 on 200 drawn flowers, with windows of 3 and of 2:
#    `dataclasses.replace(figure_1(), name="small", pool=(2, 2))`. Which one names more of 200 new flowers?
#
# <details><summary>Answers</summary>
#
# 1. The odd ones.
# 2. Rows 2, 4, 6, 8 and 10, counted from 0, are in two windows, and so are these columns: 169 - 8 x 8 = 105.
# 3. `combine(views[::step, ::step], axis=(2, 3))`.
# 4. To the largest number of each window. A number that is the largest of several windows collects all their gradients.
# 5. At this scale it cannot be told: two seeds of the same network differ by several points.
#
# </details>
#
# Solutions in code, to run and to change: [3_4_solutions](solutions/3_4_solutions.ipynb).

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
no_rest = [size for size in range(50, 61) if (size - 3) % 2 == 0]
assert no_rest == [51, 53, 55, 57, 59]
assert (count_windows(13, 3, 2) > 1).sum() == 169 - 8 * 8 == 105
assert pool(numbers, 3, 2).ravel().tolist() == [12, 14, 22, 24]
all_nets = {n: layer_costs(sketch(n)) for n in ARCHITECTURES}
totals = {n: sum(c.parameters for c in net) for n, net in all_nets.items()}
assert max(totals, key=totals.get) == "tflearn"
