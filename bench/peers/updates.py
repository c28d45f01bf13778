"""Reads updates and writes a model as Python does: whole arrays, with h5py."""
from __future__ import annotations

from collections.abc import Iterator

import h5py
import numpy as np


def examples_of(update: h5py.File) -> int:
    """The number of examples that it was trained on."""
    return int(update.attrs.get("fedbatch_examples", 1))


def weights_of(update: h5py.File) -> Iterator[tuple[str, np.ndarray]]:
    """Its weights by name, float32, read one after the other."""
    names: list[str] = []
    update["model_weights"].visititems(lambda name, item: names.append(name) if isinstance(item, h5py.Dataset) else None)
    return ((name, update["model_weights"][name][()]) for name in names)


def read_update(path: str) -> tuple[dict[str, np.ndarray], int]:
    """All of its weights, and the number of examples."""
    with h5py.File(path, "r") as update:
        return dict(weights_of(update)), examples_of(update)


def write_model(path: str, like: str, weights: dict[str, np.ndarray]) -> None:
    """Writes `weights` as float32, with the attributes of the file `like`."""
    with h5py.File(like, "r") as source, h5py.File(path, "w") as file:
        for key, value in source.attrs.items():
            file.attrs[key] = value
        for key, value in weights.items():
            file.create_dataset(f"model_weights/{key}", data=np.asarray(value, np.float32))
