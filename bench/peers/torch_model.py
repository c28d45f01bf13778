"""The default CNN on PyTorch, with the settings that its CPU guide recommends (channels_last); import after set_threads."""
import os


def set_threads(count):
    """Before torch is imported: OpenMP reads its variables once."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(count)


def build(compiled=False):
    """Returns (net, step): step(images, labels) trains on a batch [n, 1, 28, 28] and returns its loss tensor."""
    import torch
    import torch.nn as nn
    import torch.nn.functional as F

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(), nn.Conv2d(32, 64, 3), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout(0.25), nn.Flatten(), nn.Dropout(0.5), nn.Linear(9216, 10),
    ).to(memory_format=torch.channels_last)
    optimizer = torch.optim.Adam(net.parameters(), 1e-3, eps=1e-7)
    forward = torch.compile(net) if compiled else net

    def step(images, labels):
        optimizer.zero_grad(set_to_none=True)
        loss = F.cross_entropy(forward(images), labels)
        loss.backward()
        optimizer.step()
        return loss.detach()

    return net, step
