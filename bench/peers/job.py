"""The whole job on a Python framework: split, one process per client, weighted average, accuracy test; prints one JSON line.

This process needs numpy alone; the framework is imported where it trains and tests. Works in --volume, which must exist.
"""
import argparse
import json
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np

flags = argparse.ArgumentParser()
flags.add_argument("--framework", choices=["torch", "keras"], required=True)
flags.add_argument("--data", required=True)
flags.add_argument("--volume", required=True)
flags.add_argument("--clients", type=int, default=3)
flags.add_argument("--epochs", type=int, default=2)
flags.add_argument("--jobs", type=int, default=1, help="trainers side by side")
flags.add_argument("--threads", type=int, default=2, help="threads of each trainer")
flags.add_argument("--device", choices=["cpu", "cuda"], default="cpu", help="where PyTorch trains")
flags = flags.parse_args()
PROGRAM = os.path.join(os.path.dirname(os.path.abspath(__file__)), f"{flags.framework}_job.py")
CLIENTS = range(flags.clients)


def at(name):
    return os.path.join(flags.volume, name)


def split():
    with np.load(flags.data) as data:
        x, y = data["x_train"], data["y_train"]
        for client, rows in enumerate(np.array_split(np.random.default_rng(0).permutation(len(x)), flags.clients)):
            np.savez(at(f"shard-{client}.npz"), x=x[rows], y=y[rows])
        np.savez(at("test.npz"), x=data["x_test"], y=data["y_test"])


def run(stage, examples, start, result, threads):
    subprocess.run(
        [sys.executable, PROGRAM, stage, examples, start, result, str(flags.epochs), str(threads), flags.device],
        check=True,
    )


def train():
    with ThreadPoolExecutor(flags.jobs) as pool:
        list(pool.map(
            lambda c: run("train", at(f"shard-{c}.npz"), str(c), at(f"update-{c}.npz"), flags.threads), CLIENTS
        ))


def aggregate():
    total, mean = 0, {}
    for client in CLIENTS:
        with np.load(at(f"update-{client}.npz")) as update:
            examples = int(update["examples"])
            total += examples
            for name in update.files:
                if name != "examples":
                    mean[name] = mean.get(name, 0) + update[name].astype(np.float64) * examples
    np.savez(at("global.npz"), **{name: (array / total).astype(np.float32) for name, array in mean.items()})


def test():
    run("test", at("test.npz"), at("global.npz"), at("accuracy.json"), flags.jobs * flags.threads)


seconds = {}
for stage in (split, train, aggregate, test):
    started = time.perf_counter()
    stage()
    seconds[stage.__name__] = time.perf_counter() - started
with open(at("accuracy.json")) as file:
    print(json.dumps({**json.load(file), "seconds": seconds}))
