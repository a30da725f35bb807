"""One recurrent layer over an utterance, the speaker from its last state."""

import numpy as np
import torch
from torch import nn

from . import learn, ship, vowels
from .samples import Samples

HIDDEN = 32


class Recurrent(nn.Module):
    """`cell` is `nn.GRU` or `nn.LSTM`."""

    def __init__(self, cell: type[nn.RNNBase]):
        super().__init__()
        self.cell = cell(vowels.CHANNELS, HIDDEN, batch_first=True)
        self.dropout = nn.Dropout(0.3)
        self.last = nn.Linear(HIDDEN, vowels.SPEAKERS)

    def forward(self, x):
        """Logits [N, 9] in training, probabilities after it."""
        zero = torch.zeros(1, x.shape[0], HIDDEN)
        states, _ = self.cell(x, (zero, zero) if isinstance(self.cell, nn.LSTM) else zero)
        logits = self.last(self.dropout(states[:, -1]))
        return logits if self.training else logits.softmax(1)


def epoch(utterances: list[vowels.Utterance], rng: np.random.Generator) -> Samples:
    """Every utterance once, varied."""
    return vowels.samples(varied(utterances, rng))


def varied(utterances: list[vowels.Utterance], rng: np.random.Generator):
    """The utterances stretched, their ends cut, a little off in level, with noise."""
    return [
        vowels.Utterance(_varied(utterance.frames, rng), utterance.speaker)
        for utterance in utterances
    ]


def _varied(spoken: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    begin, end = rng.uniform(0, 0.15, 2) * (len(spoken) - 1)
    length = max(5, min(vowels.FRAMES, round(len(spoken) * rng.uniform(0.8, 1.2))))
    places = np.linspace(begin, len(spoken) - 1 - end, length)
    below = np.minimum(places.astype(int), len(spoken) - 2)
    share = (places - below)[:, None]
    frames = spoken[below] * (1 - share) + spoken[below + 1] * share
    level = rng.normal(0, 0.15, (1, vowels.CHANNELS))
    noise = rng.normal(0, 0.15, frames.shape)
    return (frames + level + noise).astype(np.float32)


def loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
    """Cross-entropy, with a tenth of doubt."""
    return nn.functional.cross_entropy(logits, truth, label_smoothing=0.1)


def build(folder, what: str, cell: type[nn.RNNBase], recipe: learn.Recipe):
    """Trains and writes the model of `folder`, as its command line says."""
    data, recipe = ship.start(what, recipe)
    train = vowels.read(data).train
    net = learn.learn(Recurrent(cell), lambda rng: epoch(train, rng), recipe, loss)
    ship.write(net, folder / f"{folder.name}.float.onnx", vowels.samples(train[:1]).inputs)
    ship.finish(folder, data)
