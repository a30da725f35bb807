"""Trains `peptides`, a small transformer that tells active peptides, and writes its files.

    python models/peptides/train.py [--data DIR] [--epochs N] [--threads N]

DIR holds `peptides-dbaasp`. Needs `models/requirements.txt`.
"""

import sys
from pathlib import Path

import numpy as np
import torch
from torch import nn

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from common import learn, peptides, ship  # noqa: E402

RECIPE = learn.Recipe(epochs=30, rate=1.5e-3, seed=31, batch=64, decay=0.05)
WIDTH, HEADS, LAYERS, DROPOUT = 64, 4, 2, 0.2


class Attention(nn.Module):
    """Self-attention over all positions, those behind a peptide's end among them."""

    def __init__(self):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(WIDTH, WIDTH) for _ in range(4))

    def forward(self, x):
        """[N, 40, 64] to the same."""

        def heads(y):
            return y.reshape(-1, peptides.LENGTH, HEADS, WIDTH // HEADS).transpose(1, 2)

        query, key, value = heads(self.query(x)), heads(self.key(x)), heads(self.value(x))
        weight = (query @ key.transpose(2, 3) * (WIDTH // HEADS) ** -0.5).softmax(3)
        mixed = (weight @ value).transpose(1, 2)
        return self.out(mixed.reshape(-1, peptides.LENGTH, WIDTH))


class Layer(nn.Module):
    """Attention and a dense pair, each behind its normalization and around a residual."""

    def __init__(self):
        super().__init__()
        self.norms = nn.ModuleList(nn.LayerNorm(WIDTH) for _ in range(2))
        self.attention = Attention()
        self.dense = nn.Sequential(
            nn.Linear(WIDTH, 2 * WIDTH), nn.GELU(), nn.Linear(2 * WIDTH, WIDTH)
        )
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, x):
        """[N, 40, 64] to the same."""
        x = x + self.dropout(self.attention(self.norms[0](x)))
        return x + self.dropout(self.dense(self.norms[1](x)))


class Peptides(nn.Module):
    """Embedding, two layers, the mean over all positions, two classes."""

    def __init__(self):
        super().__init__()
        self.letters = nn.Embedding(peptides.TOKENS, WIDTH)
        self.places = nn.Parameter(0.1 * torch.randn(1, peptides.LENGTH, WIDTH))
        self.dropout = nn.Dropout(DROPOUT)
        self.layers = nn.Sequential(*(Layer() for _ in range(LAYERS)))
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


def augment(tokens: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Now and then a residue is exchanged for another one of its handedness."""
    letters = len(peptides.LETTERS)
    other = rng.integers(1, 1 + letters, tokens.shape) + letters * (tokens > letters)
    exchanged = (rng.random(tokens.shape) < 0.04) & (tokens > 0)
    return np.where(exchanged, other, tokens)


def loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross-entropy, with a tenth of doubt."""
    return nn.functional.cross_entropy(logits, truth, label_smoothing=0.1)


if __name__ == "__main__":
    data, recipe = ship.start(__doc__, RECIPE)
    train, test = peptides.read(data)
    net = learn.learn(Peptides(), learn.varied(train, augment), recipe, loss)
    ship.write(net, FOLDER / "peptides.float.onnx", test.inputs[:1])
    ship.finish(FOLDER, data)
