# %% [markdown]
# # 3.1 ReLU nonlinearity
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 3.1, figure 1 | `models/architectures.py` (`figure_1`), `evaluation/features.py` (`sparsity`) | half a minute |
#
# **The paper says:** with ReLUs a four-layer network reaches 25 % training error on CIFAR-10 six times faster than with
# tanh (figure 1). Saturating nonlinearities learn slowly.
#
# **Predict first.** (1) How large is the gradient of each nonlinearity at an input of 4? (2) Through ten layers, which
# one lets a gradient pass? (3) What share of a ReLU's outputs is zero?
#
# To read beside it: [the paper](https://proceedings.neurips.cc/paper_files/paper/2012/hash/c399862d3b9d6b76c8436e924a68c45b-Abstract.html),
# [the authors' code](https://github.com/computerhistory/AlexNet-Source-Code),
# [each claim of this section](../docs/paper_ledger.md#31-relu-nonlinearity) and how it came out here,
# and a [glossary](../docs/glossary.md) in English and Chinese.

# %%
# %matplotlib inline
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import keras
import numpy as np
from IPython.display import Markdown

from keras_alexnet import PaperSGD, build, preprocess_input
from keras_alexnet.data.drawings import petals
from keras_alexnet.evaluation import features
from keras_alexnet.experiments import archive, tables
from keras_alexnet.models import figure_1, layer_costs, sketch
from keras_alexnet.plotting import charts, figures

# %% [markdown]
# ## Three nonlinearities and their gradients


# %%
def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def relu(x):
    return np.maximum(x, 0)


functions = {"sigmoid": sigmoid, "tanh": np.tanh, "relu": relu}
gradients = {
    "sigmoid": lambda x: sigmoid(x) * (1 - sigmoid(x)),
    "tanh": lambda x: 1 - np.tanh(x) ** 2,
    "relu": lambda x: (x > 0).astype(float),
}

# %%
x = np.linspace(-6, 6, 241)
at_4 = {}
for name, function in functions.items():
    by_keras = getattr(keras.activations, name)(x)
    assert np.allclose(by_keras, function(x), atol=1e-6)
    at_4[name] = gradients[name](np.array(4.0))
    print(f"{name}: the gradient at 4 is {at_4[name]:.4f}")

# %%
words = "Sigmoid and tanh level off on both sides and their gradients vanish"
figure = figures.sheet(7.5, 2.8, f"{words}; the gradient of ReLU stays at 1")
left, right = figure.subplots(1, 2)
for style, name in zip(figures.STYLES, functions, strict=False):
    left.plot(x, functions[name](x), style, color="black", label=name)
    right.plot(x, gradients[name](x), style, color="black", label=name)
left.set(title="value", xlabel="input", ylim=(-1.2, 2.2))
right.set(title="gradient", xlabel="input", ylim=(-1.2, 2.2))
left.legend(frameon=False)
figure

# %% [markdown]
# The gradient of the sigmoid is never above a quarter. The gradient of a ReLU is 1 wherever it is not 0.
#
# ## Why nonlinear at all?
#
# Two layers of weights with nothing between them are one layer, because their matrices multiply into one. Eight layers
# without a nonlinearity can compute no more than a single one. With a ReLU between two layers, no single matrix does the
# same, not even the best one:

# %%
random = np.random.default_rng(0)
one, two = random.normal(size=(6, 50)), random.normal(size=(50, 3))
signals = random.normal(size=(200, 6))
assert np.allclose(signals @ one @ two, signals @ (one @ two))

bent = relu(signals @ one) @ two  # (200, 3)
best = np.linalg.lstsq(signals, bent)[0]  # the best single matrix
missed = ((signals @ best - bent) ** 2).sum() / (bent**2).sum()
print(f"the best single matrix misses {missed:.0%} of the sum of squares")
assert missed > 0.2

# %% [markdown]
# ## Saturation in a deep stack
#
# A nonlinearity *saturates* where it is flat: its gradient there is near zero. Take ten layers of 100 units. How large
# is the gradient at each layer on its way back from the last one? The weights are random with a standard deviation of
# $g / \sqrt{100}$. A large $g$ drives sigmoid and tanh into saturation.


# %%
def forward(name, g, layers=10, units=100):
    """Return the weights of each layer and the slope of its nonlinearity."""
    random = np.random.default_rng(0)
    signal, passed = random.normal(size=(200, units)), []
    for _ in range(layers):
        weights = random.normal(size=(units, units)) * g / np.sqrt(units)
        inputs = signal @ weights  # (200, units)
        passed.append((weights, gradients[name](inputs)))
        signal = functions[name](inputs)
    return passed


# %%
def backward(name, g):
    """Return the size of the gradient before each layer, last to first."""
    flow, sizes = np.ones((200, 100)), []
    for weights, slope in reversed(forward(name, g)):
        flow = (flow * slope) @ weights.T
        sizes.append(np.sqrt((flow**2).mean()))
    return sizes


scales = (0.5, 1.0, 2.0, 4.0)
passed = {}
for name in functions:
    sizes = [backward(name, g) for g in scales]
    passed[name] = [of_scale[-1] / of_scale[0] for of_scale in sizes]

# %%
print("g       ", ", ".join(f"{g:7}" for g in scales))
for name, shares in passed.items():
    print(f"{name:8}", ", ".join(f"{share:.1e}" for share in shares))
assert max(passed["sigmoid"]) < 0.02

# %%
words = "The share of the gradient that nine layers let pass, by weight scale"
figure = figures.sheet(6, 3, words)
axes = figure.subplots()
line = {"marker": "o", "mfc": "white", "color": "black"}
for style, (name, shares) in zip(figures.STYLES, passed.items(), strict=False):
    axes.loglog(scales, shares, style, label=name, **line)
axes.set(xlabel="g, the scale of the weights", ylabel="share passed on")
axes.set_xticks(scales, scales)
axes.minorticks_off()
axes.legend(frameon=False)
figure

# %% [markdown]
# The sigmoid loses most of the gradient at all four scales. (Only at about 11 would nothing be lost, and then most of
# its units are saturated.) For a ReLU only the scale of the weights matters, and it can be chosen so that nothing is
# lost: near 1.4, the square root of 2, because half of the units are off. tanh passes about a third of the gradient at
# 1 and all of it at about 1.3. With larger weights more and more of its units saturate, most of them at a scale of 4,
# and the gradient grows only through those that do not:

# %%
for g in (1.0, 2.0, 4.0):
    _, slope = forward("tanh", g)[-1]
    print(f"g = {g}: {(slope < 0.1).mean():.0%} of tanh slopes are below 0.1")

# %% [markdown]
# ## How sparse is a network?
#
# A ReLU whose inputs lie around zero is off half of the time. What about the layers of AlexNet, some of which start with
# a bias of 0 and others with a bias of 1?

# %%
keras.utils.set_random_seed(0)
pictures, labels = petals.draw(8, seed=6)
inputs = preprocess_input(pictures[:, 14:241, 14:241])  # (8, 227, 227, 3)
zeros = features.sparsity(build(), inputs)
for name, share in zeros.items():
    print(f"{name}: {share:.0%} zeros")
assert 0.3 < zeros["relu1"] < 0.7
assert zeros["relu2"] < 0.4 and zeros["fc6"] < 0.45

# %% [markdown]
# Where the bias starts at 1 (conv2, conv4, conv5, fc6 and fc7), fewer units are off at first. That is the purpose of
# these biases ([chapter 5](5_0_details_of_learning.ipynb)).
#
# That is the network before training. How many units are off afterwards is another question, and no formula answers it.
# Here is the four-layer network of figure 1 before and after it learned 500 drawn flowers of 32 x 32 pixels:


# %%
def shrink(pictures):  # (n, 256, 256, 3) -> (n, 32, 32, 3)
    blocks = pictures.reshape(len(pictures), 32, 8, 32, 8, 3)
    return blocks.mean(axis=(2, 4)).astype("float32") - 128


flowers, species = petals.draw(500, seed=0)
keras.utils.set_random_seed(0)
small = build(figure_1(), classes=10)
loss = "sparse_categorical_crossentropy"
small.compile(PaperSGD(0.003), loss, jit_compile=False)

# %%
at_start = features.sparsity(small, shrink(flowers[:100]))
small.fit(shrink(flowers), species, batch_size=16, epochs=15, verbose=0)
learned = features.sparsity(small, shrink(flowers[:100]))
for name, share in learned.items():
    print(f"{name}: {at_start[name]:.0%} zeros before training", end=", ")
    print(f"{share:.0%} after")
assert max(abs(learned[n] - at_start[n]) for n in learned) > 0.1

# %% [markdown]
# So "half of the units are off" holds only for random weights, zero biases and inputs around zero. Before training only
# a third of relu1's outputs are zero, because this network takes the maximum of each window first, and a maximum is
# less often below zero. The paper says nothing about sparsity. (It does mention Jarrett and others, who trained on
# Caltech-101 with $|\tanh|$ after a contrast normalization. They wanted to prevent overfitting; ReLUs are meant to fit
# the training set faster.)
#
# ## What a ReLU costs
#
# $\max(0, x)$ is cheaper to compute than tanh, but that is not the paper's point: its figure 1 counts epochs, not
# seconds. A nonlinearity is applied once per unit, and the convolutions do a thousand times as much work:

# %%
costs = layer_costs(sketch("paper"))
relus = 2 * 4096  # fc6 and fc7 have theirs built in
relus += sum(int(np.prod(c.shape)) for c in costs if c.kind == "ReLU")
work = sum(cost.multiply_adds for cost in costs)
print(f"{relus:,} ReLUs, {work:,} multiply-adds", end=": ")
print(f"{relus / work:.2%}")
assert relus == 658_272 and relus / work < 0.001

# %% [markdown]
# ## Figure 1, on CIFAR-10
#
# The paper does not say which layers its four-layer network has. We take the one that the authors published for CIFAR-10:
# three convolutions of 5 x 5 with 32, 32 and 64 kernels, a pooling with each, and one fully connected layer. Here it is
# with ReLU and with tanh, without normalization and regularization, from runs that are archived in `results/`:
# `python scripts/fit.py --dataset cifar10 --recipe figure_1`, and `figure_1_tanh`. An *epoch* is one pass over
# the training pictures. As in the paper, each network has its own learning rate: the one that learned fastest of those
# tried, for tanh from 0.001 to 0.1. An epoch here is 22,500 pictures, not the 50,000 of CIFAR-10, because only
# half of them were available and a tenth of those is for validation.

# %%
rows = archive.rows("../results")
curves = {}
for row in rows:
    net = row["recipe"]["architecture"]
    if net in tables.NONLINEARITIES and row["seed"] == 0:
        curves[tables.NONLINEARITIES[net]] = row["training_errors"]
charts.nonlinearities(dict(sorted(curves.items())))

# %%
Markdown(tables.figure_1(rows))

# %%
fast, slow = tables.epochs_by_nonlinearity(rows).values()
ratios = [slow[seed] / fast[seed] for seed in fast]
print(f"ratios from {min(ratios):.1f} to {max(ratios):.1f}; the paper: 6")
assert len(ratios) >= 3 and min(ratios) > 4

# %% [markdown]
# The claim holds for every seed: ReLU is several times faster. The figure shows seed 0, with rates of 0.003 for ReLU
# and 0.03 for tanh. The exact ratio depends on the learning rates, and probably on the data.
#
# The learning rates matter a great deal. On 120 drawn flowers, tanh wins at some rates and ReLU at others, so an
# experiment of that size shows nothing about the claim. Exercise 3 lets you see this.
#
# ## What you predicted
#
# 1. At 4 the gradient of the sigmoid is 0.018, of tanh 0.001, of ReLU 1.
# 2. ReLU, if the weights are scaled by about 1.4, and tanh at about 1.3; the sigmoid at none of the four scales.
# 3. In AlexNet before training, about half where the bias starts at 0, and 25 to 35 % where it starts at 1. After training
#    no rule gives it: in the small network it was from about half to nine tenths, depending on the layer.

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert [round(float(at_4[n]), 3) for n in functions] == [0.018, 0.001, 1]
of_ones = [zeros[n] for n in ("relu2", "relu4", "relu5", "fc6", "fc7")]
assert all(0.22 < share < 0.37 for share in of_ones)
assert all(0.45 < zeros[name] < 0.55 for name in ("relu1", "relu3"))

# %% [markdown]
# ## Exercises
#
# 1. Sigmoid and tanh are one function, scaled and shifted. Which equation says so, and what follows for their gradients?
# 2. Double all weights of one layer of a ReLU network without biases, and halve those of the next. What changes?
# 3. Train something: `build(figure_1("relu"), classes=10)` and the same with `"tanh"`, on 120 flowers from
#    `petals.draw`, reduced to 32 pixels as in [chapter 1](1_0_introduction.ipynb), for 10 epochs. Try the rates 0.001,
#    0.003 and 0.01 and two seeds. Which nonlinearity wins?
# 4. Write code: check the gradients of the three nonlinearities by moving the input a little.
# 5. Write code: a *leaky* ReLU, the larger of x and 0.1 x, in the stack of ten layers. Which scale of the weights lets the
#    gradient pass unchanged?
#
# <details><summary>Answers</summary>
#
# 1. tanh(x) = 2 sigmoid(2x) - 1, so the gradient of tanh is up to four times that of the sigmoid: 1 against 1/4.
# 2. Nothing: max(2x, 0) = 2 max(x, 0), so a ReLU passes the factor of 2 on, and the halved weights undo it.
# 3. It depends on the rate: ReLU at 0.001 and 0.003, tanh at 0.01, where the ReLU network does not learn. The paper gives
#    each its best rate, and by that rule tanh wins here. 120 flowers and ten epochs do not decide the claim; the runs on
#    CIFAR-10 above do.
# 4. `(f(x + h) - f(x - h)) / (2 * h)` with a small h.
# 5. $\sqrt{2 / (1 + 0.1^2)}$, which is 1.41: the half that leaks passes a hundredth of its squares.
#
# </details>
#
# Solutions in code, to run and to change: [3_1_solutions](solutions/3_1_solutions.ipynb).

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert np.allclose(np.tanh(x), 2 * sigmoid(2 * x) - 1)
assert gradients["tanh"](x).max() == 1.0
assert np.isclose(gradients["sigmoid"](x).max(), 0.25)
at_root = backward("relu", 2**0.5)
assert 0.5 < at_root[-1] / at_root[0] < 2 and round(2**0.5, 1) == 1.4
assert np.allclose(relu(2 * x), 2 * relu(x))
