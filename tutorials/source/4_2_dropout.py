# %% [markdown]
# # 4.2 Dropout
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 4.2 | `models/layers.py` (`PaperDropout`), `recipes/` | a minute, drawn flowers |
#
# **The paper says:** in training, each unit of the first two fully connected layers is set to zero with probability 0.5.
# At test time all units are active and their outputs are halved. That approximates the geometric mean of the predictions
# of exponentially many networks. Without dropout the network overfits; with it, training takes about twice as many
# iterations.
#
# **Predict first.** (1) Ten hidden units: how many networks? (2) Is halving exact or approximate if the softmax follows
# at once? And if another layer is between? (3) Keras does not halve at test time. Is it another method?
#
# To read beside it: [the paper](https://proceedings.neurips.cc/paper_files/paper/2012/hash/c399862d3b9d6b76c8436e924a68c45b-Abstract.html),
# [the authors' code](https://github.com/computerhistory/AlexNet-Source-Code),
# [each claim of this section](../docs/paper_ledger.md#42-dropout) and how it came out here,
# and a [glossary](../docs/glossary.md) in English and Chinese.

# %%
# %matplotlib inline
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import itertools

import keras
import numpy as np

from keras_alexnet import ARCHITECTURES, RECIPES
from keras_alexnet.data.drawings import petals
from keras_alexnet.experiments import ablations, archive
from keras_alexnet.models import PaperDropout
from keras_alexnet.plotting import charts, figures

# %% [markdown]
# ## A mask
#
# The average of many networks has fewer errors than one, but networks that train for days are too expensive to train
# often. Dropout, says the paper, is a cheap way to get such an average. It needs a mask of zeros and ones, drawn again
# for each picture and each step.

# %%
random = np.random.default_rng(0)
hidden = np.maximum(random.normal(1.0, 1.0, 100_000), 0)
mask = random.random(hidden.shape) < 0.5
in_training, at_test = hidden * mask, hidden * 0.5  # the paper's way
print(f"mean in training {in_training.mean():.3f}", end=", ")
print(f"at test time {at_test.mean():.3f}")
assert np.isclose(in_training.mean(), at_test.mean(), rtol=0.02)

# %% [markdown]
# Keras's layer scales the other way around: in training it *doubles* what is left, and at test time it does nothing
# (*inverted* dropout). The next layer sees everything twice as large, in training and at test time.

# %%
keras.utils.set_random_seed(0)
layer = keras.layers.Dropout(0.5)
values = hidden.astype("float32")
by_keras = np.array(layer(values, training=True))
left = by_keras != 0
assert np.allclose(by_keras[left], 2 * values[left], rtol=1e-5)
assert np.allclose(layer(values, training=False), values)

# %% [markdown]
# If the next layer's weights are half as large, both compute the same function. This is how trained weights are
# exchanged between the paper's kind of dropout and the inverted kind.
#
# But it is not the same *training*. The inverted layer doubles the gradients of the next layer's weights, and these
# weights must be half as large. To take the same steps, they need half of the initial std, a quarter of the learning
# rate, and four times the weight decay. Here is one layer behind a dropout, trained in both ways with the same masks
# (momentum 0.9, squared error):

# %%
inputs = np.maximum(random.normal(size=(8, 6)), 0)
targets = random.normal(size=(8, 3))
steps = [random.random((8, 6)) < 0.5 for _ in range(50)]


def train(weights, rate, decay, scale):
    """Return the weights after 50 steps; kept units times `scale`."""
    velocity = np.zeros_like(weights)
    for mask in steps:
        seen = inputs * mask * scale  # (8, 6)
        gradient = seen.T @ (seen @ weights - targets) / 8
        velocity = 0.9 * velocity - rate * (gradient + decay * weights)
        weights = weights + velocity
    return weights


# %%
start = random.normal(0, 0.1, (6, 3))
paper = train(start, rate=0.05, decay=0.01, scale=1)
exact = train(start / 2, rate=0.05 / 4, decay=4 * 0.01, scale=2)
usual = train(start, rate=0.05, decay=0.01, scale=2)
at_test = inputs @ paper * 0.5
for name, weights in (("corrected", exact), ("unchanged", usual)):
    off = np.abs(inputs @ weights - at_test).max()
    print(f"{name}: the outputs differ by up to {off:.4f}")
assert np.allclose(inputs @ exact, at_test)
assert np.abs(inputs @ usual - at_test).max() > 0.01

# %% [markdown]
# Implementations of AlexNet in Caffe, PyTorch and Keras use inverted dropout with the paper's numbers unchanged. Their
# networks are the paper's function with a somewhat different training: the layers behind a dropout learn faster. The
# networks of this library do the same, unless they are asked for the paper's form: `PaperDropout` halves at test time.
# The recipes of the authors' own runs train with it, and so does any other with `--dropout-form paper`:

# %%
halving = PaperDropout(0.5)
assert np.allclose(halving(values, training=False), values * 0.5)
by_paper = np.array(halving(values, training=True))
assert np.allclose(by_paper[by_paper != 0], values[by_paper != 0])
forms = {name: recipe.dropout_form for name, recipe in RECIPES.items()}
print(", ".join(name for name in forms if forms[name] == "paper"))
assert forms["source"] == "paper" and forms["text"] == "inverted"

# %% [markdown]
# ## What a dropped unit learns
#
# Nothing, in that step. It takes no part in the backward pass either: for that picture, the gradients of all its weights
# are zero, both of those that lead to it and of those that lead on to the next layer. Here is one picture of five
# numbers and a layer of four units, of which the second and the fourth are dropped:

# %%
other = np.random.default_rng(1)
picture, error = other.random(5), other.normal(size=3)
into, onward = other.random((5, 4)), other.normal(size=(4, 3))
kept = np.array([1, 0, 1, 0])


def loss_of(into, onward):
    return (np.maximum(picture @ into, 0) * kept) @ onward @ error


# %%
at_units = (onward @ error) * kept  # the sums are positive: ReLU passes all
gradients = np.outer(picture, at_units)  # of `into`, (5, 4)
onward_gradients = np.outer((picture @ into) * kept, error)  # (4, 3)
nudged = into.copy()
nudged[0, 0] += 1e-6
slope = (loss_of(nudged, onward) - loss_of(into, onward)) / 1e-6
assert np.isclose(slope, gradients[0, 0], rtol=1e-3)
print("gradients at one input, by unit:", gradients[0].round(2) + 0.0)
assert not gradients[:, [1, 3]].any() and gradients[:, [0, 2]].all()
assert not onward_gradients[[1, 3]].any()

# %% [markdown]
# This is how the paper explains what dropout is for. A unit cannot rely on certain other units, since each of them is
# missing half of the time; such reliance is called *co-adaptation*. Every step trains another network, and all of them
# share their weights. That is an explanation, not a measurement: the paper measures no co-adaptation, and neither do we.
#
# ## All 2^n networks
#
# Ten hidden units have 1024 masks, which is few enough to run every one of these networks. We average their predictions
# geometrically, as the paper says: the mean of the log-probabilities, scaled so that the probabilities add up to 1. The
# inputs of the softmax are called *logits*.


# %%
def softmax(logits):
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


def geometric_mean(predictions):
    return softmax(np.log(predictions).mean(axis=0))


# %%
units, classes = 10, 4
masks = np.array(list(itertools.product((0, 1), repeat=units)))
activations = np.maximum(random.normal(size=(50, units)), 0)
last = random.normal(size=(units, classes))
every = softmax((masks[:, None] * activations) @ last)  # (1024, 50, 4)
halved = softmax(0.5 * activations @ last)  # (50, 4)
difference = np.abs(geometric_mean(every) - halved).max()
print(f"{len(masks)} networks: halving differs by {difference:.6f}")
assert np.allclose(geometric_mean(every), halved)

# %% [markdown]
# Directly before the softmax, halving **is** the geometric mean: the mean of the logits over all masks is half of the
# logits without a mask. With a second hidden layer between, there is a ReLU in the way, and halving becomes an
# approximation. How good is it? For each of the 50 inputs we take the largest difference over the four classes.

# %%
first = random.normal(size=(units, 8)) * 0.7
bias = random.normal(size=8) * 0.5
out = random.normal(size=(8, classes)) * 0.7


def deeper(left):
    return softmax(np.maximum(left @ first + bias, 0) @ out)


# %%
every = deeper(masks[:, None] * activations)  # (1024, 50, 4)
exact, halved = geometric_mean(every), deeper(0.5 * activations)
off = np.abs(exact - halved).max(axis=-1)
alone = np.abs(every - exact).max(axis=-1).mean()
print(f"halving: off by {off.mean():.3f}, at most {off.max():.3f}")
print(f"a single network: off by {alone:.3f} on average")
assert 0 < off.mean() < alone / 2

# %%
words = f"halving is off by {off.mean():.2f}, a single network by {alone:.2f}"
figure = figures.sheet(5.5, 3.6, f"Halving and the geometric mean: {words}")
axes = figure.subplots()
single = every[341].ravel()  # a mask that keeps five of ten units
axes.plot(exact.ravel(), single, "x", color="#9A9A9A", label="one network")
axes.plot(exact.ravel(), halved.ravel(), "ko", mfc="none", label="halved")
axes.plot([0, 1], [0, 1], "-", color="black", lw=0.8)
axes.set(xlabel="geometric mean of 1024 networks", ylabel="probability")
axes.legend(frameon=False)
figure

# %% [markdown]
# Halving is close to the mean of all networks, at the price of one.
#
# ## Where it is applied
#
# Behind fc6 and fc7 in the paper; *before* them in torchvision's network (`one_weird_trick`). Dropout has no parameters,
# so a file of weights does not tell which.

# %%
nets = {name: net for name, net in ARCHITECTURES.items() if net.hidden}
before = [name for name, net in nets.items() if net.dropout_before]
print(f"before fc6 and fc7: {', '.join(before)}")
print(f"behind them: the other {len(nets) - len(before)} networks")
assert before == ["one_weird_trick"]
assert {net.dropout for net in nets.values()} == {0.5}

# %% [markdown]
# ## Overfitting, small enough to watch
#
# 150 drawn flowers of 16 x 16 pixels and two hidden layers of 256 units, with dropout and without. Each *epoch* is one
# pass over the 150 flowers. They are soon memorized; what is the error on other flowers? We compute both losses after
# each epoch with all units active, because the loss that `fit` prints for training was computed with half of them.


# %%
def small_flowers(count, seed):
    pictures, labels = petals.draw(count, seed)
    blocks = pictures.reshape(count, 16, 16, 16, 16, 3)
    small = blocks.mean(axis=(2, 4)).reshape(count, -1)  # (count, 768)
    return small / 64 - 2, labels


data = {"training": small_flowers(150, 0)}
data["validation"] = small_flowers(300, 1)
loss = "sparse_categorical_crossentropy"


# %%
def network(share):
    keras.utils.set_random_seed(1)
    model = keras.Sequential()
    for _ in range(2):
        model.add(keras.layers.Dense(256, "relu"))
        model.add(keras.layers.Dropout(share))
    model.add(keras.layers.Dense(10, "softmax"))
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    model.compile(optimizer, loss, jit_compile=False)
    return model


# %%
def learn(share, epochs=40):
    model, history = network(share), {"training": [], "validation": []}
    for _ in range(epochs):
        model.fit(*data["training"], 32, verbose=0)
        for name, losses in history.items():
            losses.append(model.evaluate(*data[name], 300, verbose=0))
    return history


# %%
histories = {"without dropout": learn(0.0), "with dropout": learn(0.5)}

# %%
words = "the validation loss rises again in both, the training loss falls"
figure = figures.sheet(7, 3, f"Loss by epoch with and without dropout: {words}")
for axes, (name, history) in zip(
    figure.subplots(1, 2, sharey=True), histories.items(), strict=True
):
    epochs = range(1, 41)
    axes.plot(epochs, history["training"], "k--", label="training")
    axes.plot(epochs, history["validation"], "k-", label="validation")
    axes.set(title=name, xlabel="epoch", ylabel="loss", ylim=(0, 5))
    axes.legend(frameon=False)
figure

# %%
without, with_it = histories.values()
for name, history in histories.items():
    last_losses = [f"{n} {losses[-1]:.2f}" for n, losses in history.items()]
    lowest = min(history["validation"])
    print(f"{name}: {', '.join(last_losses)}, lowest {lowest:.2f}")
    assert np.log(10) / 2 < lowest < history["validation"][-1] - 0.1
assert with_it["training"][10] > 2 * without["training"][10]

# %% [markdown]
# Two things can be seen at this scale. Without dropout the training loss goes to zero while the validation loss rises:
# overfitting. With dropout, learning is slower. What cannot be seen is a cure: the validation loss never falls far
# below that of guessing, ln 10 = 2.30, and then rises in both. What the network learns from 150 pictures hardly holds
# for others, so dropout has little to improve.
#
# ## AlexNet itself, on 1020 photographs
#
# The whole network was trained on Flowers-102, with dropout and without, with several seeds each: `python
# scripts/fit.py --dataset oxford_flowers102 --recipe ablation`, and `--dropout 0`. The figure has one line per seed;
# the rate is divided by ten after epoch 30. Below it, each line has the mean difference, in brackets its 95 % interval
# over seeds (Student's t over the paired differences), and *p*: how probable a difference at least this large is if the
# change has no effect, corrected for the fourteen changes that this repository tries (Holm's method). Then comes a
# verdict: *costs* or *helps* if p is below 0.05, *less than 1 point* if the whole interval is within one point of zero,
# and *cannot tell* otherwise.

# %%
rows = archive.rows("../results")
names = {"with dropout": "ablation", "without dropout": "ablation_no_dropout"}
logs = {
    way: [r["log"] for r in rows if r["run"].rpartition("-")[0] == name]
    for way, name in names.items()
}
charts.overfitting(logs)

# %%
print("the cost of leaving dropout out, on the test pictures:")
print(ablations.describe(rows, "no_dropout"))
for way, of_seeds in logs.items():
    losses = [log[-1]["val_loss"] for log in of_seeds]
    print(f"{way}: validation loss {min(losses):.2f} to {max(losses):.2f}")

# %% [markdown]
# Without dropout the pictures are memorized; with it the training error is still high after the same 36 epochs. The
# paper says that dropout "roughly doubles the number of iterations". We cannot say how much of our difference that is,
# because the logged training errors were computed with half of the units off. The errors on new pictures do not differ
# by an amount that these seeds could show. The loss does: without dropout the networks are wrong as often, but with far
# more confidence. The paper gives no number for dropout, only "substantial overfitting" without it. We did not train to
# the end.

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
of_with, of_without = ([log[-1] for log in logs[way]] for way in names)
assert max(row["top1_error"] for row in of_without) < 0.05
assert min(row["top1_error"] for row in of_with) > 0.35
most = max(row["val_loss"] for row in of_with)
assert min(row["val_loss"] for row in of_without) > most + 0.5
low, high = ablations.differences(rows)["no_dropout"].interval
assert low < 0 < high

# %% [markdown]
# ## What you predicted
#
# 1. 1024.
# 2. Exact directly before the softmax; with a layer between it is approximate, but much closer than a single network.
# 3. The same function, if the next layer's weights are halved; not the same training.
#
# ## Exercises
#
# 1. How many networks do fc6 and fc7 with 4096 units each stand for?
# 2. Why is the *geometric* mean exact under a softmax, and not the arithmetic one?
# 3. Train something: `learn` with shares of 0.2 and 0.8. Which ends with the lowest validation loss?
# 4. Write code: the paper's dropout as a Keras layer. Compare it with `PaperDropout`.
# 5. Write code: average the 1024 networks *arithmetically*. How far is that from the halved network?
#
# <details><summary>Answers</summary>
#
# 1. $2^{8192}$, a number of 2467 digits. In 90 epochs of ImageNet fewer than $2^{27}$ masks are ever drawn.
# 2. The logarithm of a softmax is the logits minus one number for all classes. So averaging logarithms averages logits,
#    and averaging over all masks halves what each unit contributes.
# 3. With 0.8, but only because that network has hardly left chance, ln 10 = 2.30. The lowest loss on the way is lower with
#    0.2. Compare several seeds before you decide.
# 4. `call(self, inputs, training)` multiplies by a random mask in training and by 0.5 otherwise.
# 5. By up to 0.2 in a probability: the arithmetic mean is less sure than the geometric one.
#
# </details>
#
# Solutions in code, to run and to change: [4_2_solutions](solutions/4_2_solutions.ipynb).

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert len(str(2**8192)) == 2467 and 90 * 1_200_000 < 2**27
assert not np.allclose(every.mean(axis=0), exact)
