# %% [markdown]
# # 3.2 Training on multiple GPUs
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 3.2 | `layers.py` (`GroupedConv2D`), `strategies.py` | half a minute, no data |
#
# **The paper says:** a GTX 580 has 3 GB, too little for the network, so half of the kernels live on each of two GPUs.
# They talk in certain layers only. Against a net with half as many kernels on one GPU this lowers the top-1 error by
# 1.7 and the top-5 error by 1.2 points.
#
# **Predict first.** (1) A convolution in two groups has how many of the weights of a whole one? (2) If the network is
# on both devices and each gets half of the batch, are the losses those of one device? (3) Has the half net half of the
# parameters?

# %%
# %matplotlib inline
import contextlib
import dataclasses

import keras
import numpy as np
import tensorflow as tf

from keras_alexnet import ARCHITECTURES, GroupedConv2D, PaperSGD, build, runs
from keras_alexnet.data.drawings import petals
from keras_alexnet.experiments import ablations
from keras_alexnet.models import layer_costs, preprocess_input, sketch
from keras_alexnet.plotting import figures
from keras_alexnet.training import strategies

small = dataclasses.replace(ARCHITECTURES["paper"], name="small", hidden=(64, 64), dropout=0.0)
tf.get_logger().setLevel("ERROR")  # it tells of every sum over devices
strategy = strategies.strategy(virtual_devices=2)  # before anything touches the CPU

# %% [markdown]
# ## Two columns are groups of two
#
# The network on two GPUs is, as a function, one network whose convolutions fall in two: each kernel sees only the
# channels of its own half. Two plain convolutions side by side are the same thing.

# %%
random = np.random.default_rng(0)
maps, kernel = random.normal(size=(2, 13, 13, 8)), random.normal(size=(3, 3, 4, 6))  # a kernel sees 4 of 8 channels
left, right = np.split(maps, 2, axis=-1)
first, second = np.split(kernel, 2, axis=-1)
by_columns = np.concatenate(
    [keras.ops.conv(left, first, padding="same"), keras.ops.conv(right, second, padding="same")], axis=-1
)
layer = GroupedConv2D(6, 3, padding="same", groups=2, use_bias=False)
layer.build(maps.shape)
layer.kernel.assign(kernel)
assert np.allclose(layer(maps), by_columns, atol=1e-5)
print(f"{kernel.size} weights in two groups, {3 * 3 * 8 * 6} in one")

# %% [markdown]
# Half of the weights, and half of the work. Keras's own `Conv2D(groups=2)` gives the same numbers; on a CPU it is many
# times slower, which is why the library has its own.
#
# ## What conv3 mixes
#
# Change channels of the first column of conv1, and see which channels of each layer notice. Until conv3 nothing crosses
# over.

# %%
model = build("paper", include_top=False, input_shape=(67, 67, 3))
names = ["conv2", "conv3", "conv4", "conv5"]
behind = keras.Model(model.get_layer("norm1").output, [model.get_layer(name).output for name in names])
before = random.normal(size=(1, *model.get_layer("norm1").output.shape[1:])).astype("float32") * 30
after = before.copy()
after[..., :40] += 50.0  # channels of the first column alone, far from the other's
crossing = {}
for name, a, b in zip(names, behind(before), behind(after), strict=True):
    noticed = (np.abs(np.array(a) - np.array(b)).max(axis=(0, 1, 2)) > 1e-7).reshape(2, -1).mean(axis=1)
    crossing[name] = noticed
    print(f"{name}: {noticed[0]:.0%} of the first column's channels notice, {noticed[1]:.0%} of the second's")
assert crossing["conv2"][1] == 0 and crossing["conv3"][1] == 1

# %%
figure = figures.sheet(
    6, 2.6, "Who notices a change in column 1: column 2 has no part in it up to conv2, all from conv3 on"
)
for n, axes in enumerate(figure.subplots(1, 2, sharey=True)):
    axes.bar(list(crossing), [noticed[n] for noticed in crossing.values()], color="black", width=0.6)
    axes.set(title=f"column {n + 1}", ylabel="channels that notice")
figure

# %% [markdown]
# One thing does cross before conv3 in the text's network: the normalization's windows reach over the seam between
# channels 48 and 49. On two GPUs it could not, and in the authors' code it does not ([chapter
# 3.3](3_3_local_response_normalization.ipynb)).
#
# ## What the half net loses
#
# The paper compares with a net of half as many kernels. It says in a footnote that this net has nevertheless as many
# kernels in the last convolutional layer, and the fully connected layers are whole: most parameters lie there.

# %%
for name in ("paper", "half", "single_tower"):
    costs = layer_costs(sketch(name))
    filters = [row.filters for row in ARCHITECTURES[name].convolutions.values()]
    parameters, work = sum(cost.parameters for cost in costs), sum(cost.multiply_adds for cost in costs)
    print(f"{name:13} {filters}: {parameters:,} parameters, {work / 1e6:.0f} million multiply-adds")
    if name == "half":
        assert parameters == 59_798_312

# %% [markdown]
# The half net has nearly all the parameters, and about half of the work. So the 1.7 points compare two nets of unequal
# *work*: they are the worth of more kernels, not of the second GPU as such.
#
# On record are `paper`, `half` and `single_tower`, trained on the 1020 pictures of Flowers-102 from three seeds each
# (`python scripts/fit.py --dataset oxford_flowers102 --recipe ablation --architecture half`). What do the two others
# cost against `paper`?

# %%
rows = [runs.summary(run) for run in runs.find("../results")]
for name in ("half", "single_tower"):
    print(f"{name}\n{ablations.describe(rows, name)}\n")
assert ablations.differences(rows)["half"].verdict(1.7) == "held up"
assert ablations.differences(rows)["single_tower"].verdict(None) == "cannot tell"

# %% [markdown]
# That half of the kernels costs something holds up, in top-1. That the groups cost anything does not show: without them
# the network has more weights, and the errors are higher, if anything.
#
# ## Today: the batch is shared, not the network
#
# A network of 61 million parameters fits any GPU now. With two of them, each has the whole network and half of the
# batch; gradients are summed before the weights move. `tf.distribute.MirroredStrategy` does this, and works for any
# network. Here the CPU is split in two devices to rehearse.

# %%
cpus, gpus = (len(tf.config.list_logical_devices(kind)) for kind in ("CPU", "GPU"))
print(f"{strategy.num_replicas_in_sync} replicas on {cpus} virtual devices; GPUs here: {gpus}")
pictures, labels = petals.draw(48, seed=2)
views = preprocess_input(pictures[:, 94:161, 94:161])
batches = tf.data.Dataset.from_tensor_slices((views, labels)).batch(16)


# %%
losses, weights = {}, {}
for name, scope in (("one device", contextlib.nullcontext()), ("two devices", strategy.scope())):
    with scope:
        keras.utils.set_random_seed(0)
        model = build(small, input_shape=(67, 67, 3), classes=10)
        model.compile(PaperSGD(0.005), "sparse_categorical_crossentropy", jit_compile=False)
    start = model.get_weights()
    losses[name] = model.fit(batches, epochs=4, verbose=0).history["loss"]
    weights[name] = model.get_weights()
    print(name, [round(loss, 3) for loss in losses[name]])
pairs = zip(start, weights["one device"], weights["two devices"], strict=True)
moved, apart = np.max([(np.abs(one - old).max(), np.abs(one - two).max()) for old, one, two in pairs], axis=0)
assert np.allclose(losses["one device"], losses["two devices"], atol=1e-3)
assert apart < moved / 100

# %% [markdown]
# The losses are the same, and the weights to less than a hundredth of the way they went: half of a batch on each of two
# devices, and the gradients summed, is the whole batch. (Dropout is off here, since each replica would draw its own.)
# `python scripts/fit.py --devices 2` trains so; with `--virtual-devices 2` it rehearses as we did.
#
# | | the paper, model parallel | today, data parallel |
# |---|---|---|
# | a device holds | half of the network | all of it |
# | a device sees | the whole batch | half of the batch |
# | what travels | activities, at conv3 and the fully connected layers | gradients, once a step |
# | the function | another: conv2, conv4, conv5 in groups | the same as on one device |
#
# How much travels? A batch of 128 in float32, forward only, at the layers that read both columns, against all
# gradients:

# %%
costs = {cost.name: cost for cost in layer_costs(sketch("paper"))}
activities = 128 * sum(int(np.prod(costs[name].shape)) for name in ("pool2", "pool5", "fc6", "fc7"))
gradients = sum(cost.parameters for cost in costs.values())
print(f"half of {activities * 4 / 1e6:.0f} MB of activities goes over; {gradients * 4 / 1e6:.0f} MB of gradients")
assert activities < gradients

# %% [markdown]
# The paper's way sent less. It was made for two GPUs that could read each other's memory, and for a network that did
# not fit.
#
# ## Exercises
#
# 1. With groups of four in conv2, how many weights are left of the layer's 614,400 in one group?
# 2. Three devices and a batch of 128: what is wrong?
#
# <details><summary>Answers</summary>
#
# 1. A quarter, 153,600: each kernel sees 24 of the 96 channels.
# 2. 128 does not divide by three, and the library refuses it: replicas of unequal batches would weigh pictures
#    unequally.
#
# </details>

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert 5 * 5 * 96 * 256 == 614_400 and 5 * 5 * 24 * 256 == 153_600 and 128 % 3
