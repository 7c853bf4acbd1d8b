# %% [markdown]
# # 3.3 Local response normalization
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 3.3 | `layers.py` | half a minute, no data |
#
# **The paper says:** each activity is divided by a measure of its neighbours' energy, over $n = 5$ channels with $k =
# 2$, $\alpha = 10^{-4}$, $\beta = 0.75$. This lowers the top-1 error by 1.4 and the top-5 error by 1.2 points.
#
# **Predict first.** (1) One channel shouts. What becomes of its neighbours? (2) How much does the layer change an
# activity of 10, all neighbours being 10 too? (3) The same $\alpha$ and $n$ in TensorFlow, PyTorch and Caffe: the same
# numbers?

# %%
# %matplotlib inline
import timeit
from pathlib import Path

import numpy as np
import tensorflow as tf
from ipywidgets import interact

from keras_alexnet import ARCHITECTURES, runs
from keras_alexnet.experiments import ablations
from keras_alexnet.models.layers import LocalResponseNormalization, SpatialResponseNormalization
from keras_alexnet.models.summary import differences
from keras_alexnet.plotting import charts, figures

tf.get_logger().setLevel("ERROR")  # it warns of many layers of one kind

# %% [markdown]
# ## The formula in five lines
#
# $$b^i = \frac{a^i}{\left(k + \alpha \sum_{j=\max(0,\,i-n/2)}^{\min(N-1,\,i+n/2)} (a^j)^2\right)^\beta}$$


# %%
def normalize(a, n=5, k=2.0, alpha=1e-4, beta=0.75):
    b = np.empty_like(a)
    for i in range(a.shape[-1]):
        neighbours = a[..., max(0, i - n // 2) : i + n // 2 + 1]
        b[..., i] = a[..., i] / (k + alpha * (neighbours**2).sum(axis=-1)) ** beta
    return b


activities = np.random.default_rng(0).gamma(1.0, 40.0, (2, 6, 6, 96)).astype("float32")
layer = LocalResponseNormalization()
assert np.allclose(layer(activities), normalize(activities), rtol=1e-5)

# %% [markdown]
# ## One loud channel
#
# Twenty channels answer with 20; one of them answers with 400. Biologists call what follows *lateral inhibition*: who
# is loud quietens the neighbours.
#
# In JupyterLab the sliders move: how loud the channel is, over how many channels the layer looks, and how hard it
# divides. On a page you see where they start.


# %%
@interact(loudness=(20, 1000, 20), n=(1, 19, 2), beta=(0.0, 1.5, 0.25))
def one_loud(loudness=400, n=5, beta=0.75):
    activities = np.full(20, 20.0)
    without = normalize(activities, n, beta=beta)
    activities[10] = loudness
    normalized = normalize(activities, n, beta=beta)
    kept = normalized / without
    said = f"the neighbours keep {kept[9]:.0%} of their activity, channel 0 {kept[0]:.0%}"
    figure = figures.sheet(7.5, 3, f"One loud channel: {said}")
    figure.suptitle(said, size=10)
    for axes, values, when in zip(figure.subplots(1, 2), (activities, normalized), ("before", "after"), strict=True):
        axes.bar(range(20), values, color="black")
        axes.set(title=when, xlabel="channel", yscale="log", ylabel="activity", ylim=(1, 1000))
    return figure


# %% [markdown]
# The loud channel is divided by the same number as its neighbours, so among these few only the scale changes. Against
# the channels further away it falls:

# %%
loud = np.full(20, 20.0)
loud[10] = 400.0
ratio = normalize(loud) / normalize(np.full(20, 20.0))
before, after = loud[10] / loud[5], normalize(loud)[10] / normalize(loud)[5]
print(f"neighbours fall to {ratio[9]:.0%} of what they were, channels further away stay at {ratio[5]:.0%}")
print(f"the loud channel is {before:.0f} times a far one before, {after:.1f} times after")
assert ratio[9] < 0.3 and np.isclose(ratio[5], 1) and after < before / 4

# %% [markdown]
# How large must an activity be for the layer to matter?

# %%
sizes = np.array([1.0, 10.0, 30.0, 100.0, 300.0])
for size in sizes:
    factor = normalize(np.full(9, size))[4] / size
    print(f"all at {size:>5.0f}: multiplied by {factor:.3f}")
least = normalize(np.full(9, 1e-3))[4] / 1e-3
assert np.isclose(least, 2**-0.75)

# %% [markdown]
# Below about 10, the layer is nothing but a factor of $2^{-0.75} = 0.595$. It bites from 30 on. Pixels on 0 to 255 give
# such activities. Whoever divides pixels by 255 turns the layer into a constant.
#
# ## Four meanings of alpha and n
#
# Give each the paper's numbers, $\alpha = 10^{-4}$ and $n = 5$. TensorFlow does what the text says, if its
# `depth_radius` is $n // 2$. PyTorch, Caffe and ONNX divide $\alpha$ by the window. In all four, $k$ is 1 if nothing
# else is said, and Caffe's AlexNet leaves it there. The authors' code divides too, and each GPU normalizes its own
# channels only. The library's layer can do all of them:

# %%
five = {"depth_radius": 2, "bias": 2.0, "alpha": 1e-4, "beta": 0.75}
halves = np.split(activities, 2, axis=-1)  # one GPU's channels each
columns = np.concatenate([normalize(half, alpha=1e-4 / 5) for half in halves], axis=-1)
meanings = {
    "TensorFlow": (tf.nn.lrn(activities, **five), {}),
    "PyTorch, Caffe, ONNX": (normalize(activities, alpha=1e-4 / 5), {"alpha": 2e-5}),
    "the same, k left at 1": (normalize(activities, k=1.0, alpha=1e-4 / 5), {"alpha": 2e-5, "k": 1.0}),
    "the authors' code": (columns, {"alpha": 2e-5, "groups": 2}),
    "TensorFlow, radius 5": (tf.nn.lrn(activities, **five | {"depth_radius": 5}), {"window": 11}),
}
for name, (values, settings) in meanings.items():
    off = np.abs(values / normalize(activities) - 1)
    print(f"{name:21} {off.mean():4.0%} off the text's formula on average, {off.max():4.0%} at most")
    assert np.allclose(LocalResponseNormalization(**settings)(activities), values, rtol=1e-4)

# %% [markdown]
# The last row is the usual slip: 5 handed over as a radius is a window of 11.
#
# With PyTorch the text's formula is `LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)`. It is checked where PyTorch is
# installed:

# %%
try:
    import torch
except ImportError:
    torch = None
if torch:
    channels_first = torch.tensor(np.moveaxis(activities, -1, 1))
    by_torch = torch.nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)(channels_first).numpy()
    assert np.allclose(np.moveaxis(by_torch, 1, -1), layer(activities), rtol=1e-4)

# %% [markdown]
# The authors' network has a second normalization that the paper does not mention: over the 5 x 5 places around, within
# each map.

# %%
a = activities[0, :, :, 0]
padded = np.pad(a**2, 2)
energy = sum(padded[y : y + 6, x : x + 6] for y in range(5) for x in range(5))
assert np.allclose(SpatialResponseNormalization()(activities)[0, :, :, 0], a / (1 + 4e-5 * energy) ** 0.75, rtol=1e-5)
for name in ("source", "caffe", "caffenet", "one_weird_trick"):
    found = [
        f"{what} {own}" for what, own, _ in differences(ARCHITECTURES[name], ARCHITECTURES["paper"]) if "norm" in what
    ]
    print(f"{name}: {'; '.join(found)}"[:110])

# %% [markdown]
# ## What it costs
#
# The layer has no parameters, and few operations, but it passes over memory. The obvious way is `tf.nn.lrn`; the
# library's layer writes its own gradient out, and keeps nothing for it but its input.

# %%
maps = tf.random.stateless_uniform((16, 55, 55, 96), (0, 1), maxval=100.0)


@tf.function
def step(normalization):
    with tf.GradientTape() as tape:
        tape.watch(maps)
        y = normalization(maps)
    return tape.gradient(y, maps)


def seconds(normalization):
    step(normalization)  # compiles
    return min(timeit.repeat(lambda: step(normalization), number=1, repeat=5))


ratio = seconds(lambda x: tf.nn.lrn(x, **five)) / seconds(layer)
print("the library's layer is faster, forward and back" if ratio > 1 else "tf.nn.lrn is faster, forward and back")

# %% [markdown]
# How much faster depends on the machine: `make benchmark` measures yours. How much of a training step is that? The page
# on speed, `docs/speed.md`, has both, in pictures per second:

# %%
lines = Path("../docs/speed.md").read_text().splitlines()
rows = [line.split("|")[1:-1] for line in lines if line.startswith("|")]
speed = {name.strip(): rates for name, *rates in rows}
both = [speed[f"normalization of conv{n}'s maps, forward and backward"] for n in (1, 2)]
for column, whose in enumerate(("the library", "the obvious way")):
    spent = sum(1000 / float(rates[column].split()[0]) for rates in both)
    whole = 1000 / float(speed["training step, batch 64, float32"][column])
    print(f"{whose}: {spent:.1f} of {whole:.1f} ms a picture, {spent / whole:.0%} of a training step")
#
# ## What it is worth
#
# The network on record has been trained on the 1020 pictures of Flowers-102 with the layers and without them, from
# three seeds each: `python scripts/fit.py --dataset oxford_flowers102 --recipe ablation`, and `--architecture
# no_normalization`. Two runs of one seed see the same pictures in the same order, so we look at their difference.

# %%
rows = [runs.summary(run) for run in runs.find("../results")]
print(ablations.describe(rows, "no_normalization"))

# %%
found = {f"top-{k}": ablations.differences(rows, f"top{k}_error")["no_normalization"] for k in (1, 5)}
paper = {"top-1": 1.4, "top-5": 1.2}
charts.differences({name: (each.mean, each.interval, paper[name]) for name, each in found.items()})

# %% [markdown]
# The interval of the top-1 error holds zero *and* the paper's 1.4: three seeds tell neither apart. That of the top-5
# error lies above zero, and near the paper's 1.2. So on our scale the layer seems to help by about what the paper says,
# and more seeds would be needed to be sure. Others found it to bring nothing in larger networks
# ([chapter 7](7_0_discussion.ipynb)).

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert found["top-1"].interval[0] < 0 < 1.4 < found["top-1"].interval[1]
assert 0 < found["top-5"].interval[0] < 1.2 < found["top-5"].interval[1]

# %% [markdown]
# ## Exercises
#
# 1. Which activity, the same in all channels, is divided by exactly 2?
# 2. A window at the edge of the channels has fewer neighbours. Does the first channel come out larger or smaller than
#    one in the middle, all activities being equal?
#
# <details><summary>Answers</summary>
#
# 1. $(2 + 5 \cdot 10^{-4} a^2)^{0.75} = 2$, so $a^2 = (2^{4/3} - 2) / (5 \cdot 10^{-4})$, and a is 32.2.
# 2. Larger: three squares are summed instead of five, and it is divided by less.
#
# </details>

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
half = np.sqrt((2 ** (4 / 3) - 2) / 5e-4)
assert round(half, 1) == 32.2
assert np.isclose(normalize(np.full(9, half))[4], half / 2)
assert normalize(np.full(9, 50.0))[0] > normalize(np.full(9, 50.0))[4]
