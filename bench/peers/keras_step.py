"""Times training steps of a model on Keras 3. Arguments: model, threads, steps, batch, eager|compiled."""
import sys
import time

STARTED = time.perf_counter()
MODEL = sys.argv[1]
THREADS, STEPS, BATCH = (int(argument) for argument in sys.argv[2:5])

from keras_model import compile_model, set_threads

set_threads(THREADS)
import keras
import numpy as np
import tensorflow as tf
from keras_nets import MODELS
from timing import time_steps

keras.utils.set_random_seed(0)
make, loss, batch = MODELS[MODEL]
model = compile_model(make(), loss, compiled=sys.argv[5] == "compiled")
inputs, targets = tf.nest.map_structure(tf.constant, batch(np.random.default_rng(0), BATCH))
time_steps(
    lambda: float(tf.nest.flatten(model.train_on_batch(inputs, targets))[0]),
    started=STARTED, steps=STEPS, batch=BATCH, version=keras.__version__, parameters=model.count_params(),
)
