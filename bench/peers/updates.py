"""Reads updates and writes a model as Python does: whole arrays, with h5py."""
from __future__ import annotations

from collections.abc import Iterable

import h5py
import numpy as np


def examples_of(update: h5py.File) -> int:
    """The number of examples that it was trained on."""
    return int(update.attrs.get("fedbatch_examples", 1))


def weights_of(update: h5py.File) -> list[tuple[str, h5py.Dataset]]:
    """Its weights by name, float32, not read yet."""
    found: list[tuple[str, h5py.Dataset]] = []
    update["model_weights"].visititems(lambda *each: found.append(each) if isinstance(each[1], h5py.Dataset) else None)
    return found


def read_update(path: str) -> tuple[dict[str, np.ndarray], int]:
    """All of its weights, and the number of examples."""
    with h5py.File(path, "r") as update:
        return {name: data[()] for name, data in weights_of(update)}, examples_of(update)


def write_model(path: str, like: str, weights: Iterable[tuple[str, np.ndarray]]) -> None:
    """Writes `weights` one after the other as float32, with the attributes of the file `like`."""
    with h5py.File(like, "r") as source, h5py.File(path, "w") as file:
        for key, value in source.attrs.items():
            file.attrs[key] = value
        for key, value in weights:
            file.create_dataset(f"model_weights/{key}", data=np.asarray(value, np.float32))
