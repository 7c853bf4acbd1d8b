"""Settings of networks that are built for a test."""

from keras_alexnet.models.initializers import Start

# Initial weights of a network whose weights are set afterwards: to draw millions of random numbers takes its time.
ZEROS = {name: Start(0.0, 0.0) for name in (*(f"conv{n}" for n in range(1, 7)), "conv2_low", "local3", "local4")}
ZEROS |= {f"fc{n}": Start(0.0, 0.0) for n in range(4, 10)}
