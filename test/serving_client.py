"""Asks a server by Google's own client of TensorFlow Serving, as its users write it: test/serving-client.slow.test.ts.

usage: serving_client.py HOST:PORT VALUES   (VALUES: the model's input, 784 float32, little-endian)
"""

import json
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
import grpc
import numpy
import tensorflow
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

channel = grpc.insecure_channel(sys.argv[1])
predictions = prediction_service_pb2_grpc.PredictionServiceStub(channel)
models = model_service_pb2_grpc.ModelServiceStub(channel)
values = numpy.fromfile(sys.argv[2], dtype="<f4").reshape(1, 28, 28, 1)
levels = numpy.round(values * 255)


def digit(tensor, model="digits"):
    request = predict_pb2.PredictRequest()
    request.model_spec.name = model
    request.model_spec.signature_name = "serving_default"
    request.inputs["flatten_input"].CopyFrom(tensor)
    result = predictions.Predict(request, 10.0)
    return int(numpy.argmax(tensorflow.make_ndarray(result.outputs["dense"])))


by_value = tensorflow.make_tensor_proto(0.0, shape=values.shape)
del by_value.float_val[:]
by_value.float_val.extend(values.ravel().tolist())
digits = {
    "float array": digit(tensorflow.make_tensor_proto(values)),
    "uint8 array": digit(tensorflow.make_tensor_proto(levels.astype(numpy.uint8))),
    "float values": digit(by_value),
    "int64 array": digit(tensorflow.make_tensor_proto(levels.astype(numpy.int64))),
}

status = get_model_status_pb2.GetModelStatusRequest()
status.model_spec.name = "digits"
state = models.GetModelStatus(status, 10.0).model_version_status[0].state

metadata = get_model_metadata_pb2.GetModelMetadataRequest()
metadata.model_spec.name = "digits"
metadata.metadata_field.append("signature_def")
packed = predictions.GetModelMetadata(metadata, 10.0).metadata["signature_def"]
signatures = get_model_metadata_pb2.SignatureDefMap()
assert packed.Unpack(signatures)
inputs = signatures.signature_def["serving_default"].inputs

try:
    digit(by_value, "none")
    unknown = "answered"
except grpc.RpcError as error:
    unknown = error.code().name

print(
    json.dumps(
        {
            "digits": digits,
            "state": get_model_status_pb2.ModelVersionStatus.State.Name(state),
            "input": list(inputs)[0],
            "unknown_model": unknown,
        }
    )
)
