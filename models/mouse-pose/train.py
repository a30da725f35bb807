"""Trains `mouse-pose`, heat maps of 17 points of a mouse seen from two sides, and writes its files.

    python models/mouse-pose/train.py [--data DIR] [--epochs N] [--threads N]

DIR holds `pose-mirror-mouse`. Needs `models/requirements.txt`.
"""

import sys
from pathlib import Path

import torch
from torch import nn

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from common import export, learn, nets, pose, ship  # noqa: E402

RECIPE = learn.Recipe(epochs=70, rate=3e-3, seed=33, batch=6, half=True)
WIDTHS = (24, 48, 96, 128)
SPREAD = 1.2
"""Of a point's mark in its map, in cells."""


def pair(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    """Two 3x3 convolutions, the first with the stride."""
    return nn.Sequential(
        nets.conv(inputs, outputs, stride=stride),
        nn.ReLU(),
        nets.conv(outputs, outputs),
        nn.ReLU(),
    )


class Pose(nn.Module):
    """Four strides of two, then up by resizing to half the input's size, each level joined."""

    def __init__(self):
        super().__init__()
        ends = zip((1, *WIDTHS[:-1]), WIDTHS)
        self.down = nn.ModuleList(pair(*widths, stride=2) for widths in ends)
        levels = list(zip(WIDTHS[:0:-1], WIDTHS[-2::-1]))
        self.join = nn.ModuleList(pair(below + own, own) for below, own in levels)
        self.last = nn.Conv2d(WIDTHS[0], pose.POINTS, 1)

    def forward(self, x):
        """Logits [N, 17, 104, 104] in training, probabilities over each map's cells after it."""
        levels = []
        for layer in self.down:
            x = layer(x)
            levels.append(x)
        for join, beside in zip(self.join, levels[-2::-1]):
            x = nn.functional.interpolate(x, scale_factor=2.0, mode="bilinear")
            x = join(torch.cat([x, beside], 1))
        logits = self.last(x)
        if self.training:
            return logits
        flat = logits.reshape(-1, pose.POINTS, pose.MAP * pose.MAP)
        return flat.softmax(2).reshape(-1, pose.POINTS, pose.MAP, pose.MAP)


def loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of each labelled point's map against a mark around its place."""
    cells = torch.arange(pose.MAP)
    labelled = ~truth.isnan().any(2)
    x, y = (torch.exp(-((truth[labelled] - cells[:, None, None]) / SPREAD) ** 2 / 2)).unbind(2)
    marks = (y.T[:, :, None] * x.T[:, None, :]).flatten(1)
    marks = marks / marks.sum(1, keepdim=True).clamp_min(1e-6)
    found = logits.float()[labelled].flatten(1).log_softmax(1)
    return -(marks * found).sum(1).mean()


if __name__ == "__main__":
    data, recipe = ship.start(__doc__, RECIPE)
    train = pose.read(data)[0]
    net = Pose().to(memory_format=torch.channels_last)
    net = export.fold(learn.learn(net, lambda rng: pose.epoch(train, rng), recipe, loss))
    ship.write(net, FOLDER / "mouse-pose.float.onnx", pose.test(data).inputs[:1])
    ship.finish(FOLDER, data, golden_count=1)
