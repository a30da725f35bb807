"""Trains `peptides`, a small transformer that tells active peptides, and writes its files.

    python models/peptides/train.py [--data DIR] [--epochs N] [--threads N]

DIR holds `peptides-dbaasp`. Needs `models/requirements.txt`.
"""

import sys
from pathlib import Path

import torch
from torch import nn

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from common import learn, peptides, ship, transformer  # noqa: E402

RECIPE = learn.Recipe(epochs=30, rate=1.5e-3, seed=31, batch=64, decay=0.05)
WIDTH, HEADS, HIDDEN, LAYERS, DROPOUT = 64, 4, 128, 2, 0.2


class Peptides(nn.Module):
    """Embedding, two layers, the mean over all positions, two classes."""

    def __init__(self):
        super().__init__()
        self.letters = nn.Embedding(peptides.TOKENS, WIDTH)
        self.places = nn.Parameter(0.1 * torch.randn(1, peptides.LENGTH, WIDTH))
        self.dropout = nn.Dropout(DROPOUT)
        self.layers = nn.Sequential(
            *(
                transformer.Layer(WIDTH, HEADS, peptides.LENGTH, HIDDEN, DROPOUT)
                for _ in range(LAYERS)
            )
        )
        self.norm = nn.LayerNorm(WIDTH)
        self.last = nn.Linear(WIDTH, 2)

    def logits(self, tokens):
        """Before the softmax, [N, 2]."""
        x = self.layers(self.dropout(self.letters(tokens) + self.places))
        return self.last(self.norm(x).mean(1))

    def forward(self, tokens):
        """Logits [N, 2] in training, probabilities (inactive, active) after it."""
        logits = self.logits(tokens)
        return logits if self.training else logits.softmax(1)


def loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross-entropy, with a tenth of doubt."""
    return nn.functional.cross_entropy(logits, truth, label_smoothing=0.1)


if __name__ == "__main__":
    data, recipe = ship.start(__doc__, RECIPE)
    train, test = peptides.read(data)
    net = learn.learn(Peptides(), learn.varied(train, peptides.augment), recipe, loss)
    ship.write(net, FOLDER / "peptides.float.onnx", test.inputs[:1])
    ship.finish(FOLDER, data)
