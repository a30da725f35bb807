"""Trains `cells-heavy`, the host's cell finder, and writes its float and int8 ONNX files.

    python models/cells-heavy/train.py [--data DIR] [--epochs N] [--threads N] [--quantize-only]

DIR holds `cells-bccd`. Needs `models/requirements.txt`. Scores: `models/score.py`.
"""

import sys
from pathlib import Path

from torch import nn

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from common import build, fit, nets  # noqa: E402
from common.data import CLASSES  # noqa: E402

RECIPE = fit.Recipe(epochs=100, rate=2e-3, seed=21, class_weight=(1.0, 3.0, 3.0, 6.0))


def cells_heavy() -> nn.Module:
    """Three strides of two with residual blocks of plain 3x3 convolutions at 40x30 and 20x15."""
    return nn.Sequential(
        nets.conv(3, 24, stride=2),
        nn.ReLU(),
        nets.conv(24, 48, stride=2),
        nn.ReLU(),
        nets.plain_residual(48),
        nets.conv(48, 88, stride=2),
        nn.ReLU(),
        nets.plain_residual(88),
        nets.plain_residual(88),
        nn.Conv2d(88, len(CLASSES), 1),
    )


if __name__ == "__main__":
    build.build(FOLDER, cells_heavy, RECIPE)
