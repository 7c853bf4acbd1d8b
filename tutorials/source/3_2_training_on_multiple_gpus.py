# %% [markdown]
# # 3.2 Training on multiple GPUs
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 3.2 | `models/layers.py` (`GroupedConv2D`), `training/towers.py` | a minute, drawn flowers |
#
# **The paper says:** a GTX 580 has 3 GB, too little for the network, so half of the kernels are on each of two GPUs. The
# GPUs exchange data in certain layers only. Compared with a net that has half as many kernels and runs on one GPU, this
# lowers the top-1 error by 1.7 and the top-5 error by 1.2 points.
#
# The half of the network that is on one GPU is called a *tower* here. (The paper says *column*, and that its network
# resembles the "columnar" one of Cireşan and others, except that its columns are not independent.) Which layers read
# both towers is chosen by hand, which the paper calls a problem for cross-validation. It lets the authors tune the
# communication until it is an acceptable share of the computation.
#
# **Predict first.** (1) How many of the weights of an ordinary convolution does one in two groups have? (2) Two devices
# both have the whole network and each gets half of the batch. Are the losses those of one device? (3) Does the half net
# have half of the parameters?
#
# To read beside it: [the paper](https://proceedings.neurips.cc/paper_files/paper/2012/hash/c399862d3b9d6b76c8436e924a68c45b-Abstract.html),
# [the authors' code](https://github.com/computerhistory/AlexNet-Source-Code),
# [each claim of this section](../docs/paper_ledger.md#32-training-on-multiple-gpus) and how it came out here,
# and a [glossary](../docs/glossary.md) in English and Chinese.

# %%
# %matplotlib inline
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import contextlib
import dataclasses

import keras
import numpy as np
import tensorflow as tf

from keras_alexnet import ARCHITECTURES, PaperSGD, preprocess_input
from keras_alexnet.data.drawings import petals
from keras_alexnet.experiments import ablations, archive
from keras_alexnet.models import GroupedConv2D, build, layer_costs, sketch
from keras_alexnet.plotting import figures
from keras_alexnet.plotting.players import Player
from keras_alexnet.training import create_strategy, sharing, towers

# %% [markdown]
# TensorFlow must know that the CPU will act as two devices before it uses the CPU for the first time:

# %%
tf.get_logger().setLevel("ERROR")  # it reports every sum over devices
two_devices = create_strategy(virtual_devices=2)

# %% [markdown]
# ## Two towers are groups of two
#
# As a function, the network on two GPUs is one network with *grouped* convolutions: each kernel sees only the channels
# of its own half. Two ordinary convolutions side by side compute the same.

# %%
random = np.random.default_rng(0)
maps = random.normal(size=(2, 13, 13, 8))
kernel = random.normal(size=(3, 3, 4, 6))  # 6 kernels see 4 of 8 channels
halves = zip(np.split(maps, 2, -1), np.split(kernel, 2, -1), strict=True)
by_towers = np.concatenate(
    [keras.ops.conv(half, own, padding="same") for half, own in halves], -1
)  # (2, 13, 13, 6)

layer = GroupedConv2D(6, 3, padding="same", groups=2, use_bias=False)
layer.build(maps.shape)
layer.kernel.assign(kernel)
assert np.allclose(layer(maps), by_towers, atol=1e-5)
print(f"{kernel.size} weights in two groups, {3 * 3 * 8 * 6} in one")

# %% [markdown]
# Half of the weights and half of the work. Keras's own `Conv2D(groups=2)` gives the same numbers, but on a CPU it is many
# times slower. That is why the library has its own layer.
#
# ## What conv3 mixes
#
# We change the channels of the first tower after norm1, and see which channels of each later convolution change. conv3
# is the first convolution that reads both towers.

# %%
model = build("paper", include_top=False, input_shape=(67, 67, 3))
names = ["conv2", "conv3", "conv4", "conv5"]
norm1 = model.get_layer("norm1").output  # (batch, 15, 15, 96)
outputs = [model.get_layer(name).output for name in names]
behind = keras.Model(norm1, outputs)
before = 30 * random.normal(size=(1, *norm1.shape[1:])).astype("float32")
after = before.copy()
after[..., :48] += 50.0  # the channels of the first tower

# %%
crossing = {}
for name, a, b in zip(names, behind(before), behind(after), strict=True):
    change = np.abs(np.array(a) - np.array(b)).max(axis=(0, 1, 2))
    crossing[name] = (change > 1e-7).reshape(2, -1).mean(axis=1)
    one, two = crossing[name]
    print(f"{name}: {one:.0%} of tower 1 changes, {two:.0%} of tower 2")
assert crossing["conv2"][1] == 0 and crossing["conv3"][1] == 1

# %%
words = "tower 2 does not change in conv2, and all of it from conv3 on"
figure = figures.sheet(6, 2.6, f"Bars, which channels change: {words}")
for n, axes in enumerate(figure.subplots(1, 2, sharey=True)):
    shares = [of_layer[n] for of_layer in crossing.values()]
    axes.bar(names, shares, color="black", width=0.6)
    axes.set(title=f"tower {n + 1}", ylabel="share of channels")
figure

# %% [markdown]
# Now one of twelve channels of norm1 at a time. Press *play*, or move the slider. Each strip is a layer with one line
# per channel, tower 1 on the left, and the channels that change are black. (Where scripts do not run, as on GitHub, you
# see the first frame.)

# %%
moved = range(4, 96, 8)  # twelve of norm1's 96 channels
batch = np.repeat(before, 13, axis=0)  # the last one stays as it is
for n, channel in enumerate(moved):
    batch[n, ..., channel] += 200.0
strips = {"norm1": np.eye(96)[list(moved)]}
for name, maps in zip(names, behind.predict(batch, verbose=0), strict=True):
    change = np.abs(maps[:12] - maps[12]).max(axis=(1, 2))  # (12, channels)
    strips[name] = (change > 1e-4).astype(float)
conv2 = strips["conv2"].reshape(12, 2, 128).mean(axis=2)  # by tower
assert np.allclose(conv2, np.repeat(np.eye(2), 6, axis=0))
assert min(strips[name].mean() for name in names[1:]) > 0.99
BLACK = {"cmap": "Greys", "aspect": "auto", "vmin": 0, "vmax": 1}


# %%
def channels(n):
    figure = figures.sheet(6, 2.4, "")
    parts = zip(figure.subplots(5, 1), strips.items(), strict=True)
    for axes, (name, strip) in parts:
        extent = (0, strip.shape[1], 0, 1)
        axes.imshow(strip[n][None], extent=extent, **BLACK)
        axes.axvline(strip.shape[1] / 2, color="#6E6E6E", lw=1.5)
        axes.set(xticks=[], yticks=[])
        axes.set_ylabel(name, rotation=0, ha="right", va="center")
    return figure


words = "One channel moves from tower 1 to 2; conv2 follows it, conv3 has both"
Player(channels, 12, words)

# %% [markdown]
# In the network as the paper's *text* describes it, one thing does cross before conv3: the normalization windows reach
# across the boundary between the towers, channels 48 and 49 of conv1 and 128 and 129 of conv2. On two GPUs they could
# not, and in the *source*, the authors' own code, they do not ([chapter 3.3](3_3_local_response_normalization.ipynb)).
#
# ## What the half net loses
#
# The paper compares with a net that has half as many kernels. A footnote says that this net nevertheless has as many
# kernels in the last convolutional layer, and that its fully connected layers are complete. Those hold most parameters.

# %%
totals = {}
for name in ("paper", "half", "single_tower"):
    costs = layer_costs(sketch(name))
    parameters = sum(cost.parameters for cost in costs)
    work = sum(cost.multiply_adds for cost in costs)
    totals[name] = parameters, work
    rows = ARCHITECTURES[name].convolutions.values()
    print(f"{name}: kernels {[row.filters for row in rows]}")
    print(f"    {parameters:,} parameters", end=", ")
    print(f"{work / 1e6:.0f} million multiply-adds")
assert totals["half"][0] == 59_798_312

# %% [markdown]
# The half net has nearly all of the parameters and about half of the work. So the 1.7 points compare two nets of
# unequal *work*: they are the value of more kernels, not of the second GPU as such.
#
# The count also agrees with another sentence of the paper: its network on two GPUs "takes slightly less time to train" than
# the half net on one.

# %%
one_gpu, each_of_two = totals["half"][1], totals["paper"][1] / 2
less = 1 - each_of_two / one_gpu
print(f"half net on one GPU: {one_gpu / 1e6:.0f} million", end="; ")
print(f"each of two: {each_of_two / 1e6:.0f}, {less:.0%} less")
assert 0.07 < less < 0.08

# %% [markdown]
# The half net keeps conv5 and the fully connected layers whole, so its one GPU does more work than each of the two. The
# footnote adds that this makes the comparison favor the half net.
#
# `paper`, `half`, `single_tower` (without groups) and `no_communication` were each trained on the 1020 pictures of
# Flowers-102 with several *seeds* (a seed determines the initial weights and the order of the pictures): `python
# scripts/fit.py --dataset oxford_flowers102 --recipe ablation --architecture half`. `no_communication` has groups in
# conv3, fc6 and fc7 as well and, like the authors' network 150, is wider in exchange: 320 kernels in conv2, 8192 units in
# fc6. Its normalization windows still reach over the boundary, as in the text; otherwise its towers meet only in the last
# layer.
#
# How many points of error do the others cost compared with `paper`? Each line below has the mean difference, in
# brackets its 95 % interval over seeds (Student's t over the paired differences), and *p*: how probable a difference at
# least this large is if the change has no effect. p is corrected for the fourteen changes that this repository tries
# (Holm's method: the smallest of 14 p-values is multiplied by 14, the next by 13, and so on), because among many
# changes one looks large by chance. Then come the paper's number and a verdict: *held up* if the difference has the
# paper's sign and p is below 0.05, whatever its size (*costs* or *helps* where the paper has no number), *less than 1
# point* if the whole interval is within one point of zero, and *cannot tell* otherwise.

# %%
rows = archive.rows("../results")
for name in ("half", "single_tower", "no_communication"):
    print(f"{name}\n{ablations.describe(rows, name)}\n")

# %%
found = ablations.differences(rows)
low, high = found["half"].interval
assert low > 0 and min(found["half"].points) > 0
p_values = ablations.corrected(found)
assert max(p_values["half"], p_values["single_tower"]) < 0.05
in_training = ablations.training_differences(rows)["single_tower"]
print(f"single_tower, training error: {in_training} points")
low, high = in_training.interval
assert found["single_tower"].mean > 0 and low < 0 < high
low, high = found["no_communication"].interval
assert low < 0 < high < 1.17

# %% [markdown]
# With half of the kernels the top-1 error is higher with each of the seeds, as in the paper, and the difference stands
# after the correction. The network without groups has more weights, and still more errors on new pictures, also after
# the correction; in training we cannot tell them apart. Whether towers that do not communicate are worse at the same
# work, we cannot tell either. In the authors' notes, their network without communication costs 1.17 points; our
# interval contains zero and ends just below that.
#
# ## Today: the batch is split, not the network
#
# A network of 61 million parameters fits on any GPU now. With two GPUs, each has the whole network and gets half of the
# batch. Each divides its loss by the size of the *whole* batch, and the gradients are summed before the weights change:
# that is the mean over the whole batch. `tf.distribute.MirroredStrategy` does this for any network. The two virtual
# devices let us try it on a CPU, with a small version of the network.

# %%
paper = ARCHITECTURES["paper"]
small = dataclasses.replace(paper, name="s", hidden=(64, 64), dropout=0.0)
print(f"{two_devices.replicas} replicas")
pictures, labels = petals.draw(48, seed=2)
inputs = preprocess_input(pictures[:, 94:161, 94:161])  # (48, 67, 67, 3)
dataset = tf.data.Dataset.from_tensor_slices((inputs, labels)).batch(16)


# %%
def train(scope):
    with scope:
        keras.utils.set_random_seed(0)
        model = build(small, input_shape=(67, 67, 3), classes=10)
        loss = "sparse_categorical_crossentropy"
        model.compile(PaperSGD(0.005), loss, jit_compile=False)
    start = model.get_weights()
    history = model.fit(dataset, epochs=4, verbose=0).history
    return history["loss"], start, model.get_weights()


# %%
losses, start, alone = train(contextlib.nullcontext())
print("one device ", [round(loss, 4) for loss in losses])
shared_losses, _, shared = train(two_devices.scope())
print("two devices", [round(loss, 4) for loss in shared_losses])


def largest(some, others):
    pairs = zip(some, others, strict=True)
    return max(np.abs(a - b).max() for a, b in pairs)


moved, apart = largest(alone, start), largest(alone, shared)
print(f"weights differ by {apart / moved:.2%} of how far they moved")
assert np.allclose(losses, shared_losses, atol=1e-3)
assert apart < moved / 100

# %% [markdown]
# The losses agree. That alone would prove little, since after so few steps they are still near chance, ln(10) = 2.303.
# The weights prove it: between one device and two they differ by less than a hundredth of the distance they have moved.
# So half of a batch on each of two devices, with the gradients summed, is the whole batch. (Dropout is off here, because
# each replica would draw its own random numbers.) `python scripts/fit.py --devices 2` trains this way, and
# `--virtual-devices 2` tries it as we did.
#
# | | the paper, model parallel | today, data parallel |
# |---|---|---|
# | a device holds | half of the network | all of it |
# | a device sees | the whole batch | half of the batch |
# | what is exchanged | activations, and on the way back their gradients, at conv3 and the fully connected layers | gradients, once per step |
# | the function | a different one: conv2, conv4 and conv5 in groups | the same as on one device |
#
# How much is exchanged? Take a batch of 128 in float32. The paper's way: the layers that read both towers need the half
# of their input that is on the other device, and send back its gradients. The classifier is on the first device.
# Today's way: a device receives the gradients of all weights once.

# %%
megabytes = {}
for crossing in sharing.crossings(sketch("source")):
    if crossing.receiver == 0:
        size = 128 * 4 * crossing.numbers / 1e6
        megabytes[crossing.layer, crossing.phase] = size
        print(f"{crossing.layer} {crossing.phase}: {size:.1f} MB")
whole = sharing.share("data_parallel", "source")
received = sum(megabytes.values())
print(f"paper: {received:.1f} MB, today: {whole.received / 1e6:.0f} MB")
assert {name for name, _ in megabytes} == {"conv3", "fc6", "fc7", "fc8"}
assert 8 < whole.received / 1e6 / received < 9

# %% [markdown]
# A device of the paper received about an eighth of what it would receive today. The paper's way was made for two GPUs
# that could read each other's memory, and for a network that, says the paper, did not fit on one. How much do they hold?

# %%
alone_holds = sharing.share("data_parallel", "source", 1, 128).held()
tower_holds = sharing.share("towers", "source", 2, 128).held()
print(f"one device: {alone_holds / 1e9:.1f} GB", end=", ")
print(f"each of two: {tower_holds / 1e9:.1f} GB")

# %% [markdown]
# These are the weights, velocities, gradients of the weights and all outputs. The gradients of the outputs come on top.
# They take at most as much as the outputs, 1.1 GB, if none is freed early, so one device may need up to 2.9 GB. The
# program's work space is not counted. A GTX 580 has 3 GB.
#
# ## The towers on two devices
#
# `towers.split` does what the paper did. Each device holds its half of the kernels, computes its half of the maps and of
# the gradients, and updates its half of the weights. TensorFlow adds the exchange where a layer reads both towers.

# %%
keras.utils.set_random_seed(0)
model = build(small, input_shape=(67, 67, 3), classes=10)
loss = "sparse_categorical_crossentropy"
model.compile(PaperSGD(0.005), loss, jit_compile=False)
divided = towers.split(model, ["CPU:0", "CPU:1"])
for kernel in divided.get_layer("conv2").weights[::2]:
    print(kernel.path, tuple(kernel.shape), "on", kernel.value.device[-5:])

# %%
tower_losses = divided.fit(dataset, epochs=4, verbose=0).history["loss"]
print("two towers ", [round(loss, 4) for loss in tower_losses])
apart = largest(alone, divided.plain().get_weights())
print(f"weights differ by {apart / moved:.2%} of how far they moved")
assert np.allclose(losses, tower_losses, atol=1e-3)
assert apart < moved / 100

# %% [markdown]
# The losses and the weights are once more those of one device. With dropout they are too: each tower draws the mask of
# the whole layer and takes its own half. `python scripts/fit.py --strategy towers` trains this way on two GPUs, and with
# `--virtual-devices 2` on a CPU. It saves the plain network, so a run can begin on two devices and continue on one.
#
# ## One weird trick
#
# The convolutions do 92 % of the work and have 4 % of the weights. So Krizhevsky (2014) let devices share the batch there,
# where the gradients are few, and share the network in the fully connected layers, where the outputs are few. The
# library has this on JAX: `--strategy one_weird_trick`.
#
# What does a device hold, see and send in each of the three ways?

# %%
ways = {"towers": "-", "data_parallel": "--", "one_weird_trick": ":"}
parts = {
    (way, devices, n): sharing.share(way, "source", devices, n)
    for way in ways
    for devices in (2, 4, 8)
    for n in (128, 1024)
}

# %%
head = "way", "devices", "million weights", "pictures", "MB sent"
print("{:17}{:>7}{:>17}{:>10}{:>9}".format(*head))
for (way, devices, n), part in parts.items():
    if n == 128:
        print(f"{way:17}{devices:7}{part.parameters / 1e6:17.1f}", end="")
        print(f"{part.pictures:10.0f}{part.sent / 1e6:9.0f}")

# %% [markdown]
# More than two towers are another network: its convolutions have as many groups as there are devices. Sums over devices
# are counted as ring all-reduce: each of $N$ devices sends $2 (N - 1) / N$ times the size of the gradients. Activations
# grow with the batch, and gradients do not:

# %%
words = "towers send more with a larger batch, data parallel devices do not"
figure = figures.sheet(8, 2.6, f"Lines, megabytes sent by batch: {words}")
panels = figure.subplots(1, 3, sharey=True)
for devices, axes in zip((2, 4, 8), panels, strict=True):
    for way, style in ways.items():
        sent = [parts[way, devices, n].sent / 1e6 for n in (128, 1024)]
        label = way.replace("_", " ")
        axes.plot((128, 1024), sent, "k" + style, label=label)
    axes.set(title=f"{devices} devices", xlabel="batch", xticks=(128, 1024))
    axes.set_ylabel("MB sent in a step")
panels[0].legend(fontsize=8)
figure

# %% [markdown]
# Is that much? It depends on how long a device computes. The paper's five to six days tell how fast a GPU of 2012 did
# this, and its link, PCIe 2.0, moved 8 GB/s. For today we assume 100 TFLOP/s and the 450 GB/s of an NVLink of 2022. The
# times hold if nothing is sent while a device computes.

# %%
images = 90 * 1.2e6 / (5.5 * 86_400)  # per second
then = images / 128 * parts["towers", 2, 128].operations  # of each GPU
print(f"2012: {images:.0f} images/s, {then / 1e12:.2f} TFLOP/s per GPU")
sending = {}
for year, machine in {"2012": (then, 8e9), "today": (100e12, 450e9)}.items():
    for (way, devices, n), part in parts.items():
        computing = part.operations / machine[0]
        sending[year, way, devices, n] = 1 - computing / part.seconds(*machine)

# %%
head = "devices", "batch", *ways
print("{:7}{:>7}{:>7}{:>10}{:>15}{:>17}".format("", *head))
for year, devices in (("2012", 2), ("2012", 8), ("today", 2), ("today", 8)):
    for n in (128, 1024):
        shares = [sending[year, way, devices, n] for way in ways]
        row = "{:10.1%}{:15.1%}{:17.1%}".format(*shares)
        print(f"{year:7}{devices:7}{n:7}{row}")
assert sending["2012", "towers", 2, 128] < 0.01
assert round(sending["2012", "data_parallel", 2, 128], 2) == 0.05
assert sending["today", "data_parallel", 8, 128] > 0.5

# %% [markdown]
# These are the shares of a step that go into sending. In 2012 computing took so long that, with two devices and the
# paper's batch, sending cost less than 1 % with towers and 5 % with two copies of the network. So speed was no reason
# to divide the network. The paper's reason is memory. Today a device computes two hundred times as fast and its link is
# fifty times as fast, so eight copies of the network and a batch of 128 spend more time on sending than on computing.
# One weird trick needs a fraction of that. With a batch of 1024, eight towers send as much as eight copies of the
# network do. The share is higher for the towers because they compute less: their eight groups have fewer weights. The
# [page on the three ways](../docs/three_ways.md) has the tables.
#
# ## What you predicted
#
# 1. Half: each kernel sees half of the channels.
# 2. Yes, and the weights agree up to rounding errors.
# 3. No, 98 % of them: most are in the fully connected layers.
#
# ## Exercises
#
# 1. With four groups in conv2, how many weights are left of the layer's 614,400 in one group?
# 2. Three devices and a batch of 128: what is wrong?
# 3. Write code: a convolution in any number of groups with `keras.ops.conv`, and compare it with `GroupedConv2D` in four.
# 4. Write code: in a network of the authors the towers do not communicate before the classifier ([chapter
#    8](8_0_the_authors_lab_notebook.ipynb)). Build its convolutions, with `groups=2` in conv3 and `norm=None`, and show
#    that nothing crosses. What changes if you keep the text's normalization?
# 5. Train something: chapter 1's small network on 192 drawn flowers, with batches of 32, and with two halves of 16 whose
#    gradients are averaged. Are the weights the same?
#
# <details><summary>Answers</summary>
#
# 1. A quarter, 153,600: each kernel sees 24 of the 96 channels.
# 2. 128 is not divisible by three. The library refuses it, because devices with batches of different sizes would give
#    pictures different weights.
# 3. `np.split` the channels of the input and the kernels, convolve each part, and join the results.
# 4. As above: change the first tower after norm1, and see that the second half of conv5 stays as it is. With the text's
#    normalization it changes a little, because the windows reach over the boundary.
# 5. Yes, up to rounding errors: the loss is a mean, so its gradient is the mean of those of two equal halves.
#
# </details>
#
# Solutions in code, to run and to change: [3_2_solutions](solutions/3_2_solutions.ipynb).

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert 5 * 5 * 96 * 256 == 614_400 and 5 * 5 * 24 * 256 == 153_600
assert 128 % 3
assert round(np.log(10), 3) == 2.303
assert round(totals["half"][0] / totals["paper"][0], 2) == 0.98
