"""FedAvg simulated by Flower with PyTorch: the default CNN on virtual clients, each with its share of MNIST in memory.

Arguments as --name value: data, clients, fraction, rounds, batch, jobs. Prints one JSON line: for each round the seconds
from the first client's instructions to the new global model.

Tuned as Flower's guides advise for the CPU: one core for each client, as many side by side as there are cores, one thread
each; examples read once by each actor and kept; no progress bars, no evaluation, no telemetry.
"""
import argparse
import json
import os
import time

os.environ.setdefault("FLWR_TELEMETRY_ENABLED", "0")
os.environ.setdefault("RAY_DEDUP_LOGS", "0")
os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
# Ray's actors would run at the priority of a background job (15) and lose to whatever else runs; ours do not.
os.environ.setdefault("RAY_worker_niceness", "0")
from torch_model import build, set_threads

set_threads(1)
import numpy
import torch
from flwr.client import ClientApp, NumPyClient
from flwr.common import Context, ndarrays_to_parameters
from flwr.server import ServerApp, ServerAppComponents, ServerConfig
from flwr.server.strategy import FedAvg
from flwr.simulation import run_simulation

parser = argparse.ArgumentParser()
for name, kind in {"data": str, "clients": int, "fraction": float, "rounds": int, "batch": int, "jobs": int}.items():
    parser.add_argument(f"--{name}", type=kind, required=True)
OPTIONS, _ = parser.parse_known_args()

# What an actor keeps from client to client: the examples, the net, its optimizer.
warm = {}


def examples():
    if "examples" not in warm:
        arrays = numpy.load(OPTIONS.data)
        images = torch.from_numpy(arrays["x_train"]).unsqueeze(1)
        labels = torch.from_numpy(arrays["y_train"].astype("int64"))
        warm["examples"] = images, labels, numpy.random.default_rng(0).permutation(len(labels))
    return warm["examples"]


def weights_of(net):
    return [value.numpy() for value in net.state_dict().values()]


class Client(NumPyClient):
    def __init__(self, client):
        self.client = client

    def fit(self, parameters, config):
        images, labels, order = examples()
        own = torch.from_numpy(order[self.client :: OPTIONS.clients])
        # A fresh net has a fresh optimizer, as every client must.
        net, step = build()
        net.load_state_dict({name: torch.from_numpy(value.copy()) for name, value in zip(net.state_dict(), parameters)})
        shuffled = own[torch.randperm(len(own))]
        for picks in shuffled.split(OPTIONS.batch):
            batch = images[picks].float().div_(255).contiguous(memory_format=torch.channels_last)
            step(batch, labels[picks])
        return weights_of(net), len(own), {}


class Timed(FedAvg):
    """FedAvg that looks at the clock."""

    def __init__(self, **options):
        super().__init__(**options)
        self.seconds, self.done = [], []

    def configure_fit(self, server_round, parameters, client_manager):
        self.started = time.perf_counter()
        return super().configure_fit(server_round, parameters, client_manager)

    def aggregate_fit(self, server_round, results, failures):
        if failures:
            raise RuntimeError(f"{len(failures)} clients failed: {failures[0]}")
        aggregated = super().aggregate_fit(server_round, results, failures)
        self.seconds.append(time.perf_counter() - self.started)
        self.done.append(len(results))
        return aggregated


def main():
    net, _ = build()
    strategy = Timed(
        fraction_fit=OPTIONS.fraction,
        # As many from the first round on, when not all clients have announced themselves yet.
        min_fit_clients=max(1, round(OPTIONS.fraction * OPTIONS.clients)),
        min_available_clients=OPTIONS.clients,
        fraction_evaluate=0.0,
        initial_parameters=ndarrays_to_parameters(weights_of(net)),
    )

    def server(_: Context):
        return ServerAppComponents(strategy=strategy, config=ServerConfig(num_rounds=OPTIONS.rounds))

    run_simulation(
        server_app=ServerApp(server_fn=server),
        client_app=ClientApp(client_fn=lambda context: Client(int(context.node_config["partition-id"])).to_client()),
        num_supernodes=OPTIONS.clients,
        backend_config={
            "init_args": {"num_cpus": OPTIONS.jobs, "include_dashboard": False},
            "client_resources": {"num_cpus": 1, "num_gpus": 0.0},
        },
    )
    print(json.dumps({"seconds": strategy.seconds, "clients": strategy.done}))


main()
