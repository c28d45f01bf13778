"""Averages updates by their numbers of examples, with what NVFlare's aggregators do with each contribution as it comes.

    nvflare_mean.py OUT FILE...

The contributions are read from the files; in a federation of NVFlare's they come over gRPC.
"""
import sys

from nvflare.app_common.aggregators.weighted_aggregation_helper import WeightedAggregationHelper
from updates import read_update, write_model

out, *files = sys.argv[1:]

helper = WeightedAggregationHelper()
for path in files:
    weights, examples = read_update(path)
    helper.add(weights, examples, contributor_name=path, contribution_round=1)
write_model(out, files[0], helper.get_result().items())
