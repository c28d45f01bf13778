"""Averages updates by their numbers of examples, array by array in float64, as one would with h5py and numpy.

    h5py_mean.py OUT FILE...
"""
import sys

import h5py
import numpy as np
from updates import examples_of, weights_of, write_model

out, *files = sys.argv[1:]

sums, total = {}, 0
for path in files:
    with h5py.File(path, "r") as update:
        examples = examples_of(update)
        total += examples
        for key, data in weights_of(update):
            product = data[()].astype(np.float64) * examples
            sums[key] = sums[key] + product if key in sums else product
write_model(out, files[0], ((key, value / total) for key, value in sums.items()))
