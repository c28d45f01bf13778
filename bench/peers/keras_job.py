"""A client's training, or the accuracy test, on Keras 3: `keras_job.py train|test <examples.npz> <in.npz> <out> epochs threads`."""
import json
import sys

from keras_model import build, set_threads

STAGE, EXAMPLES, START, RESULT = sys.argv[1:5]
EPOCHS, THREADS = (int(argument) for argument in sys.argv[5:7])
BATCH = 100

set_threads(THREADS)
import keras
import numpy as np

with np.load(EXAMPLES) as examples:
    x, y = examples["x"][..., None].astype(np.float32) / 255, examples["y"]
model = build()

if STAGE == "train":
    # Every client builds the same model from the same seed; from here on each draws its own order.
    keras.utils.set_random_seed(1 + int(START))
    model.fit(x, y, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    np.savez(RESULT, examples=len(x), **{str(i): array for i, array in enumerate(model.get_weights())})
else:
    with np.load(START) as weights:
        model.set_weights([weights[str(i)] for i in range(len(model.weights))])
    loss, accuracy = model.evaluate(x, y, batch_size=BATCH, verbose=0)
    with open(RESULT, "w") as file:
        json.dump({"accuracy": float(accuracy), "loss": float(loss)}, file)
