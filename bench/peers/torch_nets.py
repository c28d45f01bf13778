"""The models of bench/step-models.ts on PyTorch, with a loss and random batches; import after set_threads."""
import torch
import torch.nn as nn
import torch.nn.functional as F
from torch_model import cnn

COLUMNS = [(1115, 10), (7, 6), (3, 2), (12, 6), (31, 10), (12, 6)]
CHARACTERS, LENGTH = 90, 80


def dense():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 128), nn.ReLU(inplace=True), nn.Dropout(0.2), nn.Linear(128, 10))


class Table(nn.Module):
    def __init__(self):
        super().__init__()
        self.embeddings = nn.ModuleList(nn.Embedding(below, units) for below, units in COLUMNS)
        width = 1 + sum(units for _, units in COLUMNS)
        self.dense = nn.Sequential(
            nn.Linear(width, 1000), nn.ReLU(inplace=True), nn.Linear(1000, 500), nn.ReLU(inplace=True),
            nn.Linear(500, 1), nn.Sigmoid(),
        )

    def forward(self, inputs):
        *columns, promotion = inputs
        rows = [embedding(column) for embedding, column in zip(self.embeddings, columns)]
        return self.dense(torch.cat([*rows, promotion], 1))


class Characters(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(CHARACTERS, 8)
        self.lstm = nn.LSTM(8, 128, batch_first=True)
        self.dense = nn.Linear(128, CHARACTERS)
        # Keras' LSTM has one bias where PyTorch's has two.
        nn.init.zeros_(self.lstm.bias_hh_l0).requires_grad_(False)

    def forward(self, numbers):
        states, _ = self.lstm(self.embedding(numbers))
        return self.dense(states[:, -1])


def convolve(inputs, filters, side, stride):
    return nn.Conv2d(inputs, filters, side, stride, padding=side // 2, bias=False)


class Block(nn.Module):
    def __init__(self, inputs, filters, stride):
        super().__init__()
        self.body = nn.Sequential(
            convolve(inputs, filters, 3, stride), nn.GroupNorm(8, filters, 1e-3), nn.ReLU(inplace=True),
            convolve(filters, filters, 3, 1), nn.GroupNorm(8, filters, 1e-3),
        )
        self.shortcut = nn.Identity() if stride == 1 else nn.Sequential(
            convolve(inputs, filters, 1, stride), nn.GroupNorm(8, filters, 1e-3)
        )

    def forward(self, x):
        return F.relu(self.body(x) + self.shortcut(x), inplace=True)


def resnet():
    return nn.Sequential(
        convolve(3, 16, 3, 1), nn.GroupNorm(8, 16, 1e-3), nn.ReLU(inplace=True),
        Block(16, 16, 1), Block(16, 32, 2), Block(32, 64, 2),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10),
    ).to(memory_format=torch.channels_last)


def images(channels, side):
    def batch(count):
        pixels = torch.rand(count, channels, side, side).contiguous(memory_format=torch.channels_last)
        return pixels, torch.randint(0, 10, (count,))

    return batch


def table_rows(count):
    columns = [torch.randint(0, below, (count,)) for below, _ in COLUMNS]
    return [*columns, torch.rand(count, 1)], torch.rand(count, 1)


def texts(count):
    return torch.randint(0, CHARACTERS, (count, LENGTH)), torch.randint(0, CHARACTERS, (count,))


MODELS = {
    "cnn": (cnn, F.cross_entropy, images(1, 28)),
    "dense": (dense, F.cross_entropy, images(1, 28)),
    "table": (Table, F.mse_loss, table_rows),
    "lstm": (Characters, F.cross_entropy, texts),
    "resnet": (resnet, F.cross_entropy, images(3, 32)),
}
