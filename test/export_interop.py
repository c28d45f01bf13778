"""Opens exported models with the programs that they are for: reads a list of requests on stdin, prints the answers.

Request: {"to": "onnx", "path": "model.onnx", "inputs": [{"name": "input", "shape": [n, ...], "type": "float32", "values": [...]}]}.
Answer:  {"outputs": {"name": [...]}, "facts": {...}}; of safetensors {"arrays": {"name": {"shape": [...], "values": [...]}}, ...}.
"""

import json
import os
import re
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import numpy as np


def arrays_of(inputs):
    return {each["name"]: np.array(each["values"], each["type"]).reshape(each["shape"]) for each in inputs}


def flat(value):
    return np.asarray(value, "float64").reshape(-1).tolist()


def open_onnx(path, inputs):
    import onnx
    import onnxruntime

    onnx.checker.check_model(path, full_check=True)
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    found = session.run(None, arrays_of(inputs))
    names = [each.name for each in session.get_outputs()]
    facts = session.get_modelmeta().custom_metadata_map
    return {"outputs": dict(zip(names, map(flat, found))), "facts": facts}


def open_safetensors(path, _inputs):
    from safetensors import safe_open

    with safe_open(path, framework="np") as opened:
        arrays = {name: opened.get_tensor(name) for name in opened.keys()}
        told = {name: {"shape": list(each.shape), "values": flat(each)} for name, each in arrays.items()}
        return {"arrays": told, "facts": opened.metadata()}


def open_keras(path, inputs):
    import keras

    model = keras.models.load_model(path)
    given = list(arrays_of(inputs).values())
    found = model(given[0] if len(given) == 1 else given, training=False)
    found = found if isinstance(found, (list, tuple)) else [found]
    return {"outputs": {str(at): flat(each) for at, each in enumerate(found)}, "facts": {}}


def open_savedmodel(path, inputs):
    import tensorflow as tf

    serve = tf.saved_model.load(path).signatures["serving_default"]
    given = {re.sub(r"[^A-Za-z0-9_.]", "_", name): tf.constant(each) for name, each in arrays_of(inputs).items()}
    with open(os.path.join(path, "assets.extra", "fedbatch.json"), encoding="utf8") as file:
        facts = json.load(file)
    return {"outputs": {name: flat(each) for name, each in serve(**given).items()}, "facts": facts}


OPEN = {"onnx": open_onnx, "safetensors": open_safetensors, "keras": open_keras, "savedmodel": open_savedmodel}
requests = json.load(sys.stdin)
answers = [OPEN[request["to"]](request["path"], request["inputs"]) for request in requests]
print(json.dumps(answers))
