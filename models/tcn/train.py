"""Trains `tcn`, which tells the speaker at every frame of a stream, and writes its files.

    python models/tcn/train.py [--data DIR] [--epochs N] [--threads N]

DIR holds `sequences-japanesevowels`. Needs `models/requirements.txt`. The same net goes into
two files: `tcn.float.onnx` for windows of 64 frames, `tcn.stream.onnx` for streams of any length.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from common import export, learn, onnxfile, recurrent, ship, suite, vowels  # noqa: E402
from common.samples import Samples  # noqa: E402

RECIPE = learn.Recipe(epochs=150, rate=5e-3, seed=34, batch=8)
WIDTH, SIZE, DILATIONS = 32, 3, (1, 2, 4, 8)
EPOCH_WINDOWS = 32
STREAM_FRAMES = 256


class Causal(nn.Module):
    """A dilated convolution that sees the present and the past, with a residual around it."""

    def __init__(self, dilation: int):
        super().__init__()
        self.past = (SIZE - 1) * dilation
        self.conv = nn.Sequential(
            nn.Conv1d(WIDTH, WIDTH, SIZE, dilation=dilation, bias=False), nn.BatchNorm1d(WIDTH)
        )
        self.dropout = nn.Dropout(0.15)

    def forward(self, x):
        """[N, 32, T] to the same."""
        seen = self.conv(nn.functional.pad(x, (self.past, 0)))
        return x + self.dropout(torch.relu(seen))


class Tcn(nn.Module):
    """Sees the present frame and 30 before it; zeros stand before the first."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(vowels.CHANNELS, WIDTH, 1)
        self.blocks = nn.Sequential(*(Causal(dilation) for dilation in DILATIONS))
        self.last = nn.Conv1d(WIDTH, vowels.SPEAKERS, 1)

    def forward(self, x):
        """[N, 12, T] to logits [N, 9, T] in training, to probabilities after it."""
        logits = self.last(self.blocks(torch.relu(self.first(x))))
        return logits if self.training else logits.softmax(1)


def loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross-entropy at every frame, with a tenth of doubt."""
    return nn.functional.cross_entropy(logits, truth[..., 0], label_smoothing=0.1)


def epoch(utterances: list[vowels.Utterance], rng: np.random.Generator) -> Samples:
    """The utterances, varied, as one stream; its first windows, always as many."""
    whole = vowels.stream(recurrent.varied(utterances, rng), rng)
    return vowels.windows(whole).part(slice(EPOCH_WINDOWS))


def write_stream_golden(path: Path, data: Path):
    """The start of the held-out stream, and what the float file makes of it."""
    inputs = vowels.test_stream(data).inputs[..., :STREAM_FRAMES]
    outputs = onnxfile.run(FOLDER / "tcn.stream.onnx", inputs)
    np.savez_compressed(path, **{suite.INPUT: inputs, suite.OUTPUT: outputs})


if __name__ == "__main__":
    data, recipe = ship.start(__doc__, RECIPE)
    utterances = vowels.read(data).train
    net = export.fold(learn.learn(Tcn(), lambda rng: epoch(utterances, rng), recipe, loss))
    example = vowels.train_windows(data).inputs[:1]
    ship.write(net, FOLDER / "tcn.float.onnx", example)
    ship.write(net, FOLDER / "tcn.stream.onnx", example, time_axis=2)
    write_stream_golden(FOLDER / "golden-stream.npz", data)
    ship.finish(FOLDER, data)
