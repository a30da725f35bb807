"""Trains `peptide-encoder`, a transformer that tells active peptides, and writes its files.

    python models/peptide-encoder/train.py [--data DIR] [--epochs N] [--threads N]

It first learns to guess covered residues, for three times as many epochs, then which peptides are
active. DIR holds `peptides-dbaasp`. Needs `models/requirements.txt`.
"""

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from torch import nn

FOLDER = Path(__file__).resolve().parent
sys.path.insert(0, str(FOLDER.parent))

from common import learn, peptides, ship, transformer  # noqa: E402
from common.samples import Samples  # noqa: E402

RECIPE = learn.Recipe(epochs=6, rate=5e-4, seed=34, batch=64, decay=0.05, half=True)
GUESSING_EPOCHS, GUESSING_RATE = 3, 2e-3
"""Epochs of guessing for each of the recipe's, and their rate."""
WIDTH, HEADS, HIDDEN, LAYERS, DROPOUT = 128, 4, 512, 4, 0.2
COVERED = peptides.TOKENS
"""The token of a covered residue."""
SHARE = 0.15
"""Of the residues to guess."""
NOT_ASKED = -100
CLOSED = -1e4
"""Added to the attention's score of a position behind a peptide's end."""


class Encoder(nn.Module):
    """Embedding and four layers, for the residues of a peptide alone."""

    def __init__(self):
        super().__init__()
        self.letters = nn.Embedding(peptides.TOKENS + 1, WIDTH)
        self.places = nn.Parameter(0.1 * torch.randn(1, peptides.LENGTH, WIDTH))
        self.dropout = nn.Dropout(DROPOUT)
        self.layers = nn.ModuleList(
            transformer.Layer(WIDTH, HEADS, peptides.LENGTH, HIDDEN, DROPOUT) for _ in range(LAYERS)
        )
        self.norm = nn.LayerNorm(WIDTH)
        live = torch.ones(peptides.TOKENS + 1)
        live[0] = 0
        self.register_buffer("live", live)
        self.register_buffer("shut", CLOSED * (1 - live))

    def forward(self, tokens):
        """Tokens [N, 40] to [N, 40, 128], and which positions hold a residue, [N, 40]."""
        x, shut = self.dropout(self.letters(tokens) + self.places), self.shut[tokens]
        for layer in self.layers:
            x = layer(x, shut[:, None, None, :])
        return self.norm(x), self.live[tokens]


class Guesser(nn.Module):
    """Logits of every position's token, [N, 40, tokens]."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder
        self.last = nn.Linear(WIDTH, peptides.TOKENS)

    def forward(self, tokens):
        """Of the tokens, some of them covered."""
        return self.last(self.encoder(tokens)[0])


class Activity(nn.Module):
    """The mean over a peptide's residues, then two classes."""

    def __init__(self, encoder: Encoder):
        super().__init__()
        self.encoder = encoder
        self.last = nn.Linear(WIDTH, 2)

    def forward(self, tokens):
        """Logits [N, 2] in training, probabilities (inactive, active) after it."""
        x, live = self.encoder(tokens)
        mean = (x * live[:, :, None]).sum(1) / live.sum(1, keepdim=True)
        logits = self.last(mean)
        return logits if self.training else logits.softmax(1)


def covered(tokens: np.ndarray, rng: np.random.Generator) -> Samples:
    """Of the residues to guess 8 in 10 are covered and one exchanged; truth is what they were."""
    asked = (rng.random(tokens.shape) < SHARE) & (tokens > 0)
    how = rng.random(tokens.shape)
    inputs = np.where(asked & (how < 0.8), COVERED, tokens)
    other = rng.integers(1, peptides.TOKENS, tokens.shape)
    inputs = np.where(asked & (how >= 0.9), other, inputs)
    return Samples(inputs, np.where(asked, tokens, NOT_ASKED))


def guessing_loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross-entropy of the residues to guess."""
    flat = logits.float().flatten(0, 1)
    return nn.functional.cross_entropy(flat, truth.flatten(), ignore_index=NOT_ASKED)


def activity_loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross-entropy, with a tenth of doubt."""
    return nn.functional.cross_entropy(logits.float(), truth, label_smoothing=0.1)


@torch.no_grad()
def guessed(guesser: Guesser, test: Samples) -> float:
    """The share of held-out covered residues that are guessed."""
    samples = covered(test.inputs, np.random.default_rng(0))
    hidden = samples.inputs == COVERED
    found = guesser(torch.from_numpy(samples.inputs)).argmax(2).numpy()
    return (found[hidden] == samples.truth[hidden]).mean()


if __name__ == "__main__":
    data, recipe = ship.start(__doc__, RECIPE)
    train, test = peptides.read(data)
    guessing = replace(recipe, epochs=GUESSING_EPOCHS * recipe.epochs, rate=GUESSING_RATE)
    guesser = learn.learn(
        Guesser(Encoder()), lambda rng: covered(train.inputs, rng), guessing, guessing_loss
    )
    print(f"guesses {guessed(guesser, test):.4f} of held-out covered residues")
    varied = learn.varied(train, peptides.augment)
    net = learn.learn(Activity(guesser.encoder.train()), varied, recipe, activity_loss)
    ship.write(net, FOLDER / "peptide-encoder.float.onnx", test.inputs[:1])
    ship.finish(FOLDER, data)
