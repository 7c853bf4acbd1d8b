# %% [markdown]
# # 4.2 Dropout
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 4.2 | `blocks.py` (`hidden`), `recipes.py` | half a minute, drawn flowers |
#
# **The paper says:** in training, each hidden unit of the first two fully connected layers is silenced with probability
# 0.5. At test time all speak, and their outputs are halved. That approximates the geometric mean of the predictions of
# exponentially many networks. Without dropout the network overfits; with it, training takes about twice as many
# iterations.
#
# **Predict first.** (1) Ten hidden units: how many networks? (2) Is halving exact or approximate where softmax follows
# at once? And where another layer lies between? (3) Keras does not halve at test time. Is it another method?

# %%
# %matplotlib inline
import itertools

import keras
import numpy as np

from keras_alexnet import ARCHITECTURES, runs
from keras_alexnet.data.drawings import petals
from keras_alexnet.experiments import ablations
from keras_alexnet.plotting import charts, figures

# %% [markdown]
# ## A mask
#
# Zeros and ones, drawn anew for each picture and each step.

# %%
random = np.random.default_rng(0)
hidden = np.maximum(random.normal(1.0, 1.0, 100_000), 0)
mask = random.random(hidden.shape) < 0.5
in_training, at_test = hidden * mask, hidden * 0.5  # the paper's way
print(f"mean: in training {in_training.mean():.3f}, at test {at_test.mean():.3f}")
assert np.isclose(in_training.mean(), at_test.mean(), rtol=0.02)

# %% [markdown]
# Keras's layer scales the other way around: in training it *doubles* what is left, and at test time it does nothing
# ("inverted" dropout). The next layer sees everything twice as large, in training and in test alike.

# %%
keras.utils.set_random_seed(0)
layer = keras.layers.Dropout(0.5)
by_keras = np.array(layer(hidden.astype("float32"), training=True))
left = by_keras != 0
assert np.allclose(by_keras[left], 2 * hidden[left], rtol=1e-5)
assert np.allclose(layer(hidden.astype("float32"), training=False), hidden, rtol=1e-5)

weights, bias = random.normal(size=(6, 3)), random.normal(size=3)
activity = random.normal(size=6)
papers_way = (activity * 0.5) @ weights + bias
inverted = activity @ (weights / 2) + bias  # what learns to see twice as much has weights half as large
assert np.allclose(papers_way, inverted)

# %% [markdown]
# So it is the same function with the next layer's weights scaled by a half, which is how weights of Caffe and of the
# paper's kind exchange.
#
# ## All 2^n networks
#
# Ten hidden units have 1024 masks. That is few enough to run every one of these networks and average them,
# geometrically, as the paper has it: the mean of the log-probabilities, made to sum to 1.


# %%
def softmax(logits):
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def geometric_mean(predictions):
    return softmax(np.log(predictions).mean(axis=0))


units, classes = 10, 4
masks = np.array(list(itertools.product((0, 1), repeat=units)))
activity, last = np.maximum(random.normal(size=(50, units)), 0), random.normal(size=(units, classes))
every = softmax((masks[:, None] * activity) @ last)  # 1024 networks, 50 pictures, 4 classes
halved = softmax(0.5 * activity @ last)
print(f"{len(masks)} networks: largest difference to halving {np.abs(geometric_mean(every) - halved).max():.1e}")
assert np.allclose(geometric_mean(every), halved)

# %% [markdown]
# Right before the softmax, halving **is** the geometric mean, exactly: the mean of the logits over all masks is half of
# their sum. With a second hidden layer between, a ReLU stands in the way, and it becomes an approximation. How good?

# %%
first = random.normal(size=(units, 8)) * 0.7
bias = random.normal(size=8) * 0.5
out = random.normal(size=(8, classes)) * 0.7


def deeper(left):
    return softmax(np.maximum(left @ first + bias, 0) @ out)


every = deeper(masks[:, None] * activity)
exact, arithmetic, halved = geometric_mean(every), every.mean(axis=0), deeper(0.5 * activity)
off = np.abs(exact - halved).max(axis=-1)
spread = np.abs(every - exact).max(axis=-1).mean()
print(f"halving is off by {off.mean():.3f} on average and {off.max():.3f} at worst;")
print(f"one of the networks alone is off by {spread:.3f} on average")
assert 0 < off.mean() < spread / 2

# %%
said = f"halving lies within {off.mean():.2f} of the exact mean on average, a single network within {spread:.2f}"
figure = figures.sheet(5.5, 3.6, f"Halving against the exact geometric mean: {said}")
axes = figure.subplots()
axes.plot(exact.ravel(), every[341].ravel(), "x", color="#9A9A9A", ms=4, label="one network")
axes.plot(exact.ravel(), halved.ravel(), "o", color="black", mfc="none", ms=4, label="halved")
axes.plot([0, 1], [0, 1], "-", color="black", lw=0.8)
axes.set(xlabel="geometric mean of 1024 networks", ylabel="probability")
axes.legend(frameon=False)
figure

# %% [markdown]
# Halving is close to the mean of all, at the price of one.
#
# ## Where it sits
#
# After fc6 and fc7 in the paper, *before* them in the network of 2014. It has no parameters, so nothing in a weight
# file tells which.

# %%
for name, net in ARCHITECTURES.items():
    if net.hidden:
        place = "into" if net.dropout_before else "out of"
        print(f"{name:17} {net.dropout:.0%} of what goes {place} each hidden layer")

# %% [markdown]
# ## Overfitting, small enough to watch
#
# 150 drawn flowers of 16 x 16 pixels, two hidden layers of 256, with dropout and without. Everything is learned by
# heart soon; what does the error on other flowers say? Both losses are taken after each epoch, with all units there:
# what `fit` prints for the training pictures was taken with half of them silent.


# %%
def small_flowers(count, seed):
    pictures, labels = petals.draw(count, seed)
    return pictures.reshape(count, 16, 16, 16, 16, 3).mean(axis=(2, 4)).reshape(count, -1) / 64 - 2, labels


train, validation = small_flowers(150, 0), small_flowers(300, 1)


# %%
def learn(share, epochs=40):
    keras.utils.set_random_seed(1)
    layers = [keras.layers.Dense(256, "relu"), keras.layers.Dropout(share), keras.layers.Dense(256, "relu")]
    model = keras.Sequential([*layers, keras.layers.Dropout(share), keras.layers.Dense(10, "softmax")])
    model.compile(keras.optimizers.SGD(0.01, momentum=0.9), "sparse_categorical_crossentropy", jit_compile=False)
    history = {"training": [], "validation": []}
    for _ in range(epochs):
        model.fit(*train, 32, verbose=0)
        for name, data in (("training", train), ("validation", validation)):
            history[name].append(model.evaluate(*data, batch_size=300, verbose=0))
    return history


histories = {"without dropout": learn(0.0), "with dropout": learn(0.5)}

# %%
final = {name: history["validation"][-1] for name, history in histories.items()}
words = "; ".join(f"{name} it ends at {final[name]:.1f}" for name in histories)
figure = figures.sheet(7, 3, f"Loss by epoch on 150 training and 300 validation flowers. Validation: {words}")
for axes, (name, history) in zip(figure.subplots(1, 2, sharey=True), histories.items(), strict=True):
    axes.plot(history["training"], "--", color="black", label="training")
    axes.plot(history["validation"], "-", color="black", label="validation")
    axes.set(title=name, xlabel="epoch", ylim=(0, 5))
    axes.legend(frameon=False)
for name, history in histories.items():
    print(f"{name}: training loss ends at {history['training'][-1]:.2f}, validation at {final[name]:.2f}")
assert histories["with dropout"]["training"][10] > 2 * histories["without dropout"]["training"][10]
figure

# %% [markdown]
# Two things can be seen at this scale. Without dropout the training loss goes to zero while the validation loss turns
# upwards: overfitting. With dropout learning is slower. What cannot be seen is much of a cure: the validation loss
# turns upwards as well and ends hardly lower. 150 pictures of 768 numbers are too few for this network in any case.
#
# ## AlexNet itself, on 1020 photographs
#
# On record are runs of the whole network on Flowers-102, with dropout and without, from three seeds each: `python
# scripts/fit.py --dataset oxford_flowers102 --recipe ablation`, and `--dropout 0`.

# %%
recorded = {run.folder.name: run for run in runs.find("../results")}
ways = {"with dropout": "ablation", "without dropout": "ablation_no_dropout"}
logs = {way: [recorded[f"{name}-{seed}"].read_log() for seed in range(3)] for way, name in ways.items()}
charts.overfitting(logs)

# %%
rows = [runs.summary(run) for run in recorded.values()]
print(f"what it costs to leave dropout out, on the test pictures:\n{ablations.describe(rows, 'no_dropout')}\n")
last = {way: [log[-1] for log in of_seeds] for way, of_seeds in logs.items()}
for way, rows_of_way in last.items():
    print(f"{way}: validation loss", ", ".join(f"{row['val_loss']:.2f}" for row in rows_of_way))

# %% [markdown]
# Without dropout the pictures are learned by heart; with it the training error is still high after the same 36 epochs.
# The paper says that it "roughly doubles the number of iterations". How much of our difference is that the record
# cannot say, for its training errors were taken with half of the units silent. The errors on new pictures do not differ
# by as much as three seeds could tell. The loss does: without dropout the networks are wrong as often, but far more
# sure of themselves. The paper gives no number for dropout, only "substantial overfitting" without it; what training to
# the end would show here was not measured.

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
without, with_it = last["without dropout"], last["with dropout"]
assert max(row["top1_error"] for row in without) < 0.05 < 0.35 < min(row["top1_error"] for row in with_it)
assert min(row["val_loss"] for row in without) > max(row["val_loss"] for row in with_it) + 0.5
low, high = ablations.differences(rows)["no_dropout"].interval
assert low < 0 < high

# %% [markdown]
# ## Exercises
#
# 1. How many networks do fc6 and fc7 of 4096 units stand for?
# 2. Why is the *geometric* mean exact under a softmax, and not the arithmetic one?
#
# <details><summary>Answers</summary>
#
# 1. $2^{8192}$, a number of 2467 digits. In 90 epochs of ImageNet fewer than $2^{27}$ are ever drawn.
# 2. The logarithm of a softmax is the logits less one number for all classes. Averaging logarithms averages logits, and
#    averaging over all masks halves each unit's share.
#
# </details>

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert len(str(2**8192)) == 2467 and 90 * 1_200_000 < 2**27
assert not np.allclose(arithmetic, exact)
