"""Times training steps of the default CNN on Keras 3. Arguments: threads, steps, batch, eager|compiled."""
import sys
import time

STARTED = time.perf_counter()
THREADS, STEPS, BATCH = (int(argument) for argument in sys.argv[1:4])

from keras_model import build, set_threads

set_threads(THREADS)
import keras
import numpy as np
import tensorflow as tf
from timing import time_steps

model = build(compiled=sys.argv[4] == "compiled")
random = np.random.default_rng(0)
images = tf.constant(random.random((BATCH, 28, 28, 1), np.float32))
labels = tf.constant(random.integers(0, 10, BATCH))
time_steps(
    lambda: float(model.train_on_batch(images, labels)[0]),
    started=STARTED, steps=STEPS, batch=BATCH, version=keras.__version__,
)
