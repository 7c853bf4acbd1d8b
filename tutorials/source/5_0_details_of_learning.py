# %% [markdown]
# # 5 Details of learning
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 5 | `optimizers.py`, `initial_weights.py`, `recipes.py` | a minute, no data |
#
# **The paper says:** batches of 128, momentum 0.9, weight decay 0.0005, which is no mere regularizer: it lowers the
# training error. Weights start from a Gaussian of 0.01, some biases at 1. The learning rate starts at 0.01 and is
# divided by ten three times.
#
# **Predict first.** (1) At momentum 0.9, how many times its first size is a step that always goes the same way? (2)
# Through eight layers of weights of 0.01, how much of the signal is left? (3) Where does it matter whether the decay is
# inside the velocity?

# %%
# %matplotlib inline
import keras
import numpy as np
from ipywidgets import interact

from keras_alexnet import PaperSGD, build, preprocess_input, runs
from keras_alexnet.data.drawings import petals
from keras_alexnet.experiments import ablations
from keras_alexnet.plotting import charts, figures
from keras_alexnet.runs import Run
from keras_alexnet.training.schedules import divided_learning_rate, learning_rate

# %% [markdown]
# ## The rule, by hand
#
# $$v \leftarrow 0.9\,v - 0.0005\,\epsilon\,w - \epsilon\,g, \quad w \leftarrow w + v$$
#
# Three steps on one weight, with made-up gradients:


# %%
def by_hand(weight, gradients, rate, momentum=0.9, decay=0.0005):
    velocity, path = 0.0, [weight]
    for gradient in gradients:
        velocity = momentum * velocity - decay * rate * weight - rate * gradient
        weight = weight + velocity
        path.append(weight)
    return path


gradients = (1.0, -0.5, 0.25)
path = by_hand(2.0, gradients, rate=0.1)
print([round(weight, 6) for weight in path])

# %% [markdown]
# The library's optimizer goes the same way. Its decay leaves biases alone, as the authors' code does; what has one
# dimension is a bias, so the weight here has two.

# %%
weight, optimizer = keras.Variable([[2.0]]), PaperSGD(learning_rate=0.1)
steps = [2.0]
for gradient in gradients:
    optimizer.apply([keras.ops.convert_to_tensor([[gradient]])], [weight])
    steps.append(float(weight[0, 0]))
assert np.allclose(steps, path, atol=1e-6)

# %% [markdown]
# What is the velocity for? Two weights walk down a valley, 25 times as steep across as along it. Without momentum a
# rate that does not swing across the valley is slow along it.


# %%
def walk(rate, momentum, decay):
    """Sixty steps from (0, 0), and the loss at each."""
    steepness, bottom = np.array([1.0, 25.0]), np.array([8.0, 1.0])
    weights = velocity = np.zeros(2)
    path = [weights]
    for _ in range(60):
        velocity = momentum * velocity - decay * rate * weights - rate * steepness * (weights - bottom)
        weights = weights + velocity
        path.append(weights)
    return np.array(path), (steepness * (path - bottom) ** 2).sum(axis=1) / 2


# %% [markdown]
# In JupyterLab the sliders move; on a page you see where they start. Which rate is too much without momentum, and which
# with it? Where does a large decay make the weights stop?


# %%
@interact(rate=(0.005, 0.2, 0.005), momentum=(0.0, 0.98, 0.02), decay=(0.0, 1.0, 0.05))
def valley(rate=0.03, momentum=0.9, decay=0.0):
    walks = {name: walk(rate, m, decay) for name, m in (("without momentum", 0.0), ("with momentum", momentum))}
    said = "; ".join(f"{name} the loss ends at {losses[-1]:.1e}" for name, (_, losses) in walks.items())
    figure = figures.sheet(8, 3, f"Sixty steps down a valley: {said}")
    plane, curves = figure.subplots(1, 2)
    for (name, (path, losses)), style in zip(walks.items(), ("s:", "o-"), strict=True):
        plane.plot(*path.T, style, color="black", mfc="white", ms=4, lw=0.8, label=name)
        curves.semilogy(losses, style[1:], color="black", label=name)
    plane.plot(8, 1, "k*", ms=12, label="bottom")
    plane.set(xlabel="weight along the valley", ylabel="weight across", xlim=(-1, 16), ylim=(-0.5, 2.5))
    curves.set(xlabel="step", ylabel="loss", ylim=(1e-6, 1e3))
    plane.legend(frameon=False, fontsize=8)
    curves.legend(frameon=False, fontsize=8)
    return figure


# %% [markdown]
# <details><summary>Answers</summary>
#
# Without momentum a rate above 2 / 25 = 0.08 swings out of the valley, with a momentum of 0.9 one above 2 (1 + 0.9) /
# 25 = 0.152. A decay of $d$ makes the weights stop at 8 / (1 + $d$) along the valley and 25 / (25 + $d$) across.
#
# </details>

# %% [markdown]
# ## Inside or outside the velocity?
#
# Today's optimizers shrink the weights *beside* the velocity. Then the decay is not carried on by the momentum. Let a
# weight of 1 shrink with no gradient at all, and with a large decay that one can see:

# %%
inside = by_hand(1.0, [0.0] * 200, rate=0.1, decay=0.01)
outside = [(1 - 0.1 * 0.01) ** step for step in range(201)]
rates = [-np.log(path[-1] / path[-11]) / 10 for path in (inside, outside)]
said = f"a weight that only decays shrinks {rates[0] / rates[1]:.1f} times as fast inside the velocity as outside"
figure = figures.sheet(6, 2.8, f"Decay: {said}")
axes = figure.subplots()
axes.plot(inside, "-", color="black", label="inside the velocity (the paper)")
axes.plot(outside, "--", color="black", label="beside it")
axes.set(xlabel="step", ylabel="weight", title=said, ylim=(0, 1.05))
axes.title.set_size(9)
axes.legend(frameon=False)
assert 10 < rates[0] / rates[1] < 12
figure

# %% [markdown]
# About ten times, which is $1 / (1 - 0.9)$: a steady push ends up ten times its size. That answers the first question
# too. So `keras.optimizers.SGD(weight_decay=0.0005)` is not the paper's rule, but a tenth of it. An L2 penalty of
# *half* the decay is the paper's rule exactly:

# %%
weight, penalty = keras.Variable([[2.0]]), keras.regularizers.L2(0.0005 / 2)
plain = keras.optimizers.SGD(0.1, momentum=0.9)
for gradient in gradients:
    slope = 2 * penalty.l2 * float(weight[0, 0])  # the penalty is l2 * w ** 2
    plain.apply([keras.ops.convert_to_tensor([[gradient + slope]])], [weight])
assert np.isclose(float(weight[0, 0]), path[-1], atol=1e-6)

# %% [markdown]
# ## Initial weights: how far does the signal get?
#
# A number of the next layer is a sum of $n$ products. With weights of deviation $\sigma$, the sum's deviation is about
# $\sigma \sqrt{n}$ times the inputs' root mean square. Where that factor is below 1 the signal fades, and a bias of 1
# is all there is. So we look at what *differs* between pictures: the deviation over pictures, not the value.
#
# The text says 0.01 in every layer. The authors' own code says 0.03 in conv3 to conv5. Here are 16 drawn flowers; other
# pictures give other numbers of the same kind.

# %%
views = preprocess_input(np.stack([petals.draw_one(n % 10, n) for n in range(16)])[:, 14:241, 14:241])
names = ["conv1", "conv2", "conv3", "conv4", "conv5", "fc6", "fc7", "fc8"]
signal = {}
for start in ("source", "text"):
    keras.utils.set_random_seed(0)
    model = build("paper", classes=102, initial_weights=start, classifier_activation=None)
    outputs = keras.Model(model.input, [model.get_layer(name).output for name in names]).predict(views, verbose=0)
    signal[start] = [float(output.std(axis=0).mean()) for output in outputs]
print(f"{'':8}{'source':>12}{'text':>12}{'ratio':>8}")
for n, name in enumerate(names):
    source, text = signal["source"][n], signal["text"][n]
    print(f"{name:8}{source:>12.5f}{text:>12.5f}{source / text:>8.0f}")

# %%
small = build("paper", classes=102, initial_weights="text", classifier_activation=None)
small.set_weights(model.get_weights())
to_conv5 = keras.Model(small.input, small.get_layer("conv5").output)
scaled = to_conv5.predict(views / 255, verbose=0).std(axis=0).mean()
said = f"deviation between pictures at conv5: {signal['source'][4]:.2g} (source), {signal['text'][4]:.2g} (text)"
figure = figures.sheet(6.5, 2.8, f"Signal by layer: {said}, {scaled:.1g} (text, pixels divided by 255)")
axes = figure.subplots()
for (start, values), style in zip(signal.items(), ("o-", "s--"), strict=True):
    axes.semilogy(names, values, style, color="black", mfc="white", label=f"{start}'s initial weights")
axes.plot("conv5", scaled, "x", color="black", label="text's, and pixels divided by 255")
axes.set(ylabel="deviation over pictures")
axes.legend(frameon=False, fontsize=8)
figure

# %%
print(f"at conv5 the text's is {signal['source'][4] / signal['text'][4]:.0f} times weaker,")
print(f"and {signal['source'][4] / scaled:.0f} times with pixels divided by 255")
assert signal["source"][4] > 10 * signal["text"][4]
assert signal["source"][4] > 1000 * scaled

# %% [markdown]
# A layer can learn only from what differs between pictures. This is why so many re-implementations "do not train": they
# follow the printed 0.01, and many divide the pixels by 255 as well. `build()` starts from the source's weights;
# `build(initial_weights="text")` shows the other. On Flowers-102, 36 epochs from either, three seeds:

# %%
rows = [runs.summary(each) for each in runs.find("../results")]
for name in ("text_initial_weights", "decay_into_weights"):
    print(f"{name}\n{ablations.describe(rows, name)}\n")
late = [row["training_errors"] for row in rows if row["run"].startswith("ablation_text_initial_weights")]
print(
    f"the text's after half of the epochs: {min(errors[17] for errors in late):.0%} of the training pictures are wrong"
)
assert ablations.differences(rows)["text_initial_weights"].interval[0] > 10

# %% [markdown]
# From the text's weights the network learns nothing for many epochs, and is far behind at the end. Where the decay is,
# inside the velocity or beside it, makes no difference that three seeds can tell: in 36 epochs of 1020 pictures so
# small a decay has hardly begun.
#
# ## Biases of one
#
# The text starts the biases of some layers at 1, so that the ReLUs get positive inputs from the first step. With zeros,
# half of the units start silent.

# %%
model = build("paper", classes=102, classifier_activation=None)
to_fc6 = keras.Model(model.input, model.get_layer("fc6").output)
with_ones = (to_fc6.predict(views, verbose=0) > 0).mean()
for layer in model.layers:
    if getattr(layer, "bias", None) is not None:
        layer.bias.assign(np.zeros(layer.bias.shape))
with_zeros = (to_fc6.predict(views, verbose=0) > 0).mean()
print(f"active units of fc6: {with_ones:.0%} with biases of one, {with_zeros:.0%} with zeros")
assert with_ones > with_zeros + 0.1 and round(with_zeros, 1) == 0.5

# %% [markdown]
# ## The schedule
#
# The authors watched the validation error and divided the learning rate by ten when it stopped improving. They did so
# by hand, which a recipe can say with the epochs' numbers; or `divided_learning_rate` does it, after so many epochs
# without a new best. Both depend on the log alone, so we can replay a recorded run of Flowers-102.

# %%
run = Run.open("../results/flowers-0")
log, recipe = run.read_log(), run.read_recipe()
replayed = [learning_rate(recipe, log[:epoch]) for epoch in range(len(log))]
assert np.allclose(replayed, [row["learning_rate"] for row in log])
charts.learning_curves(log)

# %%
errors = [row["val_top1_error"] for row in log]
for epoch in recipe.divide_after:
    before, after = min(errors[:epoch]), min(errors[epoch:])
    print(f"rate divided after epoch {epoch}: best error {before:.1%} until then, {after:.1%} from then on")
for patience in (5, 10, 20):
    early = [n for n in range(len(log)) if divided_learning_rate(1.0, errors[:n], patience, 3) < 1]
    print(f"a patience of {patience} epochs would have divided", f"first after epoch {early[0]}" if early else "never")
assert min(errors[recipe.divide_after[0] :]) < min(errors[: recipe.divide_after[0]]) - 0.04

# %% [markdown]
# The paper trained for "roughly 90" epochs and divided three times. The error falls within a few epochs of the first
# division: small steps settle where large ones jump about. Dividing early stops the learning early: an error that
# jumps about easily goes some epochs without a new best.
#
# ## Exercises
#
# 1. At a learning rate of 0.01 and a decay of 0.0005, after how many steps has a weight without gradients halved?
# 2. Which deviation would keep the signal in conv4, whose kernels see 3 x 3 x 192 numbers?
#
# <details><summary>Answers</summary>
#
# 1. The velocity makes a weight shrink by the share 0.01 x 0.0005 / (1 - 0.9) = 0.00005 a step: ln 2 / 0.00005, about
#    13,860 steps, which is 1.5 epochs of 1.2 million pictures in batches of 128.
# 2. The rule sigma x sqrt(n) = 1 gives 1 / sqrt(1728) = 0.024; ReLU halves the squares, so sqrt(2) more: 0.034. The
#    source's 0.03 is near that, the text's 0.01 is not.
#
# </details>

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
steps = np.log(2) / (0.01 * 0.0005 / (1 - 0.9))
assert round(steps, -1) == 13_860
assert round(steps / (1_200_000 / 128), 1) == 1.5
assert round(1728**-0.5, 3) == 0.024 and round((2 / 1728) ** 0.5, 3) == 0.034
for momentum, most in ((0.0, 0.08), (0.9, 0.152)):  # the answers to the sliders
    below, above = (np.abs(walk(factor * most, momentum, 0.0)[0][:, 1] - 1) for factor in (0.97, 1.03))
    assert below[-1] < below[0] < above[-1]
assert np.allclose(walk(0.03, 0.9, 1.0)[0][-1], (8 / 2, 25 / 26), atol=0.1)
