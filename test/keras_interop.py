"""Opens model files with Python Keras and predicts: reads a list of requests on stdin, prints the answers.

Request: {"path": "model.h5", "inputs": [{"shape": [n, h, w, c], "values": [...]}, ...]}, an input for each of the model's.
Answer:  {"version": "2.15.0", "predictions": [per request: [compiled, not compiled: [per output: [[...], ...]]]]}.
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np


def predict(request):
    inputs = [np.array(each["values"], "float32").reshape(each["shape"]) for each in request["inputs"]]
    answers = []
    for compiled in (True, False):
        keras.backend.clear_session()
        model = keras.models.load_model(request["path"], compile=compiled)
        found = model(inputs[0] if len(inputs) == 1 else inputs, training=False)
        outputs = found if isinstance(found, (list, tuple)) else [found]
        answers.append([np.asarray(each, "float64").tolist() for each in outputs])
    return answers


requests = json.load(sys.stdin)
print(json.dumps({"version": keras.__version__, "predictions": [predict(request) for request in requests]}))
