"""Labelled samples, and how a small stratified part of them is drawn for calibration."""

from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True)
class Samples:
    """`inputs` [N, ...] as the model takes them without its batch axis, `truth` [N, ...]."""

    inputs: np.ndarray
    truth: np.ndarray

    def __len__(self) -> int:
        return len(self.inputs)

    def part(self, index) -> "Samples":
        """The samples at `index`."""
        return Samples(self.inputs[index], self.truth[index])


def by_class(labels: np.ndarray, each: int, seed: int) -> np.ndarray:
    """Indices of `each` samples of every class, drawn without replacement, in file order."""
    rng = np.random.default_rng(seed)
    drawn = [rng.permutation(np.flatnonzero(labels == c))[:each] for c in np.unique(labels)]
    return np.sort(np.concatenate(drawn))


def by_value(values: np.ndarray, count: int, ends: bool) -> np.ndarray:
    """Indices of `count` samples, evenly spaced in the order of `values`.

    With `ends` least and greatest are among them, without it they are not.
    """
    order = np.argsort(values, kind="stable")
    if ends:
        places = np.linspace(0, len(values) - 1, count).round()
    else:
        places = np.floor((np.arange(count) + 0.5) * len(values) / count)
    return np.sort(order[places.astype(int)])
