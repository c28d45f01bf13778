"""Averages updates by their numbers of examples, array by array in float64, as one would with h5py and numpy.

    h5py_mean.py OUT FILE...
"""
import sys

import h5py
import numpy as np

out, *files = sys.argv[1:]


def arrays(group):
    found = []
    group.visititems(lambda name, item: found.append((name, item)) if isinstance(item, h5py.Dataset) else None)
    return found


sums, total = {}, 0
for name in files:
    with h5py.File(name, "r") as file:
        examples = int(file.attrs.get("fedbatch_examples", 1))
        total += examples
        for key, data in arrays(file["model_weights"]):
            product = data[()].astype(np.float64) * examples
            sums[key] = sums[key] + product if key in sums else product

with h5py.File(files[0], "r") as like, h5py.File(out, "w") as file:
    for key, value in like.attrs.items():
        file.attrs[key] = value
    for key, value in sums.items():
        file.create_dataset(f"model_weights/{key}", data=(value / total).astype(np.float32))
