# %% [markdown]
# # 3.4 Overlapping pooling
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 3.4 | `blocks.py`, `architectures.py` | half a minute, no data |
#
# **The paper says:** windows of $z = 3$ pixels that move by $s = 2$ overlap. Against $z = s = 2$ this lowers the top-1
# error by 0.4 and the top-5 error by 0.3 points, and such networks "find it slightly more difficult to overfit".
#
# **Predict first.** (1) Numbers 0 to 24 in a square of 5 x 5: what does a 3 x 3 maximum with steps of 2 leave? (2) How
# many windows see the number in the middle? (3) A map of 56 pixels: 27 or 28 after pooling?

# %%
# %matplotlib inline
import keras
import numpy as np

from keras_alexnet import ARCHITECTURES, runs
from keras_alexnet.data.drawings import petals
from keras_alexnet.experiments import ablations
from keras_alexnet.models.summary import layer_costs, sketch
from keras_alexnet.plotting import charts, figures

# %% [markdown]
# ## By hand, on the numbers 0 to 24


# %%
def pool(numbers, window, step, combine=np.max):
    places = range(0, len(numbers) - window + 1, step)
    return np.array([[combine(numbers[y : y + window, x : x + window]) for x in places] for y in places])


numbers = np.arange(25.0).reshape(5, 5)
print(numbers, "maximum:", pool(numbers, 3, 2), "average:", pool(numbers, 3, 2, np.mean), sep="\n")
as_batch = numbers[None, :, :, None]
assert np.array_equal(keras.layers.MaxPooling2D(3, 2)(as_batch)[0, :, :, 0], pool(numbers, 3, 2))
assert np.allclose(keras.layers.AveragePooling2D(3, 2)(as_batch)[0, :, :, 0], pool(numbers, 3, 2, np.mean))

# %% [markdown]
# The maximum says *that* something was found near a place; the average says how much there is of it around. The windows
# overlap in one row and one column: 12, in the middle, lies in all four.


# %%
def seen(side, window, step):
    """How many windows hold each number."""
    counts = np.zeros((side, side), int)
    for y in range(0, side - window + 1, step):
        for x in range(0, side - window + 1, step):
            counts[y : y + window, x : x + window] += 1
    return counts


# %%
overlap, apart = seen(5, 3, 2), seen(4, 2, 2)
said = f"windows of 3 with steps of 2 hold a number up to {overlap.max()} times, windows of 2 hold each once"
figure = figures.sheet(5.5, 2.6, f"Overlap: {said}")
for axes, counts, title in zip(figure.subplots(1, 2), (overlap, apart), ("z = 3, s = 2", "z = s = 2"), strict=True):
    figures.bare(axes).imshow(counts, cmap="Greys", vmin=0, vmax=8)
    axes.set_title(title)
    for (y, x), count in np.ndenumerate(counts):
        axes.text(x, y, count, ha="center", va="center")
assert overlap[2, 2] == 4 and apart.max() == apart.min() == 1
figure

# %% [markdown]
# ## On a flower
#
# Maps of a picture's edges, pooled in both ways. Both halve the side; the overlapping one keeps thin lines whole more
# evenly, because each window shares a row and a column with its neighbours.

# %%
grey = petals.draw_one(petals.CLASS_NAMES.index("daisy"), 2).mean(axis=2)[:225:2, :225:2]
edges = np.abs(np.diff(grey, axis=1))[:, :112]
shown = {"edges": edges, "maximum, z = 3": pool(edges, 3, 2), "maximum, z = 2": pool(edges, 2, 2)}
shown["average, z = 3"] = pool(edges, 3, 2, np.mean)
figure = figures.sheet(8, 2.4, "Edges of a flower and three poolings of them: maxima are bright, the average is faint")
for axes, (name, map_) in zip(figure.subplots(1, 4), shown.items(), strict=True):
    figures.bare(axes).imshow(map_, cmap="gray", vmin=0, vmax=60)
    axes.set_title(f"{name}: {map_.shape[0]} x {map_.shape[1]}", size=9)
figure

# %% [markdown]
# How much does a shift of one pixel change? A pooled map that changes little lets the next layer see the same thing.


# %%
def change(window, combine):
    here, moved = (pool(edges[:111, start : start + 111], window, 2, combine) for start in (0, 1))
    return np.abs(here - moved).mean() / np.abs(here).mean()


unpooled = np.abs(edges[:, 1:] - edges[:, :-1]).mean() / edges.mean()
print(f"not pooled: {unpooled:.0%} of the map changes when the picture moves by one pixel")
for window in (2, 3):
    print(f"z = {window}: maximum {change(window, np.max):.0%}, average {change(window, np.mean):.0%}")
assert change(3, np.max) < change(2, np.max) < unpooled

# %% [markdown]
# That is what overlap buys: larger windows, the same size of map, and less change.
#
# ## Rounding up, rounding down
#
# Three poolings make 55, 27 and 13 pixels into 27, 13 and 6. On these odd sizes every window is whole. On an even size
# one pixel is left over: Keras drops it (*floor*), the authors' code and Caffe add a window (*ceil*).

# %%
for side in (55, 27, 13, 56, 28):
    floor, ceil = (side - 3) // 2 + 1, -(-(side - 3) // 2) + 1
    print(f"{side}: {floor} rounded down, {ceil} rounded up")
    assert keras.layers.MaxPooling2D(3, 2).compute_output_shape((1, side, side, 1))[1] == floor
    assert (floor == ceil) == (side % 2 == 1)

# %%
sizes = {
    net: [cost.shape[0] for cost in layer_costs(sketch(net)) if cost.name.startswith("pool")] for net in ARCHITECTURES
}
for net in ("paper", "no_overlap", "one_weird_trick", "tflearn"):
    row = ARCHITECTURES[net]
    print(f"{net}: windows of {row.pool[0]}, steps of {row.pool[1]}, rounding {row.pool_rounding}: {sizes[net]}")
assert sizes["paper"] == sizes["no_overlap"] == [27, 13, 6]
assert sizes["tflearn"] == [29, 15, 8]

# %% [markdown]
# `no_overlap` is the paper's comparison: the same maps, the same parameters, only the windows are 2 instead of 3. The
# zeros that join when a size is rounded up change no maximum, since a ReLU is never below zero. tflearn pads every
# layer instead ("same") and gets maps of 8 pixels, and so more parameters than any other network here.
#
# ## What overlap is worth
#
# `paper` and `no_overlap` have been trained on the 1020 pictures of Flowers-102 from three seeds each: `python
# scripts/fit.py --dataset oxford_flowers102 --recipe ablation`, and `--architecture no_overlap`. Two runs of one seed
# see the same pictures in the same order, so we look at their difference.

# %%
rows = [runs.summary(run) for run in runs.find("../results")]
print(ablations.describe(rows, "no_overlap"))

# %%
found = {f"top-{k}": ablations.differences(rows, f"top{k}_error")["no_overlap"] for k in (1, 5)}
paper = {"top-1": 0.4, "top-5": 0.3}
charts.differences({name: (each.mean, each.interval, paper[name]) for name, each in found.items()})

# %% [markdown]
# Without overlap the mean error is higher, as the paper says, and by more. But three seeds scatter: the interval of the
# top-1 error holds zero, and the paper's 0.4 as well. That of the top-5 error lies above zero, and above the paper's
# 0.3. The paper finds networks with overlap "slightly more difficult to overfit"; on 1020 pictures, which are soon
# learned by heart, that may count for more.

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert all(found[name].mean > paper[name] for name in paper)
assert found["top-1"].interval[0] < 0 < 0.4 < found["top-1"].interval[1] and found["top-5"].interval[0] > 0.3

# %% [markdown]
# ## Exercises
#
# 1. Which sides between 50 and 60 does the pooling of 3 with steps of 2 cover without rest?
# 2. In the network's third pooling, how many of the 13 x 13 numbers lie in more than one window?
#
# <details><summary>Answers</summary>
#
# 1. The odd ones.
# 2. Rows 2, 4, 6, 8 and 10, counted from 0, lie in two windows, and columns likewise: 169 - 8 x 8 = 105.
#
# </details>

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert [side for side in range(50, 61) if (side - 3) % 2 == 0] == [51, 53, 55, 57, 59]
assert (seen(13, 3, 2) > 1).sum() == 169 - 8 * 8 == 105
