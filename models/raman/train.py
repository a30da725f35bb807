"""Trains `raman`, mineral fractions from a Raman spectrum, and writes its files.

    python models/raman/train.py [--data DIR] [--epochs N] [--threads N]

DIR holds `spectra-raman`. Needs `models/requirements.txt`.
"""

import sys
from pathlib import Path

import torch
from torch import nn

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from common import export, learn, ship, spectra  # noqa: E402

RECIPE = learn.Recipe(epochs=600, rate=4e-3, seed=30)


def conv(inputs: int, outputs: int, size: int, stride: int) -> nn.Sequential:
    """Convolution with batch normalization, to be folded on export."""
    return nn.Sequential(
        nn.Conv1d(inputs, outputs, size, stride, size // 2, bias=False),
        nn.BatchNorm1d(outputs),
    )


class Raman(nn.Module):
    """Five strided convolutions; where a band lies stays known to the dense layers."""

    def __init__(self):
        super().__init__()
        widths, sizes = (1, 16, 24, 32, 32, 16), (9, 5, 5, 3, 3)
        self.convs = nn.ModuleList(
            conv(widths[i], widths[i + 1], size, 2) for i, size in enumerate(sizes)
        )
        self.hidden = nn.Linear(16 * 47, 32)
        self.dropout = nn.Dropout(0.1)
        self.last = nn.Linear(32, len(spectra.MINERALS))

    def forward(self, x):
        """Fractions [N, 3], which sum to 1."""
        for layer in self.convs:
            x = torch.relu(layer(x))
        x = torch.relu(self.hidden(self.dropout(x.flatten(1))))
        return torch.softmax(self.last(x), 1)


def loss(found: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Squared error of the fractions, in percent so that the optimizer sees its size."""
    return 100 * nn.functional.mse_loss(found, truth)


if __name__ == "__main__":
    data, recipe = ship.start(__doc__, RECIPE)
    train = spectra.read(data)[0]
    net = export.fold(learn.learn(Raman(), lambda rng: spectra.epoch(train, rng), recipe, loss))
    ship.write(net, FOLDER / "raman.float.onnx", spectra.samples(train.part(slice(1))).inputs)
    ship.finish(FOLDER, data)
