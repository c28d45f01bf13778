"""Writes a Keras model as a SavedModel of TensorFlow: what `npx fedbatch export --to savedmodel` runs.

    python export_savedmodel.py model.keras folder [facts.json]

Needs tensorflow 2.13 or newer (pip install tensorflow). The folder's signature serving_default takes and gives tensors by
the names in the facts, those of Keras without them; the facts go along as assets.extra/fedbatch.json. Ends with 3 where
there is no TensorFlow, with 4 where its Keras does not open the model.
"""

import json
import os
import re
import sys

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# A graph is traced, nothing is computed: graphics cards are left alone.
os.environ["CUDA_VISIBLE_DEVICES"] = ""
os.environ["KERAS_BACKEND"] = "tensorflow"


def fail(code, reason):
    print(" ".join(str(reason).split()), file=sys.stderr)
    sys.exit(code)


def named(values, names):
    return {re.sub(r"[^A-Za-z0-9_.]", "_", name): value for name, value in zip(names, values)}


def main(model_path, folder, facts_path=None):
    try:
        import tensorflow as tf
    except ImportError as error:
        fail(3, error)
    try:
        model = tf.keras.models.load_model(model_path, compile=False)
    except Exception as error:
        fail(4, error)
    facts = {}
    if facts_path is not None:
        with open(facts_path, encoding="utf8") as file:
            facts = json.load(file)
    given = facts.get("inputs") or [
        {"name": each.name.split(":")[0], "shape": each.shape[1:], "type": each.dtype} for each in model.inputs
    ]
    specs = [
        tf.TensorSpec([None, *each["shape"]], each["type"], name=name)
        for name, each in named(given, [each["name"] for each in given]).items()
    ]
    outputs = [each["name"] for each in facts.get("outputs", [])] or list(model.output_names)

    @tf.function(input_signature=specs)
    def serve(*tensors):
        found = model(tensors[0] if len(tensors) == 1 else list(tensors), training=False)
        return named(found if isinstance(found, (list, tuple)) else [found], outputs)

    holder = tf.Module()
    holder.model = model
    tf.saved_model.save(holder, folder, signatures={"serving_default": serve})
    if facts:
        os.makedirs(os.path.join(folder, "assets.extra"))
        with open(os.path.join(folder, "assets.extra", "fedbatch.json"), "w", encoding="utf8") as file:
            json.dump(facts, file, indent=2)
            file.write("\n")
    print(json.dumps({"tensorflow": tf.__version__}))


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        fail(2, __doc__)
    main(*sys.argv[1:])
