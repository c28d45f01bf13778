"""Times training steps of a model on PyTorch.

Arguments: model, threads, steps, batch, eager|compiled; then cpu|cuda, and seconds after which no step begins.
"""
import sys
import time

STARTED = time.perf_counter()
MODEL = sys.argv[1]
THREADS, STEPS, BATCH = (int(argument) for argument in sys.argv[2:5])
DEVICE, SECONDS = [*sys.argv[6:8], *["cpu", "inf"][len(sys.argv[6:8]):]]

from torch_model import set_threads, trainer

set_threads(THREADS)
import torch
from timing import time_steps
from torch_nets import MODELS

torch.manual_seed(0)
make, loss, batch = MODELS[MODEL]
net = make().to(DEVICE)
train = trainer(net, loss, compiled=sys.argv[5] == "compiled")
inputs, targets = batch(BATCH)


def on_device(each):
    """A batch lies in the processor's memory, as examples do: a card takes it there in each step."""
    return [part.to(DEVICE) for part in each] if isinstance(each, list) else each.to(DEVICE)


time_steps(
    lambda: train(on_device(inputs), on_device(targets)).item(), started=STARTED, steps=STEPS, seconds=float(SECONDS),
    batch=BATCH, version=torch.__version__,
    parameters=sum(each.numel() for each in net.parameters() if each.requires_grad),
)
