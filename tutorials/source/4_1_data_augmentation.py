# %% [markdown]
# # 4.1 Data augmentation
#
# | in the paper | in the library | needs |
# |---|---|---|
# | section 4.1 | `data/augmentation.py`, `data/pipeline.py` | half a minute, drawn flowers |
#
# **The paper says:** random crops of 224 out of 256 pixels and their mirror images make the training set 2048 times as
# large. Noise along the principal components of the colors lowers the top-1 error by over 1 %. At test time, the
# predictions for ten crops are averaged.
#
# **Predict first.** (1) At how many places does a crop of 224 pixels fit into a picture of 256? (2) Does PCA lighting
# change every pixel of a picture by the same color, or each pixel by its own? (3) Which changes colors more, the noise in
# the *text* (the printed paper) or in the *source* (the authors' own code)?
#
# To read beside it: [the paper](https://proceedings.neurips.cc/paper_files/paper/2012/hash/c399862d3b9d6b76c8436e924a68c45b-Abstract.html),
# [the authors' code](https://github.com/computerhistory/AlexNet-Source-Code),
# [each claim of this section](../docs/paper_ledger.md#41-data-augmentation) and how it came out here,
# and a [glossary](../docs/glossary.md) in English and Chinese.

# %%
# %matplotlib inline
from keras_alexnet.command_line import quiet_terminal

quiet_terminal()  # keeps TensorFlow's first lines out of the notebook

import numpy as np
import tensorflow as tf
from ipywidgets import interact

from keras_alexnet.data import Statistics, augmentation
from keras_alexnet.data.drawings import petals
from keras_alexnet.experiments import ablations, archive
from keras_alexnet.plotting import charts, diagrams, figures, panels

pictures, labels = petals.draw(60, seed=4)
pansy = petals.CLASS_NAMES.index("pansy")
flower = pictures[list(labels).index(pansy)]  # (256, 256, 3)

# %% [markdown]
# ## Why augment?
#
# Section 4 begins with a count. A label names one of 1000 classes, which is a choice of 10 bits. All labels together are
# far fewer bits than the network has parameters. The paper concludes that they cannot determine so many without
# considerable overfitting. Counting alone does not prove it: networks with many more parameters than labels can predict
# well. How much this one overfits is measured below.

# %%
bits = np.log2(1000)
total = bits * 1_200_000
print(f"a label: {bits:.2f} bits; all labels: {total / 1e6:.0f} million bits")
print(f"{60_965_224 / total:.0f} parameters for each bit")
assert round(bits) == 10 and round(60_965_224 / total) == 5

# %% [markdown]
# ## Crops and mirror images
#
# A crop is a slice; a mirror image is a slice that runs backwards.


# %%
def one_view(n):
    crop = augmentation.random_crop(flower, 224, (0, n))
    return augmentation.mirror(crop, (1, n)).numpy()


views = [one_view(n) for n in range(200)]  # each (224, 224, 3)

# %%
corners = {(y, x) for y in range(33) for x in range(33)}
crops = [flower[y : y + 224, x : x + 224] for y, x in corners]
possible = {hash(crop.tobytes()) for crop in crops}
possible |= {hash(crop[:, ::-1].tobytes()) for crop in crops}
assert all(hash(view.tobytes()) in possible for view in views)
print(f"{len(corners)} places, {2 * len(corners)} with mirror images")
print(f"the paper counts {32 * 32 * 2}")

# %% [markdown]
# A crop of 224 pixels fits into 256 at 33 places along each axis, not 32. The authors' code uses all 33, but draws one
# crop position and one flip for every 32 pictures of a batch. The crops of one picture resemble each other; the paper
# says so itself ("highly interdependent"). They need not be stored: the authors made them on the CPU while the GPU
# trained on the batch before, "in effect, computationally free". [Speed](../docs/speed.md#single-operations) measures
# this for the library.

# %%
panels.views(flower, views[:16])

# %% [markdown]
# The same seed gives the same crop, so that a run can be repeated:

# %%
again = augmentation.random_crop(flower, 224, (0, 7))
same = augmentation.random_crop(flower, 224, (0, 7))
other = augmentation.random_crop(flower, 224, (0, 8))
assert np.array_equal(again, same) and not np.array_equal(again, other)

# %% [markdown]
# ## PCA lighting: along which colors do pictures differ?
#
# Take all pixels as points in the cube of red, green and blue. The eigenvectors of their covariance are the axes along
# which they vary. In photographs, and here, the first axis is nearly gray: pictures differ most in brightness.

# %%
colors = pictures.reshape(-1, 3).astype(float)
covariance = np.cov(colors.T, bias=True)  # (3, 3)
eigenvalues, eigenvectors = np.linalg.eigh(covariance)

# The library computes the same in one pass over any number of pictures.
dataset = tf.data.Dataset.from_tensor_slices((pictures, labels))
found = Statistics.measure(dataset)
assert np.allclose(found.eigenvalues, eigenvalues, rtol=1e-4)
signs = np.abs(found.eigenvectors), np.abs(eigenvectors)
assert np.allclose(*signs, atol=1e-4)

# %%
random = np.random.default_rng(0)
sample = colors[random.choice(len(colors), 600, replace=False)]
mean = colors.mean(axis=0)
diagrams.color_axes(sample, mean, eigenvalues, eigenvectors)

# %% [markdown]
# For each picture three random numbers $\alpha_i$ are drawn, one per axis $p_i$, and the **whole picture** changes by one
# color. The text adds $\sum_i \alpha_i \lambda_i\, p_i$, the source $\sum_i \alpha_i \sqrt{\lambda_i}\, p_i$:
#
# - the text multiplies by the eigenvalue $\lambda$. That is a variance, so the result depends on the unit of the pixels,
#   which the paper does not give. With pixels from 0 to 255 the noise would drown the picture (exercise 2), so here the
#   text's eigenvalues are those of pixels from 0 to 1;
# - the source multiplies by $\sqrt\lambda$, a standard deviation (std), and then divides the picture by 1.1, presumably
#   so that pictures in training do not vary more than in tests. In training the mean is subtracted first. Here it is
#   not, so the division also darkens.

# %%
seed = (3, 0)
alpha = tf.random.stateless_normal((3,), seed, stddev=0.1).numpy()
# the text's eigenvalues are those of pixels from 0 to 1, see above
step = {"text": eigenvalues / 255, "source": np.sqrt(eigenvalues)}
by_hand = {k: flower + eigenvectors @ (alpha * step[k]) for k in step}
by_hand["source"] /= 1.1
basis = eigenvalues, eigenvectors
for form, expected in by_hand.items():
    lit = augmentation.lighting(flower, seed, *basis, form)
    assert np.allclose(lit, expected, atol=1e-2)
    print(f"{form:7}std along the first axis: {0.1 * step[form][-1]:.1f}")

# %% [markdown]
# What does each axis do? Each slider is one of the three numbers. Each picture is the flower, changed along one axis or
# along all three; above it is the color that was added, as red, green and blue. The paper's numbers are about 0.1, too
# small to see. In JupyterLab you can move the sliders; on the page you see where they start.


# %%
far = (-1.0, 1.0)  # where the sliders can go


def changes(alphas, form):
    """Return the colors that are added: none, along each axis, along all."""
    # An axis has two ends: let the lighter one be positive.
    upwards = eigenvectors * np.sign(eigenvectors.sum(axis=0))
    alone = (upwards * step[form])[:, ::-1] * alphas  # the longest first
    return [np.zeros(3), *alone.T, alone.sum(axis=1)]


# %%
@interact(first=far, second=far, third=far, form=["source", "text"])
def along_axes(first=0.5, second=0.5, third=0.5, form="source"):
    moves = changes([first, second, third], form)
    names = "original", "first axis", "second", "third", "all three"
    figure = figures.sheet(8, 2.1, f"A flower changed along color axes, {form}")
    parts = zip(figure.subplots(1, 5), names, moves, strict=True)
    for axes, name, color in parts:
        picture = np.clip(flower + color, 0, 255).astype("uint8")
        figures.bare(axes).imshow(picture[::2, ::2])
        added = ", ".join(f"{number:+.0f}" for number in color)
        axes.set_title(f"{name}\n{added}", size=9)
    return figure


# %%
strong = 0.4  # four times the paper's, or the change is hard to see
words = "One flower in six draws of lighting; above the text, below the source"
figure = figures.sheet(8, 3, words)
for row, form in zip(figure.subplots(2, 6), step, strict=True):
    row[0].set_ylabel(form)
    for n, axes in enumerate(row):
        lit = augmentation.lighting(flower, (n, 1), *basis, form, strong)
        if form == "source":  # undo the division, to see the color alone
            lit = lit * (1 + strong)
        visible = np.clip(lit, 0, 255).astype("uint8")[::2, ::2]
        figures.bare(axes).imshow(visible)
figure

# %% [markdown]
# On ImageNet the largest $\sqrt\lambda$ is 121.78, for pixel values from 0 to 255. With a std of 0.1, the source's noise
# along the first axis has a std of 12. The text's noise, on pixels from 0 to 1, has half of that. So do the constants
# that most code copies (0.2175 and two more):

# %%
root = 121.78
source, text = 0.1 * root, 0.1 * root**2 / 255
copied = 0.1 * 0.2175 * 255
print(f"source {source:.1f}, text {text:.1f}, copied {copied:.1f}")
assert round(copied, 1) == 5.5 and round(source / text, 1) == 2.1

# %% [markdown]
# ## Ten crops
#
# Four corners, the center, and their mirror images. The network's probabilities for the ten are averaged.

# %%
ten = augmentation.ten_crops(flower, 224).numpy()  # (10, 224, 224, 3)
assert np.array_equal(ten[0], flower[:224, :224])
assert np.array_equal(ten[4], flower[16:240, 16:240])
assert np.array_equal(ten[5:], ten[:5, :, ::-1])
words = "Ten crops: four corners, the center, and below their mirror images"
figure = figures.sheet(8, 3.2, words)
for axes, crop in zip(figure.subplots(2, 5).flat, ten, strict=True):
    figures.bare(axes).imshow(crop[::2, ::2])
figure

# %% [markdown]
# ## Other augmentations
#
# None of these is in the paper. Our recipe for 1020 flowers uses rotation, scaling, translation and vertical flips,
# because there are so few pictures. Torchvision's recipe uses the resized crop. Noise is added to each pixel by itself.

# %%
affine = augmentation.affine
resized = augmentation.random_resized_crop(flower, 256, (0, 7))
others = {
    "original": flower,
    "rotation": affine(flower, (0, 2), rotation=25.0),
    "scaling": affine(flower, (0, 3), scaling=0.4),
    "translation": affine(flower, (0, 4), translation=0.2),
    "noise": augmentation.noise(flower, (0, 5), std=25.0),
    "vertical flip": flower[::-1],
    "resized crop": resized,
}

# %%
figure = figures.sheet(8, 1.6, f"One flower: {', '.join(others)}")
for axes, name in zip(figure.subplots(1, len(others)), others, strict=True):
    visible = np.clip(others[name], 0, 255).astype("uint8")[::2, ::2]
    figures.bare(axes).imshow(visible)
    axes.set_title(name, size=9)
figure

# %% [markdown]
# ## What it is worth
#
# Without this scheme, says the paper, its network "suffers from substantial overfitting, which would have forced us to
# use much smaller networks". The network was trained on the 1020 pictures of Flowers-102 with crops, mirror images and
# PCA lighting, and without some of them, with several seeds each: `python scripts/fit.py --dataset oxford_flowers102
# --recipe ablation`, and with `--augmentation lighting`, where the network sees the same central crop of each picture
# in every epoch (every pass over the training set). Below are the errors of both, with one line per seed (the rate is
# divided by ten after epoch 30), and then what leaving out each part costs: the mean difference, in brackets its 95 %
# interval over seeds (Student's t over the paired differences), and *p*: how probable a difference at least this large
# is if the change has no effect, corrected for the fourteen changes that this repository tries (Holm's method). Then
# come the paper's number and a verdict: *held up* if the difference has the paper's sign and p is below 0.05, whatever
# its size (*costs* or *helps* where the paper has no number), *less than 1 point* if the whole interval is within one
# point of zero, and *cannot tell* otherwise.

# %%
rows = archive.rows("../results")
names = {"crops and mirrors": "ablation"}
names["neither"] = "ablation_no_crop_no_mirror"
logs = {
    way: [r["log"] for r in rows if r["run"].rpartition("-")[0] == name]
    for way, name in names.items()
}
charts.overfitting(logs)

# %%
for name in ("no_crop_no_mirror", "no_lighting"):
    print(f"{name}\n{ablations.describe(rows, name)}\n")

# %% [markdown]
# Without crops and mirror images the pictures are memorized sooner, and the errors on new ones are higher with each of
# the seeds. The mean difference stands after the correction.
#
# PCA lighting gains over 1 point of top-1 error in the paper. Here the mean is about as large, but the seeds differ
# widely, and after the correction we cannot tell. For the top-5 error we can: without lighting it is higher, also after
# the correction.

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
of = ablations.differences(rows)
assert min(of["no_crop_no_mirror"].points) > 0
assert ablations.corrected(of)["no_crop_no_mirror"] < 0.05
low, high = of["no_lighting"].interval
assert low < 0.1 < 1 < high and round(of["no_lighting"].mean) == 1
assert ablations.corrected(of)["no_lighting"] > 0.05
of_top5 = ablations.differences(rows, "top5_error")
assert of_top5["no_lighting"].interval[0] > 0
assert ablations.corrected(of_top5)["no_lighting"] < 0.05

# %% [markdown]
# ## What you predicted
#
# 1. At 33 x 33 = 1089 places, not at 32 x 32.
# 2. Every pixel by the same color.
# 3. The source's, on ImageNet about twice as much, if the text's eigenvalues are those of pixels from 0 to 1. Taken for
#    pixels from 0 to 255, the text's noise would be 120 times the source's.
#
# ## Exercises
#
# 1. Why is the same color added to all pixels of a picture, and not another one to each?
# 2. The text's noise on pixels from 0 to 255 instead of 0 to 1: how large would it be along ImageNet's first axis?
# 3. Which augmentations would spoil a data set of printed digits?
# 4. Write code: `ten_crops` in five lines of NumPy, and compare it with the library's.
# 5. Write code: what share of its pixels does a crop have in common with another crop of the same picture, on average over
#    all pairs of places?
# 6. Train something: the small network of figure 1 on 150 drawn flowers, as they are, and with a random half mirrored in
#    each epoch. How do the errors on the same flowers and on new ones compare?
#
# <details><summary>Answers</summary>
#
# 1. It imitates another light, and light falls on the whole scene. One color per pixel would be noise, which the
#    convolutions average away.
# 2. 0.1 x 121.78 squared is 1483: nothing would be left of the picture. An eigenvalue has the unit of the pixels,
#    squared.
# 3. Mirror images and vertical flips: a mirrored 2 is not a 2, and with both flips a 6 becomes a 9.
# 4. Slices: `[picture[y:y + 224, x:x + 224] for y, x in ((0, 0), (0, 32), (32, 0), (32, 32), (16, 16))]`, stacked, and
#    the same with `[:, :, ::-1]`.
# 5. 90 %. At least 73 %, for two opposite corners.
# 6. On new flowers both have more errors. One training of each does not tell whether mirror images help.
#
# </details>
#
# Solutions in code, to run and to change: [4_1_solutions](solutions/4_1_solutions.ipynb).

# %% tags=["hide-cell"] jupyter={"outputs_hidden": true, "source_hidden": true}
assert 33 * 33 == 1089 and round(0.1 * 121.78**2) == 1483
assert round(121.78**2 / 121.78, -1) == 120
places = (0, 0), (0, 32), (32, 0), (32, 32), (16, 16)
five = np.stack([flower[y : y + 224, x : x + 224] for y, x in places])
assert np.array_equal(np.concatenate([five, five[:, :, ::-1]]), ten)
