"""Writes requests as TensorFlow Serving's own Python client puts them on the wire: server/grpc/fixtures/predict-*.bin.

usage: make_serving_requests.py VALUES DIRECTORY   (VALUES: the model's input, 784 float32, little-endian)
"""

import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import numpy
import tensorflow
from tensorflow_serving.apis import predict_pb2

values = numpy.fromfile(sys.argv[1], dtype="<f4").reshape(1, 28, 28, 1)
levels = numpy.round(values * 255).astype(numpy.uint8)


def write(name, tensor):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = "digits"
    request.model_spec.signature_name = "serving_default"
    request.inputs["flatten_input"].CopyFrom(tensor)
    with open(os.path.join(sys.argv[2], f"predict-{name}.bin"), "wb") as file:
        file.write(request.SerializeToString())


# make_tensor_proto writes arrays into tensor_content, and lists of numbers with one value into float_val.
write("float-content", tensorflow.make_tensor_proto(values))
write("uint8-content", tensorflow.make_tensor_proto(levels))
by_value = tensorflow.make_tensor_proto(0.0, shape=values.shape)
del by_value.float_val[:]
by_value.float_val.extend(values.ravel().tolist())
write("float-values", by_value)
