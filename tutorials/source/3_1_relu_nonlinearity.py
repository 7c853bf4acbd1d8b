# %% [markdown]
# # 3.1 ReLU nonlinearity
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 3.1, figure 1 | `architectures.py` (`figure_1`), `features.py` (`sparsity`) | a minute, drawn flowers |
#
# **The paper says:** with ReLUs a four-layer network reaches 25 % training error on CIFAR-10 six times sooner than with
# tanh (figure 1). Saturating nonlinearities are slow to learn.
#
# **Predict first.** (1) How large is the gradient of each nonlinearity at an input of 4? (2) Through ten layers, which
# one lets a gradient through? (3) What share of a ReLU's outputs is zero?

# %%
# %matplotlib inline
import keras
import numpy as np

from keras_alexnet import PaperSGD, build, figure_1, preprocess_input, runs
from keras_alexnet.data.drawings import petals
from keras_alexnet.evaluation import features
from keras_alexnet.experiments import tables
from keras_alexnet.plotting import charts, figures

# %% [markdown]
# ## Three nonlinearities and their gradients

# %%
functions = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
}
gradients = {
    "sigmoid": lambda x: functions["sigmoid"](x) * (1 - functions["sigmoid"](x)),
    "tanh": lambda x: 1 - np.tanh(x) ** 2,
    "relu": lambda x: (x > 0).astype(float),
}
x = np.linspace(-6, 6, 241)
for name, function in functions.items():
    assert np.allclose(getattr(keras.activations, name)(x), function(x), atol=1e-6)
    print(f"{name}: the gradient at 4 is {gradients[name](np.array(4.0)):.4f}")

# %%
figure = figures.sheet(7.5, 2.8, "Sigmoid and tanh level off on both sides, their gradients vanish; ReLU's stays at 1")
for axes, curves, title in zip(figure.subplots(1, 2), (functions, gradients), ("value", "gradient"), strict=True):
    for style, (name, curve) in zip(figures.STYLES, curves.items(), strict=False):
        axes.plot(x, curve(x), style, color="black", label=name)
    axes.set(title=title, xlabel="input", ylim=(-1.2, 2.2))
    axes.legend(frameon=False)
figure

# %% [markdown]
# The gradient of the sigmoid is never above a quarter. A ReLU's is 1 wherever it is not 0.
#
# ## Saturation in a deep stack
#
# Ten layers of 100 units. How large is the gradient at each layer, coming back from the last? Weights are drawn with a
# deviation of $g / \sqrt{100}$. A large $g$ pushes sigmoid and tanh to their ends.


# %%
def backward(name, g, layers=10, units=100):
    """The gradient's size in front of each layer, against that behind the last."""
    random = np.random.default_rng(0)
    signal, passed = random.normal(size=(200, units)), []
    for _ in range(layers):
        weights = random.normal(size=(units, units)) * g / np.sqrt(units)
        passed.append((weights, gradients[name](signal @ weights)))
        signal = functions[name](signal @ weights)
    flow, sizes = np.ones((200, units)), []
    for weights, slope in reversed(passed):
        flow = (flow * slope) @ weights.T
        sizes.append(np.sqrt((flow**2).mean()))
    return sizes


# %%
scales = (0.5, 1.0, 2.0, 4.0)
table = {name: [backward(name, g)[-1] / backward(name, g)[0] for g in scales] for name in functions}
figure = figures.sheet(6, 3, "How much of a gradient nine layers let through, by the scale of the weights")
axes = figure.subplots()
for style, (name, shares) in zip(figures.STYLES, table.items(), strict=False):
    axes.loglog(scales, shares, style, marker="o", mfc="white", color="black", label=name)
    print(f"{name}: {', '.join(f'{share:.1e} at {g}' for g, share in zip(scales, shares, strict=True))}")
axes.set(xlabel="g, the scale of the weights", ylabel="gradient let through", xticks=scales, xticklabels=scales)
axes.minorticks_off()
axes.legend(frameon=False)
assert max(table["sigmoid"]) < 0.02
figure

# %% [markdown]
# The sigmoid loses the gradient at all four scales: small weights pass little on, and larger ones push its units to
# their ends. A ReLU's gradient follows the scale of the weights alone: one can choose it so that nothing is lost. That
# is near 1.4, the root of 2, since half of the units are silent. tanh does well near 1; beyond, its units saturate, and
# what comes through grows in the few that do not:

# %%
random = np.random.default_rng(0)
for g in scales:
    signal = random.normal(size=(200, 100))
    for _ in range(10):
        inputs = signal @ random.normal(size=(100, 100)) * g / 10
        signal = np.tanh(inputs)
    print(f"g = {g}: {(gradients['tanh'](inputs) < 0.1).mean():.0%} of the tanh units have a gradient below 0.1")

# %% [markdown]
# ## How sparse is a network?
#
# A ReLU that gets inputs around zero is silent half of the time. What do the layers of AlexNet do, with their biases of
# 0 and 1?

# %%
keras.utils.set_random_seed(0)
pictures, labels = petals.draw(300, seed=6)
views = preprocess_input(pictures[:8, 14:241, 14:241])
silent = features.sparsity(build(), views)
for name, share in silent.items():
    print(f"{name}: {share:.0%} zeros")
assert 0.3 < silent["relu1"] < 0.7 and silent["relu2"] < 0.4 and silent["fc6"] < 0.45

# %% [markdown]
# Where the bias starts at 1 (conv2, conv4 and conv5, fc6, fc7) fewer units are silent at first: that is what it is for
# ([chapter 5](5_0_details_of_learning.ipynb)).
#
# ## Figure 1, in small
#
# The paper's figure has CIFAR-10. In this chapter the same four-layer network learns 300 drawn flowers of 32 pixels,
# with ReLU and with tanh, and no regularization. As in the paper each has its own learning rate: the fastest of those
# tried here.

# %%
small = pictures.reshape(300, 32, 8, 32, 8, 3).mean(axis=(2, 4)).astype("float32") - 128


def training_errors(nonlinearity, rate, epochs=16):
    keras.utils.set_random_seed(0)
    model = build(figure_1(nonlinearity), classes=10)
    model.compile(
        PaperSGD(rate, weight_decay=0.0), "sparse_categorical_crossentropy", metrics=["accuracy"], jit_compile=False
    )
    return [1 - share for share in model.fit(small, labels, 16, epochs, verbose=0).history["accuracy"]]


tried = {name: {rate: training_errors(name, rate) for rate in (0.001, 0.003)} for name in ("relu", "tanh")}
best = {name: min(rates, key=lambda rate: sum(rates[rate])) for name, rates in tried.items()}
curves = {name: tried[name][rate] for name, rate in best.items()}
print({name: f"learning rate {rate}, ends at {curves[name][-1]:.0%}" for name, rate in best.items()})
charts.nonlinearities(curves, target=0.5)

# %%
reached = {name: charts.epochs_to_reach(curve, 0.5) for name, curve in curves.items()}
for name, epochs in reached.items():
    print(f"{name}: {'not within 16 epochs' if epochs is None else f'{epochs:.1f} epochs'} to 50 % training error")
assert curves["relu"][-1] < curves["tanh"][-1]

# %% [markdown]
# A tiny data set and one seed: the ratio here is no measurement of the paper's claim, only a picture of what was
# compared.
#
# ## Figure 1, on CIFAR-10
#
# The same two networks on CIFAR-10, without regularization, from runs on record: `python scripts/fit.py --dataset
# cifar10 --recipe figure_1`, and `figure_1_tanh`. Each has the learning rate that was fastest of those tried. Half of
# the data set's 50,000 training pictures were at hand, so an epoch has fewer steps than the paper's.

# %%
rows = [runs.summary(run) for run in runs.find("../results")]
of_figure = [row for row in rows if row["recipe"]["architecture"] in tables.NONLINEARITIES and row["seed"] == 0]
measured = {tables.NONLINEARITIES[row["recipe"]["architecture"]]: row["training_errors"] for row in of_figure}
charts.nonlinearities(dict(sorted(measured.items())))

# %%
print(tables.figure_1(rows))
fast, slow = tables.epochs_by_nonlinearity(rows).values()
ratios = [slow[seed] / fast[seed] for seed in fast]
print(f"\nratios from {min(ratios):.1f} to {max(ratios):.1f}; the paper has 6")
assert len(ratios) >= 3 and min(ratios) > 4

# %% [markdown]
# The claim holds up here, with every seed: ReLU is several times faster. How many times depends on what is compared:
# on the learning rates, and on the data, for fewer pictures are sooner learned by heart.
#
# ## Exercises
#
# 1. Sigmoid and tanh are one function, scaled and moved. Which equation says so, and what follows for their gradients?
# 2. Why does a ReLU network not care whether all its weights of one layer are doubled and the next layer's halved?
#
# <details><summary>Answers</summary>
#
# 1. tanh(x) = 2 sigmoid(2x) - 1, so the gradient of tanh is up to four times that of the sigmoid: 1 against 1/4.
# 2. max(2x, 0) = 2 max(x, 0): a ReLU lets a scale through. Without biases the network is the same function.
#
# </details>

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert np.allclose(np.tanh(x), 2 * functions["sigmoid"](2 * x) - 1)
assert gradients["tanh"](x).max() == 1.0 and np.isclose(gradients["sigmoid"](x).max(), 0.25)
at_root = backward("relu", 2**0.5)
assert 0.5 < at_root[-1] / at_root[0] < 2 and round(2**0.5, 1) == 1.4
assert np.allclose(functions["relu"](2 * x), 2 * functions["relu"](x))
