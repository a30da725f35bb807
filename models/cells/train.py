"""Trains `cells`, the board's cell finder, and writes its float and int8 ONNX files.

    python models/cells/train.py [--data DIR] [--epochs N] [--threads N] [--quantize-only]

DIR holds `cells-bccd`. Needs `models/requirements.txt`. Scores: `models/score.py`.
"""

import sys
from pathlib import Path

from torch import nn

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from common import build, fit, nets  # noqa: E402
from common.data import CLASSES  # noqa: E402

RECIPE = fit.Recipe(epochs=200, rate=4e-3, seed=20, class_weight=(1.0, 1.7, 2.0, 3.0))


def cells() -> nn.Module:
    """Three strides of two, then separable residual blocks at 20x15."""
    return nn.Sequential(
        nets.conv(3, 16, stride=2),
        nn.ReLU(),
        nets.separable(16, 32, stride=2),
        nn.ReLU(),
        nets.separable_residual(32),
        nets.separable(32, 64, stride=2),
        nn.ReLU(),
        *(nets.separable_residual(64) for _ in range(5)),
        nn.Conv2d(64, len(CLASSES), 1),
    )


if __name__ == "__main__":
    build.build(FOLDER, cells, RECIPE)
