# %% [markdown]
# # 3.3 Local response normalization
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 3.3 | `models/normalization.py` | half a minute, drawn flowers |
#
# **The paper says:** each activation is divided by a measure of its neighbors' energy, over $n = 5$ channels with $k =
# 2$, $\alpha = 10^{-4}$, $\beta = 0.75$. This lowers the top-1 error by 1.4 and the top-5 error by 1.2 points.
#
# **Predict first.** (1) One channel is twenty times as active as the others. What happens to its neighbors? (2) By what
# factor does the layer multiply an activation of 10 if all its neighbors are 10 too? (3) The same $\alpha$ and $n$ in
# TensorFlow, PyTorch and Caffe: are the results the same?
#
# To read beside it: [the paper](https://proceedings.neurips.cc/paper_files/paper/2012/hash/c399862d3b9d6b76c8436e924a68c45b-Abstract.html),
# [the authors' code](https://github.com/computerhistory/AlexNet-Source-Code),
# [each claim of this section](../docs/paper_ledger.md#33-local-response-normalization) and how it came out here,
# and a [glossary](../docs/glossary.md) in English and Chinese.

# %%
# %matplotlib inline
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import timeit

import keras
import numpy as np
import tensorflow as tf
from IPython.display import Markdown
from ipywidgets import interact

from keras_alexnet import ARCHITECTURES, build, models
from keras_alexnet.data.drawings import petals
from keras_alexnet.experiments import ablations, archive, tables
from keras_alexnet.models import LocalResponseNormalization
from keras_alexnet.plotting import charts, figures

tf.get_logger().setLevel("ERROR")  # it warns about many similar layers

# %% [markdown]
# ## The formula in five lines
#
# $$b^i = \frac{a^i}{\left(k + \alpha \sum_{j=\max(0,\,i-n/2)}^{\min(N-1,\,i+n/2)} (a^j)^2\right)^\beta}$$
#
# $a^i$ is the output of kernel $i$ at one position, after the ReLU, and $N$ is the number of kernels. The sum is over
# the $n$ kernels with the nearest numbers, at the same position ($n/2$ is rounded down). No mean is subtracted, so the
# paper calls this *brightness* normalization. ReLUs do not need it to stay out of saturation: it is there because the
# network makes fewer errors with it. The constants were chosen on a validation set. The paper calls it similar to the
# local contrast normalization of Jarrett and others, which also subtracts the mean.


# %%
def normalize(a, n=5, k=2.0, alpha=1e-4, beta=0.75):
    b = np.empty_like(a)
    for i in range(a.shape[-1]):
        window = a[..., max(0, i - n // 2) : i + n // 2 + 1]
        energy = (window**2).sum(axis=-1)
        b[..., i] = a[..., i] / (k + alpha * energy) ** beta
    return b


random = np.random.default_rng(0)
activations = random.gamma(1.0, 40.0, (2, 6, 6, 96)).astype("float32")
expected = normalize(activations)
layer = LocalResponseNormalization()
assert np.allclose(layer(activations), expected, rtol=1e-5)

# %% [markdown]
# The order of the kernels is arbitrary and fixed before training, says the paper. In another order the result is another:

# %%
order = np.random.default_rng(1).permutation(96)
other = np.empty_like(activations)
other[..., order] = normalize(activations[..., order])
off = np.abs(other / expected - 1).mean()
print(f"in another order it differs by {off:.0%}")
assert off > 0.1

# %% [markdown]
# ## One loud channel
#
# Twenty channels have an activation of 20; now one of them rises to 400. What follows is called *lateral inhibition* in
# biology: a strong unit weakens its neighbors.
#
# In JupyterLab you can move the sliders: how loud the channel is, how many channels a window has, and the exponent. On
# the page you see where they start. All channels are divided by about 1.8 in any case; the percentages compare with
# that.


# %%
def one_of_twenty(loudness, n=5, beta=0.75):
    """Return the activations before and after, and what is kept of each."""
    quiet = np.full(20, 20.0)
    before = quiet.copy()
    before[10] = loudness
    after = normalize(before, n, beta=beta)
    return before, after, after / normalize(quiet, n, beta=beta)


# %%
@interact(loudness=(20, 1000, 20), n=(1, 19, 2), beta=(0.0, 1.5, 0.25))
def one_loud(loudness=400, n=5, beta=0.75):
    before, after, kept = one_of_twenty(loudness, n, beta)
    words = f"the neighbors fall to {kept[9]:.0%}, channel 0 to {kept[0]:.0%}"
    figure = figures.sheet(7.5, 3, f"Dots, activations by channel: {words}")
    figure.suptitle(words, size=10)
    axes, both = figure.subplots(1, 2), {"before": before, "after": after}
    for part, (name, values) in zip(axes, both.items(), strict=True):
        part.plot(range(20), values, "o", color="black", ms=5)
        part.set(xlabel="channel", yscale="log", ylim=(1, 1000), title=name)
        part.set_ylabel("activation")
    return figure


# %% [markdown]
# The loud channel is divided by the same number as its neighbors, so nothing changes *among* these few. Two things do
# change: the neighbors fall against the channels further away, and so does the loud channel.

# %%
loud, after, kept = one_of_twenty(400)
print(f"neighbors keep {kept[9]:.0%}, channels further away {kept[5]:.0%}")
far = loud[10] / loud[5], after[10] / after[5]
print(f"loud to far channel: {far[0]:.0f} before, {far[1]:.1f} after")
near = loud[10] / loud[9], after[10] / after[9]
print(f"loud to neighbor:   {near[0]:.0f} before, {near[1]:.0f} after")
assert kept[9] < 0.3 and np.isclose(kept[5], 1)
assert np.isclose(*near) and far[1] < far[0] / 4

# %% [markdown]
# How large must an activation be for the layer to matter?

# %%
factors = {}
for size in (0.001, 1.0, 10.0, 30.0, 100.0, 300.0):
    factors[size] = normalize(np.full(9, size))[4] / size
    print(f"all at {size:>7}: multiplied by {factors[size]:.3f}")
assert np.isclose(factors[0.001], 2**-0.75)
assert round(2**-0.75, 3) == 0.595 and round(factors[10.0], 3) == 0.584

# %% [markdown]
# Where an activation *and* its neighbors are small, it is multiplied by $2^{-0.75} = 0.595$: the layer then only
# multiplies by a constant. (A small activation beside a loud one loses more, see above.) The layer matters from about 30
# on.
#
# ## Does it do anything in AlexNet?
#
# How large are the activations of the real network? We send drawn flowers, as pixel values from 0 to 255 minus the mean,
# through the network as it is before training. What does each normalization multiply by, on average over the active
# units? And what if the pixels are divided by 255 first?

# %%
keras.utils.set_random_seed(0)
flowers = np.stack([petals.draw_one(n, n) for n in range(10)])
inputs = models.preprocess_input(flowers[:, 14:241, 14:241])
network = build(include_top=False)


def mean_factors(network, inputs):
    norms = [network.get_layer(name) for name in ("norm1", "norm2")]
    ends = [end for norm in norms for end in (norm.input, norm.output)]
    probe = keras.Model(network.input, ends)
    a1, b1, a2, b2 = probe.predict(inputs, verbose=0)
    pairs = (a1, b1), (a2, b2)
    return [(b[a > 0] / a[a > 0]).mean() for a, b in pairs]


# %%
at_start = mean_factors(network, inputs)
divided = mean_factors(network, inputs / 255)
for name, of in (("0 to 255", at_start), ("divided by 255", divided)):
    print(f"{name:15} norm1 x {of[0]:.4f}, norm2 x {of[1]:.4f}")
print(f"{'a constant':15}       x {2**-0.75:.4f}")
assert round(at_start[0], 2) == 0.59 and round(at_start[1], 3) == 0.594
assert np.allclose(divided, 2**-0.75, rtol=1e-3)

# %% [markdown]
# At the start the layer does almost nothing but multiply by a constant, in both places. If the pixels are divided by 255,
# it does only that. It can have an effect only after training has made the activations larger. Does it? Here is a
# network whose convolutions come with this library: they learned from drawn pictures ([how](../docs/drawn_pictures.md)).

# %%
learned = mean_factors(build(include_top=False, weights="drawn"), inputs)
print(f"after training  norm1 x {learned[0]:.4f}, norm2 x {learned[1]:.4f}")
assert learned[0] < 0.5 < 0.57 < learned[1]

# %% [markdown]
# In the first stage it does: norm1 now multiplies by 0.42 on average, where a constant would be 0.595. The second stage has
# changed little.
#
# ## Four meanings of alpha and n
#
# Give each framework the paper's numbers, $\alpha = 10^{-4}$ and $n = 5$. TensorFlow does what the *text* (the printed
# paper) says, if its `depth_radius` is `n // 2`. PyTorch, Caffe and ONNX divide $\alpha$ by the window size. In all four,
# $k$ is 1 by default, and Caffe's AlexNet keeps that. The *source* (the authors' own code) divides too, and each GPU
# normalizes only its own channels. The library's layer can do all of these:

# %%
alpha = 1e-4 / 5
as_printed = {"depth_radius": 2, "bias": 2.0, "alpha": 1e-4, "beta": 0.75}
radius_5 = as_printed | {"depth_radius": 5}
towers = np.split(activations, 2, axis=-1)  # the channels of each GPU
source = np.concatenate([normalize(half, alpha=alpha) for half in towers], -1)
meanings = {
    "TensorFlow": tf.nn.lrn(activations, **as_printed),
    "PyTorch, Caffe, ONNX": normalize(activations, alpha=alpha),
    "the same, k left at 1": normalize(activations, k=1.0, alpha=alpha),
    "the authors' code": source,
    "TensorFlow, radius 5": tf.nn.lrn(activations, **radius_5),
}

# %%
settings = [{}, {"alpha": alpha}, {"alpha": alpha, "k": 1.0}]
settings += [{"alpha": alpha, "groups": 2}, {"window": 11}]
for (name, values), own in zip(meanings.items(), settings, strict=True):
    off = np.abs(values / expected - 1)
    print(f"{name:21} differs by {off.mean():4.0%}, at most {off.max():4.0%}")
    by_library = LocalResponseNormalization(**own)(activations)
    assert np.allclose(by_library, values, rtol=1e-4)

# %% [markdown]
# The differences are relative to the text's formula, on average and at most, for activations with a mean of 40. How
# much the division of $\alpha$ matters depends on their size. The last row is a common mistake: a radius of 5 is a
# window of 11.
#
# With PyTorch the text's formula is `LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2)`. This cell checks it if PyTorch is
# installed:

# %%
try:
    import torch
except ImportError:
    torch = None
if torch:
    by_torch = torch.nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
    values = by_torch(torch.tensor(np.moveaxis(activations, -1, 1)))
    assert np.allclose(np.moveaxis(values.numpy(), 1, -1), expected, rtol=1e-4)

# %% [markdown]
# The authors' network has a second, *spatial* normalization that the paper does not mention: within each map, over the 5
# x 5 positions around.

# %%
a = activations[0, :, :, 0]  # (6, 6)
padded = np.pad(a**2, 2)
places = [(y, x) for y in range(5) for x in range(5)]
energy = sum(padded[y : y + 6, x : x + 6] for y, x in places)
spatial = models.SpatialResponseNormalization()(activations)
assert np.allclose(spatial[0, :, :, 0], a / (1 + 4e-5 * energy) ** 0.75)
for name in ("source", "caffe", "caffenet", "one_weird_trick"):
    print(name)
    net, text = ARCHITECTURES[name], ARCHITECTURES["paper"]
    for what, own, _ in models.differences(net, text):
        if "norm" in what:
            print(f"    {what}: {models.setting_words(own)}")

# %% [markdown]
# ## What it costs
#
# The layer has no parameters and few operations, but it reads and writes much memory. The obvious way is `tf.nn.lrn`; the
# library's layer has a gradient of its own and keeps only its input for it.

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
    times = timeit.repeat(lambda: step(normalization), number=1, repeat=5)
    return min(times)


# %%
ratio = seconds(lambda x: tf.nn.lrn(x, **as_printed)) / seconds(layer)
name = "the library's layer" if ratio > 1 else "tf.nn.lrn"
print(f"{name} is faster, forward and backward")

# %% [markdown]
# How much faster depends on the machine: `make benchmark` measures yours. Most of a training step is convolutions.
#
# ## What it is worth
#
# The network was trained on the 1020 pictures of Flowers-102 with the normalization layers and without them, with
# several seeds each: `python scripts/fit.py --dataset oxford_flowers102 --recipe ablation`, and `--architecture
# no_normalization`. Two runs with the same seed see the same pictures in the same order, so we look at their
# difference. Each line has the mean difference, in brackets its 95 % interval over seeds (Student's t over the paired
# differences), and *p*: how probable a difference at least this large is if the change has no effect, corrected for the
# fourteen changes that this repository tries (Holm's method). Then come the paper's number and a verdict: *held up* if
# the difference has the paper's sign and p is below 0.05, whatever its size, *less than 1 point* if the whole interval
# is within one point of zero, and *cannot tell* otherwise.

# %%
rows = archive.rows("../results")
print(ablations.describe(rows, "no_normalization"))

# %%
paper = {"top-1": 1.4, "top-5": 1.2}
found, shown = {}, {}
for name in paper:
    key = name.replace("-", "") + "_error"
    found[name] = ablations.differences(rows, key)["no_normalization"]
    shown[name] = found[name].mean, found[name].interval, paper[name]
charts.differences(shown)

# %% [markdown]
# The interval of the top-1 error contains the paper's 1.4. By itself it barely excludes zero, and does not after the
# correction. The top-5 error is higher without the layers, with each of the seeds and after the correction, and its
# interval contains the paper's 1.2. So for the top-5 error the layers help, by an amount that agrees with the paper's.
# For the top-1 error we cannot tell. Three cautions:
#
# - The notes in the authors' code show what their 1.4 and 1.2 points are: that run was trained without *any*
#   normalization, so it lacked the spatial one as well. The numbers are the value of both together. Our network has no
#   spatial one.
# - Two intervals at 95 % are two chances to be wrong by accident, and this repository has 28 of them. The p-values are
#   corrected for the fourteen changes of each error, the intervals are not. With all 28 at once, the p-value of the top-5
#   error would be twice as large, and still below 0.05.
# - Others found that the layer makes no difference in larger networks ([chapter 7](7_0_discussion.ipynb)).

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
low, high = found["top-1"].interval
assert 0 < low < 0.2 and high > 1.4
of_top1 = ablations.corrected(ablations.differences(rows))
assert of_top1["no_normalization"] > 0.05
low, high = found["top-5"].interval
assert 0 < low < 1.2 < high and min(found["top-5"].points) > 0
p_values = ablations.corrected(ablations.differences(rows, "top5_error"))
assert p_values["no_normalization"] < 0.05

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
all_28 = {
    (name, key): each
    for key in ("top1_error", "top5_error")
    for name, each in ablations.differences(rows, key).items()
}
p_of_28 = ablations.corrected(all_28)["no_normalization", "top5_error"]
assert len(all_28) == 28 and p_of_28 < 0.05
assert np.isclose(p_of_28, 2 * p_values["no_normalization"], rtol=0.05)
assert 2 * len(ablations.differences(rows)) == 28

# %% [markdown]
# ## On CIFAR-10
#
# The section has a second number: a network of four layers has 13 % errors on CIFAR-10 without normalization, and 11 %
# with it. A footnote says where that network is specified, in files of the authors' code: two convolutions, two layers
# with kernels of their own at every position, and a classifier. The library calls it `conv_local` and
# `conv_local_norm`, and `python scripts/fit.py --dataset cifar10 --recipe conv_local_norm` trains it with the authors'
# settings, for 470 epochs. The archived runs have 25 epochs on 20,000 pictures, and ten crops of each test picture. The
# 5,000 validation pictures were not used to choose anything, so they test the networks too:

# %%
Markdown(tables.normalization(rows))

# %% [markdown]
# On the 5,000 validation pictures the networks *with* normalization have more errors, for each seed. On the 1,000 test
# pictures they have fewer on average, but not for sure. So after 25 epochs the two are within about a point of each
# other, and these runs do not show the paper's two points. They have 25 of the authors' 470 epochs, and 20,000 of
# CIFAR-10's 50,000 training pictures in each. That is about one 47th of the training steps. What 470 epochs on all
# pictures would show, we cannot say.

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
on_cifar = tables.normalization_differences(rows)
assert min(on_cifar["validation"].points) > 0
low, high = on_cifar["test"].interval
assert on_cifar["test"].mean < 0 and low < 0 < high
assert round(470 * 50_000 / (25 * 20_000)) == 47

# %% [markdown]
# ## What you predicted
#
# 1. Its neighbors fall to about a fifth. Against the channels further away, the loud channel falls as much.
# 2. By 0.584, nearly the 0.595 by which it multiplies where all activations are small.
# 3. No. With $k$ left at 1 the result is at least 1.68 times as large, whatever the activations. The division of $\alpha$
#    matters only for large ones: by a third on average where their mean is 40, as here, and hardly where it is 1.
#
# ## Exercises
#
# 1. Which activation, if it is the same in all channels, is divided by exactly 2?
# 2. A window at the edge of the channels has fewer neighbors. If all activations are equal, does the first channel come
#    out larger or smaller than one in the middle?
# 3. Train something: `build("paper", input_shape=(67, 67, 3), classes=10, initial_weights="zero_biases")` on 160 drawn
#    flowers with `PaperSGD(0.01, global_clipnorm=5.0)`, for 15 epochs. What does norm1 multiply by before and after?
# 4. Write code: the layer without a loop over channels. The sum over a window is a difference of two running sums.
# 5. Write code: the gradient of the layer. Check it by moving one input.
#
# <details><summary>Answers</summary>
#
# 1. $(2 + 5 \cdot 10^{-4} a^2)^{0.75} = 2$, so $a^2 = (2^{4/3} - 2) / (5 \cdot 10^{-4})$, and $a$ is 32.2.
# 2. Larger: three squares are summed instead of five, so it is divided by less.
# 3. About 0.59 before and 0.56 after. The loss has fallen by half, and the activations have begun to grow.
# 4. `np.cumsum` of the squares, with zeros at both ends.
# 5. $g_j\, d_j^{-\beta} - 2 \alpha \beta\, a_j \sum_i g_i\, a_i\, d_i^{-\beta - 1}$ with $d_i$ the sum in the formula's brackets.
#
# </details>
#
# Solutions in code, to run and to change: [3_3_solutions](solutions/3_3_solutions.ipynb).

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
half = np.sqrt((2 ** (4 / 3) - 2) / 5e-4)
assert round(half, 1) == 32.2
assert np.isclose(normalize(np.full(9, half))[4], half / 2)
equal = normalize(np.full(9, 50.0))
assert equal[0] > equal[4]
assert round(learned[0], 2) == 0.42
assert 0.15 < kept[9] < 0.25 and np.isclose(far[1] / far[0], kept[9])
differ = [np.abs(v / expected - 1).mean() for v in meanings.values()]
assert round(differ[1], 1) in (0.3, 0.4)

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
for mean in (1.0, 40.0, 1000.0):
    a = random.gamma(1.0, mean, (4, 96))
    assert (normalize(a, k=1.0, alpha=alpha) / normalize(a)).min() > 1.68
small = random.gamma(1.0, 1.0, (4, 96))
assert np.abs(normalize(small, alpha=alpha) / normalize(small) - 1).max() < 0.01
