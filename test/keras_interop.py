"""Opens model files with Python Keras and predicts: reads a list of requests on stdin, prints the answers.

Request: {"path": "model.h5", "shape": [n, h, w, c], "images": [...]}.
Answer:  {"version": "2.15.0", "predictions": [[[...]] compiled, [[...]] not compiled] per request}.
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import keras
import numpy as np


def predict(request):
    images = np.array(request["images"], "float32").reshape(request["shape"])
    answers = []
    for compiled in (True, False):
        keras.backend.clear_session()
        model = keras.models.load_model(request["path"], compile=compiled)
        answers.append(np.asarray(model(images, training=False), "float64").tolist())
    return answers


requests = json.load(sys.stdin)
print(json.dumps({"version": keras.__version__, "predictions": [predict(request) for request in requests]}))
