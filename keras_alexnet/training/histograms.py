"""Histograms of gradients, weights and outputs for TensorBoard, as with tflearn's `tensorboard_verbose` (ours)."""

import pathlib

import keras
import tensorflow as tf

WEIGHTS, OUTPUTS = 2, 3  # the lowest `verbose` that includes each; gradients are always included


class Histograms(keras.callbacks.Callback):
    """Write histograms after each epoch, always for the same batch.

    The forward pass is without dropout, so it uses no random numbers and does not change training. It costs as much as
    one step.

    Args:
        folder: Folder of the event files.
        images: A batch of preprocessed training pictures, `(batch, height, width, 3)`.
        labels: Their classes, `(batch,)`.
        verbose: 1 for gradients, 2 also for weights, 3 also for layer outputs.
    """

    def __init__(self, folder: pathlib.Path, images: tf.Tensor, labels: tf.Tensor, verbose: int) -> None:
        super().__init__()
        self.images, self.labels, self.verbose = images, labels, verbose
        self.writer = tf.summary.create_file_writer(str(folder / "histograms"))

    def on_train_begin(self, logs: dict | None = None) -> None:
        self.layers = [layer for layer in self.model.layers if not isinstance(layer, keras.layers.InputLayer)]
        outputs = [layer.output for layer in self.layers] if self.verbose >= OUTPUTS else []
        self.network = keras.Model(self.model.input, [self.model.output, *outputs])

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        with self.writer.as_default(step=epoch):
            weights = self.model.trainable_weights
            gradients, outputs = self._pass([weight.value for weight in weights])
            for weight, gradient in zip(weights, gradients, strict=True):
                tf.summary.histogram(f"gradients/{weight.path}", gradient)
                if self.verbose >= WEIGHTS:
                    tf.summary.histogram(f"weights/{weight.path}", weight.value)
            for layer, output in zip(self.layers, outputs, strict=False):
                tf.summary.histogram(f"outputs/{layer.name}", output)
        self.writer.flush()

    def _pass(self, variables):
        """Return the gradients of the loss and the layer outputs."""
        with tf.GradientTape() as tape:
            predictions, *outputs = tf.nest.flatten(self.network(self.images, training=False))
            loss = tf.reduce_mean(keras.losses.sparse_categorical_crossentropy(self.labels, predictions))
        return tape.gradient(loss, variables), outputs
