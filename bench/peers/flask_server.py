"""Serves a Keras model with Flask, as one does: JSON in, one batch of one, JSON out; waitress in front.

Prints "Listening on URL" once it answers. The model is called through a compiled function, which is some times faster
than model.predict.
"""

import argparse
import os
import socket

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import flask
import keras
import numpy
import tensorflow
import waitress

arguments = argparse.ArgumentParser()
arguments.add_argument("--model", required=True)
model = keras.models.load_model(arguments.parse_args().model, compile=False)


@tensorflow.function(input_signature=[tensorflow.TensorSpec([None, 28, 28, 1], tensorflow.float32)])
def probabilities(images):
    return model(images, training=False)


app = flask.Flask(__name__)


@app.post("/v1/models/cnn:predict")
def predict():
    images = numpy.asarray(flask.request.get_json()["instances"], dtype=numpy.float32)
    return {"predictions": probabilities(tensorflow.constant(images)).numpy().tolist()}


probabilities(tensorflow.zeros([1, 28, 28, 1]))
listener = socket.socket()
listener.bind(("127.0.0.1", 0))
print(f"Listening on http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
waitress.serve(app, sockets=[listener], threads=4)
