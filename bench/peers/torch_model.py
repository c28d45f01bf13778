"""The default CNN on PyTorch, with the settings that its CPU guide recommends (channels_last); import after set_threads."""
import os


def set_threads(count):
    """Before torch is imported: OpenMP reads its variables once."""
    for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = str(count)


def cnn():
    import torch
    import torch.nn as nn

    return nn.Sequential(
        nn.Conv2d(1, 32, 3), nn.ReLU(inplace=True), nn.Conv2d(32, 64, 3), nn.ReLU(inplace=True), nn.MaxPool2d(2),
        nn.Dropout(0.25), nn.Flatten(), nn.Dropout(0.5), nn.Linear(9216, 10),
    ).to(memory_format=torch.channels_last)


def trainer(net, loss, compiled=False):
    """Returns step(inputs, targets), which trains `net` with Adam on a batch and returns its loss tensor."""
    import torch

    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    # One pass over all parameters; on the CPU since 2.4.
    fused = {"fused": True} if int(torch.__version__.split(".")[0]) >= 2 else {}
    trained = [each for each in net.parameters() if each.requires_grad]
    optimizer = torch.optim.Adam(trained, 1e-3, eps=1e-7, **fused)
    forward = torch.compile(net) if compiled else net

    def step(inputs, targets):
        optimizer.zero_grad(set_to_none=True)
        value = loss(forward(inputs), targets)
        value.backward()
        optimizer.step()
        return value.detach()

    return step


def build(device="cpu"):
    """Returns (net, step) of the CNN: step(images, labels) trains on a batch [n, 1, 28, 28] and returns its loss tensor."""
    import torch
    import torch.nn.functional as F

    torch.manual_seed(0)
    net = cnn().to(device)
    return net, trainer(net, F.cross_entropy)
