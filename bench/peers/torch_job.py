"""A client's training, or the accuracy test, on PyTorch.

`torch_job.py train|test <examples.npz> <in.npz> <out> epochs threads cpu|cuda`
"""
import json
import sys

from torch_model import build, set_threads

STAGE, EXAMPLES, START, RESULT = sys.argv[1:5]
EPOCHS, THREADS = (int(argument) for argument in sys.argv[5:7])
DEVICE = sys.argv[7]
BATCH = 100

set_threads(THREADS)
import numpy as np
import torch
import torch.nn.functional as F

with np.load(EXAMPLES) as examples:
    x, y = torch.from_numpy(examples["x"]).unsqueeze(1), torch.from_numpy(examples["y"]).long()
net, step = build(DEVICE)


def batches(order, size):
    for rows in order.split(size):
        images = x[rows].float().div_(255).contiguous(memory_format=torch.channels_last)
        yield images.to(DEVICE), y[rows].to(DEVICE)


if STAGE == "train":
    # Every client builds the same net from the same seed; from here on each draws its own order and dropout.
    torch.manual_seed(1 + int(START))
    net.train()
    for _ in range(EPOCHS):
        for images, labels in batches(torch.randperm(len(x)), BATCH):
            step(images, labels)
    np.savez(RESULT, examples=len(x), **{str(i): p.detach().cpu().numpy() for i, p in enumerate(net.parameters())})
else:
    with np.load(START) as weights, torch.no_grad():
        for i, parameter in enumerate(net.parameters()):
            parameter.copy_(torch.from_numpy(weights[str(i)]))
    net.eval()
    with torch.inference_mode():
        correct = loss = 0.0
        for images, labels in batches(torch.arange(len(x)), BATCH):
            logits = net(images)
            loss += F.cross_entropy(logits, labels, reduction="sum").item()
            correct += (logits.argmax(1) == labels).sum().item()
    with open(RESULT, "w") as file:
        json.dump({"accuracy": correct / len(x), "loss": loss / len(x)}, file)
