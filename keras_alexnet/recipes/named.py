"""The named recipes: the paper's, those of other code, and ours."""

import dataclasses
from typing import NamedTuple

from keras_alexnet.recipes.recipe import Recipe


class NamedRecipe(NamedTuple):
    """A recipe, and what it is for.

    Attributes:
        recipe: The settings.
        purpose: What it is for, in a few words for `--help`.
        pictures: Number of training pictures that it was made for.
    """

    recipe: Recipe
    purpose: str
    pictures: int


IMAGENET, CIFAR_10 = 1_200_000, 50_000  # training pictures

FIGURE_1 = Recipe(  # without regularization of any kind; the learning rate, the fastest we tried, is ours
    architecture="figure_1",
    crop_size=32,
    resize_size=32,
    augmentation=(),
    weight_decay=0.0,
    learning_rate=0.003,
    epochs=16,
    divisions=0,
)

# The four-layer network of section 3.3, from layer-params-conv-local-11pct.cfg. The authors trained about 300 epochs
# on four fifths of the training pictures, until the validation error stopped falling, for 150 more on all of them, and
# for 10 each with a tenth and a hundredth of the learning rate. Here the split stays as it is.
CONV_LOCAL = Recipe(
    architecture="conv_local",
    crop_size=24,
    resize_size=32,
    mean="image",
    augmentation=("crop", "mirror"),
    epochs=470,
    learning_rate=0.001,
    bias_learning_rate_factor=2.0,
    weight_decay=0.004,
    no_weight_decay=("conv1", "conv2"),
    divide_after=(450, 460),
)

# The authors' run 145, from the notes in their layer-params-145.cfg. The learning rate of the biases ends at 0.02, so
# it was never divided. Here that of conv1 is divided with the rate of its weights: the notes do not say so, but the
# file of run 149 has 0.002 at this stage.
SOURCE = Recipe(
    architecture="source",
    dropout_form="paper",
    crop_size=224,
    mean="image",
    lighting="source",
    lighting_until=67,
    epochs=91,
    bias_learning_rate_factor=2.0,
    divide_after=(25, 51, 79),
    bias_divide_after=(),
    divide_layer_after=("conv1:67",),
    freeze_layer_after=("conv1:72",),
)

# The authors' runs 155 to 158, with an exponential schedule for all layers and biases. The notes do not give the number
# of epochs; 90 is the paper's.
SOURCE_EXPONENTIAL = dataclasses.replace(
    SOURCE,
    schedule="exponential",
    learning_rate=0.02,
    final_learning_rate=0.000005,
    epochs=90,
    lighting_until=61,
    divide_after=(),
    bias_divide_after=None,
    divide_layer_after=(),
    freeze_layer_after=("conv1:74",),
)

NAMED = {
    "text": NamedRecipe(
        Recipe(),
        "the paper's text, for 1.2 million pictures",
        IMAGENET,
    ),
    "source": NamedRecipe(
        SOURCE,
        "the authors' own code, for 1.2 million pictures",
        IMAGENET,
    ),
    "source_2010": NamedRecipe(  # layer-params-145-2010. Biases end at 0.002, in all layers
        dataclasses.replace(
            SOURCE,
            lighting_until=68,
            epochs=93,
            divide_after=(23, 51, 78),
            bias_divide_after=(78,),  # inferred: the notes do not say; after two divisions, other runs still have 0.02
            divide_layer_after=("conv1:68",),
        ),
        "the same for ImageNet 2010, from the log of that run",
        IMAGENET,
    ),
    "source_half": NamedRecipe(  # layer-params-145-half, of 2010. Biases end at 0.02, except in conv1 and conv2
        dataclasses.replace(
            SOURCE,
            architecture="source_half",
            lighting_until=66,
            epochs=96,
            # 79 is inferred from run 145: the third division is in the file, not in the notes
            divide_after=(20, 48, 79),
            divide_layer_after=("conv1:66",),
        ),
        "the authors' half network (section 3.2), from the log of its run",
        IMAGENET,
    ),
    "source_155": NamedRecipe(
        SOURCE_EXPONENTIAL,
        "the authors' exponential schedule, learning rate from 0.02 to 0.000005",
        IMAGENET,
    ),
    "source_156": NamedRecipe(
        dataclasses.replace(SOURCE_EXPONENTIAL, final_learning_rate=0.00001, freeze_layer_after=("conv1:72",)),
        "the same, 0.02 to 0.00001",
        IMAGENET,
    ),
    "source_157": NamedRecipe(
        dataclasses.replace(
            SOURCE_EXPONENTIAL, learning_rate=0.04, lighting_until=62, freeze_layer_after=("conv1:73",)
        ),
        "the same, 0.04 to 0.000005",
        IMAGENET,
    ),
    "source_158": NamedRecipe(
        dataclasses.replace(
            SOURCE_EXPONENTIAL,
            learning_rate=0.04,
            final_learning_rate=0.000002,
            lighting_until=63,
            freeze_layer_after=("conv1:77",),
        ),
        "the same, 0.04 to 0.000002",
        IMAGENET,
    ),
    "caffe": NamedRecipe(  # bvlc_alexnet: divided every 100,000 batches of 256, which are 20 epochs of ImageNet
        Recipe(
            architecture="caffe",
            mean="image",
            augmentation=("crop", "mirror"),
            batch_size=256,
            bias_learning_rate_factor=2.0,
            divide_after=(20, 40, 60, 80),
        ),
        "Caffe's replication (bvlc_alexnet)",
        IMAGENET,
    ),
    "torchvision": NamedRecipe(  # references/classification, for AlexNet; there weight decay applies to biases as well
        Recipe(
            architecture="one_weird_trick",
            crop_size=224,
            mean="architecture",
            augmentation=("resized_crop", "mirror"),
            batch_size=256,
            weight_decay=0.0001,
            divide_after=(30, 60),
        ),
        "torchvision's training of its AlexNet",
        IMAGENET,
    ),
    "tflearn": NamedRecipe(  # the code for Flowers-17, which trains for 1000 epochs on pictures squashed to squares
        Recipe(
            architecture="tflearn",
            resize_size=227,
            mean="architecture",
            augmentation=(),
            batch_size=64,
            learning_rate=0.001,
            weight_decay=0.0,
            divisions=0,
        ),
        "the tflearn code of many tutorials, for Oxford Flowers 17",
        1_224,
    ),
    "flowers": NamedRecipe(  # ours, for 1020 training pictures: small crops for many epochs per hour, more augmentation
        Recipe(
            crop_size=131,
            resize_size=148,
            augmentation=("crop", "mirror", "lighting", "vertical_flip", "rotation", "scaling", "translation"),
            lighting="source",
            lighting_std=0.2,
            batch_size=32,
            epochs=240,
            learning_rate=0.0025,
            weight_decay=0.005,
            patience=15,  # used only if --divide-after is passed without values
            divide_after=(200, 224),
        ),
        "ours, for Flowers-102 with 1,020 training pictures",
        1_020,
    ),
    "ablation": NamedRecipe(  # ours: crops small enough for many seeds on two cores, and a fixed schedule
        Recipe(
            crop_size=131,
            resize_size=148,
            lighting="source",
            batch_size=32,
            epochs=36,
            learning_rate=0.0025,  # at 0.01 the network stays at chance
            divide_after=(30,),
        ),
        "ours, to compare networks with several seeds",
        1_020,
    ),
    "conv_local": NamedRecipe(
        CONV_LOCAL,
        "the authors' four-layer network of section 3.3 for CIFAR-10 (13 % errors in the paper)",
        CIFAR_10,
    ),
    "conv_local_norm": NamedRecipe(
        dataclasses.replace(CONV_LOCAL, architecture="conv_local_norm"),
        "the same with normalization (11 % in the paper)",
        CIFAR_10,
    ),
    "figure_1": NamedRecipe(
        FIGURE_1,
        "the four-layer network of figure 1 on CIFAR-10, with ReLU",
        CIFAR_10,
    ),
    "figure_1_tanh": NamedRecipe(
        dataclasses.replace(FIGURE_1, architecture="figure_1_tanh", learning_rate=0.03, epochs=60),
        "the same with tanh",
        CIFAR_10,
    ),
    "petals": NamedRecipe(  # ours, for a few minutes on two cores: small crops, small steps
        Recipe(
            crop_size=99,
            resize_size=112,
            dropout=0.2,
            batch_size=16,
            epochs=16,
            learning_rate=0.001,
            patience=6,
        ),
        "ours, for the drawn flowers; a few minutes on two cores",
        640,
    ),
    "drawn": NamedRecipe(  # ours, to pretrain kernels; few epochs, so little dropout
        Recipe(
            initial_weights="zero_biases",
            dropout=0.2,
            crop_size=131,
            resize_size=148,
            lighting="source",
            batch_size=64,
            epochs=4,
            warmup_steps=50,
            clip_norm=5.0,
            schedule="cosine",
        ),
        "ours, to pretrain kernels on drawn pictures",
        25_600,
    ),
}
RECIPES = {name: named.recipe for name, named in NAMED.items()}

MIN_DATA_SHARE = 0.01  # of the pictures that a recipe was made for; with fewer it is likely to fail

# For any other data set, `training.defaults` chooses the settings from the pictures.
DEFAULT_RECIPES = {"petals": "petals", "drawn": "drawn", "oxford_flowers102": "flowers"}


def too_few_pictures(name: str, pictures: int) -> str | None:
    """Return a warning if a recipe is for many more training pictures than there are, None otherwise.

    Args:
        name: Name of the recipe.
        pictures: Number of training pictures.

    Example:
        >>> too_few_pictures("text", 600)[:70]
        'The recipe text is for about 1,200,000 training pictures; with so few '
        >>> too_few_pictures("flowers", 600) is None
        True
    """
    if pictures >= MIN_DATA_SHARE * NAMED[name].pictures:
        return None
    return (
        f"The recipe {name} is for about {NAMED[name].pictures:,} training pictures; with so few the network may learn "
        f"nothing. Received: {pictures:,}. Leave out --recipe to let the program choose the settings."
    )
