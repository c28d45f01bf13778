"""Averages updates by their numbers of examples, one after the other in float64, as one would with h5py and numpy.

    h5py_mean.py OUT FILE...
"""
import sys

import numpy as np
from updates import read_update, write_model

out, *files = sys.argv[1:]

sums, total = {}, 0
for path in files:
    weights, examples = read_update(path)
    total += examples
    for key, value in weights.items():
        product = value.astype(np.float64) * examples
        sums[key] = sums[key] + product if key in sums else product
write_model(out, files[0], {key: value / total for key, value in sums.items()})
