"""Times training steps of the default CNN on PyTorch. Arguments: threads, steps, batch, eager|compiled."""
import sys
import time

STARTED = time.perf_counter()
THREADS, STEPS, BATCH = (int(argument) for argument in sys.argv[1:4])

from torch_model import build, set_threads

set_threads(THREADS)
import torch
from timing import time_steps

_, train = build(compiled=sys.argv[4] == "compiled")
images = torch.rand(BATCH, 1, 28, 28).contiguous(memory_format=torch.channels_last)
labels = torch.randint(0, 10, (BATCH,))
time_steps(
    lambda: train(images, labels).item(), started=STARTED, steps=STEPS, batch=BATCH, version=torch.__version__
)
