"""Averages updates by their numbers of examples, with what Flower's FedAvg does with the replies of its clients.

    flower_mean.py OUT FILE...

The replies are made from the files; in a federation of Flower's they come over gRPC.
"""
import sys

from flwr.app import Array, ArrayRecord, MetricRecord, RecordDict
from flwr.serverapp.strategy.strategy_utils import aggregate_arrayrecords
from updates import read_update, write_model

out, *files = sys.argv[1:]


def reply(path: str) -> RecordDict:
    """What a client sends: its weights, and the number that they weigh."""
    weights, examples = read_update(path)
    arrays = ArrayRecord({key: Array(value) for key, value in weights.items()})
    return RecordDict({"arrays": arrays, "metrics": MetricRecord({"num-examples": examples})})


mean = aggregate_arrayrecords([reply(path) for path in files], "num-examples")
write_model(out, files[0], ((key, array.numpy()) for key, array in mean.items()))
