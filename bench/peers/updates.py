"""Reads updates and writes a model as a framework in Python would: whole arrays, with h5py."""
from __future__ import annotations

import h5py
import numpy as np


def read_update(path: str) -> tuple[dict[str, np.ndarray], int]:
    """The weights of an update by name, float32, and the number of examples that it was trained on."""
    weights: dict[str, np.ndarray] = {}

    def keep(name: str, item: h5py.Dataset | h5py.Group) -> None:
        if isinstance(item, h5py.Dataset):
            weights[name] = item[()]

    with h5py.File(path, "r") as file:
        file["model_weights"].visititems(keep)
        return weights, int(file.attrs.get("fedbatch_examples", 1))


def write_model(path: str, like: str, weights: dict[str, np.ndarray]) -> None:
    """Writes `weights` as float32, with the attributes of the file `like`."""
    with h5py.File(like, "r") as source, h5py.File(path, "w") as file:
        for key, value in source.attrs.items():
            file.attrs[key] = value
        for key, value in weights.items():
            file.create_dataset(f"model_weights/{key}", data=np.asarray(value, np.float32))
