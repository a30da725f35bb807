"""Trains `nuclei-unet`, which finds the nuclei in a microscope picture, and writes its files.

    python models/nuclei-unet/train.py [--data DIR] [--epochs N] [--threads N]

DIR holds `nuclei-dsb2018`. Needs `models/requirements.txt`.
"""

import sys
from pathlib import Path

import torch
from torch import nn

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from common import export, learn, nets, nuclei, ship  # noqa: E402

RECIPE = learn.Recipe(epochs=12, rate=3e-3, seed=32, batch=4, half=True)
WIDTHS = (16, 32, 64, 128)
CLASS_WEIGHT = (1.0, 1.0, 2.0)


def pair(inputs: int, outputs: int) -> nn.Sequential:
    """Two 3x3 convolutions."""
    return nn.Sequential(
        nets.conv(inputs, outputs), nn.ReLU(), nets.conv(outputs, outputs), nn.ReLU()
    )


class UNet(nn.Module):
    """Three times down by max pooling and up by transposed convolution, each level joined."""

    def __init__(self):
        super().__init__()
        self.down = nn.ModuleList(pair(*ends) for ends in zip((3, *WIDTHS[:-1]), WIDTHS))
        levels = list(zip(WIDTHS[:0:-1], WIDTHS[-2::-1]))
        self.up = nn.ModuleList(nn.ConvTranspose2d(below, own, 2, 2) for below, own in levels)
        self.join = nn.ModuleList(pair(2 * own, own) for _, own in levels)
        self.last = nn.Conv2d(WIDTHS[0], len(nuclei.CLASSES), 1)

    def forward(self, x):
        """Logits [N, 3, H, W] in training, probabilities after it."""
        levels = []
        for layer in self.down:
            x = layer(nn.functional.max_pool2d(x, 2) if levels else x)
            levels.append(x)
        for up, join, beside in zip(self.up, self.join, levels[-2::-1]):
            x = join(torch.cat([up(x), beside], 1))
        logits = self.last(x)
        return logits if self.training else logits.softmax(1)


def loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross-entropy, edges weighted up."""
    return nn.functional.cross_entropy(logits.float(), truth, torch.tensor(CLASS_WEIGHT))


if __name__ == "__main__":
    data, recipe = ship.start(__doc__, RECIPE)
    train = nuclei.read(data)[0]
    net = UNet().to(memory_format=torch.channels_last)
    net = export.fold(learn.learn(net, lambda rng: nuclei.epoch(train, rng), recipe, loss))
    ship.write(net, FOLDER / "nuclei-unet.float.onnx", nuclei.test(data).inputs[:1])
    ship.finish(FOLDER, data, golden_count=2)
