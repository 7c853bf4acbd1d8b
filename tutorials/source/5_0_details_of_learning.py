# %% [markdown]
# # 5 Details of learning
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 5, and the objective of 3.5 | `training/`, `models/initializers.py`, `recipes/` | a minute, drawn flowers |
#
# **The paper says:** batches of 128, momentum 0.9, and weight decay 0.0005, which is not merely a regularizer: it lowers
# the training error. Weights start from a Gaussian with a standard deviation (std) of 0.01, some biases at 1. The
# learning rate starts at 0.01 and is divided by ten three times.
#
# **Predict first.** (1) With momentum 0.9 and a gradient that stays the same, how many times its first size does a step
# reach? (2) If all weights have a std of 0.01, what share of the signal that leaves conv1 is left at fc8? (3) When does
# it matter whether the weight decay is inside the velocity?
#
# To read beside it: [the paper](https://proceedings.neurips.cc/paper_files/paper/2012/hash/c399862d3b9d6b76c8436e924a68c45b-Abstract.html),
# [the authors' code](https://github.com/computerhistory/AlexNet-Source-Code),
# [each claim of this section](../docs/paper_ledger.md#5-details-of-learning) and how it came out here,
# and a [glossary](../docs/glossary.md) in English and Chinese.

# %%
# %matplotlib inline
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import keras
import numpy as np
from ipywidgets import interact

from keras_alexnet import PaperSGD, build, preprocess_input
from keras_alexnet.data.drawings import petals
from keras_alexnet.experiments import ablations, archive
from keras_alexnet.plotting import charts, figures
from keras_alexnet.plotting.players import Player
from keras_alexnet.recipes import Recipe
from keras_alexnet.training import schedules

# %% [markdown]
# ## What is minimized
#
# The last layer gives one number per class, a *logit*. The softmax turns logits into probabilities. The paper maximizes
# the mean log-probability of the correct class; Keras minimizes its negative, the *cross-entropy*. By hand, for two
# pictures and three classes:

# %%
logits = np.array([[2.0, 1.0, -1.0], [0.0, 0.5, 0.0]])
labels = np.array([0, 2])
powers = np.exp(logits)
probabilities = powers / powers.sum(axis=1, keepdims=True)  # (2, 3)
log_probability = np.log(probabilities[[0, 1], labels])  # (2,)
cross_entropy = -log_probability.mean()
print(probabilities.round(3), log_probability.round(3), sep="\n")
print(f"cross-entropy {cross_entropy:.3f}")

loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
assert np.isclose(float(loss(labels, logits)), cross_entropy)

# %% [markdown]
# The gradient for the logits is simple: the probabilities, minus 1 at the correct class. We check it by moving one logit
# a little. A network that knows nothing gives each of $n$ classes the probability $1/n$, so its loss is $\ln n$: 6.9 for
# 1000 classes. A loss that stays there means that the network is not learning.

# %%
correct = np.eye(3)[labels]
gradient = (probabilities - correct) / len(labels)  # (2, 3)
moved = logits.copy()
moved[1, 2] += 1e-3
powers = np.exp(moved)
shares = powers / powers.sum(axis=1, keepdims=True)
after = -np.log(shares[[0, 1], labels]).mean()
slope = (after - cross_entropy) / 1e-3
print(f"by formula {gradient[1, 2]:.4f}, by moving it {slope:.4f}")
assert np.isclose(gradient[1, 2], slope, atol=1e-3)
assert round(np.log(1000), 1) == 6.9

# %% [markdown]
# ## The update rule, by hand
#
# $$v \leftarrow 0.9\,v - 0.0005\,\epsilon\,w - \epsilon\,g, \quad w \leftarrow w + v$$
#
# $w$ is a weight and $v$ its velocity, $\epsilon$ is the learning rate, and $g$ is the gradient of the loss, averaged over
# the batch. 0.9 is the momentum and 0.0005 the weight decay. (Section 3.5 *maximizes* an objective, and section 5
# subtracts the gradient of "the objective". There the loss is meant, its negative.)
#
# Three steps with one weight and invented gradients:


# %%
def by_hand(weight, gradients, rate, momentum=0.9, decay=0.0005):
    velocity, path = 0.0, [weight]
    for g in gradients:
        shrink = decay * rate * weight
        velocity = momentum * velocity - shrink - rate * g
        weight = weight + velocity
        path.append(weight)
    return path


gradients = (1.0, -0.5, 0.25)
path = by_hand(2.0, gradients, rate=0.1)
print([round(weight, 6) for weight in path])

# %% [markdown]
# The library's optimizer takes the same steps. Its decay does not touch biases, as in the authors' code. It treats
# whatever has one dimension as a bias, so the weight here has two.

# %%
weight, optimizer = keras.Variable([[2.0]]), PaperSGD(learning_rate=0.1)
steps = [2.0]
for g in gradients:
    optimizer.apply([keras.ops.convert_to_tensor([[g]])], [weight])
    steps.append(float(weight[0, 0]))
assert np.allclose(steps, path, atol=1e-6)

# %% [markdown]
# What is the velocity for? Two weights go down a valley that is 100 times as steep across as along. Without momentum, a
# rate that is small enough not to swing across the valley is slow along it.

# %%
STEEPNESS, BOTTOM = np.array([1.0, 100.0]), np.array([8.0, 1.0])


def walk(rate, momentum, decay=0.0):
    """Return the weights of sixty steps from (0, 0), and the losses."""
    weights = velocity = np.zeros(2)
    path = [weights]
    for _ in range(60):
        g = STEEPNESS * (weights - BOTTOM) + decay * weights
        velocity = momentum * velocity - rate * g
        weights = weights + velocity
        path.append(weights)
    path = np.array(path)  # (61, 2)
    return path, (STEEPNESS * (path - BOTTOM) ** 2).sum(axis=1) / 2


# %% [markdown]
# To be fair, each way gets its best learning rate of those from 0.001 to 0.05:

# %%
rates = np.arange(1, 51) / 1000
best, final = {}, {}
for momentum in (0.0, 0.5, 0.8, 0.9):
    ends = [walk(rate, momentum)[1][-1] for rate in rates]
    best[momentum], final[momentum] = rates[np.argmin(ends)], min(ends)
    print(f"momentum {momentum}: best rate {best[momentum]:.3f}", end=", ")
    print(f"final loss {final[momentum]:.1e}")
assert final[0.0] > 100 * final[0.9] > 100 * final[0.8]
alone, span = walk(best[0.0], 0.0), (0.0, 0.95, 0.05)  # for the sliders
THIN = {"color": "black", "mfc": "white", "ms": 3, "lw": 0.8}
PLANE = {"xlabel": "along the valley", "ylabel": "across"}
PLANE |= {"xlim": (-1, 16), "ylim": (-0.2, 2.2)}

# %% [markdown]
# Momentum helps, but more is not always better: within sixty steps, 0.8 ends lower than the paper's 0.9 here. Which one
# is best depends on the valley and on the number of steps. Here are the walk without momentum and that with 0.9 at
# their best rates, five steps at a time; the star is the lowest point. Squares are without momentum, circles with it.
# Press *play*, or move the slider. (Where scripts do not run, as on GitHub, you see the first frame.)


# %%
def valley(walks, steps=60):
    figure = figures.sheet(8, 3, "Two walks down a valley and their losses")
    plane, curves = figure.subplots(1, 2)
    for name, (path, losses) in walks.items():
        marks = "s:" if name == "no momentum" else "o-"
        plane.plot(*path[: steps + 1].T, marks, **THIN)
        curves.semilogy(losses[: steps + 1], marks[1:], c="k", label=name)
    plane.plot(*BOTTOM, "k*", ms=12)
    plane.set(**PLANE)
    curves.set(xlabel="step", ylabel="loss", xlim=(0, 60), ylim=(1e-5, 1e3))
    curves.legend(frameon=False, loc="upper right")
    return figure


# %%
both = {"no momentum": alone, "momentum 0.9": walk(best[0.9], 0.9)}
words = "With momentum the walk swings along the valley and ends lower"
Player(lambda n: valley(both, 5 * n), 13, words)

# %% [markdown]
# In JupyterLab you can move the sliders, which set the walk with momentum; the walk without keeps its best rate. On the
# page you see where they start. Which rate is too large? Where does a large weight decay make the weights stop?


# %%
@interact(rate=(0.001, 0.05, 0.001), momentum=span, decay=span)
def with_sliders(rate=best[0.9], momentum=0.9, decay=0.0):
    moved = walk(rate, momentum, decay)
    return valley({"no momentum": alone, "momentum": moved})


# %% [markdown]
# <details><summary>Answers</summary>
#
# Without momentum a rate above 2 / 100 = 0.02 swings out of the valley, with a momentum of 0.9 one above 2 (1 + 0.9) /
# 100 = 0.038. With a decay of $d$ the weights stop at 8 / (1 + $d$) along the valley and 100 / (100 + $d$) across.
#
# </details>
#
# ## Inside or outside the velocity?
#
# Today's optimizers shrink the weights *outside* the velocity. Then momentum does not carry the decay on. Let a weight of
# 1 shrink without any gradient, and with a large decay, so that we can see it:

# %%
inside = by_hand(1.0, [0.0] * 200, rate=0.1, decay=0.01)
outside = [(1 - 0.1 * 0.01) ** step for step in range(201)]
speeds = [-np.log(path[-1] / path[-11]) / 10 for path in (inside, outside)]
ratio = speeds[0] / speeds[1]
words = f"a weight shrinks {ratio:.1f} times as fast inside the velocity"
assert 10 < ratio < 12

# %%
figure = figures.sheet(6, 2.8, f"Weight decay: {words}")
axes = figure.subplots()
axes.plot(inside, "-", color="black", label="inside (the paper)")
axes.plot(outside, "--", color="black", label="outside")
axes.set(xlabel="step", ylabel="weight", ylim=(0, 1.05))
axes.legend(frameon=False)
figure

# %% [markdown]
# About ten times, which is $1 / (1 - 0.9)$: with a steady push, the step grows to ten times its first size. So
# `keras.optimizers.SGD(weight_decay=0.0005)` is not the paper's rule but a tenth of it, and it shrinks the biases as well.
# An L2 penalty of *half* the decay, on the kernels alone (`kernel_regularizer`), is the paper's rule exactly:

# %%
weight, penalty = keras.Variable([[2.0]]), keras.regularizers.L2(0.00025)
plain = keras.optimizers.SGD(0.1, momentum=0.9)
path = by_hand(2.0, gradients, rate=0.1)
for g in gradients:
    of_penalty = 2 * penalty.l2 * float(weight[0, 0])  # of l2 * w ** 2
    total = keras.ops.convert_to_tensor([[g + of_penalty]])
    plain.apply([total], [weight])
assert np.isclose(float(weight[0, 0]), path[-1], atol=1e-6)

# %% [markdown]
# ## Initial weights: how far does the signal get?
#
# Each number in a layer is a sum of $n$ products. If the weights have a std of $\sigma$, the sum has a std of about
# $\sigma \sqrt{n}$ times the root mean square of the inputs. If that factor is below 1, the signal fades, and nothing is
# left but the bias of 1. So we look at what *differs* between pictures: the std over pictures, not the value.
#
# The *text* (the printed paper) says 0.01 for every layer. The *source* (the authors' own code) says 0.03 for conv3 to
# conv5. Here are 16 drawn flowers; other pictures give similar numbers.

# %%
flowers = np.stack([petals.draw_one(n % 10, n) for n in range(16)])
inputs = preprocess_input(flowers[:, 14:241, 14:241])
names = [*(f"conv{n}" for n in range(1, 6)), "fc6", "fc7", "fc8"]


def outputs(start, inputs):
    keras.utils.set_random_seed(0)
    own = {"initial_weights": start, "classifier_activation": None}
    model = build("paper", classes=102, **own)
    layers = [model.get_layer(name).output for name in names]
    return keras.Model(model.input, layers).predict(inputs, verbose=0)


def signal(of_layers):
    return np.array([output.std(axis=0).mean() for output in of_layers])


# %%
by_source, by_text = outputs("source", inputs), outputs("text", inputs)
source, text = signal(by_source), signal(by_text)
scaled = signal(outputs("text", inputs / 255))
print(f"{'':8}{'source':>10}{'text':>10}{'pixels / 255':>14}")
for name, *row in zip(names, source, text, scaled, strict=True):
    print(f"{name:8}{row[0]:>10.5f}{row[1]:>10.5f}{row[2]:>14.7f}")
conv5 = names.index("conv5")
weaker = source[conv5] / text[conv5], source[conv5] / scaled[conv5]
print(f"conv5: the text's is {weaker[0]:.0f} times weaker", end=", ")
print(f"and {weaker[1]:.0f} times with pixels divided by 255")
assert weaker[0] > 10 and weaker[1] > 1000

# %%
assert 500 < text[0] / text[-1] < 2000
assert 35 < source[0] / source[-1] < 70
words = "the source's stays largest, the text's fades, divided by 255 more"
figure = figures.sheet(6.5, 2.8, f"Signal by layer: {words}")
axes = figure.subplots()
axes.semilogy(names, source, "o-", color="black", label="source")
axes.semilogy(names, text, "s--", color="black", mfc="white", label="text")
axes.semilogy(names, scaled, "x:", color="black", label="text, pixels / 255")
axes.set(ylabel="std over pictures")
axes.legend(frameon=False, fontsize=8)
figure

# %% [markdown]
# The values themselves, as histograms, with the same axis above and below: the source's weights above, the text's below.
# (fc6 and fc7 are after their ReLU.)

# %%
words = "with the text's weights conv3 to conv5 have little but their bias"
figure = figures.sheet(8, 2.8, f"Histograms of a layer's values: {words}")
places = figure.subplots(2, 8)
for name, wide, thin, column in zip(
    names, by_source, by_text, places.T, strict=True
):
    ends = tuple(np.percentile(wide, [0.5, 99.5]))
    for axes, output in zip(column, (wide, thin), strict=True):
        axes.hist(output.ravel(), 40, ends, color="black")
        axes.set(yticks=[], xlim=ends)
        axes.tick_params(labelsize=7)
    column[0].set_title(name, size=9)

# %%
for axes, name in zip(places[:, 0], ("source", "text"), strict=True):
    axes.set_ylabel(name)
figure.supxlabel("value", size=9)
figure

# %% [markdown]
# Look at conv3 to conv5. From fc6 on the width misleads: a histogram mixes units and pictures, and with the text's
# weights nearly all of it is between units, the same for every picture:

# %%
logits = by_text[-1]  # (16, 102)
between_units = logits.mean(axis=0).std()
between_pictures = logits.std(axis=0).mean()
print(f"text, fc8: std {between_units:.3f} between units", end=", ")
print(f"{between_pictures:.3f} between pictures")
assert between_units > 20 * between_pictures

# %% [markdown]
# A layer can only learn from what differs between pictures. This is why so many implementations "do not train": they
# use the printed 0.01, and many divide the pixels by 255 as well. `build()` starts from the source's weights, and
# `build(initial_weights="text")` from the text's. The paper also found that "this small amount of weight decay was
# important for the model to learn": it reduced the training error. Below is what the text's weights, and leaving out
# the decay, cost on Flowers-102, after 36 epochs (passes over the training pictures), with several seeds. Each line has
# the mean difference, in brackets its 95 % interval (Student's t over the paired differences), and *p*: how probable a
# difference at least this large is if the change has no effect, corrected for the fourteen changes that this repository
# tries (Holm's method). Then comes a verdict: *costs* or *helps* if p is below 0.05, *less than 1 point* if the whole
# interval is within one point of zero, and *cannot tell* otherwise.

# %%
rows = archive.rows("../results")
for name in ("text_initial_weights", "decay_into_weights", "no_weight_decay"):
    print(f"{name}\n{ablations.describe(rows, name)}\n")
for where, change in ablations.without_decay_in_long_training(rows).items():
    print(f"flowers, {where} error: {change}, p {change.p_value:.2g}")
    assert min(change.points) > 0 and change.p_value < 0.1
start = "ablation_text_initial_weights"
least = min(r["training_errors"][17] for r in rows if start in r["run"])
print(f"text, training error after half of the epochs: {least:.0%} or more")
of = ablations.differences(rows)
assert of["text_initial_weights"].interval[0] > 10
assert np.abs(of["decay_into_weights"].interval).max() < 1

# %% [markdown]
# From the text's weights the network learns almost nothing for half of the epochs (its training error is still 97 % or
# more; chance is 99 %), and it is far behind at the end. Where the decay is, inside the velocity or outside, makes a
# difference of less than a point. Leaving it out makes none that these seeds could show: in 36 epochs of 1020 pictures,
# so small a decay has hardly begun to act. By itself it shrinks the weights by one percent.
#
# The last two lines of differences therefore compare our recipe `flowers` with and without weight decay, three seeds
# each. It has ten times the decay and 240 epochs. Without decay both errors are higher for each seed. On new pictures p
# is 0.03, from three seeds and without a correction, so this is weak evidence. In training, which the paper's sentence
# is about ("reduces the model's training error"), p is 0.08, and we cannot tell.
#
# ## Biases of one
#
# The text starts the biases of conv2, conv4, conv5, fc6 and fc7 at 1, so that their ReLUs get positive inputs from the
# first step on, and all other biases at 0. With zeros everywhere, half of the units start off.

# %%
keras.utils.set_random_seed(0)
model = build("paper", classes=102, classifier_activation=None)
to_fc6 = keras.Model(model.input, model.get_layer("fc6").output)
ones = (to_fc6.predict(inputs, verbose=0) > 0).mean()
for layer in model.layers:
    if getattr(layer, "bias", None) is not None:
        layer.bias.assign(np.zeros(layer.bias.shape))
zeros = (to_fc6.predict(inputs, verbose=0) > 0).mean()
print(f"active units of fc6: {ones:.0%} with ones, {zeros:.0%} with zeros")
assert ones > zeros + 0.1 and round(zeros, 1) == 0.5

# %% [markdown]
# ## The schedule
#
# The authors watched the validation error and divided the learning rate by ten when it stopped improving. They did so by
# hand. A recipe can give the epochs, or `divided_learning_rate` can decide, after a number of epochs without a new best
# (the *patience*). Both depend only on the log, so we can replay an archived run on Flowers-102.

# %%
row = next(row for row in rows if row["run"] == "flowers-0")
log, recipe = row["log"], Recipe(**row["recipe"])
epochs = range(len(log))
replayed = [schedules.learning_rate(recipe, log[:n]) for n in epochs]
assert np.allclose(replayed, [row["learning_rate"] for row in log])
charts.learning_curves(log)

# %%
errors = [row["val_top1_error"] for row in log]
for epoch in recipe.divide_after:
    before, after = min(errors[:epoch]), min(errors[epoch:])
    print(f"epoch {epoch}: best error {before:.1%} before, {after:.1%} after")
first = recipe.divide_after[0]
assert min(errors[first:]) < min(errors[:first]) - 0.04

for patience in (5, 10, 20):
    for n in epochs:
        by_patience = 1.0, errors[:n], patience, 3
        if schedules.divided_learning_rate(*by_patience) < 1:
            print(f"patience {patience}: divided first after epoch {n}")
            break

# %% [markdown]
# The paper trained for "roughly 90" epochs and divided three times. Here are the epochs of the authors' notes, 25, 51
# and 79 of 91, on 5,400 pictures of 40 classes of Tiny ImageNet: `python scripts/fit.py --dataset tiny_imagenet
# --recipe source --crop-size 131 --resize-size 148`.

# %%
row = next(row for row in rows if row["run"] == "source_tiny-0")
ends = [row["log"][epoch - 1] for epoch in (25, 51, 79, 91)]
train, held_out = (
    [end[key] for end in ends] for key in ("top1_error", "val_top1_error")
)
assert [round(100 * train[n]) for n in (0, 1)] == [53, 24]
assert round(100 * row["log"][29]["top1_error"]) == 39
assert 0.05 < held_out[0] - held_out[1] < 0.09
assert train[2] < train[1] - 0.04 and abs(train[3] - train[2]) < 0.01
charts.learning_curves(row["log"])

# %% [markdown]
# After the first division the training error falls from 53 % to 39 % within five epochs, and to 24 % by the second
# division. The validation error falls by about seven points. After the second one only the training error falls, in
# part because PCA lighting ends after epoch 67. The third one changes nothing that can be seen.
# [Results](../docs/results.md#the-authors-schedule) has the numbers.
#
# In both runs the error falls within a few epochs of the first division: with small steps the weights settle where
# large steps jump around. In the very first epoch after it, though, the training error of `flowers` rises, from 23 % to
# 29 %. One possible reason: the velocity still has the size that the old rate gave it. We have not tested this. A short
# patience divides too early, because an error that jumps around often goes a few epochs without a new best.
#
# ## What you predicted
#
# 1. Ten times.
# 2. About a thousandth, from conv1 to fc8. (With the source's weights, about a fiftieth.)
# 3. When momentum is used: outside the velocity, the decay is ten times weaker.

# %% [markdown]
# ## Exercises
#
# 1. At a learning rate of 0.01 and a decay of 0.0005, after how many steps has a weight without gradients halved?
# 2. Which std would keep the signal in conv4, where each kernel sees 3 x 3 x 192 numbers?
# 3. Write code: add Nesterov momentum to `walk`, which computes the gradient at `weights + momentum * velocity`. At its
#    best rate, is it better than momentum 0.9 in this valley?
# 4. Write code: from the validation errors so far, the next learning rate, which is divided by ten after some epochs without
#    a new best. Compare it with `divided_learning_rate`.
# 5. Train something: the paper says that its weight decay lowers the *training* error. Train chapter 4.2's network without
#    dropout on 150 drawn flowers with a decay of 0, 0.0005 and 0.05. Which one has the lowest training loss?
#
# <details><summary>Answers</summary>
#
# 1. Because of the velocity, a weight shrinks per step by the share 0.01 x 0.0005 / (1 - 0.9) = 0.00005: ln 2 / 0.00005,
#    about 13,860 steps, which is 1.5 epochs of 1.2 million pictures in batches of 128.
# 2. The rule sigma x sqrt(n) = 1 gives 1 / sqrt(1728) = 0.024. ReLU halves the squares, so a factor of sqrt(2) more:
#    0.034. The source's 0.03 is close to that, the text's 0.01 is not.
# 3. Yes: it damps the swings across the valley, and the loss ends about a tenth as high.
# 4. Count the epochs since the best error or the last division.
# 5. Here 0.0005 changes little, and 0.05 raises the loss. The paper's sentence is about 840,000 steps, ours are 200.
#
# </details>
#
# Solutions in code, to run and to change: [5_0_solutions](solutions/5_0_solutions.ipynb).

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert [round(100 * log[n]["top1_error"]) for n in (199, 200)] == [23, 29]
steps = np.log(2) / (0.01 * 0.0005 / (1 - 0.9))
assert round(steps, -1) == 13_860
assert round(steps / (1_200_000 / 128), 1) == 1.5
assert round(1728**-0.5, 3) == 0.024 and round((2 / 1728) ** 0.5, 3) == 0.034
# The answers to the sliders: the swing across grows above the rate.
for momentum, most in ((0.0, 0.02), (0.9, 0.038)):
    across = [walk(f * most, momentum)[0][:, 1] - 1 for f in (0.97, 1.03)]
    below, above = np.abs(across)
    assert below[-1] < below[0] < above[-1]
stops = walk(0.009, 0.9, 1.0)[0][-1]
assert np.allclose(stops, (8 / 2, 100 / 101), atol=0.1)
