"""Times training steps of a model on PyTorch. Arguments: model, threads, steps, batch, eager|compiled."""
import sys
import time

STARTED = time.perf_counter()
MODEL = sys.argv[1]
THREADS, STEPS, BATCH = (int(argument) for argument in sys.argv[2:5])

from torch_model import set_threads, trainer

set_threads(THREADS)
import torch
from timing import time_steps
from torch_nets import MODELS

torch.manual_seed(0)
make, loss, batch = MODELS[MODEL]
net = make()
train = trainer(net, loss, compiled=sys.argv[5] == "compiled")
inputs, targets = batch(BATCH)
time_steps(
    lambda: train(inputs, targets).item(), started=STARTED, steps=STEPS, batch=BATCH, version=torch.__version__,
    parameters=sum(each.numel() for each in net.parameters() if each.requires_grad),
)
