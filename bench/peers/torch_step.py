"""Times training steps of the same CNN on PyTorch (CPU, channels_last); prints one JSON line. Arguments: threads, steps, batch."""
import json
import os
import sys
import time

START = time.perf_counter()
THREADS, STEPS, BATCH = (int(argument) for argument in sys.argv[1:4])
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = str(THREADS)

import torch
import torch.nn as nn
import torch.nn.functional as F

torch.set_num_threads(THREADS)
torch.manual_seed(0)
net = nn.Sequential(
    nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
    nn.Dropout(0.25), nn.Flatten(), nn.Dropout(0.5), nn.Linear(9216, 10),
).to(memory_format=torch.channels_last)
optimizer = torch.optim.Adam(net.parameters(), 1e-3)
images = torch.rand(BATCH, 1, 28, 28).contiguous(memory_format=torch.channels_last)
labels = torch.randint(0, 10, (BATCH,))


def step():
    optimizer.zero_grad(set_to_none=True)
    loss = F.cross_entropy(net(images), labels)
    loss.backward()
    optimizer.step()
    return float(loss)


step()
first_step_seconds = time.perf_counter() - START
for _ in range(5):
    step()
seconds = []
for _ in range(STEPS):
    started = time.perf_counter()
    step()
    seconds.append(time.perf_counter() - started)
median = sorted(seconds)[len(seconds) // 2]
print(json.dumps({
    "stepMs": median * 1e3,
    "imagesPerSecond": BATCH / median,
    "firstStepSeconds": first_step_seconds,
    "version": torch.__version__,
}))
