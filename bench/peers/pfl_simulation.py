"""FedAvg simulated by pfl-research with PyTorch: the default CNN on virtual clients, each with its share of MNIST in memory.

Arguments as --name value: data, clients, fraction, rounds, batch, jobs. Prints one JSON line: for each round the seconds
from its beginning to the new global model, and how many clients it had.

A process for each job, of one thread, as pfl's guide to distributed simulations advises: each trains its part of a
cohort, and their sums are reduced by gloo. No evaluation; examples are read once by each process and kept.
"""
import argparse
import json
import os
import socket
import subprocess
import sys
import time

parser = argparse.ArgumentParser()
for name, kind in {"data": str, "clients": int, "fraction": float, "rounds": int, "batch": int, "jobs": int}.items():
    parser.add_argument(f"--{name}", type=kind, required=True)
OPTIONS = parser.parse_args()


def start_all():
    """One process for each job; the first one's words are ours."""
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = free.getsockname()[1]
    # The first address is where all meet; the others only say how many they are.
    addresses = ",".join(f"localhost:{port + rank}" for rank in range(OPTIONS.jobs))
    started = [
        subprocess.Popen(
            [sys.executable, *sys.argv],
            env={**os.environ, "PFL_WORKER_ADDRESSES": addresses, "PFL_WORKER_RANK": str(rank)},
            stdout=None if rank == 0 else subprocess.DEVNULL,
        )
        for rank in range(OPTIONS.jobs)
    ]
    sys.exit(max(process.wait() for process in started))


def main():
    from torch_model import cnn, set_threads

    set_threads(1)
    import numpy
    import torch
    from pfl.aggregate.simulate import SimulatedBackend
    from pfl.aggregate.weighting import WeightByDatapoints
    from pfl.algorithm.base import NNAlgorithmParams
    from pfl.algorithm.federated_averaging import FederatedAveraging
    from pfl.callback.base import TrainingProcessCallback
    from pfl.data.federated_dataset import FederatedDataset
    from pfl.data.pytorch import PyTorchTensorDataset
    from pfl.data.sampling import get_user_sampler
    from pfl.hyperparam import NNTrainHyperParams
    from pfl.metrics import Metrics, Weighted
    from pfl.model.pytorch import PyTorchModel

    torch.set_num_threads(1)
    # All processes draw the same clients, and start from the same model.
    numpy.random.seed(0)
    torch.manual_seed(0)

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.layers = cnn()

        def loss(self, images, labels):
            self.train()
            return torch.nn.functional.cross_entropy(self.layers(images), labels)

        def metrics(self, images, labels):
            """pfl asks before and after each client of the first round: nothing is computed for it."""
            return {"examples": Weighted(len(labels), 1)}

    arrays = numpy.load(OPTIONS.data)
    all_images = torch.from_numpy(arrays["x_train"]).unsqueeze(1)
    all_labels = torch.from_numpy(arrays["y_train"].astype("int64"))
    order = torch.from_numpy(numpy.random.default_rng(0).permutation(len(all_labels)))

    def examples_of(client):
        own = order[client :: OPTIONS.clients]
        picks = own[torch.randperm(len(own))]
        images = all_images[picks].float().div_(255).contiguous(memory_format=torch.channels_last)
        return PyTorchTensorDataset((images, all_labels[picks]), user_id=str(client))

    cohort = max(1, round(OPTIONS.fraction * OPTIONS.clients))
    datasets = FederatedDataset(examples_of, get_user_sampler("minimize_reuse", list(range(OPTIONS.clients))))
    net = Net()
    model = PyTorchModel(
        net,
        local_optimizer_create=lambda parameters, lr: torch.optim.Adam(parameters, lr, eps=1e-7, fused=True),
        central_optimizer=torch.optim.SGD(net.parameters(), 1.0),
    )

    class Clock(TrainingProcessCallback):
        def __init__(self):
            self.seconds = []

        def on_train_begin(self, *, model):
            self.since = time.perf_counter()
            return Metrics()

        def after_central_iteration(self, aggregate_metrics, model, *, central_iteration):
            now = time.perf_counter()
            self.seconds.append(now - self.since)
            self.since = now
            return False, Metrics()

    clock = Clock()
    FederatedAveraging().run(
        backend=SimulatedBackend(training_data=datasets, val_data=datasets, postprocessors=[WeightByDatapoints()]),
        model=model,
        algorithm_params=NNAlgorithmParams(
            central_num_iterations=OPTIONS.rounds,
            evaluation_frequency=OPTIONS.rounds + 1,
            train_cohort_size=cohort,
            val_cohort_size=None,
        ),
        model_train_params=NNTrainHyperParams(
            local_num_epochs=1, local_learning_rate=1e-3, local_batch_size=OPTIONS.batch
        ),
        callbacks=[clock],
        send_metrics_to_platform=False,
    )
    print(json.dumps({"seconds": clock.seconds, "clients": [cohort] * OPTIONS.rounds}))


if "PFL_WORKER_RANK" in os.environ:
    main()
else:
    start_all()
